"""A page's calls about the pairing that it drives: with another device, or by a link with an app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from masq.errors import ProtocolError
from masq_store.core.pages.schema import LinkProgress, PairingProgress
from masq_store.engine.store.device_pairing import Pairing
from masq_store.engine.store.link_offer import LinkOffer
from masq_store.engine.store.parts import Parts


class PairingCalls:
    """One page's calls about the one pairing that it drives."""

    def __init__(self, parts: Parts, tell: Callable[[list[str]], None]) -> None:
        self._parts = parts
        self._tell = tell
        self._pairing: Pairing | LinkOffer | None = None
        self._closed = False

    def close(self) -> None:
        """End what the page was about: it has gone."""
        self._closed = True
        if self._pairing:
            self._parts.services.tasks.start(self._pairing.page_gone())

    async def pairing(self) -> PairingProgress | LinkProgress | None:
        """Return the state of the page's pairing, None where there is none."""
        return self._pairing.describe() if self._pairing else None

    async def invite(self, store: str, passphrase: str = "") -> PairingProgress | LinkProgress | None:
        """Begin to add a device; `store`: the address of the store's page, which the link leads to."""
        await self._begin(await self._parts.pairings.invite(store, self._changed, passphrase))
        return await self.pairing()

    async def join(self, link: str) -> PairingProgress | LinkProgress | None:
        """Begin to bring a profile here, by a link from the device that has it."""
        await self._begin(await self._parts.pairings.join(link, self._changed))
        return await self.pairing()

    async def confirm_code(self, typed: str) -> PairingProgress | LinkProgress | None:
        """Take the six digits that the new device shows."""
        await self._present().confirm(typed)
        return await self.pairing()

    async def take(
        self, name: str, passphrase: str, stay_unlocked: bool
    ) -> PairingProgress | LinkProgress | None:
        """Agree to take the profile that the old device offers."""
        await self._present().take(name, passphrase, stay_unlocked)
        return await self.pairing()

    async def end_pairing(self) -> PairingProgress | LinkProgress | None:
        """End the pairing; one that is over already is put away."""
        if self._pairing and self._pairing.over:
            self._pairing = None
        elif self._pairing:
            await self._pairing.refuse()
        return await self.pairing()

    async def offer_link(self, store: str, nonce: str, origin: str) -> PairingProgress | LinkProgress | None:
        """Make a link for the app's page that has opened this window and cannot speak to it: see `LinkOffer`."""
        await self._begin(await self._parts.enrolments.offer_link(store, nonce, origin, self._changed))
        return await self.pairing()

    async def _begin(self, pairing: Pairing | LinkOffer) -> None:
        before, self._pairing = self._pairing, pairing
        if before and not before.over:
            await before.refuse()
        if self._closed:
            await pairing.page_gone()

    def _present(self) -> Pairing:
        if not isinstance(self._pairing, Pairing):
            raise ProtocolError("this page pairs no device now")
        return self._pairing

    def _changed(self) -> None:
        self._tell(["pairing"])


PAIRING_METHODS: dict[str, Callable[..., Awaitable[Any]]] = {
    "pairing": PairingCalls.pairing,
    "invite": PairingCalls.invite,
    "join": PairingCalls.join,
    "confirm_code": PairingCalls.confirm_code,
    "take": PairingCalls.take,
    "end_pairing": PairingCalls.end_pairing,
    "offer_link": PairingCalls.offer_link,
}
