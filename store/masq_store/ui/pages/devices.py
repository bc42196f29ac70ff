"""The devices that hold the profile: adding one, giving one a name, removing one."""

from masq_store.core.pairing.device_pairing import read_code
from masq_store.ui.html import views
from masq_store.ui.pages.pairing_page import Pairing
from masq_store.ui.pages.remove_copy import remove_copy
from masq_store.ui.text.translation import _

from .visit import Act


class Devices(Pairing):
    """The list, and in its place the adding of a device while that goes on."""

    firsts = {"rename-device": "device-name", "invite": "passphrase"}
    openers = {"invite": "add-device"}

    def page(self) -> views.Page:
        """Return the list, or the step that is next."""
        app = self.app
        if not self.state or self.step == "done":
            return views.devices(app.overview, app.moment)
        moment = app.moment
        if self.state["again"] and not moment.problem:
            moment = moment._replace(problem=views.Problem(_six(), "pair-code"))
        return views.invite(app.overview, self.state, moment)

    def acts(self) -> dict[str, Act]:
        """Adding, naming, removing."""
        return {
            "invite": self._invite,
            "copy-link": self._copy,
            "confirm-code": self._confirm,
            "refuse": self._refuse,
            "rename-device": self._rename,
            "remove-device": self._remove,
            "remove-copy": lambda copy: remove_copy(self.app, copy),
        }

    # ---- adding one

    async def _invite(self, _subject: str) -> None:
        app = self.app
        await self.finish()  # the one before, if it failed
        asked = app.overview["profile"]["passphrase"]
        if asked and app.moment.panel.name != "invite":
            return app.open("invite")
        passphrase = self.proof()
        if passphrase is None:
            return
        work = app.link.call("invite", app.screen.location(), passphrase)
        if await self.begin("make-link" if asked else "add-device", work, {"WrongPassphrase": "passphrase"}):
            app.moment = app.moment._replace(panel=views.Panel())

    async def moved(self) -> None:
        """Once it is done the list is back."""
        if self.state and self.step == "done":
            said = _(
                "{name} was added. Keep your store open on both until it says that it is ready.",
                name=self.state["device"] or "",
            )
            await self.finish()
            await self.app.fetch()
            self.app.close(said)
            self.app.screen.focus("notice")

    async def _copy(self, _subject: str) -> None:
        link = self.state["link"] if self.state else None
        copied = link and await self.app.screen.copy(link)
        if copied:
            self.app.close(_("The link is copied. Send it to the other device, and to nobody else."))
        else:
            self.app.close(_("The browser did not copy it. Select the link and copy it by hand."))
        self.app.screen.focus("copy-link" if copied else "pair-link")

    async def _confirm(self, _subject: str) -> None:
        typed = self.text("pair-code")
        if read_code(typed) is None:
            return self.app.refuse(_six(), "pair-code")
        await self.answer("pair-confirm", self.app.link.call("confirm_code", typed), {"": "pair-code"})

    async def _refuse(self, _subject: str) -> None:
        ended = self.step == "ended"
        await self.finish()
        self.app.close("" if ended else _("No device was added, and the link does not work any more."))
        self.app.screen.focus("add-device")

    # ---- the list

    def _name(self, device: str) -> str:
        return next((str(one["name"]) for one in self.app.overview["devices"] if one["id"] == device), "")

    async def _rename(self, device: str) -> None:
        app, name = self.app, self.text("device-name").strip()
        if not name:
            return app.refuse(_("Type a name first. Any name will do."), "device-name")
        work = app.link.call("rename_device", device, name)
        done, _nothing = await app.act("save-device", work, {"InvalidValue": "device-name"})
        if done:
            await app.fetch()
            app.close(_("The device is now called {name}.", name=self._name(device) or name))

    async def _remove(self, device: str) -> None:
        app, name = self.app, self._name(device)
        passphrase = self.proof()
        if passphrase is None:
            return
        work = app.link.call("remove_device", device, passphrase)
        done, _nothing = await app.act("remove-device", work, {"WrongPassphrase": "passphrase"})
        if done:
            await app.fetch()
            app.close(
                _("{name} was removed. It locks when it next connects, and its person is asked.", name=name)
            )
            app.screen.focus("notice")


def _six() -> str:
    return _("Type all six digits that the other device shows.")
