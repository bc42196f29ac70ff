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


_FIRST_OF_FOUR = bytes(range(0xF0, 0xF8))
"""In UTF-8, what characters beyond U+FFFF begin with, which are two units of UTF-16."""


class JsText:
    """A `LongText` that JavaScript keeps. Its units are JavaScript's: a character beyond U+FFFF is two."""

    def __init__(self, js_text: Any) -> None:
        self._js_text = js_text
        self._length = int(js_text.length)

    def __len__(self) -> int:
        return self._length

    def piece(self, start: int, end: int) -> str:
        """Return what stands between two places."""
        return str(self._js_text.slice(start, end))

    def units(self, text: str) -> int:
        """Return how many units a piece takes."""
        if text.isascii():
            return len(text)
        encoded = text.encode("utf-8", "surrogatepass")  # the store's Python has no codec for UTF-16
        return len(text) + len(encoded) - len(encoded.translate(None, _FIRST_OF_FOUR))


class AppPort(BrowserPort):
    """An app's port. While the person has not allowed the app, its frame has the port, and answers for the engine."""

    def __init__(self, js_port: Any, give: Callable[[list[Any], Any], None], ask: Callable[[], None]) -> None:
        """`give(refusal, js_port)` gives the frame the port, to answer all calls so; `ask()` asks it for the port."""
        super().__init__(js_port)
        self._give, self._ask = give, ask
        self._receive: Callable[[Any], None] = lambda text: None
        self._refusal: list[Any] | None = None
        self._kept: list[str] = []  # what is to be posted once the port is here again
        self.away = False
        self._asked = False  # the frame was asked for it

    def listen(self, receive: Callable[[Any], None]) -> None:
        """Call `receive` with each message; with a `JsText` where it is long, with "" where it is no text."""
        import js
        from pyodide.ffi import create_proxy

        def on_message(data: Any) -> None:
            if isinstance(data, str):
                receive(data)
            else:
                receive(JsText(data) if str(tag(data)) == "[object String]" else "")

        tag = js.Object.prototype.toString.call
        self._receive = receive
        self._drop()
        self._proxy = create_proxy(on_message)
        js.masqBridge.hear(self.js_port, self._proxy)

    def refused(self, refusal: list[Any] | None) -> None:
        """Have the frame answer all calls with this refusal; None: let them come here."""
        self._refusal = refusal
        if refusal is None:
            self._fetch()
        elif not self.away:
            js_port = self.release()
            self.away, self._asked, self.post = True, False, self._keep
            self._give(refusal, js_port)

    def back(self, js_port: Any) -> None:
        """Take the port from the frame again."""
        self.js_port, self.away, self.post = js_port, False, js_port.postMessage
        kept, self._kept = self._kept, []
        for text in kept:
            self.post(text)
        if self._refusal is None:
            self.listen(self._receive)
        else:
            self.refused(self._refusal)

    def release(self) -> Any:
        """Stop listening and return the MessagePort; None where the frame has it."""
        return None if self.away else super().release()

    def close(self) -> None:
        """Close the port. One that the frame has goes with the frame, or is replaced by the next."""
        if not self.away:
            super().close()

    def _keep(self, text: str) -> None:
        self._kept.append(text)
        self._fetch()

    def _fetch(self) -> None:
        if self.away and not self._asked:
            self._asked = True
            self._ask()


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
