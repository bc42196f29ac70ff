"""An app that its person has connected in a partition: its tab, and what the store and the copy hold."""

from __future__ import annotations

import asyncio
from typing import Any

from asynchronous import until
from memory import MemoryBackend


class SlowDisk(MemoryBackend):
    """A disk that takes its time for what stands under a prefix: seconds to write it, and to say that it has."""

    prefix, seconds, says = "", 0.0, 0.0
    under_way = 0

    async def write(self, puts: Any, drops: Any = ()) -> None:
        """Write, later."""
        slow = any(key.startswith(self.prefix) for key, _ in puts)
        self.under_way += 1
        await asyncio.sleep(self.seconds * slow)
        await super().write(puts, drops)
        await asyncio.sleep(self.says * slow)
        self.under_way -= 1

    async def quiet(self) -> None:
        """Return once nothing is being written, and nothing comes after it."""
        for _ in range(3):
            for _ in range(50):
                await asyncio.sleep(0)
            await until(lambda: not self.under_way)
