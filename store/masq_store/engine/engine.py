"""The engine: one for all apps, tabs and pages of a browser.

It keeps the sessions and the one profile that is open. What the person decides is in `pages.commands`, what
the pages show in `pages.overview`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from masq.errors import Disconnected, Locked, MasqError, NotRegistered, QuotaExceeded, StorageUnavailable
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.profile import claims as access
from masq_store.engine.pages.commands import Person
from masq_store.engine.pages.page_session import PageSession
from masq_store.engine.ports import Backend, Crypto, Network, Port
from masq_store.engine.profile.profile import Profile
from masq_store.engine.profile.vault import Unlocked, Vault
from masq_store.engine.relay.relays import Relays
from masq_store.engine.sessions.access_requests import Requests
from masq_store.engine.sessions.app_session import CLOSED_SECONDS, AppSession
from masq_store.engine.sessions.hand_over import State
from masq_store.engine.sessions.status import Status
from masq_store.engine.sessions.turns import Turns
from masq_store.engine.storage.writer import Writer
from masq_store.engine.store.auto_lock import Rest
from masq_store.engine.store.device_list import Devices
from masq_store.engine.store.enrolments import Enrolments
from masq_store.engine.store.expiry import Expiry
from masq_store.engine.store.pairings import Pairings
from masq_store.engine.store.profile_sync import ProfileSync
from masq_store.engine.store.rosters import Rosters
from masq_store.engine.tasks import END_SECONDS, Tasks
from masq_store.engine.trace import Trace

USED_RESOLUTION_MS = 60_000
"""How exactly "last used" is kept: not every reload is worth a write."""


WINDOW_SECONDS = 20
"""How long the store's window may take to come here before it counts as closed: its few files, over a slow network."""


class Standing(NamedTuple):
    """Which profile is active (None: there is none), and what opens it, if it is open.

    `closed`: it is not open, and nothing is the matter with it: its person has locked it, or has not opened it yet.
    `approvals`: the apps that are told so.
    """

    active: str | None
    secrets: Unlocked | None
    closed: bool
    approvals: list[str]


