"""A MessagePort as the engine's `Port`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class BrowserPort:
    """Owns one MessagePort and the proxy that listens on it."""

    def __init__(self, js_port: Any) -> None:
        self.js_port = js_port
        self.post = js_port.postMessage  # bound once: this is the hot path
        self._proxy: Any = None

    def listen(self, receive: Callable[[str], None]) -> None:
        """Call `receive` with each message. What is no string arrives as "", and so gets the answer to nonsense."""
        from pyodide.ffi import create_proxy

        def on_message(event: Any) -> None:
            text = event.data
            receive(text if isinstance(text, str) else "")

        self._hear(create_proxy(on_message))

    def release(self) -> Any:
        """Stop listening and return the MessagePort, for somebody else to go on with."""
        self.js_port.onmessage = None
        self._drop()
        return self.js_port

    def close(self) -> None:
        """Close the port."""
        self.release().close()

    def _hear(self, proxy: Any) -> None:
        self._drop()
        self._proxy = proxy
        self.js_port.onmessage = proxy

    def _drop(self) -> None:
        if self._proxy is not None:
            self._proxy.destroy()
            self._proxy = None


END = '{"masq":1,"end":1}'
"""What a page of the store says to end the worker at once. Tests do, and see what becomes of everybody else."""


class PagePort(BrowserPort):
    """The port of one of the store's own pages, which may bring further ports along."""

    def __init__(self, js_port: Any, take: Callable[[list[Any]], None], end: Callable[[], None]) -> None:
        """`take` is called with the MessagePorts of a message that has some; the message is for nobody else.

        `end` is called with `END`.
        """
        super().__init__(js_port)
        self._take = take
        self._end = end

    def listen(self, receive: Callable[[str], None]) -> None:
        """Call `receive` with each message that has no ports."""
        from pyodide.ffi import create_proxy

        def on_message(event: Any) -> None:
            if event.ports.length:
                self._take(list(event.ports))
            elif event.data == END:
                self._end()
            else:
                receive(event.data if isinstance(event.data, str) else "")

        self._hear(create_proxy(on_message))
