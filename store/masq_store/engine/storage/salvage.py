"""Recovery of a damaged space: each record that still opens, whatever became of those around it.

A record that opens is what was written, for it is sealed. What it holds are changes, which may be merged in any number
and order; only the version vector is not believed, for it speaks of records that are lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from masq_store.core.errors import DamagedData, UnreadableData
from masq_store.core.space import codec
from masq_store.core.space.register import Change, row_change
from masq_store.core.storage import checkpoint
from masq_store.core.storage.record import CHANGES, CHECKPOINT
from masq_store.engine.ports import Backend
from masq_store.engine.storage import disk_keys
from masq_store.engine.storage.record_sealer import START, Sealer, tag


async def salvage(backend: Backend, sealer: Sealer, profile: str, space: str) -> list[Change]:
    """Return the changes that can be read of a space; each once for each record that holds it."""
    found: list[Change] = []
    covered = START  # what the journal's first record follows
    for content in await _opened(backend, sealer, CHECKPOINT, disk_keys.checkpoint(profile, space), START):
        try:
            covered = checkpoint.decode_head(content)[1].tag
        except UnreadableData:
            found += _rows(content)
    for content in await _opened(backend, sealer, CHANGES, disk_keys.journal(profile, space), covered):
        found += _changes(content)
    return found


async def _opened(backend: Backend, sealer: Sealer, kind: int, prefix: str, previous: bytes) -> list[bytes]:
    """Return the contents of those records under `prefix` that can be opened; `previous`: the tag before the first."""
    contents = []
    try:
        records = await backend.scan(prefix)
    except DamagedData:  # the disk itself has lost one of them, and does not give the others
        return []
    for _, record in records:
        with suppress(UnreadableData):
            contents += await sealer.open(kind, [record], previous)
        previous = tag(record)
    return contents


def _rows(content: bytes) -> Iterator[Change]:
    try:
        yield from map(row_change, codec.decode_checkpoint(content)[0])
    except UnreadableData:
        return


def _changes(content: bytes) -> Iterator[Change]:
    try:
        yield from codec.decode_changes(content)[0]
    except UnreadableData:
        return
