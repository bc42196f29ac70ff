"""The connection that writes, on a thread of its own.

Deleting is never done where somebody waits: what is discarded is noted as ranges and swept in small steps.
In the file a batch is a row of `sheet`, and a discarded range one of `refuse` (as in rubbish).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from masq_relay.disk import batches, room_numbers
from masq_relay.disk.reading import PART_BITS, Tables
from masq_relay.disk.records import (
    Alone,
    CannotKeep,
    DiskFailed,
    Done,
    Incoming,
    PartWork,
    SnapshotKept,
    Work,
)
from masq_relay.disk.room_numbers import LAST_ENVELOPE, NUMBER_BITS, all_of, base

SWEEP_ROWS = 256
SWEEP_RANGES = 256
SWEEP_PAGES = 256


class Disk(Tables):
    """The connection that writes. All of it runs on one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._last_reused = 0
        """The last room number that was given a second time."""

    def commit(self, works: Sequence[Work], now_ms: int) -> list[Done | Exception]:
        """Write all of this in one transaction, in order; when it returns, it is on disk.

        Returns for each what came of it; of a room that cannot be written, why: the others are kept all the same.
        Raises DiskFailed where nothing was kept.
        """
        begun = [(part.incoming, part.incoming.disk_id) for work in works for part in work.parts]
        try:
            with self._transaction("BEGIN IMMEDIATE"):
                return [self._write(work, now_ms) for work in works]
        except Exception:
            # Which room it was costs a savepoint for each to find out, so that is done only now.
            for incoming, disk_id in begun:
                incoming.disk_id = disk_id
        with self._transaction("BEGIN IMMEDIATE"):
            results = [self._write_apart(work, now_ms) for work in works]
            if all(isinstance(each, Exception) for each in results):
                failure = results[0]
                if isinstance(failure, CannotKeep):
                    return results
                raise DiskFailed(f"{type(failure).__name__}: {failure}")
        return results

    def _write_apart(self, work: Work, now_ms: int) -> Done | Exception:
        """Write this, or nothing of it. Raises where that does not go."""
        self._sql.execute("SAVEPOINT room")
        try:
            done = self._write(work, now_ms)
        except Exception as failure:
            if not self._sql.in_transaction:  # SQLite gave the whole transaction up
                raise
            self._sql.execute("ROLLBACK TO room")
            self._sql.execute("RELEASE room")
            return failure
        self._sql.execute("RELEASE room")
        return done

    def _write(self, work: Work, now_ms: int) -> Done:
        id = work.id
        if work.head + len(work.envelopes) > LAST_ENVELOPE:
            raise CannotKeep("This room has had all the envelopes that can be numbered. Begin another.")
        if id is None:
            id = room_numbers.unused(self._sql, self._last_reused)
            if id is None:
                raise CannotKeep("This relay has all the rooms that it can number.")
            self._last_reused = id
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
            sentence = self._write_part(id, work, part, done)
            if sentence:
                part.incoming.refused = True
                done.refused[index] = sentence
        return done

    def _write_part(self, room: int, work: Work, part: PartWork, done: Done) -> str | None:
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
            self._finish_snapshot(room, id, older, done)
        return None

    def _finish_snapshot(self, room: int, id: int, older: SnapshotKept | None, done: Done) -> None:
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
        """Collect garbage: delete a little of what was discarded. Returns whether there is more. Raises DiskFailed."""
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
