"""The engine of a browser partition: copies of the data of the apps of one site, each enrolled by itself.

Where a browser keeps the store's data from an app's page, the hidden frame has storage of its own, apart for each
site. What runs there is a device that holds single spaces: never a profile's root key or home secret, nor another
site's apps. A window of the store brings what it may have, over a port (`Line`); from then on it syncs like any device.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from masq.errors import Disconnected, Locked, MasqError, NotRegistered, QuotaExceeded, StorageUnavailable
from masq_store.core.crypto import key_schedule as keys
from masq_store.core.enrolment import messages as wire
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.profile import claims as access
from masq_store.core.profile.home_layout import Identity, draw_identity
from masq_store.engine.enrolment.port_line import Line
from masq_store.engine.partition.app_copy import Copy
from masq_store.engine.partition.enrolment_records import Copies, Secrets
from masq_store.engine.partition.link_request import TakenLine
from masq_store.engine.partition.pasted_links import Severed
from masq_store.engine.partition.services import Services
from masq_store.engine.ports import Backend, Crypto, Network, Port
from masq_store.engine.relay.relays import Relays
from masq_store.engine.sessions.app_session import AppSession
from masq_store.engine.sessions.hand_over import State
from masq_store.engine.sessions.idle import LOOK_SECONDS, Idle
from masq_store.engine.sessions.status import Status
from masq_store.engine.sessions.turns import Turns
from masq_store.engine.storage.record_sealer import Sealer
from masq_store.engine.storage.salvage import salvage
from masq_store.engine.storage.together import write_together
from masq_store.engine.storage.writer import Writer
from masq_store.engine.tasks import END_SECONDS, Tasks

TELL_SECONDS = 0.1
"""How often apps hear how their copy stands, at most."""

PART_SECONDS = 10.0
"""How long a copy that the person has taken back may take to let others have what only it holds."""


class Partition:
    """Who may do what here, now: the sessions, and the copies that they are for."""

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
        self.persistent = persistent
        self.backend = backend
        self.crypto = crypto
        self.writer = Writer(backend, self._disk_failed)
        self.turns = Turns()
        self.rest = _Rest(self)
        self.copies: dict[str, Copy] = {}
        """The open ones, by their app's origin."""
        self._failed, self._emptied = failed, emptied
        self.relays = Relays(network, now_ms=now_ms, random=crypto.random) if network else None
        self._kept = Copies(backend, crypto)
        self._locked: set[str] = set()  # origins whose copy is on the disk and cannot be opened
        self._changing = asyncio.Lock()  # held while it changes which copies are open
        self._apps: set[AppSession] = set()
        self._lines: dict[str, _Asked] = {}  # by origin: the newest window or store that is there
        self._tasks = Tasks("the engine of a partition", self.writer.heed)
        self._severed = Severed(
            self, Services(backend, crypto, now_ms, self.writer, self.relays, self._tasks, self._changing)
        )
        self._telling: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._handed_back = False
        self._stopping = False
        self._stopped = False

    async def start(self) -> None:
        """Claim the storage. Raises NewerData, DamagedData or StorageUnavailable; it is then left as it was."""
        await self._kept.check()
        await self.backend.claim()
        with suppress(QuotaExceeded):
            await self._kept.sweep_tickets(self.now_ms())
        await self._kept.load()
        with suppress(QuotaExceeded):
            await self._kept.sweep(self.now_ms())
        self._look_later()

    async def stop(self) -> list[tuple[AppSession, Port, State]]:
        """Finish what is being written and give every app's port back, with its session's state."""
        self._stopping = True
        for session in self._apps:
            session.pause()
        async with self._changing:
            self._severed.stop()
            for asked in list(self._lines.values()):
                asked.line.close()
            await self.writer.idle()
            for copy in self.copies.values():
                await copy.close()
            for timer in (self._looking, self._telling):
                if timer:
                    timer.cancel()
            if self.relays:
                self.relays.close()
            self._stopped = True
            await self.backend.close()
        await self._tasks.close(END_SECONDS)  # not above: at its end a task may have to wait for its turn
        return [(session, *session.hand_over()) for session in self._apps]

    # Sessions ----------------------------------------------------------------------------------------------

    def attach(
        self, port: Port, origin: Any, nonce: Any, app: dict[str, Any], ticket: Any = None
    ) -> AppSession:
        """Take up an app's port, as `Engine.attach` does. `ticket`: what the frame has kept of a worker before."""
        access.check_origin(origin)
        access.check_nonce(nonce)
        session = AppSession(self, port, origin, nonce, access.check_app(**app)._asdict())
        session.on_severed, session.on_end = partial(self.severed, session), partial(self.detach, session)
        self._apps.add(session)
        if self._stopping:
            session.pause()
        self.soon(self._arrive(session, ticket))
        return session

    def detach(self, session: AppSession) -> None:
        """Forget an app's session: its page has gone."""
        session.close()
        self._severed.end(session)
        self._apps.discard(session)
        self._end_if_empty()

    def status(self, origin: str) -> Status:
        """Return what an app may know: for a stranger, nothing but that it is one."""
        copy = self.copies.get(origin)
        if copy is None or copy.ended:
            return {"state": "locked" if origin in self._locked else "unregistered"}
        return {
            "state": "ready",
            "access": "partitioned",
            "profile": copy.secrets.grant.profile,
            "sync": copy.state,
            "devices": copy.devices,
            "persistent": self.persistent,
            "waiting": copy.waiting,
        }

    def _reading(self, origin: str) -> None:
        for session in self._of(origin):
            if not session.told:
                try:
                    session.on_reading()
                except Exception as error:  # theirs alone: the app's other windows wait for the same data
                    self._tasks.report(error)

    async def _arrive(self, session: AppSession, ticket: Any) -> None:
        origin = session.origin
        async with self._changing:
            if origin not in self.copies:
                await self._open_kept(origin, ticket)
            self._refresh(session)

    def _refresh(self, session: AppSession) -> None:
        """Bring a session to what its app may do now."""
        copy, status = self.copies.get(session.origin), self.status(session.origin)
        if session.closed:
            return
        if status["state"] != "ready" and session.told == status:
            return
        if copy is None or status["state"] != "ready":
            refusal = Locked() if status["state"] == "locked" else NotRegistered(session.origin)
            session.refuse(refusal, status)
        elif session.space is None:
            session.open(copy, copy.data, status)
            session.on_ticket(copy.ticket)
            self._severed.end(session)
        else:
            if copy.state == "live":
                self._severed.needless(session)
            if session.told != status:
                session.tell_status(status)

    # Copies come and go; whoever calls these holds `_changing` ---------------------------------------------

    async def _open_kept(self, origin: str, ticket: Any) -> None:
        """Open an app's copy, if the device's key or a ticket does."""
        record = await self._kept.latest(origin)
        if record is None:
            return
        try:
            locked = origin in self._locked  # also one that the device's key opens waits for its person then
            secrets = None if locked else await self._kept.by_device(record)
            by_itself = secrets is not None
            if secrets is None and isinstance(ticket, str) and len(ticket) < 4 * keys.SECRET_BYTES:
                secrets = await self._kept.by_ticket(record, ticket, self.now_ms())
            if secrets is None:
                self._locked.add(origin)
                return
            await self._open(secrets, by_itself=by_itself)
        except Disconnected:
            raise  # `soon` tells of it, and the app stays waiting for the engine after this one
        except DamagedData:  # the store's window sets it aside, and gives what the store has
            self._locked.add(origin)
        except MasqError as error:  # of a newer version, or no room to begin
            self.failed(origin, error)

    async def _open_anew(self, secrets: Secrets) -> Copy:
        """Open a copy as it was granted just now; a damaged one is set aside first."""
        try:
            return await self._open(secrets, granted=True)
        except DamagedData:
            return await self._open(await self._kept.begin_anew(secrets, self.now_ms()), granted=True)

    async def _bring_over(self, copy: Copy) -> None:
        """Merge what can be read of a damaged copy into the one that stands in its place."""
        for turn, root, space in await self._kept.asides(copy.secrets):
            sealer = Sealer(self.crypto, root, copy.secrets.id, space)
            changes = await salvage(self.backend, sealer, copy.secrets.id, space)
            copy.was_damaged = True
            with suppress(QuotaExceeded):  # at its next opening
                await write_together(self.writer, [(copy.data, partial(copy.data.core.merge, changes))])
                await self._kept.note_read(copy.secrets.id, turn)

    async def _open(self, secrets: Secrets, *, granted: bool = False, by_itself: bool = False) -> Copy:
        origin = secrets.grant.origin
        public = (await self._kept.known(origin))[secrets.id]
        identity = await self._kept.identity(public)
        copy = await Copy.open(
            self.backend, self.crypto, secrets, identity.id, self._changed, lambda: self._reading(origin)
        )
        if granted:
            await copy.granted_again(secrets)
        if by_itself:
            copy.opened_by_itself()
        self.rest.begin()
        self.copies[origin] = copy
        self._locked.discard(origin)
        copy.data.listeners.append(lambda keys, source: self._changed())
        copy.roster.listeners.append(lambda keys, source: self._roster_changed(copy))
        await self._give_ticket(copy)
        await self._bring_over(copy)
        await copy.meet(self.relays, self.writer, self.crypto, self.now_ms)
        self._roster_changed(copy)
        return copy

    async def _close(self, origin: str) -> None:
        """Let a copy go, once all that was asked of it is on the disk. What its apps say meanwhile waits."""
        copy = self.copies.pop(origin, None)
        if copy is not None:
            for session in self._of(origin):
                session.leave()
            await self.writer.idle()
            await copy.close()
            await self.writer.idle()  # what was read last may have begun a checkpoint

    async def _give_ticket(self, copy: Copy) -> None:
        """Let the copy survive the end of this worker, where it does not open by itself.

        A ticket given out stays: whoever holds it must not be left with one that opens nothing.
        """
        if self._kept.opens_by_itself(copy.secrets.id):
            if copy.ticket:
                copy.ticket = None
                await self._kept.drop_ticket(copy.secrets.id)
                for session in self._of(copy.secrets.grant.origin):
                    session.on_ticket(None)
            return
        with suppress(QuotaExceeded):
            if copy.ticket:
                await self._kept.renew_ticket(copy.secrets, copy.ticket, self.now_ms())
            else:
                copy.ticket = await self._kept.write_ticket(copy.secrets, self.now_ms())
        for session in self._of(copy.secrets.grant.origin):
            if session.space is not None:  # the others get it with their space
                session.on_ticket(copy.ticket)

    async def _forget(self, origin: str, *, aside: bool = False) -> None:
        """Erase a copy, or set it `aside`; its sessions end."""
        copy = self.copies.get(origin)
        if copy is not None:
            for session in self._of(origin):
                session.refuse(NotRegistered(origin), {"state": "unregistered"})
                session.on_ticket(None)
            await self._close(origin)
            if aside:
                await self._kept.set_aside(copy.secrets.id, self.now_ms())
            else:
                await self._kept.delete(copy.secrets.id)

    async def lock(self, origin: str, rested: Copy | None = None) -> None:
        """Close a copy until the person opens the store again. `rested`: that one, if nobody has come back to it."""
        async with self._changing:
            copy = self.copies.get(origin)
            if copy is not None and copy.ended:
                return  # it is about to go
            if copy is not None and (rested is None or (copy is rested and copy.locks)):
                await self._close(origin)
                with suppress(MasqError):  # nobody holds the ticket: what stays of it opens nothing
                    await self._kept.drop_ticket(copy.secrets.id)
                self._locked.add(origin)
                for session in self._of(origin):
                    session.on_ticket(None)
                    self._refresh(session)

    def failed(self, origin: str, error: MasqError) -> None:
        """Tell an app's pages that its copy cannot be opened."""
        if isinstance(error, Disconnected):
            self.writer.heed(error)  # they stay waiting for the engine after this one
            return
        damaged = isinstance(error, (DamagedData, NewerData))
        for session in self._of(origin):
            if session.space is None:
                session.fail(StorageUnavailable(error.sentence) if damaged else error)

    def _of(self, origin: str) -> list[AppSession]:
        return [session for session in self._apps if session.origin == origin]

    # What the profile's devices say ------------------------------------------------------------------------

    def _roster_changed(self, copy: Copy) -> None:
        if copy.ended:
            self.soon(self._part(copy))
        else:
            self.soon(self._heed(copy))
            self._changed()

    async def _heed(self, copy: Copy) -> None:
        """Bring a copy to what the profile's devices say: it is made stricter at once, and never looser by a roster."""
        origin = copy.secrets.grant.origin
        async with self._changing:
            if self.copies.get(origin) is not copy:
                return
            with suppress(QuotaExceeded):  # it holds all the same, and is kept with what is heard next
                copy.secrets = await self._keep(copy, copy.kept_grant)
            await copy.meet(self.relays, self.writer, self.crypto, self.now_ms)
            copy.locks = copy.locks or copy.is_to_lock
        if copy.locks:
            await self.lock(origin, copy)

    async def _keep(self, copy: Copy, wanted: wire.Grant) -> Secrets:
        """Keep a copy's grant as it is by now. Raises QuotaExceeded."""
        if wanted == copy.secrets.grant:
            return copy.secrets
        secrets = await self._kept.keep_grant(copy.secrets, wanted)
        await self._give_ticket(copy)
        return secrets

    async def told(self, asked: _Asked, told: wire.Told) -> None:
        """Take what a window says since it has granted a copy: its word makes looser, too, and moves the copy."""
        async with self._changing:
            copy = asked.copy
            if copy is None or self.copies.get(asked.origin) is not copy or asked.line is not copy.line:
                return
            grant = copy.secrets.grant._replace(profile=told.profile, relay=told.relay)
            # A higher turn locks it, so it is not the one in which it was opened.
            secrets = await self._keep(copy, grant.under(told.policy))
            await copy.told(secrets, told)
            copy.locks = copy.locks or told.turn > grant.turn
        self._roster_changed(copy)

    async def _part(self, copy: Copy) -> None:
        """End a copy that the person has taken back; what only it holds goes to the others first, if that can be.

        Erased is only what others have: who wrote to the roster may have been another copy, and no device of the
        person's. The rest stays, sealed, until the store grants it anew or its time is over. Where the store has just
        granted it anew, what it had heard before that is over.
        """
        origin = copy.secrets.grant.origin
        for session in self._of(origin):
            session.refuse(NotRegistered(origin), {"state": "unregistered"})
            session.on_ticket(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(PART_SECONDS):
                while (copy.waiting and not copy.erased and copy.state != "off") or (
                    copy.line is not None and copy.line.hearing
                ):
                    await asyncio.sleep(TELL_SECONDS)
        async with self._changing:
            if self.copies.get(origin) is copy and copy.ended:
                await self._forget(origin, aside=copy.waiting > 0)

    # A window of the store, or the store itself ------------------------------------------------------------

    def enrol(self, port: Port, origin: Any, nonce: Any, app: dict[str, Any]) -> None:
        """Take up a port that leads to the store, and ask there for an app's data. Raises ProtocolError."""
        access.check_origin(origin)
        access.check_nonce(nonce)
        claims = access.check_app(**app)._asdict()
        for session in self._of(origin):
            if session.nonce == nonce:
                self._severed.reached(session)
        self.ask(Line(port, first_word=wire.START_SECONDS), origin, nonce, claims)

    def ask(self, line: Line | TakenLine, origin: str, nonce: str, app: dict[str, Any]) -> None:
        """Ask for an app's data over a line to which nobody is attached yet."""
        before = self._lines.pop(origin, None)
        if before is not None:  # the person has clicked again
            before.line.close()
            # In another tab: what the first one's window says is heard no more. Or the copy was in step by it.
            if before.nonce != nonce or before.copy is not None:
                self.gone(before)
        self._lines[origin] = _Asked(self, line, origin, nonce, app)
        self.soon(self._lines[origin].begin())

    def meets(self, session: AppSession) -> bool:
        """Whether a window is there for that very page, or the app's copy is in step without one."""
        asked = self._lines.get(session.origin)
        copy = self.copies.get(session.origin) if session.space else None
        own = asked is not None and asked.nonce == session.nonce
        return own or (copy is not None and copy.state == "live")

    def severed(self, session: AppSession, closed: bool) -> None:
        """The app's page has opened the store's window and cannot reach it: another way is offered.

        `closed`: it could before, so the window has closed. Without an answer that is one.
        """
        if closed:
            self._severed.closed(session)
        else:
            self._severed.begin(session)

    async def paste(self, session: AppSession, text: object) -> None:
        """Take the link of the store's window, as the person has pasted it into the frame."""
        await self._severed.paste(session, text)

    async def known(self, origin: str) -> dict[str, str]:
        """Return the public key of each enrolment of an app, by its name."""
        return await self._kept.known(origin)

    def holds(self, origin: str) -> dict[str, tuple[int, int]]:
        """Return how many entries an app's open copy holds, and how many changes that are nowhere else, by its name."""
        copy = self.copies.get(origin)
        return {copy.secrets.id: (copy.data.core.live, copy.waiting)} if copy else {}

    async def granted(
        self, asked: _Asked, grant: wire.Grant, identity: Identity, private: bytes, over: Collection[str] = ()
    ) -> None:
        """Take what the store gives: open the copy anew or again, and bring it in step. `over`: see `Copies.take`."""
        async with self._changing:
            if grant.origin != asked.origin or not asked.line.open or self._stopping:
                return
            present = self.copies.get(grant.origin)
            secrets = await self._kept.take(grant, identity, private, over)
            if present is not None and present.secrets.id == secrets.id:
                copy = present
                await copy.granted_again(secrets)
                self.rest.begin()
                copy.locks = False  # its person is there
                await self._give_ticket(copy)
                await copy.meet(self.relays, self.writer, self.crypto, self.now_ms)
            else:
                await self._close(grant.origin)
                if present is not None and present.secrets.id not in await self._kept.known(grant.origin):
                    await self._kept.delete(present.secrets.id)  # it was erased; this came after that
                copy = await self._open_anew(secrets)
            asked.copy = copy
            if copy.was_damaged:
                copy.was_damaged = False
                asked.line.post(damaged=True)
            if isinstance(asked.line, Line) and asked.grant is grant:  # else another one is about to follow
                copy.line = asked.line
                asked.line.sync(copy.data, copy.roster, self.writer)
            for session in self._of(grant.origin):
                self._severed.end(session)
                self._refresh(session)
                session.go_on()  # what waits for a lock that does not come

    def denied(self, asked: _Asked, how: str) -> None:
        """The person does not want it, or the window has closed, or the store locks.

        What comes first is final: the window closes after a no, and that says nothing more.
        """
        if how == "locked":
            copy = asked.copy
            if copy is not None and not copy.policy.stay:
                self.soon(self.lock(asked.origin))
            elif copy is not None:  # it stays open, and nobody keeps it in step any more
                self.soon(self._keep_met(copy))
            return
        if asked.answered:
            return
        asked.answered = True
        for session in self._of(asked.origin):
            if session.nonce == asked.nonce:
                self.tell_no(session, how)

    def tell_no(self, session: AppSession, how: str) -> None:
        """Tell an app that may not have its data that it waits in vain."""
        if session.space is None:
            session.deny(how)

    def gone(self, asked: _Asked) -> None:
        """The other end is not there any more."""
        if self._lines.get(asked.origin) is asked:
            del self._lines[asked.origin]
        copy = asked.copy
        if copy is None:
            if isinstance(asked.line, Line):  # the other kind says itself why it ends
                self.denied(asked, "closed")
        else:
            if copy.line is asked.line:
                self.soon(self._keep_met(copy))
            self._changed()

    async def hand_back(self, asked: _Asked) -> None:
        """Erase a copy that the store has whole: its app reaches the store itself by now."""
        async with self._changing:
            copy = asked.copy
            if copy is None or not copy.line or self.copies.get(asked.origin) is not copy:
                return
            if self._of(asked.origin) or not copy.line.together or self.writer.busy:
                return  # a page from before works on it: it will do at the next visit
            await self._forget(asked.origin)
            asked.line.post(moved=True)
            self._handed_back = True
            self._end_if_empty()

    def _end_if_empty(self) -> None:
        """Let the storage go once the store has all that was in it, and no app is here that may yet want it."""
        if self._handed_back and self._kept.empty and not self._apps and not self._stopping:
            self._emptied()

    async def _note_met(self, copy: Copy) -> None:
        async with self._changing:
            if self.copies.get(copy.secrets.grant.origin) is copy:
                with suppress(QuotaExceeded):  # then more is told to wait than does
                    await copy.note_met()

    async def _keep_met(self, copy: Copy) -> None:
        """Let the line of a copy go, but not what the other end is known to have."""
        async with self._changing:
            if self.copies.get(copy.secrets.grant.origin) is copy and copy.line is not None:
                with suppress(QuotaExceeded):  # then it is known until the copy closes
                    await copy.note_met()
                copy.line.leave_spaces()
                copy.line = None
        self._changed()

    # -------------------------------------------------------------------------------------------------------

    def _changed(self) -> None:
        if self._telling is None and not self._stopping:
            self._telling = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)

    def _tell(self) -> None:
        self._telling = None
        if self._changing.locked():  # a session may be between two copies: a little later
            self._changed()
            return
        for session in self._apps:
            self._refresh(session)
        for asked in self._lines.values():
            if asked.copy and asked.line.together:
                self.soon(self._note_met(asked.copy))
            if asked.moving and asked.copy and asked.line.together:
                self.soon(self.hand_back(asked))

    def _look_later(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._look_later()
        self.rest.look()
        self.soon(self._renew())

    async def _renew(self) -> None:
        """Keep the tickets good, and what the store had of each copy."""
        async with self._changing:
            with suppress(QuotaExceeded):
                await self._kept.sweep(self.now_ms())
                for copy in self.copies.values():
                    if copy.ticket:
                        await self._kept.renew_ticket(copy.secrets, copy.ticket, self.now_ms())
                    await copy.note_met()
                await self._kept.sweep_tickets(self.now_ms())

    def _disk_failed(self, error: Exception) -> None:
        if not self._stopped:
            self._failed(error)

    def soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin some work, which ends with the engine; what goes wrong in it is seen, but for what could be told."""
        self._tasks.start(work)


class _Asked:
    """One end of the store that is there: who asks it for what, and what came of it."""

    def __init__(
        self,
        partition: Partition,
        line: Line | TakenLine,
        origin: str,
        nonce: str,
        app: dict[str, Any],
    ) -> None:
        self.origin, self.nonce = origin, nonce
        self.grant: wire.Grant | None = None
        """What the store has given last."""
        self.copy: Copy | None = None
        self.moving = False
        self.answered = False
        """Whether its app has been told of a no, or of a window without an answer."""
        self._app = app
        self._partition = partition
        self._identity: Identity | None = None
        self._private = b""
        self.line = line
        line.attach(said=self._said, gone=self._gone, changed=partition._changed)

    async def begin(self) -> None:
        """Say who asks."""
        self._identity, self._private = await draw_identity(self._partition.crypto)
        public, known = self._identity.public.hex(), await self._partition.known(self.origin)
        holds = self._partition.holds(self.origin)
        self.line.post(hello=wire.Hello(self.origin, self.nonce, self._app, public, known, holds)._asdict())

    def _said(self, message: dict[str, Any]) -> None:
        partition = self._partition
        if "grant" in message and self._identity is not None:
            grant = wire.read_grant(message["grant"])
            self.line.turn()  # what the store says from here on is for the spaces that follow
            self.grant = grant
            over = message.get("over", [])
            partition.soon(self._take(grant, self._identity, over if isinstance(over, list) else []))
        elif "told" in message:
            partition.soon(partition.told(self, wire.read_told(message["told"])))
        elif "denied" in message:
            partition.denied(self, str(message["denied"]))
            self.line.post(heard=True)
        elif "move" in message:
            self.moving = True
            partition._changed()

    async def _take(self, grant: wire.Grant, identity: Identity, over: list[str]) -> None:
        try:
            await self._partition.granted(self, grant, identity, self._private, over)
        except MasqError as error:  # there is no room for it, say
            self._partition.failed(self.origin, error)

    def _gone(self) -> None:
        self._partition.gone(self)


class _Rest:
    """When copies lock by themselves: those of a profile that locks after some time of rest."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._idle = Idle(partition.now_ms)

    @property
    def limited(self) -> bool:
        """Whether one does."""
        return any(copy.policy.minutes for copy in self._partition.copies.values())

    def begin(self) -> None:
        """A copy is opened just now."""
        self.look()  # the others' rest ends only where it has not been too long
        self._idle.end()

    def used(self, origin: str) -> bool:
        """Note that somebody uses an app. False where its own copy has rested for too long: that locks now.

        Apps of one site may be of profiles with different lock times: another app's is no reason to keep this one
        waiting for a lock that never comes.
        """
        self.look()
        copy = self._partition.copies.get(origin)
        if copy is not None and copy.locks:
            return False
        self._idle.end()
        return True

    def look(self) -> None:
        """Lock what has rested for too long."""
        partition, rested = self._partition, self._idle.ms
        for origin, copy in partition.copies.items():
            if not copy.locks and rested >= copy.policy.minutes * 60_000 > 0:
                copy.locks = True
                partition.soon(partition.lock(origin, copy))
