"""The engine: one for all apps, tabs and pages of a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from masq.errors import Locked, MasqError, NotRegistered, ProtocolError, StorageUnavailable
from masq_store.core import access
from masq_store.core.backup import Backup
from masq_store.core.errors import DamagedData, NewerData
from masq_store.engine import backup as backups
from masq_store.engine.pages import PageSession
from masq_store.engine.ports import Backend, Crypto, Port
from masq_store.engine.profile import Profile
from masq_store.engine.sessions import AppSession
from masq_store.engine.vault import Unlocked, Vault
from masq_store.engine.writer import Writer

FILING_SECONDS = 10
"""How long a window waits for the request that it was opened for: the app's frame may still be on its way."""

MAX_OVER = 1_000
"""Ended requests that are remembered, so that their windows need not wait."""

USED_RESOLUTION_MS = 60_000
"""How exactly "last used" is kept: not every reload is worth a write."""


class Engine:
    """Who may do what, now: the sessions, and the profile that they are for."""

    def __init__(
        self,
        backend: Backend,
        crypto: Crypto,
        *,
        now_ms: Callable[[], int],
        persistent: bool = False,
        failed: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """`now_ms`: the device's clock. `failed` hears of a disk that no longer takes writes."""
        self.now_ms = now_ms
        self.persistent = persistent
        self.profile: Profile | None = None
        self.writer = Writer(backend, failed)
        self._backend = backend
        self._crypto = crypto
        self._vault = Vault(backend, crypto)
        self._approvals: list[str] = []
        self._apps: set[AppSession] = set()
        self._pages: set[PageSession] = set()
        self._asking: dict[str, AppSession] = {}
        self._filed = asyncio.Event()  # set, and replaced, whenever a request has been filed
        self._over: dict[str, None] = {}  # nonces of requests that have ended, the oldest first
        self._tasks: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()
        self._stopping = False

    async def start(self) -> None:
        """Claim the storage and open the active profile if it stays unlocked.

        Raises NewerData, DamagedData or StorageUnavailable; the storage is then left as it was.
        """
        await self._vault.check()
        await self._backend.claim()
        await self._vault.load()  # after the claim: nobody else can make a profile any more
        if self._vault.active:
            secrets = await self._vault.unlock_by_device()
            if secrets:
                await self._open_profile(secrets)
            else:
                self._approvals = await self._vault.approvals()

    async def stop(self) -> list[tuple[AppSession, Port, dict[str, Any]]]:
        """Finish what is being written and give every app's port back, with its session's state."""
        # Or an app that keeps writing would keep the engine from ever being done.
        self._stopping = True
        for session in self._apps:
            session.pause()
        await self.writer.idle()
        await self._backend.close()
        # Last, and without a wait until the ports have gone: what an app says in between would be lost.
        return [(session, *session.hand_over()) for session in self._apps]

    # Sessions ----------------------------------------------------------------------------------------------

    def attach(self, port: Port, origin: Any, nonce: Any, app: dict[str, Any]) -> AppSession:
        """Take up an app's port. Raises ProtocolError where origin or description cannot be right."""
        access.check_origin(origin)
        access.check_nonce(nonce)
        asking = self._asking.get(nonce)
        if asking and asking.origin != origin:  # or the person would approve another app than the one shown
            raise ProtocolError("this nonce is another app's")
        session = AppSession(self, port, origin, nonce, access.check_app(**app)._asdict())
        self._apps.add(session)
        if self._stopping:
            session.pause()
        self._asking[nonce] = session
        self._filed.set()
        self._filed = asyncio.Event()
        self._soon(self._refresh(session))
        self._tell_pages(["overview"])
        return session

    def detach(self, session: AppSession) -> None:
        """Forget an app's session: its page has gone."""
        session.close()
        self._apps.discard(session)
        if self._asking.get(session.nonce) is session:
            del self._asking[session.nonce]
            self._over[session.nonce] = None
            if len(self._over) > MAX_OVER:
                del self._over[next(iter(self._over))]
        self._tell_pages(["overview"])

    def page(self, port: Port) -> PageSession:
        """Take up the port of one of the store's own pages."""
        session = PageSession(self, port)
        self._pages.add(session)
        return session

    def page_gone(self, session: PageSession) -> None:
        """Forget a page's session."""
        session.close()
        self._pages.discard(session)

    def left(self, origin: str) -> None:
        """Note that one user of an app's space is done with it."""
        if self.profile:
            self.profile.release(origin)

    def status(self, session: AppSession) -> dict[str, Any]:
        """Return what an app may know: for a stranger, nothing but that it is one."""
        if self.profile is None:
            return {"state": "locked" if session.origin in self._approvals else "unregistered"}
        if self.profile.app(session.origin) is None:
            return {"state": "unregistered"}
        return {
            "state": "ready",
            "access": "shared",
            "profile": self.profile.name,
            "sync": "off",
            "devices": 1,
            "persistent": self.persistent,
        }

    async def _refresh(self, session: AppSession) -> None:
        """Bring a session to what its app may do now."""
        status = self.status(session)
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
            except MasqError as error:  # damaged, written by a newer version, or no room to begin
                damaged = isinstance(error, (DamagedData, NewerData))
                session.fail(StorageUnavailable(error.sentence) if damaged else error)
                return
            if session.closed or session.space or self.status(session) != status:
                profile.release(session.origin)  # things changed during the wait, and somebody saw to it
                return
            session.open(space, status)
            app = profile.app(session.origin)
            if app and self.now_ms() - app["used_ms"] > USED_RESOLUTION_MS:
                await profile.used(session.origin, self.now_ms())
        else:
            session.tell_status(status)

    # The person's decisions --------------------------------------------------------------------------------

    async def create_profile(self, name: str, passphrase: str, stay_unlocked: bool) -> None:
        """Make this device's profile and open it. Raises ProtocolError where there is one already."""
        async with self._changing:
            if self._vault.active:
                raise ProtocolError("there is a profile on this device already")
            secrets = await self._vault.create(name, passphrase, stay_unlocked, self.now_ms())
            async with self._made(secrets):
                pass

    async def unlock(self, passphrase: str, stay_unlocked: bool) -> None:
        """Open the active profile. Raises WrongPassphrase."""
        async with self._changing:
            if self.profile is None:
                await self._open_profile(await self._vault.unlock(passphrase, stay_unlocked))

    async def request(self, nonce: str) -> dict[str, Any] | None:
        """Return which app asks under `nonce`, or None where nobody does, or nobody does any more.

        `masq.register` opens the window before its frame has filed the request, so this waits for it a little.
        """
        try:
            async with asyncio.timeout(FILING_SECONDS):
                while nonce not in self._asking and nonce not in self._over:
                    await self._filed.wait()
        except TimeoutError:
            return None
        session = self._asking.get(nonce)
        if session is None:
            return None
        registered = self.profile is not None and self.profile.app(session.origin) is not None
        return {"origin": session.origin, **session.app, "registered": registered}

    async def answer(self, nonce: str, allow: bool) -> None:
        """Take the person's answer to the app that asks under `nonce`."""
        session = self._asking.get(nonce)
        if session is None:
            raise ProtocolError("the app that asked is no longer open")
        if not allow:
            self._deny(session, "refused")
            return
        if self.profile is None:
            raise Locked()
        await self.profile.approve(session.origin, session.app, self.now_ms())
        await self._approvals_changed(session.origin)

    def popup_gone(self, nonce: str) -> None:
        """Note that the window that asked has closed; without an answer that is one too."""
        session = self._asking.get(nonce)
        if session and session.space is None:
            self._deny(session, "closed")

    async def withdraw(self, origin: str) -> None:
        """Take an app's permission away; its open sessions end at once, its data stays."""
        if self.profile is None:
            raise Locked()
        await self.profile.withdraw(origin, self.now_ms())
        for page in self._pages:
            page.forget_space(origin)
        await self._approvals_changed(origin)

    async def write_backup(self, passphrase: str, origin: str | None = None) -> bytes:
        """Return a backup file of the profile, or of one app. Raises Locked, NotRegistered, InvalidValue."""
        if self.profile is None:
            raise Locked()
        return await backups.write_backup(
            self.profile, self._crypto, passphrase, origin=origin, now_ms=self.now_ms()
        )

    async def read_backup(self, content: bytes, passphrase: str) -> Backup:
        """Open and check a backup file; nothing is changed. Raises as `engine.backup.read_backup` does."""
        return await backups.read_backup(self._crypto, content, passphrase)

    async def restore(
        self, backup: Backup, *, passphrase: str = "", stay_unlocked: bool = True, erased: bool = False
    ) -> backups.Restored:
        """Merge a backup into the active profile; where there is none, make the backup's own anew first.

        `passphrase` and `stay_unlocked` are for a profile made anew. `erased`: bring back also what this
        profile has erased since. Durable on return. Raises Locked, and QuotaExceeded with no data changed.
        """
        async with self._changing:
            if self.profile is None:
                if self._vault.active:
                    raise Locked()
                manifest = backup.manifest
                secrets = await self._vault.create(
                    manifest.name, passphrase, stay_unlocked, self.now_ms(), manifest.home_secret
                )
                async with self._made(secrets):
                    restored = await self._merge(backup, erased)
            else:
                restored = await self._merge(backup, erased)
            for origin in restored.moved:
                self._end_sessions(origin)
            await self._approvals_changed(*backup.spaces)
            return restored

    async def _merge(self, backup: Backup, erased: bool) -> backups.Restored:
        assert self.profile is not None
        return await backups.restore(
            self.profile, self.writer, self._crypto, backup, now_ms=self.now_ms(), erased=erased
        )

    def _end_sessions(self, origin: str) -> None:
        """Take an app's space out of all hands: another one is in use from now on."""
        for page in self._pages:
            page.forget_space(origin)
        for session in self._apps:
            if session.origin == origin:
                session.refuse(NotRegistered(origin), {"state": "unregistered"})

    def _deny(self, session: AppSession, denied: str) -> None:
        session.tell_status({**self.status(session), "denied": denied})

    async def _approvals_changed(self, *origins: str) -> None:
        assert self.profile is not None
        for session in [s for s in self._apps if s.origin in origins]:
            await self._refresh(session)
        approved = [origin for origin, app in self.profile.apps().items() if app["approved"]]
        await self._vault.write_approvals(approved)
        self._tell_pages(["overview"])

    @asynccontextmanager
    async def _made(self, secrets: Unlocked) -> AsyncIterator[None]:
        """Open a profile made just now; where that or what follows fails, there is none again."""
        try:
            await self._open_profile(secrets)
            yield
        except MasqError:
            self.profile = None
            await self._vault.discard()
            self._tell_pages(["overview"])
            raise

    async def _open_profile(self, secrets: Unlocked) -> None:
        profile = Profile(self._backend, self._crypto, self.writer, secrets)
        await profile.start()
        self.profile = profile
        for session in list(self._apps):
            self._soon(self._refresh(session))
        self._tell_pages(["overview"])

    # What the pages show -----------------------------------------------------------------------------------

    async def overview(self) -> dict[str, Any]:
        """Return the active profile and its apps, the last used one first."""
        active = self._vault.active
        if active is None:
            return {"profile": None, "apps": []}
        apps: list[dict[str, Any]] = []
        if self.profile:
            known = self.profile.apps().items()
            apps = [await self.describe(origin) for origin, app in known if app["approved"]]
        return {
            "profile": {
                "id": active["id"],
                "name": active["name"],
                "locked": self.profile is None,
                "passphrase": self._vault.has_passphrase,
            },
            "apps": sorted(apps, key=lambda app: -app["used_ms"]),
        }

    async def describe(self, origin: str) -> dict[str, Any]:
        """Return what the pages show of one app. Raises NotRegistered or Locked."""
        if self.profile is None:
            raise Locked()
        app = self.profile.app(origin)
        if app is None:
            raise NotRegistered(origin)
        size = await self.profile.size(origin)
        tabs = sum(1 for session in self._apps if session.origin == origin and not session.closed)
        wanted = ("name", "description", "icon", "approved_ms", "used_ms")
        return {"origin": origin, **{name: app[name] for name in wanted}, **size, "tabs": tabs}

    def _tell_pages(self, event: list[str]) -> None:
        for page in self._pages:
            page.tell(event)

    def _soon(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, MasqError):
            raise error  # to the loop's handler: a defect must be seen
