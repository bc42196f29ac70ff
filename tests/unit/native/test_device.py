"""A device without a browser: its folder, its profile and its spaces, over restarts and kill -9."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from patience import seconds

from masq.errors import Disconnected, InvalidValue, Locked, NotRegistered, ProtocolError
from masq_store.core.errors import DamagedData, Superseded, WrongPassphrase
from masq_store.native.crypto import NativeCrypto
from masq_store.native.device import Device
from masq_store.native.device_folder import FolderUnavailable
from masq_store.native.sqlite import SQLite

pytestmark = pytest.mark.real_time(loop=asyncio.new_event_loop)

ROOT = Path(__file__).resolve().parents[3]
APP = "https://counter.example"
OTHER = "https://tasks.example"

PROGRAM = """
import asyncio, sys
from pathlib import Path
from masq_store.native.device import Device

async def main():
    async with Device(Path(sys.argv[1])) as device:
        if device.profile is None:
            await device.create_profile("Ann")
            await device.approve("https://counter.example", "Counter")
        counter = await device.space("https://counter.example")
        while True:
            number = await counter.increment("count")
            await counter.update({"text": "é" * 3000, f"n{number % 40}": number})
            print(number, flush=True)

asyncio.run(main())
"""
"""Counts without end, and says how far it has come."""


async def opened(folder, passphrase="", stay_unlocked=True):
    """Return an open device with a profile that has approved the app."""
    device = Device(folder)
    await device.open()
    await device.create_profile("Ann", passphrase, stay_unlocked)
    await device.approve(APP, "Counter")
    return device


async def test_a_space_reads_and_writes(tmp_path):
    """An approved app's space takes values of every kind and gives them back, and another app's is apart."""
    device = await opened(tmp_path)
    assert device.profile == "Ann" and not device.locked
    await device.approve(OTHER, "Tasks")
    async with await device.space(APP) as space, await device.space(OTHER) as other:
        value = {"text": "é\x00😀", "list": [1, 2.5, None, True], "bytes": b"\x00\xff", "big": 2**70}
        await space.set("all", value)
        assert await space.get("all") == value
        assert await asyncio.gather(*(space.increment("n", 2) for _ in range(5))) == [2, 4, 6, 8, 10]
        assert await space.delete("all", "never") == 1
        assert await space.items() == {"n": 10}
        assert await other.items() == {}
        assert space.status.profile == "Ann"
        with pytest.raises(InvalidValue):
            await space.set("n", object())
    with pytest.raises(Disconnected):
        await space.get("n")
    await device.close()


async def test_two_holders_of_a_space_hear_of_each_other(tmp_path):
    """A watch on one tells what the other has written."""
    device = await opened(tmp_path)
    one, two = await device.space(APP), await device.space(APP)
    async with asyncio.timeout(seconds(10)), two.watch() as watch:
        await two.has("k")  # the watch was asked for before, so it is open now
        await one.set("k", 1)
        change = await anext(watch)
        assert (change.key, change.value) == ("k", 1)
    await device.close()


async def test_everything_is_there_after_a_restart(tmp_path):
    """A profile without a passphrase is open again at once, with its data."""
    device = await opened(tmp_path)
    await (await device.space(APP)).set("k", "v")
    await device.close()
    async with device:
        assert device.profile == "Ann"
        assert await (await device.space(APP)).items() == {"k": "v"}


async def test_a_locked_profile_waits_for_its_passphrase(tmp_path):
    """With a passphrase and without "stay unlocked" nothing opens it but the passphrase."""
    await (await opened(tmp_path, "correct horse", False)).close()
    async with Device(tmp_path) as device:
        assert device.profile is None and device.locked
        with pytest.raises(Locked):
            await device.space(APP)
        with pytest.raises(NotRegistered):
            await device.space(OTHER)
        with pytest.raises(Locked):
            await device.approve(OTHER, "Tasks")
        with pytest.raises(WrongPassphrase):
            await device.unlock("wrong")
        await device.unlock("correct horse", stay_unlocked=True)
        await (await device.space(APP)).set("k", 1)
    async with Device(tmp_path) as device:
        assert device.profile == "Ann"


async def test_only_approved_apps_have_a_space(tmp_path):
    """A stranger's space is refused, a withdrawn app's ends, and what is no origin is refused by name."""
    device = await opened(tmp_path)
    with pytest.raises(NotRegistered, match="tasks.example"):
        await device.space(OTHER)
    with pytest.raises(ProtocolError):
        await device.approve("http://tasks.example/path", "Tasks")
    space = await device.space(APP)
    await device.engine.commands.withdraw(APP)
    with pytest.raises(NotRegistered):
        await space.get("k")
    await device.close()


async def test_an_empty_folder_has_no_profile(tmp_path):
    """A new device is open, and has nobody's data."""
    async with Device(tmp_path / "new") as device:
        assert device.profile is None and not device.locked
        with pytest.raises(NotRegistered):
            await device.space(APP)


