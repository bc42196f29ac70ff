"""A checkpoint's contents: a head that says what it stands for, then the space's rows in slices."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple, TypedDict

from masq.errors import MasqError
from masq.messages import dumps, loads
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.space import codec
from masq_store.core.space.register import Row
from masq_store.core.space.space import Space

FORMAT = 1


class Frozen(NamedTuple):
    """A space's state at one moment. `rows`: its registers, in no particular order."""

    rows: list[Row]
    vector: dict[str, int]


class Covered(NamedTuple):
    """The journal record that a checkpoint reaches up to: its number and its tag."""

    number: int
    tag: bytes


class Head(TypedDict):
    """A checkpoint's head: the number and the tag of the record that it covers, how many slices follow, the vector."""

    format: int
    covers: int
    tag: str
    slices: int
    vector: dict[str, int]


def freeze(space: Space) -> Frozen:
    """Return the space's state of this moment; registers are never changed in place, so this is quick."""
    return Frozen(space.rows(), dict(space.vector))


def encode(frozen: Frozen, covered: Covered, slice_rows: int) -> Iterator[bytes]:
    """Yield the contents of a checkpoint's records, each slice made when it is asked for."""
    starts = range(0, len(frozen.rows), slice_rows)
    head: Head = {
        "format": FORMAT,
        "covers": covered.number,
        "tag": covered.tag.hex(),
        "slices": len(starts),
        "vector": frozen.vector,
    }
    yield dumps(head).encode()
    for start in starts:
        yield codec.encode_checkpoint(frozen.rows[start : start + slice_rows])


def decode_in_parts(contents: Sequence[bytes], replica: str) -> Generator[None, None, tuple[Space, Covered]]:
    """Undo `encode`: return the space, as `replica` goes on with it, and which record it covers.

    There is a pause after each slice, for what else there is to do. Raises DamagedData and NewerData.
    """
    head, covered = decode_head(contents[0] if contents else b"")
    if head["slices"] != len(contents) - 1:
        raise DamagedData("a checkpoint")
    space = Space.from_rows(replica, [], head["vector"])
    for content in contents[1:]:
        space.load(codec.decode_checkpoint(content)[0])
        yield
    return space, covered


def decode_head(content: bytes) -> tuple[Head, Covered]:
    """Return a checkpoint's head, and which record it covers. Raises DamagedData and NewerData."""
    try:
        head: Head = loads(content.decode())
        if head["format"] > FORMAT:
            raise NewerData(head["format"], FORMAT)
        return head, Covered(head["covers"], bytes.fromhex(head["tag"]))
    except NewerData:
        raise
    except (MasqError, ValueError, TypeError, LookupError) as error:
        raise DamagedData("a checkpoint's head") from error
