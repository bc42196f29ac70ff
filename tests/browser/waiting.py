"""Waiting for a condition: often at first, then less so, for each look takes the browser's time too."""

from __future__ import annotations

import time
from collections.abc import Iterator

from patience import seconds

PATIENCE_SECONDS = seconds(100)
"""How long a wait lasts by default: two cold starts of Python on a busy machine may take half a minute."""

FIRST_SECONDS, MORE, MOST_SECONDS = 0.01, 1.5, 0.1
"""The first pause between two looks, how the pauses grow, and the longest."""


def looks(timeout: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Yield for each look at a condition, with a pause between them; the last is after `timeout` seconds."""
    end = time.monotonic() + timeout
    pause = FIRST_SECONDS
    while time.monotonic() < end:
        yield
        time.sleep(pause)
        pause = min(pause * MORE, MOST_SECONDS)
    yield
