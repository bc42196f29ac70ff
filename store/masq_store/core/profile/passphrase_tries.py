"""A rate limit for passphrases: each wrong one makes the next wait longer.

This slows somebody who types at the device down. Somebody who has its files is slowed by PBKDF2 alone.
"""

from __future__ import annotations

FREE = 3
"""Wrong passphrases in a row that cost nothing: people mistype."""

LONGEST_SECONDS = 300


class Tries:
    """Counts the wrong passphrases since the last right one."""

    def __init__(self) -> None:
        self._wrong = 0
        self._open_ms = 0

    def wait_seconds(self, now_ms: int) -> float:
        """Return how long until the next try counts, in seconds; 0: it counts now.

        A clock that was set back does not make it longer than it was.
        """
        left = min(max(0, self._open_ms - now_ms), 1000 * LONGEST_SECONDS)
        return -(-left // 100) / 10  # rounded up, to a tenth

    def wrong(self, now_ms: int) -> float:
        """Note a wrong passphrase; return how long until the next try counts, in seconds."""
        self._wrong += 1
        if self._wrong >= FREE:
            seconds = min(2.0 ** (self._wrong - FREE + 1), LONGEST_SECONDS)
            self._open_ms = now_ms + int(1000 * seconds)
        return self.wait_seconds(now_ms)

    def right(self) -> None:
        """Begin anew."""
        self._wrong = self._open_ms = 0
