"""The one port in memory: an end of a channel, whose other end is a second one or the test itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from patience import seconds


class Port:
    """The engine's end of a channel. Where `channel` has not joined it to another, the test is the other end."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []  # all that was posted here; a test may clear it
        self.open = True  # until the engine closes it: then nothing is taken any more
        self.other: Port | None = None
        self.cut = False  # as when the other end's worker has ended: nobody is told
        self.slow = False  # what is posted is on its way for 10 ms, and lost where this end is cut by then
        self._receive: Callable[[str], None] | None = None
        self._early: list[str] = []
        self._news = asyncio.Event()

    def post(self, text: str) -> None:
        """Take a message from the engine; it arrives at the other end in a later turn of the loop.

        Where a test is the other end, it has read all at once: a message that asks for that is answered.
        """
        message, loop = json.loads(text), asyncio.get_running_loop()
        if self.other is None and "mark" in message:
            loop.call_soon(self.say, json.dumps({"masq": 1, "read": message["mark"]}))
            return
        self.heard.append(message)
        self._news.set()
        if self.other and not self.cut:
            if self.slow:
                loop.call_later(0.01, lambda: self.cut or self.other.say(text))
            else:
                loop.call_soon(self.other.say, text)

    def listen(self, receive: Callable[[str], None]) -> None:
        """Call `receive` with what the other end says, and has said."""
        self._receive = receive
        early, self._early = self._early, []
        for text in early:
            self.say(text)

    def close(self) -> None:
        """Hear nothing any more."""
        self.open = False

    def say(self, text: str) -> None:
        """Let the engine hear a text, at once."""
        if self.open:
            (self._receive or self._early.append)(text)

    async def news(self) -> None:
        """Return when the engine has posted something more."""
        self._news.clear()
        await self._news.wait()

    async def until(self, found: Callable[[dict[str, Any]], Any]) -> Any:
        """Return what `found(message)` first gives for a message heard, now or later (within 10 s)."""
        async with asyncio.timeout(seconds(10)):
            while True:
                for message in self.heard:
                    result = found(message)
                    if result is not None:
                        return result
                await self.news()


def channel() -> tuple[Port, Port]:
    """Return the two ends of a new channel."""
    one, other = Port(), Port()
    one.other, other.other = other, one
    return one, other
