"""What a member claims and did not show: nobody withholds anything for it, and who holds something else says so."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from asynchronous import until
from relay_rig import connect, relay
from space_sync_rig import Device, keys_of_the_room, stop, together, url
from spaces import state
from sync_insider import Insider, content_of

from build.places import ROOT
from masq_store.core.errors import NewerData
from masq_store.core.space.clock import ZERO, Stamp
from masq_store.core.space.register import Change, Register
from masq_store.core.sync import agreement, machine, member_claims
from masq_store.core.sync.envelope import Header, encode_header
from masq_store.core.sync.messages import Changes, State, Trimmed
from masq_store.engine.sync import room_sync, snapshot
from masq_store.engine.sync.digest import digest_of
from masq_store.native.crypto import NativeCrypto

pytestmark = pytest.mark.real_time

LIAR = "ab" * 8


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let devices come again soon."""
    for name in ("AGAIN_SECONDS", "TORN_SECONDS", "ANSWER_SECONDS", "SETTLE_SECONDS"):
        monkeypatch.setattr(room_sync, name, 0.2)
    monkeypatch.setattr(agreement, "HUSH_SECONDS", 0.2)
    monkeypatch.setattr(agreement, "MOST_HUSH_SECONDS", 0.4)


async def test_a_digest_is_that_of_the_document() -> None:
    """A second program, written from docs/protocol.md, comes to the same digest, whatever the order of the rows."""
    case = json.loads((ROOT / "tests/vectors/envelope.json").read_text("utf-8"))["digest"]
    rows = [(*row[:6], tuple(map(tuple, row[6]))) for row in case["rows"]]
    for order in (rows, rows[::-1]):
        assert (await digest_of(NativeCrypto(), order)).hex() == case["digest"]
    assert await digest_of(NativeCrypto(), []) == bytes(32)


def equal(*devices: Device) -> bool:
    """Whether all hold the same and wait for nothing; their vectors may differ by what a liar claimed."""
    return all(device.synced and state(device.core) == state(devices[0].core) for device in devices)


async def leave(device: Device) -> None:
    """Let a device lose its connection, and go on with its space."""
    device.link.leave(device.sync)
    device.sync._sync.lost()


@pytest.mark.parametrize("kept", [[], ["photo/3", "photo/4"]], ids=["nothing", "some of it"])
async def test_a_snapshot_that_lacks_what_it_claims(tmp_path: Path, kept: list[str]) -> None:
    """Somebody new gets from the others what a member left out of the log with the true vector; both sides count it."""
    async with relay(tmp_path) as running:
        one, two = await Device(url(running)).start(), await Device(url(running)).start()
        for n in range(20):
            await one.set(f"photo/{n}", f"album {n}")
        await two.increment("count", 7)
        await together(one, two)
        insider = await Insider.enter(running.port)
        number, tag = insider.log[-1][2], insider.log[-1][4][-16:]
        rows = [row for row in one.core.rows() if row[0] in kept]
        await insider.snapshot(State(rows, number, tag, dict(one.core.vector)), number, tag)
        three = await Device(url(running)).start()
        await until(lambda: equal(one, two, three) and three.get("count") == 7, "the newcomer has all")
        assert one.sync.differed_count + two.sync.differed_count > 0
        await stop([one, two])
        four = await Device(url(running)).start()  # the log has it again, without them
        await until(lambda: equal(three, four) and four.get("photo/7") == "album 7")
        await stop([three, four])


