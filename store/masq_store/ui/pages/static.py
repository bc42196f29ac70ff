"""Pages on which nothing happens."""

from masq_store.ui.html import views
from masq_store.ui.pages.visit import Visit


class Nowhere(Visit):
    """The page of an address that names nothing."""

    def page(self) -> views.Page:
        """Return the page."""
        return views.nowhere()


class Over(Visit):
    """The page of a question that nobody waits for any more."""

    def page(self) -> views.Page:
        """Return the page."""
        return views.over(self.shell.screen.severed and self.shell.asked != self.place.nonce)
