"""One end of a meeting at a relay: its machine (`core.pairing.machine`) in its room, until it is over.

Whatever happens, it comes to an end in bounded time, by the machine's own limits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from masq.errors import MasqError
from masq_store.core.errors import PairingBroken, PairingNotServed, PairingOffline, PairingRefused
from masq_store.core.pairing.key_agreement import LinkReader
from masq_store.core.pairing.machine import Action, Ended, PairingMachine, Send
from masq_store.core.relay.frames import Current, Envelope, Error, Joined, Others, SnapshotPart
from masq_store.engine.pairing.room import PairingRoom
from masq_store.engine.relay.link import Lost, RelayLink, RoomEvent
from masq_store.engine.trace import Kind

CONNECT_MS = 30_000
"""How long a device tries to reach the relay before it says that it cannot."""

LOOK_SECONDS = 1.0
"""How often a meeting looks at the clock: a machine that slept runs no timer, and finds its time over."""

LINGER_SECONDS = 120.0
"""How long this device stays in the room for its last word, while the relay is away: the other one waits for it."""

Work = Callable[[int], Awaitable[list[Action]]]
"""One step of the machine, given the time."""


class _Step(NamedTuple):
    """Work that waits its turn; `taken` is set when it was done, or never will be."""

    work: Work
    taken: asyncio.Event


class Meeting:
    """One end, and the queue of its steps: what happens in the room and what the person does, one after the other.

    Subclasses say what becomes of the machine's actions.
    """

    def __init__(self, side: PairingMachine, link: RelayLink, now_ms: Callable[[], int]) -> None:
        self.entered = False
        """Whether this device has been in the room."""
        self.error: MasqError | None = None
        """Why it has ended."""
        self._machine = side
        self._now_ms = now_ms
        self._trace = link.trace
        self._room = PairingRoom(link, side.room, side.token, self._hear)
        self._steps: asyncio.Queue[_Step] = asyncio.Queue()
        self._over = False  # no more steps are taken
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
        return self._over or self._machine.over

    async def refuse(self) -> None:
        """End it, in its turn: the person says no. The other device is told."""
        await self._later(self._machine.refuse).wait()

    # Steps -------------------------------------------------------------------------------------------------

    def _later(self, work: Work) -> asyncio.Event:
        """Do it after all that waits. The event is set when it was done, or never will be."""
        step = _Step(work, asyncio.Event())
        if self.over:
            step.taken.set()
        else:
            self._steps.put_nowait(step)
        return step.taken

    def _hear(self, event: RoomEvent) -> None:
        self._later(partial(self._heard, event))

    async def _heard(self, event: RoomEvent, now_ms: int) -> list[Action]:
        machine = self._machine
        match event:
            # No device writes a snapshot here. Taken for a message it ends the pairing, for it may hide others.
            case Envelope(envelope=content) | SnapshotPart(envelope=content):
                self._trace.note(Kind.PAIRING_HEARD, bytes=len(content))
                return await machine.receive(content, now_ms)
            case Joined(others=count) | Others(others=count):
                return await machine.others(count, now_ms)
            case Lost():
                return await machine.others(None, now_ms)
            case Current():  # now this device knows what was in the room before it
                self.entered = True
                return await machine.start(now_ms) if isinstance(machine, LinkReader) else []
            case Error(sentence=sentence):
                self._because = self._because or PairingNotServed(sentence)
                return await machine.refuse(now_ms)
        return []

    async def _run(self) -> None:
        self._trace.note(Kind.PAIRING_BEGAN)
        try:
            await self._take_steps()
            if self.entered:
                await self._room.settled(LINGER_SECONDS)
        except Exception:
            self._end(PairingBroken("this device failed"))
            raise
        finally:
            self._room.leave()
            self._trace.note(Kind.PAIRING_LEFT, ms=self._now_ms() - self._began_ms)
            self._left()

    async def _take_steps(self) -> None:
        step: _Step | None = None
        try:
            self._room.enter()
            while not self.over:
                step = await self._next_step()
                await self._do(await self._machine.tick(self._now_ms()))
                if step is not None:
                    await self._do(await step.work(self._now_ms()))
                    step.taken.set()
                if not self.entered and self._now_ms() - self._began_ms >= CONNECT_MS:
                    await self._refuse_now(PairingOffline())
        finally:
            self._over = True
            if step is not None:
                step.taken.set()
            while not self._steps.empty():
                self._steps.get_nowait().taken.set()

    async def _next_step(self) -> _Step | None:
        """Return the next step; None where there is none for a while, and only time has passed."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._steps.get()
        except TimeoutError:
            return None

    async def _refuse_now(self, because: MasqError) -> None:
        """End it within a step, for a reason that is shown here; the other device hears of a no."""
        self._because = self._because or because
        await self._do(await self._machine.refuse(self._now_ms()))

    async def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(content):
                    self._trace.note(Kind.PAIRING_SENT, bytes=len(content))
                    self._room.say(content)
                case Ended(error):
                    mine = isinstance(error, PairingRefused) and error.fields["where"] == "here"
                    self._end(self._because if mine and self._because else error)
                case _:
                    await self._act(action)
        self._changed()

    def _end(self, error: MasqError) -> None:
        self.error = self.error or error
        self._trace.note(Kind.PAIRING_ENDED, error=error)
        self._changed()
