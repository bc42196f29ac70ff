"""Passphrases, locking, and what survives the end of a worker."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from engine_rig import APP, OTHER, Rig
from lock_rig import Killed, locked_rig, quick  # noqa: F401 (a fixture)

from masq_store.core.crypto import key_schedule
from masq_store.core.profile.passphrase_tries import FREE, LONGEST_SECONDS, Tries
from masq_store.engine.pages import page_session
from masq_store.engine.profile.tickets import TICKET_SECONDS

pytestmark = pytest.mark.within(60)

MINUTE = 60_000


async def test_lock_now_and_unlock() -> None:
    """Locking answers every call of a known app with Locked, a stranger learns nothing, and unlocking opens again."""
    rig, page, tab = await locked_rig()
    await tab.call("watch", "", False)
    stranger = rig.app(OTHER)
    await stranger.status(state="unregistered")
    assert (await page.call("lock"))["profile"]["locked"] is True
    assert await tab.status(state="locked") == {"state": "locked"}
    for call in (("get", "k"), ("set", "k", 2), ("items", "")):
        assert (await tab.call(*call))[0] == "Locked"
    assert (await stranger.call("get", "k"))[0] == "NotRegistered"
    assert (await page.call("entries", APP, "", "", 5))[0] == "Locked"
    assert (await page.call("unlock", "two", False))[0] == "WrongPassphrase"
    assert (await page.call("unlock", "one", False))["profile"]["locked"] is False
    await tab.status(state="ready")
    assert await tab.call("get", "k") == [1]


async def test_what_was_written_before_the_lock_is_kept() -> None:
    """Writes that were out when the profile was locked are on the disk, and were acknowledged."""
    rig, page, tab = await locked_rig()
    writes = [asyncio.create_task(tab.call("set", f"k{n}", n)) for n in range(50)]
    await asyncio.sleep(0)
    await page.call("lock")
    assert await asyncio.gather(*writes) == [None] * 50
    await rig.restart()
    assert "profile" in await rig.page().call("unlock", "one", False)
    again = rig.app(APP)
    await again.status(state="ready")
    assert len(await again.call("keys", "k")) == 51


async def test_a_restart_locks_unless_told_to_stay() -> None:
    """After a restart a profile is open exactly if it stays unlocked on this device."""
    for stay in (True, False):
        rig, page, _ = await locked_rig(stay)
        assert (await page.call("overview"))["profile"]["stays_unlocked"] is stay
        await rig.restart()
        assert (await rig.page().call("overview"))["profile"]["locked"] is not stay
        await rig.app(APP).status(state="ready" if stay else "locked")


async def test_a_profile_without_a_passphrase_cannot_be_locked() -> None:
    """Locking it would shut it for ever: it is refused, and its lock time does nothing."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    page = rig.page()
    assert (await page.call("lock"))[0] == "ProtocolError"
    await page.call("set_lock_minutes", 5)
    rig.now += 60 * MINUTE
    assert await tab.call("set", "k", 1) is None
    assert (await page.call("set_stay_unlocked", False))[0] == "InvalidValue"


async def test_wrong_passphrases_wait_longer_and_longer() -> None:
    """The first few mistakes are free; then each wait is longer, and a try before its end is not looked at."""
    rig, page, _ = await locked_rig()
    await page.call("lock")
    waits = []
    for _ in range(FREE + 4):
        refusal = await page.call("unlock", "wrong", False)
        assert refusal[0] == "WrongPassphrase"
        waits.append(refusal[2]["wait_seconds"])
        if waits[-1]:
            early = await page.call("unlock", "one", False)  # right, but too early
            assert early[0] == "WrongPassphrase" and early[2]["wait_seconds"] == waits[-1]
            rig.now += int(1000 * waits[-1])
    assert waits[: FREE - 1] == [0] * (FREE - 1)
    assert waits[FREE - 1 :] == sorted(set(waits[FREE - 1 :])) and waits[FREE - 1] > 0
    assert "apps" in await page.call("unlock", "one", False)
    await page.call("lock")
    assert (await page.call("unlock", "wrong", False))[2]["wait_seconds"] == 0


