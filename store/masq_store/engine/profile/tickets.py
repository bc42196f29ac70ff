"""How long a ticket is good, and the end of those that are not any more: of a store's profiles, and of a partition's.

A ticket (see `Rest`) opens for whoever holds its two halves. The half on the disk says when the engine was last at
work; once that is too long ago it is erased by whoever comes by, so that files copied later hold none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from masq_store.core.errors import DamagedData
from masq_store.engine.ports import Backend
from masq_store.engine.storage import disk_keys as disk

TICKET_SECONDS = 60
"""How long a ticket opens a profile after the engine that gave it out was last at work.

A reload takes seconds; a browser that brings its windows back after a restart must not bring this back too."""


def is_good(ticket: Mapping[str, Any], now_ms: int) -> bool:
    """Say whether a ticket's half on the disk still opens. One of a clock that was set back does not."""
    return 0 <= now_ms - int(ticket["at_ms"]) <= 1000 * TICKET_SECONDS


async def sweep(backend: Backend, now_ms: int) -> bool:
    """Erase what is on the disk of tickets whose time is over; say whether others are left.

    Raises what the disk raises, but for what it has lost.
    """
    try:
        kept = await backend.scan(disk.TICKETS)
    except DamagedData:
        await backend.write([], [(disk.TICKETS, disk.TICKETS + "\uffff")])
        return False
    over = [name for name, content in kept if not _opens(content, now_ms)]
    if over:
        await backend.write([], [(name, name + "\0") for name in over])
    return len(over) < len(kept)


def _opens(content: bytes, now_ms: int) -> bool:
    try:
        return is_good(json.loads(content), now_ms)
    except (ValueError, TypeError, LookupError):
        return False
