"""Flushes (fsync): until all that was written is on the disk itself, and a power cut takes nothing of it.

Flushing takes as long as the disk does. So there is one flush at a time, and all who ask meanwhile have the next one
together: an app that asks for a thousand gets a few.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from masq.errors import MasqError
from masq_store.core.errors import StorageFailed
from masq_store.engine.ports import Backend

Done = Callable[["MasqError | None"], None]


class Flushes:
    """The flushes of one `Backend`. `heed`: is given what goes wrong."""

    def __init__(self, backend: Backend, heed: Callable[[MasqError], None]) -> None:
        self._backend = backend
        self._heed = heed
        self._asking: list[Done] = []
        self.task: asyncio.Task[None] | None = None
        """What runs while there is something to flush."""

    def ask(self, done: Done) -> None:
        """Call `done(None)` once all that the disk was given before this call is flushed, or `done(error)`."""
        self._asking.append(done)
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._asking:
                asking, self._asking = self._asking, []
                error: MasqError | None = StorageFailed()
                try:
                    with suppress(asyncio.CancelledError):
                        await self._backend.flush()
                        error = None
                except MasqError as failed:
                    error = failed
                    self._heed(failed)
                finally:
                    for done in asking:
                        done(error)
        finally:
            self.task = None
