"""Pairing: how a new device gets a profile from an old one (docs/protocol.md, "Pairing two devices").

    old device: Inviting                          new device: Joining
      shows the link                                reads the link
                    ◀── COMMITMENT ── H(key, 16 random bytes)
      own key       ──── KEY ───────▶
                    ◀── OPENING ───── key, 16 random bytes
      asks for the six digits                       shows the six digits
                    ──── PROFILE ───▶               asks whether to take the profile
                    ◀── DEVICE ──────
      lists the device ── WELCOME ──▶               keeps the profile

Both are state machines without I/O and without a clock: bytes, the person's answers and the time go in, actions
come out. They are async functions over the cryptographic primitives, not makers of requests for them, because
a chain of primitives then reads from top to bottom, like the protocol; with primitives that never wait, as under
CPython, a test drives them as if they were plain functions.

Messages must arrive in one order for both, as a relay's log gives it: then both judge alike what else is in the
room. Repetition is harmless. Anything that the link's other device would not have sent ends both. One gap no
protocol closes: if WELCOME is lost for good, the old device lists a new one that has kept nothing, and the new
one's error says so.

Why a second use of the link, and why one try: who has the link can step in between the two, but must choose
its own keys before it learns the honest ones. The two codes are then independent, and equal once in 10**6.
"""

from __future__ import annotations

import unicodedata
from functools import partial

from masq.errors import MasqError
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.primitives import Primitives
from masq_store.core.errors import PairingExpired, PairingGone, WrongPairingCode
from masq_store.core.pairing import messages as wire
from masq_store.core.pairing.key_agreement import LinkMaker, LinkReader
from masq_store.core.pairing.machine import (
    ANSWER_MS,
    CODE_DIGITS,
    LINK_MS,
    PERSON_MS,
    Action,
    AskCode,
    AskToTake,
    DeviceAdded,
    Ended,
    LinkSecrets,
    ProfileTaken,
    Send,
    ShowCode,
    meet,
)
from masq_store.core.profile.claims import check_device_name, check_profile_name

__all__ = (
    "Action",
    "AskCode",
    "AskToTake",
    "DeviceAdded",
    "Ended",
    "Inviting",
    "Joining",
    "ProfileTaken",
    "Send",
    "ShowCode",
    "read_code",
)
"""The names that the engine drives a pairing by."""


def read_code(typed: str) -> str | None:
    """Return six digits as they were typed, in any script, with spaces or dashes; None if they are not six."""
    found = "".join(c for c in typed[:100] if not c.isspace() and unicodedata.category(c) != "Pd")
    if len(found) != CODE_DIGITS or not found.isdecimal():
        return None
    return "".join(str(unicodedata.decimal(c)) for c in found)


class Inviting(LinkMaker):
    """The old device: it holds the profile, has made the link, and takes the six digits."""

    moves = {
        "waiting": {"COMMITMENT": "answered"},
        "answered": {"OPENING": "asking"},
        "asking": {"right code": "given"},
        "given": {"DEVICE": "done"},
    }
    limits = {
        "waiting": (LINK_MS, PairingExpired),
        "answered": (ANSWER_MS, PairingGone),
        "asking": (PERSON_MS, PairingExpired),
        "given": (PERSON_MS, PairingExpired),
    }

    def __init__(
        self,
        crypto: Primitives,
        meeting: LinkSecrets,
        profile: str,
        home_secret: bytes,
        now_ms: int,
    ) -> None:
        self._profile, self._home_secret = profile, home_secret
        self._code = ""
        super().__init__(crypto, meeting, now_ms)

    @classmethod
    async def begin(
        cls, crypto: Primitives, secret: bytes, profile: str, home_secret: bytes, now_ms: int
    ) -> Inviting:
        """Return the old device's side of a fresh link; the link is good for ten minutes from `now_ms` on.

        `secret`: the link's 16 bytes, drawn for this link alone. `profile` and `home_secret` (32 bytes) leave
        this device once the right code was typed, sealed for the new one. `now_ms`: any clock, the same one
        for all calls.
        """
        if len(home_secret) != key_schedule.SECRET_BYTES:
            raise ValueError("a home secret has 32 bytes")
        name = check_profile_name(profile)
        return cls(crypto, await meet(crypto, secret), name, home_secret, now_ms)

    async def confirm(self, typed: str, now_ms: int) -> list[Action]:
        """Take what the person typed for the six digits of the new device. There is one try."""
        return await self._step(now_ms, partial(self._confirmed, typed))

    async def _confirmed(self, typed: str) -> None:
        if self.state != "asking":  # a second click
            return
        code = read_code(typed)
        if code is None:
            self._act(AskCode(again=True))
        elif code != self._code:  # typed by hand, once: there is no timing to hide
            raise WrongPairingCode()
        else:
            self._move("right code")
            await self._send_sealed(wire.PROFILE, 0, wire.profile_content(self._profile, self._home_secret))

    async def _agreed(self, code: str) -> None:
        self._code = code
        self._act(AskCode())

    async def _take(self, message: wire.Message) -> bool:
        if self.state != "given" or message.kind != wire.DEVICE:
            return await super()._take(message)
        name, identity = wire.read_device(await self._open(message, 0))
        await self._send_sealed(wire.WELCOME, 1, b"")
        self._act(DeviceAdded(name, identity))
        self._move("DEVICE")
        return True

    def _forget(self) -> None:
        super()._forget()
        self._home_secret = b""
        self._code = ""


