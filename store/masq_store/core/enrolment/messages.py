"""The messages between a partition and the store, over a port: who asks, what is granted, and what is kept of it.

Both ends are the store's own code. Still the shapes are checked: the two may be of different builds.

    partition → store   {"hello": {…}}      which app asks, and which device this partition is
    store → partition   {"grant": {…}, "over": […]}
                                            the secrets of one app's space; and the names of the enrolments that go, and
                                            no others, for the store says that their data was erased
                        {"told": {…}}       what the person has decided since, see `Told`
                        {"denied": "…"}     "refused", "closed", or "locked": the store locks, and so does the copy
                        {"move": true}      the frame reaches the store itself now: hand everything over
    both                {"say": [map, "…"], "turn": n}
                                            a message about the app's data ("data") or its roster, in base64; `turn`:
                                            of which grant's spaces, the first one's being 1
                        {"alive": true}     every second, for a port does not tell that its other end is gone
    partition → store   {"damaged": true}   the copy that it had could not be read, or not all of it
                        {"heard": true}     it has heard that it was denied, so the window may close
                        {"moved": true}     the copy is gone, for the store has it all
"""

from __future__ import annotations

from typing import Any, NamedTuple

from masq import messages
from masq.errors import MasqError, ProtocolError
from masq.messages import JsonObject
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.key_ring import GrantedKeys
from masq_store.core.crypto.primitives import Primitives
from masq_store.core.enrolment.roster import Policy
from masq_store.core.profile import claims
from masq_store.core.profile.claims import AppClaims
from masq_store.core.profile.relay_address import check_relay_address
from masq_store.core.space.space_ref import SpaceRef

DATA, ROSTER = "data", "roster"

ALIVE_SECONDS = 1.0
"""The heartbeat: how often each end says that it is there."""

MOST_KNOWN = 100
"""Enrolments that a partition may name: one for each profile that its app was used with."""

SILENT_SECONDS = 4.0
"""The heartbeat's time-out: an end that was silent for so long is gone."""

START_SECONDS = 60.0
"""How long the first word of either end may take: its Python may have yet to be loaded, over a slow network."""


class Hello(NamedTuple):
    """A partition's request: who asks, for which app, and what it holds already.

    `app`: as `claims.check_app` returns it. `public`: a fresh X25519 key of the partition's, in hexadecimal. `known`:
    the enrolments that this partition has had for the app, by name, and the public key of each. `holds`: of those that
    are open, how many entries there are, and how many changes that are nowhere else as far as is known.
    """

    origin: str
    nonce: str
    app: AppClaims
    public: str
    known: dict[str, str]
    holds: dict[str, tuple[int, int]] = {}


class Grant(NamedTuple):
    """The grant to a partition: what lets it work with one app's data, and with nothing else.

    `secret`, `roster`: the secrets of the app's space and of its roster, 32 bytes each, in hexadecimal.
    `generation`: which of the app's spaces it is. `profile`: the profile's name. `relay`: an address, "" for none.
    `stay`: whether the copy may open by itself after a restart. `sync`, `turn`: as in `roster.Policy`.
    `lock_minutes`: after how many minutes of rest it locks; 0: never.
    """

    origin: str
    generation: int
    secret: str
    roster: str
    profile: str
    relay: str
    stay: bool
    lock_minutes: int
    sync: bool = True
    turn: int = 0

    @property
    def policy(self) -> Policy:
        """What was decided for this browser when it was granted."""
        return Policy(self.stay, self.lock_minutes, self.sync, self.turn)

    @property
    def app_space(self) -> SpaceRef:
        """The app's space."""
        return SpaceRef("app", self.origin, self.generation)

    @property
    def roster_space(self) -> SpaceRef:
        """Its roster."""
        return SpaceRef("roster", self.origin)

    def ring(self, crypto: Primitives) -> GrantedKeys:
        """Return the keys of these two spaces."""
        secrets = {self.app_space: self.secret, self.roster_space: self.roster}
        return GrantedKeys(crypto, {space: bytes.fromhex(secret) for space, secret in secrets.items()})

    def under(self, policy: Policy) -> Grant:
        """Return this grant as another policy has it; the turn stays that in which it was granted."""
        return self._replace(stay=policy.stay, lock_minutes=policy.minutes, sync=policy.sync)


