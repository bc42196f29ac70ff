"""The ways into a profile: making one, unlocking it, going to another."""

from typing import Any

from masq.errors import from_wire
from masq_store.ui.html import views
from masq_store.ui.pages.visit import Act, Visit
from masq_store.ui.text import error_sentences as sentences
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
    """The first profile, or another one."""

    def page(self) -> views.Page:
        """Return the form."""
        return views.create(self.app.moment, self.app.request, another=bool(self.app.overview["profile"]))

    def acts(self) -> dict[str, Act]:
        """Making it."""
        return {"create": self._create}

    async def _create(self, _subject: str) -> None:
        app, passphrase = self.app, self.text("passphrase")
        name = self.text("profile-name").strip()
        if wrong := wrong_name(name):
            return app.refuse(wrong, "profile-name")
        if passphrase and self.text("passphrase-repeat") != passphrase:
            return app.refuse(differ(), "passphrase-repeat")
        work = app.link.call(
            "create_profile", name, passphrase, self.ticked("stay-unlocked") or not passphrase
        )
        beside = {"InvalidValue": "profile-name", "InvalidKey": "profile-name"}
        done, _overview = await app.act("create-profile", work, beside)
        if done:
            await arrive_in(app, name if app.place.page == "new-profile" else "")


class Unlock(Visit):
    """The profile is locked."""

    def page(self) -> views.Page:
        """Return the form."""
        overview = self.app.overview
        known = (overview["profile"], self.app.moment, self.app.request, overview["profiles"])
        return views.unlock(*known, removed=overview["removed"])

    def acts(self) -> dict[str, Act]:
        """Unlocking, and going to another profile."""
        return {"unlock": self._unlock, "switch-profile": self._switch}

    async def _unlock(self, _subject: str) -> None:
        app, passphrase = self.app, self.text("passphrase")
        if app.seconds_to_wait():
            return
        if not passphrase:
            return app.refuse(_("Type your passphrase first."), "passphrase")
        work = app.link.call("unlock", passphrase, self.ticked("stay-unlocked"))
        done, _overview = await app.act("unlock", work, {"WrongPassphrase": "passphrase"})
        if done:
            await app.fetch(arriving=True)

    async def _switch(self, profile: str) -> None:
        await switch(self.app, profile)


class Failed(Visit):
    """The profile cannot be opened: what is kept of it is damaged, or of a newer version."""

    def page(self) -> views.Page:
        """Return what is the matter, and the ways on."""
        overview = self.app.overview
        why = sentences.said(from_wire(overview["profile"]["failed"]))
        return views.failed(overview["profile"], why, self.app.moment, overview["profiles"])

    def acts(self) -> dict[str, Act]:
        """Going to another profile."""
        return {"switch-profile": lambda profile: switch(self.app, profile)}


async def switch(app: Any, profile: str) -> None:
    """Make another profile of this device the active one."""
    done, overview = await app.act("switch-profile", app.link.call("switch_profile", profile))
    if done:
        locked = overview["profile"]["locked"]
        await arrive_in(app, "" if locked else overview["profile"]["name"])


async def arrive_in(app: Any, name: str) -> None:
    """Show the apps of the profile that is active now, or the question that waits in this window."""
    if app.place.page in ("apps", "connect"):
        app.moment = app.moment._replace(notice=views.Notice())
        await app.fetch(arriving=True)
    else:
        app.go("#/", _("This is the store of {name}.", name=name) if name else "")
