"""The base of the pairing machines: messages under a MAC, time limits, and how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from masq.errors import MasqError
from masq.messages import JsonObject
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.primitives import Primitives
from masq_store.core.errors import (
    DamagedData,
    PairingBroken,
    PairingExpired,
    PairingGone,
    PairingOffline,
    PairingRefused,
    PairingUsedTwice,
    WrongPairingCode,
)
from masq_store.core.pairing import messages as wire

LINK_MS = 600_000
"""How long a link can be used: ten minutes, time to carry a telephone to another room."""

PERSON_MS = 600_000
"""How long a device waits for what a person does once the link was used."""

ANSWER_MS = 120_000
"""How long a device waits for what the other one does by itself. A telephone's page may sleep for a while when the
person changes to another app, to send the link from there."""

GONE_MS = 60_000
"""How long the other device, or the relay, may be away in the midst of a pairing."""

CODE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Send:
    """Post `content` to the room, after everything sent before."""

    content: bytes


@dataclass(frozen=True, slots=True)
class ShowCode:
    """Show these six digits, and ask the person to type them on the other device."""

    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskCode:
    """Ask for the six digits that the new device shows. `again`: what was typed were not six digits; no try is lost."""

    again: bool = False


@dataclass(frozen=True, slots=True)
class AskToTake:
    """Ask whether this device shall take the profile of that name; the other device has said that the code is right.

    `home_secret`: only to see whether this device has it already.
    """

    profile: str = field(repr=False)
    home_secret: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class DeviceAdded:
    """Done: the new device's name and its public identity, for the home space."""

    name: str
    identity: bytes


@dataclass(frozen=True, slots=True)
class ProfileTaken:
    """Done: the profile's name and its home secret, to be kept now."""

    profile: str = field(repr=False)
    home_secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Requested:
    """An app's page asks for a copy of the app's data; who asks is not checked yet."""

    request: JsonObject


@dataclass(frozen=True, slots=True)
class Granted:
    """Done: what the person has granted, not checked yet."""

    grant: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """Over, with nothing kept; the error's sentence is for the person."""

    error: MasqError


Action = Send | ShowCode | AskCode | AskToTake | DeviceAdded | ProfileTaken | Requested | Granted | Ended

_REASONS: dict[int, Callable[[], MasqError]] = {
    1: PairingRefused,
    2: PairingExpired,
    3: PairingUsedTwice,
    4: WrongPairingCode,
    5: PairingGone,
    6: PairingBroken,
}
"""What END says, and the error that it becomes on the other device."""

_REASON_OF = {kind: reason for reason, kind in _REASONS.items()} | {PairingOffline: 5}


class _OverThere(Exception):
    """The other device has ended the pairing and said why."""

    def __init__(self, error: MasqError) -> None:
        super().__init__()
        self.error = error


@dataclass(frozen=True, slots=True)
class LinkSecrets:
    """The secrets that follow from a link's: where to meet at the relay, and how messages are known."""

    room: bytes
    token: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    mac_keys: Mapping[int, bytes] = field(repr=False)


async def meet(crypto: Primitives, secret: bytes) -> LinkSecrets:
    """Return the meeting of a link's secret (16 bytes)."""
    if len(secret) != key_schedule.LINK_BYTES:
        raise ValueError("a link's secret has 16 bytes")
    room = await crypto.hkdf(secret, key_schedule.pairing_room_info(), key_schedule.ROOM_BYTES)
    token = await crypto.hkdf(secret, key_schedule.pairing_token_info(), key_schedule.TOKEN_BYTES)
    macs = {
        who: await crypto.hkdf(secret, key_schedule.pairing_mac_info(who)) for who in (wire.OLD, wire.NEW)
    }
    return LinkSecrets(room, token, secret, macs)


