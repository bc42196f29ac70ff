"""The `Network` port over the browser's WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from masq_store.core.errors import RelayUnreachable
from masq_store.core.relay.frames import LARGEST_FRAME

OPEN_SECONDS = 10.0
"""Time-out: until a connection must stand."""


class BrowserNetwork:
    """A `Network` in a worker or a page."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], None]] = []
        self._proxy: Any = None

    async def open(
        self, url: str, receive: Callable[[bytes], None], closed: Callable[[str], None]
    ) -> BrowserSocket:
        """Connect to the relay at `url`. Raises RelayUnreachable, after ten seconds at the latest."""
        import js
        from pyodide.ffi import JsException

        try:
            js_socket = js.WebSocket.new(url)
        except JsException:
            raise RelayUnreachable("this browser does not connect to such an address") from None
        socket = BrowserSocket(js_socket, receive, closed)
        stands = False
        try:
            stands = await asyncio.wait_for(socket.opened, OPEN_SECONDS)
        except TimeoutError:
            pass
        finally:
            if not stands:
                socket.abandon()
        if not stands:
            # Browsers tell no page why; see the Fetch standard.
            raise RelayUnreachable("it does not answer" if js.navigator.onLine else "there is no network")
        return socket

    def on_online(self, call: Callable[[], None]) -> None:
        """Call `call` whenever the browser says that it is online again."""
        import js
        from pyodide.ffi import create_proxy

        self._calls.append(call)
        if self._proxy is None:
            self._proxy = create_proxy(self._online)
            js.addEventListener("online", self._proxy)

    def close(self) -> None:
        """Stop listening for the network."""
        import js

        self._calls.clear()
        if self._proxy is not None:
            js.removeEventListener("online", self._proxy)
            self._proxy.destroy()
            self._proxy = None

    def _online(self, event: Any) -> None:
        for call in list(self._calls):
            call()


class BrowserSocket:
    """A `Socket` over one WebSocket, with the proxies that listen on it."""

    def __init__(
        self, js_socket: Any, receive: Callable[[bytes], None], closed: Callable[[str], None]
    ) -> None:
        from pyodide.ffi import create_proxy

        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[bool] = self._loop.create_future()
        """Whether the connection stands; awaited by the network."""
        self._socket = js_socket
        self._receive = receive
        self._closed = closed
        self._over = False
        self._proxies = {
            "onopen": create_proxy(self._on_open),
            "onmessage": create_proxy(self._on_message),
            "onclose": create_proxy(self._on_close),
        }
        js_socket.binaryType = "arraybuffer"
        for name, proxy in self._proxies.items():
            setattr(js_socket, name, proxy)

    @property
    def waiting(self) -> int:
        """Bytes that the browser has not sent yet."""
        return 0 if self._over else int(self._socket.bufferedAmount)

    def send(self, frame: bytes) -> None:
        """Send one frame."""
        from pyodide.ffi import to_js

        if not self._over:
            self._socket.send(to_js(frame))

    def close(self) -> None:
        """End the connection."""
        if not self._over:
            self.abandon()
            self._loop.call_soon(self._closed, "this device ended the connection")

    def abandon(self) -> None:
        """End the connection and tell nobody: it never stood."""
        self._over = True
        for name in self._proxies:
            setattr(self._socket, name, None)
        self._socket.close()
        # Not now: this may be the answer to one of their own calls.
        self._loop.call_soon(self._destroy)

    def _destroy(self) -> None:
        for proxy in self._proxies.values():
            proxy.destroy()
        self._proxies.clear()

    def _on_open(self, event: Any) -> None:
        if not self.opened.done():
            self.opened.set_result(True)

    def _on_message(self, event: Any) -> None:
        content = event.data
        if isinstance(content, str) or content.byteLength > LARGEST_FRAME:
            self._receive(b"")
        else:
            self._receive(content.to_bytes())

    def _on_close(self, event: Any) -> None:
        stood = self.opened.done()
        if self._over:
            return
        if not stood:
            self.opened.set_result(False)
            return
        self.abandon()
        self._closed("it ended the connection" if event.wasClean else "the connection broke")
