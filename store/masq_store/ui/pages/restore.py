"""The page that restores a backup: choose the file, see what is in it, say yes."""

from typing import Any

from masq.errors import MasqError
from masq_store.core.pages.schema import FoundBackup, RestoredBackup
from masq_store.ui.html import views
from masq_store.ui.pages.unlock import differ
from masq_store.ui.pages.visit import Act, Choice, Visit
from masq_store.ui.text.error_sentences import code_of
from masq_store.ui.text.translation import _
from masq_store.ui.window import file_transfer

FIELD = "backup-file"
TRY_AGAIN = "WrongBackupPassphrase"
"""After this error the file is still good: only the passphrase was not."""


class Restore(Visit):
    """The page that restores a backup, step by step: from a file to the data that was in it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.file: tuple[str, int] | None = None
        self.name = ""  # the engine's, for the file that it has been sent
        self.found: FoundBackup | None = None
        self.result: RestoredBackup | None = None

    def page(self) -> views.Page:
        """Return the step that is next."""
        return views.restore(
            self.shell.overview,
            self.shell.moment,
            file=self.file,
            found=self.found,
            names={one["origin"]: one["name"] for one in self.found["apps"]} if self.found else {},
            result=self.result,
            nonce=self.shell.waiting,
        )

    def acts(self) -> dict[str, Act]:
        """Return the acts: looking into the file, restoring it, or not."""
        return {"look": self._look, "restore": self._restore, "leave": self._start_over}

    def choices(self) -> dict[str, Choice]:
        """Return the choice of another file."""
        return {FIELD: self._chose}

    def left(self) -> None:
        """Let the engine forget the file."""
        if self.name:
            self.shell.start(self._drop())

    async def _drop(self) -> None:
        name, self.name = self.name, ""
        if name:
            try:
                await self.shell.link.call("drop_file", name)
            except MasqError:
                return  # it has forgotten it already

    async def _chose(self) -> None:
        self.file = self.shell.screen.file(FIELD)
        await self._drop()
        self.shell.moment = self.shell.moment._replace(problem=None)
        self.shell.draw()

    async def _look(self, _subject: str) -> None:
        shell, passphrase = self.shell, self.text("passphrase")
        if not self.file:
            return shell.refuse(_("Choose the file of the backup first."), FIELD)
        if not passphrase:
            return shell.refuse(_("Type the passphrase that the backup was made with."), "passphrase")
        done, found = await shell.act("look", self._read(passphrase), {TRY_AGAIN: "passphrase", "": FIELD})
        if done:
            self.found = found
            shell.draw(arriving=True)

    async def _read(self, passphrase: str) -> FoundBackup:
        shell = self.shell
        if not self.name:
            assert self.file is not None
            try:
                self.name = await file_transfer.send_file(
                    shell.link, shell.screen, FIELD, self.file[1], shell.progress
                )
            except MasqError:
                raise
            except Exception as error:  # the browser cannot read it: moved, deleted, no permission
                raise MasqError(_("The file cannot be read. Choose it again.")) from error
        try:
            found: FoundBackup = await shell.link.call("read_backup", self.name, passphrase)
        except MasqError as error:
            if code_of(error) != TRY_AGAIN:
                await self._drop()
            raise
        return found

    async def _restore(self, _subject: str) -> None:
        shell = self.shell
        new, stay = "", True
        if shell.overview["profile"] is None:  # one is made, with a passphrase of its own or without
            new = self.text("passphrase")
            stay = self.ticked("stay-unlocked") or not new
            if new and self.text("passphrase-repeat") != new:
                return shell.refuse(differ(), "passphrase-repeat")
        self.stays = True  # the profile that is made here does not end this visit
        done, result = await shell.act("restore", shell.link.call("restore", self.name, new, stay))
        if done:
            await self._drop()
            self.result = result
            await shell.fetch(arriving=True)

    async def _start_over(self, _subject: str) -> None:
        await self._drop()
        self.found = self.file = None
        self.shell.draw(arriving=True)
