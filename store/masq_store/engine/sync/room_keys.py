"""The keys of a space's room: who may enter, and how envelopes are sealed and opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.key_ring import KeyRing, RoomSecrets
from masq_store.core.crypto.padding import pad, unpad
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.space.space_ref import SpaceRef
from masq_store.core.sync import messages as sync_wire
from masq_store.core.sync.envelope import HEADER_BYTES, MINIMUM, Header, encode_header, parse_envelope
from masq_store.core.sync.messages import Message
from masq_store.engine.ports import Crypto, Key

MOST_KEYS = 256
"""Sender keys kept ready; each start of each device has one."""

Opened: TypeAlias = tuple[Header, Message] | NewerData | None
"""What an envelope holds. NewerData: a member has sealed it, and this version cannot read it; None: no member of this
version has sealed it."""


class RoomKeys:
    """The keys of one space in one epoch, which seal and open envelopes: another epoch would have its own room.

    `room`, `token`, `epoch`: as in `RoomSecrets`; each header that is sealed names that epoch.
    """

    def __init__(self, crypto: Crypto, secrets: RoomSecrets) -> None:
        self.room, self.token, self.epoch = secrets.room, secrets.token, secrets.epoch
        self._crypto = crypto
        self._secret = secrets.secret
        self._senders: dict[tuple[str, bytes], Key] = {}

    @classmethod
    async def of(cls, crypto: Crypto, ring: KeyRing, space: SpaceRef) -> RoomKeys:
        """Return those of a space's newest epoch. Raises KeyError where the ring does not have the space."""
        return cls(crypto, await ring.room(space, ring.newest(space)))

    async def seal(self, header: Header, message: Message) -> bytes:
        """Return a message as an envelope. A header must never be used twice."""
        front = encode_header(header)
        key = await self._sender(header)
        content = pad(sync_wire.encode(message), MINIMUM)
        sealed = await self._crypto.seal(
            key, key_schedule.nonce(header.counter), content, key_schedule.envelope_data(front)
        )
        return front + sealed

    async def open(self, envelopes: Sequence[bytes]) -> list[Opened]:
        """Return what envelopes hold, in order; see Opened."""
        parsed: list[tuple[Header, bytes, bytes] | None] = []
        for envelope in envelopes:
            try:
                header, sealed = parse_envelope(envelope)
                parsed.append((header, sealed, key_schedule.envelope_data(envelope[:HEADER_BYTES])))
            except DamagedData:
                parsed.append(None)
        contents: list[bytes | None] = [None] * len(parsed)
        by_sender: dict[tuple[str, bytes], list[int]] = {}
        for at, found in enumerate(parsed):
            if found is not None and found[0].epoch == self.epoch:
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
        items = [(key_schedule.nonce(header.counter), sealed, data) for header, sealed, data in found]
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
            key = await self._crypto.derive_key(self._secret, key_schedule.sender_info(*name))
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
