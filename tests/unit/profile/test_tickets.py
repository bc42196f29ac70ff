"""The halves of tickets that stand on the disk."""

from __future__ import annotations

import pytest
from memory import MemoryBackend, MemoryDisk

from masq_store.core.errors import DamagedData
from masq_store.engine.profile.tickets import Tickets
from masq_store.engine.storage import disk_keys
from masq_store.native.crypto import NativeCrypto


async def test_what_the_disk_has_lost_is_dropped_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser may have lost one value alone: that it cannot be read keeps nobody from erasing it."""

    async def lost(name: str) -> bytes | None:
        raise DamagedData("a value is lost")

    backend = MemoryBackend(MemoryDisk())
    await backend.claim()
    tickets = Tickets(backend, NativeCrypto())
    await tickets.issue("owner", bytes(32), 1)
    with monkeypatch.context() as patched:
        patched.setattr(backend, "read", lost)
        await tickets.drop("owner")
    assert await backend.scan(disk_keys.TICKETS) == []
