"""What stands in a roster is a claim: it makes a copy stricter at once, and never looser, elsewhere or empty."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asynchronous import until
from engine_rig import APP, OTHER
from home_values import VALUES
from partition_rig import Apart
from roster_scenes import (
    FACTS,
    LAST,
    LOOSE,
    PASSPHRASE,
    SETTINGS,
    closed,
    connected,
    hostile,
    in_the_store,
    opens_by_itself,
    poisoned,
    write,
)

from masq.messages import encode
from masq_store.core.enrolment import roster
from masq_store.core.enrolment.messages import Grant, Told
from masq_store.core.enrolment.roster import Policy
from masq_store.engine.pages.overview import overview
from masq_store.engine.pages.page_session import METHODS
from masq_store.engine.storage.trash import KEPT_MS
from masq_store.engine.store import rosters

ROOT = Path(__file__).parents[3]


# Read through one door --------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", VALUES)
async def test_no_row_of_a_roster_stops_a_copy(what: str) -> None:
    """Rows that no device of this version writes come in: the copy goes on, starts anew, and hears the others."""
    rig, apart, tab, copy = await connected(stay=True)
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    assert await tab.call("set", "k", "v") is None
    id, other = copy.identity, "d" * 16
    keys = ["app", "app/", "app/x", "locks/zz", "x", *(f"{kind}/{of}{end}" for kind in ("removed", "policy")
            for of in (id, other, "") for end in ("", "/", "/x"))]  # fmt: skip
    await hostile(apart, copy, dict.fromkeys(keys, VALUES[what]))
    assert await tab.call("get", "k") == ["v"]
    await rig.engine.commands.set_lock_minutes(7)
    await until(lambda: copy.policy.minutes == 7)
    apart.cut()
    await apart.restart()
    again = apart.app()
    await again.status(state="ready")
    assert await again.call("get", "k") == ["v"]
    assert apart.partition.copies[APP].policy.minutes == 7
    assert failures == []


@pytest.mark.parametrize("what", VALUES)
def test_what_cannot_be_read_of_a_roster_is_not_there(what: str) -> None:
    """Each kind of row gives None for each value that is none of it."""
    text = encode(VALUES[what])
    assert roster.read_facts(text) is None
    assert roster.read_policy(text) is None
    assert roster.read_removed(text) is None


@pytest.mark.parametrize("number", [-1, 2**60, True, 1.0])
def test_a_number_that_no_device_writes_makes_a_row_unreadable(number: Any) -> None:
    """Below zero, beyond what a space's name or a reader's arithmetic takes, or none at all."""
    for name in ("generation", "devices"):
        assert roster.read_facts(encode({**FACTS, name: number})) is None
    for name in ("minutes", "turn"):
        assert roster.read_policy(encode({**LOOSE, name: number})) is None
    assert roster.read_removed(encode({"ms": number})) is None


def test_a_roster_says_the_strictest_of_what_is_in_it() -> None:
    """Of several rows about one thing each counts as far as it takes something away; of others' rows none does."""
    me, other = "a" * 16, "b" * 16
    rows = {
        "app": {**FACTS, "relay": "wss://one.example"},
        "app/x": {**FACTS, "approved": False, "generation": 3, "relay": "wss://two.example"},
        f"policy/{me}": {**LOOSE, "minutes": 9, "turn": 2},
        f"policy/{me}/x": {"stay": False, "minutes": 5, "sync": True, "turn": 1},
        f"policy/{me}/y": {**LOOSE, "sync": False},
        f"policy/{other}": {"stay": False, "minutes": 1, "sync": False, "turn": 99},
        f"removed/{other}": {"ms": 1},
    }
    said = roster.said([(key, encode(row)) for key, row in rows.items()], me)
    assert said.facts is not None
    assert (said.facts.approved, said.facts.generation, said.facts.relay) == (False, 3, "wss://one.example")
    assert said.policy == Policy(stay=False, minutes=5, sync=False, turn=2)
    assert not said.removed
    assert roster.said([(f"removed/{me}/x", encode({"ms": 1}))], me).removed


# Stricter at once, looser and elsewhere only by a window ----------------------------------------------------


