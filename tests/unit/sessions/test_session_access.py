"""What a session may do on a space, and what it sees of it: as its `Access` says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from itertools import combinations
from typing import Any

import pytest
from engine_rig import APP, OTHER, Peer, Rig
from partition_rig import enrolled

from masq.errors import from_wire
from masq_store.core.profile.claims import AppClaims
from masq_store.engine.sessions.access import ALL, Access, Right
from masq_store.engine.sessions.app_session import AppSession
from masq_store.engine.sessions.methods import METHODS

READ: frozenset[Right] = frozenset(("read",))

CALLS: dict[str, tuple[set[str], list[Any]]] = {
    "get": ({"read"}, ["a"]),
    "get_many": ({"read"}, [["a"]]),
    "has": ({"read"}, ["a"]),
    "keys": ({"read"}, [""]),
    "items": ({"read"}, [""]),
    "set": ({"write"}, ["a", 1]),
    "update": ({"write"}, [[["a", 1]]]),
    "replace": ({"write", "delete"}, [[["a", 1]]]),
    "delete": ({"delete"}, [["a"]]),
    "clear": ({"delete"}, [""]),
    "increment": ({"read", "write"}, ["n", 1]),
    "flush": (set(), []),
    "watch": ({"read", "watch"}, ["", False]),
    "unwatch": (set(), [1]),
    "status": (set(), []),
    "ping": (set(), []),
    "severed": (set(), []),
}
"""Each method, the rights that it needs, and arguments that it takes."""


class Guest(Peer):
    """An app whose session was given access to another one's space."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self.session = AppSession(rig.engine, self.port, OTHER, "ab" * 16, AppClaims("Tasks", "", None))

    def open(self, owner: Peer, rights: Iterable[Right] = ALL, prefix: str = "") -> Guest:
        """Give it access to the space of `owner`."""
        access = access_of(owner)
        mine = Access(access.ref, access.space, rights=frozenset(rights), prefix=prefix)
        self.session.open(mine, {"state": "ready"})
        return self

    def changes(self) -> list[list[Any]]:
        """Return every change heard so far: whose watch, which key, by whom, the value."""
        told = [entry for heard in self.port.heard for entry in heard.get("changes", ())]
        return [[watch, *change] for watch, changes in told for change in changes]


def access_of(peer: Peer) -> Access:
    """Return the access that an app's session has."""
    access = peer.session.access  # type: ignore[attr-defined]
    assert isinstance(access, Access)
    return access


async def owner_of(entries: dict[str, Any]) -> tuple[Rig, Peer]:
    """Return an engine, and an approved app with these entries."""
    rig = await Rig().start()
    tab = await rig.approved()
    await tab.call("update", list(entries.items()))
    return rig, tab


async def handed_over(rig: Rig, guest: Guest) -> tuple[Rig, Peer, Guest]:
    """Let the next engine take over; return it, the owner there, and the guest, which has no access there yet."""
    await rig.engine.stop()
    _, state = guest.session.hand_over()
    state = json.loads(json.dumps(state))
    await rig.restart()
    owner = await rig.approved()
    later = Guest(rig)
    later.number = guest.number
    watches = [(number, prefix) for number, prefix in state["watches"]]
    later.session.resume(watches, state["seen"], state["early"], state["shown"])
    return rig, owner, later


async def test_an_app_has_all_rights_on_its_own_space() -> None:
    """What the store gives an app today: its space, of the generation in use, whole, and every right."""
    rig, owner = await owner_of({"a": 1})
    access = access_of(owner)
    assert (*access.ref, access.rights, access.prefix) == ("app", APP, 0, ALL, "")
    assert access.core is access.space.core
    await rig.engine.commands.withdraw(APP)
    await rig.engine.commands.erase(APP)
    owner = await rig.approved()
    assert access_of(owner).ref.generation == 1
    assert await owner.call("keys", "") == []


async def test_an_app_has_all_rights_on_its_copy() -> None:
    """A partition gives the same: the copy's data is the space of that generation."""
    _, _, tab = await enrolled("a")
    access = access_of(tab)
    assert (*access.ref, access.rights, access.prefix) == ("app", APP, 0, ALL, "")


