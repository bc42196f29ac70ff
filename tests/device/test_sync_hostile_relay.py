"""A relay that forges, alters, repeats, swaps, hides and lies: spaces are unharmed, and in step once it behaves.

What floods and large frames do to the relay itself is in test_relay_refusals, what its frames do to a link in
test_relay_link.
"""

from __future__ import annotations

import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from asynchronous import until
from relay_rig import Client, connect, relay
from space_sync_rig import Device, alike, keys_of_the_room, stop, together, url
from spaces import state
from sync_between import (
    CURRENT,
    ENVELOPE,
    ENVELOPE_FRONT,
    JOINED,
    PART,
    PART_FRONT,
    POST,
    POST_FRONT,
    STORED,
    Between,
)

from masq_store.core.errors import NewerData
from masq_store.core.sync.envelope import HEADER_BYTES
from masq_store.engine.sync import room_sync

pytestmark = pytest.mark.real_time


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let devices come again soon."""
    for name in ("AGAIN_SECONDS", "TORN_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(room_sync, name, 0.2)


class Scene:
    """Two devices; what the relay tells the first can be changed."""

    def __init__(self, running) -> None:
        self.running = running
        self.between = Between()

    async def start(self) -> Scene:
        """Let both write something, and agree."""
        self.one = await Device(url(self.running), network=self.between).start()
        self.two = await Device(url(self.running)).start()
        await self.one.set("k", "first")
        await until(lambda: self.two.get("k") == "first")
        await self.two.set("k", "second")
        await self.two.increment("count")
        await together(self.one, self.two)
        return self

    async def ends_well(self) -> None:
        """Let the relay behave: both agree, on all that both write, and count each increment once."""
        self.between.up = self.between.down = lambda frame: [frame]
        before = self.one.get("count")
        await self.one.set("after one", 1)
        await self.two.set("after two", 2)
        await self.one.increment("count")
        await self.two.increment("count")
        await until(lambda: alike(self.one, self.two), "being alike again")
        assert self.one.get("count") == before + 2
        assert (self.one.get("after two"), self.two.get("after one")) == (2, 1)
        newcomer = await Device(url(self.running)).start()
        await together(self.one, self.two, newcomer)
        await stop([self.one, self.two, newcomer])

    def on_envelopes(self, change: Callable[[bytes], list[bytes]], times: int = 1) -> list[int]:
        """Let the first device hear what `change` makes of the next envelopes. Returns how many that were so far."""
        done = [0]

        def down(frame: bytes) -> list[bytes]:
            if frame[0] != ENVELOPE or done[0] >= times:
                return [frame]
            done[0] += 1
            return change(frame)

        self.between.down = down
        return done


@pytest.fixture
@asynccontextmanager
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene from its beginning; after the test it ends well."""
    async with relay(tmp_path) as running:
        scene = await Scene(running).start()
        yield scene
        await scene.ends_well()


def altered(frame: bytes, at: int, front: int = ENVELOPE_FRONT) -> bytes:
    """Return a frame of whose envelope one bit is another."""
    at = front + at if at >= 0 else len(frame) + at
    return frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]


PLACES = {
    "epoch": 5,
    "sender": 6,
    "session": 20,
    "counter": HEADER_BYTES - 1,
    "sealed": HEADER_BYTES + 9,
    "tag": -1,
}


@pytest.mark.parametrize("place", PLACES)
async def test_an_altered_envelope_is_refused(scene: Scene, place: str) -> None:
    """One bit anywhere in an envelope: it is counted as refused, and what it said is asked for and comes."""
    scene.on_envelopes(lambda frame: [altered(frame, PLACES[place])])
    await scene.two.set("k", "third")
    await until(lambda: scene.one.sync.refused_count == 1)
    assert scene.one.get("k") == "second"


