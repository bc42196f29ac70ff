"""The base class of a pairing's pages: they follow what the engine tells of it."""

from typing import Any, Generic, TypeVar

from masq.errors import MasqError
from masq_store.core.pages.schema import Event, LinkProgress, PairingProgress
from masq_store.ui.html.views import Notice
from masq_store.ui.pages.visit import Visit
from masq_store.ui.text.error_sentences import code_of

Progress = TypeVar("Progress", PairingProgress, LinkProgress)


class PairingPage(Visit, Generic[Progress]):
    """A page on which this device pairs with another one, or with an app's page.

    `state` is what the engine last told of the pairing, None where this page has begun none. Leaving ends it.
    """

    urgent = frozenset({"refuse"})  # a no counts at once, whatever the page waits for

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.state: Progress | None = None
        self.begun = False
        self._asked = self._kept = 0

    @property
    def step(self) -> str:
        """The pairing's state, as the engine names it; "" without a pairing."""
        return str(self.state["state"]) if self.state else ""

    async def load(self) -> tuple[int, Progress | None]:
        """Return the number of this call, and how far the pairing is."""
        self._asked += 1
        turn = self._asked
        return turn, await self.shell.link.call("pairing") if self.begun else None

    def take(self, loaded: tuple[int, Progress | None]) -> None:
        """Keep it, unless a later question was answered before."""
        turn, state = loaded
        if turn > self._kept:
            self._kept = turn
            self.state = state if self.begun else None

    def heard(self, event: Event) -> None:
        """Take an event of the engine: the pairing has come further."""
        if event[0] == "pairing" and self.begun:
            self.shell.start(self._follow())

    async def _follow(self) -> None:
        try:
            loaded = await self.load()
        except MasqError as error:
            if code_of(error) != "Locked":
                self.shell.lost(error)
            return
        if self.shell.visit is not self:
            return
        before = self.step  # as late as this: of two that ask at once, one shows the new page
        self.take(loaded)
        moved = before != self.step
        if moved:
            self.shell.moment = self.shell.moment._replace(problem=None, notice=Notice())
        self.shell.draw(arriving=moved)
        if moved:
            await self.moved()

    async def moved(self) -> None:
        """Do what is due once another state of the pairing is on the page."""

    async def begin(self, button: str, work: Any, fields: dict[str, str] | None = None) -> bool:
        """Begin a pairing by a call; say whether it began."""
        self.begun, self.state = True, None
        if await self.answer(button, work, fields):
            await self._follow()
            return True
        self.begun = False
        self.shell.draw()
        return False

    async def answer(self, button: str, work: Any, fields: dict[str, str] | None = None) -> bool:
        """Wait for a call that moves the pairing on; say whether it did."""
        done, _nothing = await self.shell.act(button, work, fields)
        if not self.begun:  # the reader has said no meanwhile: what became of the call is of no interest
            self.shell.moment = self.shell.moment._replace(problem=None)
        self.shell.draw()
        return done and self.begun

    async def finish(self) -> None:
        """Let the engine forget the pairing, or end it if it is not over."""
        if not self.begun:
            return
        self.begun, self.state = False, None
        try:
            await self.shell.link.call("end_pairing")
        except MasqError:
            return  # locked or gone: then the pairing has ended as well

    def left(self) -> None:
        """End the pairing."""
        if self.begun:
            self.shell.start(self.finish())
