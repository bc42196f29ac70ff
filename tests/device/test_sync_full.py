"""Full disks, full rooms and a relay that keeps nothing: seen, survived, and gone on from."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from asynchronous import until
from memory import MemoryDisk
from relay_rig import relay
from space_sync_rig import Device, alike, stop, together, url
from spaces import state
from sync_between import JOIN, POST, SNAPSHOT, STORED, Between

from masq.errors import QuotaExceeded
from masq_store.engine.sync import room_sync

pytestmark = pytest.mark.real_time

SOON = 0.2  # seconds, in place of half a minute


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let devices come again soon."""
    monkeypatch.setattr(room_sync, "AGAIN_SECONDS", SOON)


async def test_a_full_disk_at_the_receiving_device(tmp_path: Path) -> None:
    """What does not fit is not half applied; the device says so, keeps working, and goes on once there is room."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        await one.set("k", "old")
        disk = MemoryDisk()
        two = await Device(url(running), disk).start()
        await together(one, two)
        await until(lambda: not two.sync._place_moved)
        disk.quota = disk.used + 20_000
        before, stored = state(two.core), dict(disk.stored)
        await one.update({"k": "new", "big": os.urandom(60_000), "bigger": os.urandom(60_000)})
        await until(lambda: isinstance(two.sync.problem, QuotaExceeded), "the problem")
        assert two.sync.state == "offline"
        assert not two.space.pending
        assert state(two.core) == before and disk.stored == stored
        await two.set("small", "still fits")
        assert two.get("small") == "still fits" and two.get("k") == "old"
        joins = one.sync.others_count
        await until(lambda: one.sync.others_count != joins)  # it comes again by itself
        await until(lambda: not two.space.pending)
        assert two.get("big") is None
        disk.quota = None
        await together(one, two)
        assert two.sync.problem is None
        assert (two.get("k"), one.get("small")) == ("new", "still fits")
        await stop([one, two])


async def test_a_disk_that_is_full_in_the_middle_of_a_first_copy(tmp_path: Path) -> None:
    """A copy of many pieces stops where the disk is full, and goes on from there, also after a restart."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        for n in range(40):
            await one.set(f"k{n}", os.urandom(100_000))
        await until(lambda: one.synced)
        disk = MemoryDisk(quota=4_000_000)
        two = await Device(url(running), disk).start()
        await until(lambda: isinstance(two.sync.problem, QuotaExceeded), "the problem")
        assert all(two.get(key) == one.get(key) for key, _ in two.core.items())
        await two.stop()
        two = await Device(url(running), disk).start()
        await until(lambda: isinstance(two.sync.problem, QuotaExceeded), "the problem")
        disk.quota = None
        await together(one, two)
        await stop([one, two])


async def test_leaving_on_a_full_disk(tmp_path: Path) -> None:
    """A device that cannot even keep its place when it leaves stays away, and reads a little more the next time."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        disk = MemoryDisk()
        two = await Device(url(running), disk).start()
        await one.set("k", 1)
        await together(one, two)
        disk.quota = disk.used - 1000
        assert two.sync._place_moved
        await two.sync.stop()
        assert "enter" not in two.sync._timers and not two.link._places
        await two.writer.idle()
        two.link.close()
        disk.quota = None
        two = await Device(url(running), disk).start()
        await together(one, two)
        await stop([one, two])


async def test_a_full_room_is_made_room_in(tmp_path: Path) -> None:
    """When the relay keeps no more of a room, a snapshot takes the log's place and what was refused is posted."""
    async with relay(tmp_path, frame=400_000, room=1_500_000) as running:
        between = Between()
        one = await Device(url(running), network=between).start()
        two = await Device(url(running)).start()
        for n in range(40):
            await one.set("k", os.urandom(90_000))
            await one.increment("count")
            await until(lambda: one.synced, f"edit {n}")
        assert between.kinds(between.sent, SNAPSHOT)
        await together(one, two)
        assert two.get("count") == 40 and one.sync.problem is None
        three = await Device(url(running)).start()
        await together(one, two, three)
        await stop([one, two, three])


async def test_a_room_that_stays_full(tmp_path: Path) -> None:
    """A space larger than the relay's room: what is not there is shown as waiting, and nothing runs in circles."""
    async with relay(tmp_path, frame=400_000, room=500_000) as running:
        between = Between()
        one = await Device(url(running), network=between).start()
        for n in range(8):
            await one.set(f"k{n}", os.urandom(100_000))
        await until(lambda: one.sync.problem is not None, "the problem")
        assert one.sync.problem.fields["relay_code"] == "ROOM_FULL"
        assert one.sync.waiting > 0 and one.sync.state == "offline"
        began, tries = time.monotonic(), snapshots(between)
        # Two snapshots a try, of which the first may be yet to come: the seventh try begins six waits later. One of
        # them may have begun before this was looked at.
        await until(lambda: snapshots(between) >= tries + 13, "further tries")
        assert time.monotonic() - began > 5 * SOON
        for n in range(7):
            await one.delete(f"k{n}")
        await until(lambda: one.synced, "what fits again")
        two = await Device(url(running)).start()
        await together(one, two)
        await stop([one, two])


def snapshots(between: Between) -> int:
    """Return how many snapshots were begun."""
    return sum(frame[15:17] == b"\0\0" for frame in between.kinds(between.sent, SNAPSHOT))


@pytest.mark.parametrize("what", ["posts", "acknowledgements"])
async def test_a_relay_that_never_acknowledges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Where posts or their acknowledgements go astray on a connection that lives, the room is joined anew."""
    monkeypatch.setattr(room_sync, "ANSWER_SECONDS", SOON)
    async with relay(tmp_path) as running:
        lost = [0]

        def swallow(kind: int, frame: bytes) -> list[bytes]:
            if frame[0] == kind and lost[0] < 3:
                lost[0] += 1
                return []
            return [frame]

        between = Between()
        one = await Device(url(running), network=between).start()
        two = await Device(url(running)).start()
        await together(one, two)
        if what == "posts":
            between.up = lambda frame: swallow(POST, frame)
        else:
            between.down = lambda frame: swallow(STORED, frame)
        await one.set("k", "v")
        await one.increment("count")
        await until(lambda: lost[0] >= 1)
        assert one.sync.waiting > 0
        await until(lambda: one.synced and two.get("k") == "v")
        await until(lambda: alike(one, two))
        assert two.get("count") == 1
        assert between.connections == 1 and len(between.kinds(between.sent, JOIN)) > 1
        await stop([one, two])
