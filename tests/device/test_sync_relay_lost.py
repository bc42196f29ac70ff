"""The relay is killed, loses its log, or goes back to an older copy of it: devices recover, and nothing is lost."""

from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import relay_rig
from asynchronous import until
from relay_rig import BEGINNING, Command, connect, in_thread
from space_sync_rig import Device, alike, keys_of_the_room, stop, together, url
from sync_between import ENVELOPE, JOINED, POST, POST_FRONT, STORED, Between

from masq_store.core.sync import machine

pytestmark = pytest.mark.real_time


async def started(folder: Path, port: int = 0) -> Command:
    """Return a relay as a program of its own; at a known port after the first time."""
    running = await in_thread(lambda: Command(folder, "--port", str(port), "--log", "error"))
    assert running.port, running.program.stderr.read()
    return running


async def again(running: Command, folder: Path, change: Callable[[], None] = lambda: None) -> Command:
    """End the relay in order, change its folder, and start it at the same port."""
    await in_thread(running.end)
    await in_thread(change)
    return await started(folder, running.port)


async def log_of(running: Command) -> dict[int, bytes]:
    """Return the room's log, by number."""
    keys = await keys_of_the_room()
    client = await connect(running.port)
    await client.join(room=keys.room, token=keys.token, cursor=BEGINNING)
    found = dict(relay_rig.envelopes(await client.take("CURRENT")))
    await client.close()
    return found


def acknowledged(between: Between) -> dict[int, bytes]:
    """Return the envelopes that the relay said it had stored, by number; of a device with one room."""
    found: dict[int, bytes] = {}
    posted = {frame[3:7]: frame[POST_FRONT:] for frame in between.kinds(between.sent, POST)}
    for frame in between.kinds(between.heard, STORED):
        if frame[3:7] in posted:  # or it is a part of a snapshot
            found[int.from_bytes(frame[7:15], "big")] = posted[frame[3:7]]
    return found


def resets(between: Between) -> int:
    """Return how often the relay said that the cursor was not in its log."""
    return sum(frame[-1] & 1 for frame in between.kinds(between.heard, JOINED))


