"""The page that makes a backup."""

from typing import Any

from masq_store.core.pages.schema import OfferedFile
from masq_store.ui.html import views
from masq_store.ui.pages.unlock import differ
from masq_store.ui.pages.visit import Act, Visit
from masq_store.ui.text.formatting import date
from masq_store.ui.text.translation import _
from masq_store.ui.window import file_transfer


class Backup(Visit):
    """The page that makes a backup file: of the whole profile, or of the app that the address names."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.saved = ""
        self.origin = self.place.origin  # what is chosen first

    def page(self) -> views.Page:
        """Return the form, or that it is done."""
        return views.backup(self.shell.overview, self.shell.moment, origin=self.origin, saved=self.saved)

    def acts(self) -> dict[str, Act]:
        """Return the act: making the backup."""
        return {"backup": self._backup}

    async def _backup(self, _subject: str) -> None:
        shell, passphrase = self.shell, self.text("passphrase")
        if not passphrase:
            return shell.refuse(_("Type a passphrase for this file first."), "passphrase")
        if self.text("passphrase-repeat") != passphrase:
            return shell.refuse(differ(), "passphrase-repeat")
        present = self.proof("store-passphrase")
        if present is None:
            return
        origin = self.text("backup-what") or None
        named = [self.current["name"]]
        named += [one["name"] for one in shell.overview["apps"] if one["origin"] == origin]
        name = file_transfer.file_name(*named, date(shell.moment.now_ms), ending="masq")
        beside = {"InvalidValue": "passphrase", "WrongPassphrase": "store-passphrase"}
        done, _nothing = await shell.act("backup", self._make(passphrase, origin, present, name), beside)
        if done:
            self.saved = name
            await shell.fetch(arriving=True)

    async def _make(self, passphrase: str, origin: str | None, present: str, name: str) -> None:
        shell = self.shell
        made: OfferedFile = await shell.link.call("write_backup", passphrase, origin, present)
        await file_transfer.fetch_backup(shell.link, shell.screen, made, name, shell.progress)
