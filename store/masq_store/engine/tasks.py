"""The background tasks of an engine or a worker: whoever begins one here need not keep it, and sees its defects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from masq.errors import MasqError

END_SECONDS = 2.0
"""How long an engine waits for tasks that it has cancelled: they hold nothing that anybody needs any more."""

Result = TypeVar("Result")


class Tasks:
    """The owner of background tasks: keeps them while they run, and cancels with `close` what is left of them.

    what: runs them, as it is named where a defect is told; `heed`: is given what could be told to a person.
    """

    def __init__(self, what: str, heed: Callable[[MasqError], None]) -> None:
        self._what = what
        self._heed = heed
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Begin some work, whose task bears the name of its function."""
        name = f"{self._what}: {getattr(work, '__qualname__', 'work')}"
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def report(self, error: BaseException) -> None:
        """Tell of an error that goes no further: a defect must be seen."""
        if isinstance(error, MasqError):
            self._heed(error)
        else:
            context = {"message": f"{self._what} failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    async def attempt(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do what must keep nothing after it from being done: if it fails, that is told, and not raised."""
        try:
            await step()
        except Exception as error:
            self.report(error)

    async def close(self, seconds: float) -> None:
        """Cancel what still runs but the task that calls this; return once all has ended, or after so long."""
        left = self._running - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=seconds)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.report(error)