async def test_a_roster_takes_no_lock_off() -> None:
    """What another copy writes makes no lock looser, neither of what was granted nor of what was heard since."""
    rig, apart, _, copy = await connected()
    await rig.engine.commands.set_lock_minutes(5)
    await until(lambda: copy.policy.minutes == 5)
    apart.cut()
    await hostile(apart, copy, {f"policy/{copy.identity}": LOOSE, f"locks/{copy.identity}": LOOSE})
    assert copy.policy == Policy(stay=False, minutes=5, sync=False, turn=0)
    assert not opens_by_itself(apart)
    await hostile(apart, copy, {f"policy/{copy.identity}": {**LOOSE, "minutes": 2}})
    assert copy.policy.minutes == 2
    await hostile(apart, copy, {f"policy/{copy.identity}": LOOSE})
    assert copy.policy.minutes == 2
    await apart.restart()
    assert await apart.app().status() == {"state": "locked"}


async def test_a_window_makes_a_copy_looser_again() -> None:
    """The person's own hand at the store's window counts at once, whatever the roster has made of the copy."""
    rig, apart, _, copy = await connected()
    await hostile(apart, copy, {f"policy/{copy.identity}": {**LOOSE, "stay": False, "minutes": 1}})
    assert copy.policy.minutes == 1
    await rig.engine.commands.set_stay_unlocked(True, PASSPHRASE)
    await until(lambda: copy.policy.stay and copy.policy.minutes == 0)
    assert opens_by_itself(apart)
    apart.cut()
    await apart.restart()
    await apart.app().status(state="ready")


# Taken back: at once, and nothing that only the copy holds goes ---------------------------------------------

ENDINGS = {
    "removed": lambda id: {f"removed/{id}": {"ms": 1}},
    "withdrawn": lambda id: {"app": {**FACTS, "approved": False}},
    "erased": lambda id: {"app": {**FACTS, "generation": 7}},
}


@pytest.mark.parametrize("how", ENDINGS)
async def test_a_roster_ends_the_access_and_destroys_nothing(how: str) -> None:
    """The app hears that it is none any more; what only the copy held is there again when the store grants it anew."""
    _, apart, tab, copy = await connected(stay=True)
    await closed(apart, copy)
    await tab.call("set", "only here", 1)
    await hostile(apart, copy, ENDINGS[how](copy.identity))
    await tab.status(state="unregistered")
    assert (await tab.call("get", "only here"))[0] == "NotRegistered"
    await until(lambda: not apart.partition.copies)
    await until(lambda: not opens_by_itself(apart))
    await apart.restart()
    again = apart.app()
    assert await again.status() == {"state": "unregistered"}
    await apart.connect(again)
    assert await again.call("get", "only here") == [1]
    await until(lambda: apart.partition.copies[APP].line.together)  # type: ignore[union-attr]
    assert again.statuses()[-1]["state"] == "ready"


async def test_a_copy_that_has_ended_is_erased_though_it_is_to_lock() -> None:
    """The store locks, or is gone, right after that it has taken the copy back: nothing of it stays on the disk."""
    _, apart, tab, copy = await connected()
    await tab.call("set", "k", 1)
    await until(lambda: copy.waiting == 0)
    async with apart.partition._changing:
        locking = asyncio.ensure_future(apart.partition._copies.lock(APP))
        await hostile(apart, copy, ENDINGS["removed"](copy.identity))
    await locking
    await tab.status(state="unregistered")
    await until(lambda: not _copies(apart))


def _copies(apart: Apart) -> list[str]:
    return [str(key) for key in apart.backend.disk.stored if str(key).startswith("copy/")]


async def test_what_an_ended_copy_held_is_erased_after_its_time() -> None:
    """Nobody has granted it anew within thirty days: nothing of it stays."""
    rig, apart, tab, copy = await connected()
    await closed(apart, copy)
    await tab.call("set", "only here", 1)
    await hostile(apart, copy, ENDINGS["removed"](copy.identity))
    await until(lambda: not apart.partition.copies)
    rig.now += KEPT_MS - 1
    await apart.restart()
    assert await apart.backend.scan("space/")
    rig.now += 1
    await apart.restart()
    assert not await apart.backend.scan("space/") and not await apart.backend.scan("copy/")


