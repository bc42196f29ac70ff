"""Stamps, a hybrid logical clock for each key: they follow the device's clock, and of one key never go back."""

from __future__ import annotations

from typing import NamedTuple

from masq.errors import QuotaExceeded

MAX_MS = 2**48  # the year 10889: far beyond any clock, and far from where stamps could no longer be written
MAX_COUNTER = 2**52  # of stamps within one millisecond


class Stamp(NamedTuple):
    """When a register was written: a hybrid logical clock's time with the replica's id, so totally ordered.

    `ms`: milliseconds since 1970; `counter`: order within one millisecond; `replica`: 16 hexadecimal
    characters.
    """

    ms: int
    counter: int
    replica: str


ZERO = Stamp(0, 0, "")
"""Before every stamp: the base of a counter whose key was never written."""


def stamp_after(ms: int, counter: int, now_ms: int, replica: str) -> Stamp:
    """Return the stamp of a write by `replica` at `now_ms` (since 1970) to a key that was stamped (`ms`, `counter`).

    It exceeds the key's own, and is not below `now_ms`: a hybrid logical clock (Kulkarni et al., 2014) for each key,
    since registers are compared key by key. One for the space would carry a clock that was once wrong to all keys, and
    of two writes the later one would lose there ever after.

    Raises QuotaExceeded after the last stamp there is, which no other device gives to a key here
    (`core.sync.member_claims`), and which this one's clock does not reach: what is written above it no other device
    would take.
    """
    if now_ms > ms:
        return Stamp(now_ms, 0, replica)
    if counter < MAX_COUNTER:
        return Stamp(ms, counter + 1, replica)
    if ms < MAX_MS:
        return Stamp(ms + 1, 0, replica)
    raise QuotaExceeded("a device has written here with a clock at the end of time")
