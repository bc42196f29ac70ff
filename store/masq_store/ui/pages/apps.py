"""The apps, what withdrawn ones left, what is in the trash, and the reminder to make a backup."""

from collections.abc import Awaitable

from masq_store.ui.html import views
from masq_store.ui.pages.visit import Act, Visit
from masq_store.ui.text.translation import _


class Apps(Visit):
    """The page of all apps, with which the store begins."""

    def page(self) -> views.Page:
        """Return the list."""
        return views.apps(self.shell.overview, self.shell.moment)

    def acts(self) -> dict[str, Act]:
        """Return the acts: erasing leftovers, taking things out of the trash, putting the reminder off."""
        return {
            "erase": self._erase,
            "put-back": self._put_back,
            "erase-trash": self._erase_trash,
            "remind-later": self._later,
        }

    async def _erase(self, origin: str) -> None:
        shell = self.shell
        name = next((kept["name"] for kept in shell.overview["kept"] if kept["origin"] == origin), origin)
        done, _nothing = await shell.act("erase", shell.link.call("erase", origin))
        if done:
            shell.close(_("The data of {name} was erased.", name=name))
            await shell.fetch()
            shell.screen.focus("notice")

    async def _put_back(self, trashed: str) -> None:
        name = self._trashed(trashed)
        work = self.shell.link.call("put_back", trashed)
        await self._taken_out(f"put-back-{trashed}", work, _("{name} has it back.", name=name))

    async def _erase_trash(self, trashed: str) -> None:
        said = _("The data of {name} was erased.", name=self._trashed(trashed))
        await self._taken_out("erase-trash", self.shell.link.call("erase_trash", trashed), said)

    async def _taken_out(self, button: str, work: Awaitable[None], said: str) -> None:
        done, _nothing = await self.shell.act(button, work)
        if done:
            self.shell.close(said)
            await self.shell.fetch()
            self.shell.screen.focus("notice")

    def _trashed(self, trashed: str) -> str:
        return next((str(one["name"]) for one in self.shell.overview["trash"] if one["id"] == trashed), "")

    async def _later(self, _subject: str) -> None:
        shell = self.shell
        done, overview = await shell.act("remind-later", shell.link.call("remind_later"))
        if done:
            shell.overview = {**shell.overview, **overview}
            shell.close(_("You will be reminded in a week."))
            shell.screen.focus("notice")