# Rights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
async def test_a_call_needs_all_its_rights(name: str) -> None:
    """With fewer it is refused by the name of one that is missing, and does nothing; with them it is done."""
    needed, arguments = CALLS[name]
    rig, owner = await owner_of({"a": 1, "b": 2})
    before = await owner.call("items", "")
    for rights in [some for size in range(len(ALL)) for some in combinations(sorted(ALL), size)]:
        guest = Guest(rig).open(owner, rights)
        answer = await guest.call(name, *arguments)
        if missing := needed - set(rights):
            error = from_wire(answer)
            assert error.code == "AccessDenied", (rights, answer)
            assert any(f"to {right} here" in error.sentence for right in missing)
            assert not guest.session.watches
            assert await owner.call("items", "") == before
        else:
            assert not (isinstance(answer, list) and answer[:1] == ["AccessDenied"])
            await owner.call("replace", before)


async def test_who_may_only_read_can_neither_change_nor_watch() -> None:
    """Each such call of a message is refused by itself; the reads beside them are answered."""
    rig, owner = await owner_of({"a": 1})
    guest = Guest(rig).open(owner, READ)
    calls = ("get", "a"), ("set", "a", 2), ("delete", ["a"]), ("watch", "", True), ("items", "")
    got, *refused, items = await guest.calls(*calls)
    assert got == [1] and items == [["a", 1]]
    assert [error[0] for error in refused] == ["AccessDenied"] * 3
    await owner.call("set", "a", 3)
    assert guest.changes() == [] and await guest.call("get", "a") == [3]


async def test_a_watch_ends_with_the_right_to_it() -> None:
    """A session that goes on with fewer rights is told that its watches are over, and reads on."""
    rig, owner = await owner_of({"a": 1})
    guest = Guest(rig).open(owner)
    assert await guest.call("watch", "", False) is None
    guest.open(owner, READ)
    ((watch, error),) = (ended for heard in guest.port.heard for ended in heard.get("ended", ()))
    assert (watch, error[0]) == (1, "AccessDenied")
    await owner.call("set", "a", 2)
    assert guest.changes() == [] and await guest.call("get", "a") == [2]


async def test_the_space_is_given_back_once() -> None:
    """Whoever gave a session its space hears that it lets go, also where it is given another one."""
    rig, owner = await owner_of({})
    released: list[str] = []
    guest = Guest(rig)
    ref, space = access_of(owner).ref, access_of(owner).space
    for name in ("first", "second"):
        guest.session.open(Access(ref, space, partial(released.append, name)), {"state": "ready"})
    assert released == ["first"]
    guest.session.leave()
    guest.session.close()
    assert released == ["first", "second"]


# Prefixes --------------------------------------------------------------------------------------------------------

CONTACTS = {"contact/ann": 1, "contact/bob": 2}
OTHERS = {"a": 3, "contact": 4, "contact/": 5, "contacts": 6, "z": 7}
"""Keys that do not begin with "contact/", and the one that is no more than that."""


async def test_a_session_sees_the_keys_below_its_prefix() -> None:
    """Every read finds those, without the prefix, and no other."""
    rig, owner = await owner_of(CONTACTS | OTHERS)
    guest = Guest(rig).open(owner, prefix="contact/")
    assert await guest.call("keys", "") == ["ann", "bob"]
    assert await guest.call("items", "b") == [["bob", 2]]
    assert await guest.call("get_many", ["ann", "a", "contact/ann"]) == [["ann", 1]]
    assert await guest.calls(("get", "ann"), ("get", "a"), ("has", "bob"), ("has", "z")) == [
        [1],
        [],
        True,
        False,
    ]
    assert (await guest.call("get", ""))[0] == "InvalidKey"


async def test_a_session_changes_the_keys_below_its_prefix() -> None:
    """Every write stays there, also one that would be of the whole space, and returns what a space of its own would."""
    rig, owner = await owner_of(CONTACTS | OTHERS)
    guest = Guest(rig).open(owner, prefix="contact/")
    assert await guest.calls(("set", "z", 8), ("update", [["a", 9]]), ("increment", "ann", 1)) == [
        None,
        None,
        2,
    ]
    mine = {"contact/a": 9, "contact/ann": 2, "contact/bob": 2, "contact/z": 8}
    assert dict(await owner.call("items", "")) == OTHERS | mine
    assert await guest.call("delete", ["z", "contact", "never"]) == 1
    assert await guest.call("replace", [["ann", 1], ["eve", 2]]) is None
    assert dict(await owner.call("items", "")) == OTHERS | {"contact/ann": 1, "contact/eve": 2}
    assert await guest.call("clear", "") == 2
    assert dict(await owner.call("items", "")) == OTHERS
    await rig.restart()
    assert dict(await (await rig.approved()).call("items", "")) == OTHERS


