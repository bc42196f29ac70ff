"""Two devices without a browser pair and keep in step, over a real relay."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager

import pytest
from asynchronous import until
from device_rig import Persons, opened, paired
from relay_rig import PATIENCE, ROOT, relay

from masq_store.core.errors import NoRelay, PairingRefused, WrongPairingCode
from masq_store.native.device import Device
from masq_store.native.websocket import NativeNetwork

pytestmark = pytest.mark.real_time

APP = "https://counter.example"

PROGRAM = """
import asyncio, sys
from pathlib import Path
from masq_store.native.device import Device
from masq_store.native.websocket import NativeNetwork

async def main():
    async with Device(Path(sys.argv[1]), network=NativeNetwork(), relay=sys.argv[2]) as device:
        counter = await device.space("https://counter.example")
        while True:
            print(await counter.increment("n"), flush=True)

asyncio.run(main())
"""
"""Counts without end while it is in step with others, and says how far it has come."""


@asynccontextmanager
async def scene(tmp_path):
    """Two devices at one relay; the old one has a profile and an app."""
    async with relay(tmp_path / "relay") as running:
        url = f"ws://127.0.0.1:{running.port}"
        old = await opened(tmp_path / "old", url, "Desk")
        new = await opened(tmp_path / "new", url, "Lap")
        try:
            await old.create_profile("Ann")
            await old.approve(APP, "Counter")
            await (await old.space(APP)).update({"text": "é\x00😀", "n": 1})
            async with asyncio.timeout(3 * PATIENCE):
                yield old, new
        finally:
            await new.close()
            await old.close()


async def test_a_profile_comes_by_a_link_with_its_data(tmp_path):
    """After pairing the new device has the profile, its apps and their data, and both hear of each other's writes."""
    async with scene(tmp_path) as (old, new):
        persons = Persons(typed=["12 34"])  # not six digits: asked again
        assert await paired(old, new, persons) == ["Lap", "Ann"]
        assert (persons.offered, persons.asked) == ("Ann", [False, True])
        assert new.profile == "Ann"
        one, two = await old.space(APP), await new.space(APP)
        assert await two.items() == {"text": "é\x00😀", "n": 1}
        async with two.watch() as watch:
            await two.has("k")  # the watch was asked for before, so it is open now
            await one.set("k", b"\x00\xff")
            change = await anext(watch)
            assert (change.key, change.value, change.source) == ("k", b"\x00\xff", "device")
        await asyncio.gather(*(space.increment("n") for space in [one, two] * 10))
        for space in (one, two):
            while await space.get("n") != 21:
                await asyncio.sleep(0.01)
        names = {device["name"] for device in new.engine.parts.devices.describe()}
        assert names == {"Desk", "Lap"}


async def test_what_was_written_apart_meets_after_a_restart(tmp_path):
    """What each device wrote while the other was closed is on both once both are open again."""
    async with scene(tmp_path) as (old, new):
        assert await paired(old, new, Persons()) == ["Lap", "Ann"]
        await old.close()
        await (await new.space(APP)).set("by", "Lap")
        await new.close()
        await old.open()
        await (await old.space(APP)).set("and", "Desk")
        await new.open()
        for device in (old, new):
            space = await device.space(APP)
            while not {"by", "and"} <= (await space.items()).keys():
                await asyncio.sleep(0.01)


async def test_counts_survive_kill_9_of_one_device(tmp_path):
    """A device that is killed while it sends loses no count that was acknowledged, and none counts twice."""
    async with scene(tmp_path) as (old, new):
        assert await paired(old, new, Persons()) == ["Lap", "Ann"]
        one = await old.space(APP)
        relay_url = new.engine.parts.devices.default_relay
        await new.close()
        for more in (150, 10, 60):
            acknowledged = await count_and_kill(new.folder, relay_url, more)
            counted_here = await one.increment("m")
            await new.open()
            two = await new.space(APP)
            before = await two.get("n")
            assert acknowledged <= before <= acknowledged + 1
            while await one.get("n") != before or await two.get("m") != counted_here:
                await asyncio.sleep(0.01)
            assert await two.get("n") == before
            await new.close()
        await new.open()  # for the scene to close


async def count_and_kill(folder, url, counts):
    """Run the counting program, kill it after so many counts; return the last one that it was told of."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT / "client"), str(ROOT / "store")]))
    command = [sys.executable, "-c", PROGRAM, str(folder), url]
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe)
    lines = [await program.stdout.readline() for _ in range(counts)]
    program.kill()
    lines += (await program.stdout.read()).splitlines(keepends=True)
    await program.wait()
    return int([line for line in lines if line.endswith(b"\n")][-1])


@pytest.mark.parametrize("wrong", ["digits", "no"])
async def test_a_pairing_that_fails_leaves_nothing(tmp_path, wrong):
    """With wrong digits, or a no to the profile, both calls raise, and the new device has nothing."""
    async with scene(tmp_path) as (old, new):
        if wrong == "digits":
            persons = Persons()
            shown = persons.code

            async def mistype(again):
                return f"{(int(await shown) + 1) % 1_000_000:06}"

            persons.ask_code = mistype
        else:
            persons = Persons(agrees=False)
        given, taken = await paired(old, new, persons)
        kind = WrongPairingCode if wrong == "digits" else PairingRefused
        assert (type(given), type(taken)) == (kind, kind)
        assert new.profile is None and not new.locked
        assert len(old.engine.parts.devices.describe()) == 1


async def test_a_person_who_stops_waiting_ends_it(tmp_path):
    """A call that is cancelled ends the pairing, and the other device is told."""
    async with scene(tmp_path) as (old, new):
        persons = Persons()
        giving = asyncio.ensure_future(
            old.add_device(show_link=persons.link.set_result, ask_code=persons.ask_code)
        )
        taking = asyncio.ensure_future(
            new.take_profile(await persons.link, show_code=persons.code.set_result, agree=persons.agree)
        )
        await until(lambda: persons.code.done())
        giving.cancel()
        with pytest.raises(PairingRefused):
            await taking
        assert giving.cancelled()


async def test_without_a_relay_there_is_no_pairing(tmp_path):
    """A device that knows no relay, or has no network, says so."""
    for network in (None, NativeNetwork()):
        async with Device(tmp_path, network=network) as device:
            if device.profile is None:
                await device.create_profile("Ann")
            persons = Persons()
            with pytest.raises(NoRelay):
                await device.add_device(show_link=persons.link.set_result, ask_code=persons.ask_code)
