"""The Backend port over SQLite: one file, and one thread that works on it.

WAL with synchronous=FULL: when a write returns, it has been given to the disk with fsync.

The thread is there so that the event loop never waits for a disk. Each step of SQLite hands Python's
interpreter lock over and must get it back, so the usual batch, one record, is one statement: then it takes no
longer than without a thread while the loop has time to spare, and the loop is held up by 2 ms where it would be by 10
(the worst of 300; on a disk that flushes in 0.3 ms, and slow ones take a hundred times that). A loop that never
rests keeps the thread waiting, for seconds at worst.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from masq.errors import QuotaExceeded
from masq_store.core.errors import DamagedData, NewerData, StorageFailed, Superseded
from masq_store.native.device_folder import FolderUnavailable, make_private

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4D415344  # "MASD": tells this file from a relay's, and from another program's

BUSY_SECONDS = 5.0
"""How long a write waits for another engine's on the same file."""

WAL_BYTES = 16 << 20
"""The size that the write-ahead log is cut back to after it had to grow beyond."""

# Keys as UTF-8: their bytes sort as their code points do. One table with two trees, because contents are large.
SCHEMA = """
CREATE TABLE record (key BLOB NOT NULL PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE engine (generation INTEGER NOT NULL) STRICT;
INSERT INTO engine VALUES (0);
"""

PUT = "INSERT INTO record SELECT ?1, ?2 {} ON CONFLICT (key) DO UPDATE SET content = excluded.content"
PUT_ANY = PUT.format("WHERE true")  # without a WHERE, SQLite reads ON as a join's
PUT_MINE = PUT.format("WHERE ?3 IS NULL OR ?3 = (SELECT generation FROM engine)")

Result = TypeVar("Result")


class SQLite:
    """A `Backend` over one SQLite file; backends on the same file see each other's writes."""

    def __init__(self, sql: sqlite3.Connection, thread: ThreadPoolExecutor, path: Path) -> None:
        """For `open`: `sql` was made on `thread`, and is never used on another one."""
        self.path = path
        self._sql = sql
        self._thread = thread
        self._generation: int | None = None

    @classmethod
    async def open(cls, path: Path, *, max_bytes: int = 0) -> SQLite:
        """Open the file, made if need be with a folder for it. `max_bytes`: how large it may grow; 0: no limit.

        Raises FolderUnavailable and NewerData, and leaves what it finds as it is.
        """
        thread = ThreadPoolExecutor(1, "masq-sqlite")
        loop = asyncio.get_running_loop()
        try:
            sql = await loop.run_in_executor(thread, _connect, path, max_bytes)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(sql, thread, path)

    async def read(self, key: str) -> bytes | None:
        """Return the bytes under `key`, or None."""
        return await self._do(lambda: self._read(key.encode()))

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return every (key, bytes) whose key starts with `prefix`, ordered by key."""
        return await self._do(lambda: self._scan(prefix.encode()))

    async def write(self, puts: Sequence[tuple[str, bytes]], drops: Sequence[tuple[str, str]] = ()) -> None:
        """Drop the half-open key ranges, then write, all or nothing. Raises QuotaExceeded and Superseded."""
        encoded = [(key.encode(), content) for key, content in puts]
        ranges = [(first.encode(), end.encode()) for first, end in drops]
        await self._do(lambda: self._write(encoded, ranges))

    async def flush(self) -> None:
        """Return once what was written before is on the disk: `synchronous = FULL` has each write wait for that."""
        await self._do(lambda: None)

    async def claim(self) -> int:
        """Take the next engine generation; writes of earlier claimants raise Superseded from now on."""
        self._generation = await self._do(self._claim)
        return self._generation

    async def close(self) -> None:
        """Let the file go, after what is being written."""
        await self._do(self._sql.close)
        self._thread.shutdown(wait=False)

    # On the thread -----------------------------------------------------------------------------------------

    def _read(self, key: bytes) -> bytes | None:
        row = self._sql.execute("SELECT content FROM record WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def _scan(self, prefix: bytes) -> list[tuple[str, bytes]]:
        rows = self._sql.execute(
            "SELECT key, content FROM record WHERE key >= ? AND key < ? ORDER BY key",
            (prefix, prefix + b"\xff"),  # a byte that UTF-8 does not have
        )
        return [(key.decode(), content) for key, content in rows.fetchall()]

    def _write(self, puts: list[tuple[bytes, bytes]], drops: list[tuple[bytes, bytes]]) -> None:
        if len(puts) == 1 and not drops:
            self._write_one(*puts[0])
        else:
            self._write_many(puts, drops)

    def _write_one(self, key: bytes, content: bytes) -> None:
        if self._sql.execute(PUT_MINE, (key, content, self._generation)).rowcount == 0:
            raise Superseded()

    def _write_many(self, puts: list[tuple[bytes, bytes]], drops: list[tuple[bytes, bytes]]) -> None:
        with self._transaction():
            if self._generation is not None:
                (generation,) = self._sql.execute("SELECT generation FROM engine").fetchone()
                if generation != self._generation:
                    raise Superseded()
            self._sql.executemany("DELETE FROM record WHERE key >= ? AND key < ?", drops)
            self._sql.executemany(PUT_ANY, puts)

    def _claim(self) -> int:
        rows = self._sql.execute("UPDATE engine SET generation = generation + 1 RETURNING generation")
        return int(rows.fetchall()[0][0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._sql.execute("BEGIN IMMEDIATE")
            yield
            self._sql.execute("COMMIT")
        finally:
            if self._sql.in_transaction:  # SQLite itself may have ended it, on a full disk
                self._sql.execute("ROLLBACK")

    # -------------------------------------------------------------------------------------------------------

    async def _do(self, job: Callable[[], Result]) -> Result:
        """Do `job` on the thread, after what came before, and say in Masq's words what went wrong."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, job)
        except sqlite3.Error as error:
            code = _code(error)
            if code == sqlite3.SQLITE_FULL:
                raise QuotaExceeded("this device's disk is full", kind="device") from error
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise DamagedData(f"the file {self.path}") from error
            raise StorageFailed(f"the disk does not work as it should ({error})") from error


def _connect(path: Path, max_bytes: int) -> sqlite3.Connection:
    """Open the file on this thread, and see that it is ours."""
    make_private(path)
    try:
        sql = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
        try:
            _prepare(sql, path)
            if max_bytes:
                (page,) = sql.execute("PRAGMA page_size").fetchone()
                sql.execute(f"PRAGMA max_page_count = {max_bytes // page}")
        except BaseException:
            sql.close()
            raise
    except sqlite3.Error as error:
        raise FolderUnavailable(path.parent, str(error)) from error
    return sql


def _prepare(sql: sqlite3.Connection, path: Path) -> None:
    (version,) = sql.execute("PRAGMA user_version").fetchone()
    (owner,) = sql.execute("PRAGMA application_id").fetchone()
    new = version == 0 and not sql.execute("SELECT 1 FROM sqlite_master").fetchall()
    if not new and owner != APPLICATION_ID:
        raise FolderUnavailable(path.parent, f"{path.name} there belongs to another program")
    if version > SCHEMA_VERSION:
        raise NewerData(version, SCHEMA_VERSION)
    sql.execute("PRAGMA journal_mode = WAL")
    sql.execute("PRAGMA synchronous = FULL")
    sql.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    # What a profile leaves when it is erased could be read with the device's key, which stays.
    sql.execute("PRAGMA secure_delete = ON")
    if new:
        marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}"
        sql.executescript(f"BEGIN IMMEDIATE; {SCHEMA}; {marks}; COMMIT")


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 where the error is not SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
