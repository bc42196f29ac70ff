"""Key agreement with a commitment (X25519, HKDF): the three messages by which the two ends of a link share keys.

    who has made the link: LinkMaker             who has read it: LinkReader
                    ◀── COMMITMENT ── H(key, 16 random bytes)
      own key       ──── KEY ───────▶
                    ◀── OPENING ───── key, 16 random bytes

The commitment uses the link up. After the third message both have keys that nobody who reads along can have, and six
digits that are equal unless somebody stands between them; what follows is each subclass's own.
"""

from __future__ import annotations

from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.primitives import Primitives
from masq_store.core.errors import PairingBroken
from masq_store.core.pairing import messages as wire
from masq_store.core.pairing.machine import Action, LinkSecrets, PairingMachine


class LinkMaker(PairingMachine):
    """The responder: the end that has made the link. Its moves begin with `waiting` and `answered`."""

    role = wire.OLD

    def __init__(self, crypto: Primitives, meeting: LinkSecrets, now_ms: int) -> None:
        self._private = crypto.random(key_schedule.X25519_BYTES)
        self._commitment = self._key = b""
        super().__init__(crypto, meeting, now_ms)

    async def _agreed(self, code: str) -> None:
        """The keys are there, and the state after `answered` is reached. `code`: the six digits."""

    async def _take(self, message: wire.Message) -> bool:
        match self.state, message.kind:
            case "waiting", wire.COMMITMENT:
                self._move("COMMITMENT")
                self._commitment = message.signed
                self._key = await self._send(wire.KEY, await self._crypto.x25519_public(self._private))
            case "answered", wire.OPENING:
                await self._opened(message)
            case _:
                return False
        return True

    async def _opened(self, message: wire.Message) -> None:
        public, opening = message.body[: key_schedule.X25519_BYTES], message.body[key_schedule.X25519_BYTES :]
        hashed = await self._crypto.sha256(key_schedule.pairing_commitment_data(public, opening))
        if hashed != self._commitment[wire.HEADER_BYTES :]:  # both are public
            raise PairingBroken("a key is not the one that was promised")
        code = await self._agree(self._private, public, self._commitment, self._key, message.signed)
        self._move("OPENING")
        await self._agreed(code)

    def _forget(self) -> None:
        self._private = b""


class LinkReader(PairingMachine):
    """The initiator: the end that has read the link. Its moves begin with `new` and `promised`.

    What is in the room already goes into `receive` before `start`, so that a used link is left alone.
    """

    role = wire.NEW

    def __init__(self, crypto: Primitives, meeting: LinkSecrets, now_ms: int) -> None:
        self._private, self._opening = (
            crypto.random(key_schedule.X25519_BYTES),
            crypto.random(key_schedule.OPENING_BYTES),
        )
        self._public = self._commitment = b""
        super().__init__(crypto, meeting, now_ms)

    async def start(self, now_ms: int) -> list[Action]:
        """Send the commitment, which uses the link up."""
        return await self._step(now_ms, self._started)

    async def _agreed(self, code: str) -> None:
        """The keys are there, and the state after `promised` is reached. `code`: the six digits."""

    async def _started(self) -> None:
        if self.state != "new":
            return
        self._public = await self._crypto.x25519_public(self._private)
        hashed = await self._crypto.sha256(key_schedule.pairing_commitment_data(self._public, self._opening))
        self._move("start")
        self._commitment = await self._send(wire.COMMITMENT, hashed)

    async def _take(self, message: wire.Message) -> bool:
        if self.state != "promised" or message.kind != wire.KEY:
            return False
        opening = await self._send(wire.OPENING, self._public + self._opening)
        code = await self._agree(self._private, message.body, self._commitment, message.signed, opening)
        self._move("KEY")
        await self._agreed(code)
        return True

    def _forget(self) -> None:
        self._private = self._opening = b""
