"""Devices that wrote while they were apart: nothing is lost, and all agree."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from asynchronous import until
from patience import seconds
from relay_rig import relay
from space_sync_rig import Device, alike, now_ms, stop, together, url
from sync_between import CURRENT, ENVELOPE, HELLO, JOINED, POST, WELCOME, Between

pytestmark = pytest.mark.real_time

YEAR_MS = 365 * 24 * 3600 * 1000


async def apart(address: str, *clocks_off_ms: int, **choice: object) -> list[Device]:
    """Return devices that have opened their space, and have not met."""
    return [await Device(address, clock_off_ms=off, **choice).open() for off in clocks_off_ms]


async def meet(devices: list[Device]) -> None:
    """Let them enter the room, one after the other, and wait until they agree."""
    for device in devices:
        await device.sync.start()
    await together(*devices)


async def test_edits_of_different_keys_on_three_devices_all_survive(tmp_path: Path) -> None:
    """Three devices that each wrote a hundred keys of their own have three hundred in the end."""
    async with relay(tmp_path) as running:
        devices = await apart(url(running), 0, 0, 0)
        for number, device in enumerate(devices):
            for n in range(100):
                await device.set(f"{number}/{n}", [number, n])
        await meet(devices)
        for device in devices:
            assert len(device.core.keys()) == 300
            assert all(device.get(f"{w}/{n}") == [w, n] for w in range(3) for n in range(100))
        await stop(devices)


async def test_edits_of_one_key_agree_on_the_later_stamp(tmp_path: Path) -> None:
    """Where three wrote the same key, the latest stands everywhere, whoever comes first into the room."""
    async with relay(tmp_path) as running:
        devices = await apart(url(running), 0, 20_000, 10_000)
        for number, device in enumerate(devices):
            await device.set("k", f"of {number}")
        await meet(devices)
        assert [device.get("k") for device in devices] == ["of 1"] * 3
        await devices[0].set("k", "after all of them")  # although its clock is behind
        await together(*devices)
        assert [device.get("k") for device in devices] == ["after all of them"] * 3
        await stop(devices)


async def test_a_deletion_and_an_edit_apart(tmp_path: Path) -> None:
    """A deletion is an edit like others: the later of the two stands."""
    async with relay(tmp_path) as running:
        devices = await apart(url(running), 0, 10_000)
        one, two = devices
        await one.set("a", 1)
        await one.set("b", 1)
        await meet(devices)
        await one.sync.stop()
        await two.delete("a")
        await one.set("a", 2)  # earlier by the clocks, and after the deletion only in the room
        await one.delete("b")
        await two.set("b", 2)
        one = await Device(url(running), one.disk).start()
        await together(one, two)
        assert (one.get("a"), one.get("b")) == (None, 2)
        await stop([one, two])


async def test_one_millisecond_and_clocks_a_year_apart(tmp_path: Path, monkeypatch) -> None:
    """Clocks of one millisecond, a year ahead and a year behind: all agree, and nothing acknowledged is lost."""
    still = now_ms()
    monkeypatch.setattr("space_sync_rig.now_ms", lambda: still)
    async with relay(tmp_path) as running:
        devices = await apart(url(running), 0, 0, YEAR_MS, -YEAR_MS)
        for number, device in enumerate(devices):
            await device.set("same", number)
            await device.set(f"own {number}", number)
            for _ in range(number + 1):
                await device.increment("count")
        await meet(devices)
        for device in devices:
            assert device.get("same") == 2  # the year ahead
            assert [device.get(f"own {number}") for number in range(4)] == [0, 1, 2, 3]
            assert device.get("count") == 1 + 2 + 3 + 4
        for number, device in enumerate(devices):  # each wins once it has seen the others
            await device.set("same", f"again {number}")
            await together(*devices)
            assert devices[3 - number].get("same") == f"again {number}"
        await stop(devices)


class Astray:
    """Loses, doubles and swaps what carries envelopes; the rest of the protocol stays in order."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.calm = False
        self.gone = 0
        self.held: list[bytes] = []

    def __call__(self, frame: bytes) -> list[bytes]:
        """Return what becomes of a frame."""
        if frame[0] in (HELLO, WELCOME):
            self.held.clear()  # of the connection before
        if self.calm or frame[0] not in (POST, ENVELOPE):
            return [frame]
        draw = self.chance.random()
        if draw < 0.2:
            self.gone += 1
            if draw < 0.1:
                self.held.append(frame)
            return []
        if draw < 0.3:
            return [frame, frame]
        if self.held and draw < 0.6:
            return [frame, self.held.pop()]
        return [frame]


async def test_frames_that_are_lost_doubled_and_out_of_order(tmp_path: Path) -> None:
    """Envelopes go astray in both directions while three devices write: in the end all have everything, once."""
    async with relay(tmp_path) as running:
        betweens = [Between(up=Astray(n), down=Astray(n + 10)) for n in range(3)]
        devices = [await Device(url(running), network=between).start() for between in betweens]
        rounds, end = 0, time.monotonic() + seconds(60)
        while rounds < 60 or sum(between.up.gone + between.down.gone for between in betweens) < 20:
            assert time.monotonic() < end, "too few frames went astray"
            for number, device in enumerate(devices):
                await device.set(f"{number}/{rounds}", rounds)
                await device.increment("count")
            rounds += 1
            if rounds in (20, 40):
                for between in betweens:
                    between.cut()
                await until(lambda: all(device.link.state == "open" for device in devices))
        for between in betweens:
            between.up.calm = between.down.calm = True
            between.cut()  # posts that the relay never got are posted again after a joining
        count = 3 * rounds
        await until(lambda: all(device.get("count") == count for device in devices), "the whole count")
        await together(*devices)
        assert len(devices[0].core.keys()) == count + 1
        await stop(devices)


async def test_a_device_that_joins_while_others_write(tmp_path: Path) -> None:
    """Who comes into a room in full work has everything soon, and loses nothing that it wrote before it joined."""
    async with relay(tmp_path) as running:
        devices = [await Device(url(running)).start() for _ in range(2)]
        for n in range(300):
            await devices[n % 2].set(f"k{n % 50}", n)
            if n in (100, 200):
                late = await Device(url(running)).open()
                await late.set(f"late {n}", n)
                await late.sync.start()
                devices.append(late)
        await together(*devices)
        assert [devices[0].get(f"late {n}") for n in (100, 200)] == [100, 200]
        await stop(devices)


async def test_what_the_room_is_told_is_little(tmp_path: Path) -> None:
    """A device that comes back after a while reads what is new, and no more."""
    async with relay(tmp_path) as running:
        one = await Device(url(running)).start()
        for n in range(50):
            await one.set(f"k{n}", n)
        two = await Device(url(running)).start()
        await together(one, two)
        await two.stop()
        await one.set("new", 1)
        await until(lambda: one.synced)
        between = Between()
        two = await Device(url(running), two.disk, network=between).start()
        await until(lambda: alike(one, two))
        assert len(between.kinds(between.heard, ENVELOPE)) == 1
        assert len(between.kinds(between.heard, JOINED)) == len(between.kinds(between.heard, CURRENT)) == 1
        assert between.kinds(between.sent, POST) == []
        await stop([one, two])
