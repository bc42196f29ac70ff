"""The engine: one for all apps, tabs and pages of a browser.

It is put together here, and takes up the ports of apps and pages. What the person decides is in `pages.commands` and
`pages.device_commands`, what the pages show in `pages.overview`, and what the apps may do in `store.app_access`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from masq.errors import Disconnected
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.profile import claims
from masq_store.engine.pages.commands import Person
from masq_store.engine.pages.device_commands import DeviceCommands
from masq_store.engine.pages.page_session import PageSession
from masq_store.engine.pages.parts import Parts
from masq_store.engine.ports import Backend, Crypto, Network, Port
from masq_store.engine.profile.profile import Profile
from masq_store.engine.profile.vault import Vault
from masq_store.engine.relay.relays import Relays
from masq_store.engine.sessions.access_requests import Requests
from masq_store.engine.sessions.app_session import CLOSED_SECONDS, AppSession
from masq_store.engine.sessions.turns import Turns
from masq_store.engine.storage.writer import Writer
from masq_store.engine.store.active_profile import ActiveProfile
from masq_store.engine.store.app_access import AppAccess
from masq_store.engine.store.auto_lock import Rest
from masq_store.engine.store.connected import Connected
from masq_store.engine.store.device_list import Devices
from masq_store.engine.store.device_pairing import Pairings
from masq_store.engine.store.enrolment import Here
from masq_store.engine.store.enrolments import Enrolments
from masq_store.engine.store.expiry import Expiry
from masq_store.engine.store.home_watch import HomeWatch
from masq_store.engine.store.passphrase_proof import PassphraseProof
from masq_store.engine.store.profile_change import ProfileChange
from masq_store.engine.store.profile_sync import ProfileSync
from masq_store.engine.store.rosters import Rosters
from masq_store.engine.store.services import Services
from masq_store.engine.tasks import END_SECONDS, Tasks

WINDOW_SECONDS = 20
"""How long the store's window may take to come here before it counts as closed: its few files, over a slow network."""


