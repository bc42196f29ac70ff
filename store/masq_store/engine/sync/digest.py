"""The digest of a space's rows: a chain of SHA-256 over pieces, with a pause between them for everybody else."""

from __future__ import annotations

import asyncio

from masq_store.core.space.register import Row
from masq_store.core.sync import digest
from masq_store.engine.ports import Crypto


async def digest_of(crypto: Crypto, rows: list[Row]) -> bytes:
    """Return the digest (32 bytes) of all that a space held when `rows` was taken from it."""
    found = digest.START
    for piece in digest.pieces(rows):
        found = await crypto.sha256(found + piece)
        await asyncio.sleep(0)
    return found
