"""Macrotasks of the browser's event loop, one for each call: the `soon` of `Turns`.

Pyodide's loop posts itself a message for each callback, and runs with each message all callbacks that wait. Where some
came together, there are more messages on their way than callbacks; and while one callback asks for the next, as turns
do, they never become fewer. Who comes from outside then waits for all of them: 30 turns were seen, instead of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Trips:
    """A scheduler of macrotasks: posts itself a message for each call, at most one at a time."""

    def __init__(self) -> None:
        import js
        from pyodide.ffi import create_proxy

        self._channel = js.MessageChannel.new()
        self._channel.port1.onmessage = create_proxy(self._arrive)
        self._function: Callable[[], None] | None = None

    def __call__(self, function: Callable[[], None]) -> None:
        """Call `function` behind all that waits in the browser's event loop now."""
        self._function = function
        self._channel.port2.postMessage(0)

    def _arrive(self, _event: Any) -> None:
        function, self._function = self._function, None
        if function is not None:
            function()
