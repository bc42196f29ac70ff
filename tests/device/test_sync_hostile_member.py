"""A member that has the keys and lies: what no device writes is refused, and the others stay in step."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asynchronous import until
from hypothesis import given
from hypothesis import strategies as st
from relay_rig import connect, relay
from space_sync_rig import Device, now_ms, stop, url
from spaces import state
from sync_insider import Insider, content_of

from masq.messages import dumps, encode
from masq_store.core.crypto.padding import pad
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.space.clock import MAX_COUNTER, MAX_MS, Stamp
from masq_store.core.space.register import Change, Register
from masq_store.core.space.row_rules import MAX_NUMBER
from masq_store.core.sync import agreement
from masq_store.core.sync import messages as sync_wire
from masq_store.core.sync.member_claims import MOST_AHEAD_MS
from masq_store.core.sync.messages import Changes, Check, State, Trimmed
from masq_store.engine.sync import room_sync

pytestmark = pytest.mark.real_time

LIAR = "ab" * 8
HEAD = {"ranges": [[LIAR, 0, 1]], "first": 0, "base": None, "more": False}
TEXT = '"v"'


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let devices come again soon."""
    for name in ("AGAIN_SECONDS", "TORN_SECONDS", "ANSWER_SECONDS", "SETTLE_SECONDS"):
        monkeypatch.setattr(room_sync, name, 0.2)
    monkeypatch.setattr(agreement, "HUSH_SECONDS", 0.2)
    monkeypatch.setattr(agreement, "MOST_HUSH_SECONDS", 0.4)


def row(**other: Any) -> list[Any]:
    """Return a change as it stands in a message; `other` fields than a device would write."""
    fields = {
        "who": 0,
        "number": 1,
        "key": "k",
        "text": TEXT,
        "ms": 5,
        "counter": 0,
        "base": 0,
        "base_number": 1,
    }
    fields |= other
    return list(fields.values())


def changes(*rows: Any, replicas: Any = (LIAR, ""), moved: Any = (), **head: Any) -> bytes:
    """Return the bytes of CHANGES with such rows."""
    return content_of(sync_wire.CHANGES, HEAD | head, [list(replicas), list(rows), list(moved)])


def part_row(*parts: Any, text: Any = None, **other: Any) -> list[Any]:
    """Return a change of a counter."""
    zero = {"text": text, "ms": 0, "base": 1, "base_number": 0} if text is None else {"text": text}
    return [*row(**(zero | other)), [list(part) for part in parts]]


