"""What the parts of a partition's engine share: the device's ports and clock, and what works for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from masq_store.engine.ports import Backend, Crypto
from masq_store.engine.relay.relays import Relays
from masq_store.engine.storage.writer import Writer
from masq_store.engine.tasks import Tasks


class Services(NamedTuple):
    """The services that all parts of the engine share; none of them knows who uses it."""

    backend: Backend
    crypto: Crypto
    now_ms: Callable[[], int]
    """The device's clock."""
    persistent: bool
    """Whether the browser has promised to keep the storage."""
    writer: Writer
    relays: Relays | None
    """None where there is no network."""
    tasks: Tasks
    changing: asyncio.Lock
    """Held while it changes which copies are open."""
