"""The ports of the pages: the engine, and the browser's window."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from masq_store.core.pages.schema import Event
from masq_store.ui.html.views import Page


class Link(Protocol):
    """The engine as a page reaches it."""

    on_event: Callable[[Event], None]

    def call(self, method: str, *args: Any) -> Awaitable[Any]:
        """Return the engine's answer, or raise a MasqError."""


class Room(NamedTuple):
    """The browser's storage: bytes `used`, of `quota` (0: not known), and whether it promised to keep them."""

    used: int = 0
    quota: int = 0
    persisted: bool = False


class Download(Protocol):
    """A file on its way to the reader's downloads. It is saved by `finish`; without that nothing happens."""

    def add(self, content: bytes) -> None:
        """Append `content`."""

    def finish(self) -> None:
        """Give the file to the reader."""


class Screen(Protocol):
    """The browser's window as the pages use it (see dom.py)."""

    def show(self, page: Page, arriving: bool, top: str) -> None:
        """Draw `page`, and `top` in the header; keep what is typed and focused unless just `arriving`."""

    def fields(self) -> dict[str, str | bool]:
        """Return what the fields hold, by id: text, or bool for a box to tick."""

    def focus(self, name: str) -> None:
        """Move the focus to the element with that id or `data-focus`."""

    def write(self, name: str, text: str) -> None:
        """Change the text of the element with that id, and nothing else."""

    def advance(self, name: str, done: int, of: int) -> None:
        """Set the progress bar with that id."""

    def address(self) -> str:
        """Return the address after the page's "#", as it stands there."""

    def go(self, address: str) -> None:
        """Change the address after the "#"; `App.moved` is called if it was another."""

    def replace(self, address: str) -> None:
        """Change the address after the "#" without going anywhere; the present one is not kept in the history."""

    def location(self) -> str:
        """Return the whole address of this page, without what stands after the "#"."""

    @property
    def severed(self) -> bool:
        """Whether no page can be reached that has opened this window."""

    def came_from(self) -> str:
        """Return the origin of the page that has opened this window, "" where the browser does not tell."""

    def reload(self) -> None:
        """Load the whole page again."""

    def file(self, field: str) -> tuple[str, int] | None:
        """Return name and size in bytes of the file chosen in the field with that id, None without one."""

    async def read_file(self, field: str, start: int, end: int) -> bytes:
        """Return the bytes [start, end) of the file chosen in the field with that id."""

    def download(self, name: str) -> Download:
        """Begin a file of that name for the reader's downloads."""

    async def room(self) -> Room:
        """Return what the browser says about its storage."""

    @property
    def persist_asks(self) -> bool:
        """Whether `persist` puts a question of the browser's own to the person, and waits for the answer."""

    @property
    def framed(self) -> bool:
        """Whether the page that opened this window is itself shown inside another page."""

    @property
    def steady(self) -> bool:
        """Whether the window and its question have stood still for half a second: see settling.py."""

    async def persist(self) -> bool:
        """Ask the browser to keep the storage for good; return whether it will."""

    def remembered(self, name: str) -> str:
        """Return what was remembered under `name` in this browser, "" if nothing."""

    def remember(self, name: str, value: str) -> None:
        """Remember `value` under `name` in this browser; "" forgets it."""

    async def copy(self, text: str) -> bool:
        """Put `text` into the clipboard; say whether the browser did."""

    async def can_scan(self) -> bool:
        """Say whether this browser reads QR codes with a camera."""

    async def scan(self, video: str, found: Callable[[str], None]) -> Callable[[], None]:
        """Show the camera in the element `video`, and call `found` with each code that is seen.

        Returns what ends it, which may be called twice. Raises MasqError where the camera cannot be used.
        """

    def languages(self) -> list[str]:
        """Return the languages that the browser asks pages for, the best first."""

    def look(self, language: str, theme: str) -> None:
        """Say the page's `language`, and its `theme`: "light", "dark", or "" for the device's."""
