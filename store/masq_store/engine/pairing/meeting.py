"""One end of a meeting at a relay: its machine (`core.pairing.machine`) in its room, until it is over.

Whatever happens, it comes to an end in bounded time, by the machine's own limits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from masq.errors import MasqError
from masq_store.core.errors import PairingBroken, PairingNotServed, PairingOffline, PairingRefused
from masq_store.core.pairing.key_agreement import Promising
from masq_store.core.pairing.machine import Action, Ended, Send, Side
from masq_store.engine.pairing.room import PairingRoom
from masq_store.engine.relay.link import RelayLink

CONNECT_MS = 30_000
"""How long a device tries to reach the relay before it says that it cannot."""

LOOK_SECONDS = 1.0
"""How often a meeting looks at the clock: a machine that slept runs no timer, and finds its time over."""

LINGER_SECONDS = 120.0
"""How long this device stays in the room for its last word, while the relay is away: the other one waits for it."""

Work = Callable[[int], Awaitable[list[Action]]]
"""A step of the machine, given the time."""


class Encounter:
    """Subclasses say what becomes of the machine's actions."""

    def __init__(self, side: Side, link: RelayLink, now_ms: Callable[[], int]) -> None:
        self.entered = False
        """Whether this device has been in the room."""
        self.error: MasqError | None = None
        """Why it has ended."""
        self._machine = side
        self._now_ms = now_ms
        self._room = PairingRoom(link, side.room, side.token, self)
        self._todo: deque[Work] = deque()
        self._news = asyncio.Event()
        self._began_ms = now_ms()
        self._because: MasqError | None = None

    # For subclasses ----------------------------------------------------------------------------------------

    async def _act(self, action: Action) -> None:
        """Carry out an action that is neither a message nor the end."""

    def _changed(self) -> None:
        """Something may have changed."""

    def _left(self) -> None:
        """The room has been left: nothing happens any more."""

    # -------------------------------------------------------------------------------------------------------

    @property
    def room(self) -> bytes:
        """The room in which the two devices meet."""
        return self._machine.room

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not."""
        return self._machine.over

    async def refuse(self, because: MasqError | None = None) -> None:
        """End it; the other device is told. `because`: why, where it is not that the person said no."""
        self._because = self._because or because
        await self._do(await self._machine.refuse(self._now_ms()))
        self._news.set()

    # What happens in the room ------------------------------------------------------------------------------

    def message(self, content: bytes) -> None:
        """Take a message, in its turn."""
        self._later(lambda now: self._machine.receive(content, now))

    def others(self, count: int | None) -> None:
        """Note who is there, in its turn."""
        self._later(lambda now: self._machine.others(count, now))

    def current(self) -> None:
        """Begin, now that this device knows what was in the room before it."""
        self._later(self._meet)

    def refused(self, reason: str) -> None:
        """End it: the relay does not serve this meeting."""
        self._because = self._because or PairingNotServed(reason)
        self._later(self._machine.refuse)

    async def _meet(self, now_ms: int) -> list[Action]:
        self.entered = True
        return await self._machine.start(now_ms) if isinstance(self._machine, Promising) else []

    # -------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            self._room.enter()
            while not self.over:
                await self._wait()
                await self._do(await self._machine.tick(self._now_ms()))
                while self._todo and not self.over:
                    await self._do(await self._todo.popleft()(self._now_ms()))
                if not self.entered and self._now_ms() - self._began_ms >= CONNECT_MS:
                    await self.refuse(PairingOffline())
            if self.entered:
                await self._room.settled(LINGER_SECONDS)
        except Exception:
            self._end(PairingBroken("this device failed"))
            raise
        finally:
            self._room.leave()
            self._left()

    async def _wait(self) -> None:
        if not self._todo:
            self._news.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _later(self, work: Work) -> None:
        self._todo.append(work)
        self._news.set()

    async def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(content):
                    self._room.say(content)
                case Ended(error):
                    mine = isinstance(error, PairingRefused) and error.fields["where"] == "here"
                    self._end(self._because if mine and self._because else error)
                case _:
                    await self._act(action)
        self._changed()

    def _end(self, error: MasqError) -> None:
        self.error = self.error or error
        self._changed()
