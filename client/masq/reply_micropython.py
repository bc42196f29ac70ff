"""Reply under MicroPython, which has no futures: an Event with a value. See masq.reply for what it is."""

import asyncio

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist here
if TYPE_CHECKING:
    from typing import Any


class Reply:
    """What the store will answer. `await` gives the result or raises a MasqError."""

    def __init__(self, loop=None):
        self._event = asyncio.Event()
        self._result = None
        self._error = None
        self._callbacks = []

    def done(self):
        return self._event.is_set()

    def cancelled(self):
        return isinstance(self._error, asyncio.CancelledError)

    def cancel(self, msg=None):
        return self.fail(asyncio.CancelledError())

    def succeed(self, result, direct=False):
        if self._event.is_set():
            return False
        self._result = result
        self._finish()
        return True

    def fail(self, error, direct=False):
        if self._event.is_set():
            return False
        self._error = error
        self._finish()
        return True

    def _finish(self):
        self._event.set()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def add_done_callback(self, callback):
        if self._event.is_set():
            callback(self)
        else:
            self._callbacks.append(callback)

    def exception(self):
        return self._error

    def result(self):
        if self._error is not None:
            raise self._error
        return self._result

    def __iter__(self):  # what `await` uses here
        if not self._event.is_set():
            yield from self._event.wait()
        return self.result()

    def send(self, _value):  # what create_task uses
        if self._event.is_set():
            raise StopIteration(self.result())
        # As Event.wait() does: each task that waits is queued by itself, so any number may.
        task = asyncio.current_task()
        self._event.waiting.push(task)
        task.data = self._event.waiting

    def throw(self, error):
        raise error

    def close(self):
        pass

def outside_tasks(loop: "Any") -> bool:
    """Whether waiters may run straight away. MicroPython's Event queues them by itself."""
    return True
