"""The keys of a space's room: who may enter, and how envelopes are sealed and opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from masq_store.core.crypto import key_schedule as keys
from masq_store.core.crypto.padding import pad, unpad
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.sync import messages as sync_wire
from masq_store.core.sync.envelope import HEADER_BYTES, MINIMUM, Header, encode_header, parse_envelope
from masq_store.core.sync.messages import Message
from masq_store.engine.ports import Crypto, Key

MOST_KEYS = 256
"""Sender keys kept ready; each start of each device has one."""

EPOCH = 0

Opened: TypeAlias = tuple[Header, Message] | NewerData | None
"""What an envelope holds. NewerData: a member has sealed it, and this version cannot read it; None: no member of this
version has sealed it."""


class RoomKeys:
    """One space's: derived from its secret."""

    def __init__(self, crypto: Crypto, room: bytes, token: bytes, secret: bytes) -> None:
        self.room = room
        self.token = token
        self._crypto = crypto
        self._secret = secret
        self._senders: dict[tuple[str, bytes], Key] = {}

    @classmethod
    async def derive(cls, crypto: Crypto, space_secret: bytes) -> RoomKeys:
        """Return the keys that follow from a space's secret (32 bytes)."""
        room = await crypto.hkdf(space_secret, keys.room_info(), keys.ROOM_BYTES)
        secret = await crypto.hkdf(space_secret, keys.epoch_info(EPOCH), keys.SECRET_BYTES)
        token = await crypto.hkdf(secret, keys.room_token_info(), keys.TOKEN_BYTES)
        return cls(crypto, room, token, secret)

    async def seal(self, header: Header, message: Message) -> bytes:
        """Return a message as an envelope. A header must never be used twice."""
        front = encode_header(header)
        key = await self._sender(header)
        content = pad(sync_wire.encode(message), MINIMUM)
        sealed = await self._crypto.seal(key, keys.nonce(header.counter), content, keys.envelope_data(front))
        return front + sealed

    async def open(self, envelopes: Sequence[bytes]) -> list[Opened]:
        """Return what envelopes hold, in order; see Opened."""
        parsed: list[tuple[Header, bytes, bytes] | None] = []
        for envelope in envelopes:
            try:
                header, sealed = parse_envelope(envelope)
                parsed.append((header, sealed, keys.envelope_data(envelope[:HEADER_BYTES])))
            except DamagedData:
                parsed.append(None)
        contents: list[bytes | None] = [None] * len(parsed)
        by_sender: dict[tuple[str, bytes], list[int]] = {}
        for at, found in enumerate(parsed):
            if found is not None and found[0].epoch == EPOCH:
                by_sender.setdefault((found[0].sender, found[0].session), []).append(at)
        for places in by_sender.values():
            for at, content in zip(places, await self._open(parsed, places), strict=True):
                contents[at] = content
        return [
            None if found is None or content is None else _read(found[0], content)
            for found, content in zip(parsed, contents, strict=True)
        ]

    async def _open(
        self, parsed: Sequence[tuple[Header, bytes, bytes] | None], places: list[int]
    ) -> list[bytes | None]:
        """Open what one sender has sealed in one session: at once, or one by one where something is wrong."""
        found = [each for each in (parsed[at] for at in places) if each is not None]
        key = await self._sender(found[0][0])
        items = [(keys.nonce(header.counter), sealed, data) for header, sealed, data in found]
        try:
            return list(await self._crypto.open_many(key, items))
        except DamagedData:
            return [await self._open_one(key, item) for item in items]

    async def _open_one(self, key: Key, item: tuple[bytes, bytes, bytes]) -> bytes | None:
        try:
            return await self._crypto.open(key, *item)
        except DamagedData:
            return None

    async def _sender(self, header: Header) -> Key:
        name = (header.sender, header.session)
        key = self._senders.pop(name, None)
        if key is None:
            key = await self._crypto.derive_key(self._secret, keys.sender_info(*name))
        self._senders[name] = key  # behind all others: the first is the one used longest ago
        while len(self._senders) > MOST_KEYS:
            del self._senders[next(iter(self._senders))]
        return key


def _read(header: Header, content: bytes) -> Opened:
    try:
        return header, sync_wire.parse(unpad(content, MINIMUM))
    except NewerData as error:
        return error
    except DamagedData:
        return None
