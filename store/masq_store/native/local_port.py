"""A message channel within one program: an app that runs beside the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LocalPort:
    """The engine's end of a channel; `send` and `hear` are the other one.

    Messages arrive in a later turn of the event loop, in order, as from a browser's port.
    """

    def __init__(self) -> None:
        self.hear: Callable[[str], None] = _ignore  # called with what the engine says
        self._receive: Callable[[str], None] = _ignore
        self._loop = asyncio.get_running_loop()
        self._open = True

    def post(self, text: str) -> None:
        """Send `text` to the app."""
        self._loop.call_soon(lambda: self._open and self.hear(text))

    def listen(self, receive: Callable[[str], None]) -> None:
        """Call `receive` with what the app says."""
        self._receive = receive

    def send(self, text: str) -> None:
        """Send `text` to the engine."""
        self._loop.call_soon(lambda: self._open and self._receive(text))

    def close(self) -> None:
        """Close both ends; nothing arrives afterwards."""
        self._open = False


def _ignore(text: str) -> None:
    pass
