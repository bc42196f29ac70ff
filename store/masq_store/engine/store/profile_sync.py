"""Replication of the open profile to its other devices: each of its spaces in a room of one relay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from masq.errors import MasqError, QuotaExceeded, to_wire
from masq_store.core.pages.schema import AppSyncStatus, SyncState, SyncStatus
from masq_store.core.space.space_ref import HOME, SpaceRef
from masq_store.engine.profile.profile import Profile
from masq_store.engine.relay.link import RelayLink
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.store.active_profile import Follower
from masq_store.engine.store.device_list import DeviceList
from masq_store.engine.store.rosters import Rosters
from masq_store.engine.store.services import Services
from masq_store.engine.sync.presence import Presence
from masq_store.engine.sync.room_keys import RoomKeys
from masq_store.engine.sync.room_sync import SpaceSync
from masq_store.engine.throttle import Throttle

FAREWELL_SECONDS = 10.0
"""How long the old relay may take to get the news that this profile meets elsewhere now."""

AGAIN_SECONDS = 30.0
"""Seconds after what could not be done, until the next try."""

FIRST_COPY_SECONDS = 20.0
"""How long the first copy may stand still before the person gets on without it; it goes on by itself."""

TELL_SECONDS = 0.1
"""Throttle: how often apps and pages hear how the sync stands, at most."""

SEEN_SECONDS = 15 * 60.0
"""How often this device says that it is there."""

RANKS: tuple[SyncState, ...] = ("off", "offline", "catching-up", "live")
"""From the least to the most that can be said of a space."""


class _App(NamedTuple):
    """An app's space and its member in the room."""

    profile: Profile
    generation: int
    sync: SpaceSync


