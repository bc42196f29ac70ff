"""Retries: an engine whose storage fails as it starts is stopped, and another is started in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from masq.errors import StorageUnavailable
from masq_store.core.errors import StorageFailed

PAUSES = (0.25, 1.0, 3.0)
"""Seconds before each further try. An app's `connect`, which waits 30 s, has time for all of them."""

REMEDY = "reload the page, or else start the browser again"


class Startable(Protocol):
    """An engine, the store's or a partition's."""

    async def start(self) -> None:
        """Take up its storage."""

    async def stop(self) -> Any:
        """End what it has begun, and close its storage."""


Engine = TypeVar("Engine", bound=Startable)


async def started(
    make: Callable[[], Awaitable[Engine]], failed: Callable[[str], None], pauses: Sequence[float] = PAUSES
) -> Engine:
    """Return an engine that `make` has made, started. `failed` is told why a try ended that is not the last.

    A browser can fail to give what it holds, and hold it all the same: Firefox did so once, just after it had been
    killed.

    Raises StorageUnavailable where the last try failed so too, and whatever else an engine's start raises.
    """
    for pause in pauses:
        try:
            return await _started(make)
        except StorageFailed as error:
            failed(error.fields["reason"])
            await asyncio.sleep(pause)
    try:
        return await _started(make)
    except StorageFailed as error:
        raise StorageUnavailable(error.fields["reason"], REMEDY) from error


async def _started(make: Callable[[], Awaitable[Engine]]) -> Engine:
    engine = await make()
    try:
        await engine.start()
    except BaseException:
        await engine.stop()  # nothing of it may go on beside the one that takes its place
        raise
    return engine
