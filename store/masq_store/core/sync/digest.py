"""The digest of a space: all that it holds as bytes to be hashed, so that equal contents have equal digests.

Beside a version vector, which is what a device *claims* to hold, a digest says what it really does.
"""

from __future__ import annotations

from collections.abc import Iterator

from masq_store.core.space import codec
from masq_store.core.space.register import Row

ROWS = 512
"""Rows of a piece: enough to be quick, little enough to pause for."""

START = bytes(32)
"""The digest of an empty space. Each piece's is SHA-256 of the one before, followed by the piece."""


def pieces(rows: list[Row]) -> Iterator[bytes]:
    """Yield a space's rows (`Space.rows`) in order of their keys, tombstones included, as pieces of bytes."""
    ordered = sorted(rows)
    for at in range(0, len(ordered), ROWS):
        yield codec.encode_checkpoint(ordered[at : at + ROWS])
