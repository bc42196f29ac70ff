"""A partition's requests to the store for an app's data: over a line to a window of the store, or to itself."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from masq.errors import MasqError, QuotaExceeded
from masq.messages import JsonObject
from masq_store.core.enrolment import messages as wire
from masq_store.core.profile.claims import AppClaims
from masq_store.core.profile.home_layout import Identity, draw_identity
from masq_store.engine.enrolment.port_line import PortLine
from masq_store.engine.partition.app_copy import AppCopy
from masq_store.engine.partition.link_request import LinkRequest
from masq_store.engine.partition.open_copies import OpenCopies
from masq_store.engine.partition.orders import Orders
from masq_store.engine.partition.services import Services
from masq_store.engine.sessions.app_session import AppSession
from masq_store.engine.sessions.table import Sessions


@dataclass(eq=False, slots=True)
class StoreRequest:
    """One end of the store that is there: who asks it for what, and what came of it."""

    line: PortLine | LinkRequest
    origin: str
    nonce: str
    identity: Identity | None = None
    """This partition's as a device, where the app has no enrolment yet; None until it has been drawn."""
    private: bytes = b""
    """The private half of that."""
    grant: wire.Grant | None = None
    """What the store has given last."""
    copy: AppCopy | None = None
    moving: bool = False
    """Whether the store takes the copy back once it has the same."""
    answered: bool = False
    """Whether its app has been told of a no, or of a window without an answer."""


