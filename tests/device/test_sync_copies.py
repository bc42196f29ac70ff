"""Disks that are copied and run twice, put back to an older copy, or lose their last writes: one truth in the end."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import pytest
from asynchronous import until
from relay_rig import relay
from space_sync_rig import Device, alike, stop, together, url
from sync_between import Between

pytestmark = pytest.mark.real_time


async def test_a_copy_that_runs_beside_the_original(tmp_path: Path) -> None:
    """Two devices go on from one disk at once: each increment counts once, each edit arrives."""
    async with relay(tmp_path) as running:
        one, other = await Device(url(running)).start(), await Device(url(running)).start()
        for _ in range(5):
            await one.increment("count")
        await one.set("k", "both")
        await together(one, other)
        await one.stop()
        twins = [one, await Device(url(running), copy.deepcopy(one.disk)).start()]
        one = twins[0] = await Device(url(running), one.disk).start()
        for n in range(20):
            for name, twin in enumerate(twins):
                await twin.increment("count")
                await twin.set(f"{name}/{n}", n)
        await together(*twins, other)
        assert other.get("count") == 5 + 40
        assert len(other.core.keys()) == 2 + 40
        await stop([*twins, other])


async def test_copies_that_worked_apart_before_they_met(tmp_path: Path) -> None:
    """A disk with changes that never left it is copied: they count once, though both copies post them."""
    async with relay(tmp_path) as running:
        first = await Device(url(running)).open()
        for n in range(10):
            await first.increment("count")
            await first.set(f"k{n}", n)
        twins = [await Device(url(running), copy.deepcopy(first.disk)).open() for _ in range(3)]
        for name, twin in enumerate(twins):
            for _ in range(name + 1):
                await twin.increment("count")
            await twin.set("k0", f"by {name}")
        for twin in twins:
            await twin.sync.start()
        await together(*twins)
        assert twins[0].get("count") == 10 + 1 + 2 + 3
        await stop(twins)


async def test_a_disk_that_was_put_back_after_it_had_posted(tmp_path: Path) -> None:
    """What a restored disk has lost comes from the room, and what is written after the restore adds to it."""
    async with relay(tmp_path) as running:
        one, other = await Device(url(running)).start(), await Device(url(running)).start()
        await one.increment("count", 5)
        await together(one, other)
        await until(lambda: one.sync._place_moved is False)  # the older copy has its place too
        older = copy.deepcopy(one.disk)
        for n in range(10):
            await one.increment("count")
            await one.set(f"k{n}", n)
            await other.increment("count", 100)
        await together(one, other)
        one.crash()

        one = await Device(url(running), older).open()
        for _ in range(3):
            await one.increment("count")  # before it has read what it lost
        await one.set("k3", "new")
        await one.sync.start()
        await together(one, other)
        assert other.get("count") == 5 + 10 + 1000 + 3
        assert (one.get("k9"), other.get("k3")) == (9, "new")
        await stop([one, other])


async def test_a_power_cut_after_sending(tmp_path: Path) -> None:
    """Changes that reached the relay and not this device's disk are back after the start, and count once."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        await one.increment("count")
        await until(lambda: one.synced)
        total = 1
        for _ in range(5):
            before = copy.deepcopy(one.disk)
            await one.increment("count")
            await one.set("last", total)
            total += 1
            await until(lambda device=one: device.synced)
            one.crash()
            one = await Device(url(running), before).start()
            await one.increment("count")
            total += 1
        await until(lambda: one.synced and one.get("count") == total, "the whole count")
        other = await Device(url(running)).start()
        await together(one, other)
        assert (other.get("count"), other.get("last")) == (11, 9)
        await stop([one, other])


async def test_copies_restores_and_a_log_that_is_gone(tmp_path: Path) -> None:
    """Histories with copied and restored disks, crashes and cut connections: all agree on one count."""
    chance = random.Random(11)
    async with relay(tmp_path) as running:
        betweens = [Between() for _ in range(4)]
        devices = [await Device(url(running), network=each).start() for each in betweens]
        older = [copy.deepcopy(device.disk) for device in devices]
        total = 0
        for step in range(120):
            which = chance.randrange(4)
            device = devices[which]
            await device.increment("count")
            await device.set(f"k{chance.randrange(20)}", step)
            total += 1
            draw = chance.random()
            if draw < 0.1:
                betweens[which].cut()
            elif draw < 0.2:  # what it wrote is known to others, and then its disk goes back
                await until(lambda d=device: d.synced)
                device.crash()
                devices[which] = await Device(
                    url(running), copy.deepcopy(older[which]), network=betweens[which]
                ).start()
            elif draw < 0.3:  # goes on from a copy of another one's disk
                await until(lambda d=device: d.synced)
                device.crash()
                disk = copy.deepcopy(devices[chance.randrange(4)].disk)
                devices[which] = await Device(url(running), disk, network=betweens[which]).start()
            elif draw < 0.4:
                older[which] = copy.deepcopy(device.disk)
        await until(lambda: all(device.get("count") == total for device in devices), "the whole count")
        await until(lambda: alike(*devices))
        await stop(devices)
