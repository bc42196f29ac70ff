"""Devices that start, stop, crash and lose the network at any moment: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from asynchronous import until
from relay_rig import relay
from space_sync_rig import Device, alike, keys_of_the_room, stop, together, url
from sync_between import CURRENT, ENVELOPE, JOINED, PART, POST, POST_FRONT, Between

from masq_store.core.sync.machine import SNAPSHOT_BYTES
from masq_store.core.sync.messages import Check
from masq_store.engine.sync import room_sync

pytestmark = pytest.mark.real_time


async def test_starting_and_stopping_at_any_moment(tmp_path: Path) -> None:
    """Three devices write, leave, come back, crash and are cut off in the middle of it: each write counts once."""
    chance = random.Random(7)
    async with relay(tmp_path) as running:
        betweens = [Between() for _ in range(3)]
        devices = [await Device(url(running), network=each).start() for each in betweens]
        written = dict.fromkeys(range(3), 0)
        for _ in range(80):
            which = chance.randrange(3)
            for _ in range(chance.randrange(4)):
                await devices[which].increment("count")
                await devices[which].set(f"{which}/{written[which] % 30}", written[which])
                written[which] += 1
            for _ in range(chance.randrange(30)):
                await asyncio.sleep(
                    0
                )  # turns of the event loop, so that it happens in the middle of something
            draw = chance.random()
            if draw < 0.25:
                await devices[which].stop()
            elif draw < 0.5:
                devices[which].crash()
            elif draw < 0.7:
                betweens[which].cut()
                continue
            else:
                continue
            devices[which] = await Device(url(running), devices[which].disk, network=betweens[which]).start()
        await together(*devices)
        assert devices[0].get("count") == sum(written.values())
        assert len(devices[0].core.keys()) == 1 + sum(min(30, count) for count in written.values())
        await stop(devices)


async def test_a_restart_reads_only_what_is_new(tmp_path: Path) -> None:
    """The place in the log is kept: a device that comes back is told what came since, and posts nothing again."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        for n in range(40):
            await one.set(f"k{n}", n)
            await until(lambda: one.synced)
        between = Between()
        two = await Device(url(running), network=between).start()
        await together(one, two)
        assert len(between.kinds(between.heard, ENVELOPE)) == 40
        for new in (0, 1, 7):
            await two.stop()
            for n in range(new):
                await one.set("new", n)
                await until(lambda: one.synced)
            between = Between()
            two = await Device(url(running), two.disk, network=between).start()
            await together(one, two)
            assert len(between.kinds(between.heard, ENVELOPE)) == new
            assert [frame[-1] for frame in between.kinds(between.heard, JOINED)] == [0]
            assert between.kinds(between.sent, POST) == []
        await stop([one, two])


async def test_a_crash_reads_little_twice(tmp_path: Path, monkeypatch) -> None:
    """After a crash what was read since the place was kept is read once more, and no more than that."""
    monkeypatch.setattr(room_sync, "KEEP_PLACE_SECONDS", 0.1)
    async with relay(tmp_path) as running:
        one, two = await Device(url(running)).start(), await Device(url(running)).start()
        for n in range(40):
            await one.set(f"k{n}", n)
        await together(one, two)
        await until(lambda: not two.sync._place_moved)
        two.crash()
        await one.set("since", 1)
        await until(lambda: one.synced)
        between = Between()
        two = await Device(url(running), two.disk, network=between).start()
        await together(one, two)
        assert len(between.kinds(between.heard, ENVELOPE)) == 1
        await stop([one, two])


async def test_a_place_that_is_lost_is_found_again(tmp_path: Path) -> None:
    """A device whose place is gone, damaged or from nowhere reads the room from its beginning, and posts nothing."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        for n in range(10):
            await one.set(f"k{n}", n)
            await until(lambda: one.synced)
        two = await Device(url(running)).start()
        await together(one, two)
        for spoil in ("gone", "damaged", "swapped"):
            await two.stop()
            name = two.space._place
            if spoil == "gone":
                del two.disk.stored[name]
            elif spoil == "damaged":
                two.disk.stored[name] = two.disk.stored[name][:-1] + b"\0"
            else:
                two.disk.stored[name] = one.disk.stored[max(one.disk.stored)]
            between = Between()
            two = await Device(url(running), two.disk, network=between).start()
            await together(one, two)
            assert len(between.kinds(between.heard, ENVELOPE)) == 10
            assert between.kinds(between.sent, POST) == []
        await stop([one, two])


async def test_a_newcomer_reads_a_snapshot_in_place_of_the_log(tmp_path: Path) -> None:
    """A log of many small edits is cut short by the devices themselves, while they work, and is cheap to read then."""
    async with relay(tmp_path) as running:
        one, two = await Device(url(running)).start(), await Device(url(running)).start()
        posts = most = 0
        while one.sync._sync.log.entries >= most:
            most = one.sync._sync.log.entries
            await one.set(f"k{posts % 20}", "x" * 400 + str(posts))
            posts += 1
            assert posts < 2 * SNAPSHOT_BYTES / 512, "the log was never cut short"
            await until(lambda: one.synced)
        await one.increment("count")
        await together(one, two)
        between = Between()
        three = await Device(url(running), network=between).start()
        await together(one, two, three)
        assert len(between.kinds(between.heard, PART)) == 1
        assert len(between.kinds(between.heard, ENVELOPE)) < posts / 4
        assert len(between.kinds(between.heard, CURRENT)) == 1
        posted = [frame[POST_FRONT:] for frame in between.kinds(between.sent, POST)]
        room_keys = await keys_of_the_room()
        for _, message in await room_keys.open(posted):
            assert isinstance(message, Check)  # who begins from a snapshot says what it holds, and no more
        await stop([one, two, three])


async def test_work_goes_on_while_the_log_is_cut_short(tmp_path: Path, monkeypatch) -> None:
    """Snapshots in full work, by several devices, with restarts in between: nothing is lost or counted twice."""
    monkeypatch.setattr("masq_store.core.sync.machine.SNAPSHOT_ENTRIES", 10)
    monkeypatch.setattr("masq_store.core.sync.machine.SNAPSHOT_BYTES", 4_000)
    monkeypatch.setattr(room_sync, "SETTLE_SECONDS", 0.02)
    async with relay(tmp_path) as running:
        devices = [await Device(url(running)).start() for _ in range(3)]
        for n in range(300):
            await devices[n % 3].increment("count")
            await devices[n % 3].set(f"k{n % 5}", n)
            if n % 5 == 0:
                await until(lambda: any(device.synced for device in devices))
            if n % 60 == 59:
                await devices[1].stop()
                devices[1] = await Device(url(running), devices[1].disk).start()
        await together(*devices)
        assert devices[0].get("count") == 300
        assert running.relay.metrics.counts["snapshots_total"] > 2
        newcomer = await Device(url(running)).start()
        await together(*devices, newcomer)
        await until(lambda: alike(*devices, newcomer))
        await stop([*devices, newcomer])
