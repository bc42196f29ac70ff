"""Messages have a size, both ways: what is longer comes in parts, and what cannot be taken in ends the session."""

from __future__ import annotations

import asyncio
import json

import pytest
from engine_rig import Rig
from fake_port import opened

from masq.channel import MAX_MESSAGE_CHARACTERS
from masq.errors import Disconnected, ProtocolError
from masq.messages import MAX_VALUE_BYTES
from masq_store.engine.sessions.answers import MAX_MESSAGE_BYTES, parts

pytestmark = pytest.mark.within(10)


@pytest.mark.parametrize("character", ["x", "é", "€", "😀", "\0"])
async def test_whatever_an_app_asks_for_comes_in_messages_of_a_bounded_size(character: str) -> None:
    """Long lists come in parts, many replies in several messages, and changes in pieces, counted in bytes of UTF-8."""
    each = len(json.dumps(character, ensure_ascii=False)[1:-1].encode())
    tab = await (await Rig().start()).approved()
    value = character * (40_000 // each)
    keys = [f"{n:03}{character}" + character * 60 for n in range(25)]
    many = [f"m{n:05}" + "x" * 100 for n in range(5_000)]
    await tab.call("update", [[key, value] for key in keys])
    await tab.call("update", [[key, n] for n, key in enumerate(many)])
    sizes: list[int] = []
    post = tab.port.post
    tab.port.post = lambda text: (sizes.append(len(text.encode())), post(text))[1]  # type: ignore[method-assign]
    everything = [[key, value] for key in keys] + [[key, n] for n, key in enumerate(many)]
    assert await tab.call("items", "") == everything
    assert await tab.call("get_many", keys[::-1]) == everything[24::-1]
    assert await tab.call("keys", "") == keys + many
    assert await tab.calls(*[("get", key) for key in keys]) == [[value]] * 25
    await tab.call("watch", "", True)
    largest = character * ((MAX_VALUE_BYTES - 2) // each)
    await tab.call("set", "largest", largest)
    assert await tab.call("items", "l") == [["largest", largest]]
    assert await tab.call("ping") is None
    told = {}
    for heard in tab.port.heard:
        for _, changes in heard.get("changes", ()):
            told.update({key: change[0] for key, _, *change in changes})
    assert told == dict([*everything, ["largest", largest]])
    assert max(sizes) <= MAX_MESSAGE_BYTES + 100  # the largest value has the size of a message by itself
    assert sum(sizes) / len(sizes) > 60_000  # and they are filled


def test_parts_hold_each_entry_once_and_have_their_size() -> None:
    """Joined, the parts are the entries in order; only an entry that is too long by itself makes a longer one."""
    for entries in (
        [],
        ["1"],
        ["12345"],
        ["12345", "1", "2"],
        ["1", "12345", "1"],
        [str(n) for n in range(100)],
    ):
        made = list(parts(entries, most=4))
        assert ",".join(part for part, _ in made) == ",".join(entries)
        assert [more for _, more in made] == [True] * (len(made) - 1) + [False]
        assert all(len(part) <= 4 or "," not in part for part, _ in made)


async def test_an_answer_in_parts_is_one_answer() -> None:
    """Whatever comes between its parts; and where the store is lost in the middle, only what it says anew counts."""
    store, fake = opened()
    fake.mute = True
    items, keys, many = store.items(), store.keys(), store.get_many(["a"])
    await asyncio.sleep(0)
    fake.say(replies=[[1, [["a", 1]], True], [2, ["a"], True]], changes=[])
    fake.say(replies=[[3, []], [2, ["b"], True]])
    assert await many == {}
    fake.say(replies=[[2, ["c"]], [1, [["b", 2]], True]])
    assert await keys == ["a", "b", "c"]
    store.reopen(fake.post)
    fake.say(replies=[[1, [["x", 1]], True]])
    fake.say(replies=[[1, [["y", {"$bytes": ""}]]]])
    assert await items == {"x": 1, "y": b""}


async def test_a_part_of_an_answer_is_no_answer() -> None:
    """An answer that fails after its first part fails, and parts that nobody waits for are not kept."""
    store, fake = opened()
    fake.mute = True
    items, cancelled = store.items(), store.items()
    await asyncio.sleep(0)
    fake.say(replies=[[1, [["a", 1]], True], [7, [["a", 1]], True]])
    assert not items.done()
    fake.say(replies=[[1, None, ["Disconnected", "", {"reason": "gone"}]]])
    with pytest.raises(Disconnected):
        await items
    fake.say(replies=[[2, 5, True]])
    with pytest.raises(ProtocolError, match="malformed"):
        await cancelled
    assert store._channel._parts == {}


async def test_calls_go_in_messages_of_the_same_size() -> None:
    """A client begins a new message before one gets longer; a call that is longer goes alone."""
    store, fake = opened()
    calls = [store.set(f"k{n}", "x" * (1 << n)) for n in range(18)]
    calls.append(store.update({f"l{n}": "x" * 100_000 for n in range(9)}))
    await asyncio.gather(*calls)
    long = [text for text in fake.messages if len(text) > MAX_MESSAGE_CHARACTERS]
    assert len(long) == 1 and len(json.loads(long[0])["calls"]) == 1


@pytest.mark.parametrize("where", ["masq.channel.loads", "masq.store.unpack"])
async def test_what_cannot_be_taken_in_ends_the_session_by_its_name(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A page without memory for a message, or for an answer in it, hears Disconnected, in calls and watches alike."""
    store, fake = opened()
    watch, call = store.watch("", initial=True), store.get("a")
    other = store.keys()
    fake.mute = True

    def full(_: object) -> object:
        raise MemoryError

    await asyncio.sleep(0)
    monkeypatch.setattr(where, full)
    fake.say(replies=[[3, ["a"]], [2, [1]]])
    with pytest.raises(Disconnected, match="no memory"):
        await call
    with pytest.raises(Disconnected, match="no memory"):
        await other
    with pytest.raises(Disconnected, match="no memory"):
        await anext(watch)
    with pytest.raises(Disconnected, match="no memory"):
        await store.get("b")
    assert store.status.state == "closed"