@pytest.mark.parametrize("place", [0, 1], ids=["version", "form"])
async def test_an_envelope_that_says_it_is_newer(tmp_path: Path, place: int) -> None:
    """A higher version in clear proves nothing: it counts as forged, and what it hid comes another way."""
    async with relay(tmp_path) as running:
        scene = await Scene(running).start()
        one, two = scene.one, scene.two
        await together(one, two)
        scene.on_envelopes(
            lambda frame: [frame[: ENVELOPE_FRONT + place] + b"\x09" + frame[ENVELOPE_FRONT + place + 1 :]]
        )
        await two.set("k", "third")
        await until(lambda: one.sync.refused_count == 1)
        await two.set("more", 1)
        await together(one, two)
        assert one.get("k") == "third" and one.sync.problem is None
        await stop([one, two])


@pytest.mark.parametrize(
    "forged",
    [bytes(32), bytes(5000), b"\x01" + os.urandom(300), b"\x01\x00" + os.urandom(900), b"\x01" * 700_000],
    ids=["short", "zeros", "random", "random behind a head", "large"],
)
async def test_a_forged_envelope_is_refused(scene: Scene, forged: bytes) -> None:
    """What no member has sealed is counted and passed over, however long it is."""
    one = scene.one
    before = state(one.core)
    scene.between.say(
        struct.pack(">BHQQ", ENVELOPE, channel(scene), one.sync._sync.log.number + 1, 0) + forged
    )
    await until(lambda: one.sync.refused_count + isinstance(one.sync.problem, NewerData) == 1)
    assert state(one.core) == before


def channel(scene: Scene) -> int:
    """Return the channel of the first device's room."""
    return int.from_bytes(scene.between.kinds(scene.between.heard, JOINED)[-1][1:3], "big")


async def test_an_envelope_is_repeated(scene: Scene) -> None:
    """An old envelope that comes again under a new number is counted and changes nothing; nor does a doubled one."""
    one = scene.one
    old = scene.between.kinds(scene.between.heard, ENVELOPE)[0][ENVELOPE_FRONT:]
    before = state(one.core)
    scene.between.say(struct.pack(">BHQQ", ENVELOPE, channel(scene), one.sync._sync.log.number + 1, 0) + old)
    await until(lambda: one.sync.repeated_count == 1)
    assert state(one.core) == before
    done = scene.on_envelopes(lambda frame: [frame, frame, frame])
    await scene.two.increment("count")
    await until(lambda: done[0] and one.get("count") == 2)


async def test_own_envelopes_come_back(scene: Scene) -> None:
    """A device that is told its own words as another's is not harmed, before and after they are acknowledged."""
    one, between = scene.one, scene.between

    def down(frame: bytes) -> list[bytes]:
        if frame[0] != STORED:
            return [frame]
        own = between.kinds(between.sent, POST)[-1][POST_FRONT:]
        told = struct.pack(">BHQQ", ENVELOPE, channel(scene), int.from_bytes(frame[7:15], "big"), 0) + own
        return [told, frame, told]

    between.down = down
    await one.increment("count", 5)
    await until(lambda: scene.two.get("count") == 6)
    await until(lambda: one.synced and not one.sync._said)
    assert one.get("count") == 6


async def test_envelopes_are_swapped(scene: Scene) -> None:
    """Envelopes in another order, under their own or under each other's numbers, lead to the same end."""
    for renumbered in (False, True):
        held: list[bytes] = []

        def change(frame: bytes, held: list[bytes] = held, renumbered: bool = renumbered) -> list[bytes]:
            held.append(frame)
            if len(held) < 3:
                return []
            fronts = [each[:ENVELOPE_FRONT] for each in held]
            swapped = held[::-1]
            if renumbered:
                ends = [each[ENVELOPE_FRONT:] for each in swapped]
                swapped = [front + end for front, end in zip(fronts, ends, strict=True)]
            return swapped

        done = scene.on_envelopes(change, times=3)
        for n in range(3):
            await scene.two.set("k", f"edit {n} {renumbered}")
            await scene.two.increment("count")
            await until(lambda: scene.two.synced)
        await until(lambda done=done: done[0] == 3)
        scene.between.down = lambda frame: [frame]
        await together(scene.one, scene.two)


