"""A hybrid logical clock: stamps that follow the device's clock, and never go back."""

from __future__ import annotations

from typing import NamedTuple

from masq.errors import QuotaExceeded

MAX_MS = 2**48  # the year 10889: far beyond any clock, and far from where stamps could no longer be written
MAX_COUNTER = 2**52  # of stamps within one millisecond


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
        """Return a stamp above every stamp made or seen here, and not below `now_ms` (since 1970).

        Raises QuotaExceeded after the last stamp there is, which only a device that lies about its clock reaches:
        what is written above it no other device would take.
        """
        if now_ms > self._ms:
            self._ms = now_ms
            self._counter = 0
        elif self._counter < MAX_COUNTER:
            self._counter += 1
        elif self._ms < MAX_MS:
            self._ms += 1
            self._counter = 0
        else:
            raise QuotaExceeded("a device has written here with a clock at the end of time")
        return Stamp(self._ms, self._counter, self.replica)

    def see(self, ms: int, counter: int) -> None:
        """Take note of another stamp's reading, so that later ticks exceed it."""
        if (ms, counter) > (self._ms, self._counter):
            self._ms = ms
            self._counter = counter
