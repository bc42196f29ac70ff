"""A line (see `port_line`) that goes over a relay, for an app whose page and the store's window the browser keeps
apart.

It carries who asks, and what is granted, and then it ends: from then on the copy meets the store at the relay like any
other device.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from masq.errors import InvalidValue, MasqError, to_wire
from masq_store.core.crypto.key_schedule import LINK_BYTES
from masq_store.core.enrolment.link_machine import Granting, Requesting
from masq_store.core.errors import (
    BadPairingLink,
    NoRelay,
    OtherPage,
    PairingBroken,
    PairingExpired,
    PairingGone,
    PairingOffline,
    PairingRefused,
)
from masq_store.core.pairing.link import ENROL, Invitation, read_link, write_link
from masq_store.core.pairing.machine import Action, Granted, Requested
from masq_store.core.profile import claims as access
from masq_store.engine.pairing.meeting import Encounter
from masq_store.engine.relay.relays import Relays
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.writer import Writer

if TYPE_CHECKING:
    from masq_store.engine.partition.partition import Partition
    from masq_store.engine.store.services import Services

DELIVER_SECONDS = 20.0
"""How long a window waits until the relay has what it grants."""

MAX_STORE = 1024  # characters of the store's address in a link

Said = Callable[[dict[str, Any]], None]


class FarLine(Encounter):
    """One end. What it cannot do, it says it does not."""

    syncing = together = False
    waiting = 0
    vector: dict[str, int] | None = None
    problem: MasqError | None = None

    _said: Said
    _gone: Callable[[], None]

    def lead(self, *, said: Said, gone: Callable[[], None], changed: Callable[[], None]) -> Any:
        """Tell whose end it is, as the arguments of a `Line` do; returns itself."""
        self._said, self._gone = said, gone
        return self

    @property
    def open(self) -> bool:
        """Whether it may still be used."""
        return self.error is None

    def sync(self, data: OpenSpace, roster: OpenSpace, writer: Writer) -> None:
        """Leave that to the relay."""

    def turn(self) -> None:
        """There are no spaces."""

    def leave_spaces(self) -> None:
        """There are none."""

    def leave_data(self) -> None:
        """There is none."""

    def close(self) -> None:
        """End, if it has not."""
        if not self.over:
            self._later(lambda now: self._machine.refuse(now, PairingExpired()))

    def _end(self, error: MasqError) -> None:
        first = self.error is None
        super()._end(error)
        if first:
            self._gone()


class OfferedLine(FarLine):
    """The store's end: a window has made the link, and shows it."""

    def __init__(
        self, services: Services, side: Granting, relay: str, text: str, nonce: str, origin: str, told: Any
    ) -> None:
        assert services.relays is not None
        super().__init__(side, services.relays.get(relay), services.now_ms)
        self._side = side
        self._text = text
        self._nonce, self._origin = nonce, origin
        self._told = told
        self._shown: dict[str, Any] = {}
        self._delivered = asyncio.Event()

    @classmethod
    async def offer(
        cls,
        services: Services,
        lead: Callable[..., None],
        relay: str,
        store: object,
        nonce: object,
        origin: object,
        told: Callable[[], None],
    ) -> OfferedLine:
        """Make a link for the app that opened the window.

        Args:
            lead: takes up the line, see `Enrolments.lead`.
            relay: the address of the relay to meet at, "" for none.
            store: the address of the store's page.
            nonce: what the window shares with the app's page.
            origin: of the page that has opened the window, as the browser tells it.
            told: called when the state has changed.

        Raises NoRelay, ProtocolError where the browser does not tell the origin.
        """
        if not isinstance(store, str) or len(store) > MAX_STORE:
            raise InvalidValue("the store's address is not one")
        access.check_nonce(nonce)
        access.check_origin(origin)
        if services.relays is None or not relay:
            raise NoRelay()
        secret = services.crypto.random(LINK_BYTES)
        side = await Granting.begin(services.crypto, secret, str(nonce), services.now_ms())
        text = write_link(store.partition("#")[0], Invitation(secret, relay), ENROL)
        line = cls(services, side, relay, text, str(nonce), str(origin), told)
        lead(line.lead, asked=True)
        services.tasks.start(line._run())
        return line

    def describe(self) -> dict[str, Any]:
        """Return what the page shows."""
        state = self._state()
        return {
            "state": state,
            "link": self._text if state == "waiting" else None,
            "until_ms": self._side.deadline_ms,
            "error": to_wire(self.error) if self.error else None,
        }

    def post(self, **message: Any) -> None:
        """Send what is granted, or that nothing is."""
        if "grant" in message:
            self._later(partial(self._side.grant, message["grant"]))
        elif message.get("denied") in ("refused", "closed"):
            because = PairingGone() if message["denied"] == "closed" else None
            self._later(lambda now: self._machine.refuse(now, because))

    async def met(self) -> bool:
        """Return True once the relay has what was granted. Raises why it has not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DELIVER_SECONDS):
                await self._delivered.wait()
        if self.error or not self._delivered.is_set():
            raise self.error or PairingOffline()
        return True

    async def refuse(self, because: MasqError | None = None) -> None:
        """End it: the window shows the link no more, or `because` of something else. The other end hears why."""
        await self._do(await self._machine.refuse(self._now_ms(), because or PairingExpired()))
        self._news.set()

    async def page_gone(self) -> None:
        """End it, for the window has closed; but a question that is filed is for whoever looks after those."""
        if self._side.state != "asking":
            await self.refuse()

    async def _act(self, action: Action) -> None:
        if not isinstance(action, Requested):
            return
        found = action.request
        if found.get("origin") != self._origin:
            # Another page than the one that opened this window has the link: another app could read it.
            self._because = OtherPage(str(found.get("origin"))[: access.MAX_ORIGIN])
            await self._do(await self._machine.refuse(self._now_ms()))
        elif found.get("nonce") != self._nonce:
            await self.refuse(PairingBroken("another request was meant"))
        else:
            try:
                self._said({"hello": found})
            except MasqError as error:
                await self.refuse(PairingBroken(error.sentence))

    def _left(self) -> None:
        self._delivered.set()
        self._said({"heard": True})  # the relay has the last word, and keeps it for the page
        if self.error is None:
            self._gone()

    def _state(self) -> str:
        if self.error:
            return "ended"
        return self._side.state.replace("agreed", "answered") if self.entered else "connecting"

    def _changed(self) -> None:
        shown = self.describe()
        if shown != self._shown:
            self._shown = shown
            self._told()


class TakenLine(FarLine):
    """A partition's end: the person has pasted the link into the store's frame."""

    def __init__(self, side: Requesting, partition: Partition, relays: Relays, relay: str) -> None:
        super().__init__(side, relays.get(relay), partition.now_ms)
        self._side = side
        self._partition = partition
        self.told: Callable[[], None] = lambda: None
        """Called when the state has changed."""
        self.left: Callable[[], object] = lambda: None
        """Called when the room has been left."""
        self.asking = False
        """Whether the window has heard who asks."""

    @classmethod
    async def take(cls, partition: Partition, text: object, nonce: str) -> TakenLine:
        """Read a link. Raises BadPairingLink, NoRelay where there is no network here."""
        invitation = read_link(text, ENROL)
        if not invitation.relay:
            raise BadPairingLink()
        if partition.relays is None:
            raise NoRelay()
        side = await Requesting.begin(partition.crypto, invitation.secret, nonce, partition.now_ms())
        return cls(side, partition, partition.relays, invitation.relay)

    def post(self, **message: Any) -> None:
        """Say who asks, and begin with that."""
        if "hello" in message:
            self._side.ask(message["hello"])
            self._partition.soon(self._run())

    async def _act(self, action: Action) -> None:
        if isinstance(action, Granted):
            try:
                self._said({"grant": action.grant})
            except MasqError as error:
                self._end(PairingBroken(error.sentence))

    def _end(self, error: MasqError) -> None:
        if isinstance(error, PairingRefused):
            self._said({"denied": "refused"})
        elif isinstance(error, PairingGone) and self.asking:
            self._said({"denied": "closed"})
        super()._end(error)

    def _left(self) -> None:
        self.left()
        if self.error is None:
            self._gone()

    def _changed(self) -> None:
        self.asking = self.asking or self._side.state == "asking"
        self.told()