SURROGATE = '{"ranges":[],"first":0,"base":null,"more":false}'
DEEP = "[" * 100_000 + "]" * 100_000
NO_MESSAGES = {
    "nothing": b"",
    "no kind": b"\x00" + changes(row())[1:],
    "an unknown kind": b"\x09" + changes(row())[1:],
    "a head beyond the end": b"\x01\xff\xff\xff\xff{}",
    "a head that is a list": content_of(1, []),
    "a head that is no JSON": content_of(1, "{"),
    "a head of 100,000 brackets": content_of(1, DEEP),
    "a head with NaN": content_of(4, '{"number":NaN}'),
    "a head with infinity": content_of(4, '{"number":1e400}'),
    "a number that is a float": content_of(4, {"number": 1.0}),
    "a number that is a text": content_of(4, {"number": "1"}),
    "a number that is true": content_of(4, {"number": True}),
    "a number below zero": content_of(4, {"number": -1}),
    "a number that no JSON carries": content_of(4, {"number": 2**53}),
    "a number of 5,000 digits": content_of(4, '{"number":' + "9" * 5000 + "}"),
    "a head with nothing in it": content_of(1, {}, [[], [], []]),
    "a body of brackets": content_of(1, HEAD, DEEP),
    "a body that is an object": content_of(1, HEAD, {}),
    "no body": content_of(1, HEAD),
    "ranges that are a number": changes(row(), ranges=1),
    "a range that ends where it starts": changes(row(), ranges=[[LIAR, 1, 1]]),
    "a range backwards": changes(row(), ranges=[[LIAR, 2, 1]]),
    "a range below zero": changes(row(), ranges=[[LIAR, -1, 1]]),
    "a range beyond all numbers": changes(row(), ranges=[[LIAR, 0, MAX_NUMBER + 1]]),
    "a range of nobody": changes(row(), ranges=[["", 0, 1]]),
    "a range of somebody else's alphabet": changes(row(), ranges=[["ZZ" * 8, 0, 1]]),
    "a range of four": changes(row(), ranges=[[LIAR, 0, 1, 2]]),
    "a range of floats": changes(row(), ranges=[[LIAR, 0.0, 1.5]]),
    "more, and ranges": changes(row(), more=True),
    "more that is 1": changes(row(), ranges=[], more=1),
    "a base that is a list": changes(row(), base=[]),
    "a base beyond all numbers": changes(row(), base={LIAR: 2**60}),
    "first beyond all numbers": changes(row(), first=2**53),
    "no key": changes(row(key="")),
    "a key of 513 bytes": changes(row(key="k" * 513)),
    "a key of 171 characters that are 513 bytes": changes(row(key="€" * 171)),
    "a key with half a character": content_of(1, HEAD, dumps([[LIAR], [row(key="K")], []]).replace("K", "\\ud800")),
    "a key that is a number": changes(row(key=7)),
    "a text that is no value": changes(row(text="{")),
    "a text with a space": changes(row(text=' "v"')),
    "a text with an escape": changes(row(text='"\\u0041"')),
    "a text with its keys unsorted": changes(row(text='{"b":1,"a":2}')),
    "a text with a key twice": changes(row(text='{"a":1,"a":2}')),
    "a text with 1.0e0": changes(row(text="1.0e0")),
    "a text with -0": changes(row(text="-0")),
    "a text with NaN": changes(row(text="NaN")),
    "a text with an unknown tag": changes(row(text='{"$x":1}')),
    "a text of bytes that are none": changes(row(text='{"$bytes":"a"}')),
    "a text of an int that is small": changes(row(text='{"$int":"5"}')),
    "a text of 65 lists": changes(row(text="[" * 65 + "]" * 65)),
    "a text that is too long": changes(row(text=encode("x" * 262_142) + "x")),
    "a text of 300,000": changes(row(text='"' + "x" * 300_000 + '"')),
    "an empty text": changes(row(text="")),
    "a stamp after the last": changes(row(ms=MAX_MS + 1)),
    "a counter after the last": changes(row(counter=MAX_COUNTER + 1)),
    "a stamp before the first": changes(row(ms=-1)),
    "a stamp with a fraction": changes(row(ms=5.5)),
    "a stamp of nobody": changes(row(base=1)),
    "a stamp of a replica that is not there": changes(row(base=7)),
    "a change of nobody": changes(row(who=1)),
    "a change with no number": changes(row(number=0)),
    "a change after the last number": changes(row(number=MAX_NUMBER + 1)),
    "a base without a number": changes(row(base_number=0)),
    "a replica with a short name": changes(row(), replicas=["ab", ""]),
    "a replica that is a number": changes(row(), replicas=[7, ""]),
    "a row with a field less": changes(row()[:-1]),
    "a row with two fields more": changes([*row(), [], []]),
    "a row that is an object": changes({}),
    "parts on a text": changes(part_row((0, 1, 1), text='"v"')),
    "parts of nobody": changes(part_row((1, 1, 1))),
    "parts with no number": changes(part_row((0, 0, 1))),
    "parts after the last number": changes(part_row((0, MAX_NUMBER + 1, 1))),
    "one part twice": changes(part_row((0, 1, 1), (0, 2, 2))),
    "no parts": changes(part_row()),
    "a part that is a float": changes(part_row((0, 1, 1.0))),
    "a part that is endless": changes(part_row((0, 1, {"$int": "f" * 300_000}))),
    "a counter's base from nowhere": changes(part_row((0, 1, 1), ms=5)),
    "a text with no stamp": changes(row(ms=0, base=1, base_number=0)),
    "a check of a list": content_of(2, {"vector": []}),
    "a check beyond all numbers": content_of(2, {"vector": {LIAR: 2**53}}),
    "a check of nobody": content_of(2, {"vector": {"": 1}}),
    "a snapshot whose tag is short": content_of(3, {"number": 1, "tag": "ab", "vector": None}, [[]] * 9),
    "a snapshot of columns that do not fit": content_of(
        3, {"number": 1, "tag": "ab" * 16, "vector": None}, [[LIAR], ["k", "l"], [1], [0], [0], [1], [TEXT], [], []]
    ),
}  # fmt: skip