# What cannot be said in a roster ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ENDINGS)
async def test_a_copy_is_granted_whatever_stands_in_the_roster(how: str) -> None:
    """The last word of another copy is that this one has ended: the store's window says that it does not count."""
    rig, apart, _, copy = await connected()
    await poisoned(rig, apart, copy, ENDINGS[how](copy.identity))
    await until(lambda: not apart.partition.copies)
    apart.cut()
    again = await apart.connected()
    await until(lambda: apart.partition.copies[APP].line.together)  # type: ignore[union-attr]
    await asyncio.sleep(1)
    assert again.statuses()[-1]["state"] == "ready"
    wiped = await Apart(rig).start()  # and so does another browser's
    fresh = await wiped.connected()
    await until(lambda: wiped.partition.copies[APP].line.together)  # type: ignore[union-attr]
    await asyncio.sleep(1)
    assert fresh.statuses()[-1]["state"] == "ready"


async def test_where_a_roster_has_no_room_the_person_is_told_who_has_not_heard() -> None:
    """The copy that is there has heard by its line, another one has not; nothing else fails, and later it is said."""
    rig, apart, tab, _ = await connected()
    space = await in_the_store(rig)
    room = space.core.max_keys
    space.core.max_keys = 0
    for each in space.core.keys(""):
        await write(rig.engine.writer, space, {each: 1}, LAST)
    assert (await rig.page().call("set_lock_minutes", 5))["profile"]["lock_minutes"] == 5
    copy = apart.partition.copies[APP]
    await until(lambda: copy.policy.minutes == 5)
    assert [each["unheard"] for each in (await overview(rig.engine.parts))["copies"]] == [False]
    await apart.connect(tab)
    await tab.status(state="ready")
    apart.cut()
    await until(lambda: not rig.engine.enrolments._here.all)
    assert [each["unheard"] for each in (await overview(rig.engine.parts))["copies"]] == [True]
    space.core.max_keys = room
    await rig.page().call("set_lock_minutes", 6)
    await until(lambda: not rig.engine.parts.rosters.unheard(copy.identity, APP))
    await rig.engine.commands.withdraw(APP)


@pytest.mark.parametrize("where", ["the store", "the copy"])
async def test_a_roster_that_cannot_be_read_is_told_anew(where: str) -> None:
    """It holds nothing that is not said again: its damage stops neither the store nor the copy."""
    rig, apart, tab, copy = await connected(stay=True)
    await tab.call("set", "k", "v")
    space, disk = (
        (await in_the_store(rig), rig.backend.disk)
        if where == "the store"
        else (copy.roster, apart.backend.disk)
    )
    for key in list(disk.stored):
        if str(key).startswith(space._checkpoint):
            disk.stored[key] = b"\x00" * 64
    apart.cut()
    await (rig.restart() if where == "the store" else apart.restart())
    again = apart.app() if where == "the copy" else tab
    await again.status(state="ready")
    await apart.connect(again)
    assert await again.call("get", "k") == ["v"]
    await rig.engine.commands.withdraw(APP)
    await again.status(state="unregistered")


async def test_what_somebody_makes_looser_is_said_again() -> None:
    """A copy that was away hears what its person has decided, also where another copy has written over it since."""
    rig, apart, _, copy = await connected()
    apart.cut()
    await rig.engine.commands.set_lock_minutes(5)
    space = await in_the_store(rig)
    key = f"policy/{copy.identity}"
    await until(lambda: (policy := roster.read_policy(space.core.text(key))) and policy.minutes == 5)
    await write(rig.engine.writer, space, {key: LOOSE})
    await until(lambda: (policy := roster.read_policy(space.core.text(key))) and policy.minutes == 5)
    await rig.engine.commands.withdraw(APP)
    await until(lambda: (facts := roster.read_facts(space.core.text("app"))) and not facts.approved)
    await write(rig.engine.writer, space, {"app": FACTS})
    await until(lambda: (facts := roster.read_facts(space.core.text("app"))) and not facts.approved)
    stamps = [space.core.register(each) for each in space.core.keys("")]
    await write(rig.engine.writer, space, {"app": {**FACTS, "approved": False, "devices": 9}})  # no looser
    await asyncio.sleep(3 * rosters.AGAIN_SECONDS)
    assert [space.core.register(each) for each in space.core.keys("")] != stamps
    facts = roster.read_facts(space.core.text("app"))
    assert facts and facts.devices == 9


