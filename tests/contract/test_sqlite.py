"""The SQLite backend keeps the contract, and what only a disk can show: kill -9, no room, strangers' files."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import backend
import pytest

from masq.errors import QuotaExceeded
from masq_store.core.errors import DamagedData, NewerData, StorageFailed
from masq_store.native.device_folder import FolderUnavailable
from masq_store.native.sqlite import SQLite

pytestmark = pytest.mark.real_time(loop=asyncio.new_event_loop)

ROOT = Path(__file__).resolve().parents[2]
PATHS = os.pathsep.join(str(ROOT / part) for part in ("client", "store"))

WRITER = """
import asyncio, sys
from pathlib import Path
from masq_store.native.sqlite import SQLite

async def main():
    disk = await SQLite.open(Path(sys.argv[1]))
    await disk.claim()
    number = int(sys.argv[2])
    while True:
        content = b"%d " % number * 1000
        name = f"n/{number:09}"
        await disk.write([(name, content), ("last", content)], [("n/", f"n/{number - 20:09}")])
        await disk.write([("single", content)])
        print(number, flush=True)
        number += 1

asyncio.run(main())
"""
"""Writes whole batches without end, and says which of them have been acknowledged."""


@pytest.mark.parametrize("rule", backend.CONTRACT, ids=lambda rule: rule.__name__)
async def test_sqlite_keeps_the_backend_contract(rule, tmp_path):
    """Each rule of the backend contract holds for SQLite."""

    async def make(other=None):
        return await SQLite.open(other.path if other else tmp_path / "masq.sqlite3")

    await rule(make)


async def test_what_was_acknowledged_survives_kill_9(tmp_path):
    """A program that is killed while it writes leaves every acknowledged batch, and none in part."""
    path = tmp_path / "masq.sqlite3"
    first = 0
    for more in (60, 7, 150):
        acknowledged = kill_while_writing(path, first, more)
        first = await see_whole(path, acknowledged) + 1


def kill_while_writing(path, first, batches):
    """Start the writer at `first`, kill it after so many batches; return the last acknowledged number."""
    environment = dict(os.environ, PYTHONPATH=PATHS)
    command = [sys.executable, "-c", WRITER, str(path), str(first)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
        for _ in range(batches):
            assert program.stdout.readline(), "the writer ended by itself"
        program.kill()
        return int((program.stdout.read().split("\n")[-2:-1] or [first + batches - 1])[0])


async def see_whole(path, acknowledged):
    """Check what a killed writer left; return the newest number found."""
    disk = await SQLite.open(path)
    try:
        last = int((await disk.read("last")).split()[0])
        single = int((await disk.read("single")).split()[0])
        numbered = [(int(name[2:]), content) for name, content in await disk.scan("n/")]
    finally:
        await disk.close()
    assert last - 1 <= single <= last
    assert acknowledged <= single
    assert [number for number, _ in numbered] == list(range(max(0, last - 20), last + 1))
    assert all(content == b"%d " % number * 1000 for number, content in numbered)
    return last


async def test_a_full_disk_refuses_and_changes_nothing(tmp_path):
    """A batch for which there is no room raises QuotaExceeded, single records too; smaller ones pass then."""
    disk = await SQLite.open(tmp_path / "masq.sqlite3", max_bytes=1 << 20)
    await disk.claim()
    await disk.write([("a", b"1" * 300_000), ("z", b"small")])
    for puts in ([("b", bytes(800_000))], [("a", b"2"), ("b", bytes(1 << 20))]):
        with pytest.raises(QuotaExceeded) as caught:
            await disk.write(puts, [("z", "zz")] if len(puts) > 1 else ())
        assert "disk is full" in str(caught.value)
        assert await disk.scan("") == [("a", b"1" * 300_000), ("z", b"small")]
    await disk.write([("b", bytes(300_000))])
    await disk.write([("b", bytes(500_000))], [("a", "b")])
    assert [key for key, _ in await disk.scan("")] == ["b", "z"]
    await disk.close()


async def test_what_was_dropped_is_overwritten(tmp_path):
    """Once closed, the file no longer holds what was dropped."""
    path = tmp_path / "masq.sqlite3"

    async def story():
        disk = await SQLite.open(path)
        await disk.write([("a", b"found again" * 3), ("b", b"found again" * 3000), ("c", b"kept")])
        await disk.write([], [("a", "c")])
        await disk.close()

    await story()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"kept" in content
    assert b"found again" not in content


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
async def test_the_file_is_for_its_user_only(tmp_path):
    """Folder and files can be read by nobody else, whatever the umask."""
    folder = tmp_path / "new" / "device"

    async def story():
        disk = await SQLite.open(folder / "masq.sqlite3")
        await disk.write([("a", b"1")])
        modes = {stat.S_IMODE(file.stat().st_mode) for file in [*folder.iterdir()]}
        await disk.close()
        return modes

    before = os.umask(0)
    try:
        assert await story() == {0o600}
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_files_that_are_not_ours_are_left_alone(tmp_path):
    """Another program's file, a database of another kind, and one from a later version are refused and untouched."""

    async def refused(path, error):
        before = path.read_bytes()
        with pytest.raises(error) as caught:
            await SQLite.open(path)
        assert path.read_bytes() == before
        return str(caught.value)

    text = tmp_path / "text"
    text.write_bytes(b"no database at all, but long enough to be read as one" * 100)
    assert "not a database" in await refused(text, FolderUnavailable)
    other = tmp_path / "other"
    with sqlite3.connect(other) as sql:
        sql.execute("CREATE TABLE things (name)")
    sql.close()
    assert "other there belongs to another program" in await refused(other, FolderUnavailable)
    later = tmp_path / "later"
    await (await SQLite.open(later)).close()
    with sqlite3.connect(later) as sql:
        sql.execute("PRAGMA user_version = 2")
    sql.close()
    await refused(later, NewerData)
    with pytest.raises(FolderUnavailable, match=r"text cannot keep .* Not a directory|text cannot keep"):
        await SQLite.open(text / "inside")