async def two_devices(running) -> tuple[Device, Device, Insider]:
    """Return two devices that agree, and a member that follows no rules."""
    one, two = await Device(url(running)).start(), await Device(url(running)).start()
    await one.set("k", "first")
    await two.increment("count", 3)
    await until(lambda: in_step(one, two))
    return one, two, await Insider.enter(running.port)


def in_step(*devices: Device) -> bool:
    """Whether all hold the same and have nothing left to say; their vectors may differ by what a liar claimed."""
    return all(device.synced and state(device.core) == state(devices[0].core) for device in devices)


async def end_well(running, one: Device, two: Device, *gone: str) -> None:
    """Check that both go on, that a third gets the same, and that all survives a restart."""
    before = one.get("count")
    await one.increment("count")
    await two.increment("count")
    await two.set("after two", 2)
    await one.set("after one", 1)
    await until(lambda: in_step(one, two) and one.get("after two") == 2, "being in step again")
    assert one.get("count") == before + 2 and two.get("after one") == 1
    three = await Device(url(running)).start()
    await until(lambda: in_step(one, two, three), "a newcomer being in step")
    await stop([two, three])
    two = await Device(url(running), two.disk).start()
    await two.set("later", 3)
    await until(lambda: in_step(one, two) and one.get("later") == 3, "being in step after a restart")
    await stop([one, two])


@pytest.mark.parametrize("content", NO_MESSAGES.values(), ids=NO_MESSAGES)
def test_what_no_device_sends_is_no_message(content: bytes) -> None:
    """Each such message is refused at the door, with the one error for it."""
    with pytest.raises(DamagedData):
        sync_wire.parse(content)


async def test_what_no_device_sends_is_refused_and_counted(tmp_path: Path) -> None:
    """Sealed with the right keys, all of it in one room: each is counted on each device, and changes nothing."""
    async with relay(tmp_path) as running:
        one, two, insider = await two_devices(running)
        before = state(one.core)
        for content in NO_MESSAGES.values():
            await insider.say(content)
        padded = pad(changes(row()), 512)
        for unpadded in (
            padded + bytes(16),
            padded[:-1] + b"\1",
            padded[:256],
            bytes(512),
            b"\xff" * 512,
        ):
            await insider.post(await insider.seal(unpadded))
        await insider.post(await insider.seal(padded, epoch=1))
        count = len(NO_MESSAGES) + 6
        await until(lambda: one.sync.refused_count == two.sync.refused_count == count, "being counted")
        assert state(one.core) == before and one.sync.problem is None
        await end_well(running, one, two)


@pytest.mark.parametrize("said", ["a kind of message", "a schema of changes"])
async def test_what_a_later_version_might_send(tmp_path: Path, said: str) -> None:
    """A later journal's schema is named as such, an unknown kind of message is refused; neither holds anything up."""
    async with relay(tmp_path) as running:
        one, two, insider = await two_devices(running)
        if said == "a kind of message":
            await insider.say(content_of(77, {"anything": 1}))
            await until(lambda: one.sync.refused_count == 1)
        else:
            await insider.say(content_of(1, HEAD, [], schema=2))
            await until(lambda: isinstance(one.sync.problem, NewerData))
        await end_well(running, one, two)


def change(
    number: int = 1, key: str = "lie", *, who: str = LIAR, text: str | None = TEXT, ms: int = 5
) -> Change:
    """Return a change."""
    return Change(who, number, key, Register(Stamp(ms, 0, who), number, text))


Said = Callable[[Device], list[Any]]

