"""The records that are written to the disk and read from it, and the errors of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class DiskFailed(Exception):
    """The disk did not take or give what it should have; nothing of the commit was kept."""


class CannotKeep(Exception):
    """This room cannot take what was to be kept, whatever becomes of others; the sentence says why, for its members."""


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

    `touched`: when its writer last came further than before, in seconds of a clock that nobody sets, and `furthest`: to
    how many parts. Whoever begins anew is where it was: the place is not held by part 0 for ever. `since`: when it took
    the place.
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
    """One room's share of a commit: what is added to it. `id` is None where the room is not on disk yet.

    `age_ms`: the relay's age. `maker`, `alone`: of a room that is not on disk yet, as in `Alone` and `Kept`.
    """

    key: bytes
    token: bytes
    id: int | None
    head: int
    total: int
    envelopes: list[bytes]
    parts: list[PartWork]
    age_ms: int = 0
    maker: bytes | None = None
    alone: bytes | None = None


@dataclass(slots=True)
class Done:
    """The outcome of a `Work`: the room's id and weight, refused parts, and a snapshot that is whole now."""

    id: int
    total: int
    refused: dict[int, str] = field(default_factory=dict)
    """Index in `parts` to a sentence."""
    snapshot: SnapshotKept | None = None
    trimmed: int = 0