class PairingMachine:
    """The state machine of one device in a pairing. Subclasses say who it is and what it does with each message.

    Every method that takes time returns the actions to carry out, in order. One is called after the other, never
    while another is at work: `engine.pairing.meeting` has the queue.
    """

    role: ClassVar[int]
    moves: ClassVar[Mapping[str, Mapping[str, str]]]
    """For each state: what can happen, and the state after it."""
    limits: ClassVar[Mapping[str, tuple[int, Callable[[], MasqError]]]]
    """For each state: how long it may last in ms, and the error after that."""
    settled: ClassVar[frozenset[str]] = frozenset()
    """States in which nothing counts but what moves on, and END."""

    def __init__(self, crypto: Primitives, meeting: LinkSecrets, now_ms: int) -> None:
        self._crypto = crypto
        self._meeting = meeting
        self._clock_ms = now_ms  # the caller's clock, as last heard
        self._now_ms = now_ms  # the same, but never set back: a clock that is gives nobody more time
        self._actions: list[Action] = []
        self._known: set[bytes] = set()  # messages sent or taken: their repetition says nothing new
        self._taken: set[int] = set()  # kinds that have come
        self._due: tuple[int, Callable[[], MasqError]] | None = None
        self._away: tuple[int, Callable[[], MasqError]] | None = None
        self._keys: dict[int, Any] = {}  # of the session: each sender's
        self._enter(next(iter(self.moves)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state}>"

    @property
    def room(self) -> bytes:
        """The relay's room in which the two meet, 16 bytes."""
        return self._meeting.room

    @property
    def token(self) -> bytes:
        """The access token of that room, 32 bytes."""
        return self._meeting.token

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not: nothing changes any more."""
        return self.state in ("done", "ended")

    @property
    def deadline_ms(self) -> int | None:
        """When `tick` must be called, by the caller's clock; None once it is over. Ask again after each call."""
        dues = [due[0] for due in (self._due, self._away) if due]
        return min(dues) - self._now_ms + self._clock_ms if dues else None

    async def receive(self, content: bytes, now_ms: int) -> list[Action]:
        """Take a message from the room, whoever sent it: own ones that come back and repetitions do no harm."""
        return await self._step(now_ms, lambda: self._received(content))

    async def tick(self, now_ms: int) -> list[Action]:
        """Notice that time has passed."""
        return await self._step(now_ms, self._nothing)

    async def refuse(self, now_ms: int, because: MasqError | None = None) -> list[Action]:
        """Take the person's no, or that the page was closed. `because`: another reason, which the other end hears."""
        return await self._step(now_ms, lambda: self._refused(because))

    async def others(self, count: int | None, now_ms: int) -> list[Action]:
        """Note how many other connections are in the room; None: this device has lost the relay."""
        return await self._step(now_ms, lambda: self._counted(count))

    async def _step(self, now_ms: int, work: Callable[[], Awaitable[None]]) -> list[Action]:
        self._now_ms += max(0, now_ms - self._clock_ms)
        self._clock_ms = now_ms
        self._actions = []
        try:
            if not self.over:
                await self._try(work)
        except BaseException:  # a primitive failed or the task was cancelled: half a step is no step
            self._leave("ended")
            raise
        return self._actions

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            for due in (self._away, self._due):  # the first says more
                if due and self._now_ms >= due[0]:
                    raise due[1]()
            await work()
        except _OverThere as over:
            self._end(over.error)
        except MasqError as error:
            if type(error) not in _REASON_OF:
                raise
            await self._send(wire.END, bytes((_REASON_OF[type(error)],)))
            self._end(error)

    async def _received(self, content: bytes) -> None:
        if content in self._known:
            return
        try:
            await self._judge(content)
        except (PairingBroken, PairingUsedTwice):
            if self.state not in self.settled:
                raise

    async def _judge(self, content: bytes) -> None:
        message = wire.parse(content)
        data = key_schedule.pairing_message_data(message.signed)
        if not await self._crypto.hmac_matches(self._meeting.mac_keys[message.sender], data, message.mac):
            raise PairingBroken("a message was altered")
        if message.sender == self.role:  # not ours: somebody else with the same link plays this device
            raise PairingUsedTwice()
        if message.kind == wire.END:
            raise _OverThere(_REASONS.get(message.body[0], PairingBroken)())
        if message.kind in self._taken:
            raise PairingUsedTwice()
        if not await self._take(message):
            raise PairingBroken("a message came out of turn")
        self._taken.add(message.kind)
        self._known.add(content)

    async def _take(self, message: wire.Message) -> bool:
        """Take a message that is what it claims to be; False: it cannot come now."""
        raise NotImplementedError

    async def _refused(self, because: MasqError | None) -> None:
        raise because or PairingRefused("here")

    async def _nothing(self) -> None:
        pass

    async def _counted(self, count: int | None) -> None:
        if count:
            self._away = None
        elif self.state != next(iter(self.moves)):  # nobody need be there before it begins
            since = self._away[0] if self._away else self._now_ms + GONE_MS
            lost = PairingOffline if count is None else PairingGone
            self._away = (since, lambda: lost(self._maybe_listed))

    @property
    def _maybe_listed(self) -> bool:
        """Whether the other device may hold this one to be paired already."""
        return False

    def _move(self, event: str) -> None:
        """Go on to the next state; KeyError would mean that the tables and the code differ."""
        self._enter(self.moves[self.state][event])

    def _enter(self, state: str) -> None:
        self.state = state
        if self.over:
            self._leave(state)
        else:
            lasts_ms, error = self.limits[state]
            self._due = (self._now_ms + lasts_ms, error)

    def _end(self, error: MasqError) -> None:
        self._actions.append(Ended(error))
        self._leave("ended")

    def _leave(self, state: str) -> None:
        """Be over, and let go of everything secret."""
        self.state = state
        self._due = self._away = None
        self._keys = {}
        self._meeting = LinkSecrets(self.room, self.token, b"", {})
        self._forget()

    def _forget(self) -> None:
        """Let go of the secrets that a subclass holds."""
        raise NotImplementedError

    def _act(self, action: Action) -> None:
        self._actions.append(action)

    async def _send(self, kind: int, body: bytes) -> bytes:
        """Send a message; returns it without its MAC."""
        signed = wire.header(self.role, kind) + body
        key = self._meeting.mac_keys[self.role]
        content = signed + await self._crypto.hmac(key, key_schedule.pairing_message_data(signed))
        self._known.add(content)
        self._act(Send(content))
        return signed

    async def _send_sealed(self, kind: int, number: int, content: bytes) -> None:
        """Send `content` sealed; `number` counts this device's sealed messages."""
        data = key_schedule.pairing_sealed_data(wire.header(self.role, kind))
        sealed = await self._crypto.seal(self._keys[self.role], key_schedule.nonce(number), content, data)
        await self._send(kind, sealed)

    async def _open(self, message: wire.Message, number: int) -> bytes:
        data = key_schedule.pairing_sealed_data(message.header)
        try:
            return await self._crypto.open(
                self._keys[message.sender], key_schedule.nonce(number), message.body, data
            )
        except DamagedData:
            raise PairingBroken("a sealed message was altered") from None

    async def _agree(self, private: bytes, public: bytes, *signed: bytes) -> str:
        """Derive the session's keys from both devices' keys and the three messages; returns the six digits."""
        try:
            shared = await self._crypto.x25519_shared(private, public)
        except DamagedData:
            raise PairingBroken("a key is none") from None
        transcript = await self._crypto.sha256(key_schedule.pairing_transcript_data(*signed))
        secret = shared + self._meeting.secret  # both of a fixed size
        for who in (wire.OLD, wire.NEW):
            info = key_schedule.pairing_session_info(transcript, who)
            self._keys[who] = await self._crypto.derive_key(secret, info)
        drawn = await self._crypto.hkdf(self._meeting.secret, key_schedule.pairing_code_info(transcript), 8)
        # 2**64 is so large that no code is likelier than another by more than 10**-13 of its share.
        return f"{int.from_bytes(drawn, 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}}"
