"""Tickets, which open a profile of the store, or a copy in a partition, for the worker after this one.

A ticket (see `AutoLock`) opens for whoever holds its two halves: a text, and the root key wrapped under it on the disk.
The half on the disk says when the engine was last at work; once that is too long ago it is erased by whoever comes by,
so that files copied later hold none.
"""

from __future__ import annotations

import json
from contextlib import suppress

from masq_store.core.crypto import key_schedule
from masq_store.core.errors import DamagedData
from masq_store.engine.ports import Backend, Crypto
from masq_store.engine.profile.wrapping import Sealed, Wrapping, content, text
from masq_store.engine.storage import disk_keys

TICKET_SECONDS = 60
"""How long a ticket opens a profile after the engine that gave it out was last at work.

A reload takes seconds; a browser that brings its windows back after a restart must not bring this back too."""


class Tickets:
    """The tickets' halves on a disk. `owner`: a profile's id, or the name of an enrolment of a partition's."""

    def __init__(self, backend: Backend, crypto: Crypto) -> None:
        self._backend = backend
        self._crypto = crypto

    async def issue(self, owner: str, root: bytes, now_ms: int) -> str:
        """Return a new ticket, which opens what `root` is the key of, for a little while. Raises QuotaExceeded."""
        ticket = text(self._crypto.random(key_schedule.SECRET_BYTES))
        await self.keep(owner, root, ticket, now_ms)
        return ticket

    async def keep(self, owner: str, root: bytes, ticket: str, now_ms: int) -> None:
        """Write what a ticket opens: its time begins anew. Raises QuotaExceeded."""
        wrapped = await Wrapping(self._crypto, owner).by_ticket(root, content(ticket))
        await self._write(owner, wrapped, now_ms)

    async def renew(self, owner: str, now_ms: int) -> None:
        """Note that the engine is at work: the time of a ticket that is there begins anew. Raises QuotaExceeded."""
        kept = await self._backend.read(disk_keys.ticket(owner))
        if kept is not None:
            await self._write(owner, json.loads(kept), now_ms)

    async def root(self, owner: str, ticket: str, now_ms: int) -> bytes | None:
        """Return the root key that a ticket opens; None where it does not fit, or its time is over."""
        kept = await self._backend.read(disk_keys.ticket(owner))
        if kept is None or not _opens(kept, now_ms):
            return None
        try:
            return await Wrapping(self._crypto, owner).open_by_ticket(json.loads(kept), content(ticket))
        except (DamagedData, ValueError):  # another ticket, or no base64
            return None

    async def drop(self, owner: str) -> None:
        """Let no ticket open it any more."""
        name = disk_keys.ticket(owner)
        with suppress(DamagedData):  # what cannot be read goes, too
            if await self._backend.read(name) is None:
                return
        await self._backend.write([], [(name, name + "\0")])

    async def _write(self, owner: str, wrapped: Sealed, now_ms: int) -> None:
        record = json.dumps({**wrapped, "at_ms": now_ms}).encode()
        await self._backend.write([(disk_keys.ticket(owner), record)])


async def sweep(backend: Backend, now_ms: int) -> bool:
    """Erase what is on the disk of tickets whose time is over; say whether others are left.

    Raises what the disk raises, but for what it has lost.
    """
    try:
        kept = await backend.scan(disk_keys.TICKETS)
    except DamagedData:
        await backend.write([], [(disk_keys.TICKETS, disk_keys.TICKETS + "\uffff")])
        return False
    over = [name for name, record in kept if not _opens(record, now_ms)]
    if over:
        await backend.write([], [(name, name + "\0") for name in over])
    return len(over) < len(kept)


def _opens(record: bytes, now_ms: int) -> bool:
    """Say whether a ticket's half on the disk still opens. One of a clock that was set back does not."""
    try:
        return 0 <= now_ms - int(json.loads(record)["at_ms"]) <= 1000 * TICKET_SECONDS
    except (ValueError, TypeError, LookupError):
        return False