class StoreRequests:
    """The requests of one partition, one for each app at most: to the newest window or store that is there.

    handed_back: called when a copy has been erased because the store has it whole.
    """

    def __init__(
        self,
        services: Services,
        sessions: Sessions,
        copies: OpenCopies,
        orders: Orders,
        handed_back: Callable[[], None],
    ) -> None:
        self._services, self._sessions, self._copies = services, sessions, copies
        self._soon = services.tasks.start
        self._orders, self._handed_back = orders, handed_back
        self._here: dict[str, StoreRequest] = {}  # by origin
        self._stopping = False

    def ask(self, line: PortLine | LinkRequest, origin: str, nonce: str, app: AppClaims) -> None:
        """Ask for an app's data over a line to which nobody is attached yet."""
        before = self._here.pop(origin, None)
        if before is not None:  # the person has clicked again
            before.line.close()
            # In another tab: what the first one's window says is heard no more. Or the copy was in step by it.
            if before.nonce != nonce or before.copy is not None:
                self._gone(before)
        asked = self._here[origin] = StoreRequest(line, origin, nonce)
        line.attach(
            said=lambda message: self._said(asked, message),
            gone=lambda: self._gone(asked),
            changed=self._copies.changed,
        )
        self._soon(self._begin(asked, app))

    def meets(self, session: AppSession) -> bool:
        """Whether a window is there for that very page, or the app's copy is in step without one."""
        asked = self._here.get(session.origin)
        copy = self._copies.open.get(session.origin) if session.space else None
        own = asked is not None and asked.nonce == session.nonce
        return own or (copy is not None and copy.state == "live")

    def look(self) -> None:
        """Note what the store has where both have the same by now, and let it take back what it wants."""
        for asked in self._here.values():
            if asked.copy and asked.line.together:
                self._soon(self._note_met(asked.copy))
            if asked.moving and asked.copy and asked.line.together:
                self._soon(self._hand_back(asked))

    def pause(self) -> None:
        """Take nothing any more that is granted: the engine stops."""
        self._stopping = True

    def close(self) -> None:
        """Let all lines go. The other ends will find this one silent."""
        for asked in list(self._here.values()):
            asked.line.close()

    # What is said over a line ------------------------------------------------------------------------------

    async def _begin(self, asked: StoreRequest, app: AppClaims) -> None:
        """Say who asks."""
        asked.identity, asked.private = await draw_identity(self._services.crypto)
        public, known = asked.identity.public.hex(), await self._copies.known(asked.origin)
        holds = self._copies.holds(asked.origin)
        hello = wire.Hello(asked.origin, asked.nonce, app, public, known, holds)
        asked.line.post(hello={**hello._asdict(), "app": app._asdict()})

    def _said(self, asked: StoreRequest, message: JsonObject) -> None:
        if "grant" in message and asked.identity is not None:
            grant = wire.read_grant(message["grant"])
            asked.line.turn()  # what the store says from here on is for the spaces that follow
            asked.grant = grant
            over = message.get("over", [])
            self._soon(self._take(asked, grant, asked.identity, over if isinstance(over, list) else []))
        elif "told" in message:
            self._soon(self._told(asked, wire.read_told(message["told"])))
        elif "denied" in message:
            self._denied(asked, str(message["denied"]))
            asked.line.post(heard=True)
        elif "move" in message:
            asked.moving = True
            self._copies.changed()

    async def _take(
        self, asked: StoreRequest, grant: wire.Grant, identity: Identity, over: Collection[str]
    ) -> None:
        """Take what the store gives: open the copy anew or again, and bring it in step.

        `over`: see `EnrolmentRecords.take`.
        """
        try:
            async with self._services.changing:
                if grant.origin != asked.origin or not asked.line.open or self._stopping:
                    return
                copy = asked.copy = await self._copies.grant(grant, identity, asked.private, over)
                if copy.was_damaged:
                    copy.was_damaged = False
                    asked.line.post(damaged=True)
                if (
                    isinstance(asked.line, PortLine) and asked.grant is grant
                ):  # else another is about to follow
                    copy.line = asked.line
                    asked.line.sync(copy.data, copy.roster, self._services.writer)
                for session in self._sessions.of(grant.origin):
                    self._copies.on_met(session)
                    self._copies.refresh(session)
                    session.go_on()  # what waits for a lock that does not come
        except MasqError as error:  # there is no room for it, say
            self._sessions.failed(self._sessions.of(asked.origin), error)

    async def _told(self, asked: StoreRequest, told: wire.Told) -> None:
        """Take what a window says since it has granted a copy."""
        async with self._services.changing:
            copy = asked.copy
            if copy is None or self._copies.open.get(asked.origin) is not copy or asked.line is not copy.line:
                return
            await self._orders.told(copy, told)
        self._orders.heard(copy)

    def _denied(self, asked: StoreRequest, how: str) -> None:
        """The person does not want it, or the window has closed, or the store locks.

        What comes first is final: the window closes after a no, and that says nothing more.
        """
        if how == "locked":
            copy = asked.copy
            if copy is not None and not copy.policy.stay:
                self._soon(self._copies.lock(asked.origin))
            elif copy is not None:  # it stays open, and nobody keeps it in step any more
                self._soon(self._keep_met(copy))
            return
        if asked.answered:
            return
        asked.answered = True
        for session in self._sessions.of(asked.origin):
            if session.nonce == asked.nonce:
                self._copies.tell_no(session, how)

    def _gone(self, asked: StoreRequest) -> None:
        """The other end is not there any more."""
        if self._here.get(asked.origin) is asked:
            del self._here[asked.origin]
        copy = asked.copy
        if copy is None:
            if isinstance(asked.line, PortLine):  # the other kind says itself why it ends
                self._denied(asked, "closed")
        else:
            if copy.line is asked.line:
                self._soon(self._keep_met(copy))
            self._copies.changed()

    # What both have ----------------------------------------------------------------------------------------

    async def _hand_back(self, asked: StoreRequest) -> None:
        """Erase a copy that the store has whole: its app reaches the store itself by now."""
        async with self._services.changing:
            copy = asked.copy
            if copy is None or not copy.line or self._copies.open.get(asked.origin) is not copy:
                return
            if self._sessions.of(asked.origin) or not copy.line.together or self._services.writer.busy:
                return  # a page from before works on it: it will do at the next visit
            await self._copies.forget(asked.origin)
            asked.line.post(moved=True)
            self._handed_back()

    async def _note_met(self, copy: AppCopy) -> None:
        async with self._services.changing:
            if self._copies.open.get(copy.secrets.grant.origin) is copy:
                with suppress(QuotaExceeded):  # then more is told to wait than does
                    await copy.note_met()

    async def _keep_met(self, copy: AppCopy) -> None:
        """Let the line of a copy go, but not what the other end is known to have."""
        async with self._services.changing:
            if self._copies.open.get(copy.secrets.grant.origin) is copy and copy.line is not None:
                with suppress(QuotaExceeded):  # then it is known until the copy closes
                    await copy.note_met()
                copy.line.leave_spaces()
                copy.line = None
        self._copies.changed()
