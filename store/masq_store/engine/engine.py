"""The engine: one for all apps, tabs and pages of a browser.

It starts and stops, and takes up the ports of apps and pages. What the person decides is in `pages.commands` and
`pages.device_commands`, what the pages show in `pages.overview`, and what the apps may do in `store.app_access`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from masq.messages import JsonObject
from masq_store.core.errors import StorageFailed, UnreadableData
from masq_store.core.profile import claims
from masq_store.engine.pages.commands import Commands
from masq_store.engine.pages.device_commands import DeviceCommands
from masq_store.engine.pages.page_session import PageSession
from masq_store.engine.ports import Backend, Crypto, Network, Port
from masq_store.engine.profile.profile import Profile
from masq_store.engine.profile.vault import Vault
from masq_store.engine.relay.relays import Relays
from masq_store.engine.sessions.app_session import CLOSED_SECONDS, AppSession
from masq_store.engine.sessions.hand_over import State
from masq_store.engine.sessions.status import Status
from masq_store.engine.sessions.turns import Turns
from masq_store.engine.storage.writer import Writer
from masq_store.engine.store.connected import Connected
from masq_store.engine.store.parts import Parts
from masq_store.engine.store.services import Services
from masq_store.engine.tasks import END_SECONDS, Tasks
from masq_store.engine.trace import Trace

WINDOW_SECONDS = 20
"""How long the store's window may take to come here before it counts as closed: its few files, over a slow network."""


class Engine:
    """The composition root of a store: owns its parts, and takes up the ports of apps and pages."""

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
        self._failed = failed
        self._stopped = False  # the storage is another engine's: what fails now harms nobody
        self.backend = backend
        self.crypto = crypto
        self.now_ms = now_ms
        self.trace = Trace(now_ms)
        self.writer = Writer(backend, self._disk_failed, self.trace)
        self.vault = Vault(backend, crypto)
        self.relays = None
        if network:
            self.relays = Relays(network, now_ms=now_ms, random=crypto.random, trace=self.trace)
        self.tasks = Tasks("the store's engine", self.writer.heed)
        self.soon = self.tasks.start
        self.connected = Connected(self.tasks)
        self.turns = Turns()
        services = Services(
            backend=backend,
            crypto=crypto,
            now_ms=now_ms,
            writer=self.writer,
            vault=self.vault,
            relays=self.relays,
            tasks=self.tasks,
            connected=self.connected,
            device_name=device_name,
            trace=self.trace,
        )
        self.parts = Parts(services, default_relay, persistent, version, build)
        self.auto_lock = self.parts.auto_lock
        self.enrolments = self.parts.enrolments
        self.commands = Commands(self.parts)
        self.device_commands = DeviceCommands(self.parts)

    @property
    def profile(self) -> Profile | None:
        """The active profile while it is open."""
        return self.parts.active.profile

    async def start(self) -> None:
        """Claim the storage and open the active profile if it stays unlocked.

        Raises NewerData, DamagedData or StorageUnavailable; the storage is then left as it was. A profile that
        cannot be opened does not keep the person from the others: `ActiveProfile.failure` tells what is the matter
        with it.
        """
        await self.vault.check()
        await self.backend.claim()
        await self.auto_lock.sweep()
        await self.vault.load()  # after the claim: nobody else can make a profile any more
        async with self.parts.active.changing:
            await self.parts.expiry.erase()
            try:
                await self.parts.active.open_active()
            except UnreadableData:
                if len(self.vault.profiles()) == 1:
                    raise
        self.parts.expiry.begin()

    def set_default_relay(self, url: str) -> None:
        """Take what this store's host says is the relay for those who have chosen none; "": none."""
        if url != self.parts.devices.default_relay:
            self.parts.devices.default_relay = url
            self.parts.sync.look()
            self.connected.tell_pages(["overview"])

    async def stop(self) -> None:
        """Finish what is being written. What apps say from now on waits for `hand_over`."""
        # Or an app that keeps writing would keep the engine from ever being done.
        self.connected.apps.pause()
        async with self.parts.active.changing:
            await self.parts.pairings.end()
            self.enrolments.end()
            await self.parts.sync.closing()
            await self.writer.idle()
            self.auto_lock.stop()
            self.parts.expiry.stop()
            if self.relays:
                self.relays.close()
            self._stopped = True
            await self.backend.close()
        await self.tasks.close(END_SECONDS)  # not above: at its end a task may have to wait for its turn

    def hand_over(self) -> list[tuple[AppSession, Port, State]]:
        """Return every app's port with its session's state, as `Sessions.hand_over` does."""
        return self.connected.apps.hand_over()

    # Sessions ----------------------------------------------------------------------------------------------

    def attach(self, port: Port, origin: Any, nonce: Any, app: JsonObject, ticket: Any = None) -> AppSession:
        """Take up an app's port. Raises ProtocolError where origin or description cannot be right.

        `ticket`: what the frame has kept of an engine before this one, see `AutoLock`.
        """
        claims.check_origin(origin)
        claims.check_nonce(nonce)
        self.parts.requests.check(nonce, origin)
        session = AppSession(self, port, origin, nonce, claims.check_app(**app))
        session.on_severed, session.on_end = partial(self.severed, session), partial(self.detach, session)
        self.connected.apps.add(session)
        self.parts.requests.file(session)
        self.soon(self._arrive(session, ticket))
        self.connected.tell_pages(["overview"])
        return session

    def severed(self, session: AppSession, closed: bool) -> None:
        """Note that an app's page has opened the store's window and cannot reach it: it was cut off, or has closed.

        One that is open meets the app's request in this engine, whether or not the two pages see each other. One that
        was closed before it came here says nothing: where none has come in time, that is the answer. `closed`: the page
        knows that it has.
        """
        if session.space is None:
            seconds = CLOSED_SECONDS if closed else WINDOW_SECONDS
            asyncio.get_running_loop().call_later(seconds, self._without_window, session)

    def _without_window(self, session: AppSession) -> None:
        apps, pages = self.connected.apps, self.connected.pages
        if session in apps and not apps.paused and not any(page.nonce == session.nonce for page in pages):
            self.commands.popup_gone(session.nonce)

    def detach(self, session: AppSession) -> None:
        """Forget an app's session: its page has gone."""
        self.connected.apps.end(session)
        self.parts.requests.end(session)
        self.connected.tell_pages(["overview"])

    def page(self, port: Port, ticket: Any = None) -> PageSession:
        """Take up the port of one of the store's own pages. `ticket`: as for `attach`."""
        session = PageSession(self.parts, self.commands, self.device_commands, port)
        self.connected.pages.add(session)
        if self.auto_lock.fits(ticket):
            self.soon(self.auto_lock.offer(ticket))
        elif self.auto_lock.sweeping:
            self.soon(self.auto_lock.sweep())
        return session

    def page_gone(self, session: PageSession) -> None:
        """Forget a page's session."""
        session.close()
        self.connected.pages.discard(session)

    def status(self, origin: str) -> Status:
        """Return what an app may know."""
        return self.parts.access.status(origin)

    async def _arrive(self, session: AppSession, ticket: Any) -> None:
        try:
            if self.auto_lock.fits(ticket):
                await self.auto_lock.offer(ticket)
        except StorageFailed:
            raise  # `soon` tells of it, and the app stays waiting for the engine after this one
        except BaseException:
            await self.parts.access.settle(session)
            raise
        await self.parts.access.settle(session)

    def _disk_failed(self, error: Exception) -> None:
        if not self._stopped:
            self._failed(error)
