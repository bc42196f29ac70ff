"""The devices of the open profile: the list in its home space, and what other devices say there of this one.

Everything here is a register of the home space, so it merges like any other data, and repeating it is harmless. What
changes there may come from another device at any moment: `_heard` looks at it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from masq import messages
from masq.errors import InvalidValue, Locked, MasqError, NotRegistered, QuotaExceeded
from masq_store.core.profile import home_layout as layout
from masq_store.core.profile.claims import check_device_name
from masq_store.core.profile.home_layout import DEVICE, QUIET, RELAY, REMOVED, SEEN, Device, Identity
from masq_store.core.profile.registrations import APP
from masq_store.core.profile.relay_address import check_relay_address
from masq_store.engine.profile.profile import Profile

if TYPE_CHECKING:
    from masq_store.engine.engine import Engine

SEEN_MS = 15 * 60_000
"""How exactly "last seen" is kept: each note of it is a message to every device."""

CLOCK_OFF_MS = 60_000
"""A clock that is off by more than this is named to the person."""

_SHOWN = (DEVICE, SEEN, REMOVED, QUIET, RELAY)


class Devices:
    """Who holds the open profile, this device among them."""

    def __init__(self, engine: Engine) -> None:
        self.online: set[str] = set()
        """Ids of the other devices that are there just now, as far as the sync has heard."""
        self.listeners: list[Callable[[], None]] = []
        """Called when the relay's address, or what this device syncs, may have changed."""
        self._engine = engine
        self._profile: Profile | None = None
        self._apps: dict[str, tuple[bool, int]] = {}  # as the sessions know them: approved, generation
        self._noting = False
        self._locked: set[str] = (
            set()
        )  # profiles that were locked since this engine began: it was removed from them

    # A profile opens and closes; whoever calls these holds `changing` --------------------------------------

    async def begin(self, profile: Profile) -> None:
        """Take up a profile that was just opened: list this device in it, unless another one has removed it."""
        self.end()
        self._profile = profile
        self.note_apps()
        profile.home.listeners.append(self._heard)
        with suppress(QuotaExceeded):  # then at the next opening: it must not keep the profile closed
            await self._engine.vault.keep_identity(profile.secrets)
            if not self._is_removed(profile):
                await self._enter(profile)
        if self._is_news(profile):
            self._engine.soon(self._lock(profile))
        self._tell()

    def end(self) -> None:
        """Let the profile go."""
        if self._profile is not None:
            self._profile.home.listeners.remove(self._heard)
        self._profile = None
        self._apps = {}
        self.online.clear()

    def note_apps(self) -> None:
        """Note that every session knows what the registrations say now."""
        if self._profile is not None:
            self._apps = _registered(self._profile)

    async def _enter(self, profile: Profile) -> None:
        own, arrival = self._own(profile), self._engine.vault.arrival
        entries: list[tuple[str, Any]] = []
        if layout.read_device(own.id, profile.home.core.text(DEVICE + own.id)) is None:
            name, now = arrival.get("name") or self._engine.device_name, self._engine.now_ms()
            entries.append((DEVICE + own.id, layout.device_value(name, own, now)))
        if arrival.get("relay") and not layout.read_relay(profile.home.core.text(RELAY)):
            entries.append((RELAY, {"url": arrival["relay"]}))
        if entries:
            await profile.write_home(entries, self._engine.now_ms())
        if arrival:
            await self._engine.vault.arrived()

    # What the pages and the sync ask -----------------------------------------------------------------------

    @property
    def own(self) -> Identity | None:
        """This device in the open profile; None while none is open, or its disk had no room to keep one."""
        return self._profile.secrets.identity if self._profile else None

    def listed(self) -> list[Device]:
        """Return the devices of the open profile, the oldest first."""
        return layout.listed(self._profile.home_items()) if self._profile else []

    def describe(self) -> list[dict[str, Any]]:
        """Return what the pages show of each device, this one first."""
        own = self.own.id if self.own else ""
        shown = [
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

    def describe_copies(self) -> list[dict[str, Any]]:
        """Return what the pages show of the copies of single apps' data in partitions, those of this browser first."""
        own, listed = self.own.id if self.own else "", self.listed()
        names = {device.id: device.name for device in listed if device.app is None}
        shown = [
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
        holding = [each for each in listed if layout.quiet_key(each.id, origin) not in quiet]
        return max(1, len({each.host or each.id for each in holding}))

    def syncs(self, origin: str) -> bool:
        """Whether this device keeps an app's data in step with the others."""
        if self._profile is None or self.own is None:
            return False
        return self._profile.home_value(layout.quiet_key(self.own.id, origin)) is not True

    @property
    def own_relay(self) -> str | None:
        """The relay that the profile's person has chosen: "" for none; None: whatever the store's choice is."""
        return layout.read_relay(self._profile.home.core.text(RELAY)) if self._profile else None

    @property
    def removed(self) -> bool:
        """Whether another device has removed this one from the open profile: it is in step with none then."""
        return self._profile is not None and self._is_removed(self._profile)

    @property
    def held(self) -> bool:
        """Whether it has, and the person here has yet to say what is to become of it: no app may use it meanwhile."""
        removal = self._engine.vault.removal
        return self.removed and not (removal and removal.kept)

    @property
    def relay(self) -> str:
        """The address of the relay in use, "" for none."""
        own = self.own_relay
        return self._engine.default_relay if own is None else own

    # What the person decides, each durable on return -------------------------------------------------------

    async def rename(self, device: str, name: str) -> None:
        """Call a device otherwise. Raises InvalidValue, Locked."""
        name = check_device_name(name)
        async with self._engine.changing:
            profile = self._open()
            entry = profile.home_value(self._known(device))
            await self._write(profile, [(DEVICE + device, {**entry, "name": name})])

    async def remove(self, device: str, passphrase: str = "") -> None:
        """Take another device off the list; it locks when it next connects, and asks. Raises InvalidValue, Locked.

        The copies that its browser keeps apart go with it. Needs the passphrase, see `Person.prove`; not so for a
        single copy that a browser keeps apart, which ends by withdrawing its app, too.
        """
        async with self._engine.changing:
            profile = self._open()
            self._known(device)
            if self.own is not None and device == self.own.id:
                raise InvalidValue("this is the device you are using: delete the profile here instead")
            if all(each.app is None for each in self.listed() if each.id == device):
                await self._engine.person.prove(passphrase)
            gone = [device, *(each.id for each in self.listed() if each.host == device)]
            await self._write(profile, [entry for each in gone for entry in self._removal(profile, each)])

    async def keep(self) -> None:
        """Keep the open profile here, by itself, although another device has removed this one. Raises Locked."""
        engine = self._engine
        async with engine.changing:
            self._open()
            if self.held:
                await engine.vault.keep_removed(engine.now_ms())
                await engine.refresh_all()
                engine.enrolments.profile_opened()

    async def set_relay(self, url: str | None) -> None:
        """Meet at another relay: "" at none, None at the store's choice. Raises BadRelayAddress, Locked."""
        value = None if url is None else {"url": check_relay_address(url) if url != "" else ""}
        async with self._engine.changing:
            await self._write(self._open(), [(RELAY, value)])

    async def set_sync(self, origin: str, on: bool) -> None:
        """Keep an app's data on this device in step with the others, or no more. Raises NotRegistered, Locked."""
        if type(on) is not bool:
            raise InvalidValue("the sync is either on or off")
        async with self._engine.changing:
            profile = self._open()
            if profile.app(origin) is None:
                raise NotRegistered(origin)
            own = await self._engine.vault.keep_identity(profile.secrets)
            await self._write(profile, [(layout.quiet_key(own.id, origin), None if on else True)])

    async def add(self, profile: Profile, name: str, identity: Identity) -> None:
        """List a device that was just paired. Raises Locked where the profile is not open any more."""
        async with self._engine.changing:
            if self._profile is not profile:
                raise Locked()
            now = self._engine.now_ms()
            await self._write(profile, [(DEVICE + identity.id, layout.device_value(name, identity, now))])

    async def enrol(self, profile: Profile, identity: Identity, origin: str, name: str) -> None:
        """List a partition of this browser, for one app. Whoever calls this holds `changing`. Raises QuotaExceeded.

        It takes the place of the one before, which the browser may have wiped. It need not have: of an app that is
        used inside other sites, too, a browser keeps several. The entry remembers them, for they are removed with it.
        """
        own = await self._engine.vault.keep_identity(profile.secrets)
        now = self._engine.now_ms()
        before = [each.id for each in self.listed() if (each.app, each.host) == (origin, own.id)]
        if identity.id in before and len(before) == 1:
            return
        replaced = [
            each for old in before for each in (*layout.before(profile.home_value(DEVICE + old)), old)
        ]
        value = layout.partition_value(name, identity, now, origin, own.id, replaced)
        entries: list[tuple[str, Any]] = [(DEVICE + identity.id, value), (layout.ROSTER + origin, True)]
        if profile.home_value(REMOVED + identity.id) is not None:
            entries.append((REMOVED + identity.id, None))
        names = [key for key, _ in profile.home_items()]
        for old in before:
            if old != identity.id:
                entries += [(key, None) for key in layout.of_device(old, names)]
        await self._write(profile, entries)

    async def forget(self, profile: Profile, device: str) -> None:
        """Take a device off the list, which has left by itself. Whoever calls this holds `changing`."""
        gone = layout.of_device(device, (key for key, _ in profile.home_items()))
        await self._write(profile, [(key, None) for key in gone])

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
            for id in (*layout.before(self._profile.home_value(DEVICE + each.id)), each.id)
        }

    def was_removed(self, device: str) -> bool:
        """Whether the person has removed a device."""
        return self._profile is not None and self._profile.home_value(REMOVED + device) is not None

    async def note_seen(self, clock_off_ms: int | None) -> None:
        """Note that this device is connected, so that the others see when it last was. For the sync to call, often.

        `clock_off_ms`: its clock minus the relay's. Written at most every 15 minutes, or when the clock was set.
        """
        profile, own = self._profile, self.own
        if profile is None or own is None or self._noting or self._is_removed(profile):
            return
        now = self._engine.now_ms()
        seen_ms, was_off_ms = layout.read_seen(profile.home.core.text(SEEN + own.id))
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

    async def depart(self) -> None:
        """Leave the list, for the profile is about to be deleted here. Whoever calls this holds `changing`.

        The copies that this browser keeps apart are to go, too: nobody could take them back any more.
        """
        profile, own = self._profile, self.own
        if profile is not None and own is not None:
            copies = [device for device in self.listed() if device.host == own.id]
            with suppress(MasqError):  # no room: then the others list it on, and can remove it
                entries = [entry for copy in copies for entry in self._removal(profile, copy.id)]
                await self._write(profile, entries)
                for origin in {copy.app for copy in copies if copy.app}:
                    await self._engine.rosters.tell(profile, origin)
                await self.forget(profile, own.id)

    # What other devices have decided -----------------------------------------------------------------------

    def _heard(self, keys: Sequence[str], source: object) -> None:
        """Take note of what has changed in the home space, whoever changed it."""
        profile = self._profile
        assert profile is not None
        if self._is_news(profile):
            self._engine.soon(self._lock(profile))
            return
        if any(key.startswith(APP) for key in keys) and _registered(profile) != self._apps:
            self._engine.soon(self._take_apps(profile))
        if any(key.startswith(_SHOWN) for key in keys):
            self._engine.refresh_statuses()
            self._tell()

    async def _take_apps(self, profile: Profile) -> None:
        """Bring the sessions to what another device has approved, withdrawn or erased."""
        engine = self._engine
        async with engine.changing:
            if self._profile is not profile:
                return
            before, now = self._apps, _registered(profile)
            changed = [origin for origin in now | before if now.get(origin) != before.get(origin)]
            self._apps = now
            for origin in changed:
                approved, generation = now.get(origin, (False, 0))
                _, earlier = before.get(origin, (False, generation))
                if not approved or generation != earlier:
                    engine.end_sessions(origin)
                if generation > earlier:
                    await engine.sync.leave(origin)
                    await profile.drop(origin, earlier, engine.now_ms())
            if changed:
                with suppress(QuotaExceeded):  # at the next opening
                    await profile.tidy(engine.now_ms())  # an earlier one may be in use again
                await engine.approvals_changed(*changed)

    async def _lock(self, profile: Profile) -> None:
        """Lock the profile: another device has removed this one. Its person says what is to become of it.

        Without a passphrase it opens again, and waits for that: see `held`.
        """
        engine, vault = self._engine, self._engine.vault
        async with engine.changing:
            if self._profile is not profile or not self._is_news(profile):
                return
            self._locked.add(profile.id)
            now = engine.now_ms()
            alone = layout.removed_alone(profile.home_items(), self._own(profile).id)
            with suppress(QuotaExceeded):  # no room for a word about it: it is noted at the next opening
                await vault.note_removed(now, now + layout.REMOVED_MS if alone else None)
            await engine.attempt(engine.close_profile)
            if vault.removal or not vault.has_passphrase:
                await engine.open_again(None)
            else:
                await engine.refresh_all()
            engine.tell_pages(["overview"])

    # -------------------------------------------------------------------------------------------------------

    def _removal(self, profile: Profile, device: str) -> list[tuple[str, Any]]:
        """Return what takes a device off the list, and tells it to erase what it has."""
        entry = profile.home_value(DEVICE + device)
        gone = layout.of_device(device, (key for key, _ in profile.home_items()))
        removed = {"ms": self._engine.now_ms(), **{of: entry[of] for of in ("app", "in") if of in entry}}
        told: list[tuple[str, Any]] = [(REMOVED + each, removed) for each in (device, *layout.before(entry))]
        return told + [(key, None) for key in gone]

    def _is_news(self, profile: Profile) -> bool:
        """Whether this device finds only now that it was removed."""
        known = self._engine.vault.removal is not None or profile.id in self._locked
        return self._is_removed(profile) and not known

    def _is_removed(self, profile: Profile) -> bool:
        own = profile.secrets.identity
        return own is not None and profile.home_value(REMOVED + own.id) is not None

    def _open(self) -> Profile:
        if self._profile is None:
            raise Locked()
        return self._profile

    def _known(self, device: object) -> str:
        """Return a device's key. Raises InvalidValue where no such device is listed."""
        if device not in [each.id for each in self.listed()]:
            raise InvalidValue("there is no such device in this profile")
        return f"{DEVICE}{device}"

    def _own(self, profile: Profile) -> Identity:
        assert profile.secrets.identity is not None
        return profile.secrets.identity

    async def _write(self, profile: Profile, entries: list[tuple[str, Any]]) -> None:
        await profile.write_home(entries, self._engine.now_ms())

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener()
        self._engine.tell_pages(["overview"])


def _registered(profile: Profile) -> dict[str, tuple[bool, int]]:
    return {origin: (app["approved"], app["generation"]) for origin, app in profile.apps().items()}


def _is_off(clock_off_ms: int | None) -> bool:
    return clock_off_ms is not None and abs(clock_off_ms) > CLOCK_OFF_MS
