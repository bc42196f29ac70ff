"""The open copies of a partition: how they open and close, lock, and survive the end of the worker."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Any

from masq.errors import MasqError, QuotaExceeded
from masq_store.core.crypto import key_schedule
from masq_store.core.enrolment.messages import Grant
from masq_store.core.errors import DamagedData, StorageFailed
from masq_store.core.profile.home_layout import Identity
from masq_store.engine.partition.app_copy import AppCopy
from masq_store.engine.partition.enrolment_records import EnrolmentRecords, Secrets
from masq_store.engine.partition.idle_lock import IdleLock
from masq_store.engine.partition.services import Services
from masq_store.engine.profile.tickets import sweep
from masq_store.engine.sessions.access import Access
from masq_store.engine.sessions.app_session import AppSession
from masq_store.engine.sessions.status import Status
from masq_store.engine.sessions.table import Sessions, turn_away
from masq_store.engine.storage.record_sealer import Sealer
from masq_store.engine.storage.salvage import salvage
from masq_store.engine.storage.together import write_together


class OpenCopies:
    """The copies that are open, one for each app at most.

    Args:
        kept: what is on the disk of them.
        changed: told when how a copy stands may have changed.
        heard: told of a copy whose roster says something, as that may be news.
    """

    def __init__(
        self,
        services: Services,
        kept: EnrolmentRecords,
        sessions: Sessions,
        *,
        changed: Callable[[], None],
        heard: Callable[[AppCopy], None],
    ) -> None:
        self.open: dict[str, AppCopy] = {}
        """By their apps' origins."""
        self.on_met: Callable[[AppSession], None] = lambda session: None
        """Called when a page has met the store: it has its copy, or the store has granted it anew."""
        self.on_live: Callable[[AppSession], None] = lambda session: None
        """Called when the copy of a page that works on it is found in step."""
        self.changed = changed
        self._services, self._kept, self._sessions, self._heard = services, kept, sessions, heard
        self._locked: set[str] = set()  # origins whose copy is on the disk and cannot be opened
        self.auto_lock = IdleLock(self.open, services.now_ms, self._lock_soon)

    # What apps are told ------------------------------------------------------------------------------------

    def status(self, origin: str) -> Status:
        """Return what an app may know: for a stranger, nothing but that it is one."""
        copy = self.open.get(origin)
        if copy is None or copy.ended:
            return {"state": "locked" if origin in self._locked else "unregistered"}
        return {
            "state": "ready",
            "access": "partitioned",
            "profile": copy.secrets.grant.profile,
            "sync": copy.state,
            "devices": copy.devices,
            "persistent": self._services.persistent,
            "waiting": copy.waiting,
        }

    def refresh(self, session: AppSession) -> None:
        """Bring a session to what its app may do now."""
        copy, status = self.open.get(session.origin), self.status(session.origin)
        if session.closed or (status["state"] != "ready" and session.told == status):
            return
        if copy is None or status["state"] != "ready":
            turn_away(session, status)
        elif session.space is None:
            session.open(Access(copy.secrets.grant.app_space, copy.data), status)
            session.on_ticket(copy.ticket)
            self.on_met(session)
        else:
            if copy.state == "live":
                self.on_live(session)
            if session.told != status:
                session.tell_status(status)

    def tell_no(self, session: AppSession, how: str) -> None:
        """Tell an app that may not have its data that it waits in vain."""
        if session.space is None:
            session.deny(how)

    # What the store is told --------------------------------------------------------------------------------

    async def known(self, origin: str) -> dict[str, str]:
        """Return the public key of each enrolment of an app, by its name."""
        return await self._kept.known(origin)

    def holds(self, origin: str) -> dict[str, tuple[int, int]]:
        """Return how many entries an app's open copy holds, and how many changes that are nowhere else, by its name."""
        copy = self.open.get(origin)
        return {copy.secrets.id: (copy.data.core.live, copy.waiting)} if copy else {}

    # Copies come and go; whoever calls these holds `changing` ----------------------------------------------

    async def open_kept(self, origin: str, ticket: Any) -> None:
        """Open an app's copy, if the device's key or a ticket does."""
        record = await self._kept.latest(origin)
        if record is None:
            return
        try:
            locked = origin in self._locked  # also one that the device's key opens waits for its person then
            secrets = None if locked else await self._kept.by_device(record)
            by_itself = secrets is not None
            if secrets is None and isinstance(ticket, str) and len(ticket) < 4 * key_schedule.SECRET_BYTES:
                secrets = await self._kept.by_ticket(record, ticket, self._services.now_ms())
            if secrets is None:
                self._locked.add(origin)
                return
            await self._open(secrets, by_itself=by_itself)
        except StorageFailed:
            raise  # `Tasks` tell of it, and the app stays waiting for the engine after this one
        except DamagedData:  # the store's window sets it aside, and gives what the store has
            self._locked.add(origin)
        except MasqError as error:  # of a newer version, or no room to begin
            self._sessions.failed(self._sessions.of(origin), error)

    async def grant(self, grant: Grant, identity: Identity, private: bytes, over: Collection[str]) -> AppCopy:
        """Open the copy that the store has granted, anew or again, and return it.

        `identity`, `private`, `over`: see `EnrolmentRecords.take`.
        """
        present = self.open.get(grant.origin)
        secrets = await self._kept.take(grant, identity, private, over)
        if present is not None and present.secrets.id == secrets.id:
            await present.granted_again(secrets)
            self.auto_lock.begin()
            present.locks = False  # its person is there
            await self._give_ticket(present)
            await present.meet()
            return present
        await self._close(grant.origin)
        if present is not None and present.secrets.id not in await self._kept.known(grant.origin):
            await self._kept.delete(present.secrets.id)  # it was erased; this came after that
        return await self._open_anew(secrets)

    async def _open_anew(self, secrets: Secrets) -> AppCopy:
        """Open a copy as it was granted just now; a damaged one is set aside first."""
        try:
            return await self._open(secrets, granted=True)
        except DamagedData:
            begun = await self._kept.begin_anew(secrets, self._services.now_ms())
            return await self._open(begun, granted=True)

    async def _open(self, secrets: Secrets, *, granted: bool = False, by_itself: bool = False) -> AppCopy:
        origin = secrets.grant.origin
        public = (await self._kept.known(origin))[secrets.id]
        identity = await self._kept.identity(public)
        here = self._sessions
        copy = await AppCopy.open(
            self._services, secrets, identity.id, self.changed, lambda: here.reading(here.of(origin))
        )
        if granted:
            await copy.granted_again(secrets)
        if by_itself:
            copy.opened_by_itself()
        self.auto_lock.begin()
        self.open[origin] = copy
        self._locked.discard(origin)
        copy.data.listeners.append(lambda keys, source: self.changed())
        copy.roster.listeners.append(lambda keys, source: self._heard(copy))
        await self._give_ticket(copy)
        await self._bring_over(copy)
        await copy.meet()
        self._heard(copy)
        return copy

    async def _bring_over(self, copy: AppCopy) -> None:
        """Merge what can be read of a damaged copy into the one that stands in its place."""
        backend, crypto = self._services.backend, self._services.crypto
        for turn, root, space in await self._kept.asides(copy.secrets):
            sealer = Sealer(crypto, root, copy.secrets.id, space)
            changes = await salvage(backend, sealer, copy.secrets.id, space)
            copy.was_damaged = True
            with suppress(QuotaExceeded):  # at its next opening
                operation = partial(copy.data.core.merge, changes)
                await write_together(self._services.writer, [(copy.data, operation)])
                await self._kept.note_read(copy.secrets.id, turn)

    async def keep(self, copy: AppCopy, wanted: Grant) -> Secrets:
        """Keep a copy's grant as it is by now. Raises QuotaExceeded."""
        if wanted == copy.secrets.grant:
            return copy.secrets
        secrets = await self._kept.keep_grant(copy.secrets, wanted)
        await self._give_ticket(copy)
        return secrets

    async def forget(self, origin: str, *, aside: bool = False) -> None:
        """Erase a copy, or set it `aside`; its sessions end."""
        copy = self.open.get(origin)
        if copy is not None:
            self._sessions.refuse(origin)
            await self._close(origin)
            if aside:
                await self._kept.set_aside(copy.secrets.id, self._services.now_ms())
            else:
                await self._kept.delete(copy.secrets.id)

    async def _close(self, origin: str) -> None:
        """Let a copy go, once all that was asked of it is on the disk. What its apps say meanwhile waits."""
        copy = self.open.pop(origin, None)
        if copy is not None:
            for session in self._sessions.of(origin):
                session.leave()
            await self._services.writer.idle()
            await copy.close()
            await self._services.writer.idle()  # what was read last may have begun a checkpoint

    async def close(self) -> None:
        """Close all, for the engine stops: nobody is told."""
        await self._services.writer.idle()
        for copy in self.open.values():
            await copy.close()

    async def _give_ticket(self, copy: AppCopy) -> None:
        """Let the copy survive the end of this worker, where it does not open by itself.

        A ticket given out stays: whoever holds it must not be left with one that opens nothing.
        """
        if self._kept.opens_by_itself(copy.secrets.id):
            if copy.ticket:
                copy.ticket = None
                await self._kept.tickets.drop(copy.secrets.id)
                for session in self._sessions.of(copy.secrets.grant.origin):
                    session.on_ticket(None)
            return
        id, root, now_ms = copy.secrets.id, copy.secrets.root, self._services.now_ms()
        with suppress(QuotaExceeded):
            if copy.ticket:
                await self._kept.tickets.keep(id, root, copy.ticket, now_ms)
            else:
                copy.ticket = await self._kept.tickets.issue(id, root, now_ms)
        for session in self._sessions.of(copy.secrets.grant.origin):
            if session.space is not None:  # the others get it with their space
                session.on_ticket(copy.ticket)

    # Time passes -------------------------------------------------------------------------------------------

    async def lock(self, origin: str, rested: AppCopy | None = None) -> None:
        """Close a copy until the person opens the store again. `rested`: that one, if nobody has come back to it."""
        async with self._services.changing:
            copy = self.open.get(origin)
            if copy is not None and copy.ended:
                return  # it is about to go
            if copy is not None and (rested is None or (copy is rested and copy.locks)):
                await self._close(origin)
                with suppress(MasqError):  # nobody holds the ticket: what stays of it opens nothing
                    await self._kept.tickets.drop(copy.secrets.id)
                self._locked.add(origin)
                for session in self._sessions.of(origin):
                    session.on_ticket(None)
                    self.refresh(session)

    def _lock_soon(self, origin: str, copy: AppCopy) -> None:
        self._services.tasks.start(self.lock(origin, copy))

    async def renew(self) -> None:
        """Keep the tickets good, and what the store had of each copy."""
        now_ms, tickets = self._services.now_ms, self._kept.tickets
        async with self._services.changing:
            with suppress(QuotaExceeded):
                await self._kept.sweep(now_ms())
                for copy in self.open.values():
                    if copy.ticket:
                        await tickets.keep(copy.secrets.id, copy.secrets.root, copy.ticket, now_ms())
                    await copy.note_met()
                await sweep(self._services.backend, now_ms())
