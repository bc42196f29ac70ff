"""The relay's own log: one JSON object a line. Rooms and addresses appear only as marks that mean nothing tomorrow."""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
import time
from typing import TextIO

LEVELS = ("debug", "info", "warning", "error")


class Journal:
    """Writes events at or above `level`, one of LEVELS, to `out`."""

    def __init__(self, level: str = "info", out: TextIO | None = None) -> None:
        self._least = LEVELS.index(level)
        self._out = out
        self._key = secrets.token_bytes(16)

    def mark(self, name: bytes | str) -> str:
        """Return eight letters that stand for a room or an address in this run's log, and in no other."""
        content = name.encode() if isinstance(name, str) else name
        return hashlib.blake2s(content, key=self._key, digest_size=4).hexdigest()

    def say(self, level: str, event: str, **fields: object) -> None:
        """Write one line. The caller sees to it that no field holds what a client sent."""
        if LEVELS.index(level) < self._least:
            return
        now = time.time()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03}Z"
        line = json.dumps({"at": at, "level": level, "event": event, **fields}, ensure_ascii=False)
        print(line, file=self._out or sys.stderr, flush=True)