async def test_damage_is_named(tmp_path):
    """A file whose pages were overwritten raises DamagedData where it is read, with the file's name."""
    path = tmp_path / "masq.sqlite3"

    async def fill():
        disk = await SQLite.open(path)
        await disk.write([(f"{number:04}", bytes(500)) for number in range(200)])
        await disk.close()

    async def read():
        disk = await SQLite.open(path)
        try:
            await disk.scan("")
        finally:
            await disk.close()

    await fill()
    page = 4096
    content = path.read_bytes()
    path.write_bytes(content[:page] + b"\x7f" * (len(content) - page))
    with pytest.raises(DamagedData, match="masq.sqlite3"):
        await read()


async def test_the_loop_goes_on_while_the_disk_is_busy(tmp_path):
    """A write that waits for another program's lock holds up nothing but itself, and then is done."""
    disk = await SQLite.open(tmp_path / "masq.sqlite3")
    stranger = sqlite3.connect(disk.path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    writing = asyncio.ensure_future(disk.write([("a", b"1")]))
    for _ in range(100):  # each turn of the loop would wait for seconds if the write did
        await asyncio.sleep(0.001)
    assert not writing.done()
    stranger.execute("COMMIT")
    await writing
    assert await disk.read("a") == b"1"
    await disk.close()
    stranger.close()


async def test_a_disk_that_fails_is_named(tmp_path, monkeypatch):
    """What is neither room nor damage raises StorageFailed: here another program that does not let go."""
    monkeypatch.setattr("masq_store.native.sqlite.BUSY_SECONDS", 0.05)
    disk = await SQLite.open(tmp_path / "masq.sqlite3")
    stranger = sqlite3.connect(disk.path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    for drops in ((), [("x", "y")]):
        with pytest.raises(StorageFailed, match="locked"):
            await disk.write([("a", b"1")], drops)
    stranger.execute("ROLLBACK")
    await disk.write([("a", b"1")])
    await disk.close()
    stranger.close()


async def test_closing_waits_for_what_is_being_written(tmp_path):
    """Writes that were begun before `close` are on disk after it; later ones raise."""
    disk = await SQLite.open(tmp_path / "masq.sqlite3")
    writes = [asyncio.ensure_future(disk.write([(f"{n:02}", b"x")])) for n in range(20)]
    await asyncio.sleep(0)
    await disk.close()
    await asyncio.gather(*writes)
    with pytest.raises(RuntimeError):
        await disk.write([("a", b"1")])
    again = await SQLite.open(disk.path)
    assert len(await again.scan("")) == 20
    await again.close()