class ProfileSync(Follower):
    """Has each space of the open profile join its room at the relay, and knows how each of them stands."""

    def __init__(self, services: Services, devices: DeviceList, rosters: Rosters) -> None:
        self.listeners: list[Callable[[], None]] = []
        """Called when what apps may know of it may have changed."""
        self._services = services
        self._devices = devices
        self._rosters = rosters
        self._profile: Profile | None = None
        self._link: RelayLink | None = None
        self._home: SpaceSync | None = None
        self._apps: dict[str, _App] = {}  # by origin
        self._roster_rooms: dict[str, SpaceSync] = {}  # likewise
        self._looking: asyncio.Task[None] | None = None
        self._look_again = False
        self._turn = asyncio.Lock()  # held while a space's sync begins or ends
        self._telling = Throttle(TELL_SECONDS, self._tell)
        self._told: Any = None
        self._seen = Throttle(SEEN_SECONDS, self._note_seen)

    # A profile opens and closes ----------------------------------------------------------------------------

    async def opened(self, profile: Profile) -> None:
        """Bring a profile that was just opened in step, in the background."""
        self._profile = profile
        self.look()

    async def closing(self) -> None:
        """Leave all rooms: the profile closes. Nothing holds its spaces afterwards."""
        self._profile = None
        if self._looking is not None:
            await asyncio.wait([self._looking])
        async with self._turn:
            await self._stop_all()
        self._telling.cancel()
        self._seen.cancel()
        self._told = None

    async def first_copy(self) -> None:
        """Return once all spaces have been read to their ends, or the relay has been away for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_COPY_SECONDS) as limit:
                before = None
                while self._profile is not None and self._services.relays and self._devices.relay:
                    spaces = self._spaces()
                    missing = self._wanted(self._profile).keys() - self._apps.keys()
                    if self._home and not missing and all(space.state == "live" for space in spaces):
                        return
                    now = [space.progress for space in spaces]
                    if now != before:  # it goes on: that may take as long as it needs
                        before = now
                        limit.reschedule(asyncio.get_running_loop().time() + FIRST_COPY_SECONDS)
                    await asyncio.sleep(TELL_SECONDS)

    def _wanted(self, profile: Profile) -> dict[str, int]:
        """Return which apps' data is to be in step, and the generation of each."""
        syncs = self._devices.syncs
        return {origin: profile.generation(origin) for origin in profile.approved() if syncs(origin)}

    def _starting(self) -> bool:
        return self._looking is not None and not self._looking.done()

    async def leave(self, origin: str) -> None:
        """Let go of an app's space, which is about to be erased. `look` takes up the next one."""
        async with self._turn:
            await self._stop(origin)

    def look(self) -> None:
        """Bring what is in step to what the person has decided, here or on another device."""
        self._look_again = True
        if self._profile is None or self._services.relays is None:
            return
        if not self._starting():
            self._looking = asyncio.get_running_loop().create_task(self._look())
            self._looking.add_done_callback(self._looked)

    def _looked(self, task: asyncio.Task[None]) -> None:
        """Try again where it could not be done: a disk without room, say, may have some later."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        loop = asyncio.get_running_loop()
        loop.call_later(AGAIN_SECONDS, self.look)
        if not isinstance(error, MasqError):  # a defect must be seen
            loop.call_exception_handler({"message": "the sync of a profile failed", "exception": error})

    async def _look(self) -> None:
        while self._look_again and self._profile is not None:
            self._look_again = False
            profile = self._profile
            await self._meet_at("" if self._devices.removed else self._devices.relay)
            if self._link is None:
                continue
            if self._home is None:
                async with self._turn:
                    self._home = await self._start(profile, HOME, profile.home, self._link)
            wanted = self._wanted(profile) if self._profile is profile else {}
            for origin, app in list(self._apps.items()):
                if wanted.get(origin) != app.generation:
                    await self.leave(origin)
            for origin in self._rosters.origins() if self._profile is profile else ():
                if origin not in self._roster_rooms:
                    try:
                        await self._start_roster(profile, origin)
                    except MasqError as error:
                        self._services.writer.heed(error)
            # What is in use comes first: opening a space may take a while.
            for origin in sorted(wanted, key=lambda origin: -self._services.connected.apps.tabs(origin)):
                if self._look_again or self._profile is not profile:
                    break
                if origin not in self._apps:
                    try:
                        await self._start_app(profile, origin, wanted[origin])
                    except QuotaExceeded:
                        asyncio.get_running_loop().call_later(AGAIN_SECONDS, self.look)
                    except MasqError as error:  # damaged or from a newer version: its app and page say so
                        self._services.writer.heed(error)
        self._changed()

    async def farewell(self, seconds: float) -> None:
        """Return once the other devices can hear of what was decided here last, or after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                # Also while something is being read, which is over soon: what was decided would stay here for good.
                while self._profile and self._home and self._home.state != "offline" and self._leaving():
                    await asyncio.sleep(TELL_SECONDS)

    def _leaving(self) -> bool:
        """Whether something that was decided here has not left this device yet."""
        return any(space.waiting for space in [self._home, *self._roster_rooms.values()] if space)

    async def _meet_at(self, url: str) -> None:
        """Meet the other devices at this relay, and at no other any more; "": at none."""
        if (self._link.url if self._link else "") == url:
            return
        await self.farewell(FAREWELL_SECONDS)
        async with self._turn:
            await self._stop_all()
            if url and self._services.relays is not None:
                self._link = self._services.relays.get(url)
                self._link.listeners.append(self._changed)

    async def _start_app(self, profile: Profile, origin: str, generation: int) -> None:
        async with self._turn:
            if self._profile is not profile or self._link is None:
                return
            space = await profile.space(origin, generation)
            try:
                found = await self._start(profile, SpaceRef("app", origin, generation), space, self._link)
                self._apps[origin] = _App(profile, generation, found)
            except BaseException:
                profile.release(origin)
                raise

    async def _start_roster(self, profile: Profile, origin: str) -> None:
        async with self._turn:
            if self._profile is profile and self._link is not None:
                space = await profile.roster(origin)
                found = await self._start(profile, SpaceRef("roster", origin), space, self._link)
                self._roster_rooms[origin] = found

    async def _start(self, profile: Profile, ref: SpaceRef, space: OpenSpace, link: RelayLink) -> SpaceSync:
        writer, crypto, now_ms = self._services.writer, self._services.crypto, self._services.now_ms
        room_keys = await RoomKeys.of(crypto, profile.ring, ref)
        found = SpaceSync(space, room_keys, link, writer, crypto, changed=self._changed, now_ms=now_ms)
        own = self._devices.own
        if ref == HOME and own is not None:
            found.presence = Presence(own.id, found.say, self._devices.online, self._presence_changed)
        await found.start()
        return found

    def _presence_changed(self) -> None:
        self._told = None  # the overview has changed, though nothing of what is compared has
        self._changed()

    async def _stop_all(self) -> None:
        for origin in list(self._apps):
            await self._stop(origin)
        while self._roster_rooms:
            await self._roster_rooms.popitem()[1].stop()
        if self._home is not None:
            home, self._home = self._home, None
            await home.stop()
        if self._link is not None:
            self._link.listeners.remove(self._changed)
            self._link = None

    async def _stop(self, origin: str) -> None:
        if origin in self._apps:
            app = self._apps.pop(origin)
            await app.sync.stop()
            app.profile.release(origin)

    # How it stands -----------------------------------------------------------------------------------------

    def state(self, origin: str) -> SyncState:
        """Return how an app's data stands: "live", "catching-up", "offline", or "off"."""
        if self._link is None or not self._devices.syncs(origin):
            return "off"
        return self._apps[origin].sync.state if origin in self._apps else "offline"

    def describe_app(self, origin: str) -> AppSyncStatus:
        """Return what the pages show of an app's sync."""
        found = self._apps[origin].sync if origin in self._apps else None
        devices = self._devices
        return {
            "on": devices.syncs(origin),
            "state": self.state(origin),
            "waiting": found.waiting if found else 0,
            "last_ms": found.last_ms if found else None,
            "devices": devices.holding(origin),
        }

    def describe(self) -> SyncStatus:
        """Return what the pages show of the sync of all."""
        now = self._describe()
        if self._told != self._telling_of(now):
            # Or a page would keep what it sees now, where all is soon as it was told before.
            self._told = None
        return now

    def _describe(self) -> SyncStatus:
        devices, link, spaces = self._devices, self._link, self._spaces()
        problem = link.problem if link else None
        if problem is None:
            problem = next((space.problem for space in spaces if space.problem), None)
        copying = [space.progress for space in spaces if space.first and space.progress]
        off = None if link is None or link.offset_ms is None else -link.offset_ms
        times = [space.last_ms for space in spaces]
        known = [time for time in times if time is not None]
        return {
            "state": self._state(spaces),
            "relay": {
                "url": devices.relay,
                "default": devices.default_relay,
                "own": devices.own_relay,
                "problem": to_wire(problem) if problem else None,
            },
            "last_ms": min(known) if known and len(known) == len(times) else None,
            "waiting": sum(space.waiting for space in spaces),
            "refused": sum(space.refused_count for space in spaces),
            "repeated": sum(space.repeated_count for space in spaces),
            "differed": sum(space.differed_count for space in spaces),
            "copying": {"done": sum(c[0] for c in copying), "of": sum(c[1] for c in copying)}
            if copying
            else None,
            "clock_off_ms": off,
        }

    def _spaces(self) -> list[SpaceSync]:
        spaces = [app.sync for app in self._apps.values()]
        return spaces if self._home is None else [self._home, *spaces]

    def _state(self, spaces: list[SpaceSync]) -> SyncState:
        if self._link is None:
            return "off"
        return min((space.state for space in spaces), key=RANKS.index, default="offline")

    def _changed(self) -> None:
        if self._profile is not None:
            self._telling.ask()

    def _tell(self) -> None:
        if self._home is not None and self._home.state == "live" and not self._seen.pending:
            self._note_seen()
        # In any case: an app may have been told, for another reason, what came between.
        for listener in self.listeners:
            listener()
        told = self._telling_of(self._describe())
        if told != self._told:
            self._told = told
            self._services.connected.tell_pages(["overview"])

    def _telling_of(self, now: SyncStatus) -> Any:
        """Return what is worth telling the pages when it changes."""
        minute = now["last_ms"] // 60_000 if now["last_ms"] else None
        apps = {origin: (app.sync.state, app.sync.waiting) for origin, app in self._apps.items()}
        return {**now, "last_ms": minute}, apps

    def _note_seen(self) -> None:
        """Say to the other devices that this one is there, now and as long as it is."""
        self._seen.ask()
        if self._link is not None and self._link.state == "open":
            off = None if self._link.offset_ms is None else -self._link.offset_ms
            self._services.tasks.start(self._devices.note_seen(off))
