"""Leader election: of all workers' engines one may write at a time, and holds a Web Lock.

Workers agree over the BroadcastChannel of the same name, in three messages. A worker that waits for the lock `wants` a
turn. The lock's holder says who `serves`, or that it is `busy`, starting or finishing. It steps down for a newer build;
an older or equal build that hears who serves sends its frames and pages there, and ends.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypedDict

from masq_store.browser.ports import web_locks
from masq_store.engine.tasks import Tasks

PATIENCE_SECONDS = 10
"""How long an engine that was asked to step down may stay silent before its lock is taken from it.

Its unfinished transactions then fail by their generation number."""

LOOKS = 4
"""Polls in that time: a machine that slept has missed but one answer."""

BUSY_LOOKS = 48
"""After how many looks in a row, two minutes of them, it is not believed any more that it is busy: no start and no end
takes as long. Answers are not counted: each who waits hears those to all the others, too."""


class Word(TypedDict, total=False):
    """A message of one worker to the others, which may be of another build: one of the first three, and its sender."""

    wants: int
    """The number of its build."""
    serves: int
    busy: int
    url: str
    """Its address; not of one that is busy."""


class EngineLock:
    """The lock called `name`, for the worker of this build at this address.

    `step_down` is called with the address of a newer one that waits, where this one serves. `stolen` is called once
    another has taken the lock away: it took this one for dead.
    """

    def __init__(
        self,
        name: str,
        build: int,
        url: str,
        tasks: Tasks,
        step_down: Callable[[str], None],
        stolen: Callable[[], None],
    ) -> None:
        import js
        from pyodide.ffi import create_proxy

        self.serving = False
        """Whether the engine has started, and is not stepping down."""
        self._name = name
        self._build = build
        self._url = url
        self._tasks = tasks
        self._step_down = step_down
        self._stolen = stolen
        self._held: web_locks.Held | None = None
        self._waiting = False  # for our turn
        self._heard = False  # whoever holds the lock has answered since we asked last
        self._said_busy = False  # since the last look
        self._elsewhere: str | None = None  # the address of a worker that serves in our place
        self._sent_on = asyncio.Event()  # set with `_elsewhere`
        self._channel = js.BroadcastChannel.new(self._name)
        self._channel.onmessage = create_proxy(self._hear)

    async def take(self) -> str | None:
        """Take the lock; where a worker as new as this one, or newer, serves, return its address instead."""
        self._held = await self._take_turn()
        return None if self._held else self._elsewhere

    async def _take_turn(self) -> web_locks.Held | None:
        held = await web_locks.acquire(self._name, wait=False, stolen=self._stolen)
        if held:
            return held
        waiting = self._tasks.start(web_locks.acquire(self._name, stolen=self._stolen))
        sent_on = self._tasks.start(self._sent_on.wait())
        self._waiting = True
        try:
            silent = busy = 0
            while not waiting.done() and not sent_on.done():
                if silent == LOOKS or busy >= BUSY_LOOKS:
                    waiting.add_done_callback(_pass_on)
                    return await web_locks.acquire(self._name, steal=True, stolen=self._stolen)
                self._heard = self._said_busy = False
                self._wish()
                await asyncio.wait(
                    [waiting, sent_on], timeout=PATIENCE_SECONDS / LOOKS, return_when=asyncio.FIRST_COMPLETED
                )
                silent = 0 if self._heard else silent + 1
                busy = busy + 1 if self._said_busy else 0
        finally:
            self._waiting = False
            sent_on.cancel()
        if self._elsewhere:
            waiting.add_done_callback(_pass_on)
            return None
        return waiting.result()

    def _hear(self, event: Any) -> None:
        message: Word = json.loads(event.data)
        if "wants" in message and self._held:
            if self.serving and message["wants"] <= self._build:
                self.say_who_serves()
                return
            if self.serving:
                self.serving = False
                self._step_down(message["url"])
            self._post({"busy": self._build})
        elif self._waiting and ("busy" in message or "serves" in message):
            self._heard = True
            self._said_busy = "busy" in message
            if message.get("serves", -1) >= self._build:
                self._elsewhere = message["url"]
                self._sent_on.set()
            elif "serves" in message:
                self._wish()  # it was not ready when we asked

    def _wish(self) -> None:
        self._post({"wants": self._build, "url": self._url})

    def say_who_serves(self) -> None:
        """Tell those that wait that they may send their frames and pages here."""
        self._post({"serves": self._build, "url": self._url})

    def release(self) -> None:
        """Let another worker have it, if it is held."""
        if self._held:
            self._held.release()
            self._held = None

    def _post(self, message: Word) -> None:
        self._channel.postMessage(json.dumps(message))


def _pass_on(granted: asyncio.Future[web_locks.Held | None]) -> None:
    """Give back a lock that still comes to us though we no longer wait for it."""
    if not granted.cancelled() and not granted.exception() and (held := granted.result()):
        held.release()
