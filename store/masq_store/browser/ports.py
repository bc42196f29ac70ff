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

        self._drop()
        self._proxy = create_proxy(on_message)
        self.js_port.onmessage = self._proxy

    def release(self) -> Any:
        """Stop listening and return the MessagePort, for somebody else to go on with."""
        self.js_port.onmessage = None
        self._drop()
        return self.js_port

    def close(self) -> None:
        """Close the port."""
        self.release().close()

    def _drop(self) -> None:
        if self._proxy is not None:
            self._proxy.destroy()
            self._proxy = None
