"""What the store's pages may ask about devices: pairing them, naming and removing them, the relay, what is synced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from masq.errors import ProtocolError
from masq_store.engine.store.device_pairing import Pairing
from masq_store.engine.store.link_offer import LinkOffer

if TYPE_CHECKING:
    from masq_store.engine.engine import Engine


class DeviceCalls:
    """One page's calls about devices, and the one pairing that it drives."""

    def __init__(self, engine: Engine, tell: Callable[[list[str]], None]) -> None:
        self._engine = engine
        self._tell = tell
        self._pairing: Pairing | LinkOffer | None = None
        self._closed = False

    def close(self) -> None:
        """End what the page was about: it has gone."""
        self._closed = True
        if self._pairing:
            self._engine.soon(self._pairing.page_gone())

    # Pairing -----------------------------------------------------------------------------------------------

    async def pairing(self) -> dict[str, Any] | None:
        """Return the state of the page's pairing, None where there is none."""
        return self._pairing.describe() if self._pairing else None

    async def invite(self, store: str, passphrase: str = "") -> dict[str, Any] | None:
        """Begin to add a device; `store`: the address of the store's page, which the link leads to."""
        await self._begin(await Pairing.invite(self._engine, store, self._changed, passphrase))
        return await self.pairing()

    async def join(self, link: str) -> dict[str, Any] | None:
        """Begin to bring a profile here, by a link from the device that has it."""
        await self._begin(await Pairing.join(self._engine, link, self._changed))
        return await self.pairing()

    async def confirm_code(self, typed: str) -> dict[str, Any] | None:
        """Take the six digits that the new device shows."""
        await self._present().confirm(typed)
        return await self.pairing()

    async def take(self, name: str, passphrase: str, stay_unlocked: bool) -> dict[str, Any] | None:
        """Agree to take the profile that the old device offers."""
        await self._present().take(name, passphrase, stay_unlocked)
        return await self.pairing()

    async def end_pairing(self) -> dict[str, Any] | None:
        """End the pairing; one that is over already is put away."""
        if self._pairing and self._pairing.over:
            self._pairing = None
        elif self._pairing:
            await self._pairing.refuse()
        return await self.pairing()

    async def offer_link(self, store: str, nonce: str, origin: str) -> dict[str, Any] | None:
        """Make a link for the app's page that has opened this window and cannot speak to it: see `LinkOffer`."""
        await self._begin(await self._engine.enrolments.offer_link(store, nonce, origin, self._changed))
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

    # Devices -----------------------------------------------------------------------------------------------

    async def rename_device(self, device: str, name: str) -> None:
        """Call a device otherwise."""
        await self._engine.devices.rename(device, name)

    async def remove_device(self, device: str, passphrase: str = "") -> None:
        """Take another device off the list of the profile, or a partition that has a copy of one app's data."""
        await self._engine.devices.remove(device, passphrase)

    async def seen_removed(self) -> None:
        """Note that the person has read that a profile was removed from this device."""
        async with self._engine.changing:
            await self._engine.vault.seen_removed()
            self._engine.tell_pages(["overview"])

    async def keep_removed(self) -> None:
        """Keep the profile here although another device has removed this one."""
        await self._engine.devices.keep()

    async def set_relay(self, url: str | None) -> None:
        """Meet at another relay: "" at none, None at the store's own choice."""
        await self._engine.devices.set_relay(url)

    async def set_sync(self, origin: str, on: bool) -> None:
        """Keep an app's data on this device in step with the others, or no more."""
        await self._engine.devices.set_sync(origin, on)


DEVICE_METHODS: dict[str, Callable[..., Awaitable[Any]]] = {
    "pairing": DeviceCalls.pairing,
    "invite": DeviceCalls.invite,
    "join": DeviceCalls.join,
    "confirm_code": DeviceCalls.confirm_code,
    "take": DeviceCalls.take,
    "end_pairing": DeviceCalls.end_pairing,
    "offer_link": DeviceCalls.offer_link,
    "rename_device": DeviceCalls.rename_device,
    "remove_device": DeviceCalls.remove_device,
    "seen_removed": DeviceCalls.seen_removed,
    "keep_removed": DeviceCalls.keep_removed,
    "set_relay": DeviceCalls.set_relay,
    "set_sync": DeviceCalls.set_sync,
}
