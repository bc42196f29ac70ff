"""The benchmark's Python app: timed loops over the client."""

import asyncio
import time

import masq

VALUE = "v" * 200


class Bench:
    """One connected app; each method but `check` does `count` calls and returns the milliseconds that they took."""

    def __init__(self, address):
        self.address = address
        self.store = None

    async def connect(self):
        """Connect; the page has been allowed before."""
        self.store = await masq.connect(self.address, name="Bench")
        await self.store.set("key0", VALUE)

    async def gets_in_turn(self, count):
        """Get, each after the one before."""
        get = self.store.get
        began = time.perf_counter()
        for _ in range(count):
            await get("key0")
        return _since(began)

    async def gets_at_once(self, count):
        """Get, all under way together."""
        get = self.store.get
        began = time.perf_counter()
        await asyncio.gather(*[get("key0") for _ in range(count)])
        return _since(began)

    async def sets_in_turn(self, count):
        """Set, each once the one before is on disk."""
        write = self.store.set
        began = time.perf_counter()
        for number in range(count):
            await write(f"key{number}", VALUE)
        return _since(began)

    async def sets_at_once(self, count):
        """Set, all under way together, until the last one is on disk."""
        write = self.store.set
        began = time.perf_counter()
        await asyncio.gather(*[write(f"key{number}", VALUE) for number in range(count)])
        return _since(began)

    async def check(self, count):
        """Raise where something else is there than `count` sets have written: then nothing was measured."""
        keys = await self.store.keys("key")
        assert len(keys) == count, f"{len(keys)} keys where {count} were set"
        for number in range(0, count, 99):
            assert await self.store.get(f"key{number}") == VALUE, f"key{number} is not what was set"


def _since(began):
    return (time.perf_counter() - began) * 1000
