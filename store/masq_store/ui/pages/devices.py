"""The devices that hold the profile: adding one, giving one a name, removing one."""

from masq_store.core.pages.schema import PairingProgress
from masq_store.core.pairing.device_pairing import read_code
from masq_store.ui.html import views
from masq_store.ui.pages.pairing_page import PairingPage
from masq_store.ui.pages.remove_copy import remove_copy
from masq_store.ui.pages.visit import Act
from masq_store.ui.text.translation import _


class Devices(PairingPage[PairingProgress]):
    """The page of the profile's devices: the list, or the pairing of another one while that goes on."""

    firsts = {"rename-device": "device-name", "invite": "passphrase"}
    openers = {"invite": "add-device"}

    def page(self) -> views.Page:
        """Return the list, or the step that is next."""
        shell = self.shell
        if not self.state or self.step == "done":
            return views.devices(shell.overview, shell.moment)
        moment = shell.moment
        if self.state["again"] and not moment.problem:
            moment = moment._replace(problem=views.Problem(_six(), "pair-code"))
        return views.invite(shell.overview, self.state, moment)

    def acts(self) -> dict[str, Act]:
        """Return the acts: adding, naming and removing a device."""
        return {
            "invite": self._invite,
            "copy-link": self._copy,
            "confirm-code": self._confirm,
            "refuse": self._refuse,
            "rename-device": self._rename,
            "remove-device": self._remove,
            "remove-copy": lambda copy: remove_copy(self.shell, copy),
        }

    # ---- adding one

    async def _invite(self, _subject: str) -> None:
        shell = self.shell
        await self.finish()  # the one before, if it failed
        asked = self.current["passphrase"]
        if asked and shell.moment.panel.name != "invite":
            return shell.open("invite")
        passphrase = self.proof()
        if passphrase is None:
            return
        work = shell.link.call("invite", shell.screen.location(), passphrase)
        if await self.begin("make-link" if asked else "add-device", work, {"WrongPassphrase": "passphrase"}):
            shell.moment = shell.moment._replace(panel=views.Panel())

    async def moved(self) -> None:
        """Show the list again once the pairing is done."""
        if self.state and self.step == "done":
            said = _(
                "{name} was added. Keep your store open on both until it says that it is ready.",
                name=self.state["device"] or "",
            )
            await self.finish()
            await self.shell.fetch()
            self.shell.close(said)
            self.shell.screen.focus("notice")

    async def _copy(self, _subject: str) -> None:
        link = self.state["link"] if self.state else None
        copied = link and await self.shell.screen.copy(link)
        if copied:
            self.shell.close(_("The link is copied. Send it to the other device, and to nobody else."))
        else:
            self.shell.close(_("The browser did not copy it. Select the link and copy it by hand."))
        self.shell.screen.focus("copy-link" if copied else "pair-link")

    async def _confirm(self, _subject: str) -> None:
        typed = self.text("pair-code")
        if read_code(typed) is None:
            return self.shell.refuse(_six(), "pair-code")
        await self.answer("pair-confirm", self.shell.link.call("confirm_code", typed), {"": "pair-code"})

    async def _refuse(self, _subject: str) -> None:
        ended = self.step == "ended"
        await self.finish()
        self.shell.close("" if ended else _("No device was added, and the link does not work any more."))
        self.shell.screen.focus("add-device")

    # ---- the list

    def _name(self, device: str) -> str:
        return next((str(one["name"]) for one in self.shell.overview["devices"] if one["id"] == device), "")

    async def _rename(self, device: str) -> None:
        shell, name = self.shell, self.text("device-name").strip()
        if not name:
            return shell.refuse(_("Type a name first. Any name will do."), "device-name")
        work = shell.link.call("rename_device", device, name)
        done, _nothing = await shell.act("save-device", work, {"InvalidValue": "device-name"})
        if done:
            await shell.fetch()
            shell.close(_("The device is now called {name}.", name=self._name(device) or name))

    async def _remove(self, device: str) -> None:
        shell, name = self.shell, self._name(device)
        passphrase = self.proof()
        if passphrase is None:
            return
        work = shell.link.call("remove_device", device, passphrase)
        done, _nothing = await shell.act("remove-device", work, {"WrongPassphrase": "passphrase"})
        if done:
            await shell.fetch()
            shell.close(
                _("{name} was removed. It locks when it next connects, and its person is asked.", name=name)
            )
            shell.screen.focus("notice")


def _six() -> str:
    return _("Type all six digits that the other device shows.")
