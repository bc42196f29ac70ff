"""FarFrame: the Frame of an app that runs in a worker of PyScript.

PyScript lends a worker its page's window. Each look at it is a trip to the page's thread, of one or two
milliseconds; so iframe, button and popup are reached that way, and nothing that is said on the port is. The port is
made in the worker. Its other end leaves by the one way there is for ports: as a message to the `xworker` of the
worker's `<script>`.
"""

from masq import ffi
from masq.frame import Frame

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from masq.errors import MasqError


class FarFrame(Frame):
    """The store's iframe in the page of this worker, from now until `close()`."""

    def __init__(
        self,
        url: str,
        on_message: "Callable[[dict[str, Any]], object]",
        on_fault: "Callable[[MasqError], object]",
    ) -> None:
        super().__init__(url, on_message, on_fault)
        self._leaving: list[str] = []  # what goes to the frame with each port that is on its way
        script = __import__("polyscript").currentScript
        self._exit = ffi.Listener(script.xworker, "message", self._arrived)

    def close(self) -> None:
        """Remove the iframe, the port and every listener. More than once does no harm."""
        self._exit.remove()
        super().close()

    def _hand_over(self, text: str, port: "Any") -> None:
        import js

        self._leaving.append(text)
        js.postMessage(text, ffi.array(port))

    def _arrived(self, event: "Any") -> None:
        """Pass on, in the page, what this worker has sent there."""
        if self._leaving and event.data == self._leaving[0]:
            self._leaving.pop(0)
            self._iframe.contentWindow.postMessage(event.data, self.origin, event.ports)

    def _read(self, event: "Any") -> "Any":
        found = __import__("polyscript").ffi.gather(event, "source", "origin", "data")  # in one trip
        return found[0], found[1], found[2]