async def test_a_relay_that_is_killed_has_all_that_it_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After SIGKILL in full work each envelope that was acknowledged stands at its number, and devices go on."""
    # Where the machine is slow the log grows long before the third kill, and a snapshot would cut it short.
    monkeypatch.setattr(machine, "SNAPSHOT_ENTRIES", 1 << 30)
    running = await started(tmp_path)
    betweens = [Between() for _ in range(3)]
    devices = [await Device(url(running), network=between).start() for between in betweens]
    over = False

    async def work(device: Device, name: int) -> None:
        for n in range(100_000):
            if over:
                return
            await device.set(f"{name}/{n % 40}", "x" * (n % 300))
            await device.increment("count")
            counts[name] += 1
            await asyncio.sleep(0.001)

    counts = [0, 0, 0]
    tasks = [asyncio.ensure_future(work(device, name)) for name, device in enumerate(devices)]
    for killed in range(1, 4):
        await until(lambda k=killed: min(len(acknowledged(between)) for between in betweens) > 20 * k)
        running.program.kill()
        running.program.communicate()
        promised = [acknowledged(between) for between in betweens]
        running = await started(tmp_path, running.port)
        log = await log_of(running)
        for each in promised:
            assert each and each.items() <= log.items()
        for between in betweens:
            between.back()
        await until(lambda: all(device.link.state == "open" for device in devices))
    over = True
    await asyncio.gather(*tasks)
    await together(*devices)
    assert devices[0].get("count") == sum(counts)
    assert [resets(between) for between in betweens] == [0, 0, 0]
    await stop(devices)
    running.kill()


async def test_a_relay_whose_data_were_deleted(tmp_path: Path) -> None:
    """A relay that begins with an empty folder is filled again by who comes first, also with what others wrote."""
    folder = tmp_path / "relay"
    running = await started(folder)
    betweens = [Between() for _ in range(3)]
    one, two, three = devices = [await Device(url(running), network=between).start() for between in betweens]
    for n in range(30):
        await devices[n % 3].set(f"k{n}", n)
        await devices[n % 3].increment("count", n)
    await together(*devices)
    await one.stop()
    await one.open()
    await one.set("while away", 1)
    await three.stop()

    running = await again(running, folder, lambda: shutil.rmtree(folder))
    betweens[1].back()
    await until(lambda: resets(betweens[1]) == 1 and two.synced, "the device that was there")
    await two.set("after", 1)
    await until(lambda: two.synced)
    newcomer = await Device(url(running)).start()
    await until(lambda: alike(two, newcomer), "what `two` had of the others")
    assert newcomer.get("count") == sum(range(30)) and newcomer.get("k1") == 1

    await one.sync.start()
    three = await Device(url(running), three.disk).start()
    await together(one, two, three, newcomer)
    assert (three.get("while away"), one.get("after")) == (1, 1)
    assert three.get("count") == sum(range(30))
    await stop([one, two, three, newcomer])
    running.kill()


async def test_a_relay_whose_data_are_deleted_while_everybody_is_there(tmp_path: Path) -> None:
    """All devices find the log gone at once, and fill it; counters count each increment once."""
    folder = tmp_path / "relay"
    running = await started(folder)
    betweens = [Between() for _ in range(3)]
    devices = [await Device(url(running), network=between).start() for between in betweens]
    for round_ in range(1, 4):
        for n in range(20):
            await devices[n % 3].increment("count")
            await devices[n % 3].set(f"{round_}/{n}", n)
        if round_ > 1:
            await together(*devices)
        running = await again(running, folder, lambda: shutil.rmtree(folder))
        for between in betweens:
            between.back()
        await until(lambda: all(device.link.state == "open" for device in devices))
    await together(*devices)
    assert devices[2].get("count") == 60
    assert len(devices[2].core.keys()) == 61
    await stop(devices)
    running.kill()


async def test_a_relay_that_went_back_to_an_older_copy(tmp_path: Path) -> None:
    """What the older copy lacks is posted again by who has it, and comes to who had never seen it."""
    folder, kept = tmp_path / "relay", tmp_path / "copy"
    running = await started(folder)
    between = Between()
    one = await Device(url(running), network=between).start()
    two = await Device(url(running)).start()
    for n in range(10):
        await one.set(f"before {n}", n)
    await together(one, two)
    await two.stop()
    running = await again(running, folder, lambda: shutil.copytree(folder, kept))
    between.back()
    await until(lambda: one.link.state == "open")
    for n in range(10):
        await one.set(f"after {n}", n)
        await one.increment("count")
    await until(lambda: one.synced)
    assert resets(between) == 0

    def roll_back() -> None:
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)

    running = await again(running, folder, roll_back)
    between.back()
    await until(lambda: resets(between) == 1 and one.synced)
    two = await Device(url(running), two.disk).start()
    await together(one, two)
    assert (two.get("after 9"), two.get("count")) == (9, 10)
    await stop([one, two])
    running.kill()


async def test_a_log_that_went_back_and_grew_past_the_cursor(tmp_path: Path) -> None:
    """A device whose place is the number of another envelope by now notices by the tag, and loses nothing."""
    folder, kept = tmp_path / "relay", tmp_path / "copy"
    running = await started(folder)
    one = await Device(url(running)).start()
    two = await Device(url(running)).start()
    for n in range(5):
        await one.set(f"before {n}", n)
    await together(one, two)
    await two.stop()
    disk_two = copy.deepcopy(two.disk)
    await one.stop()
    running = await again(running, folder, lambda: shutil.copytree(folder, kept))
    one = await Device(url(running), one.disk).start()
    for n in range(10):
        await one.set(f"one {n}", n)
        await one.increment("count")
    await until(lambda: one.synced)
    cursor = one.sync._sync.log.number
    await one.stop()

    def roll_back() -> None:
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)

    running = await again(running, folder, roll_back)
    between = Between()
    two = await Device(url(running), disk_two, network=between).start()
    for n in range(30):
        await two.set(f"two {n}", n)
        await two.increment("count")
        await until(lambda: two.synced)
    assert len(await log_of(running)) > cursor
    assert resets(between) == 0

    between = Between()
    one = await Device(url(running), one.disk, network=between).start()
    await together(one, two)
    assert resets(between) == 1 and between.kinds(between.heard, ENVELOPE)
    assert one.get("count") == two.get("count") == 40
    assert (two.get("one 9"), one.get("two 29")) == (9, 29)
    await stop([one, two])
    running.kill()
