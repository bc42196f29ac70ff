"""What the relay keeps: one SQLite file, written by one thread (`Disk`) and read by another (`Reading`).

WAL with synchronous=FULL: when a commit returns, what it wrote has been given to the disk with fsync.
Deleting is never done where somebody waits: what is discarded is noted as ranges and swept in small steps.
In the file a batch is a row of `sheet`, and a discarded range one of `refuse` (as in rubbish).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from masq_relay import batches, room_numbers
from masq_relay.frames import NO_TAG, TAG_BYTES
from masq_relay.room_numbers import LAST_ENVELOPE, NUMBER_BITS, all_of, base

FILE = "relay.sqlite3"
SCHEMA_VERSION = 2
APPLICATION_ID = 0x4D415351  # "MASQ": tells this file from another program's

PART_BITS = 16

WEEK_MS = 7 * 86_400_000
"""From this age on a room is an old one."""

SWEEP_ROWS = 256
SWEEP_RANGES = 256
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
MARKS = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}"
SINCE_2 = f"""
ALTER TABLE room ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room ADD COLUMN maker BLOB;
ALTER TABLE room ADD COLUMN alone BLOB;
CREATE INDEX room_alone ON room (id) WHERE alone IS NOT NULL;
CREATE INDEX refuse_low ON refuse (low);
CREATE TABLE age (ms INTEGER NOT NULL) STRICT;
INSERT INTO age SELECT CASE WHEN EXISTS (SELECT 1 FROM room) THEN {WEEK_MS} ELSE 0 END;
UPDATE room SET touched = {WEEK_MS};
"""
"""What version 2 has besides. `touched` was a date, and is an age now; rooms of version 1 are old ones."""


class DiskFailed(Exception):
    """The disk did not take or give what it should have; nothing of the commit was kept."""


class CannotKeep(Exception):
    """This room cannot take what was to be kept, whatever becomes of others; the sentence says why, for its members."""


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
    """A room on disk. `total`: weight of all envelopes ever; `trimmed`: of those up to `start`, which are gone.

    `touched`, `made`: when it was last used and first written, in milliseconds of the relay's age. `alone`: the mark of
    the one address that was ever seen in it, or None.
    """

    id: int
    token: bytes
    touched: int
    start: int
    trimmed: int
    snapshot: SnapshotKept | None
    head: int
    total: int
    made: int
    alone: bytes | None


class Alone(NamedTuple):
    """A room in which one address was ever seen. `maker`: a mark that its other rooms of the same run have too."""

    id: int
    key: bytes
    maker: bytes
    bytes: int


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
    """What one commit adds to one room. `id` is None where the room is not on disk yet.

    `age_ms`: the relay's age. `maker`, `alone`: of a room that is not on disk yet, as in `Alone` and `Kept`.
    """

    key: bytes
    token: bytes
    id: int | None
    head: int
    total: int
    start: int
    envelopes: list[bytes]
    parts: list[PartWork]
    age_ms: int = 0
    maker: bytes | None = None
    alone: bytes | None = None


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
        except (sqlite3.Error, OSError, batches.DamagedBatch) as error:
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
            "SELECT id, token, touched, start, trimmed, snapshot, made, alone FROM room WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        id, token, touched, start, trimmed, snapshot, made, alone = row
        last = self._sql.execute(
            "SELECT key, total FROM sheet WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1",
            all_of(id),
        ).fetchone()
        head, total = (0, 0) if last is None else (last[0] - base(id), last[1])
        return Kept(id, token, touched, start, trimmed, self._snapshot(snapshot), head, total, made, alone)

    def _batch_with(self, room: int, number: int) -> tuple[int, int, list[bytes]] | None:
        """Return (first number, weight up to its end, envelopes) of the batch that holds `number`, or None."""
        row = self._sql.execute(
            "SELECT first, total, content FROM sheet WHERE key BETWEEN ? AND ? ORDER BY key LIMIT 1",
            (base(room) + number, all_of(room)[1]),
        ).fetchone()
        if row is None or number < row[0]:
            return None
        return row[0], row[1], list(batches.read(row[2]))

    def _has(self, room: int, start: int, snapshot: SnapshotKept | None, number: int, tag: bytes) -> bool:
        """Tell whether (number, tag) is in the room's log, or its beginning, or where its snapshot ends."""
        if number == 0:
            return tag == NO_TAG
        if snapshot is not None and number == snapshot.number:
            return tag == snapshot.tag
        if number <= start or number > LAST_ENVELOPE:
            return False
        found = self._batch_with(room, number)
        return found is not None and found[2][number - found[0]][-TAG_BYTES:] == tag


