"""A batch: the envelopes that one commit added to one room, in one blob. Pure.

One row for each commit and room instead of one for each envelope: the thread that writes gives up and takes back the
interpreter's lock once for each row, and a busy event loop makes it wait each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

ENTRY = 16
"""Bytes that count for an envelope in a room's quota besides its own."""

LARGEST = 128 * 1024
"""Bytes after which a new batch is begun, so that reading one is quick."""


class DamagedBatch(Exception):
    """A blob that is no batch: the disk gave back something else than was written."""


def write(envelopes: Sequence[bytes]) -> bytes:
    """Return the blob of these envelopes."""
    return b"".join([part for each in envelopes for part in (len(each).to_bytes(4, "big"), each)])


def read(content: bytes) -> Iterator[bytes]:
    """Yield the envelopes of a blob. Raises DamagedBatch."""
    at, end = 0, len(content)
    while at < end:
        start = at + 4
        at = start + int.from_bytes(content[at:start], "big")
        if start > end or at > end:
            raise DamagedBatch("an envelope in the log ends beyond its batch")
        yield content[start:at]


def weigh(envelopes: Sequence[bytes]) -> int:
    """Return what these count for in the quota, in bytes."""
    return sum(map(len, envelopes)) + ENTRY * len(envelopes)


def split(envelopes: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Yield runs of envelopes that each fit one batch; one that is larger than a batch has its own."""
    begin, size = 0, 0
    for index, each in enumerate(envelopes):
        if size and size + len(each) > LARGEST:
            yield envelopes[begin:index]
            begin, size = index, 0
        size += len(each) + 4
    if begin < len(envelopes):
        yield envelopes[begin:]
