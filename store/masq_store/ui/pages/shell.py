"""The shell of a page: what it needs of the window that shows it."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from masq_store.core.pages.schema import Overview
from masq_store.ui.html.routes import Place
from masq_store.ui.html.views import Moment, Page, Question
from masq_store.ui.window.screen import Link, Screen


class Shell(Protocol):
    """The frame around the present page (see app.py): the engine, the window, and what all pages have in common.

    `place`: where the reader is; `overview`: what the engine last said of the store; `request`: what the popup's
    question is about; `asked`: the nonce of the question that this window has shown, and `waiting` of one that
    waits in it while the reader does something else first; `moment`: what the page is in the middle of; `final`:
    what is shown in the page's place until the reader goes elsewhere; `done(allowed)`: to be called once the
    popup's question is answered.
    """

    link: Link
    screen: Screen
    place: Place
    overview: Overview
    request: Question | None
    asked: str
    waiting: str
    moment: Moment
    final: Page | None
    done: Callable[[bool], Any] | None

    @property
    def visit(self) -> object:
        """The page that is shown; another one may be by the time that a call has been answered."""

    # ---- what is shown

    async def fetch(self, arriving: bool = False) -> None:
        """Ask the engine for what the present page shows, then draw it."""

    def draw(self, arriving: bool = False) -> None:
        """Show the page for what is known now."""

    def go(self, address: str, parting: str = "") -> None:
        """Go to another page, which begins with the sentence `parting`."""

    def end(self, page: Page) -> None:
        """Show `page` until the reader goes elsewhere."""

    def lost(self, error: Exception) -> None:
        """Say that the engine does not answer, and what to do."""

    # ---- forms and questions that open on a page

    def open(self, name: str, subject: str = "", first: str = "", opener: str = "") -> None:
        """Open a form or a question; the focus goes to the element `first`, and back to `opener` at its end."""

    def close(self, notice: str = "", action: str = "") -> None:
        """Close what is open; `notice` says what was done, and `action` can take it back."""

    # ---- acts

    async def act(
        self, button: str, work: Awaitable[Any], fields: dict[str, str] | None = None
    ) -> tuple[bool, Any]:
        """Wait for `work` with `button` busy. Returns (True, its result); else the problem is on the page.

        `fields` says beside which field an error of some code is shown; "" stands for every other code.
        """

    def start(self, work: Any) -> None:
        """Run a coroutine that nobody waits for, and show its failure instead of losing it."""

    def progress(self, done: int, of: int) -> None:
        """Show how much of the act under way is done."""

    def refuse(self, sentence: str, field: str = "") -> None:
        """Say what is wrong, beside `field`."""

    def seconds_to_wait(self) -> int:
        """Return how long a passphrase may not be tried yet, seconds."""

    async def keep_for_good(self) -> bool:
        """Ask the browser to keep the storage, and tell the engine what it said."""