LIES: dict[str, Said] = {
    "ranges of the liar that were never written": lambda one: [Changes([], [(LIAR, 0, MAX_NUMBER)], 0)],
    "ranges of the reader": lambda one: [Changes([], [(one.core.replica, 0, MAX_NUMBER)], 0)],
    "ranges of the reader that begin where it is": lambda one: [
        Changes([], [(one.core.replica, one.core.vector[one.core.replica], MAX_NUMBER)], 0)
    ],
    "an answer that claims all": lambda one: [
        Changes([], [(who, 0, MAX_NUMBER) for who in one.core.vector], 0, dict(one.core.vector))
    ],
    "a change in the reader's name": lambda one: [
        Changes([change(one.core.vector[one.core.replica] + 1, who=one.core.replica)], [], 0)
    ],
    "a change of the reader far ahead": lambda one: [
        Changes([change(MAX_NUMBER, who=one.core.replica)], [(one.core.replica, 0, MAX_NUMBER)], 0)
    ],
    "pieces without end": lambda one: [
        Changes([change(n, f"lie {n % 7}")], [], 0, more=True) for n in range(1, 80)
    ],
    "a last piece without its first": lambda one: [Changes([change(9)], [(LIAR, 0, 9)], 0), Changes([], [], 0)],
    "a piece of a session that never was": lambda one: [Changes([change(3)], [(LIAR, 2, 3)], 2**50)],
    "changes without an order": lambda one: [Changes([change(n, f"{n}") for n in (9, 3, 7, 1, 2)], [(LIAR, 4, 5)], 0)],
    "one number for many": lambda one: [Changes([change(1, f"same {n}") for n in range(9)], [(LIAR, 0, 1)], 0)],
    "one stamp for many": lambda one: [
        Changes([Change(LIAR, n, "one", Register(Stamp(7, 0, LIAR), n, encode(n % 3)))], [], 0) for n in range(1, 9)
    ],
    "a question about everything": lambda one: [Check({}) for _ in range(20)],
    "a question beyond everything": lambda one: [Check(dict.fromkeys([LIAR, *one.core.vector], MAX_NUMBER))],
    "questions of many": lambda one: [Check({os.urandom(8).hex(): n + 1}) for n in range(60)],
    "a snapshot in the log": lambda one: [State([], 2**52, bytes(16), {LIAR: 2**52})],
    "a log that was trimmed to the end": lambda one: [Trimmed(2**53 - 1), Trimmed(0)],
    "a stamp a thousand years ahead": lambda one: [
        Changes([Change(LIAR, 1, "k", Register(Stamp(now_ms() + 10**13, 0, LIAR), 1, TEXT))], [(LIAR, 0, 1)], 0)
    ],
    "a stamp with the last counter": lambda one: [
        Changes([Change(LIAR, 1, "k", Register(Stamp(now_ms() + 10**9, MAX_COUNTER, LIAR), 1, TEXT))], [], 0)
    ],
    "keys that look like names of objects": lambda one: [
        Changes([change(n, key) for n, key in enumerate(("__proto__", "constructor", " ", "\0", "🦊"), 1)], [], 0)
    ],
    "counters of great size": lambda one: [
        Changes(
            [Change(LIAR, 1, "count", Register(Stamp(0, 0, ""), 0, None, ((LIAR, 1, 10**100),)))], [(LIAR, 0, 1)], 0
        )
    ],
    "many replicas": lambda one: [Changes([], [(os.urandom(8).hex(), 0, n + 1) for n in range(2000)], 0)],
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
async def test_lies_that_are_well_formed(tmp_path: Path, lie: str) -> None:
    """Claims that no device would make, in messages that one could write: all go on, and agree."""
    async with relay(tmp_path) as running:
        one, two, insider = await two_devices(running)
        for said in LIES[lie](one):
            await insider.say(said)
        await end_well(running, one, two)


@pytest.mark.parametrize("counter", [0, 1, 2**63, 2**64 - 1])
async def test_counters_of_envelopes(tmp_path: Path, counter: int) -> None:
    """Counters that jump to the end, or are used for two messages: nobody has what another one has not."""
    async with relay(tmp_path) as running:
        one, two, insider = await two_devices(running)
        await insider.say(Changes([change(1, "first")], [(LIAR, 0, 1)], 0), counter)
        await insider.say(Changes([change(2, "second")], [(LIAR, 1, 2)], 0), counter)
        await until(lambda: one.get("second") == two.get("second") == "v")
        assert one.sync.repeated_count == 1
        await until(lambda: not one.sync._place_moved)
        await one.stop()
        one = await Device(url(running), one.disk).start()  # its place holds such a counter
        await end_well(running, one, two)


@pytest.mark.parametrize("number", [0, 2**53 - 1])
async def test_a_snapshot_that_says_another_number(tmp_path: Path, number: int) -> None:
    """A snapshot whose inside says another number than the relay is refused, and the room is filled again."""
    async with relay(tmp_path) as running:
        one, two, insider = await two_devices(running)
        last = insider.log[-1]
        await insider.snapshot(State([], number, bytes(16), {LIAR: 5}), last[2], last[4][-16:])
        await insider.client.close()
        three = await Device(url(running)).start()
        await until(lambda: three.sync.refused_count == 1)
        await until(lambda: in_step(one, two, three) and three.get("count") == 3)
        await three.stop()
        await end_well(running, one, two)


async def test_a_stamp_at_the_end_of_time(tmp_path: Path) -> None:
    """What is said to be written a century from now is left out: each key can be written, also the one it names."""
    async with relay(tmp_path) as running:
        one, two, insider = await two_devices(running)
        far = [
            (MAX_MS, "k"),
            (now_ms() + MOST_AHEAD_MS + 60_000, "l"),
            (now_ms() + MOST_AHEAD_MS // 2, "m"),
        ]
        said = [
            Change(LIAR, number, key, Register(Stamp(ms, MAX_COUNTER, LIAR), number, TEXT))
            for number, (ms, key) in enumerate(far, 1)
        ]
        await insider.say(Changes(said, [(LIAR, 0, 3)], 0))
        await until(lambda: one.get("m") == two.get("m") == "v")
        for key in ("k", "l", "m"):
            assert key == "m" or one.get(key) != "v"
            await one.set(key, "later")
            await until(lambda key=key: in_step(one, two) and two.get(key) == "later")
        await stop([one, two])


async def test_a_stamp_is_believed_once_it_can_be(tmp_path: Path) -> None:
    """What a device with a slow clock left out as a century ahead, it gets from the others once its clock is right."""
    async with relay(tmp_path) as running:
        one, two, insider = await two_devices(running)
        slow = await Device(url(running), clock_off_ms=-86_400_000).start()
        edge = Register(Stamp(now_ms() + MOST_AHEAD_MS, 0, LIAR), 1, TEXT)
        await insider.say(Changes([Change(LIAR, 1, "k", edge)], [(LIAR, 0, 1)], 0))
        await until(lambda: one.get("k") == "v" and one.sync.differed_count > 0)
        assert slow.get("k") != "v"
        slow.clock_off_ms = 0
        await until(lambda: slow.get("k") == "v" and in_step(one, slow))
        await stop([one, two, slow])


async def test_endless_words_from_one_member(tmp_path: Path) -> None:
    """Hundreds of messages as fast as the relay takes them: others are served in between, and get through."""
    async with relay(tmp_path) as running:
        one, two, insider = await two_devices(running)
        envelopes = [
            await insider.seal(pad(sync_wire.encode(Changes([change(n, f"{n % 5}")], [], 0, more=True)), 512))
            for n in range(1, 1500)
        ]
        for ref, envelope in enumerate(envelopes, 1):
            insider.client.post(envelope, ref)
        await one.set("meanwhile", 1)
        await until(lambda: two.get("meanwhile") == 1)
        stranger = await connect(running.port)
        await stranger.silence()
        await end_well(running, one, two)


HONEST = [
    sync_wire.encode(said)
    for said in (
        Changes([change(1), change(2, "é", text=None)], [(LIAR, 0, 2)], 4, {LIAR: 1}),
        Check({LIAR: 3}),
        State([], 5, bytes(16), {LIAR: 2}),
        Trimmed(9),
    )
]


@given(st.sampled_from(HONEST), st.data())
def test_any_bytes_are_a_message_or_none(content: bytes, data: st.DataObject) -> None:
    """Whatever stands in an envelope, it is read or refused, and nothing else happens."""
    spoilt = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(spoilt)))
        spoilt[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    for each in (bytes(spoilt), bytes(spoilt[: data.draw(st.integers(0, len(spoilt)))])):
        try:
            said = sync_wire.parse(each)
        except (DamagedData, NewerData):
            continue
        assert sync_wire.parse(sync_wire.encode(said)) == said