def test_waits_have_an_end() -> None:
    """However many mistakes, and whatever the clock does, nobody waits longer than the longest wait."""
    tries = Tries()
    for _ in range(100):
        assert tries.wrong(1_000_000) <= LONGEST_SECONDS
    assert tries.wait_seconds(0) == LONGEST_SECONDS
    assert tries.wait_seconds(1_000_000 + 1000 * LONGEST_SECONDS) == 0


async def test_idle_time_locks() -> None:
    """After the lock time without use the profile locks; use puts it off; a machine that slept finds it locked."""
    rig, page, tab = await locked_rig()
    assert (await page.call("set_lock_minutes", 5))["profile"]["lock_minutes"] == 5
    for _ in range(3):
        rig.now += 4 * MINUTE
        assert await tab.call("get", "k") == [1]
    rig.now += 5 * MINUTE  # no timer has run: it is the app's own call that finds the time over
    assert (await tab.call("get", "k"))[0] == "Locked"
    assert (await page.call("overview"))["profile"]["locked"] is True
    await page.call("unlock", "one", False)
    rig.now += 5 * MINUTE
    assert (await page.call("overview"))["profile"]["locked"] is True
    await page.call("unlock", "one", False)
    rig.now += 5 * MINUTE
    rig.engine.auto_lock._look()  # the timer
    await tab.status(state="locked")


async def test_lock_time_is_kept_and_checked() -> None:
    """The lock time survives a restart; nonsense is InvalidValue."""
    rig, page, _ = await locked_rig(stay=True)
    for nonsense in (-1, 10**6, "5", 2.5, True):
        assert (await page.call("set_lock_minutes", nonsense))[0] == "InvalidValue"
    await page.call("set_lock_minutes", 15)
    await rig.restart()
    assert (await rig.page().call("overview"))["profile"]["lock_minutes"] == 15


async def test_a_ticket_opens_the_next_worker() -> None:
    """A page or a frame that was open brings the profile back after a reload; an app is never told Locked."""
    for by_page in (True, False):
        rig, page, tab = await locked_rig()
        ticket = (page if by_page else tab).ticket()
        assert ticket
        await rig.restart()
        if by_page:
            assert (await rig.page(ticket).call("overview"))["profile"]["locked"] is False
            again = rig.app(APP)
        else:
            again = rig.app(APP, ticket=ticket)
        await again.status(state="ready")
        assert await again.call("get", "k") == [1]
        assert {"state": "locked"} not in again.statuses()


async def test_tickets_end() -> None:
    """A ticket is worth nothing after a lock, after its time, altered, or once the profile stays unlocked."""
    rig, page, tab = await locked_rig()
    ticket = page.ticket()
    await page.call("lock")
    assert page.ticket() is None and tab.ticket() is None
    await rig.restart()
    assert (await rig.page(ticket).call("overview"))["profile"]["locked"] is True

    rig, page, _ = await locked_rig()
    ticket = page.ticket()
    rig.now += 1000 * TICKET_SECONDS + 1
    await rig.restart()
    assert (await rig.page(ticket).call("overview"))["profile"]["locked"] is True

    rig, page, _ = await locked_rig()
    ticket = page.ticket()
    for wrong in ("", "%%%", "AAAA", ticket[:-4] + "AAA=", 5, None):
        await rig.restart()
        assert (await rig.page(wrong).call("overview"))["profile"]["locked"] is True
    await rig.restart()
    page = rig.page(ticket)
    assert (await page.call("overview"))["profile"]["locked"] is False
    await page.call("set_stay_unlocked", True, "one")
    assert page.ticket() is None
    assert not any(key.startswith("ticket/") for key in rig.backend.disk.stored)


