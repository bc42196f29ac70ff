"""The page for a device that another one has removed."""

from masq_store.core.pages.schema import Overview
from masq_store.ui.html import views
from masq_store.ui.pages.unlock import switch
from masq_store.ui.pages.visit import Act, Visit
from masq_store.ui.text.translation import _


class Removed(Visit):
    """The page that comes before every other: it says so, or asks what is to become of the profile."""

    stays = True

    def page(self) -> views.Page:
        """Return what happened, and the question."""
        return views.removed(self.shell.overview, self.shell.moment)

    def acts(self) -> dict[str, Act]:
        """Return the acts: going on; or keeping the profile, erasing it, going to another one."""
        return {
            "seen-removed": self._seen,
            "keep-removed": self._keep,
            "erase-removed": self._erase,
            "switch-profile": lambda profile: switch(self.shell, profile),
        }

    async def _seen(self, _subject: str) -> None:
        done, _nothing = await self.shell.act("seen-removed", self.shell.link.call("seen_removed"))
        if done:
            await self.shell.fetch(arriving=True)

    async def _keep(self, _subject: str) -> None:
        done, _nothing = await self.shell.act("keep-removed", self.shell.link.call("keep_removed"))
        if done:
            await self.shell.fetch(arriving=True)

    async def _erase(self, _subject: str) -> None:
        shell = self.shell
        profile = self.current
        done, _overview = await shell.act("erase-removed", shell.link.call("delete_profile", profile["id"]))
        if done:
            said = _("{name}'s profile and its data were deleted from this device.", name=profile["name"])
            shell.moment = shell.moment._replace(panel=views.Panel(), notice=views.Notice(said))
            await shell.fetch(arriving=True)


def asks(overview: Overview) -> bool:
    """Say whether this comes before every other page. While the profile is locked, unlocking comes first."""
    removed, profile = overview["removed"], overview["profile"]
    if not removed or removed["state"] == "kept":
        return False
    if removed["state"] == "erased":
        return True
    return bool(profile and not profile["locked"] and not profile["failed"])
