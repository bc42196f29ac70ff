"""Another device has removed this one from a profile."""

from .. import views
from .visit import Act, Visit


class Removed(Visit):
    """It is said once, before anything else."""

    stays = True

    def page(self) -> views.Page:
        """Return what happened."""
        removed = self.app.overview["removed"]
        return views.removed(removed["profile"] if removed else "", self.app.moment)

    def acts(self) -> dict[str, Act]:
        """Going on."""
        return {"seen-removed": self._seen}

    async def _seen(self, _subject: str) -> None:
        done, _nothing = await self.app.act("seen-removed", self.app.link.call("seen_removed"))
        if done:
            await self.app.fetch(arriving=True)
