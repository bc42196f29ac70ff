"""Devices that pair at a relay, with and without a browser."""

from __future__ import annotations

import asyncio

from masq_store.native.device import Device
from masq_store.native.websocket import NativeNetwork


class Persons:
    """The person at both devices: reads the digits on one and types them on the other."""

    def __init__(self, *, typed=None, agrees=True):
        loop = asyncio.get_running_loop()
        self.link, self.code = loop.create_future(), loop.create_future()
        self.offered = None
        self.asked = []
        self._typed = list(typed or [])
        self._agrees = agrees

    async def ask_code(self, again):
        """Return what is typed."""
        self.asked.append(again)
        return self._typed.pop(0) if self._typed else await self.code

    async def agree(self, name):
        """Say whether to take the profile."""
        self.offered = name
        return self._agrees


async def paired(old, new, persons, **choice):
    """Pair two devices; return what each call gave or raised."""
    giving = asyncio.ensure_future(
        old.add_device(show_link=persons.link.set_result, ask_code=persons.ask_code)
    )
    await asyncio.wait([giving, persons.link], return_when=asyncio.FIRST_COMPLETED)
    taking = new.take_profile(
        persons.link.result(), show_code=persons.code.set_result, agree=persons.agree, **choice
    )
    return await asyncio.gather(giving, taking, return_exceptions=True)


async def opened(folder, url, name):
    """Return an open device that meets others at a relay."""
    device = Device(folder, network=NativeNetwork(), name=name, relay=url)
    await device.open()
    return device
