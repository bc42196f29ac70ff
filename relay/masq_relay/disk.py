"""What the relay keeps: one SQLite file, written by one thread (`Disk`) and read by another (`Reading`).

WAL with synchronous=FULL: when a commit returns, what it wrote has been given to the disk with fsync.
Deleting is never done where somebody waits: ranges to delete are noted in `refuse` and swept in small steps.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from masq_relay import sheets
from masq_relay.frames import NO_TAG, TAG_BYTES

FILE = "relay.sqlite3"
SCHEMA_VERSION = 1
APPLICATION_ID = 0x4D415351  # "MASQ": tells this file from another program's

NUMBER_BITS = 36
"""A sheet's key is room id and last number in one integer: 2^27 rooms, and 2^36 envelopes in each."""
PART_BITS = 16

SWEEP_ROWS = 64
SWEEP_PAGES = 256

SCHEMA = """
CREATE TABLE room (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, token BLOB NOT NULL, touched INTEGER NOT NULL,
    start INTEGER NOT NULL DEFAULT 0, trimmed INTEGER NOT NULL DEFAULT 0, snapshot INTEGER
) STRICT;
CREATE INDEX room_touched ON room (touched);
CREATE TABLE sheet (
    key INTEGER PRIMARY KEY, first INTEGER NOT NULL, time INTEGER NOT NULL, total INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY AUTOINCREMENT, room INTEGER NOT NULL, number INTEGER NOT NULL, tag BLOB NOT NULL,
    parts INTEGER NOT NULL, bytes INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX snapshot_room ON snapshot (room);
CREATE TABLE part (key INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE refuse (id INTEGER PRIMARY KEY, parts INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL)
STRICT;
"""


class DiskFailed(Exception):
    """The disk did not take or give what it should have; nothing of the commit was kept."""


class UnusableData(Exception):
    """The data directory cannot be used; the sentence says why, for the person who starts the relay."""


class SnapshotKept(NamedTuple):
    """A whole snapshot: it stands for all up to (`number`, `tag`)."""

    id: int
    number: int
    tag: bytes
    parts: int
    bytes: int


class Kept(NamedTuple):
    """A room on disk. `total`: weight of all envelopes ever; `trimmed`: of those up to `start`, which are gone."""

    id: int
    token: bytes
    touched: int
    start: int
    trimmed: int
    snapshot: SnapshotKept | None
    head: int
    total: int


@dataclass(eq=False, slots=True)
class Incoming:
    """A snapshot that is being written. Its last two fields belong to the thread that writes.

    `touched`: when its writer last came further than before, in seconds since 1970, and `furthest`: to how many parts.
    Whoever begins anew is where it was: the place is not held by part 0 for ever. `since`: when it took the place.
    """

    set: bytes
    of: int
    number: int
    tag: bytes
    next: int = 0
    bytes: int = 0
    touched: float = 0.0
    furthest: int = 0
    since: float = 0.0
    refused: bool = False
    disk_id: int | None = None


class PartWork(NamedTuple):
    """One part of a snapshot to write."""

    incoming: Incoming
    part: int
    envelope: bytes


@dataclass(slots=True)
class Work:
    """What one commit adds to one room. `id` is None where the room is not on disk yet."""

    key: bytes
    token: bytes
    id: int | None
    head: int
    total: int
    start: int
    envelopes: list[bytes]
    parts: list[PartWork]


@dataclass(slots=True)
class Done:
    """What came of a `Work`: the room's id and weight, refused parts, and a snapshot that is whole now."""

    id: int
    total: int
    refused: dict[int, str] = field(default_factory=dict)
    """Index in `parts` to a sentence."""
    snapshot: SnapshotKept | None = None
    trimmed: int = 0