class Joining(LinkReader):
    """The new device: it has read the link, shows the six digits, and asks before it takes the profile."""

    moves = {
        "new": {"start": "promised"},
        "promised": {"KEY": "showing"},
        "showing": {"PROFILE": "asking"},
        "asking": {"yes": "agreed"},
        "agreed": {"WELCOME": "done"},
    }
    limits = {
        "new": (LINK_MS, PairingExpired),
        "promised": (ANSWER_MS, PairingGone),
        "showing": (PERSON_MS, PairingExpired),
        "asking": (PERSON_MS, PairingExpired),
        "agreed": (ANSWER_MS, partial(PairingGone, True)),
    }
    settled = frozenset({"agreed"})
    """Now the old device may have listed this one already. Only its own answer counts, which nobody else can seal."""

    def __init__(self, crypto: Primitives, meeting: LinkSecrets, now_ms: int) -> None:
        self._home_secret = b""
        self._profile = ""
        super().__init__(crypto, meeting, now_ms)

    @classmethod
    async def begin(cls, crypto: Primitives, secret: bytes, now_ms: int) -> Joining:
        """Return the new device's side; `secret`: the link's 16 bytes. Nothing is sent before `start`."""
        return cls(crypto, await meet(crypto, secret), now_ms)

    async def accept(self, name: str, identity: bytes, now_ms: int) -> list[Action]:
        """Take the person's yes: `name` and `identity` (an X25519 public key) are this device's.

        Raises InvalidValue, with nothing changed, unless the name has 1 to 64 characters.
        """
        if len(identity) != key_schedule.X25519_BYTES:
            raise ValueError("a device's public identity has 32 bytes")
        content = wire.device_content(check_device_name(name), identity)
        return await self._step(now_ms, partial(self._accepted, content))

    async def _accepted(self, content: bytes) -> None:
        if self.state != "asking":  # a second click
            return
        self._move("yes")
        await self._send_sealed(wire.DEVICE, 0, content)

    async def _take(self, message: wire.Message) -> bool:
        match self.state, message.kind:
            case "showing", wire.PROFILE:
                self._profile, self._home_secret = wire.read_profile(await self._open(message, 0))
                self._move("PROFILE")
                self._act(AskToTake(self._profile, self._home_secret))
            case "agreed", wire.WELCOME:
                await self._open(message, 1)
                self._act(ProfileTaken(self._profile, self._home_secret))
                self._move("WELCOME")
            case _:
                return await super()._take(message)
        return True

    async def _agreed(self, code: str) -> None:
        self._act(ShowCode(code))

    async def _refused(self, because: MasqError | None) -> None:
        if self._maybe_listed:  # the yes is on its way and cannot be taken back
            raise PairingGone(True)
        await super()._refused(because)

    @property
    def _maybe_listed(self) -> bool:
        return self.state == "agreed"

    def _forget(self) -> None:
        super()._forget()
        self._home_secret = b""
