"""The benchmark's Python app: timed loops over the client."""

import asyncio
import time

import masq

VALUE = "v" * 200


def milliseconds(began):
    return (time.perf_counter() - began) * 1000


class Bench:
    def __init__(self, address):
        self.address = address
        self.store = None

    async def connect(self):
        self.store = await masq.connect(self.address, name="Bench", button="#connect", timeout=60)
        await self.store.set("key0", VALUE)

    async def gets_in_turn(self, count):
        get = self.store.get
        began = time.perf_counter()
        for _ in range(count):
            await get("key0")
        return milliseconds(began)

    async def gets_at_once(self, count):
        get = self.store.get
        began = time.perf_counter()
        await asyncio.gather(*[get("key0") for _ in range(count)])
        return milliseconds(began)

    async def sets_in_turn(self, count):
        write = self.store.set
        began = time.perf_counter()
        for number in range(count):
            await write("key%d" % number, VALUE)
        return milliseconds(began)

    async def sets_at_once(self, count):
        write = self.store.set
        began = time.perf_counter()
        await asyncio.gather(*[write("key%d" % number, VALUE) for number in range(count)])
        return milliseconds(began)

    async def fill(self, count):
        for start in range(0, count, 1000):
            await self.store.update({"fill/%06d" % n: VALUE for n in range(start, min(start + 1000, count))})
        return count
