"""The idle time after which an open profile, or a partition's copy, locks by itself."""

from __future__ import annotations

from collections.abc import Callable

LOOK_SECONDS = 15
"""How often an engine looks whether it is time to lock, and renews its tickets."""


class Idle:
    """The idle timer of what may lock by itself: when anybody last used it."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._used_ms = 0

    def end(self) -> None:
        """Somebody uses it now."""
        self._used_ms = self._now_ms()

    @property
    def ms(self) -> int:
        """For how many milliseconds nobody has, as far as the clock tells."""
        now = self._now_ms()
        self._used_ms = min(self._used_ms, now)  # a clock set back must not put the lock off
        return now - self._used_ms
