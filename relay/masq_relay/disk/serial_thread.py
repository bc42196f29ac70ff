"""Executors of one thread each, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


class SerialThread:
    """An executor of one thread: jobs are done in the order in which they came, and answered on the event loop."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], Result], then: Callable[[Result | None, Exception | None], None]) -> None:
        """Do `job` on the thread, then call `then` with its result, or with what it raised, on the event loop."""

        def work() -> None:
            result: Result | None = None
            failure: Exception | None = None
            try:
                result = job()
            except Exception as error:
                failure = error
            self._loop.call_soon_threadsafe(then, result, failure)

        self._jobs.put(work)

    async def ask(self, job: Callable[[], Result]) -> Result:
        """Do `job` on the thread and return its result; raises what it raises."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def then(result: Result | None, failure: Exception | None) -> None:
            if future.cancelled():
                return
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)

        self.do(job, then)
        result: Result = await future
        return result

    def end(self) -> None:
        """Finish what was given, then end the thread. Waits for it."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
