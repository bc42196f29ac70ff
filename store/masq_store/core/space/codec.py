"""The codec of changes, and of a checkpoint's rows: for journal records, sync messages and backups.

Both start with a byte for the schema's version; JSON follows. Replica ids are written once, in a table, and
meant by their place in it. A checkpoint goes by columns, because a space of 100,000 keys must open quickly:
a few long lists are parsed and zipped without a step of Python for each key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from masq.errors import MasqError
from masq.messages import EXACT, dumps, loads, pack, unpack
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.space.clock import Stamp
from masq_store.core.space.register import Change, Part, Register, Row

SCHEMA = 1

_REPLICA = re.compile(r"[0-9a-f]{16}|")  # the zero stamp has the empty id


def encode_changes(changes: Iterable[Change], vector: dict[str, int] | None = None) -> bytes:
    """Return changes as bytes, with the entries of the version vector that moved with them."""
    table = _Table()
    rows = []
    for replica, number, key, (stamp, base_number, text, parts) in changes:
        row = [
            table.place(replica),
            number,
            key,
            text,
            stamp.ms,
            stamp.counter,
            table.place(stamp.replica),
            base_number,
        ]
        if parts:
            row.append(table.pack_parts(parts))
        rows.append(row)
    moved = [[table.place(replica), number] for replica, number in (vector or {}).items()]
    return _encode([table.replicas, rows, moved])


def decode_changes(content: bytes) -> tuple[list[Change], dict[str, int]]:
    """Undo `encode_changes`: return changes and vector. Raises NewerData and DamagedData."""

    def read(structure: Any) -> tuple[list[Change], dict[str, int]]:
        replicas, rows, moved = structure
        _check_replicas(replicas)
        # By columns, as a checkpoint: another device may send thousands at once.
        columns = [list(column) for column in zip(*(row[:8] for row in rows), strict=True)] or [[]] * 8
        who, numbers, keys, texts, times, counters, bases, base_numbers = columns
        for column in (who, numbers, times, counters, bases, base_numbers):
            _check_all(int, column)
        _check_texts(keys, texts)
        stamps = map(Stamp, times, counters, map(replicas.__getitem__, bases))
        registers = map(Register, stamps, base_numbers, texts)
        changes = list(map(Change, map(replicas.__getitem__, who), numbers, keys, registers))
        for at, row in enumerate(rows):
            if len(row) > 8:
                _check(len(row) == 9)
                change = changes[at]
                register = change.register._replace(parts=_unpack_parts(row[8], replicas))
                changes[at] = change._replace(register=register)
        return changes, _unpack_vector(moved, replicas)

    decoded: tuple[list[Change], dict[str, int]] = _decode(content, read, "a change in the journal")
    return decoded


def encode_checkpoint(rows: Sequence[Row], vector: dict[str, int] | None = None) -> bytes:
    """Return a slice of a space's rows as bytes, with the version vector in one of the slices."""
    table = _Table()
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], [], [], [], []]
    keys, times, counters, replicas, numbers, texts, parts = columns
    places = [table.place(replica) for replica in replicas]
    counted = [[at, table.pack_parts(found)] for at, found in enumerate(parts) if found]
    moved = [[table.place(replica), number] for replica, number in (vector or {}).items()]
    return _encode([table.replicas, keys, times, counters, places, numbers, texts, counted, moved])


def decode_checkpoint(content: bytes) -> tuple[list[Row], dict[str, int]]:
    """Undo `encode_checkpoint`: return rows and vector. Raises NewerData and DamagedData."""

    def read(structure: Any) -> tuple[list[Row], dict[str, int]]:
        replicas, keys, times, counters, places, numbers, texts, counted, moved = structure
        _check_replicas(replicas)
        for column in (times, counters, places, numbers):
            _check_all(int, column)
        _check_texts(keys, texts)
        named = list(map(replicas.__getitem__, places))
        rows: list[Row] = list(
            zip(keys, times, counters, named, numbers, texts, ((),) * len(keys), strict=True)
        )
        for at, parts in counted:
            _check_all(int, [at])
            rows[at] = (*rows[at][:6], _unpack_parts(parts, replicas))
        return rows, _unpack_vector(moved, replicas)

    decoded: tuple[list[Row], dict[str, int]] = _decode(content, read, "a checkpoint")
    return decoded


class _Table:
    """The dictionary of one record: replica ids, each with its place."""

    def __init__(self) -> None:
        self.replicas: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, replica: str) -> int:
        place = self._places.get(replica)
        if place is None:
            place = self._places[replica] = len(self.replicas)
            self.replicas.append(replica)
        return place

    def pack_parts(self, parts: tuple[Part, ...]) -> list[Any]:
        return [[self.place(replica), number, pack(total)] for replica, number, total in parts]


def _encode(structure: Any) -> bytes:
    return bytes((SCHEMA,)) + dumps(structure).encode()


def _decode(content: bytes, read: Callable[[Any], Any], what: str) -> Any:
    """Return what `read` makes of the content; whatever goes wrong on the way is damage."""
    if content and content[0] > SCHEMA:
        raise NewerData(content[0], SCHEMA)
    try:
        _check(content[0] == SCHEMA)
        return read(loads(content[1:].decode()))
    except (MasqError, ValueError, TypeError, LookupError) as error:
        raise DamagedData(what) from error


def _check(holds: bool) -> None:
    if not holds:
        raise ValueError("not what was encoded")


def _check_all(kind: type, column: Any) -> None:
    """Check a list of ints from 0 to 2**53 - 1, without a step of Python for each."""
    _check(type(column) is list and set(map(type, column)) <= {kind})
    _check(not column or (min(column) >= 0 and max(column) <= EXACT))


def _check_texts(keys: Any, texts: Any) -> None:
    """Check that keys are non-empty strings, and texts non-empty strings or None."""
    _check(type(keys) is list and set(map(type, keys)) <= {str} and "" not in keys)
    _check(type(texts) is list and set(map(type, texts)) <= {str, type(None)} and "" not in texts)
    _check(len(texts) == len(keys))


def _check_replicas(replicas: Any) -> None:
    _check(type(replicas) is list and all(_REPLICA.fullmatch(replica) for replica in replicas))


def _unpack_parts(packed: Any, replicas: list[str]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for place, number, total in packed:
        _check_all(int, [place, number])
        total = unpack(total)
        _check(type(total) is int)
        parts.append((replicas[place], number, total))
    parts.sort()
    _check(len(parts) == len({part[0] for part in parts}) > 0)
    return tuple(parts)


def _unpack_vector(moved: Any, replicas: list[str]) -> dict[str, int]:
    vector = {}
    for place, number in moved:
        _check_all(int, [place, number])
        vector[replicas[place]] = number
    return vector