class _Tables:
    """What both connections can ask."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def close(self) -> None:
        """Let the file go."""
        self._sql.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        try:
            self._sql.execute(begin)
            try:
                yield
            except BaseException:
                self._sql.execute("ROLLBACK")
                raise
            self._sql.execute("COMMIT")
        except (sqlite3.Error, OSError, sheets.DamagedSheet) as error:
            # A COMMIT that failed may have left the transaction open.
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise DiskFailed(f"{type(error).__name__}: {error}") from error

    def _snapshot(self, id: int | None) -> SnapshotKept | None:
        if id is None:
            return None
        row = self._sql.execute("SELECT id, number, tag, parts, bytes FROM snapshot WHERE id = ?", (id,))
        return SnapshotKept(*row.fetchone())

    def _kept(self, key: bytes) -> Kept | None:
        row = self._sql.execute(
            "SELECT id, token, touched, start, trimmed, snapshot FROM room WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        id, token, touched, start, trimmed, snapshot = row
        last = self._sql.execute(
            "SELECT key, total FROM sheet WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1",
            _all_of(id),
        ).fetchone()
        head, total = (0, 0) if last is None else (last[0] - _base(id), last[1])
        return Kept(id, token, touched, start, trimmed, self._snapshot(snapshot), head, total)

    def _sheet_with(self, room: int, number: int) -> tuple[int, int, list[bytes]] | None:
        """Return (first number, weight up to its end, envelopes) of the sheet that holds `number`, or None."""
        row = self._sql.execute(
            "SELECT first, total, content FROM sheet WHERE key BETWEEN ? AND ? ORDER BY key LIMIT 1",
            (_base(room) + number, _all_of(room)[1]),
        ).fetchone()
        if row is None or number < row[0]:
            return None
        return row[0], row[1], list(sheets.read(row[2]))

    def _has(self, room: int, start: int, snapshot: SnapshotKept | None, number: int, tag: bytes) -> bool:
        """Tell whether (number, tag) is in the room's log, or its beginning, or where its snapshot ends."""
        if number == 0:
            return tag == NO_TAG
        if snapshot is not None and number == snapshot.number:
            return tag == snapshot.tag
        if number <= start or number >= 1 << NUMBER_BITS:
            return False
        found = self._sheet_with(room, number)
        return found is not None and found[2][number - found[0]][-TAG_BYTES:] == tag


