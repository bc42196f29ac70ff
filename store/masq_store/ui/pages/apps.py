"""The apps, what withdrawn ones left, and the reminder to make a backup."""

from .. import views
from ..words import _
from .visit import Act, Visit


class Apps(Visit):
    """The page that the store begins with."""

    def page(self) -> views.Page:
        """Return the list."""
        return views.apps(self.app.overview, self.app.moment)

    def acts(self) -> dict[str, Act]:
        """Erasing what a withdrawn app left, and putting the reminder off."""
        return {"erase": self._erase, "remind-later": self._later}

    async def _erase(self, origin: str) -> None:
        app = self.app
        name = next((kept["name"] for kept in app.overview["kept"] if kept["origin"] == origin), origin)
        done, _nothing = await app.act("erase", app.link.call("erase", origin))
        if done:
            app.close(_("The data of {name} was erased.", name=name))
            await app.fetch()
            app.screen.focus("notice")

    async def _later(self, _subject: str) -> None:
        app = self.app
        done, overview = await app.act("remind-later", app.link.call("remind_later"))
        if done:
            app.overview = {**app.overview, **overview}
            app.close(_("You will be reminded in a week."))
            app.screen.focus("notice")
