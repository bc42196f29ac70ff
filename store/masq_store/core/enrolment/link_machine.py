"""Enrolment by a link: for an app that cuts its windows off, so that its page and the store's window cannot speak.

    the store's window: Granting                 the app's page, in the store's frame: Requesting
      shows the link                               is given the link
                    ◀── COMMITMENT ──
                    ──── KEY ───────▶
                    ◀── OPENING ─────
                    ◀── REQUEST ─────              says which app it is in
      asks the person
                    ──── GRANT ─────▶              opens a copy of that app's data

The machines of a pairing (`core.pairing.key_agreement`), in a room that follows from the link's secret and from the
nonce that the app's page shares with both: who has seen the link alone does not even find the room. So nobody types
digits here (docs/decisions/0009).
"""

from __future__ import annotations

from functools import partial

from masq.messages import JsonObject
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.primitives import Primitives
from masq_store.core.errors import PairingExpired, PairingGone
from masq_store.core.pairing import messages as wire
from masq_store.core.pairing.key_agreement import LinkMaker, LinkReader
from masq_store.core.pairing.machine import (
    ANSWER_MS,
    LINK_MS,
    PERSON_MS,
    Action,
    Granted,
    LinkSecrets,
    Requested,
    meet,
)

NOT_NOW = "#not-now"
"""In a link's place, from the frame: its person has none, or does not want to connect."""

REPLY_MS = 20_000
"""How long an app's page waits for the window's first word, in ms: the two are on one desk, and on one network."""


class Granting(LinkMaker):
    """The store's end: it has made the link, and gives what the person grants."""

    moves = {
        "waiting": {"COMMITMENT": "answered"},
        "answered": {"OPENING": "agreed"},
        "agreed": {"REQUEST": "asking"},
        "asking": {"yes": "done"},
    }
    limits = {
        "waiting": (LINK_MS, PairingExpired),
        "answered": (ANSWER_MS, PairingGone),
        "agreed": (ANSWER_MS, PairingGone),
        "asking": (PERSON_MS, PairingExpired),
    }

    @classmethod
    async def begin(cls, crypto: Primitives, secret: bytes, nonce: str, now_ms: int) -> Granting:
        """Return the store's end of a fresh link; `secret`: its 16 bytes, drawn for this link alone."""
        return cls(crypto, await _meet(crypto, secret, nonce), now_ms)

    async def grant(self, grant: JsonObject, now_ms: int) -> list[Action]:
        """Take the person's yes."""
        return await self._step(now_ms, partial(self._granted, wire.object_content(grant)))

    async def _granted(self, content: bytes) -> None:
        if self.state == "asking":
            await self._send_sealed(wire.GRANT, 0, content)
            self._move("yes")

    async def _take(self, message: wire.Message) -> bool:
        if self.state != "agreed" or message.kind != wire.REQUEST:
            return await super()._take(message)
        request = wire.read_object(await self._open(message, 0))
        self._move("REQUEST")
        self._act(Requested(request))
        return True


class Requesting(LinkReader):
    """The end of an app's page: it has read the link, and asks for the app's data."""

    moves = {
        "new": {"start": "promised"},
        "promised": {"KEY": "asking"},
        "asking": {"GRANT": "done"},
    }
    limits = {
        "new": (LINK_MS, PairingExpired),
        "promised": (REPLY_MS, PairingGone),
        "asking": (PERSON_MS, PairingExpired),
    }

    def __init__(self, crypto: Primitives, meeting: LinkSecrets, now_ms: int) -> None:
        self._content = b""
        super().__init__(crypto, meeting, now_ms)

    @classmethod
    async def begin(cls, crypto: Primitives, secret: bytes, nonce: str, now_ms: int) -> Requesting:
        """Return the page's end; `secret`: the link's 16 bytes. `ask` comes before `start`."""
        return cls(crypto, await _meet(crypto, secret, nonce), now_ms)

    def ask(self, request: JsonObject) -> None:
        """Say who asks: the window will hear it once both have keys."""
        self._content = wire.object_content(request)

    async def _agreed(self, code: str) -> None:
        await self._send_sealed(wire.REQUEST, 0, self._content)

    async def _take(self, message: wire.Message) -> bool:
        if self.state != "asking" or message.kind != wire.GRANT:
            return await super()._take(message)
        grant = wire.read_object(await self._open(message, 0))
        self._move("GRANT")
        self._act(Granted(grant))
        return True

    def _forget(self) -> None:
        super()._forget()
        self._content = b""


async def _meet(crypto: Primitives, secret: bytes, nonce: str) -> LinkSecrets:
    """Return where the two ends meet, which neither the link nor the nonce tells alone."""
    return await meet(
        crypto, await crypto.hkdf(secret, key_schedule.enrolment_link_info(nonce), key_schedule.LINK_BYTES)
    )