async def test_a_withdrawn_app_keeps_no_ticket() -> None:
    """The frame of an app that was withdrawn forgets the ticket; the page keeps it."""
    _, page, tab = await locked_rig()
    assert tab.ticket() and tab.ticket() == page.ticket()
    await page.call("withdraw", APP)
    assert tab.ticket() is None and page.ticket()


async def test_the_timer_renews_a_ticket() -> None:
    """While the engine is at work its ticket stays good, however long."""
    rig, page, _ = await locked_rig()
    for _ in range(4):
        rig.now += 1000 * TICKET_SECONDS - 1
        rig.engine.auto_lock._look()
        assert rig.engine.auto_lock._task is not None
        await rig.engine.auto_lock._task
    rig.now += 1000 * TICKET_SECONDS - 1
    await rig.restart()
    assert (await rig.page(page.ticket()).call("overview"))["profile"]["locked"] is False


async def test_passphrase_changed_removed_and_added() -> None:
    """The new passphrase opens and the old one does not; without one the profile stays unlocked."""
    rig, page, _ = await locked_rig()
    assert (await page.call("change_passphrase", "wrong", "two"))[0] == "WrongPassphrase"
    await page.call("change_passphrase", "one", "two")
    await page.call("lock")
    assert (await page.call("unlock", "one", False))[0] == "WrongPassphrase"
    assert "apps" in await page.call("unlock", "two", False)
    seen = (await page.call("change_passphrase", "two", ""))["profile"]
    assert (seen["passphrase"], seen["stays_unlocked"]) == (False, True)
    await rig.restart()
    page = rig.page()
    assert (await page.call("overview"))["profile"]["locked"] is False
    seen = (await page.call("change_passphrase", "", "three"))["profile"]
    assert (seen["passphrase"], seen["stays_unlocked"]) == (True, True)
    await page.call("set_stay_unlocked", False)
    await rig.restart()
    page = rig.page()
    assert "apps" in await page.call("unlock", "three", False)


@pytest.mark.parametrize(("stay", "new"), [(False, "two"), (True, "two"), (False, ""), (True, "")])
async def test_a_passphrase_change_killed_at_each_step(stay: bool, new: str) -> None:
    """Whenever the process dies during a change, the profile opens with the old or the new passphrase, data and all."""
    outcomes = []
    for after in (False, True):
        for at in range(1, 100):
            rig, _, _ = await locked_rig(stay)
            steps = [0]  # of every await of the change, on the disk and in the cryptography

            def counted(name: str, inner: Any, at: int = at, after: bool = after, steps: Any = steps) -> Any:
                real = getattr(inner, name)

                async def call(*arguments: Any, **named: Any) -> Any:
                    steps[0] += 1
                    mine = steps[0]
                    if mine == at and not after:
                        raise Killed()
                    result = await real(*arguments, **named)
                    if mine == at:
                        raise Killed()
                    return result

                return call

            kept = []
            for inner, names in (
                (rig.backend, ("read", "scan", "write")),
                (rig.crypto, ("hkdf", "derive_key", "passphrase_key", "seal", "open", "device_key")),
            ):
                for name in names:
                    kept.append((inner, name))
                    setattr(inner, name, counted(name, inner))
            killed = False
            try:
                await rig.engine.commands.change_passphrase("one", new)
            except Killed:
                killed = True
            for inner, name in kept:
                delattr(inner, name)
            await rig.restart()
            page = rig.page()
            opened = None
            if not (await page.call("overview"))["profile"]["locked"]:
                opened = "device"
            for passphrase in ("one", "two"):
                if opened is None and "apps" in await page.call("unlock", passphrase, False):
                    opened = passphrase
            assert opened is not None, (after, at)
            again = rig.app(APP)
            await again.status(state="ready")
            assert await again.call("get", "k") == [1]
            record = json.loads(next(c for k, c in await rig.backend.scan("profile/") if k))
            assert record["passphrase"] or record["device"]
            outcomes.append(opened)
            if not killed:
                break
        else:
            raise AssertionError("the change never came to its end")
    assert len(outcomes) > 10


