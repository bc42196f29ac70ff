"""A monotonic clock that outlives restarts: the time that a relay has run, on the same data, in all its runs together.

What is kept ages by this, not by the date: a machine that starts with a wrong date, or is set right while it runs,
makes nothing older.
"""

from __future__ import annotations

from collections.abc import Callable

WEEK_MS = 7 * 86_400_000
"""From this age on a room is an old one."""


class Age:
    """The relay's age: counts on from what earlier runs have added up to.

    Args:
        ms: what they added up to, in milliseconds.
        elapsed: seconds since any moment, by a clock that nobody sets.
    """

    def __init__(self, ms: int, elapsed: Callable[[], float]) -> None:
        self._ms = ms
        self._elapsed = elapsed
        self._began = elapsed()

    @property
    def ms(self) -> int:
        """Milliseconds, all runs together."""
        return self._ms + max(0, round((self._elapsed() - self._began) * 1000))
