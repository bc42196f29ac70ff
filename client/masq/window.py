"""Frame: the store's hidden iframe, its popup and its port. The only part that knows windows.

What travels between the windows is in docs/protocol.md. A message counts only when it comes from this very
iframe; from there but of another origin than the store's, it is an error that names both.
"""

from masq import ffi
from masq.errors import MasqError, ProtocolError, StorageUnavailable
from masq.messages import PROTOCOL, dumps, loads

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

POPUP = "popup,width=480,height=720"  # CSS pixels: one column of the store's pages


class Frame:
    """The store's iframe in this page, from now until `close()`.

    `on_message(dict)`: what the frame says. `on_fault(error)`: it cannot be the store.
    """

    def __init__(
        self,
        url: str,
        on_message: "Callable[[dict[str, Any]], object]",
        on_fault: "Callable[[MasqError], object]",
    ) -> None:
        reason = ffi.no_page()
        if reason:
            raise StorageUnavailable(reason)
        import js

        self.url = url
        self.origin = origin_of(url)
        if page_origin() == "null":
            raise ProtocolError(
                "this page has no origin of its own (a sandboxed frame, or a file), and the store knows apps by "
                "nothing else"
            )
        self.nonce = ffi.random_hex(16)
        self.later = ffi.Later()
        self._on_message = on_message
        self._on_fault = on_fault
        self._port: Any = None
        self._port_listener: ffi.Listener | None = None
        self._popup: Any = None
        self._window_listener: ffi.Listener | None = ffi.Listener(js.window, "message", self._take)
        self._iframe = js.document.createElement("iframe")
        self._iframe.name = "masq-" + self.nonce
        self._iframe.hidden = True
        self._iframe.title = "Store"
        self._iframe.src = url + "/frame.html"
        js.document.body.appendChild(self._iframe)

    def attach(
        self, details: "dict[str, Any]", on_text: "Callable[[str], object]"
    ) -> "Callable[[str], object]":
        """Give the frame a new port and say who this app is; return how to send text to the store."""
        self._drop_port()
        mine, theirs = ffi.message_channel()

        def take(event: "Any") -> None:
            on_text(event.data)

        self._port = mine
        self._port_listener = ffi.Listener(mine, "message", take)
        mine.start()
        attach = {"nonce": self.nonce}
        for name in details:
            attach[name] = details[name]
        text = dumps({"masq": PROTOCOL, "attach": attach})
        self._iframe.contentWindow.postMessage(text, self.origin, ffi.array(theirs))
        post: Callable[[str], object] = mine.postMessage
        return post

    def popup(self) -> bool:
        """Open the store's window, or bring it forward. Call it from a click. False: the browser refused."""
        import js

        # By name, so that a second click finds the same window: `closed` cannot be trusted in isolated pages.
        self._popup = js.window.open(
            self.url + "/#connect=" + self.nonce, "masq-connect-" + self.nonce, POPUP
        )
        if ffi.missing(self._popup):
            return False
        self._popup.focus()
        return True

    def close(self) -> None:
        """Remove the iframe, the port and every listener. More than once does no harm."""
        if self._window_listener is None:
            return
        self._window_listener.remove()
        self._window_listener = None
        self._drop_port()
        self._iframe.remove()
        self.later.close()

    def _drop_port(self) -> None:
        if self._port_listener is not None:
            self._port_listener.remove()
            self._port_listener = None
            self._port.close()
            self._port = None

    def _take(self, event: "Any") -> None:
        if event.source != self._iframe.contentWindow:
            return
        if event.origin != self.origin:
            self._on_fault(
                ProtocolError(
                    "the frame of the store at " + self.origin + " now shows a page of " + str(event.origin)
                )
            )
            return
        try:
            message = loads(event.data)
        except MasqError as error:
            self._on_fault(error)
            return
        if isinstance(message, dict) and "frame" in message:
            self._on_message(message)


def origin_of(url: str) -> str:
    """Return the origin of a store's address. Raises ProtocolError where it is none."""
    import js

    if isinstance(url, str) and (url.startswith("https://") or url.startswith("http://")):
        try:
            return str(js.URL.new(url).origin)
        except Exception:  # each interpreter wraps JavaScript's TypeError in its own way
            pass
    raise ProtocolError("the store's address must begin with https:// (or http:// on this machine)")


def page_origin() -> str:
    """Return the origin of this page, which is what the store knows the app by."""
    import js

    return str(js.window.origin)  # "null" where it is opaque, which location.origin does not tell
