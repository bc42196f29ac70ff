"""Access control: what each app that is here may do now, and what it is told of that."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from masq.errors import MasqError, QuotaExceeded
from masq_store.core.space.space_ref import SpaceRef
from masq_store.engine.profile.profile import Profile
from masq_store.engine.sessions.access import Access
from masq_store.engine.sessions.app_session import AppSession
from masq_store.engine.sessions.status import Status
from masq_store.engine.sessions.table import turn_away
from masq_store.engine.store.active_profile import ActiveProfile, Follower
from masq_store.engine.store.auto_lock import AutoLock
from masq_store.engine.store.device_list import DeviceList
from masq_store.engine.store.enrolment import PartitionsHere
from masq_store.engine.store.profile_sync import ProfileSync
from masq_store.engine.store.services import Services

USED_RESOLUTION_MS = 60_000
"""How exactly "last used" is kept: not every reload is worth a write."""


class AppAccess(Follower):
    """Gives the sessions of apps their spaces, and takes them back."""

    def __init__(
        self,
        services: Services,
        active: ActiveProfile,
        auto_lock: AutoLock,
        devices: DeviceList,
        sync: ProfileSync,
        here: PartitionsHere,
        persistent: bool,
    ) -> None:
        """`persistent`: whether the browser has promised to keep this storage."""
        self.persistent = persistent
        self.known: dict[str, tuple[bool, int]] = {}
        """The registrations as the sessions know them: whether each app is approved, and its generation."""
        self._services = services
        self._apps = services.connected.apps
        self._active = active
        self._auto_lock = auto_lock
        self._devices = devices
        self._sync = sync
        self._here = here
        sync.listeners.append(self.refresh_statuses)

    # A profile opens and closes ----------------------------------------------------------------------------

    async def opened(self, profile: Profile) -> None:
        """Have all sessions settle, once whoever opens the profile has done."""
        profile.reading = self._reading
        self.note_known()
        for session in self._apps:
            self._services.tasks.start(self.settle(session))

    async def closing(self) -> None:
        """Take the spaces out of all hands: what apps say from now on waits."""
        for page in self._services.connected.pages:
            page.forget_spaces()
        for session in self._apps:
            session.leave()
        self.known = {}

    async def left_closed(self) -> None:
        """Tell the apps that the profile is locked, or that there is none."""
        await self.refresh_all()

    # -------------------------------------------------------------------------------------------------------

    def status(self, origin: str) -> Status:
        """Return what an app may know: for a stranger, nothing but that it is one."""
        profile = self._active.profile
        if profile is None:
            return {"state": "locked" if origin in self._active.approvals else "unregistered"}
        if profile.app(origin) is None:
            return {"state": "unregistered"}
        if self._devices.held:
            return {"state": "locked"}
        return {
            "state": "ready",
            "access": "shared",
            "profile": profile.name,
            "sync": self._sync.state(origin),
            "devices": self._devices.holding(origin),
            "persistent": self.persistent,
        }

    async def settle(self, session: AppSession) -> None:
        """Bring a session to what its app may do, once nothing of that is changing."""
        async with self._active.changing:
            await self._refresh(session)

    async def _refresh(self, session: AppSession) -> None:
        """Bring a session to what its app may do now."""
        status = self.status(session.origin)
        if session.closed:
            return
        if status["state"] != "ready":
            turn_away(session, status)
            return
        profile = self._active.get()
        if session.space is None:
            ref = SpaceRef("app", session.origin, profile.generation(session.origin))
            try:
                space = await profile.space(ref.origin, ref.generation)
            except MasqError as error:
                self._apps.failed([session], error)
                return
            status = self.status(session.origin)  # how its sync stands may have changed during the wait
            changed = self._active.profile is not profile or status["state"] != "ready"
            if session.closed or session.space or changed:
                profile.release(ref.origin)  # more has changed, and somebody saw to it
                return
            session.open(Access(ref, space, partial(profile.release, ref.origin)), status)
            if self._auto_lock.ticket:
                session.on_ticket(self._auto_lock.ticket)
            await self.note_used(profile, session.origin)
        elif session.told != status:
            session.tell_status(status)

    def _reading(self) -> None:
        """Have all who wait for the store's first word hear that a large space is being read, but no stranger."""
        self._apps.reading(s for s in self._apps if not s.told and self.status(s.origin)["state"] == "ready")

    def refresh_statuses(self) -> None:
        """Tell the apps in use what is new in their status."""
        for session in self._apps:
            if session.space is not None and session.told != (status := self.status(session.origin)):
                session.tell_status(status)

    # Only whoever holds `changing` may call these ----------------------------------------------------------

    async def refresh_all(self) -> None:
        """Tell every session what its app may do now."""
        for session in self._apps:
            await self._refresh(session)
        self._services.connected.tell_pages(["overview"])

    def note_known(self) -> None:
        """Note that every session knows what the registrations say now."""
        if self._active.profile is not None:
            self.known = registered(self._active.profile)

    async def note_used(self, profile: Profile, origin: str) -> None:
        """Note that an app is in use."""
        app, now = profile.app(origin), self._services.now_ms()
        if app and now - app["used_ms"] > USED_RESOLUTION_MS:
            with suppress(QuotaExceeded):  # a full disk must not undo what the person has decided
                await profile.used(origin, now)

    async def approvals_changed(self, *origins: str) -> None:
        """Tell the sessions of these apps, and keep the list for when the profile is locked."""
        self.note_known()
        self._sync.look()
        for session in [s for s in self._apps if s.origin in origins]:
            await self._refresh(session)
        with suppress(QuotaExceeded):  # it only makes a locked store's answers better
            await self._services.vault.write_approvals(self._active.get().approved())
        self._services.connected.tell_pages(["overview"])

    async def advance(self, origin: str, generation: int) -> None:
        """Go on with a later generation of an app's data, which somebody else has. Raises QuotaExceeded."""
        self.end_sessions(origin)
        await self._sync.leave(origin)
        await self._active.get().advance(origin, generation, self._services.now_ms())
        await self.approvals_changed(origin)

    def end_sessions(self, origin: str) -> None:
        """Take an app's space out of all hands."""
        for page in self._services.connected.pages:
            page.forget_space(origin)
        self._here.end_app(origin)
        self._apps.refuse(origin)


def registered(profile: Profile) -> dict[str, tuple[bool, int]]:
    """Return of each app whether it is approved, and which generation of its data is in use."""
    return {origin: (app["approved"], app["generation"]) for origin, app in profile.apps().items()}
