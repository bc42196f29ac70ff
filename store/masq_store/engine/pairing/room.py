"""A pairing's room at the relay: what is said there is kept until it is on the relay's disk, and read in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from masq_store.core.relay.frames import BEGINNING, Code, Current, Envelope, Error, Stored
from masq_store.engine.relay.link import Lost, RelayLink, RoomEvent

AGAIN_SECONDS = 2.0
"""When a relay that could not keep a message is given it again."""


class PairingRoom:
    """A member of a relay's link: the room of one pairing.

    `passed_on`: gets all events, in order, but those about what was said here and may yet be kept.
    """

    def __init__(
        self, link: RelayLink, room: bytes, token: bytes, passed_on: Callable[[RoomEvent], None]
    ) -> None:
        self.room = room
        self.token = token
        self._link = link
        self._passed_on = passed_on
        self._current = False  # has read the room to its end, on the present connection
        self._kept: dict[int, bytes] = {}  # what was said and is not known to be on the relay's disk, by ref
        self._ref = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._again: asyncio.TimerHandle | None = None

    def enter(self) -> None:
        """Go in, now if the relay is there, and again after each loss."""
        self._link.enter(self)

    def leave(self) -> None:
        """Go, and hear no more."""
        self._link.leave(self)
        if self._again:
            self._again.cancel()

    def say(self, content: bytes) -> None:
        """Post a message after all others; where there is no relay now, as soon as there is."""
        self._ref += 1
        self._kept[self._ref] = content
        self._settled.clear()
        if self._current:
            self._link.post(self, self._ref, content)

    async def settled(self, seconds: float) -> None:
        """Return once all that was said is on the relay's disk, or that many seconds have passed."""
        try:
            async with asyncio.timeout(seconds):
                await self._settled.wait()
        except TimeoutError:
            pass

    # As a member of the link -------------------------------------------------------------------------------

    def cursor(self) -> tuple[int, bytes]:
        """Return where to read from."""
        return BEGINNING  # each time: a room holds a few short messages, and repetition is harmless

    def hear(self, event: RoomEvent) -> None:
        """Note what became of what was said here, and pass the rest on."""
        match event:
            case Envelope(envelope=content):  # perhaps one of ours, and only the word of STORED was lost
                for ref in [ref for ref, kept in self._kept.items() if kept == content]:
                    self._done(ref)
            case Current():
                self._current = True
                self._say_again()
            case Lost():
                self._current = False
            case Stored(ref=ref):
                self._done(ref)
                return
            case Error(ref=ref, code=Code.DISK_FAILED | Code.STOPPING):  # it may succeed later
                if ref and not self._again:
                    self._again = asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._say_again)
                return
        self._passed_on(event)

    def _say_again(self) -> None:
        self._again = None
        if self._current:
            for ref, content in self._kept.items():
                self._link.post(self, ref, content)

    def _done(self, ref: int) -> None:
        self._kept.pop(ref, None)
        if not self._kept:
            self._settled.set()