class Disk(_Tables):
    """The connection that writes. All of it runs on one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._looked_at = 0
        """The last room number that was given a second time."""

    def commit(self, works: Sequence[Work], now_ms: int) -> list[Done | Exception]:
        """Write all of this in one transaction, in order; when it returns, it is on disk.

        Returns for each what came of it; of a room that cannot be written, why: the others are kept all the same.
        Raises DiskFailed where nothing was kept.
        """
        begun = [(part.incoming, part.incoming.disk_id) for work in works for part in work.parts]
        try:
            with self._transaction("BEGIN IMMEDIATE"):
                return [self._one(work, now_ms) for work in works]
        except Exception:
            # Which room it was costs a savepoint for each to find out, so that is done only now.
            for incoming, disk_id in begun:
                incoming.disk_id = disk_id
        with self._transaction("BEGIN IMMEDIATE"):
            results = [self._apart(work, now_ms) for work in works]
            if all(isinstance(each, Exception) for each in results):
                failure = results[0]
                if isinstance(failure, CannotKeep):
                    return results
                raise DiskFailed(f"{type(failure).__name__}: {failure}")
        return results

    def _apart(self, work: Work, now_ms: int) -> Done | Exception:
        """Write this, or nothing of it. Raises where that does not go."""
        self._sql.execute("SAVEPOINT room")
        try:
            done = self._one(work, now_ms)
        except Exception as failure:
            if not self._sql.in_transaction:  # SQLite gave the whole transaction up
                raise
            self._sql.execute("ROLLBACK TO room")
            self._sql.execute("RELEASE room")
            return failure
        self._sql.execute("RELEASE room")
        return done

    def _one(self, work: Work, now_ms: int) -> Done:
        id = work.id
        if work.head + len(work.envelopes) > LAST_ENVELOPE:
            raise CannotKeep("This room has had all the envelopes that can be numbered. Begin another.")
        if id is None:
            id = room_numbers.unused(self._sql, self._looked_at)
            if id is None:
                raise CannotKeep("This relay has all the rooms that it can number.")
            self._looked_at = id
            self._sql.execute(
                "INSERT INTO room (id, key, token, touched, made, maker, alone) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (id, work.key, work.token, work.age_ms, work.age_ms, work.maker, work.alone),
            )
        done = Done(id, work.total)
        first = work.head + 1
        for run in batches.split(work.envelopes):
            last = first + len(run) - 1
            done.total += batches.weigh(run)
            self._sql.execute(
                "INSERT INTO sheet (key, first, time, total, content) VALUES (?, ?, ?, ?, ?)",
                (base(id) + last, first, now_ms, done.total, batches.write(run)),
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
            "UPDATE snapshot SET bytes = bytes + ? WHERE id = ?", (len(part.envelope) + batches.ENTRY, id)
        )
        if part.part == incoming.of - 1:
            self._finish(room, id, older, done)
        return None

    def _finish(self, room: int, id: int, older: SnapshotKept | None, done: Done) -> None:
        """Let the log begin after the snapshot, in the same transaction as its last part: never before it is kept."""
        self._sql.execute("UPDATE snapshot SET done = 1 WHERE id = ?", (id,))
        snapshot = self._snapshot(id)
        assert snapshot is not None
        found = self._batch_with(room, snapshot.number)
        assert found is not None, "the snapshot's number was in the log when it began, and nothing else trims"
        first, total, envelopes = found
        trimmed = total - batches.weigh(envelopes[snapshot.number - first + 1 :])
        self._sql.execute(
            "UPDATE room SET start = ?, trimmed = ?, snapshot = ? WHERE id = ?",
            (snapshot.number, trimmed, id, room),
        )
        low, high = all_of(room)
        (last,) = self._sql.execute(
            "SELECT max(key) FROM sheet WHERE key BETWEEN ? AND ?", (low, high)
        ).fetchone()
        # The last batch stays even where all of it is trimmed: it says what the head is.
        self._discard(False, low, min(base(room) + snapshot.number, last - 1))
        if older is not None:
            self._drop_snapshot(older.id)
        done.snapshot, done.trimmed = snapshot, trimmed

    def _discard(self, parts: bool, low: int, high: int) -> None:
        if low <= high:
            self._sql.execute("INSERT INTO refuse (parts, low, high) VALUES (?, ?, ?)", (parts, low, high))

    def _drop_snapshot(self, id: int) -> None:
        self._discard(True, id << PART_BITS, ((id + 1) << PART_BITS) - 1)
        self._sql.execute("DELETE FROM snapshot WHERE id = ?", (id,))

    def drop_incoming(self, incoming: Incoming) -> None:
        """Forget a snapshot unless it was finished. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            for (id,) in self._sql.execute(
                "SELECT id FROM snapshot WHERE id = ? AND done = 0", (incoming.disk_id,)
            ).fetchall():
                self._drop_snapshot(id)

    def age_ms(self) -> int:
        """Return for how long relays have run on this disk, in milliseconds. Raises DiskFailed."""
        with self._transaction("BEGIN"):
            return int(self._sql.execute("SELECT ms FROM age").fetchone()[0])

    def grow_older(self, age_ms: int) -> None:
        """Note the relay's age. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            self._sql.execute("UPDATE age SET ms = ?", (age_ms,))

    def note_shared(self, room: int) -> None:
        """Note that a second address was in the room, or one in a second week. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            self._sql.execute("UPDATE room SET alone = NULL WHERE id = ?", (room,))

    def all_alone(self) -> list[Alone]:
        """Return the rooms in which one address was ever seen, the newest last. Raises DiskFailed."""
        with self._transaction("BEGIN"):
            return [
                Alone(*row)
                for row in self._sql.execute(
                    f"""
                    SELECT id, key, coalesce(maker, key), coalesce((
                        SELECT total FROM sheet
                        WHERE sheet.key BETWEEN room.id << {NUMBER_BITS} AND (room.id + 1 << {NUMBER_BITS}) - 1
                        ORDER BY sheet.key DESC LIMIT 1
                    ), 0) - trimmed + coalesce((SELECT bytes FROM snapshot WHERE snapshot.id = room.snapshot), 0)
                    FROM room WHERE alone IS NOT NULL ORDER BY made, id
                    """
                )
            ]

    def touch(self, rooms: Sequence[int], age_ms: int) -> None:
        """Note that these rooms are in use. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            self._sql.executemany("UPDATE room SET touched = ? WHERE id = ?", [(age_ms, id) for id in rooms])

    def idle(self, before_ms: int, most: int) -> list[tuple[int, bytes]]:
        """Return (id, key) of rooms that were last used before that age, the oldest first. Raises DiskFailed."""
        with self._transaction("BEGIN"):
            return self._sql.execute(
                "SELECT id, key FROM room WHERE touched < ? ORDER BY touched LIMIT ?", (before_ms, most)
            ).fetchall()

    def forget(self, rooms: Sequence[int]) -> None:
        """Forget these rooms and all they keep. Raises DiskFailed."""
        with self._transaction("BEGIN IMMEDIATE"):
            for room in rooms:
                self._discard(False, *all_of(room))
                for (id,) in self._sql.execute("SELECT id FROM snapshot WHERE room = ?", (room,)).fetchall():
                    self._drop_snapshot(id)
                self._sql.execute("DELETE FROM room WHERE id = ?", (room,))

    def sweep(self) -> bool:
        """Delete a little of what nobody needs. Returns whether there is more. Raises DiskFailed."""
        left = SWEEP_ROWS
        with self._transaction("BEGIN IMMEDIATE"):
            ranges = self._sql.execute(
                "SELECT id, parts, low, high FROM refuse LIMIT ?", (SWEEP_RANGES,)
            ).fetchall()
            for id, parts, low, high in ranges:
                table = "part" if parts else "sheet"
                gone = self._sql.execute(
                    f"DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE key BETWEEN ? AND ? LIMIT ?)",
                    (low, high, left),
                ).rowcount
                if gone == left:
                    break
                left -= gone
                self._sql.execute("DELETE FROM refuse WHERE id = ?", (id,))
        if not ranges:
            return False
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
                (base(room) + after + 1, all_of(room)[1]),
            ):
                for number, envelope in enumerate(batches.read(content), first):
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
            writer.executescript(f"BEGIN; {SCHEMA}; {SINCE_2}; {MARKS}; COMMIT")
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
            if version < SCHEMA_VERSION:
                writer.executescript(f"BEGIN; {SINCE_2}; {MARKS}; COMMIT")
        reader = _connect(path)
        reader.execute("PRAGMA query_only = ON")
        disk = Disk(writer)
        disk.clean_up()
        disk.grow_older(disk.age_ms())  # a file that cannot be written is told now, not by the first envelope
        return disk, Reading(reader)
    except (sqlite3.Error, DiskFailed) as error:
        raise UnusableData(
            f"{path} cannot be used ({error}): make it writable for this user, or give another folder "
            "with --data."
        ) from error
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