async def test_the_reminder_comes_when_there_is_something_to_lose() -> None:
    """No reminder for an empty or a new store; one for much data, or data of a day; a backup or "later" quiets it."""
    rig = await Rig().start()
    page = rig.page()
    assert (await page.call("overview"))["backup"] == {"due": False, "last_ms": None}
    tab = await rig.approved(APP)
    rig.now += 48 * 60 * MINUTE
    assert (await page.call("overview"))["backup"]["due"] is False  # nothing in it
    await tab.call("set", "k", 1)
    assert (await page.call("overview"))["backup"]["due"] is True
    assert (await page.call("remind_later"))["backup"]["due"] is False
    rig.now += 8 * 24 * 60 * MINUTE
    assert (await page.call("overview"))["backup"]["due"] is True
    made = await page.call("write_backup", "words")
    assert made["pieces"] == 1
    assert (await page.call("overview"))["backup"] == {"due": False, "last_ms": rig.now}


async def test_a_page_edits_entries() -> None:
    """A page can change, add and delete an app's entries; the app's tabs hear of it; bad input changes nothing."""
    rig, page, tab = await locked_rig()
    await tab.call("watch", "", False)
    assert await page.call("set_entry", APP, "new", [1, {"$bytes": "AAE="}]) is None
    assert await tab.call("get", "new") == [[1, {"$bytes": "AAE="}]]
    assert await page.call("delete_entry", APP, "new") is True
    assert await page.call("delete_entry", APP, "new") is False
    assert await tab.call("get", "new") == []
    assert (await page.call("set_entry", APP, "", 1))[0] == "InvalidKey"
    assert (await page.call("set_entry", APP, "k", {"$wrong": 1}))[0] == "InvalidValue"
    assert (await page.call("set_entry", OTHER, "k", 1))[0] == "NotRegistered"
    assert await tab.call("items", "") == [["k", 1]]
    told = [change for m in tab.port.heard for _, listed in m.get("changes", []) for change in listed]
    assert told == [["new", "tab", [1, {"$bytes": "AAE="}]], ["new", "tab"]]


async def test_entries_are_found_anywhere_in_their_name() -> None:
    """A search finds a part of the name in upper and lower case, page by page."""
    rig, page, tab = await locked_rig()
    await tab.call("update", [[f"Item {n:02} Straße", n] for n in range(20)])
    found = await page.call("entries", APP, "STRASSE", "", 15)
    assert len(found["entries"]) == 15 and found["more"] is True
    rest = await page.call("entries", APP, "strasse", found["entries"][-1][0], 15)
    assert len(rest["entries"]) == 5 and rest["more"] is False
    assert (await page.call("entries", APP, "nowhere", "", 15))["entries"] == []


async def test_a_backup_goes_through_a_page_in_pieces() -> None:
    """A page fetches a backup piece by piece, sends it back after the profile was deleted, and all is there again."""
    rig, page, tab = await locked_rig()
    await tab.call("update", [[f"k{n}", "x" * 1000] for n in range(1200)])
    offer = await page.call("write_backup", "words", None, "one")
    assert offer["pieces"] > 1
    pieces = [await page.call("backup_piece", offer["id"], n) for n in range(offer["pieces"])]
    assert (await page.call("backup_piece", offer["id"], offer["pieces"]))[0] == "ProtocolError"
    await page.call("drop_file", offer["id"])
    assert (await page.call("backup_piece", offer["id"], 0))[0] == "ProtocolError"
    mine = (await page.call("overview"))["profile"]["id"]
    await page.call("delete_profile", mine)

    name = await page.call("begin_file")
    for piece in pieces:
        assert await page.call("file_piece", name, piece) is None
    assert (await page.call("file_piece", name, "%"))[0] == "ProtocolError"
    assert (await page.call("read_backup", name, "other words"))[0] == "WrongBackupPassphrase"
    about = await page.call("read_backup", name, "words")
    assert about == {
        "name": "Ann",
        "made_ms": rig.now,
        "whole": True,
        "same": False,
        "apps": [{"origin": APP, "name": "Counter", "keys": 1201}],
    }
    done = await page.call("restore", name, "three", False)
    assert done["merged"] == [APP]
    await tab.status(state="ready")
    assert len(await tab.call("keys", "")) == 1201
    seen = await page.call("overview")
    assert seen["profile"]["name"] == "Ann" and seen["profile"]["passphrase"] is True