async def test_the_others_hear_of_it_when_they_come_back(tmp_path: Path) -> None:
    """A newcomer that met nobody says what it got, in the log: who was away finds there that it is less."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        await one.set("photo", "album")
        await until(lambda: one.synced and not one.sync._place_moved)
        insider = await Insider.enter(running.port)
        number, tag = insider.log[-1][2], insider.log[-1][4][-16:]
        vector = dict(one.core.vector)
        await one.stop()
        await insider.snapshot(State([], number, tag, vector), number, tag)
        three = await Device(url(running)).start()
        await until(lambda: three.synced and three.sync._agreement._told is not None)
        assert three.get("photo") is None
        await three.stop()
        one = await Device(url(running), one.disk).start()
        await until(lambda: one.sync.differed_count == 1 and one.sync._agreement._given and one.synced)
        await one.stop()
        three = await Device(url(running), three.disk).start()
        await until(lambda: three.get("photo") == "album")
        await three.stop()


@pytest.mark.parametrize("opening", ["this", "former"])
async def test_claims_about_what_was_not_posted_yet(tmp_path: Path, opening: str) -> None:
    """A member claims the numbers under which a device wrote offline: the device posts all of it nevertheless."""
    async with relay(tmp_path) as running:
        one, two = await Device(url(running)).start(), await Device(url(running)).start()
        await one.set("a", 1)
        await two.set("b", 2)
        await together(one, two)
        victim, known = two.core.replica, one.core.vector[two.core.replica]
        await leave(two)
        for n in range(5):
            await two.set(f"note {n}", f"important {n}")
        insider = await Insider.enter(running.port)
        for n in range(known, known + 12):
            await insider.say(Changes([], [(victim, n, n + 1)], insider.counter))
        if opening == "former":
            await two.stop()
            two = await Device(url(running), two.disk).start()
        else:
            two.link.enter(two.sync)
        await until(lambda: equal(one, two) and one.get("note 4") == "important 4")
        three = await Device(url(running)).start()
        await until(lambda: equal(one, two, three))
        await stop([one, two, three])


async def test_agreement_costs_no_more_than_a_word(tmp_path: Path) -> None:
    """Where all hold the same, somebody new says so once, and nobody posts anything because of it."""
    async with relay(tmp_path) as running:
        one, two = await Device(url(running)).start(), await Device(url(running)).start()
        for n in range(5):
            await one.set(f"{n}", n)
        await together(one, two)
        one.sync._write_snapshot()
        await until(lambda: running.relay.metrics.counts["snapshots_total"] == 1 and one.synced)
        before = running.relay.metrics.counts["envelopes_stored_total"]
        three = await Device(url(running)).start()
        await until(lambda: three.sync._agreement._told is not None and equal(one, two, three))
        assert one.sync.differed_count == two.sync.differed_count == three.sync.differed_count == 0
        assert (
            running.relay.metrics.counts["envelopes_stored_total"] <= before + 2
        )  # it, and the word on the snapshot
        await stop([one, two, three])


SAID_FIRST = {
    "nothing": None,
    "what a later version sealed": content_of(
        1, {"ranges": [], "first": 0, "base": None, "more": False}, [], 2
    ),
    "that all was trimmed": None,
}
SAID_LAST = {"that all was trimmed": Trimmed(1 << 40)}


@pytest.mark.parametrize("what", SAID_FIRST)
async def test_a_room_full_of_junk_gets_free(tmp_path: Path, what: str) -> None:
    """Who has the token and no key fills the room; a snapshot may end at junk, and the room is the devices' again.

    What a member says, in the way of such a snapshot, keeps it full neither.
    """
    async with relay(tmp_path, room=1 << 20) as running:
        one = await Device(url(running)).start()
        await one.set("a", 1)
        await until(lambda: one.synced)
        insider = await Insider.enter(running.port)
        if (said := SAID_FIRST[what]) is not None:
            await insider.say(said)
        keys = await keys_of_the_room()
        stranger = await connect(running.port)
        await stranger.join(room=keys.room, token=keys.token)
        await stranger.take("CURRENT")
        size, ref = 200_000, 0
        while size >= 1_600:
            ref += 1
            stranger.post(b"\x01\x00" + os.urandom(size), ref)
            heard = ("",)
            while heard[0] not in ("STORED", "ERROR"):
                heard = await stranger.next()
            size = size if heard[0] == "STORED" else size // 2
        if (said := SAID_LAST.get(what)) is not None:
            await insider.say(said)
        important = "more than there is room for" * 200
        await one.set("important", important)
        two = await Device(url(running)).start()
        await until(lambda: equal(one, two) and two.get("important") == important, "the room is free")
        await one.stop()
        one = await Device(url(running), one.disk).start()
        await two.set("later", 1)
        await until(lambda: equal(one, two) and one.get("later") == 1)
        await stop([one, two])


@pytest.mark.parametrize("kept", [True, False], ids=["place kept", "place to be kept"])
async def test_what_a_later_version_sealed_is_read_again(tmp_path: Path, kept: bool) -> None:
    """The place stays in front of it, also where that of something before it waited to be kept; all else goes on."""
    async with relay(tmp_path) as running:
        one, two = await Device(url(running)).start(), await Device(url(running)).start()
        await two.set("k", 1)
        await together(one, two)
        await until(lambda: not one.sync._place_moved)
        insider = await Insider.enter(running.port)
        if not kept:
            await two.set("before", 1)
            await until(lambda: one.sync._place_moved and one.get("before") == 1)
        head = {"ranges": [], "first": 0, "base": None, "more": False}
        number = await insider.say(content_of(1, head, [], schema=2))
        await until(lambda: isinstance(one.sync.problem, NewerData))
        await two.set("more", 1)
        await until(lambda: one.get("more") == 1 and one.sync.state == "live")
        await one.stop()
        one = await Device(url(running), one.disk).open()
        await one.sync.start()
        assert one.sync._sync.log.number == number - 1
        await until(lambda: isinstance(one.sync.problem, NewerData) and one.get("more") == 1)
        await stop([one, two])


@pytest.mark.parametrize("epoch", [1, 2**32 - 1])
async def test_a_higher_epoch_in_clear_is_nobodys_word(tmp_path: Path, epoch: int) -> None:
    """Who has the token and no key names a later epoch: no place waits for it, and nobody is told of it."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        await one.set("k", 1)
        keys = await keys_of_the_room()
        stranger = await connect(running.port)
        await stranger.join(room=keys.room, token=keys.token)
        await stranger.take("CURRENT")
        stranger.post(encode_header(Header(epoch, LIAR, bytes(16), 0)) + os.urandom(528), 1)
        number = (await stranger.take("STORED"))[-1][3]
        await until(lambda: one.sync.refused_count == 1)
        await one.set("k", 2)
        await until(lambda: one.synced and not one.sync._place_moved)
        assert one.sync.problem is None and not one.sync._compaction.stays
        await one.stop()
        one = await Device(url(running), one.disk).open()
        await one.sync.start()
        assert one.sync._sync.log.number > number
        await until(lambda: one.synced)
        await one.stop()


