"""The pages that lead into a profile: making one, unlocking it, going to another."""

from masq.errors import from_wire
from masq_store.ui.html import views
from masq_store.ui.pages.shell import Shell
from masq_store.ui.pages.visit import Act, Visit
from masq_store.ui.text import error_sentences
from masq_store.ui.text.translation import _, ngettext

MAX_NAME = 64  # characters, as masq_store.core.profile.claims allows


def wrong_name(name: str) -> str:
    """Return what is wrong with a profile's name, "" if nothing is."""
    if not name:
        return _("Type a name first. Any name will do.")
    if len(name) > MAX_NAME:
        return ngettext(
            "This name is {n} character long. The most is {most}.",
            "This name is {n} characters long. The most is {most}.",
            len(name),
            most=MAX_NAME,
        )
    return ""


def differ() -> str:
    """Return that two passphrases are not the same."""
    return _("The two passphrases differ. Type the same one twice.")


class Create(Visit):
    """The page that makes a profile: the first, or another one."""

    def page(self) -> views.Page:
        """Return the form."""
        return views.create(
            self.shell.moment, self.shell.request, another=bool(self.shell.overview["profile"])
        )

    def acts(self) -> dict[str, Act]:
        """Making it."""
        return {"create": self._create}

    async def _create(self, _subject: str) -> None:
        shell, passphrase = self.shell, self.text("passphrase")
        name = self.text("profile-name").strip()
        if wrong := wrong_name(name):
            return shell.refuse(wrong, "profile-name")
        if passphrase and self.text("passphrase-repeat") != passphrase:
            return shell.refuse(differ(), "passphrase-repeat")
        work = shell.link.call(
            "create_profile", name, passphrase, self.ticked("stay-unlocked") or not passphrase
        )
        beside = {"InvalidValue": "profile-name", "InvalidKey": "profile-name"}
        done, _overview = await shell.act("create-profile", work, beside)
        if done:
            await arrive_in(shell, name if shell.place.page == "new-profile" else "")


class Unlock(Visit):
    """The page of a locked profile: asks for its passphrase."""

    def page(self) -> views.Page:
        """Return the form."""
        overview = self.shell.overview
        known = (self.current, self.shell.moment, self.shell.request, overview["profiles"])
        return views.unlock(*known, removed=overview["removed"])

    def acts(self) -> dict[str, Act]:
        """Unlocking, and going to another profile."""
        return {"unlock": self._unlock, "switch-profile": self._switch}

    async def _unlock(self, _subject: str) -> None:
        shell, passphrase = self.shell, self.text("passphrase")
        if shell.seconds_to_wait():
            return
        if not passphrase:
            return shell.refuse(_("Type your passphrase first."), "passphrase")
        work = shell.link.call("unlock", passphrase, self.ticked("stay-unlocked"))
        done, _overview = await shell.act("unlock", work, {"WrongPassphrase": "passphrase"})
        if done:
            await shell.fetch(arriving=True)

    async def _switch(self, profile: str) -> None:
        await switch(self.shell, profile)


class Failed(Visit):
    """The page of a profile that cannot be opened: what is kept of it is damaged, or of a newer version."""

    def page(self) -> views.Page:
        """Return what is the matter, and the ways on."""
        why = error_sentences.said(from_wire(self.current["failed"]))
        return views.failed(self.current, why, self.shell.moment, self.shell.overview["profiles"])

    def acts(self) -> dict[str, Act]:
        """Going to another profile."""
        return {"switch-profile": lambda profile: switch(self.shell, profile)}


async def switch(shell: Shell, profile: str) -> None:
    """Make another profile of this device the active one."""
    done, overview = await shell.act("switch-profile", shell.link.call("switch_profile", profile))
    if done:
        locked = overview["profile"]["locked"]
        await arrive_in(shell, "" if locked else overview["profile"]["name"])


async def arrive_in(shell: Shell, name: str) -> None:
    """Show the apps of the profile that is active now, or the question that waits in this window."""
    if shell.place.page in ("apps", "connect"):
        shell.moment = shell.moment._replace(notice=views.Notice())
        await shell.fetch(arriving=True)
    else:
        shell.go("#/", _("This is the store of {name}.", name=name) if name else "")
