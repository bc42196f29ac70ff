"""Reply: the awaitable that every call returns, already on its way to the store.

`await` it, or hand it to asyncio's `create_task`, `gather`, `wait_for`, `shield`. It is a future whose waiters
run straight from the message handler: a trip through the browser's event loop costs more than the whole call
(22 to 36 µs against 19 µs, docs/architecture.md). Where that is not possible, because a task is running, it
goes through the loop as any future does.

MicroPython has no futures; masq.reply_micropython is the same there.
"""

import asyncio

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

_PENDING, _DONE, _CANCELLED = 0, 1, 2


class Reply:
    """A future for the store's answer to one call. `await` gives the result or raises a MasqError."""

    __slots__ = ("_asyncio_future_blocking", "_callbacks", "_error", "_loop", "_result", "_state", "_unseen")

    def __init__(self, loop: "asyncio.AbstractEventLoop | None" = None) -> None:
        self._loop = asyncio.get_running_loop() if loop is None else loop
        self._state = _PENDING
        self._error: BaseException | None = None
        self._unseen: _Unseen | None = None
        self._callbacks: list[tuple[Callable[[Any], object], Any]] | None = None
        self._asyncio_future_blocking = False  # by this name asyncio knows a future

    def done(self) -> bool:
        """Whether there is a result, an error or a cancellation."""
        return self._state != _PENDING

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._state == _CANCELLED

    def get_loop(self) -> "asyncio.AbstractEventLoop":
        """Return the event loop that it belongs to."""
        return self._loop

    def result(self) -> "Any":
        """Return the result, or raise the error; InvalidStateError while neither is there."""
        if self._state == _DONE:
            if self._error is None:
                return self._result
            self._look()
            raise self._error
        if self._state == _CANCELLED:
            raise asyncio.CancelledError
        raise asyncio.InvalidStateError("the store has not answered yet")

    def exception(self) -> "BaseException | None":
        """Return the error, or None for a result."""
        if self._state == _DONE:
            self._look()
            return self._error
        self.result()
        return None

    def _look(self) -> None:
        if self._unseen is not None:
            self._unseen.error = None
            self._unseen = None

    def cancel(self, msg: "Any | None" = None) -> bool:
        """Stop waiting. What was sent stays sent: a write may still be carried out."""
        if self._state != _PENDING:
            return False
        self._state = _CANCELLED
        # Through the loop: whoever cancels is usually a running task, and two cannot run at once.
        self._wake(False)
        return True

    def _make_cancelled_error(self) -> asyncio.CancelledError:  # asyncio.gather asks for it
        return asyncio.CancelledError()

    def succeed(self, result: "Any", direct: bool = False) -> bool:
        """Set the result; `direct`: run the waiters now. False if it was done already."""
        if self._state != _PENDING:
            return False
        self._state = _DONE
        self._result = result
        if self._callbacks is not None:
            self._wake(direct)
        return True

    def fail(self, error: BaseException, direct: bool = False) -> bool:
        """Set the error; `direct`: run the waiters now. False if it was done already."""
        if self._state != _PENDING:
            return False
        self._state = _DONE
        self._error = error
        self._unseen = _Unseen(self._loop, error)
        self._wake(direct)
        return True

    def add_done_callback(self, callback: "Callable[[Any], object]", *, context: "Any" = None) -> None:
        """Call `callback(self)` once it is done, in the `context` given."""
        if self._state != _PENDING:
            self._loop.call_soon(callback, self, context=context)
        elif self._callbacks is None:
            self._callbacks = [(callback, context)]
        else:
            self._callbacks.append((callback, context))

    def remove_done_callback(self, callback: "Callable[[Any], object]") -> int:
        """Forget a callback; return how often it was there."""
        before = self._callbacks or []
        self._callbacks = [entry for entry in before if entry[0] != callback]
        return len(before) - len(self._callbacks)

    def _wake(self, direct: bool) -> None:
        callbacks, self._callbacks = self._callbacks, None
        for callback, context in callbacks or ():
            if not direct:
                self._loop.call_soon(callback, self, context=context)
                continue
            try:
                if context is None:
                    callback(self)
                else:
                    context.run(callback, self)
            except Exception as error:
                self._loop.call_exception_handler(
                    {"message": "a callback of a reply of the store failed", "exception": error}
                )

    def __await__(self) -> "Generator[Any, None, Any]":
        if self._state == _PENDING:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    # With these three asyncio.create_task takes a Reply as it takes a coroutine.

    def send(self, _value: object) -> "Any":
        """Give control to the task, or end with the result."""
        if self._state == _PENDING:
            self._asyncio_future_blocking = True
            return self
        raise StopIteration(self.result())

    def throw(self, error: "Any", *_more: object) -> "Any":
        """Raise in the place of the waiting task."""
        raise error

    def close(self) -> None:
        """End a task that waits here: nothing to do."""


class _Unseen:
    """Tells the console of an error that nobody looked at, such as that of a `set` without `await`."""

    def __init__(self, loop: "asyncio.AbstractEventLoop", error: BaseException) -> None:
        self.loop = loop
        self.error: BaseException | None = error

    def __del__(self) -> None:
        if self.error is not None and not self.loop.is_closed():
            self.loop.call_exception_handler(
                {"message": "a call to the store failed, and nobody awaited it", "exception": self.error}
            )


def outside_tasks(loop: "asyncio.AbstractEventLoop | None") -> bool:
    """Whether waiters may run straight away: asyncio runs one task at a time."""
    return loop is None or asyncio.current_task(loop) is None