class Engine:
    """The parts of a store, and the ports that lead to them."""

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
        self._stopping = False
        self._stopped = False  # the storage is another engine's: what fails now harms nobody
        self.backend = backend
        self.crypto = crypto
        self.now_ms = now_ms
        self.writer = Writer(backend, self._disk_failed)
        self.vault = Vault(backend, crypto)
        self.relays = Relays(network, now_ms=now_ms, random=crypto.random) if network else None
        self.tasks = Tasks("the store's engine", self.writer.heed)
        self.soon = self.tasks.start
        self.connected = Connected()
        self.turns = Turns()
        self.requests = Requests()
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
        )
        here = Here()
        self.active = active = ActiveProfile(services)
        self.change = ProfileChange(services, active)
        proof = PassphraseProof(services, active)
        self.rest = Rest(services, active)
        self.devices = Devices(services, default_relay)
        self.rosters = Rosters(services, self.devices, here)
        self.sync = ProfileSync(services, self.devices, self.rosters)
        self.access = AppAccess(
            services,
            active,
            rest=self.rest,
            devices=self.devices,
            sync=self.sync,
            here=here,
            persistent=persistent,
        )
        self.enrolments = Enrolments(
            services,
            active,
            access=self.access,
            devices=self.devices,
            rosters=self.rosters,
            requests=self.requests,
            here=here,
        )
        self.watch = HomeWatch(
            services, active, self.change, access=self.access, devices=self.devices, sync=self.sync
        )
        self.pairings = Pairings(
            services, active, self.change, devices=self.devices, sync=self.sync, proof=proof
        )
        self.expiry = Expiry(services, active, self.change)
        # A device is on the list before its rosters are written and its spaces meet others. What closes is told first
        # what would go on with the spaces, then those who use them; the ticket is kept until all is on disk.
        active.follow(
            opening=(
                self.access, self.rest, self.watch, self.devices, self.rosters, self.sync, self.enrolments
            ),
            closing=(
                self.pairings, self.enrolments, self.watch, self.devices, self.rosters, self.sync, self.access,
                self.rest,
            ),
        )  # fmt: skip
        parts = Parts(
            services=services,
            active=active,
            change=self.change,
            proof=proof,
            requests=self.requests,
            access=self.access,
            rest=self.rest,
            devices=self.devices,
            rosters=self.rosters,
            sync=self.sync,
            enrolments=self.enrolments,
            pairings=self.pairings,
            version=version,
            build=build,
        )
        self.person = Person(parts)
        self.device_commands = DeviceCommands(parts)
        self.parts = parts

    @property
    def profile(self) -> Profile | None:
        """The active profile while it is open."""
        return self.active.profile

    async def start(self) -> None:
        """Claim the storage and open the active profile if it stays unlocked.

        Raises NewerData, DamagedData or StorageUnavailable; the storage is then left as it was. A profile that
        cannot be opened does not keep the person from the others: `ActiveProfile.failure` tells what is the matter
        with it.
        """
        await self.vault.check()
        await self.backend.claim()
        await self.rest.sweep()
        await self.vault.load()  # after the claim: nobody else can make a profile any more
        async with self.active.changing:
            await self.expiry.erase()
            try:
                await self.active.open_active()
            except (DamagedData, NewerData):
                if len(self.vault.profiles()) == 1:
                    raise
        self.expiry.begin()

    def set_default_relay(self, url: str) -> None:
        """Take what this store's host says is the relay for those who have chosen none; "": none."""
        if url != self.devices.default_relay:
            self.devices.default_relay = url
            self.sync.look()
            self.connected.tell_pages(["overview"])

    async def stop(self) -> list[tuple[AppSession, Port, dict[str, Any]]]:
        """Finish what is being written and give every app's port back, with its session's state."""
        # Or an app that keeps writing would keep the engine from ever being done.
        self._stopping = True
        for session in self.connected.apps:
            session.pause()
        async with self.active.changing:
            await self.pairings.end()
            self.enrolments.end()
            await self.sync.closing()
            await self.writer.idle()
            self.rest.stop()
            self.expiry.stop()
            if self.relays:
                self.relays.close()
            self._stopped = True
            await self.backend.close()
        await self.tasks.close(END_SECONDS)  # not above: at its end a task may have to wait for its turn
        # Last, and without a wait until the ports have gone: what an app says in between would be lost.
        return [(session, *session.hand_over()) for session in self.connected.apps]

    # Sessions ----------------------------------------------------------------------------------------------

    def attach(
        self, port: Port, origin: Any, nonce: Any, app: dict[str, Any], ticket: Any = None
    ) -> AppSession:
        """Take up an app's port. Raises ProtocolError where origin or description cannot be right.

        `ticket`: what the frame has kept of an engine before this one, see `Rest`.
        """
        claims.check_origin(origin)
        claims.check_nonce(nonce)
        self.requests.check(nonce, origin)
        session = AppSession(self, port, origin, nonce, claims.check_app(**app)._asdict())
        self.connected.apps.add(session)
        if self._stopping:
            session.pause()
        self.requests.file(session)
        self.soon(self._arrive(session, ticket))
        self.connected.tell_pages(["overview"])
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
        open_still = session in self.connected.apps and not self._stopping
        if open_still and not any(page.nonce == session.nonce for page in self.connected.pages):
            self.person.popup_gone(session.nonce)

    def detach(self, session: AppSession) -> None:
        """Forget an app's session: its page has gone."""
        session.close()
        self.connected.apps.discard(session)
        self.requests.end(session)
        self.connected.tell_pages(["overview"])

    def page(self, port: Port, ticket: Any = None) -> PageSession:
        """Take up the port of one of the store's own pages. `ticket`: as for `attach`."""
        session = PageSession(self.parts, self.person, self.device_commands, port)
        self.connected.pages.add(session)
        if self.rest.fits(ticket):
            self.soon(self.rest.offer(ticket))
        elif self.rest.sweeping:
            self.soon(self.rest.sweep())
        return session

    def page_gone(self, session: PageSession) -> None:
        """Forget a page's session."""
        session.close()
        self.connected.pages.discard(session)

    def status(self, origin: str) -> dict[str, Any]:
        """Return what an app may know."""
        return self.access.status(origin)

    async def _arrive(self, session: AppSession, ticket: Any) -> None:
        try:
            if self.rest.fits(ticket):
                await self.rest.offer(ticket)
        except Disconnected:
            raise  # `soon` tells of it, and the app stays waiting for the engine after this one
        except BaseException:
            await self.access.settle(session)
            raise
        await self.access.settle(session)

    def _disk_failed(self, error: Exception) -> None:
        if not self._stopped:
            self._failed(error)
