"""The connection that reads, on a thread of its own, and what it has in common with the one that writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from masq_relay.disk import batches
from masq_relay.disk.records import DiskFailed, Kept, SnapshotKept
from masq_relay.disk.room_numbers import LAST_ENVELOPE, all_of, base
from masq_relay.frames import NO_TAG, TAG_BYTES

PART_BITS = 16
"""A part's key is its snapshot's number and its own in one integer."""


class Tables:
    """The queries that both connections can make, the one that writes and the one that reads."""

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


class Page(NamedTuple):
    """A piece of a room to send on.

    `snapshot`: the room's, where it must be read first because the log no longer goes back to where the reader is, or
    because a newer one took its place; then there is nothing else. `entries`: (number, time, envelope). `parts`:
    contents of a snapshot's parts.
    """

    snapshot: SnapshotKept | None = None
    entries: list[tuple[int, int, bytes]] = []
    parts: list[bytes] = []


class Reading(Tables):
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
