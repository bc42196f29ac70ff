"""Another device has removed this one."""

from typing import Any

from masq_store.ui.html import views
from masq_store.ui.pages.unlock import switch
from masq_store.ui.text.translation import _

from .visit import Act, Visit


class Removed(Visit):
    """Before anything else it is said, or asked what is to become of the profile."""

    stays = True

    def page(self) -> views.Page:
        """Return what happened, and the question."""
        return views.removed(self.app.overview, self.app.moment)

    def acts(self) -> dict[str, Act]:
        """Going on; or keeping the profile, erasing it, going to another one."""
        return {
            "seen-removed": self._seen,
            "keep-removed": self._keep,
            "erase-removed": self._erase,
            "switch-profile": lambda profile: switch(self.app, profile),
        }

    async def _seen(self, _subject: str) -> None:
        done, _nothing = await self.app.act("seen-removed", self.app.link.call("seen_removed"))
        if done:
            await self.app.fetch(arriving=True)

    async def _keep(self, _subject: str) -> None:
        done, _nothing = await self.app.act("keep-removed", self.app.link.call("keep_removed"))
        if done:
            await self.app.fetch(arriving=True)

    async def _erase(self, _subject: str) -> None:
        app = self.app
        profile = app.overview["profile"]
        done, _overview = await app.act("erase-removed", app.link.call("delete_profile", profile["id"]))
        if done:
            said = _("{name}'s profile and its data were deleted from this device.", name=profile["name"])
            app.moment = app.moment._replace(panel=views.Panel(), notice=views.Notice(said))
            await app.fetch(arriving=True)


def asks(overview: dict[str, Any]) -> bool:
    """Say whether this comes before every other page. While the profile is locked, unlocking comes first."""
    removed, profile = overview["removed"], overview["profile"]
    if not removed or removed["state"] == "kept":
        return False
    return bool(removed["state"] == "erased" or not (profile["locked"] or profile["failed"]))
