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
STRIP = (
    "position: fixed; inset: auto 0 0 0; width: 100%; height: 11rem; border: 0; "
    "border-top: 2px solid; background: Canvas; z-index: 2147483647"
)
"""How the frame looks while it has something to ask."""


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
        reason, setting = ffi.no_page()
        if reason:
            raise StorageUnavailable(reason, setting)
        page = ffi.page()
        self.url = url
        self.origin = origin_of(url)
        if page_origin() == "null":
            raise ProtocolError(
                "this page has no origin of its own (a sandboxed frame, or a file), and the store knows apps by "
                "nothing else"
            )
        self.nonce = ffi.random_hex(16)
        self.on_reload: Callable[[], object] = lambda: None  # the port leads nowhere, until the next `attach`
        self.later = ffi.Later()
        self._on_message = on_message
        self._on_fault = on_fault
        self._port: Any = None
        self._port_listener: ffi.Listener | None = None
        self._popup: Any = None
        self._in_reach = 0  # looks at which the window showed a page of another origin, and was not cut off
        self._strange = 0  # pages that the iframe has loaded, without those of the store
        self._iframe = page.document.createElement("iframe")
        self._listeners = [
            ffi.Listener(page, "message", self._take),
            ffi.Listener(page, "pageshow", self._shown),
            ffi.Listener(self._iframe, "load", self._loaded),
        ]
        self._iframe.name = "masq-" + self.nonce
        self._iframe.hidden = True
        self._iframe.title = "Store"
        self._iframe.src = url + "/frame.html"
        self._body = page.document.body
        self._body.appendChild(self._iframe)

    @property
    def removed(self) -> bool:
        """Whether the page has taken the iframe out."""
        return not self._iframe.isConnected

    @property
    def strange(self) -> bool:
        """Whether the iframe was led away from the store."""
        return self._strange > 0

    def attach(
        self, details: "dict[str, Any]", on_text: "Callable[[str | None], object]"
    ) -> "Callable[[str], object]":
        """Give the frame a new port and say who this app is; return how to send text to the store."""
        self._drop_port()
        mine, theirs = ffi.message_channel()

        def take(event: "Any") -> None:
            try:
                text = event.data
            except MemoryError:
                text = None
            on_text(text)

        self._port = mine
        self._port_listener = ffi.Listener(mine, "message", take)
        mine.start()
        attach = {"nonce": self.nonce}
        for name in details:
            attach[name] = details[name]
        text = dumps({"masq": PROTOCOL, "attach": attach})
        self._hand_over(text, theirs)
        post: Callable[[str], object] = mine.postMessage
        return post

    def popup(self) -> bool:
        """Open the store's window, or bring it forward. Call it from a click. False: the browser refused."""
        self._in_reach = 0
        # By name, so that a second click finds the same window: `closed` cannot be trusted in isolated pages.
        self._popup = ffi.page().open(
            self.url + "/#connect=" + self.nonce, "masq-connect-" + self.nonce, POPUP
        )
        if ffi.missing(self._popup):
            return False
        self._popup.focus()
        return True

    def look(self) -> str:
        """Poll the store's window, while it is waited for; return "severed", "closed", or "" where it is open.

        A window that the page cuts off reads as closed from the moment when it shows the store. So one that was seen
        there is closed; one that was not is either.
        """
        if ffi.missing(self._popup):
            return ""
        if self._popup.closed:
            # Chromium shows it for some milliseconds before it cuts it off: one look does not count.
            return "closed" if self._in_reach > 1 else "severed"
        if (
            ffi.page().Object.keys(self._popup).length == 0
        ):  # of another origin; to read its address would raise
            self._in_reach += 1
        return ""

    def show(self, shown: bool) -> None:
        """Show what the frame asks at the page's lower edge, or hide it again."""
        self._iframe.style.cssText = STRIP if shown else ""
        self._iframe.hidden = not shown

    def close(self) -> None:
        """Remove the iframe, the port and every listener. More than once does no harm."""
        if not self._listeners:
            return
        for listener in self._listeners:
            listener.remove()
        self._listeners = []
        self._drop_port()
        self._iframe.remove()
        self.later.close()

    def _hand_over(self, text: str, port: "Any") -> None:
        self._iframe.contentWindow.postMessage(text, self.origin, ffi.array(port))

    def _drop_port(self) -> None:
        if self._port_listener is not None:
            self._port_listener.remove()
            self._port_listener = None
            self._port.close()
            self._port = None

    def _read(self, event: "Any") -> "Any":
        """Return the event's source, origin and data."""
        return event.source, event.origin, event.data

    def _take(self, event: "Any") -> None:
        source, origin, data = self._read(event)
        if source != self._iframe.contentWindow:
            return
        if origin != self.origin:
            self._on_fault(
                ProtocolError(
                    "the frame of the store at " + self.origin + " now shows a page of " + str(origin)
                )
            )
            return
        try:
            message = loads(data)
        except MasqError as error:
            self._on_fault(error)
            return
        if isinstance(message, dict) and "frame" in message:
            if message["frame"] == "ready":
                self._strange = max(-1, self._strange - 1)  # said just before, or just after it is loaded
            self._on_message(message)

    def _loaded(self, _event: "Any") -> None:
        self._strange += 1

    def _shown(self, event: "Any") -> None:
        """Load the iframe anew where the browser kept this page aside: not each keeps its ports and locks."""
        if event.persisted and not self.removed:
            self.on_reload()
            self._iframe.remove()
            self._body.appendChild(self._iframe)


def origin_of(url: str) -> str:
    """Return the origin of a store's address. Raises ProtocolError where it is none."""
    import js

    absolute = isinstance(url, str) and (url.startswith("https://") or url.startswith("http://"))
    # Asked first: what JavaScript throws goes through MicroPython, and leaves it broken.
    if absolute and js.URL.canParse(url):
        return str(js.URL.new(url).origin)
    raise ProtocolError("the store's address must begin with https:// (or http:// on this machine)")


def page_origin() -> str:
    """Return the origin of this page, which is what the store knows the app by."""
    return str(ffi.page().origin)  # "null" where it is opaque, which location.origin does not tell