async def test_a_key_that_is_too_long_below_a_prefix_is_refused() -> None:
    """The error names the key as the app does."""
    rig, owner = await owner_of({})
    guest = Guest(rig).open(owner, prefix="contact/")
    error = from_wire(await guest.call("set", "k" * 512, 1))
    assert (error.code, error.fields["key"][:2]) == ("InvalidKey", "kk")
    assert await owner.call("keys", "") == []


async def test_a_watch_tells_of_the_keys_below_its_prefix() -> None:
    """What is there at first, what the session writes, and what others do: without the prefix, and nothing else."""
    rig, owner = await owner_of(CONTACTS | OTHERS)
    guest = Guest(rig).open(owner, prefix="contact/")
    await guest.calls(("watch", "", True), ("watch", "b", False))
    assert guest.changes() == [[1, "ann", "self", 1], [1, "bob", "self", 2]]
    guest.port.heard.clear()
    await owner.call("update", [["bob", 1], ["contact/bob", 3], ["contact/", 2], ["contacts", 2]])
    assert guest.changes() == [[[1, 2], "bob", "tab", 3]]
    guest.port.heard.clear()
    await owner.call("watch", "contact/", False)
    await guest.call("delete", ["ann"])
    assert guest.changes() == [[1, "ann", "self"]]
    assert [
        change for heard in owner.port.heard for _, told in heard.get("changes", ()) for change in told
    ] == [["contact/ann", "tab"]]


# From one engine to the next -------------------------------------------------------------------------------------


async def test_a_hand_over_keeps_what_is_below_the_prefix() -> None:
    """Watches go on: they tell what has changed below the prefix meanwhile; what was not carried out is, as before."""
    rig, owner = await owner_of(CONTACTS | OTHERS)
    guest = Guest(rig).open(owner, {"read", "watch"}, "contact/")
    await guest.call("watch", "", False)
    guest.session.pause()
    guest.port.say(json.dumps({"masq": 1, "calls": [[10, "get", "bob"], [11, "set", "bob", 0]]}))
    rig, owner, later = await handed_over(rig, guest)
    await owner.call("update", [["contact/bob", 3], ["a", 1], ["contact/", 1]])
    later.open(owner, {"read", "watch"}, "contact/")
    assert await later.reply(10) == [3] and (await later.reply(11))[0] == "AccessDenied"
    assert later.changes() == [[1, "bob", "tab", 3]]
    later.port.heard.clear()
    await owner.call("update", [["contact/ann", 4], ["z", 1]])
    assert later.changes() == [[1, "ann", "tab", 4]]


async def test_what_an_app_may_still_show_is_named_without_the_prefix() -> None:
    """A session that was handed over after its space had gone hears of each key that it saw, and of none above."""
    rig, owner = await owner_of(CONTACTS | OTHERS)
    guest = Guest(rig).open(owner, prefix="contact/")
    await guest.call("watch", "", False)
    guest.session.leave()
    await owner.call("delete", ["contact/ann", "a"])
    rig, owner, later = await handed_over(rig, guest)
    later.open(owner, prefix="contact/")
    assert later.changes() == [[1, "ann", "tab"], [1, "bob", "tab", 2]]


async def test_a_watch_is_not_carried_past_the_rights_of_the_next_engine() -> None:
    """Where the session may not watch any more, its watches end before they tell anything."""
    rig, owner = await owner_of(CONTACTS)
    guest = Guest(rig).open(owner)
    await guest.call("watch", "", False)
    rig, owner, later = await handed_over(rig, guest)
    await owner.call("set", "contact/bob", 3)
    later.open(owner, READ)
    assert [ended[0] for heard in later.port.heard for ended in heard.get("ended", ())] == [1]
    assert later.changes() == []
