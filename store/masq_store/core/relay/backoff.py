"""Exponential back-off with jitter: how long to wait before trying again."""

from __future__ import annotations

LEAST_SECONDS, MOST_SECONDS = 0.2, 30.0

_ENOUGH = 8  # failures; from there on the longest wait is at its bound


def wait_seconds(failures: int, draw: float) -> float:
    """Return the seconds to wait after so many failures in a row, the first being 1; `draw`: random, from 0 to 1.

    The longest wait doubles with each failure, and half of it is left to chance: devices that lost a relay
    together do not come back together.
    """
    longest = min(MOST_SECONDS, LEAST_SECONDS * (1 << min(failures, _ENOUGH)))
    return longest * (1 + draw) / 2
