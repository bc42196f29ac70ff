"""A member that follows no rules: it has the space's keys, and seals whatever a test wants said."""

from __future__ import annotations

import os
from typing import Any

from relay_rig import Client, connect
from space_sync_rig import SECRET, keys_of_the_room

from masq.messages import dumps
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.padding import pad
from masq_store.core.sync import messages as sync_wire
from masq_store.core.sync.envelope import MINIMUM, Header, encode_header
from masq_store.core.sync.messages import Message
from masq_store.engine.sync.room_keys import RoomKeys
from masq_store.native.crypto import NativeCrypto


def content_of(kind: int, head: Any, body: Any = None, schema: int = 1) -> bytes:
    """Return what a message's bytes would be with this head and body; a str goes in as it is."""
    encoded = (head if isinstance(head, str) else dumps(head)).encode("utf-8", "surrogatepass")
    front = bytes([kind]) + len(encoded).to_bytes(4, "big") + encoded
    if body is None:
        return front
    text = body if isinstance(body, str) else dumps(body)
    return front + bytes([schema]) + text.encode("utf-8", "surrogatepass")


class Insider:
    """A client with the keys of the space; `sender` and `session` are what it says they are."""

    def __init__(self, client: Client, room_keys: RoomKeys, secret: bytes) -> None:
        self.client, self.room_keys = client, room_keys
        self.sender, self.session, self.counter = os.urandom(8).hex(), os.urandom(16), 0
        self._secret = secret
        self._crypto = NativeCrypto()
        self.posted = 0

    @classmethod
    async def enter(cls, port: int) -> Insider:
        """Join the room."""
        crypto = NativeCrypto()
        room_keys = await keys_of_the_room()
        client = await connect(port)
        await client.join(room=room_keys.room, token=room_keys.token)
        insider = cls(
            client,
            room_keys,
            await crypto.hkdf(SECRET, key_schedule.epoch_info(0), key_schedule.SECRET_BYTES),
        )
        insider.log = [each for each in await client.take("CURRENT") if each[0] == "ENVELOPE"]
        return insider

    async def seal(self, padded: bytes, counter: int | None = None, epoch: int = 0) -> bytes:
        """Return an envelope around these very bytes."""
        if counter is None:
            counter, self.counter = self.counter, self.counter + 1
        front = encode_header(Header(epoch, self.sender, self.session, counter))
        key = await self._crypto.derive_key(self._secret, key_schedule.sender_info(self.sender, self.session))
        nonce = (counter % 2**96).to_bytes(12, "big")
        return front + await self._crypto.seal(key, nonce, padded, key_schedule.envelope_data(front))

    async def post(self, envelope: bytes) -> int:
        """Post an envelope. Returns its number, once it is stored."""
        self.posted += 1
        self.client.post(envelope, self.posted)
        return (await self.client.take("STORED"))[-1][3]

    async def say(self, said: Message | bytes, counter: int | None = None) -> int:
        """Seal and post a message, or bytes that would be one."""
        content = said if isinstance(said, bytes) else sync_wire.encode(said)
        return await self.post(await self.seal(pad(content, MINIMUM), counter))

    async def snapshot(self, said: Message | bytes, number: int, tag: bytes) -> None:
        """Put a snapshot of one part in the log's place."""
        content = said if isinstance(said, bytes) else sync_wire.encode(said)
        self.client.part(await self.seal(pad(content, MINIMUM)), number, tag, name=os.urandom(8))
        await self.client.take("STORED")
