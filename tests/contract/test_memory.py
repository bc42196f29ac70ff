"""The memory backend and pyca's cryptography keep the contracts, and fail when told to."""

import json
from pathlib import Path

import backend
import crypto
import pytest
from memory import MemoryBackend

from masq.errors import QuotaExceeded
from masq_store.native.crypto import NativeCrypto

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}


async def make_backend(other=None):
    """Return a memory backend, on the disk of another where there is one."""
    return MemoryBackend(other.disk if other else None)


async def make_crypto():
    """Return CPython's crypto."""
    return NativeCrypto()


@pytest.mark.parametrize("rule", backend.CONTRACT, ids=lambda rule: rule.__name__)
async def test_memory_keeps_the_backend_contract(rule):
    """Each rule of the backend contract holds for memory."""
    await rule(make_backend)


@pytest.mark.parametrize("rule", crypto.CONTRACT, ids=lambda rule: rule.__name__)
async def test_native_keeps_the_crypto_contract(rule):
    """Each rule of the crypto contract holds for pyca/cryptography."""
    await rule(make_crypto, VECTORS)


async def test_a_failed_write_changes_nothing():
    """An injected failure and a full disk raise, keep what was there, and the next write passes."""
    memory = MemoryBackend(quota=10)
    await memory.write([("a", b"12345")])
    memory.fail_next(QuotaExceeded("disk"))
    with pytest.raises(QuotaExceeded):
        await memory.write([("a", b"")], [("a", "b")])
    with pytest.raises(QuotaExceeded):
        await memory.write([("b", b"12345")])
    assert await memory.scan("") == [("a", b"12345")]
    await memory.write([("b", b"12345")], [("a", "b")])
    assert await memory.scan("") == [("b", b"12345")]
    assert memory.writes == 2
