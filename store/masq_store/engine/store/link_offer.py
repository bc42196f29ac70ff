"""The store's end of a line over a relay: a window makes a link for the app that opened it, and shows it.

The person pastes it into the app's page, see `engine.partition.link_request`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from masq.errors import InvalidValue, MasqError, to_wire
from masq_store.core.crypto.key_schedule import LINK_BYTES
from masq_store.core.enrolment.link_machine import Granting
from masq_store.core.errors import (
    NoRelay,
    OtherPage,
    PairingBroken,
    PairingExpired,
    PairingGone,
    PairingOffline,
)
from masq_store.core.pages.schema import LinkProgress, LinkState
from masq_store.core.pairing.link import ENROL, Invitation, write_link
from masq_store.core.pairing.machine import Action, Requested
from masq_store.core.profile import claims
from masq_store.engine.enrolment.link_line import LinkLine, Said
from masq_store.engine.relay.link import RelayLink
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.writer import Writer
from masq_store.engine.store.services import Services

DELIVER_SECONDS = 20.0
"""How long a window waits until the relay has what it grants."""

MAX_STORE = 1024  # characters of the store's address in a link

_STATES: dict[str, LinkState] = {
    "waiting": "waiting",
    "answered": "answered",
    "agreed": "answered",
    "asking": "asking",
    "done": "done",
    "ended": "ended",
}
"""The page's names of the machine's states."""


class LinkOffer(LinkLine):
    """The store's end: a window has made the link, and shows it."""

    def __init__(
        self,
        side: Granting,
        link: RelayLink,
        services: Services,
        *,
        text: str,
        nonce: str,
        origin: str,
        told: Callable[[], None],
    ) -> None:
        super().__init__(side, link, services.now_ms)
        self._side = side
        self._tasks = services.tasks
        self._text = text
        self._nonce, self._origin = nonce, origin
        self._told = told
        self._shown: LinkProgress | None = None
        self._delivered = asyncio.Event()

    @classmethod
    async def offer(
        cls,
        services: Services,
        relay: str,
        *,
        store: object,
        nonce: object,
        origin: object,
        told: Callable[[], None],
    ) -> LinkOffer:
        """Make a link for the app that opened the window. It can be used once somebody is attached to the line.

        Args:
            relay: the address of the relay at which the two meet; "": there is none.
            store: the address of the store's page.
            nonce: what the window shares with the app's page.
            origin: of the page that has opened the window, as the browser tells it.
            told: called when the state has changed.

        Raises NoRelay, ProtocolError where the browser does not tell the origin.
        """
        if not isinstance(store, str) or len(store) > MAX_STORE:
            raise InvalidValue("the store's address is not one")
        claims.check_nonce(nonce)
        claims.check_origin(origin)
        if services.relays is None or not relay:
            raise NoRelay()
        secret = services.crypto.random(LINK_BYTES)
        side = await Granting.begin(services.crypto, secret, str(nonce), services.now_ms())
        text = write_link(store.partition("#")[0], Invitation(secret, relay), ENROL)
        link = services.relays.get(relay)
        return cls(side, link, services, text=text, nonce=str(nonce), origin=str(origin), told=told)

    def attach(self, *, said: Said, gone: Callable[[], None], changed: Callable[[], None]) -> None:
        """Take whose end it is, and begin to wait in the room."""
        super().attach(said=said, gone=gone, changed=changed)
        self._tasks.start(self._run())

    def describe(self) -> LinkProgress:
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
            self._later(partial(self._machine.refuse, because=because))

    def sync(self, data: OpenSpace, roster: OpenSpace, writer: Writer) -> None:
        """Leave that to the relay."""

    def leave_spaces(self) -> None:
        """There are none."""

    def leave_data(self) -> None:
        """There is none."""

    async def met(self) -> bool:
        """Return True once the relay has what was granted. Raises why it has not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DELIVER_SECONDS):
                await self._delivered.wait()
        if self.error or not self._delivered.is_set():
            raise self.error or PairingOffline()
        return True

    async def refuse(self) -> None:
        """End it, in its turn: the window shows the link no more. The other end hears why."""
        await self._later(partial(self._machine.refuse, because=PairingExpired())).wait()

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
            await self._refuse_now(OtherPage(str(found.get("origin"))[: claims.MAX_ORIGIN]))
            return
        broken = None
        if found.get("nonce") != self._nonce:
            broken = "another request was meant"
        else:
            try:
                self._said({"hello": found})
            except MasqError as error:
                broken = error.sentence
        if broken is not None:
            await self._do(await self._machine.refuse(self._now_ms(), PairingBroken(broken)))

    def _left(self) -> None:
        self._delivered.set()
        self._said({"heard": True})  # the relay has the last word, and keeps it for the page
        if self.error is None:
            self._gone()

    def _state(self) -> LinkState:
        if self.error:
            return "ended"
        return _STATES[self._side.state] if self.entered else "connecting"

    def _changed(self) -> None:
        shown = self.describe()
        if shown != self._shown:
            self._shown = shown
            self._told()
