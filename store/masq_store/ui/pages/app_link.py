"""The popup of an app that cuts its windows off, where the browser keeps the app's data apart: a link joins the two."""

from typing import Any

from masq.errors import MasqError
from masq_store.core.pages.schema import LinkProgress
from masq_store.ui.html import views
from masq_store.ui.pages.pairing_page import PairingPage
from masq_store.ui.pages.visit import Act
from masq_store.ui.text.error_sentences import said_of_link
from masq_store.ui.text.translation import _


class AppLink(PairingPage[LinkProgress]):
    """The page with a link: nobody in this browser asks under the window's nonce, and none that might is in reach."""

    stays = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._tried = False
        self.why = ""  # there is no link, in a sentence

    def page(self) -> views.Page:
        """Return the link, or why there is none."""
        return views.severed(self.state, self.why, self.shell.moment)

    def acts(self) -> dict[str, Act]:
        """Return the acts: making another link, and copying it."""
        return {"make-link": self._make, "copy-link": self._copy}

    async def shown(self) -> None:
        """Make the link at once: that is what the window is there for."""
        if not self._tried:
            self._tried = True
            await self._make("")

    async def moved(self) -> None:
        """The app's page has used the link: the question is the next page."""
        if self.step == "asking":
            await self.shell.fetch()

    def left(self) -> None:
        """End it, unless the question goes on elsewhere."""
        if self.step != "asking":
            super().left()

    async def _make(self, _subject: str) -> None:
        await self.finish()  # the one before, if it failed
        self.begun, self.why = True, ""
        await self.shell.act("make-link", self._offer())
        await self._follow()

    async def _offer(self) -> None:
        screen = self.shell.screen
        try:
            # The link works for the page alone that the browser names: else any could have it used as another's.
            await self.shell.link.call("offer_link", screen.location(), self.place.nonce, screen.came_from())
        except MasqError as error:
            self.why = said_of_link(error)

    async def _copy(self, _subject: str) -> None:
        link = self.state["link"] if self.state else None
        copied = link and await self.shell.screen.copy(link)
        if copied:
            self.shell.close(
                _("The link is copied. Paste it into the strip at the lower edge of the app's page.")
            )
        else:
            self.shell.close(_("The browser did not copy it. Select the link and copy it by hand."))
        self.shell.screen.focus("copy-link" if copied else "app-link")
