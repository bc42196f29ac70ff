"""A hybrid logical clock: stamps that follow the device's clock, and never go back."""

from __future__ import annotations

from typing import NamedTuple


class Stamp(NamedTuple):
    """When a register was written; totally ordered.

    `ms`: milliseconds since 1970; `counter`: order within one millisecond; `replica`: 16 hexadecimal
    characters.
    """

    ms: int
    counter: int
    replica: str


ZERO = Stamp(0, 0, "")
"""Before every stamp: the base of a counter whose key was never written."""


class HybridClock:
    """The clock of one replica in one space. Time comes in as an argument."""

    def __init__(self, replica: str) -> None:
        self.replica = replica
        self._ms = 0
        self._counter = 0

    def tick(self, now_ms: int) -> Stamp:
        """Return a stamp above every stamp made or seen here, and not below `now_ms` (since 1970)."""
        if now_ms > self._ms:
            self._ms = now_ms
            self._counter = 0
        else:
            self._counter += 1
        return Stamp(self._ms, self._counter, self.replica)

    def see(self, ms: int, counter: int) -> None:
        """Take note of another stamp's reading, so that later ticks exceed it."""
        if (ms, counter) > (self._ms, self._counter):
            self._ms = ms
            self._counter = counter
