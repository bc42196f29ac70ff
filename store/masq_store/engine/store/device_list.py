"""The devices of the open profile: the list in its home space.

Everything here is a register of the home space, so it merges like any other data, and repeating it is harmless. What
changes there may come from another device at any moment: see `home_watch`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from masq import messages
from masq.errors import Locked, QuotaExceeded
from masq_store.core.pages.schema import CopyRecord, ListedDevice
from masq_store.core.profile import home_layout
from masq_store.core.profile.home_layout import DEVICE, QUIET, RELAY, REMOVED, SEEN, Device, Identity
from masq_store.engine.profile.profile import Profile
from masq_store.engine.store.active_profile import Follower
from masq_store.engine.store.services import Services

SEEN_MS = 15 * 60_000
"""How exactly "last seen" is kept: each note of it is a message to every device."""

CLOCK_OFF_MS = 60_000
"""A clock that is off by more than this is named to the person."""


class DeviceList(Follower):
    """The devices and copies that the home space lists as holding the open profile, this device among them."""

    def __init__(self, services: Services, default_relay: str) -> None:
        self.default_relay = default_relay
        """The relay where the person has chosen none; "": none."""
        self.online: set[str] = set()
        """Ids of the other devices that are there just now, as far as the sync has heard."""
        self._services = services
        self._vault = services.vault
        self._profile: Profile | None = None
        self._noting = False

    # A profile opens and closes; whoever calls these holds `changing` --------------------------------------

    async def opened(self, profile: Profile) -> None:
        """Take up a profile that was just opened: list this device in it, unless another one has removed it."""
        self._profile = profile
        self.online.clear()  # the sync may have heard of somebody after `closing`, while it ended
        with suppress(QuotaExceeded):  # then at the next opening: it must not keep the profile closed
            own = await self._vault.keep_identity(profile.secrets)
            if not self.removed:
                await self._enter(profile, own)
        self._services.connected.tell_pages(["overview"])

    async def closing(self) -> None:
        """Let the profile go."""
        self._profile = None
        self.online.clear()

    async def _enter(self, profile: Profile, own: Identity) -> None:
        arrival = self._vault.arrival
        entries: list[tuple[str, Any]] = []
        if home_layout.read_device(own.id, profile.home.core.text(DEVICE + own.id)) is None:
            name, now = arrival.get("name") or self._services.device_name, self._services.now_ms()
            entries.append((DEVICE + own.id, home_layout.device_value(name, own, now)))
        if arrival.get("relay") and not home_layout.read_relay(profile.home.core.text(RELAY)):
            entries.append((RELAY, {"url": arrival["relay"]}))
        if entries:
            await self.write(profile, entries)
        if arrival:
            await self._vault.arrived()

    # What the pages and the sync ask -----------------------------------------------------------------------

    @property
    def own(self) -> Identity | None:
        """This device in the open profile; None while none is open, or its disk had no room to keep one."""
        return self._profile.secrets.identity if self._profile else None

    def listed(self) -> list[Device]:
        """Return the devices of the open profile, the oldest first."""
        return home_layout.listed(self._profile.home_items()) if self._profile else []

    def describe(self) -> list[ListedDevice]:
        """Return what the pages show of each device, this one first."""
        own = self.own.id if self.own else ""
        shown: list[ListedDevice] = [
            {
                "id": device.id,
                "name": device.name,
                "this": device.id == own,
                "added_ms": device.added_ms,
                "seen_ms": device.seen_ms,
                "online": device.id in self.online,
                "clock_off_ms": device.clock_off_ms,
            }
            for device in self.listed()
            if device.app is None
        ]
        return sorted(shown, key=lambda device: not device["this"])

    def describe_copies(self) -> list[CopyRecord]:
        """Return what the pages show of the copies of single apps' data in partitions, those of this browser first."""
        own, listed = self.own.id if self.own else "", self.listed()
        names = {device.id: device.name for device in listed if device.app is None}
        shown: list[CopyRecord] = [
            {
                "id": device.id,
                "name": device.name,
                "app": device.app,
                "device": names.get(device.host or ""),
                "here": device.host == own,
                "added_ms": device.added_ms,
            }
            for device in listed
            if device.app is not None
        ]
        return sorted(shown, key=lambda copy: not copy["here"])

    def holding(self, origin: str) -> int:
        """Return how many devices keep an app's data in step; at least one, for this one has it.

        A copy that a browser keeps apart is no device of its own: what is lost with the browser is lost with both.
        """
        if self._profile is None:
            return 1
        items = self._profile.home_items
        quiet = {key for key, _ in items(QUIET)}
        listed = [device for device in self.listed() if device.app in (None, origin)]
        holding = [each for each in listed if home_layout.quiet_key(each.id, origin) not in quiet]
        return max(1, len({each.host or each.id for each in holding}))

    def syncs(self, origin: str) -> bool:
        """Whether this device keeps an app's data in step with the others."""
        if self._profile is None or self.own is None:
            return False
        return self._profile.home_value(home_layout.quiet_key(self.own.id, origin)) is not True

    @property
    def own_relay(self) -> str | None:
        """The relay that the profile's person has chosen: "" for none; None: whatever the store's choice is."""
        return home_layout.read_relay(self._profile.home.core.text(RELAY)) if self._profile else None

    @property
    def removed(self) -> bool:
        """Whether another device has removed this one from the open profile: it is in step with none then."""
        return self.own is not None and self.was_removed(self.own.id)

    @property
    def held(self) -> bool:
        """Whether it has, and the person here has yet to say what is to become of it: no app may use it meanwhile."""
        removal = self._vault.removal
        return self.removed and not (removal and removal["kept"])

    @property
    def relay(self) -> str:
        """The address of the relay in use, "" for none."""
        own = self.own_relay
        return self.default_relay if own is None else own

    def sent_away(self, origin: str) -> bool:
        """Whether the person has removed the partition that this browser had for an app, and enrolled none since."""
        if self._profile is None or self.own is None:
            return False
        if any((each.app, each.host) == (origin, self.own.id) for each in self.listed()):
            return False
        removed = [messages.decode(text) for _, text in self._profile.home_items(REMOVED)]
        return any(
            isinstance(each, dict) and (each.get("app"), each.get("in")) == (origin, self.own.id)
            for each in removed
        )

    def copies(self, origin: str) -> dict[str, bool]:
        """Return the ids of an app's partitions, and whether each is this browser's.

        Those whose place another one took are among them: they may be at work all the same.
        """
        return {
            id: self.own is not None and each.host == self.own.id
            for each in self.listed()
            if each.app == origin and self._profile is not None
            for id in (*home_layout.before(self._profile.home_value(DEVICE + each.id)), each.id)
        }

    def was_removed(self, device: str) -> bool:
        """Whether the person has removed a device."""
        return self._profile is not None and self._profile.home_value(REMOVED + device) is not None

    # What is written there --------------------------------------------------------------------------------

    async def note_seen(self, clock_off_ms: int | None) -> None:
        """Note that this device is connected, so that the others see when it last was. For the sync to call, often.

        `clock_off_ms`: its clock minus the relay's. Written at most every 15 minutes, or when the clock was set.
        """
        profile, own = self._profile, self.own
        if profile is None or own is None or self._noting or self.removed:
            return
        now = self._services.now_ms()
        seen_ms, was_off_ms = home_layout.read_seen(profile.home.core.text(SEEN + own.id))
        fresh = 0 <= now - (seen_ms or 0) < SEEN_MS
        if fresh and _is_off(was_off_ms) == _is_off(clock_off_ms):
            return
        self._noting = True
        try:
            with suppress(QuotaExceeded):
                entry = {"ms": now, "clock_off_ms": clock_off_ms}
                await profile.write_home([(SEEN + own.id, entry)], now)
        finally:
            self._noting = False

    # Only whoever holds `changing` may call these ----------------------------------------------------------

    async def add(self, profile: Profile, name: str, identity: Identity) -> None:
        """List a device that was just paired. Raises Locked where the profile is not open any more."""
        if self._profile is not profile:
            raise Locked()
        value = home_layout.device_value(name, identity, self._services.now_ms())
        await self.write(profile, [(DEVICE + identity.id, value)])

    async def enrol(self, profile: Profile, identity: Identity, origin: str, name: str) -> None:
        """List a partition of this browser, for one app. Raises QuotaExceeded.

        It takes the place of the one before, which the browser may have wiped. It need not have: of an app that is
        used inside other sites, too, a browser keeps several. The entry remembers them, for they are removed with it.
        """
        own = await self._vault.keep_identity(profile.secrets)
        now = self._services.now_ms()
        before = [each.id for each in self.listed() if (each.app, each.host) == (origin, own.id)]
        if identity.id in before and len(before) == 1:
            return
        replaced = [
            each for old in before for each in (*home_layout.before(profile.home_value(DEVICE + old)), old)
        ]
        value = home_layout.partition_value(name, identity, now, origin, own.id, replaced)
        entries: list[tuple[str, Any]] = [(DEVICE + identity.id, value), (home_layout.ROSTER + origin, True)]
        if profile.home_value(REMOVED + identity.id) is not None:
            entries.append((REMOVED + identity.id, None))
        names = [key for key, _ in profile.home_items()]
        for old in before:
            if old != identity.id:
                entries += [(key, None) for key in home_layout.of_device(old, names)]
        await self.write(profile, entries)

    async def forget(self, profile: Profile, device: str) -> None:
        """Take a device off the list, which has left by itself."""
        gone = home_layout.of_device(device, (key for key, _ in profile.home_items()))
        await self.write(profile, [(key, None) for key in gone])

    async def remove(self, profile: Profile, devices: list[str]) -> None:
        """Take devices off the list, and tell them to erase what they have."""
        entries: list[tuple[str, Any]] = []
        for device in devices:
            entry = profile.home_value(DEVICE + device)
            gone = home_layout.of_device(device, (key for key, _ in profile.home_items()))
            removed = {
                "ms": self._services.now_ms(),
                **{of: entry[of] for of in ("app", "in") if of in entry},
            }
            entries += [(REMOVED + each, removed) for each in (device, *home_layout.before(entry))]
            entries += [(key, None) for key in gone]
        await self.write(profile, entries)

    async def write(self, profile: Profile, entries: list[tuple[str, Any]]) -> None:
        """Write registers of the home space; durable on return. Raises QuotaExceeded."""
        await profile.write_home(entries, self._services.now_ms())


def _is_off(clock_off_ms: int | None) -> bool:
    return clock_off_ms is not None and abs(clock_off_ms) > CLOCK_OFF_MS
