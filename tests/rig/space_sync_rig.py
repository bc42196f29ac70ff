"""Spaces of devices on CPython that meet in one room of a real relay."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from asynchronous import until
from memory import MemoryBackend, MemoryDisk
from spaces import state

from masq import messages
from masq_store.core.crypto.key_ring import GrantedKeys
from masq_store.core.space.space import Space
from masq_store.core.space.space_ref import HOME
from masq_store.engine.ports import Network
from masq_store.engine.relay.link import RelayLink
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.record_sealer import Sealer
from masq_store.engine.storage.together import write_together
from masq_store.engine.storage.writer import Writer
from masq_store.engine.sync.room_keys import RoomKeys
from masq_store.engine.sync.room_sync import SpaceSync
from masq_store.native.crypto import NativeCrypto
from masq_store.native.websocket import NativeNetwork

SECRET = b"the secret of a space, 32 bytes."


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def keys_of_the_room() -> RoomKeys:
    """Return the keys of the room in which they meet."""
    crypto = NativeCrypto()
    return await RoomKeys.of(crypto, GrantedKeys(crypto, {HOME: SECRET}), HOME)


class Device:
    """One device with one space; `start` again goes on from the same disk, as after a crash."""

    def __init__(
        self,
        url: str,
        disk: MemoryDisk | None = None,
        *,
        clock_off_ms: int = 0,
        network: Network | None = None,
        keys: RoomKeys | None = None,
    ) -> None:
        self.url = url
        self.disk = disk or MemoryDisk()
        self.clock_off_ms = clock_off_ms
        self.network = network or NativeNetwork()
        self.keys = keys
        self.failures: list[Exception] = []
        self.changes: list[tuple[list[str], object]] = []

    async def start(self) -> Device:
        """Open the space and enter the room."""
        await self.open()
        await self.sync.start()
        return self

    async def open(self) -> Device:
        """Open the space, and stay alone for now: `sync.start` enters the room."""
        crypto = NativeCrypto()
        self.backend = MemoryBackend(self.disk)
        await self.backend.claim()
        self.writer = Writer(self.backend, self.failures.append)
        sealer = Sealer(crypto, b"r" * 32, "profile", "space")
        self.space = await OpenSpace.open(self.backend, sealer, "profile", "space", os.urandom(8).hex())
        self.space.listeners.append(lambda keys, source: self.changes.append((keys, source)))
        self.link = RelayLink(self.network, self.url, now_ms=now_ms, random=os.urandom)
        self.sync = SpaceSync(
            self.space,
            self.keys or await keys_of_the_room(),
            self.link,
            self.writer,
            crypto,
            changed=lambda: None,
            now_ms=self.now,
        )
        return self

    async def stop(self) -> None:
        """Leave in order."""
        await self.sync.stop()
        self.link.close()
        await self.writer.idle()
        assert self.failures == []

    def crash(self) -> None:
        """End as a power cut does: the disk stays as it is at this moment."""
        self.link.close()
        self.sync._task.cancel()
        self.disk.generation += 1  # whatever is still under way writes no more

    def flush(self) -> None:
        """Do nothing: as the source of writes it waits for nothing."""

    @property
    def core(self) -> Space:
        """The space's map."""
        return self.space.core

    def now(self) -> int:
        """Return what this device's clock shows."""
        return now_ms() + self.clock_off_ms

    async def set(self, key: str, value: Any) -> None:
        """Set a key, durable on return."""
        text = messages.encode(value)
        await write_together(self.writer, [(self.space, lambda: self.core.write([(key, text)], self.now()))])

    async def delete(self, key: str) -> None:
        """Delete a key, durable on return."""
        await write_together(self.writer, [(self.space, lambda: self.core.write([(key, None)], self.now()))])

    async def increment(self, key: str, by: int = 1) -> None:
        """Count, durable on return."""
        await write_together(self.writer, [(self.space, lambda: self.core.increment(key, by, self.now()))])

    async def update(self, entries: dict[str, Any]) -> None:
        """Set several keys at once, durable on return."""
        texts = [(key, messages.encode(value)) for key, value in entries.items()]
        await write_together(self.writer, [(self.space, lambda: self.core.write(texts, self.now()))])

    def get(self, key: str) -> Any:
        """Return a key's value, None where it has none."""
        text = self.core.text(key)
        return None if text is None else messages.decode(text)

    @property
    def synced(self) -> bool:
        """Whether the relay has everything of this device, and this device everything of the relay."""
        return self.sync.state == "live" and not self.sync.waiting and self.sync._sync.idle


def url(running: Any) -> str:
    """Return the address of a relay on this machine; `running` has its port."""
    return f"ws://127.0.0.1:{running.port}"


def alike(*devices: Device) -> bool:
    """Whether all have the same, and the relay has it too."""
    first = devices[0].core
    return all(
        device.synced and device.core.vector == first.vector and state(device.core) == state(first)
        for device in devices
    )


async def together(*devices: Device) -> None:
    """Wait until all are alike."""
    await until(lambda: alike(*devices), "being alike")


async def stop(devices: Sequence[Device]) -> None:
    """Stop them all."""
    for device in devices:
        await device.stop()