class Told(NamedTuple):
    """The store's standing decisions for a partition that it has granted something, sent as often as they change.

    A roster can only take something from a copy; what gives it something is said here, over the line.
    `stay` to `turn`: as in `roster.Policy`. `profile`, `relay`: as in `Grant`. `ended`: whether the person has taken
    the data from the copy. `over`: rows of the roster that say otherwise and cannot be replaced, by key: milliseconds,
    counter and replica of the stamp of each. They do not count.
    """

    stay: bool
    minutes: int
    sync: bool
    turn: int
    profile: str
    relay: str
    ended: bool
    over: dict[str, list[Any]]

    @property
    def policy(self) -> Policy:
        """What holds for this browser."""
        return Policy(self.stay, self.minutes, self.sync, self.turn)


def read_hello(said: Any) -> Hello:
    """Return what a partition said of itself. Raises ProtocolError."""
    fields = _fields(said, Hello)
    claims.check_origin(fields["origin"])
    claims.check_nonce(fields["nonce"])
    app = fields["app"]
    if not isinstance(app, dict):
        raise ProtocolError("a partition must say which app it is for")
    known = fields["known"]
    if not isinstance(known, dict) or len(known) > MOST_KNOWN:
        raise ProtocolError("a partition must say which enrolments it has had")
    for public in (fields["public"], *known.values()):
        _hexadecimal(public, key_schedule.X25519_BYTES)
    holds = fields.get("holds", {})
    if not isinstance(holds, dict) or not all(_are_counts(held) for held in holds.values()):
        raise ProtocolError("a partition must say how much it holds")
    fields["holds"] = {name: tuple(held) for name, held in holds.items() if name in known}
    said = {name: app.get(name) for name in ("name", "description", "icon")}
    return Hello(**{**fields, "app": claims.check_app(**said)})


def read_grant(said: Any) -> Grant:
    """Return what was granted. Raises ProtocolError."""
    fields = _fields(said, Grant)
    claims.check_origin(fields["origin"])
    for name in ("secret", "roster"):
        _hexadecimal(fields[name], key_schedule.SECRET_BYTES)
    _counts(fields, "generation", "lock_minutes", "turn")
    if any(type(fields[name]) is not bool for name in ("stay", "sync")) or not isinstance(
        fields["profile"], str
    ):
        raise ProtocolError("a grant of an unknown form")
    return Grant(**{**fields, "relay": _relay(fields["relay"])})


def read_told(said: Any) -> Told:
    """Return what a store has told. Raises ProtocolError."""
    fields = _fields(said, Told)
    _counts(fields, "minutes", "turn")
    bools = all(type(fields[name]) is bool for name in ("stay", "sync", "ended"))
    if not bools or not isinstance(fields["profile"], str) or not isinstance(fields["over"], dict):
        raise ProtocolError("a store has told something of an unknown form")
    return Told(**{**fields, "relay": _relay(fields["relay"])})


def _counts(fields: JsonObject, *names: str) -> None:
    if not all(type(fields[name]) is int and fields[name] >= 0 for name in names):
        raise ProtocolError("an enrolment with something that is no number")


def _relay(found: Any) -> str:
    try:
        return check_relay_address(found) if found else ""
    except MasqError as error:
        raise ProtocolError("a grant with an address that is no relay's") from error


def _fields(said: Any, kind: type[Any]) -> JsonObject:
    """Return the fields of that kind, those that an earlier build did not say yet as they are without it."""
    needed = set(kind._fields) - kind._field_defaults.keys()
    if not isinstance(said, dict) or not said.keys() >= needed:
        raise ProtocolError("an enrolment of an unknown form")
    # What a later build says beyond that is left out.
    return {**kind._field_defaults, **{name: said[name] for name in kind._fields if name in said}}


def _are_counts(found: Any) -> bool:
    counts = isinstance(found, list) and len(found) == 2
    return counts and all(type(count) is int and 0 <= count <= messages.EXACT for count in found)


def _hexadecimal(found: Any, size: int) -> None:
    try:
        fits = isinstance(found, str) and len(bytes.fromhex(found)) == size
    except ValueError:
        fits = False
    if not fits:
        raise ProtocolError("an enrolment with something that is no key")
