"""Lists that are too long for one message, in parts: an app in MicroPython cannot take a text of a megabyte in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_MESSAGE_BYTES = 1 << 18
"""A message to an app is no longer in UTF-8, unless it holds one entry alone: the largest value has this size."""

AROUND_BYTES = 64
"""What stands around the entries of a message, at most."""


def size(text: str) -> int:
    """Return how many bytes a text takes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def parts(entries: Iterable[str], most: int = MAX_MESSAGE_BYTES - AROUND_BYTES) -> Iterator[tuple[str, bool]]:
    """Join the entries of a JSON list with commas; yield the parts, and with each whether another one follows.

    `most`: bytes of a part; an entry that is longer makes a part by itself. Without entries there is one, empty.
    """
    part: list[str] = []
    taken = 0
    for entry in entries:
        needed = size(entry) + 1
        if part and taken + needed > most:
            yield ",".join(part), True
            part, taken = [], 0
        part.append(entry)
        taken += needed
    yield ",".join(part), False
