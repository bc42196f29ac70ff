"""Reply under MicroPython, which has no futures: an Event with a value. See masq.reply for what it is."""

import asyncio

from masq import ffi

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


UNSEEN_SECONDS = 1.0
"""An error that nobody has looked at by then is told to the console, such as that of a `set` without `await`."""

_PAGE: "Any" = __import__("asyncio.core").core._top_level_task
"""What is no task of the app's own: a page's program, and whatever the browser calls, such as a click."""


class Reply:
    """A future for the store's answer to one call. `await` gives the result or raises a MasqError."""

    def __init__(self, loop: "Any" = None) -> None:
        self._event: Any = asyncio.Event()
        self._result: Any = None
        self._error: BaseException | None = None
        self._seen = False
        self._callbacks: list[Callable[[Reply], object]] = []
        self._telling: Any = None  # the task that tells of an error that nobody has seen

    def done(self) -> bool:
        """Whether there is a result, an error or a cancellation."""
        return bool(self._event.is_set())

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return isinstance(self._error, asyncio.CancelledError)

    def cancel(self, msg: "Any" = None) -> bool:
        """Stop waiting. What was sent stays sent: a write may still be carried out."""
        return self.fail(asyncio.CancelledError())

    def succeed(self, result: "Any", direct: bool = False) -> bool:
        """Set the result. False if it was done already."""
        return self._finish(result, None)

    def fail(self, error: BaseException, direct: bool = False) -> bool:
        """Set the error. False if it was done already."""
        return self._finish(None, error)

    def _finish(self, result: "Any", error: "BaseException | None") -> bool:
        if self._event.is_set():
            return False
        self._result = result
        self._error = error
        self._event.set()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)
        if error is not None and not self._seen and not isinstance(error, asyncio.CancelledError):
            self._telling = asyncio.create_task(self._tell_unseen())
        return True

    async def _tell_unseen(self) -> None:
        await asyncio.sleep(UNSEEN_SECONDS)
        if not self._seen:
            ffi.complain("a call to the store failed, and nobody awaited it: " + str(self._error))

    def add_done_callback(self, callback: "Callable[[Reply], object]") -> None:
        """Call `callback(self)` once it is done."""
        if self._event.is_set():
            callback(self)
        else:
            self._callbacks.append(callback)

    def exception(self) -> "BaseException | None":
        """Return the error, or None for a result."""
        self._seen = True
        return self._error

    def result(self) -> "Any":
        """Return the result, or raise the error."""
        self._seen = True
        if self._error is not None:
            raise self._error
        return self._result

    def __iter__(self) -> "Any":  # what `await` uses here
        if not self._event.is_set():
            # Of several that wait for an Event in there, only the last would go on.
            if asyncio.current_task() is _PAGE:
                yield from ffi.promise(self._tell)
            else:
                yield from self._event.wait()
        return self.result()

    __await__ = __iter__

    def _tell(self, resolve: "Any", _reject: "Any") -> None:
        self.add_done_callback(lambda _reply: resolve())

    # With these three asyncio.create_task takes a Reply as it takes a coroutine.

    def send(self, _value: object) -> "Any":
        """Queue the task, as Event.wait() does, or end with the result. Any number of tasks may wait."""
        if self._event.is_set():
            raise StopIteration(self.result())
        task: Any = asyncio.current_task()
        self._event.waiting.push(task)
        task.data = self._event.waiting

    def throw(self, error: "Any", *_more: object) -> "Any":
        """Raise in the place of the waiting task."""
        raise error

    def close(self) -> None:
        """End a task that waits here: nothing to do."""


def outside_tasks(loop: "Any") -> bool:
    """Whether waiters may run straight away. MicroPython's Event queues them by itself."""
    return True