class Disk(_Tables):
    """The connection that writes. All of it runs on one thread."""

    def commit(self, works: Sequence[Work], now_ms: int) -> list[Done]:
        """Write all of this in one transaction, in order; when it returns, it is on disk. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            return [self._one(work, now_ms) for work in works]

    def _one(self, work: Work, now_ms: int) -> Done:
        id = work.id
        if id is None:
            id = self._sql.execute(
                "INSERT INTO room (key, token, touched) VALUES (?, ?, ?)", (work.key, work.token, now_ms)
            ).lastrowid
            assert id is not None
        done = Done(id, work.total)
        first = work.head + 1
        for run in sheets.split(work.envelopes):
            last = first + len(run) - 1
            done.total += sheets.weigh(run)
            self._sql.execute(
                "INSERT INTO sheet (key, first, time, total, content) VALUES (?, ?, ?, ?, ?)",
                (_base(id) + last, first, now_ms, done.total, sheets.write(run)),
            )
            first = last + 1
        for index, part in enumerate(work.parts):
            sentence = self._part(id, work, part, done)
            if sentence:
                part.incoming.refused = True
                done.refused[index] = sentence
        return done

    def _part(self, room: int, work: Work, part: PartWork, done: Done) -> str | None:
        """Write a part; the last one makes the snapshot stand for the log. Returns why it was refused, or None."""
        incoming = part.incoming
        if incoming.refused:
            return "An earlier part of this snapshot was refused."
        row = self._sql.execute("SELECT start, snapshot FROM room WHERE id = ?", (room,)).fetchone()
        older = self._snapshot(row[1])
        if older is not None and incoming.number <= older.number:
            return f"There is a snapshot up to {older.number} already."
        if incoming.disk_id is None:
            if incoming.number == 0 or not self._has(room, row[0], older, incoming.number, incoming.tag):
                return "The envelope that this snapshot ends with is not in the room's log."
            incoming.disk_id = self._sql.execute(
                "INSERT INTO snapshot (room, number, tag, parts) VALUES (?, ?, ?, ?)",
                (room, incoming.number, incoming.tag, incoming.of),
            ).lastrowid
            assert incoming.disk_id is not None
        id = incoming.disk_id
        self._sql.execute(
            "INSERT INTO part (key, content) VALUES (?, ?)", ((id << PART_BITS) + part.part, part.envelope)
        )
        self._sql.execute(
            "UPDATE snapshot SET bytes = bytes + ? WHERE id = ?", (len(part.envelope) + sheets.ENTRY, id)
        )
        if part.part == incoming.of - 1:
            self._finish(room, id, older, done)
        return None

    def _finish(self, room: int, id: int, older: SnapshotKept | None, done: Done) -> None:
        """Let the log begin after the snapshot, in the same transaction as its last part: never before it is kept."""
        self._sql.execute("UPDATE snapshot SET done = 1 WHERE id = ?", (id,))
        snapshot = self._snapshot(id)
        assert snapshot is not None
        found = self._sheet_with(room, snapshot.number)
        assert found is not None, "the snapshot's number was in the log when it began, and nothing else trims"
        first, total, envelopes = found
        trimmed = total - sheets.weigh(envelopes[snapshot.number - first + 1 :])
        self._sql.execute(
            "UPDATE room SET start = ?, trimmed = ?, snapshot = ? WHERE id = ?",
            (snapshot.number, trimmed, id, room),
        )
        low, high = _all_of(room)
        (last,) = self._sql.execute(
            "SELECT max(key) FROM sheet WHERE key BETWEEN ? AND ?", (low, high)
        ).fetchone()
        # The last sheet stays even where all of it is trimmed: it says what the head is.
        self._refuse(False, low, min(_base(room) + snapshot.number, last - 1))
        if older is not None:
            self._drop_snapshot(older.id)
        done.snapshot, done.trimmed = snapshot, trimmed

    def _refuse(self, parts: bool, low: int, high: int) -> None:
        if low <= high:
            self._sql.execute("INSERT INTO refuse (parts, low, high) VALUES (?, ?, ?)", (parts, low, high))

    def _drop_snapshot(self, id: int) -> None:
        self._refuse(True, id << PART_BITS, ((id + 1) << PART_BITS) - 1)
        self._sql.execute("DELETE FROM snapshot WHERE id = ?", (id,))

    def drop_incoming(self, incoming: Incoming) -> None:
        """Forget a snapshot unless it was finished. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            for (id,) in self._sql.execute(
                "SELECT id FROM snapshot WHERE id = ? AND done = 0", (incoming.disk_id,)
            ).fetchall():
                self._drop_snapshot(id)

    def touch(self, rooms: Sequence[int], now_ms: int) -> None:
        """Note that these rooms are in use. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            self._sql.executemany("UPDATE room SET touched = ? WHERE id = ?", [(now_ms, id) for id in rooms])

    def idle(self, before_ms: int, most: int) -> list[tuple[int, bytes]]:
        """Return (id, key) of rooms that were last used before then, the oldest first. Raises DiskFailed."""
        with self._transaction("BEGIN"):
            return self._sql.execute(
                "SELECT id, key FROM room WHERE touched < ? ORDER BY touched LIMIT ?", (before_ms, most)
            ).fetchall()

    def forget(self, rooms: Sequence[int]) -> None:
        """Forget these rooms and all they keep. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            for room in rooms:
                self._refuse(False, *_all_of(room))
                for (id,) in self._sql.execute("SELECT id FROM snapshot WHERE room = ?", (room,)).fetchall():
                    self._drop_snapshot(id)
                self._sql.execute("DELETE FROM room WHERE id = ?", (room,))

    def sweep(self) -> bool:
        """Delete a little of what nobody needs. Returns whether there is more. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            row = self._sql.execute("SELECT id, parts, low, high FROM refuse LIMIT 1").fetchone()
            if row is None:
                return False
            id, parts, low, high = row
            table = "part" if parts else "sheet"
            gone = self._sql.execute(
                f"DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE key BETWEEN ? AND ? LIMIT ?)",
                (low, high, SWEEP_ROWS),
            ).rowcount
            if gone < SWEEP_ROWS:
                self._sql.execute("DELETE FROM refuse WHERE id = ?", (id,))
        try:
            self._sql.execute(f"PRAGMA incremental_vacuum({SWEEP_PAGES})").fetchall()
        except sqlite3.Error as error:
            raise DiskFailed(str(error)) from error
        return True

    def size(self) -> tuple[int, int]:
        """Return (rooms, bytes that the file uses). Raises DiskFailed."""
        with self._transaction("BEGIN"):
            (rooms,) = self._sql.execute("SELECT count(*) FROM room").fetchone()
            (pages,) = self._sql.execute("PRAGMA page_count").fetchone()
            (free,) = self._sql.execute("PRAGMA freelist_count").fetchone()
            (page,) = self._sql.execute("PRAGMA page_size").fetchone()
        return rooms, (pages - free) * page

    def clean_up(self) -> None:
        """Forget the snapshots that were unfinished when the relay last ended. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            for (id,) in self._sql.execute("SELECT id FROM snapshot WHERE done = 0").fetchall():
                self._drop_snapshot(id)


class Page(NamedTuple):
    """A piece of a room to send on.

    `snapshot`: the room's, where it must be read first because the log no longer goes back to where the reader is, or
    because a newer one took its place; then there is nothing else. `entries`: (number, time, envelope). `parts`:
    contents of a snapshot's parts.
    """

    snapshot: SnapshotKept | None = None
    entries: list[tuple[int, int, bytes]] = []
    parts: list[bytes] = []


