"""The page that brings a profile here from another device, by its link."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from masq.errors import MasqError
from masq_store.core.pages.schema import PairingProgress
from masq_store.ui.html import views
from masq_store.ui.pages.pairing_page import PairingPage
from masq_store.ui.pages.unlock import differ
from masq_store.ui.pages.visit import Act
from masq_store.ui.text.translation import _

FIELD = "pair-paste"
MARK = "pair="
"""What a code must hold to be another device's link."""


class JoinDevice(PairingPage[PairingProgress]):
    """The new device's page of a pairing: the link, six digits to be typed on the other device, and a question here."""

    stays = True  # the profile that comes is the active one, and this page goes on about it

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.link = ""  # the one that was tried
        self.scans = False  # whether the browser can
        self.scanning = ""  # what the camera has to say, "" while it is off
        self._stop: Callable[[], None] | None = None
        self._looked = False

    def page(self) -> views.Page:
        """Return the step that is next."""
        shell = self.shell
        if self.state and self.step == "ask-take":
            return views.take(shell.overview, self.state, shell.moment)
        return views.pair(
            shell.overview,
            self.state,
            shell.moment,
            scans=self.scans,
            scanning=self.scanning,
            link=self.link,
            nonce=shell.waiting,
        )

    def acts(self) -> dict[str, Act]:
        """Return the acts: using a link, finding it with the camera, and the answers."""
        return {
            "join": self._paste,
            "scan": self._scan,
            "scan-end": self._scan_end,
            "take": self._take,
            "refuse": self._refuse,
        }

    async def shown(self) -> None:
        """Use the link of the address, and take it out of there: it is a secret, and good only once."""
        if self._looked:
            return
        self._looked = True
        if self.place.link:
            self.shell.screen.replace("#/pair")
            self.shell.start(self._join(self.place.link))  # the page is shown meanwhile
        else:
            self.scans = await self.shell.screen.can_scan()
            if self.scans:
                self.shell.draw()

    async def moved(self) -> None:
        """Once the profile is here, the overview tells of it."""
        if self.step in ("copying", "done"):
            await self.shell.fetch()

    def left(self) -> None:
        """End the pairing, and the camera."""
        self._dark()
        super().left()

    # ---- the link

    async def _paste(self, _subject: str) -> None:
        link = self.text(FIELD).strip()
        if not link:
            return self.shell.refuse(_("Paste the link first."), FIELD)
        await self._join(link)

    async def _join(self, link: str) -> None:
        await self.finish()
        self.link = link
        await self.begin("pair-join", self.shell.link.call("join", link), {"": FIELD})

    async def _scan(self, _subject: str) -> None:
        shell = self.shell
        self.scanning = _("Hold the other device's code in front of the camera.")
        shell.draw()
        done, stop = await shell.act("scan", shell.screen.scan("camera", self._found))
        if not done:
            self.scanning = ""
            return shell.draw()
        self._stop = stop
        if shell.visit is not self:
            self._dark()
        shell.screen.focus("scan-end")

    def _found(self, text: str) -> None:
        if not self.scanning or self.shell.moment.busy:
            return
        if MARK not in text:
            self.scanning = _("This is another code. Hold the one that Masq shows on the other device.")
            return self.shell.draw()
        self._dark()
        self.shell.start(self._join(text))

    async def _scan_end(self, _subject: str) -> None:
        self._dark()
        self.shell.draw()
        self.shell.screen.focus("scan")

    def _dark(self) -> None:
        """The camera is off."""
        self.scanning = ""
        if self._stop:
            self._stop()
            self._stop = None

    # ---- the answers

    async def _take(self, _subject: str) -> None:
        shell, passphrase = self.shell, self.text("passphrase")
        name = self.text("device-name").strip()
        if not name:
            return shell.refuse(_("Type a name first. Any name will do."), "device-name")
        if passphrase and self.text("passphrase-repeat") != passphrase:
            return shell.refuse(differ(), "passphrase-repeat")
        stay = self.ticked("stay-unlocked") or not passphrase
        work = shell.link.call("take", name, passphrase, stay)
        await self.answer("pair-confirm", work, {"InvalidValue": "device-name"})

    async def _refuse(self, _subject: str) -> None:
        ended = self.step == "ended"
        await self.finish()
        self.link = ""
        said = "" if ended else _("Nothing was taken, and the link does not work any more.")
        self.shell.moment = self.shell.moment._replace(problem=None, notice=views.Notice(said))
        self.shell.draw(arriving=True)
        if not self.scans:
            with suppress(MasqError):
                self.scans = await self.shell.screen.can_scan()
            self.shell.draw()