@pytest.mark.parametrize(
    "what", ["made-up replicas", "replicas with a change each", "a counter of large parts"]
)
async def test_nothing_that_must_cross_is_larger_than_a_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """However long a member makes vectors or counters: a hole can be asked about, and a new relay gets everything."""
    counter = what == "a counter of large parts"
    for module in (machine, snapshot) if not counter else ():
        monkeypatch.setattr(module, "MOST_NAMED", 40)
        monkeypatch.setattr(module, "PIECE_BYTES", 1500)
    monkeypatch.setattr(member_claims, "MOST_UNSEEN", 160)
    frame = 1 << 20 if counter else 4096  # less than the whole vector takes
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with relay(tmp_path / "one", frame=frame) as running:
        one = await Device(url(running)).start()
        await one.set("a", 1)
        await until(lambda: one.synced)
        insider = await Insider.enter(running.port)
        if counter:
            total = 16**150_000
            for sign in (1, -1) * 8:
                who = os.urandom(8).hex()
                register = Register(ZERO, 0, None, ((who, 1, sign * total),))
                await insider.say(Changes([Change(who, 1, "n", register)], [(who, 0, 1)], insider.counter))
            await until(lambda: len(one.core.register("n").parts) == 16)
        else:
            names = [[os.urandom(8).hex() for _ in range(20)] for _ in range(15)]
            for block in names:
                changes = [Change(who, 1, who, Register(Stamp(5, 0, who), 1, None)) for who in block]
                ranges = [(who, 0, 1) for who in block]
                kept = [] if what == "made-up replicas" else changes
                await insider.say(Changes(kept, ranges, insider.counter))
            made_up = what == "made-up replicas"
            await until(lambda: len(one.core.vector) > (150 if made_up else 290))
            assert len(one.core.vector) < (200 if made_up else 310)
        hole = Change(LIAR, 5, "x", Register(Stamp(9, 0, LIAR), 5, "1"))
        await insider.say(Changes([hole], [(LIAR, 4, 5)], insider.counter))
        await until(
            lambda: one.synced and not one.sync._sync.lacks(one.core.vector), "the question was asked"
        )
        one.sync._write_snapshot()
        await until(lambda: running.relay.metrics.counts["snapshots_total"] == 1)
        two = await Device(url(running)).start()
        await until(lambda: equal(one, two), "a newcomer at a snapshot")
        await stop([one, two])
    async with relay(tmp_path / "two", frame=frame) as fresh:
        one = await Device(url(fresh), one.disk).start()
        two = await Device(url(fresh)).start()
        await until(lambda: equal(one, two) and two.get("a") == 1, "a newcomer at a new relay")
        await stop([one, two])
