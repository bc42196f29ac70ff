"""A space: a CRDT in memory, the replicated map from keys to registers, which exchanges deltas.

Everything here is a plain function of what came before: time is an argument, and nothing waits. What a call
changed comes back as `Applied`: to be written to the journal, told to watchers, or taken back if the disk
refuses it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from masq.errors import InvalidValue, QuotaExceeded
from masq.messages import check_size
from masq_store.core.space.change_index import NumberIndex
from masq_store.core.space.clock import ZERO, Stamp, stamp_after
from masq_store.core.space.register import (
    Change,
    Part,
    Register,
    Row,
    changes_of,
    effective_text,
    encode_integer,
    from_row,
    integer,
    merge_registers,
    parts_size,
    to_row,
)

MAX_KEYS = 100_000  # that exist
MOST_ROWS = 10
"""Registers that a space holds for each key that may exist, before new keys are refused: most are tombstones."""
MAX_BYTES = 64 * 2**20  # of keys and texts in UTF-8

_numbered = itemgetter(0, 1, 2)  # a change's replica, number and key

MANY = 64  # new keys in one call from which sorting all keys again later costs less than inserting each


class Applied(NamedTuple):
    """The effect of one call on a space: its delta, and what is needed to announce it and to undo it.

    `changes`: the registers it wrote, in order of their numbers, for the journal and other devices.
    `vector`: the entries of the version vector that moved, with their new numbers.
    `touched`: each key whose value as read changed, with the text it had before (None: it did not exist).
    The rest is what `Space.revert` needs.
    """

    changes: list[Change]
    vector: dict[str, int]
    touched: dict[str, str | None]
    rows_before: list[tuple[str, Row | None]]
    vector_before: dict[str, int]
    bytes_before: int


class Space:
    """One replica of a space, in memory: a CRDT map of last-writer-wins registers and of counters.

    `replica`: this replica's id, 16 hexadecimal characters, drawn for one opening of the space and never used
    again (docs/decisions/0005). `max_keys` (that exist) and `max_bytes`
    (UTF-8 of keys and texts) limit what is written here; what other devices wrote is merged at any size.
    """

    def __init__(self, replica: str, *, max_keys: int = MAX_KEYS, max_bytes: int = MAX_BYTES) -> None:
        self.replica = replica
        self.max_keys = max_keys
        self.max_bytes = max_bytes
        self.bytes = 0
        """Size of everything held: UTF-8 bytes of keys and texts, and what parts of counters take (`parts_size`)."""
        self.vector: dict[str, int] = {}
        """The version vector: the highest number seen of each replica without a gap."""
        self._rows: dict[str, Row] = {}
        self._texts: dict[str, str] = {}  # what readers get, of the keys that exist
        self._sorted: list[str] | None = None  # the keys that exist, made when first asked for
        self._index = NumberIndex()
        self._indexed = True  # False: what was on the disk above the index's floor is not in it yet

    @classmethod
    def from_rows(
        cls,
        replica: str,
        rows: list[Row],
        vector: dict[str, int],
        *,
        max_keys: int = MAX_KEYS,
        max_bytes: int = MAX_BYTES,
    ) -> Space:
        """Return the space that `rows()` and `vector` were taken from; of a key's rows the last counts."""
        space = cls(replica, max_keys=max_keys, max_bytes=max_bytes)
        space.vector = dict(vector)
        # What stood on the disk is rarely asked for: its part of the index is made when it is.
        space._index = NumberIndex(floor=vector)
        space._indexed = False
        space.load(rows)
        return space

    def load(self, rows: list[Row]) -> None:
        """Take in more of what `from_rows` was given the first part of, before anything else is done."""
        fresh = {row[0]: row for row in rows}
        if len(fresh) != len(rows):
            rows = list(fresh.values())
        for key in self._rows.keys() & fresh.keys():
            before = self._rows[key]
            self.bytes -= _utf8(key) + _size(before[5], before[6])
            self._texts.pop(key, None)
        texts = {row[0]: row[5] for row in rows if row[5] is not None}
        size = len("".join(fresh).encode()) + len("".join(texts.values()).encode())
        for row in rows:
            if row[6]:
                size += parts_size(row[6])
                texts[row[0]] = effective_text(row[5], row[6]) or ""
        self._rows.update(fresh)
        self._texts.update(texts)
        self.bytes += size

    def rows(self) -> list[Row]:
        """Return everything held, tombstones included, in no particular order."""
        return list(self._rows.values())

    @property
    def live(self) -> int:
        """The number of keys that exist."""
        return len(self._texts)

    # Reading

    def text(self, key: str) -> str | None:
        """Return the canonical text of the key's value, or None where it has none."""
        return self._texts.get(key)

    def has(self, key: str) -> bool:
        """Say whether the key has a value."""
        return key in self._texts

    def register(self, key: str) -> Register | None:
        """Return what the key holds, a tombstone included, or None where it was never written."""
        row = self._rows.get(key)
        return None if row is None else from_row(row)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that exist and start with `prefix`, ordered by code point."""
        if self._sorted is None:
            self._sorted = sorted(self._texts)
        if not prefix:
            return self._sorted.copy()
        first = bisect_left(self._sorted, prefix)
        return self._sorted[first : bisect_left(self._sorted, _past(prefix), first)]

    def items(self, prefix: str = "") -> list[tuple[str, str]]:
        """Return (key, text) of the keys that exist and start with `prefix`, ordered by code point."""
        texts = self._texts
        return [(key, texts[key]) for key in self.keys(prefix)]

    # Writing

    def write(self, entries: Iterable[tuple[str, str | None]], now_ms: int) -> Applied:
        """Set each key to its canonical text, or delete it where that is None: all, or on an error none.

        A key given twice gets the last text. Deleting a key that does not exist changes nothing.
        `now_ms`: milliseconds since 1970. Raises QuotaExceeded.
        """
        texts = self._texts
        wanted = {key: text for key, text in dict(entries).items() if text is not None or key in texts}
        if not wanted:
            return Applied([], {}, {}, [], {}, self.bytes)
        size = self._check_room(wanted)
        replica = self.replica
        number = self.vector.get(replica, 0)
        applied = Applied([], {}, {}, [], {replica: number}, self.bytes)
        rows = self._rows
        # Before anything is written: there may be no stamp left for one of the keys.
        stamps = [stamp_after(*_reading(rows.get(key)), now_ms, replica) for key in wanted]
        for (key, text), stamp in zip(wanted.items(), stamps, strict=True):
            number += 1
            register = Register(stamp, number, text)
            applied.changes.append(Change(replica, number, key, register))
            self._put(key, (key, stamp.ms, stamp.counter, replica, number, text, ()), text, applied)
        self.vector[replica] = applied.vector[replica] = number
        self.bytes = size
        self._follow(applied)
        return applied

    def replace(self, entries: Iterable[tuple[str, str]], now_ms: int) -> Applied:
        """Make the space's data exactly these entries. Like `write` in everything else."""
        wanted = dict(entries)
        gone = ((key, None) for key in self._texts if key not in wanted)
        return self.write(list(chain(wanted.items(), gone)), now_ms)

    def clear(self, prefix: str, now_ms: int) -> Applied:
        """Delete every key that starts with `prefix`."""
        return self.write([(key, None) for key in self.keys(prefix)], now_ms)

    def increment(self, key: str, by: int, now_ms: int) -> Applied:
        """Add `by` to the int under `key`, 0 where there is none; increments on all devices count.

        The stamp does not move, so `now_ms` is not used today.
        Raises InvalidValue where the key holds something else or `by` is no int, and QuotaExceeded.
        """
        if type(by) is not int:
            raise InvalidValue(f"a key is incremented by an int, not by a {type(by).__name__}")
        replica = self.replica
        row: Row = self._rows.get(key) or (key, *ZERO, 0, None, ())
        if row[5] is not None and integer(row[5]) is None:
            raise InvalidValue("only an int can be incremented, and this key holds something else")
        number = self.vector.get(replica, 0) + 1
        total = by + next((part[2] for part in row[6] if part[0] == replica), 0)
        mine = (replica, number, total)
        others = tuple(part for part in row[6] if part[0] != replica)
        parts = tuple(sorted((*others, mine)))
        text = effective_text(row[5], parts)
        check_size(text or "")
        check_size(encode_integer(total))  # parts of opposite signs may be longer than their sum
        size = self.bytes + parts_size(parts) - parts_size(row[6])
        if key not in self._rows:
            size += _utf8(key)
        self._check_limits(key not in self._texts, key not in self._rows, size)
        applied = Applied([], {replica: number}, {}, [], {replica: number - 1}, self.bytes)
        register = Register(Stamp(row[1], row[2], row[3]), row[4], row[5], (mine,))
        applied.changes.append(Change(replica, number, key, register))
        self._put(key, (*row[:6], parts), text, applied)
        self.vector[replica] = number
        self.bytes = size
        self._follow(applied)
        return applied

    # Other replicas

    def merge(self, changes: Iterable[Change], vector: dict[str, int] | None = None) -> Applied:
        """Merge changes made elsewhere or read from the journal, in any order, however often.

        The version vector advances over changes that follow it without a gap, and to `vector` where it is
        given: only for a caller that knows nothing between is missing. `Applied.changes` are those that had
        an effect.
        """
        applied = Applied([], {}, {}, [], {}, self.bytes)
        rows = self._rows
        size = self.bytes
        for change in changes:
            key = change.key
            register = change.register
            row = rows.get(key)
            if row is None:
                merged = register
                size += _utf8(key) + _size(register.text, register.parts)
            else:
                old = from_row(row)
                merged = merge_registers(old, register)
                size += _size(merged.text, merged.parts) - _size(old.text, old.parts)
            if row is None or merged != old:
                applied.changes.append(change)
                self._put(key, to_row(key, merged), effective_text(merged.text, merged.parts), applied)
            if change.number == self.vector.get(change.replica, 0) + 1:
                self._advance(change.replica, change.number, applied)
        for replica, number in (vector or {}).items():
            if number > self.vector.get(replica, 0):
                self._advance(replica, number, applied)
        self.bytes = size
        self._follow(applied)
        return applied

    def holds(self, change: Change) -> bool:
        """Say whether just this change is what its key holds, or a part of it: nothing has overwritten it."""
        row = self._rows.get(change.key)
        return row is not None and change in changes_of(row, {change.replica: change.number - 1})

    def changes_since(self, vector: dict[str, int], without: Sequence[Applied] = ()) -> list[Change]:
        """Return the delta above `vector`: every change held here that is numbered above it, by replica and number.

        `without`: the newest calls, in their order, which are left out as if they had not been made. Costs what
        is missing, not what is held, once an index has been built.
        """
        earlier: dict[str, Row | None] = {}
        for applied in without:
            for key, row in applied.rows_before:
                earlier.setdefault(key, row)
        if not self._index.reaches(vector):
            self._index = NumberIndex(_numbers(self._rows.values()))
        elif not self._indexed:
            for row in self._rows.values():  # changes that came before one that is missing
                if row[6] or row[4] > self._index.floor.get(row[3], 0):
                    self._note(row)
        self._indexed = True
        found = [self._rows[key] for key in self._index.above(vector) if key not in earlier]
        found += [row for row in earlier.values() if row is not None]
        changes = [change for row in found for change in changes_of(row, vector)]
        changes.sort(key=_numbered)
        return changes

    def vector_without(self, without: Sequence[Applied]) -> dict[str, int]:
        """Return the version vector as it was before `without`: the newest calls, in their order."""
        vector = dict(self.vector)
        for applied in reversed(without):
            for replica, number in applied.vector_before.items():
                if number:
                    vector[replica] = number
                else:
                    vector.pop(replica, None)
        return vector

    def revert(self, applied: Applied) -> None:
        """Undo a call that could not be made durable.

        Calls made since must have been taken back before, the last one first.
        """
        for key, row in reversed(applied.rows_before):
            if row is None:
                del self._rows[key]
                text = None
            else:
                self._rows[key] = row
                text = effective_text(row[5], row[6])
            if text is None:
                self._texts.pop(key, None)
            else:
                self._texts[key] = text
        self.vector = self.vector_without([applied])
        self.bytes = applied.bytes_before
        self._sorted = None
        self._index.forget(key for key, row in applied.rows_before if row is None)
        for key, _ in applied.rows_before:
            if key in self._rows:
                self._note(self._rows[key])  # it may have been pruned as overwritten

    # Inside

    def _put(self, key: str, row: Row, text: str | None, applied: Applied) -> None:
        """Hold a row, and note in `applied` what was there before."""
        applied.rows_before.append((key, self._rows.get(key)))
        self._rows[key] = row
        before = self._texts.get(key)
        if before != text:
            if applied.touched.setdefault(key, before) == text:
                del applied.touched[key]  # back to what it was before the call
            if text is None:
                del self._texts[key]
            else:
                self._texts[key] = text

    def _advance(self, replica: str, number: int, applied: Applied) -> None:
        applied.vector_before.setdefault(replica, self.vector.get(replica, 0))
        self.vector[replica] = applied.vector[replica] = number

    def _note(self, row: Row) -> None:
        for numbered in _numbers([row]):
            self._index.add(*numbered)

    def _follow(self, applied: Applied) -> None:
        """Bring what is derived from the rows up to date."""
        for change in applied.changes:
            # The row, not the change: a merged register may have brought further parts and another base along.
            self._note(self._rows[change.key])
        if self._index.size > 2 * len(self._rows) + 1000:
            rows = self._rows
            self._index.prune(lambda replica, number, key: (replica, number, key) in _numbers([rows[key]]))
        if self._sorted is not None:
            moved = [
                key for key, before in applied.touched.items() if (before is None) == (key in self._texts)
            ]
            if len(moved) > MANY:
                self._sorted = None
                return
            for key in moved:
                if key in self._texts:
                    insort(self._sorted, key)
                else:
                    del self._sorted[bisect_left(self._sorted, key)]

    def _check_room(self, wanted: dict[str, str | None]) -> int:
        """Return the size after writing these. Raises QuotaExceeded."""
        rows = self._rows
        size = self.bytes
        new = unknown = 0
        for key, text in wanted.items():
            row = rows.get(key)
            if row is None:
                unknown += 1
                size += _utf8(key)
            else:
                before, parts = row[5], row[6]
                if before is not None:
                    size -= _utf8(before)
                if parts:
                    size -= parts_size(parts)
            if text is not None:
                new += key not in self._texts
                size += len(text) if text.isascii() else len(text.encode())
        self._check_limits(new, unknown, size)
        return size

    def _check_limits(self, new: int, unknown: int, size: int) -> None:
        """Raise QuotaExceeded where a space of `size` bytes with so many `new` keys would pass a limit.

        `unknown`: how many of these were never written, not even to be deleted. What makes no new key, or does not
        make it larger, is always let through.
        """
        if new and len(self._texts) + new > self.max_keys:
            raise QuotaExceeded("this app keeps as many entries as it may", self.max_keys, "keys")
        if unknown and len(self._rows) + unknown > MOST_ROWS * self.max_keys:
            raise QuotaExceeded(
                "this app has used as many names as it may", MOST_ROWS * self.max_keys, "deleted"
            )
        if size > self.max_bytes and size > self.bytes:
            raise QuotaExceeded("this app keeps as many bytes as it may", self.max_bytes, "bytes")


def _numbers(rows: Iterable[Row]) -> Iterator[tuple[str, int, str]]:
    """Yield (replica, number, key) of every change that these rows hold; the zero stamp's base is none."""
    for row in rows:
        if row[4]:
            yield row[3], row[4], row[0]
        for part in row[6]:
            yield part[0], part[1], row[0]


def _size(text: str | None, parts: tuple[Part, ...]) -> int:
    return (_utf8(text) if text else 0) + parts_size(parts)


def _utf8(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _reading(row: Row | None) -> tuple[int, int]:
    """Return the milliseconds and the counter that a key was last stamped with."""
    return (row[1], row[2]) if row is not None else ZERO[:2]


def _past(prefix: str) -> str:
    """Return a string above every string that starts with `prefix`, and below all others that follow."""
    stem = prefix.rstrip("\U0010ffff")
    return stem[:-1] + chr(ord(stem[-1]) + 1) if stem else prefix + "\U0010ffff" * 512