async def test_envelopes_are_hidden(scene: Scene) -> None:
    """An envelope that is left out is noticed with the next one, with or without a hole in the numbers."""
    scene.on_envelopes(lambda frame: [])
    await scene.two.set("hidden", 1)
    await until(lambda: scene.two.synced)
    await scene.two.set("next", 1)
    await until(lambda: scene.one.get("hidden") == 1)

    hidden = [0]

    def renumber(frame: bytes) -> list[bytes]:
        if frame[0] not in (ENVELOPE, STORED):
            return [frame]
        at = 3 if frame[0] == ENVELOPE else 7
        number = int.from_bytes(frame[at : at + 8], "big") - hidden[0]
        if frame[0] == ENVELOPE and not hidden[0]:
            hidden[0] = 1
            return []
        return [frame[:at] + number.to_bytes(8, "big") + frame[at + 8 :]]

    scene.between.down = renumber
    await scene.two.set("hidden too", 1)
    await until(lambda: hidden[0])
    await scene.two.set("next", 2)
    await until(lambda: scene.one.get("hidden too") == 1)  # it asked, and was answered
    scene.between.cut()


@pytest.mark.parametrize("number", [0, 1, 2**53, 2**64 - 1])
async def test_numbers_that_cannot_be(scene: Scene, number: int) -> None:
    """Envelopes and acknowledgements under numbers from nowhere: the room is joined anew, and all is well."""
    joins = len(scene.between.kinds(scene.between.heard, JOINED))
    scene.on_envelopes(lambda frame: [frame[:3] + number.to_bytes(8, "big") + frame[11:]])
    await scene.two.set("k", "third")
    await until(lambda: len(scene.between.kinds(scene.between.heard, JOINED)) > joins)
    await until(lambda: scene.one.get("k") == "third")

    def down(frame: bytes) -> list[bytes]:
        return [frame[:7] + number.to_bytes(8, "big")] if frame[0] == STORED else [frame]

    scene.between.down = down
    await scene.one.set("k", "fourth")
    await until(lambda: scene.two.get("k") == "fourth")
    for ref in (0, 7, 2**31, 2**32 - 1):
        scene.between.say(struct.pack(">BHIQ", STORED, channel(scene), ref, number))
    scene.between.cut()


@pytest.mark.parametrize(
    "kind", ["unasked for", "of an older log", "altered", "with a part missing", "out of order"]
)
async def test_snapshots_that_are_not_right(tmp_path: Path, kind: str) -> None:
    """A snapshot that is replayed, altered or torn takes nothing away, and what is missing comes from others."""
    async with relay(tmp_path) as running:
        scene = await Scene(running).start()
        one, two, between = scene.one, scene.two, scene.between
        for n in range(5):
            await two.set(f"big {n}", "x" * 150_000)
        await together(one, two)
        await one.stop()
        two.sync._write_snapshot()
        await until(lambda: two.sync._snapshot is None and two.sync._sync.log.entries < 3, "the snapshot")
        await two.set("k", "after it")
        await until(lambda: two.synced)

        held: list[bytes] = []

        def down(frame: bytes) -> list[bytes]:
            if frame[0] != PART:
                return [frame]
            held.append(frame)
            part = int.from_bytes(frame[3:5], "big")
            if kind == "altered" and part == 1:
                return [altered(frame, 100, PART_FRONT)]
            if kind == "with a part missing" and part == 1:
                return []
            if kind == "of an older log":
                number = int.from_bytes(frame[7:15], "big") + 1
                return [frame[:7] + number.to_bytes(8, "big") + frame[15:]]
            if kind == "out of order" and part < 3:
                return [] if part < 2 else [frame, *held[:2]]
            return [frame]

        between.down = down
        three = await Device(url(running), network=between).start()
        await until(lambda: held and three.sync._sync.state == "live")
        if kind == "unasked for":
            await together(two, three)
            for frame in held:
                between.say(struct.pack(">BH", PART, channel(scene)) + frame[3:])
        await until(lambda: three.get("k") == "after it" and three.get("big 4") is not None)
        between.down = lambda frame: [frame]
        between.cut()
        await until(lambda: alike(two, three), "being alike")
        one = await Device(url(running), one.disk).start()
        await together(one, two, three)
        await stop([one, two, three])


