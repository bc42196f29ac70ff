"""A partition's end of a line over a relay: an app's page asks for its data by a link.

The store's window has made the link, see `engine.store.link_offer`, and its person has pasted it into the page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from masq.errors import MasqError
from masq_store.core.enrolment.link_machine import Requesting
from masq_store.core.errors import BadPairingLink, NoRelay, PairingBroken, PairingGone, PairingRefused
from masq_store.core.pairing.link import ENROL, read_link
from masq_store.core.pairing.machine import Action, Granted
from masq_store.engine.enrolment.link_line import LinkLine
from masq_store.engine.partition.services import Services
from masq_store.engine.relay.link import RelayLink


class LinkRequest(LinkLine):
    """A partition's end: the person has pasted the link into the store's frame."""

    together = False
    """Whether both ends have the same on their disks: it does not see that."""

    def __init__(self, side: Requesting, link: RelayLink, services: Services) -> None:
        super().__init__(side, link, services.now_ms)
        self._side = side
        self._tasks = services.tasks
        self.told: Callable[[], None] = lambda: None
        """Called when the state has changed."""
        self.left: Callable[[], object] = lambda: None
        """Called when the room has been left."""
        self.asking = False
        """Whether the window has heard who asks."""

    @classmethod
    async def take(cls, services: Services, text: object, nonce: str) -> LinkRequest:
        """Read a link. Raises BadPairingLink, NoRelay where there is no network here."""
        invitation = read_link(text, ENROL)
        if not invitation.relay:
            raise BadPairingLink()
        if services.relays is None:
            raise NoRelay()
        side = await Requesting.begin(services.crypto, invitation.secret, nonce, services.now_ms())
        return cls(side, services.relays.get(invitation.relay), services)

    def post(self, **message: Any) -> None:
        """Say who asks, and begin with that."""
        if "hello" in message:
            self._side.ask(message["hello"])
            self._tasks.start(self._run())

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