async def test_a_page_that_waits_long_is_told_that_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that takes long is followed by signs of life, for a page gives up on a silent store; then they end."""
    monkeypatch.setattr(page_session, "ALIVE_SECONDS", 0.01)
    rig, page, _ = await locked_rig()
    go_on = asyncio.Event()

    async def slow(*_arguments: Any) -> bytes:
        await go_on.wait()
        return b"file"

    monkeypatch.setattr(rig.engine.commands, "write_backup", slow)
    waiting = asyncio.create_task(page.call("write_backup", "words", None))
    await page.port.until(lambda message: True if ["busy"] in message.get("events", ()) else None)
    go_on.set()
    assert (await waiting)["size"] == 4
    page.port.heard.clear()
    await page.call("overview")
    assert not any(["busy"] in message.get("events", ()) for message in page.port.heard)


async def test_a_page_that_starts_late_gets_the_ticket() -> None:
    """What is said to a page before its Python is up is lost: it hears of the ticket when it speaks."""
    rig, page, _ = await locked_rig()
    late = rig.page()
    late.port.heard.clear()
    await late.call("overview")
    assert late.ticket() == page.ticket() is not None


async def test_entries_are_of_the_profile_that_the_page_shows() -> None:
    """A page that has not heard of a switch yet is not given the other profile's entries."""
    rig, page, _ = await locked_rig(stay=True)
    ann = (await page.call("overview"))["profile"]["id"]
    await page.call("create_profile", "Bob", "", True)
    await rig.approved(APP)
    assert (await page.call("entries", APP, "", "", 5, ann))[0] == "Locked"
    assert (await page.call("entries", APP, "", "", 5))["entries"] == []


async def test_typing_in_a_page_is_use() -> None:
    """A page that says that somebody types puts the lock off."""
    rig, page, _ = await locked_rig()
    await page.call("set_lock_minutes", 5)
    for _ in range(3):
        rig.now += 4 * MINUTE
        assert await page.call("used") is None
    assert (await page.call("overview"))["profile"]["locked"] is False


async def test_an_opened_backup_is_forgotten_with_the_lock() -> None:
    """What was read from a backup, in clear, does not outlive a lock: the file must be read again."""
    _, page, _ = await locked_rig()
    offer = await page.call("write_backup", "words", None, "one")
    name = await page.call("begin_file")
    await page.call("file_piece", name, await page.call("backup_piece", offer["id"], 0))
    await page.call("read_backup", name, "words")
    await page.call("lock")
    await page.call("unlock", "one", False)
    assert (await page.call("restore", name, "", True))[0] == "ProtocolError"
    await page.call("read_backup", name, "words")
    assert (await page.call("restore", name, "", True))["merged"] == [APP]


@pytest.mark.parametrize("rounds", [0, -1, key_schedule.MAX_ITERATIONS + 1, 2**60, "600000", None])
async def test_a_record_that_asks_for_work_without_end_is_damaged(rounds: Any) -> None:
    """Who can write the files cannot have an unlock last for hours: it ends at once, by name."""
    rig, page, _ = await locked_rig()
    await page.call("lock")
    record = rig.engine.vault.active
    assert record is not None
    record["passphrase"]["iterations"] = rounds
    assert (await page.call("unlock", "one", False))[0] == "DamagedData"