async def test_words_at_the_wrong_time(scene: Scene) -> None:
    """CURRENT again and again, a JOINED in between, an error for nothing: at worst the connection ends."""
    between, here = scene.between, channel(scene)
    for _ in range(5):
        between.say(struct.pack(">BHQ", CURRENT, here, 3))
    await scene.two.set("k", "third")
    await until(lambda: scene.one.get("k") == "third")
    for code in range(1, 14):
        between.say(struct.pack(">BHIH", 0x8F, here, 1234, code) + b"no.")
        await until(lambda: between.back() or scene.one.sync._sync.state == "live")
        here = channel(scene)
    connections = between.connections
    between.say(struct.pack(">BHQHB", JOINED, here, 2**60, 3, 1))
    await until(lambda: between.back() or between.connections > connections)
    for frame in (b"", b"\x00", b"\xff" + os.urandom(49), b"\x85" + bytes(20)):
        connections = between.connections
        await until(lambda: scene.one.link.state == "open")
        between.say(frame)
        await until(lambda c=connections: between.back() or between.connections > c)
    assert scene.one.link.bad_frames >= 2


async def test_a_wrong_token(scene: Scene) -> None:
    """Who knows the room and not its token stays outside, says so, and disturbs nobody."""
    real = await keys_of_the_room()
    stranger = await Device(url(scene.running)).open()
    stranger.sync.token = bytes(32)
    await stranger.sync.start()
    await until(lambda: stranger.sync.problem is not None)
    assert stranger.sync.problem.fields["relay_code"] == "WRONG_TOKEN"
    await stranger.set("k", "of a stranger")
    assert stranger.sync.state == "offline" and stranger.get("count") is None
    assert scene.one.sync.others_count == 1
    stranger.sync.token = real.token
    stranger.link.leave(stranger.sync)
    stranger.link.enter(stranger.sync)
    await together(scene.one, scene.two, stranger)
    await stranger.stop()


async def test_somebody_with_the_token_and_no_keys(scene: Scene) -> None:
    """A flood of posts, casts and snapshots of who has lost the keys, and has the token still: counted, passed over."""
    real = await keys_of_the_room()
    outsider: Client = await connect(scene.running.port)
    await outsider.join(room=real.room, token=real.token)
    heard = await outsider.take("CURRENT")
    for n in range(300):
        outsider.post(b"\x01\x00" + os.urandom(700), n + 1)
        outsider.cast(os.urandom(100))
        await outsider.take("STORED")
    replayed = [each[4] for each in heard if each[0] == "ENVELOPE"]
    for n, envelope in enumerate(replayed):
        outsider.post(envelope, n + 1)
        await outsider.take("STORED")
    await until(lambda: min(scene.one.sync.refused_count, scene.two.sync.refused_count) == 300)
    await until(lambda: scene.one.sync.repeated_count == scene.two.sync.repeated_count == len(replayed))
    await outsider.close()


async def test_a_forged_snapshot_at_the_relay(scene: Scene) -> None:
    """Who has the token can put something in the log's place: devices that know more fill the room again."""
    real = await keys_of_the_room()
    outsider: Client = await connect(scene.running.port)
    await outsider.join(room=real.room, token=real.token)
    log = [each for each in await outsider.take("CURRENT") if each[0] == "ENVELOPE"]
    outsider.part(b"\x01\x00" + os.urandom(800), log[-1][2], log[-1][4][-16:])
    await outsider.take("STORED")
    await outsider.close()
    three = await Device(url(scene.running)).start()
    await until(lambda: three.sync.refused_count == 1)
    await until(lambda: three.get("k") == "second" and three.get("count") == 1)
    await together(scene.one, scene.two, three)
    await three.stop()
