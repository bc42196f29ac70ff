"""The engine of a browser partition: copies of the data of the apps of one site, each enrolled by itself.

Where a browser keeps the store's data from an app's page, the hidden frame has storage of its own, apart for each
site. What runs there is a device that holds single spaces: never a profile's root key or home secret, nor another
site's apps. A window of the store brings what it may have, over a port (`PortLine`); from then on it syncs like any
device.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from masq.errors import QuotaExceeded
from masq.messages import JsonObject
from masq_store.core.enrolment import messages as wire
from masq_store.core.profile import claims
from masq_store.core.profile.claims import AppClaims
from masq_store.engine.enrolment.port_line import PortLine
from masq_store.engine.partition.app_copy import AppCopy
from masq_store.engine.partition.enrolment_records import EnrolmentRecords
from masq_store.engine.partition.open_copies import OpenCopies
from masq_store.engine.partition.orders import Orders
from masq_store.engine.partition.pasted_links import PastedLinks
from masq_store.engine.partition.services import Services
from masq_store.engine.partition.store_requests import StoreRequests
from masq_store.engine.ports import Backend, Crypto, Network, Port
from masq_store.engine.profile import tickets
from masq_store.engine.relay.relays import Relays
from masq_store.engine.sessions.app_session import AppSession
from masq_store.engine.sessions.hand_over import State
from masq_store.engine.sessions.idle import LOOK_SECONDS
from masq_store.engine.sessions.status import Status
from masq_store.engine.sessions.table import Sessions
from masq_store.engine.sessions.turns import Turns
from masq_store.engine.storage.writer import Writer
from masq_store.engine.tasks import END_SECONDS, Tasks
from masq_store.engine.throttle import Throttle

TELL_SECONDS = 0.1
"""How often apps hear how their copy stands, at most."""


class Partition:
    """The composition root of a partition's engine: starts and ends it, and takes up what comes from frames."""

    def __init__(
        self,
        backend: Backend,
        crypto: Crypto,
        *,
        now_ms: Callable[[], int],
        persistent: bool = False,
        failed: Callable[[Exception], None] = lambda error: None,
        emptied: Callable[[], None] = lambda: None,
        network: Network | None = None,
    ) -> None:
        """`now_ms`: the device's clock. `failed` hears of a disk that no longer gives or takes. `network`: to relays.

        `emptied` is called once the last copy has been handed back: the storage is of no more use.
        """
        self.now_ms = now_ms
        self.writer = Writer(backend, self._disk_failed)
        self.turns = Turns()
        self._backend = backend
        self._failed, self._emptied = failed, emptied
        self._relays = Relays(network, now_ms=now_ms, random=crypto.random) if network else None
        self._tasks = Tasks("the engine of a partition", self.writer.heed)
        self.soon = self._tasks.start
        self._changing = asyncio.Lock()
        services = Services(
            backend, crypto, now_ms, persistent, self.writer, self._relays, self._tasks, self._changing
        )
        self._kept = EnrolmentRecords(backend, crypto)
        self._sessions = Sessions(self._tasks)
        self._copies = OpenCopies(
            services,
            self._kept,
            self._sessions,
            changed=self._changed,
            heard=lambda copy: self._orders.heard(copy),
        )
        self._orders = Orders(services, self._sessions, self._copies)
        self._requests = StoreRequests(
            services, self._sessions, self._copies, self._orders, self._copy_handed_back
        )
        self._links = PastedLinks(services, self._sessions, self._copies, self._requests)
        self.auto_lock = self._copies.auto_lock
        self._telling = Throttle(TELL_SECONDS, self._tell)
        self._looking = Throttle(LOOK_SECONDS, self._look)
        self._handed_back = False
        self._stopped = False

    @property
    def copies(self) -> Mapping[str, AppCopy]:
        """The open copies, by their apps' origins."""
        return self._copies.open

    async def start(self) -> None:
        """Claim the storage. Raises NewerData, DamagedData or StorageUnavailable; it is then left as it was."""
        await self._kept.check()
        await self._backend.claim()
        with suppress(QuotaExceeded):
            await tickets.sweep(self._backend, self.now_ms())
        await self._kept.load()
        with suppress(QuotaExceeded):
            await self._kept.sweep(self.now_ms())
        self._looking.ask()

    async def stop(self) -> None:
        """Finish what is being written. What apps say from now on waits for `hand_over`."""
        self._requests.pause()
        self._sessions.pause()
        async with self._changing:
            self._links.stop()
            self._requests.close()
            await self._copies.close()
            self._looking.cancel()
            self._telling.cancel()
            if self._relays:
                self._relays.close()
            self._stopped = True
            await self._backend.close()
        await self._tasks.close(END_SECONDS)  # not above: at its end a task may have to wait for its turn

    def hand_over(self) -> list[tuple[AppSession, Port, State]]:
        """Give every app's port back, as `Sessions.hand_over` does."""
        return self._sessions.hand_over()

    # What comes from the frames ----------------------------------------------------------------------------

    def attach(self, port: Port, origin: Any, nonce: Any, app: JsonObject, ticket: Any = None) -> AppSession:
        """Take up an app's port, as `Engine.attach` does. `ticket`: what the frame has kept of a worker before."""
        session = AppSession(self, port, origin, nonce, _checked(origin, nonce, app))
        session.on_severed, session.on_end = partial(self.severed, session), partial(self.detach, session)
        self._sessions.add(session)
        self.soon(self._arrive(session, ticket))
        return session

    async def _arrive(self, session: AppSession, ticket: Any) -> None:
        async with self._changing:
            if session.origin not in self.copies:
                await self._copies.open_kept(session.origin, ticket)
            self._copies.refresh(session)

    def detach(self, session: AppSession) -> None:
        """Forget an app's session: its page has gone."""
        self._sessions.end(session)
        self._links.end(session)
        self._end_if_empty()

    def enrol(self, port: Port, origin: Any, nonce: Any, app: JsonObject) -> None:
        """Take up a port that leads to the store, and ask there for an app's data. Raises ProtocolError."""
        claimed = _checked(origin, nonce, app)
        for session in self._sessions.of(origin):
            if session.nonce == nonce:
                self._links.reached(session)
        self._requests.ask(PortLine(port, first_word=wire.START_SECONDS), origin, nonce, claimed)

    def severed(self, session: AppSession, closed: bool) -> None:
        """The app's page has opened the store's window and cannot reach it: another way is offered.

        `closed`: it could before, so the window has closed. Without an answer that is one.
        """
        if closed:
            self._links.closed(session)
        else:
            self._links.begin(session)

    async def paste(self, session: AppSession, text: object) -> None:
        """Take the link of the store's window, as the person has pasted it into the frame."""
        await self._links.paste(session, text)

    def status(self, origin: str) -> Status:
        """Return what an app may know: for a stranger, nothing but that it is one."""
        return self._copies.status(origin)

    # What becomes of it all --------------------------------------------------------------------------------

    def _changed(self) -> None:
        if not self._sessions.paused:
            self._telling.ask()

    def _tell(self) -> None:
        if self._changing.locked():  # a session may be between two copies: a little later
            self._changed()
            return
        for session in self._sessions:
            self._copies.refresh(session)
        self._requests.look()

    def _look(self) -> None:
        self._looking.ask()
        self.auto_lock.look()
        self.soon(self._copies.renew())

    def _copy_handed_back(self) -> None:
        self._handed_back = True
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        """Let the storage go once the store has all that was in it, and no app is here that may yet want it."""
        if self._handed_back and self._kept.empty and not self._sessions and not self._sessions.paused:
            self._emptied()

    def _disk_failed(self, error: Exception) -> None:
        if not self._stopped:
            self._failed(error)


def _checked(origin: Any, nonce: Any, app: JsonObject) -> AppClaims:
    """Return what an app claims to be, cleaned. Raises ProtocolError."""
    claims.check_origin(origin)
    claims.check_nonce(nonce)
    return claims.check_app(**app)
