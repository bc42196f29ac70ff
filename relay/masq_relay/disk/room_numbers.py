"""Allocates the numbers of rooms on disk. They are used again, so they do not end."""

from __future__ import annotations

import sqlite3

NUMBER_BITS = 36
"""A batch's key is room number and last envelope's number in one integer: 2^27 rooms at a time, 2^36 envelopes each."""

LAST_ROOM = (1 << 63 - NUMBER_BITS) - 1
LAST_ENVELOPE = (1 << NUMBER_BITS) - 1

PAGE = 1000


def base(room: int) -> int:
    """Return the key that is just before a room's batches."""
    return room << NUMBER_BITS


def all_of(room: int) -> tuple[int, int]:
    """Return the first and the last key that a room's batches can have."""
    return base(room), base(room + 1) - 1


def unused(sql: sqlite3.Connection, after: int) -> int | None:
    """Return a number that no room has, and none had of which something is still to be swept; None where all are used.

    `after`: where to go on looking once every number was given out once; the search goes round.
    """
    (given,) = sql.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'room'").fetchone()
    if given < LAST_ROOM:
        return int(given) + 1
    found = _gap(sql, after + 1, LAST_ROOM)
    return found if found is not None else _gap(sql, 1, min(after, LAST_ROOM))


def _gap(sql: sqlite3.Connection, low: int, high: int) -> int | None:
    while low <= high:
        taken = sql.execute(
            "SELECT id FROM room WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", (low, high, PAGE)
        ).fetchall()
        for (id,) in [*taken, *([(high + 1,)] if len(taken) < PAGE else [])]:
            while low < id:
                if not sql.execute(
                    "SELECT 1 FROM refuse WHERE low = ? AND parts = 0", (base(low),)
                ).fetchone():
                    return low
                low += 1
            low = id + 1
    return None