class Engine:
    """Who may do what, now: the sessions, and the profile that they are for."""

    def __init__(
        self,
        backend: Backend,
        crypto: Crypto,
        *,
        now_ms: Callable[[], int],
        persistent: bool = False,
        version: str = "",
        build: int = 0,
        failed: Callable[[Exception], None] = lambda error: None,
        network: Network | None = None,
        device_name: str = "This device",
        default_relay: str = "",
    ) -> None:
        """`now_ms`: the device's clock. `failed` hears of a disk that no longer gives or takes.

        `network`: the way to relays; without one nothing is synced. `device_name`: what this device is called until
        the person says otherwise. `default_relay`: the relay where the person has chosen none; "": none.
        """
        self.now_ms = now_ms
        self.persistent = persistent
        self.version = version
        self.build = build
        self.backend = backend
        self.crypto = crypto
        self.device_name = device_name
        self.default_relay = default_relay
        self.trace = Trace(now_ms)
        self.relays = None
        if network:
            self.relays = Relays(network, now_ms=now_ms, random=crypto.random, trace=self.trace)
        self.profile: Profile | None = None
        self.failure: MasqError | None = None  # why the active profile cannot be opened
        self._failed = failed
        self.writer = Writer(backend, self._disk_failed, self.trace)
        self.turns = Turns()
        self.vault = Vault(backend, crypto)
        self.requests = Requests()
        self.person = Person(self)
        self.rest = Rest(self)
        self.devices = Devices(self)
        self.expiry = Expiry(self)
        self.rosters = Rosters(self)
        self.sync = ProfileSync(self)
        self.enrolments = Enrolments(self)
        self.pairings = Pairings()
        self.changing = asyncio.Lock()  # held while it changes which profile is open, or what an app may do
        self._approvals: list[str] = []  # of the active profile, while it is locked
        self._apps: set[AppSession] = set()
        self._pages: set[PageSession] = set()
        self._tasks = Tasks("the store's engine", self.heed)
        self._stopping = False
        self._stopped = False  # the storage is another engine's: what fails now harms nobody

    async def start(self) -> None:
        """Claim the storage and open the active profile if it stays unlocked.

        Raises NewerData, DamagedData or StorageUnavailable; the storage is then left as it was. A profile that
        cannot be opened does not keep the person from the others: `failure` tells what is the matter with it.
        """
        await self.vault.check()
        await self.backend.claim()
        await self.rest.sweep()
        await self.vault.load()  # after the claim: nobody else can make a profile any more
        async with self.changing:
            await self.expiry.erase()
            try:
                await self.open_active()
            except (DamagedData, NewerData):
                if len(self.vault.profiles()) == 1:
                    raise
        self.expiry.begin()

    def set_default_relay(self, url: str) -> None:
        """Take what this store's host says is the relay for those who have chosen none; "": none."""
        if url != self.default_relay:
            self.default_relay = url
            self.sync.look()
            self.tell_pages(["overview"])

    async def stop(self) -> list[tuple[AppSession, Port, State]]:
        """Finish what is being written and give every app's port back, with its session's state."""
        # Or an app that keeps writing would keep the engine from ever being done.
        self._stopping = True
        for session in self._apps:
            session.pause()
        async with self.changing:
            await self.pairings.end()
            self.enrolments.end()
            await self.sync.end()
            await self.writer.idle()
            self.rest.stop()
            self.expiry.stop()
            if self.relays:
                self.relays.close()
            self._stopped = True
            await self.backend.close()
        await self._tasks.close(END_SECONDS)  # not above: at its end a task may have to wait for its turn
        # Last, and without a wait until the ports have gone: what an app says in between would be lost.
        return [(session, *session.hand_over()) for session in self._apps]

    # Sessions ----------------------------------------------------------------------------------------------

    def attach(
        self, port: Port, origin: Any, nonce: Any, app: dict[str, Any], ticket: Any = None
    ) -> AppSession:
        """Take up an app's port. Raises ProtocolError where origin or description cannot be right.

        `ticket`: what the frame has kept of an engine before this one, see `Rest`.
        """
        access.check_origin(origin)
        access.check_nonce(nonce)
        self.requests.check(nonce, origin)
        session = AppSession(self, port, origin, nonce, access.check_app(**app)._asdict())
        session.on_severed, session.on_end = partial(self.severed, session), partial(self.detach, session)
        self._apps.add(session)
        if self._stopping:
            session.pause()
        self.requests.file(session)
        self.soon(self._arrive(session, ticket))
        self.tell_pages(["overview"])
        return session

    def severed(self, session: AppSession, closed: bool) -> None:
        """The app's page has opened the store's window and cannot reach it: it was cut off, or it has closed already.

        One that is open meets the app's request in this engine, whether or not the two pages see each other. One that
        was closed before it came here says nothing: where none has come in time, that is the answer. `closed`: the page
        knows that it has.
        """
        if session.space is None:
            seconds = CLOSED_SECONDS if closed else WINDOW_SECONDS
            asyncio.get_running_loop().call_later(seconds, self._without_window, session)

    def _without_window(self, session: AppSession) -> None:
        open_still = session in self._apps and not self._stopping
        if open_still and not any(page.nonce == session.nonce for page in self._pages):
            self.person.popup_gone(session.nonce)

    def detach(self, session: AppSession) -> None:
        """Forget an app's session: its page has gone."""
        session.close()
        self._apps.discard(session)
        self.requests.end(session)
        self.tell_pages(["overview"])

    def page(self, port: Port, ticket: Any = None) -> PageSession:
        """Take up the port of one of the store's own pages. `ticket`: as for `attach`."""
        session = PageSession(self, port)
        self._pages.add(session)
        if self.rest.fits(ticket):
            self.soon(self.rest.offer(ticket))
        elif self.rest.sweeping:
            self.soon(self.rest.sweep())
        return session

    def page_gone(self, session: PageSession) -> None:
        """Forget a page's session."""
        session.close()
        self._pages.discard(session)

    def tabs(self, origin: str) -> int:
        """Return how many sessions an app has."""
        return sum(1 for session in self._apps if session.origin == origin and not session.closed)

    def status(self, origin: str) -> Status:
        """Return what an app may know: for a stranger, nothing but that it is one."""
        if self.profile is None:
            return {"state": "locked" if origin in self._approvals else "unregistered"}
        if self.profile.app(origin) is None:
            return {"state": "unregistered"}
        if self.devices.held:
            return {"state": "locked"}
        return {
            "state": "ready",
            "access": "shared",
            "profile": self.profile.name,
            "sync": self.sync.state(origin),
            "devices": self.devices.holding(origin),
            "persistent": self.persistent,
        }

    async def _arrive(self, session: AppSession, ticket: Any) -> None:
        try:
            if self.rest.fits(ticket):
                await self.rest.offer(ticket)
        except Disconnected:
            raise  # `soon` tells of it, and the app stays waiting for the engine after this one
        except BaseException:
            await self._settle(session)
            raise
        await self._settle(session)

    async def _settle(self, session: AppSession) -> None:
        async with self.changing:
            await self._refresh(session)

    async def _refresh(self, session: AppSession) -> None:
        """Bring a session to what its app may do now."""
        status = self.status(session.origin)
        if session.closed:
            return
        if status["state"] != "ready":
            refusal = Locked() if status["state"] == "locked" else NotRegistered(session.origin)
            session.refuse(refusal, status)
            return
        assert self.profile is not None
        profile = self.profile
        if session.space is None:
            try:
                space = await profile.space(session.origin)
            except Disconnected as error:
                self.heed(error)  # the app stays waiting for the engine after this one
                return
            except MasqError as error:  # damaged, written by a newer version, or no room to begin
                damaged = isinstance(error, (DamagedData, NewerData))
                session.fail(StorageUnavailable(error.sentence) if damaged else error)
                return
            status = self.status(session.origin)  # how its sync stands may have changed during the wait
            if session.closed or session.space or self.profile is not profile or status["state"] != "ready":
                profile.release(session.origin)  # more has changed, and somebody saw to it
                return
            session.open(profile, space, status)
            if self.rest.ticket:
                session.on_ticket(self.rest.ticket)
            await self.note_used(profile, session.origin)
        elif session.told != status:
            session.tell_status(status)

    def _reading(self) -> None:
        """Have all who wait for the store's first word hear that a large space is being read, but no stranger."""
        for session in self._apps:
            if not session.told and self.status(session.origin)["state"] == "ready":
                try:
                    session.on_reading()
                except Exception as error:  # theirs alone: everybody waits for what is being read
                    self._tasks.report(error)

    async def note_used(self, profile: Profile, origin: str) -> None:
        """Note that an app is in use; whoever calls this holds `changing`."""
        app = profile.app(origin)
        if app and self.now_ms() - app["used_ms"] > USED_RESOLUTION_MS:
            with suppress(QuotaExceeded):  # a full disk must not undo what the person has decided
                await profile.used(origin, self.now_ms())

    # The open profile: only whoever holds `changing` may call these ----------------------------------------

    async def open_active(self) -> None:
        """Open the active profile if it stays unlocked on this device; else tell its apps that it is locked.

        So they hear, too, where it cannot be opened; `failure` says why, and is raised.
        """
        self._approvals = []
        self.failure = None
        try:
            if self.vault.active:
                secrets = await self.vault.unlock_by_device()
                if secrets:
                    await self.open_profile(secrets)
                    return
                self._approvals = await self.vault.approvals()
        except Exception as error:
            if self.profile is None and isinstance(error, MasqError):
                self.failure = error
            if not isinstance(error, Disconnected):  # else they stay waiting for the engine after this one
                await self.refresh_all()
            raise
        await self.refresh_all()

    async def open_again(self, secrets: Unlocked | None) -> None:
        """After something else has failed: open the profile that was open, or else the active one if that can be.

        One that is not the active one any more is not opened: what is open and what is active are always the same.
        """
        if self.profile is None and secrets and secrets.id == self._active_id():
            await self.attempt(lambda: self.open_profile(secrets))
        if self.profile is None:
            await self.attempt(self.open_active)

    def standing(self) -> Standing:
        """Return how things stand, for `open_as` if something fails."""
        secrets = self.profile.secrets if self.profile else None
        closed = secrets is None and self.failure is None
        return Standing(self._active_id(), secrets, closed, self._approvals)

    async def open_as(self, before: Standing) -> None:
        """After something has been done, or has failed: go on as before it. What was closed then stays closed."""
        if self.profile is None and before.closed and before.active == self._active_id():
            self.failure, self._approvals = None, before.approvals
            await self.attempt(self.refresh_all)
        else:
            await self.open_again(before.secrets)

    def _active_id(self) -> str | None:
        return self.vault.active["id"] if self.vault.active else None

    async def attempt(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do what must keep nothing after it from being done: if it fails, that is told, and not raised."""
        try:
            await step()
        except Exception as error:
            self._tasks.report(error)

    async def open_profile(self, secrets: Unlocked) -> None:
        """Take up a profile whose secrets are known; if that fails, none is open.

        Raises DamagedData, NewerData, QuotaExceeded.
        """
        profile = Profile(self.backend, self.crypto, self.writer, secrets)
        profile.reading = self._reading
        await profile.start(self.now_ms())
        self.profile, self.failure = profile, None
        for session in list(self._apps):
            self.soon(self._settle(session))
        self.tell_pages(["overview"])
        try:
            await self.rest.begin(secrets.root)
            await self.devices.begin(profile)
            self.rosters.begin(profile)
            self.sync.begin(profile)
            self.enrolments.profile_opened()
        except Exception:
            # Half open it is never synced, and cannot be opened again. The sessions settle after that, see above.
            await self.attempt(self.close_profile)
            raise

    async def close_profile(self) -> None:
        """Let the open profile go, once everything that was asked of it is on disk.

        What apps say from now on waits until `refresh_all`, or the next profile. It is closed also where a step of
        that fails as nobody foresaw, which is raised once all the others are taken.
        """
        profile = self.profile
        if profile is None:
            return
        errors = []
        steps = (
            self.pairings.profile_closes,
            self._end_work,
            self.sync.end,
            self._take_spaces,
            self.writer.idle,
            profile.close,
            self.rest.end,
        )
        for step in steps:
            try:
                await step()
            except Exception as error:
                errors.append(error)
        self.tell_pages(["overview"])
        for other in errors[1:]:
            self._tasks.report(other)
        if errors:
            raise errors[0]

    async def _end_work(self) -> None:
        self.enrolments.profile_closes()
        self.devices.end()
        self.rosters.end()

    async def _take_spaces(self) -> None:
        profile, self.profile = self.profile, None
        assert profile is not None
        for page in self._pages:
            page.forget_spaces()
        for session in self._apps:
            session.leave()
        self._approvals = profile.approved()

    def refresh_statuses(self) -> None:
        """Tell the apps in use what is new in their status."""
        for session in self._apps:
            if session.space is not None and session.told != (status := self.status(session.origin)):
                session.tell_status(status)

    async def refresh_all(self) -> None:
        """Tell every session what its app may do now."""
        for session in list(self._apps):
            await self._refresh(session)
        self.tell_pages(["overview"])

    async def first_copy(self) -> None:
        """Return once this device holds what the relay has of its profile, or cannot get it for now."""
        await self.sync.first_copy()

    async def approvals_changed(self, *origins: str) -> None:
        """Tell the sessions of these apps, and keep the list for when the profile is locked."""
        assert self.profile is not None
        self.devices.note_apps()
        self.sync.look()
        for session in [s for s in self._apps if s.origin in origins]:
            await self._refresh(session)
        with suppress(QuotaExceeded):  # it only makes a locked store's answers better
            await self.vault.write_approvals(self.profile.approved())
        self.tell_pages(["overview"])

    async def advance(self, origin: str, generation: int) -> None:
        """Go on with a later generation of an app's data, which somebody else has. Raises QuotaExceeded."""
        assert self.profile is not None
        self.end_sessions(origin)
        await self.sync.leave(origin)
        await self.profile.advance(origin, generation, self.now_ms())
        await self.approvals_changed(origin)

    def end_sessions(self, origin: str) -> None:
        """Take an app's space out of all hands."""
        for page in self._pages:
            page.forget_space(origin)
        self.enrolments.end_app(origin)
        for session in self._apps:
            if session.origin == origin:
                session.refuse(NotRegistered(origin), {"state": "unregistered"})
                session.on_ticket(None)

    # -------------------------------------------------------------------------------------------------------

    def tell_pages(self, event: list[str]) -> None:
        """Send every page of the store an event."""
        for page in self._pages:
            page.tell(event)

    def tell_ticket(self, ticket: str | None) -> None:
        """Have every page, and every frame of an app in use, keep a ticket, or none any more."""
        for page in self._pages:
            page.tell_ticket(ticket)
        for session in self._apps:
            if session.space or ticket is None:
                session.on_ticket(ticket)

    def heed(self, error: MasqError) -> None:
        """Take note of an error that goes no further: if it is the disk's, this engine has come to its end."""
        self.writer.heed(error)

    def _disk_failed(self, error: Exception) -> None:
        if not self._stopped:
            self._failed(error)

    def soon(self, work: Any) -> None:
        """Begin some work, which ends with the engine; what goes wrong in it is seen, but for what could be told."""
        self._tasks.start(work)