async def test_a_folder_has_one_program(tmp_path):
    """A second device on the same folder is refused and harms nothing; it may open once the first has closed."""
    device = await opened(tmp_path)
    second = Device(tmp_path)
    with pytest.raises(FolderUnavailable, match="another program is using it"):
        await second.open()
    await second.close()
    await (await device.space(APP)).set("k", 1)
    await device.close()
    async with second:
        assert await (await second.space(APP)).get("k") == 1


async def test_a_folder_that_fails_to_open_is_let_go(tmp_path):
    """After a refusal nothing holds the folder: put right, it opens."""
    await (await opened(tmp_path)).close()
    key = (tmp_path / "device.key").read_bytes()
    device = Device(tmp_path)
    for wrong in (b"", key[:-1], bytes(32)):  # no passphrase: only that key opens it
        (tmp_path / "device.key").write_bytes(wrong)
        with pytest.raises(DamagedData):
            await device.open()
    (tmp_path / "device.key").write_bytes(key)
    async with device:
        assert device.profile == "Ann"


async def test_what_was_acknowledged_survives_kill_9(tmp_path):
    """A program that is killed while it counts has lost no count that it was told of, and its folder opens again."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT / "client"), str(ROOT / "store")]))
    told = {}  # the newest count that the program has acknowledged, by the key where it stands
    for more in (300, 20, 100):  # 300 are more than the journal takes before a checkpoint
        command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
            lines = [program.stdout.readline() for _ in range(more)]
            program.kill()
            lines += program.stdout.readlines()
        for number in (int(line) for line in lines if line.endswith("\n")):
            told[f"n{number % 40}"] = number
        found = await count(tmp_path)
        total = found.pop("count")
        assert found.pop("text") == "é" * 3000
        unheard = {key for key in found if found[key] != told.get(key)}
        assert told.keys() <= found.keys()
        assert len(unheard) <= 1 and all(found[key] > max(told.values()) for key in unheard)
        assert total - 1 <= max(found.values()) <= total
        told |= {
            key: found[key] for key in unheard
        }  # it stands there from now on, and the next run counts on


async def count(folder):
    """Return what the counting program has left."""
    async with Device(folder) as device:
        return await (await device.space("https://counter.example")).items()


async def test_nothing_in_the_folder_is_readable(tmp_path):
    """Neither keys nor values nor origins stand in the files in clear, also while the device is open."""
    device = await opened(tmp_path, "correct horse")
    await (await device.space(APP)).update({f"secret key {n}": "secret value " * 50 for n in range(300)})
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    await device.close()
    content += b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for clear in (b"secret", b"counter.example", b"correct horse"):
        assert clear not in content


async def test_the_key_file_is_private_and_stays(tmp_path):
    """Two runs get one key from a file that only its user may read, even if the rights were changed between."""
    path = tmp_path / "sub" / "device.key"
    first = NativeCrypto(path)
    sealed = await first.seal(await first.device_key(), bytes(12), b"root", b"")
    content = path.read_bytes()
    assert len(content) == 32 and await first.keeps_keys() == "plain"
    path.chmod(0o644)
    second = NativeCrypto(path)
    assert await second.open(await second.device_key(), bytes(12), sealed, b"") == b"root"
    assert path.read_bytes() == content and [*path.parent.iterdir()] == [path]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    without = NativeCrypto()
    with pytest.raises(DamagedData):
        await without.open(await without.device_key(), bytes(12), sealed, b"")
    assert await without.keeps_keys() == "kept"


async def test_a_profile_with_a_passphrase_outlives_its_device_key(tmp_path):
    """Where the key file is lost, the passphrase still opens the profile, and a new key is kept for the next time."""
    await (await opened(tmp_path, "correct horse")).close()
    (tmp_path / "device.key").unlink()
    async with Device(tmp_path) as device:
        assert device.locked
        await device.unlock("correct horse", stay_unlocked=True)
    async with Device(tmp_path) as device:
        assert device.profile == "Ann"


async def test_a_disk_that_fails_is_told(tmp_path):
    """When another engine has taken the storage over, writes raise and the program hears of it."""
    failures = []
    device = Device(tmp_path, failed=failures.append)
    await device.open()
    await device.create_profile("Ann")
    await device.approve(APP, "Counter")
    space = await device.space(APP)
    stranger = await SQLite.open(tmp_path / "masq.sqlite3")
    await stranger.claim()
    with pytest.raises(Superseded):
        await space.set("k", 1)
    assert [type(error) for error in failures] == [Superseded]
    await stranger.close()
    await device.close()
