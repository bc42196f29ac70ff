"""Registers, which keys hold: last-writer-wins values and PN-counters, and the merge of two replicas' versions.

A register is a base (a value, or a tombstone) with the stamp and number of the change that wrote it, and,
where the base was incremented since, each replica's part of the count. The base with the larger stamp wins
whole; on the same base each replica's later part counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from masq.errors import MasqError
from masq.messages import EXACT, decode, dumps, pack
from masq_store.core.space.clock import Stamp

Part: TypeAlias = tuple[str, int, int]
"""A PN-counter's entry of one replica: (replica id, number of its last increment, total of its increments)."""

Row: TypeAlias = tuple[str, int, int, str, int, str | None, tuple[Part, ...]]
"""A register as it is kept and stored: (key, ms, counter, replica id, number, text, parts).

Flat, because a space of 100,000 keys is made of these when it opens.
"""

PART_BYTES = 48  # what a part counts towards a space's size: replica id, number, a usual total, rounded up


class Register(NamedTuple):
    """A key's state: a last-writer-wins register, beside the parts of a counter (one a replica).

    `stamp` and `number` name the change that wrote the base; `text` is the base's canonical text, or None for
    a tombstone; `parts` are what replicas added to it, sorted by replica.
    """

    stamp: Stamp
    number: int
    text: str | None
    parts: tuple[Part, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether the key has a value."""
        return self.text is not None or bool(self.parts)


class Change(NamedTuple):
    """One register's new state, numbered by the replica that made it.

    An increment's register holds the base it builds on and the part of `replica` alone.
    """

    replica: str
    number: int
    key: str
    register: Register


def merge_registers(one: Register, other: Register) -> Register:
    """Return the merge of two versions of a register: commutative, associative and idempotent.

    Equal stamps of different bases come from a copied profile; then the larger number wins, then the larger
    text.
    """
    if one.stamp != other.stamp:
        return one if one.stamp > other.stamp else other
    if one.number != other.number or one.text != other.text:
        return max(one, other, key=_base_order)
    if one.parts == other.parts or not other.parts:
        return one
    if not one.parts:
        return other
    parts = {part[0]: part for part in one.parts}
    for part in other.parts:
        mine = parts.get(part[0])
        if mine is None or part > mine:
            parts[part[0]] = part
    return Register(one.stamp, one.number, one.text, tuple(sorted(parts.values())))


def effective_text(text: str | None, parts: tuple[Part, ...]) -> str | None:
    """Return the canonical text that a reader gets: the base, plus all parts where there are any."""
    if not parts:
        return text
    total = (integer(text) or 0) + sum(part[2] for part in parts)
    return encode_integer(total)


def parts_size(parts: Iterable[Part]) -> int:
    """Return what parts count towards a space's size, in bytes: a total may be as long as a value."""
    return sum(PART_BYTES + (part[2].bit_length() >> 3) for part in parts)


def integer(text: str | None) -> int | None:
    """Return the int that a canonical text stands for, or None where it is something else."""
    if not text or text[0] not in "-0123456789{" or (text[0] == "{" and not text.startswith('{"$int":')):
        return None
    try:
        number = decode(text)
    except MasqError:
        return None
    return number if type(number) is int else None


def encode_integer(number: int) -> str:
    """Return the canonical text of an int, however long."""
    return str(number) if -EXACT <= number <= EXACT else dumps(pack(number))


def to_row(key: str, register: Register) -> Row:
    """Return a register as the row that is kept."""
    stamp, number, text, parts = register
    return (key, stamp.ms, stamp.counter, stamp.replica, number, text, parts)


def from_row(row: Row) -> Register:
    """Return the register that a row keeps."""
    return Register(Stamp(row[1], row[2], row[3]), row[4], row[5], row[6])


def row_change(row: Row) -> Change:
    """Return a row as one change: numbered by its base, or where that is nobody's, by its first part."""
    register = from_row(row)
    if register.number:
        return Change(register.stamp.replica, register.number, row[0], register)
    replica, number, _ = register.parts[0]
    return Change(replica, number, row[0], register)


def changes_of(row: Row, vector: dict[str, int]) -> Iterator[Change]:
    """Yield what a row holds as changes, the base and each part by itself, where they are numbered above `vector`."""
    key, _, _, replica, number, _, parts = row
    if number > vector.get(replica, 0):
        yield Change(replica, number, key, from_row((*row[:6], ())))
    for part in parts:
        if part[1] > vector.get(part[0], 0):
            yield Change(part[0], part[1], key, from_row((*row[:6], (part,))))


def _base_order(register: Register) -> tuple[int, bool, str]:
    return (register.number, register.text is not None, register.text or "")