# What the person decides for a browser ----------------------------------------------------------------------


async def test_lock_now_locks_a_copy_at_whose_roster_nothing_can_be_said() -> None:
    """The line says it as well; a full disk of the store keeps neither of them from locking."""
    rig, apart, tab, copy = await connected(stay=True)
    space = await in_the_store(rig)
    space.core.max_keys = 0
    await poisoned(rig, apart, copy, {f"policy/{copy.identity}": LOOSE})
    rig.backend.disk.quota = 0
    await rig.engine.commands.lock()
    assert rig.engine.profile is None
    await tab.status(state="locked")


BY_A_WINDOW = {
    "rename_profile": "the app is shown the name of when its copy was granted",
    "set_relay": "to another one; to none it reaches the copy at once, see above",
}
"""What a copy hears by a window of the store alone."""

NO_COPYS = {
    "overview", "app", "entries", "request", "pairing", "used", "told_persistent", "remind_later", "seen_removed",
    "create_profile", "switch_profile", "unlock", "answer", "set_entry", "delete_entry", "rename_device",
    "write_backup", "backup_piece", "begin_file", "file_piece", "drop_file", "read_backup", "restore",
    "invite", "join", "confirm_code", "take", "end_pairing", "offer_link",
    "keep_removed", "erase_trash", "put_back", "trace",
    "erase",  # data of a withdrawn app: its copies have ended by then
}  # fmt: skip
"""What shows something, or decides nothing that a copy in this browser goes by."""


def test_it_is_known_how_each_setting_reaches_a_copy() -> None:
    """Each call of the store's pages is in a table: whoever adds one says whether a copy must hear of it, and how."""
    assert SETTINGS.keys() | BY_A_WINDOW.keys() | NO_COPYS == METHODS.keys()
    assert not NO_COPYS & (SETTINGS.keys() | BY_A_WINDOW.keys())


# What the documents say -------------------------------------------------------------------------------------

KNOWN = {
    "origin": "that app's data",
    "generation": "that app's data",
    "secret": "that app's data",
    "roster": "what the store tells the app's other copies",
    "profile": "the profile's name",
    "relay": "the relay",
    "approved": "that app's data",
    "devices": "how many devices hold the app's data",
    "removed": "their ids, whether they were removed",
    "stay": "when they lock",
    "lock_minutes": "when they lock",
    "minutes": "when they lock",
    "turn": "when they lock",
    "sync": "whether they sync",
    "ended": "whether they were removed",
    "over": "what the store tells the app's other copies",
}
"""What a partition is told, and the words of the threat model for it."""


def test_the_threat_model_lists_all_that_a_partition_is_told() -> None:
    """A field that a grant, the line or a roster gains is named there, or this test fails."""
    fields = {*Grant._fields, *Told._fields, *roster.Facts._fields, *Policy._fields, "removed"}
    assert fields == KNOWN.keys()
    text = " ".join((ROOT / "docs" / "threat-model.md").read_text("utf-8").split())
    _, _, section = text.partition("**A partition of a browser**")
    section = section.partition("**Who sees the link**")[0]
    assert [words for words in KNOWN.values() if words not in section] == []


async def test_a_roster_holds_nothing_but_what_the_threat_model_lists() -> None:
    """With two apps, copies that were removed and a withdrawal, each of its rows is of a kind that is known."""
    rig, apart, _, copy = await connected(relay="wss://relay.example")
    await rig.approved(OTHER)
    other = await Apart(rig).start()
    await other.connect(other.app())
    await rig.engine.device_commands.remove(other.partition.copies[APP].identity)
    await rig.engine.commands.withdraw(APP)
    await until(lambda: not apart.partition.copies and not other.partition.copies)
    rows = dict((await in_the_store(rig)).core.items(""))
    assert {roster.subject_of(key) for key in rows} == rows.keys()
    assert all(
        (read(text) if (read := READERS.get(key.partition("/")[0])) else None) is not None
        for key, text in rows.items()
    )
    assert {f"removed/{copy.identity}", "app"} <= rows.keys()
    assert not any(OTHER in key + text for key, text in rows.items())


READERS: dict[str, Callable[[str], Any]] = {
    "app": roster.read_facts,
    "policy": roster.read_policy,
    "removed": roster.read_removed,
}
