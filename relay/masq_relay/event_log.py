"""The relay's own log: one JSON object a line. Rooms and addresses appear only as marks that mean nothing tomorrow."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from typing import Protocol

from masq_relay.token_bucket import Bucket

LEVELS = ("debug", "info", "warning", "error")

LINES_PER_SECOND, LINES_BURST = 20.0, 1000.0
"""The rate limit: so that nobody fills a disk by what is said of them."""


class Out(Protocol):
    """A sink for lines; it may fail as it likes. `lost`: those that it took, and could not write after all."""

    lost: int

    def write(self, line: str, /) -> object:
        """Write a line."""


class EventLog:
    """Writes events at or above `level`, one of LEVELS, to `out`. What cannot be written is only counted."""

    def __init__(self, level: str, out: Out) -> None:
        self._least = LEVELS.index(level)
        self._out = out
        self._key = secrets.token_bytes(16)
        self._pace = Bucket(LINES_PER_SECOND, LINES_BURST, time.monotonic())
        self._left_out = 0
        self._lost = 0

    @property
    def lost(self) -> int:
        """Lines that were not written: it could not be done, or there were too many."""
        return self._lost + self._out.lost

    def mark(self, name: bytes | str) -> str:
        """Return eight letters that stand for a room or an address in this run's log, and in no other."""
        content = name.encode() if isinstance(name, str) else name
        return hashlib.blake2s(content, key=self._key, digest_size=4).hexdigest()

    def write(self, level: str, event: str, **fields: object) -> None:
        """Write one line; never raises. The caller sees to it that no field holds what a client sent."""
        if LEVELS.index(level) < self._least:
            return
        if not self._pace.has(1, time.monotonic()):
            self._left_out += 1
            self._lost += 1
            return
        if self._left_out:
            fields["left_out_before"] = self._left_out
        now = time.time()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03}Z"
        line = json.dumps({"at": at, "level": level, "event": event, **fields}, ensure_ascii=True)
        try:
            self._out.write(line + "\n")
        except Exception:  # no log is worth an envelope
            self._lost += 1
        else:
            self._left_out = 0