class Reading(_Tables):
    """The connection that reads. All of it runs on one thread."""

    def find(self, key: bytes, number: int, tag: bytes) -> tuple[Kept | None, bool]:
        """Return the room, or None, and whether the cursor (number, tag) is in its log. Raises DiskFailed."""
        with self._transaction("BEGIN"):
            kept = self._kept(key)
            if kept is None:
                return None, (number, tag) == (0, NO_TAG)
            return kept, self._has(kept.id, kept.start, kept.snapshot, number, tag)

    def log(self, room: int, after: int, upto: int, most_bytes: int) -> Page:
        """Return envelopes numbered from `after` + 1 to `upto`, about `most_bytes` of them. Raises DiskFailed."""
        with self._transaction("BEGIN"):
            start, snapshot = self._start(room)
            if after < start:
                return Page(snapshot=self._snapshot(snapshot))
            entries: list[tuple[int, int, bytes]] = []
            size = 0
            for first, time, content in self._sql.execute(
                "SELECT first, time, content FROM sheet WHERE key BETWEEN ? AND ? ORDER BY key",
                (_base(room) + after + 1, _all_of(room)[1]),
            ):
                for number, envelope in enumerate(sheets.read(content), first):
                    if after < number <= upto:
                        entries.append((number, time, envelope))
                size += len(content)
                if size >= most_bytes or number >= upto:
                    break
            return Page(entries=entries)

    def parts(self, room: int, snapshot: int, part: int, most_bytes: int) -> Page:
        """Return parts of a snapshot from `part` on, about `most_bytes` of them. Raises DiskFailed."""
        with self._transaction("BEGIN"):
            newest = self._start(room)[1]
            if newest != snapshot:
                return Page(snapshot=self._snapshot(newest))
            found: list[bytes] = []
            size = 0
            for (content,) in self._sql.execute(
                "SELECT content FROM part WHERE key BETWEEN ? AND ? ORDER BY key",
                ((snapshot << PART_BITS) + part, ((snapshot + 1) << PART_BITS) - 1),
            ):
                found.append(content)
                size += len(content)
                if size >= most_bytes:
                    break
            return Page(parts=found)

    def _start(self, room: int) -> tuple[int, int | None]:
        row = self._sql.execute("SELECT start, snapshot FROM room WHERE id = ?", (room,)).fetchone()
        if row is None:
            raise sqlite3.DatabaseError("a room is gone from the disk while it is in use")
        return row[0], row[1]


def open_disk(folder: Path) -> tuple[Disk, Reading]:
    """Open or make the file in `folder`. Raises UnusableData with a sentence for the person who starts the relay."""
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
        writer = _connect(path)
        version = writer.execute("PRAGMA user_version").fetchone()[0]
        owner = writer.execute("PRAGMA application_id").fetchone()[0]
        if version == 0 and not writer.execute("SELECT 1 FROM sqlite_master").fetchall():
            writer.execute("PRAGMA auto_vacuum = INCREMENTAL")
            _careful(writer)
            marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}"
            writer.executescript(f"BEGIN; {SCHEMA}; {marks}; COMMIT")
        elif owner != APPLICATION_ID:
            raise UnusableData(
                f"{path} belongs to another program: give the relay a folder of its own with --data."
            )
        elif version > SCHEMA_VERSION:
            raise UnusableData(
                f"{path} was written by a newer relay (its version is {version}, this relay knows {SCHEMA_VERSION}): "
                "start that one, or give another folder with --data."
            )
        else:
            _careful(writer)
        reader = _connect(path)
        reader.execute("PRAGMA query_only = ON")
        disk = Disk(writer)
        disk.clean_up()
        return disk, Reading(reader)
    except (sqlite3.Error, DiskFailed) as error:
        raise UnusableData(f"{path} cannot be used ({error}): give another folder with --data.") from error
    except OSError as error:
        raise UnusableData(
            f"The folder {folder} cannot be used ({error.strerror}): give another with --data."
        ) from error


def _connect(path: Path) -> sqlite3.Connection:
    # Made here, used by one other thread: never by two.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)


def _careful(writer: sqlite3.Connection) -> None:
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA synchronous = FULL")
    writer.execute("PRAGMA journal_size_limit = 67108864")


def _base(room: int) -> int:
    return room << NUMBER_BITS


def _all_of(room: int) -> tuple[int, int]:
    return room << NUMBER_BITS, ((room + 1) << NUMBER_BITS) - 1
