"""A link as a QR code, drawn as one path."""

from itertools import groupby
from typing import NamedTuple

import segno

BORDER = 4  # modules of white around the code, as its standard wants


class Code(NamedTuple):
    """A square of `size` units, and the `path` of what is dark in it."""

    size: int
    path: str


def code(text: str) -> Code:
    """Return the QR code of `text`. Of an error correction that takes a dirty screen (level M, or better for free)."""
    rows = [list(row) for row in segno.make_qr(text, error="m").matrix]
    drawn = []
    for y, row in enumerate(rows, BORDER):
        x = BORDER
        for dark, run in groupby(row):
            length = len(list(run))
            if dark:
                drawn.append(f"M{x} {y}h{length}v1h-{length}z")
            x += length
    return Code(len(rows) + 2 * BORDER, "".join(drawn))
