"""The apps, what withdrawn ones left, what is in the trash, and the reminder to make a backup."""

from collections.abc import Awaitable

from masq_store.ui.html import views
from masq_store.ui.text.translation import _

from .visit import Act, Visit


class Apps(Visit):
    """The page that the store begins with."""

    def page(self) -> views.Page:
        """Return the list."""
        return views.apps(self.app.overview, self.app.moment)

    def acts(self) -> dict[str, Act]:
        """Erasing what a withdrawn app left, taking things out of the trash, and putting the reminder off."""
        return {
            "erase": self._erase,
            "put-back": self._put_back,
            "erase-trash": self._erase_trash,
            "remind-later": self._later,
        }

    async def _erase(self, origin: str) -> None:
        app = self.app
        name = next((kept["name"] for kept in app.overview["kept"] if kept["origin"] == origin), origin)
        done, _nothing = await app.act("erase", app.link.call("erase", origin))
        if done:
            app.close(_("The data of {name} was erased.", name=name))
            await app.fetch()
            app.screen.focus("notice")

    async def _put_back(self, trashed: str) -> None:
        name = self._trashed(trashed)
        work = self.app.link.call("put_back", trashed)
        await self._taken_out(f"put-back-{trashed}", work, _("{name} has it back.", name=name))

    async def _erase_trash(self, trashed: str) -> None:
        said = _("The data of {name} was erased.", name=self._trashed(trashed))
        await self._taken_out("erase-trash", self.app.link.call("erase_trash", trashed), said)

    async def _taken_out(self, button: str, work: Awaitable[None], said: str) -> None:
        done, _nothing = await self.app.act(button, work)
        if done:
            self.app.close(said)
            await self.app.fetch()
            self.app.screen.focus("notice")

    def _trashed(self, trashed: str) -> str:
        return next((str(one["name"]) for one in self.app.overview["trash"] if one["id"] == trashed), "")

    async def _later(self, _subject: str) -> None:
        app = self.app
        done, overview = await app.act("remind-later", app.link.call("remind_later"))
        if done:
            app.overview = {**app.overview, **overview}
            app.close(_("You will be reminded in a week."))
            app.screen.focus("notice")
