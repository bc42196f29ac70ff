"""A pairing as a page drives it: the state machine of `core.pairing.device_pairing` in a room of the relay.

The page asks for the state, and is told when it has changed. Whatever happens, the state comes to "done" or "ended"
in bounded time, by the machine's own limits; nothing is kept on this device before that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

from masq.errors import InvalidValue, Locked, MasqError, ProtocolError, StorageUnavailable, to_wire
from masq_store.core.crypto.key_schedule import LINK_BYTES
from masq_store.core.errors import NoRelay, PairingHere, PairingUsedTwice, ProfileHere, ProfileNotKept
from masq_store.core.pages.schema import PairingProgress, PairingState
from masq_store.core.pairing.device_pairing import (
    Action,
    AskCode,
    AskToTake,
    DeviceAdded,
    Inviting,
    Joining,
    ProfileTaken,
    ShowCode,
)
from masq_store.core.pairing.link import Invitation, read_link, write_link
from masq_store.core.profile.claims import check_device_name
from masq_store.core.profile.home_layout import Identity, draw_identity, identity_of
from masq_store.engine.pairing.meeting import Meeting
from masq_store.engine.profile.profile import Profile
from masq_store.engine.relay.link import RelayLink
from masq_store.engine.store.active_profile import ActiveProfile, Follower
from masq_store.engine.store.device_list import DeviceList
from masq_store.engine.store.passphrase_proof import PassphraseProof
from masq_store.engine.store.profile_change import ProfileChange
from masq_store.engine.store.profile_sync import ProfileSync
from masq_store.engine.store.services import Services

MAX_STORE = 1024  # characters of the store's address in a link

_STATES: dict[str, dict[str, PairingState]] = {
    "old": {
        "waiting": "waiting",
        "answered": "answered",
        "asking": "ask-code",
        "given": "given",
        "done": "given",  # until the new device is listed
    },
    "new": {
        "new": "connecting",
        "promised": "waiting",
        "showing": "show-code",
        "asking": "ask-take",
        "agreed": "agreed",
        "done": "copying",
    },
}
"""The page's names of the machine's states."""


class _Wish(NamedTuple):
    """The person's choices for the profile that this device takes."""

    name: str
    passphrase: str
    stay_unlocked: bool
    drawn: tuple[Identity, bytes]


class Pairing(Meeting):
    """One device's side of a pairing. `role`: "old", it gives a profile, or "new", it takes one."""

    def __init__(
        self,
        pairings: Pairings,
        side: Inviting | Joining,
        link: RelayLink,
        told: Callable[[], None],
        *,
        profile: Profile | None = None,
        text: str | None = None,
    ) -> None:
        """`told` is called when the state has changed; `profile` and `text` (the link) are the old device's."""
        super().__init__(side, link, pairings.services.now_ms)
        self.role: Literal["old", "new"] = "old" if isinstance(side, Inviting) else "new"
        self._pairings = pairings
        self._services = pairings.services
        self._side = side
        self._relay = link.url
        self._told = told
        self._profile = profile
        self._text = text
        self._done = False
        self._wish: _Wish | None = None
        self._code: str | None = None
        self._again = False
        self._offered: str | None = None
        self._other: str | None = None
        self._shown: PairingProgress | None = None

    def begin(self) -> None:
        """Meet the other device, in the background."""
        self._shown = self.describe()
        self._services.tasks.start(self._run())

    def describe(self) -> PairingProgress:
        """Return what the page shows."""
        state = self._state()
        return {
            "role": self.role,
            "state": state,
            "link": self._text if state == "waiting" else None,
            "until_ms": self._side.deadline_ms,
            "code": self._code if state == "show-code" else None,
            "again": self._again,
            "profile": self._profile.name if self._profile else self._offered,
            "device": self._other,
            "name": self._services.device_name,
            "error": to_wire(self.error) if self.error else None,
        }

    # What the person does ----------------------------------------------------------------------------------

    async def confirm(self, typed: object) -> None:
        """Take what was typed for the six digits. Raises ProtocolError where they are not asked for."""
        if not isinstance(self._side, Inviting) or self._side.state != "asking":
            raise ProtocolError("no digits are asked for now")
        if not isinstance(typed, str):
            raise InvalidValue("the digits must be text")
        self._again = False
        await self._later(partial(self._side.confirm, typed)).wait()

    async def take(self, name: object, passphrase: object, stay_unlocked: object) -> None:
        """Agree to take the profile, under this device's `name`; the rest as for a profile made here.

        Raises ProtocolError where none is offered, InvalidValue, and StorageUnavailable where the browser can keep
        no key: after this there is no way back, so that is asked first.
        """
        if not isinstance(self._side, Joining) or self._side.state != "asking":
            raise ProtocolError("no profile is offered now")
        if not isinstance(passphrase, str):
            raise InvalidValue("a passphrase must be text")
        cleaned = check_device_name(name)
        if not passphrase and await self._services.crypto.device_key() is None:
            raise StorageUnavailable("it cannot keep a key, so this profile needs a passphrase")
        drawn = await draw_identity(self._services.crypto)
        if self._wish is None:  # else a second click came in between
            self._wish = _Wish(cleaned, passphrase, bool(stay_unlocked), drawn)
            await self._later(partial(self._side.accept, cleaned, drawn[0].public)).wait()

    async def page_gone(self) -> None:
        """End it, for its page has gone; but where the person has agreed, let it come to its end without a page."""
        if self._side.state != "agreed":
            await self.refuse()

    # -------------------------------------------------------------------------------------------------------

    async def _act(self, action: Action) -> None:
        match action:
            case ShowCode(code):
                self._code = code
            case AskCode(again):
                self._again = again
            case AskToTake(name, home_secret):
                self._offered = name
                await self._check_new(name, home_secret)
            case DeviceAdded(name, public):
                self._services.tasks.start(self._list(name, public))
            case ProfileTaken(name, home_secret):
                self._services.tasks.start(self._keep(name, home_secret))

    def _left(self) -> None:
        self._pairings.drop(self)

    async def _check_new(self, name: str, home_secret: bytes) -> None:
        """End it where this device holds that very profile already, as far as can be seen."""
        profile = self._pairings.active.profile
        if profile is not None and profile.home_secret == home_secret:
            await self._refuse_now(ProfileHere(name))

    async def _list(self, name: str, public: bytes) -> None:
        assert self._profile is not None
        self._other = name
        try:
            identity = await identity_of(self._services.crypto, public)
            async with self._pairings.active.changing:
                await self._pairings.devices.add(self._profile, name, identity)
        except MasqError as error:  # the disk is full, or the profile was closed: the new device lists itself
            self._services.writer.heed(error)
        self._done = True
        self._changed()

    async def _keep(self, name: str, home_secret: bytes) -> None:
        wish, self._wish = self._wish, None
        assert wish is not None
        relay = self._relay if self._relay != self._pairings.devices.default_relay else None
        try:
            await self._pairings.change.make(
                name,
                wish.passphrase,
                wish.stay_unlocked,
                home_secret=home_secret,
                drawn=wish.drawn,
                arrival={"name": wish.name, "relay": relay},
            )
        except MasqError as error:
            self._end(ProfileNotKept(error.sentence))
            self._services.writer.heed(error)
            return
        await self._pairings.sync.first_copy()
        self._done = True
        self._changed()

    def _state(self) -> PairingState:
        if self.error or self._side.state == "ended":
            return "ended"
        if self._done:
            return "done"
        return _STATES[self.role][self._side.state] if self.entered else "connecting"

    def _end(self, error: MasqError) -> None:
        self._wish = None
        super()._end(error)

    def _changed(self) -> None:
        shown = self.describe()
        if shown != self._shown:
            self._shown = shown
            self._told()


