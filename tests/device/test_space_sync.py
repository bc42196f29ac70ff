"""A space and its room at a real relay: what devices write, all of them have in the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from asynchronous import until
from relay_rig import relay
from space_sync_rig import Device, alike, stop, together, url
from sync_insider import Insider

from masq_store.engine.sync import room_sync

pytestmark = pytest.mark.real_time


async def test_a_change_comes_to_the_other_device(tmp_path: Path) -> None:
    """What one writes the other has, with the key told to those who watch."""
    async with relay(tmp_path) as running:
        one, two = await Device(url(running)).start(), await Device(url(running)).start()
        await one.set("k", "v")
        # Those who watch are told once it is on the disk, which is after it can be read.
        await until(lambda: two.get("k") == "v" and bool(two.changes))
        assert two.changes[-1][0] == ["k"]
        await two.increment("n", 2)
        await one.increment("n", 3)
        await until(lambda: alike(one, two))
        assert one.get("n") == two.get("n") == 5
        await one.stop()
        await two.stop()


@pytest.mark.parametrize("number", [2, 4, 10])
async def test_each_change_is_posted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The log gets one envelope for each write, of whichever device: nobody posts again what another has posted."""
    monkeypatch.setattr(room_sync, "SETTLE_SECONDS", 0.05)
    async with relay(tmp_path) as running:
        devices = [await Device(url(running)).start() for _ in range(number)]
        for n in range(10):
            await devices[0].set("k", n)
            await together(*devices)
        for n, device in enumerate(devices):
            await device.set(f"of {n}", n)
        await together(*devices)
        # Whoever waits to post what others wrote has a time to do it at.
        await until(lambda: not any("settle" in device.sync._timers for device in devices))
        await together(*devices)
        assert len((await Insider.enter(running.port)).log) == 10 + number
        await stop(devices)


async def test_devices_that_are_never_online_together_meet(tmp_path: Path) -> None:
    """One writes and leaves; the other comes, gets it, writes and leaves; the first comes back and gets that."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        await one.set("a", 1)
        await until(lambda: one.synced)
        await one.stop()
        two = await Device(url(running)).start()
        await until(lambda: two.get("a") == 1)
        await two.set("b", 2)
        await until(lambda: two.synced)
        await two.stop()
        one = await Device(url(running), one.disk).start()
        await until(lambda: one.get("b") == 2)
        await one.stop()


async def test_ten_thousand_changes_of_many_sizes_arrive(tmp_path: Path) -> None:
    """What does not fit into one envelope comes in several, also after the log was cut short by a snapshot."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        for start in range(0, 10_000, 500):
            entries = [(f"key {n}", f'"{n}"') for n in range(start, start + 500)]
            one.writer.add(
                one.space,
                lambda entries=entries: one.core.write(entries, one.now()),
                lambda a, e: None,
                one.sync._source,
            )
        one.writer.begin()
        await one.set("big", "x" * 260_000)
        await one.set("bytes", os.urandom(100_000))
        two = await Device(url(running)).start()
        await until(lambda: alike(one, two))
        assert len(two.core.keys()) == 10_002
        await one.stop()
        await two.stop()


async def test_forty_devices_in_one_room(tmp_path: Path) -> None:
    """Forty devices that all write and count at once hold the same in the end, and every increment."""
    async with relay(tmp_path) as running:
        devices = [await Device(url(running)).start() for _ in range(40)]
        for number, each in enumerate(devices):
            await each.set(f"key {number}", number)
            await each.increment("n")
        await until(lambda: alike(*devices), "all to be alike")
        assert devices[0].get("n") == 40 and len(devices[0].core.keys("key")) == 40
        for each in devices:
            await each.stop()
