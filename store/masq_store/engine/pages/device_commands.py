"""The commands about devices: their names, who is removed, the relay, what is synced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from masq.errors import InvalidValue, NotRegistered
from masq_store.core.profile import home_layout
from masq_store.core.profile.claims import check_device_name
from masq_store.core.profile.home_layout import DEVICE, RELAY
from masq_store.core.profile.relay_address import check_relay_address
from masq_store.engine.store.parts import Parts


class DeviceCommands:
    """The decisions, each durable when its call returns."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._vault = parts.services.vault
        self._active = parts.active
        self._devices = parts.devices

    async def rename(self, device: str, name: str) -> None:
        """Call a device otherwise. Raises InvalidValue, Locked."""
        name = check_device_name(name)
        async with self._active.changing:
            profile = self._active.get()
            entry = profile.home_value(self._known(device))
            await self._devices.write(profile, [(DEVICE + device, {**entry, "name": name})])

    async def remove(self, device: str, passphrase: str = "") -> None:
        """Take another device off the list; it locks when it next connects, and asks. Raises InvalidValue, Locked.

        The copies that its browser keeps apart go with it. Needs the passphrase, see `PassphraseProof.prove`; not so
        for a single copy that a browser keeps apart, which ends by withdrawing its app, too.
        """
        async with self._active.changing:
            profile, devices = self._active.get(), self._devices
            self._known(device)
            if devices.own is not None and device == devices.own.id:
                raise InvalidValue("this is the device you are using: delete the profile here instead")
            if all(each.app is None for each in devices.listed() if each.id == device):
                await self._parts.proof.prove(passphrase)
            gone = [device, *(each.id for each in devices.listed() if each.host == device)]
            await devices.remove(profile, gone)

    async def keep(self) -> None:
        """Keep the open profile here, by itself, although another device has removed this one. Raises Locked."""
        async with self._active.changing:
            self._active.get()
            if self._devices.held:
                await self._vault.keep_removed(self._parts.services.now_ms())
                await self._parts.access.refresh_all()
                self._parts.enrolments.take_back()

    async def seen_removed(self) -> None:
        """Note that the person has read that a profile was removed from this device."""
        async with self._active.changing:
            await self._vault.seen_removed()
            self._parts.services.connected.tell_pages(["overview"])

    async def set_relay(self, url: str | None) -> None:
        """Meet at another relay: "" at none, None at the store's choice. Raises BadRelayAddress, Locked."""
        value = None if url is None else {"url": check_relay_address(url) if url != "" else ""}
        async with self._active.changing:
            await self._devices.write(self._active.get(), [(RELAY, value)])

    async def set_sync(self, origin: str, on: bool) -> None:
        """Keep an app's data on this device in step with the others, or no more. Raises NotRegistered, Locked."""
        if type(on) is not bool:
            raise InvalidValue("the sync is either on or off")
        async with self._active.changing:
            profile = self._active.get()
            if profile.app(origin) is None:
                raise NotRegistered(origin)
            own = await self._vault.keep_identity(profile.secrets)
            await self._devices.write(
                profile, [(home_layout.quiet_key(own.id, origin), None if on else True)]
            )

    def _known(self, device: object) -> str:
        """Return a device's key. Raises InvalidValue where no such device is listed."""
        if device not in [each.id for each in self._devices.listed()]:
            raise InvalidValue("there is no such device in this profile")
        return f"{DEVICE}{device}"


DEVICE_METHODS: dict[str, Callable[..., Awaitable[Any]]] = {
    "rename_device": DeviceCommands.rename,
    "remove_device": DeviceCommands.remove,
    "seen_removed": DeviceCommands.seen_removed,
    "keep_removed": DeviceCommands.keep,
    "set_relay": DeviceCommands.set_relay,
    "set_sync": DeviceCommands.set_sync,
}