class Pairings(Follower):
    """The pairings that go on in this engine, each driven by one page, by the room in which the two devices meet."""

    def __init__(
        self,
        services: Services,
        active: ActiveProfile,
        change: ProfileChange,
        devices: DeviceList,
        sync: ProfileSync,
        proof: PassphraseProof,
    ) -> None:
        self.services = services
        self.active = active
        self.change = change
        self.devices = devices
        self.sync = sync
        self._proof = proof
        self._running: dict[bytes, Pairing] = {}

    async def invite(self, store: object, told: Callable[[], None], passphrase: str = "") -> Pairing:
        """Begin as the old device; `store`: the address of the store's page. Raises Locked, NoRelay.

        Needs the profile's passphrase, see `PassphraseProof.prove`.
        """
        if not isinstance(store, str) or len(store) > MAX_STORE:
            raise InvalidValue("the store's address is not one")
        profile = self.active.get()
        link = self._reach(self.devices.relay)
        async with self.active.changing:
            await self._proof.prove(passphrase)
        crypto, now = self.services.crypto, self.services.now_ms()
        secret = crypto.random(LINK_BYTES)
        side = await Inviting.begin(crypto, secret, profile.name, profile.home_secret, now)
        if self.active.profile is not profile:
            raise Locked()
        named = link.url if link.url != self.devices.default_relay else None
        text = write_link(store.partition("#")[0], Invitation(secret, named))
        return self._begin(Pairing(self, side, link, told, profile=profile, text=text))

    async def join(self, text: object, told: Callable[[], None]) -> Pairing:
        """Begin as the new device, by a link. Raises BadPairingLink, NoRelay, PairingHere, PairingUsedTwice."""
        invitation = read_link(text)
        link = self._reach(invitation.relay or self.devices.default_relay)
        side = await Joining.begin(self.services.crypto, invitation.secret, self.services.now_ms())
        return self._begin(Pairing(self, side, link, told))

    def _begin(self, pairing: Pairing) -> Pairing:
        """Raises PairingHere where a page of this very device is in that room already."""
        present = self._running.get(pairing.room)
        if present is not None:
            raise PairingUsedTwice() if present.over else PairingHere(present.role)
        self._running[pairing.room] = pairing
        pairing.begin()
        return pairing

    def drop(self, pairing: Pairing) -> None:
        """Forget a pairing that has left its room."""
        if self._running.get(pairing.room) is pairing:
            del self._running[pairing.room]

    async def closing(self) -> None:
        """End those that would give the open profile away."""
        for pairing in list(self._running.values()):
            if pairing.role == "old":
                await pairing.refuse()

    async def end(self) -> None:
        """End all of them: the engine stops."""
        for pairing in list(self._running.values()):
            await pairing.refuse()

    def _reach(self, relay: str) -> RelayLink:
        """Return the link to the relay at which to meet. Raises NoRelay, BadRelayAddress."""
        if self.services.relays is None or not relay:
            raise NoRelay()
        return self.services.relays.get(relay)
