"""Throttled calls: however often something is asked for, it is done once in so many seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Throttle:
    """Has `call` called `seconds` after it was first asked for; what is asked for until then comes with that.

    A call that asks for itself comes periodically.
    """

    def __init__(self, seconds: float, call: Callable[[], object]) -> None:
        self._seconds = seconds
        self._call = call
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> bool:
        """Whether a call is to come."""
        return self._timer is not None

    def ask(self) -> None:
        """Let a call come, if none is to come already."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._ring)

    def cancel(self) -> None:
        """Let none come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._call()
