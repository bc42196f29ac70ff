"""Button: shows how far the connection is, and passes clicks on."""

from masq import ffi
from masq.errors import InvalidValue

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LABELS = {
    "connecting": "Connecting…",
    "connect": "",  # the app's own label
    "waiting": "Waiting for your answer…",
    "locked": "Unlock your store",
    "connected": "Connected",
    "apart": "Sync now",
    "denied": "",
    "blocked": "",
    "failed": "",
    "closed": "",
}
"""The text of each state; the state itself is in `data-masq-state`, for the app's style sheet."""


class Button:
    """An element of the app, drawn by masq until it is connected; and on, where the data meets the store by it."""

    def __init__(self, element: "Any", on_click: "Callable[[], object]") -> None:
        if isinstance(element, str):
            found = ffi.element(element)
            if ffi.missing(found):
                raise InvalidValue('no element of the page matches "' + element + '"', "button")
            element = found
        self._element = element
        own = element.getAttribute("data-masq-label")
        self._own = str(own) if own else str(element.textContent).strip() or "Connect"
        element.setAttribute("data-masq-label", self._own)

        def click(_event: "Any") -> None:
            on_click()

        self._listener = ffi.Listener(element, "click", click)

    def draw(self, state: str, progress: str = "") -> None:
        """Show a state of `LABELS`, and behind it how far it is: while "connecting", or while changes wait."""
        self._element.setAttribute("data-masq-state", state)
        self._element.textContent = (LABELS[state] or self._own) + progress
        self._element.disabled = state in ("connecting", "connected")

    def release(self) -> None:
        """Stop listening to clicks."""
        self._listener.remove()
