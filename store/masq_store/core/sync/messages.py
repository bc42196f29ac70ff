"""The messages between the devices of a space, as bytes inside envelopes.

    kind u8 · length of the head u32 · head, JSON · body

| kind | name | head | body |
| --- | --- | --- | --- |
| 1 | CHANGES | ranges, base, first, more | changes, as in the journal |
| 2 | CHECK | vector, digest | |
| 3 | STATE | number, tag, vector | rows, as in a checkpoint |
| 4 | TRIMMED | number | |
| 5 | HERE | device | |

This file knows shapes and bounds; what they mean for a replica is in `machine`. `parse` is the only door.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from masq.errors import MasqError
from masq.messages import EXACT, JsonObject, dumps, loads
from masq_store.core.crypto.key_schedule import TAG_BYTES
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.space import codec
from masq_store.core.space.register import Change, Row, to_row
from masq_store.core.space.row_rules import MAX_NUMBER, check_rows

CHANGES, CHECK, STATE, TRIMMED, HERE = range(1, 6)

_HEAD = 5  # bytes in front of the head
_REPLICA = re.compile("[0-9a-f]{16}")
_TAG = re.compile(f"[0-9a-f]{{{2 * TAG_BYTES}}}")
_DIGEST = re.compile("[0-9a-f]{64}")

Range = tuple[str, int, int]
"""(replica, from, to): everything of that replica numbered above `from` and up to `to`."""


class Changes(NamedTuple):
    """A delta: changes, and the ranges that they complete.

    `ranges`: who had read all that stands in the log before this message, or where it is given, everything up to
    the version vector `base`, has read these ranges too once the message is merged: what is left out of them was
    overwritten by something in it or before it. A message too large for one envelope comes in several, of which
    only the last has ranges; `first` is the counter of the first of them.
    """

    changes: list[Change]
    ranges: list[Range]
    first: int
    base: dict[str, int] | None = None
    more: bool = False


class Check(NamedTuple):
    """Anti-entropy: the sender has read everything up to `vector`, lacks something, and asks for all above it.

    `digest`: of its rows at that vector, 32 bytes, where it lacks nothing that it knows of (`digest.pieces`). Who has
    the same vector and another digest has something that it has not, or the other way round.
    """

    vector: dict[str, int]
    digest: bytes | None = None


class State(NamedTuple):
    """A part of a snapshot: registers of a space that had read the log up to `number`, whose tag was `tag`.

    `vector`: what the writer had read, all parts together; None in those that say nothing of it.
    """

    rows: list[Row]
    number: int
    tag: bytes
    vector: dict[str, int] | None


class Trimmed(NamedTuple):
    """A snapshot up to `number` is in place: nobody need write another soon."""

    number: int


class Here(NamedTuple):
    """Presence: a device is connected now. Cast, not posted. `device`: its id, 16 hexadecimal characters."""

    device: str


Message = Changes | Check | State | Trimmed | Here


def encode(message: Message) -> bytes:
    """Return a message as bytes, not padded yet."""
    match message:
        case Changes(changes, ranges, first, base, more):
            head: Any = {"ranges": ranges, "first": first, "base": base, "more": more}
            return _encode(CHANGES, head, codec.encode_changes(changes))
        case Check(vector, digest):
            return _encode(CHECK, {"vector": vector, "digest": digest.hex() if digest else None})
        case State(rows, number, tag, vector):
            head = {"number": number, "tag": tag.hex(), "vector": vector}
            return _encode(STATE, head, codec.encode_checkpoint(rows))
        case Trimmed(number):
            return _encode(TRIMMED, {"number": number})
        case Here(device):
            return _encode(HERE, {"device": device})


def parse(content: bytes) -> Message:
    """Undo `encode`. Raises NewerData for what a later version sends, and DamagedData for what no device sends."""
    try:
        end = _HEAD + int.from_bytes(content[1:_HEAD], "big")
        _check(_HEAD <= end <= len(content))
        head = loads(content[_HEAD:end].decode())
        _check(type(head) is dict)
        return _PARSERS[content[0]](head, content[end:])
    except NewerData:
        raise
    except (MasqError, ValueError, TypeError, LookupError) as error:
        raise DamagedData("what another device sent") from error


def _changes(head: JsonObject, body: bytes) -> Changes:
    changes, _ = codec.decode_changes(body)
    for change in changes:
        _check(bool(change.replica) and 0 < change.number <= MAX_NUMBER)
    check_rows(to_row(change.key, change.register) for change in changes)
    ranges: list[Range] = []
    for replica, start, end in head["ranges"]:
        _check(_REPLICA.fullmatch(replica) is not None and _count(start) < _count(end))
        ranges.append((replica, start, end))
    _check(type(head["more"]) is bool and not (head["more"] and ranges))
    base = None if head["base"] is None else _vector(head["base"])
    return Changes(changes, ranges, _count(head["first"], EXACT), base, head["more"])


def _check_message(head: JsonObject, body: bytes) -> Check:
    digest = head.get("digest")
    _check(digest is None or _DIGEST.fullmatch(digest) is not None)
    return Check(_vector(head["vector"]), None if digest is None else bytes.fromhex(digest))


def _state(head: JsonObject, body: bytes) -> State:
    rows, _ = codec.decode_checkpoint(body)
    check_rows(rows)
    _check(_TAG.fullmatch(head["tag"]) is not None)
    vector = None if head["vector"] is None else _vector(head["vector"])
    return State(rows, _count(head["number"], EXACT), bytes.fromhex(head["tag"]), vector)


def _trimmed(head: JsonObject, body: bytes) -> Trimmed:
    return Trimmed(_count(head["number"], EXACT))


def _here(head: JsonObject, body: bytes) -> Here:
    _check(_REPLICA.fullmatch(head["device"]) is not None)
    return Here(head["device"])


_PARSERS: dict[int, Callable[[JsonObject, bytes], Message]] = {
    CHANGES: _changes,
    CHECK: _check_message,
    STATE: _state,
    TRIMMED: _trimmed,
    HERE: _here,
}


def _encode(kind: int, head: Any, body: bytes = b"") -> bytes:
    encoded = dumps(head).encode()
    return b"".join((bytes((kind,)), len(encoded).to_bytes(4, "big"), encoded, body))


def _vector(packed: Any) -> dict[str, int]:
    _check(type(packed) is dict and all(map(_REPLICA.fullmatch, packed)))
    return {replica: _count(number) for replica, number in packed.items()}


def _count(number: Any, most: int = MAX_NUMBER) -> int:
    _check(type(number) is int and 0 <= number <= most)
    count: int = number
    return count


def _check(holds: bool) -> None:
    if not holds:
        raise ValueError("not what was encoded")
