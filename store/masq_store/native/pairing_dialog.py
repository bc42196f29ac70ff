"""A pairing as a program drives it: what the person is shown and asked goes through functions of the program."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from masq.errors import from_wire
from masq_store.engine.engine import Engine
from masq_store.engine.store.device_pairing import Pairing

Answer = TypeVar("Answer")


async def take_profile(
    engine: Engine,
    link: str,
    name: str,
    show_code: Callable[[str], None],
    agree: Callable[[str], Coroutine[Any, Any, bool]],
    passphrase: str,
    stay_unlocked: bool,
) -> str:
    """Bring a profile here by a link from a device that has it; return its name. See `Device.take_profile`."""
    return await _driven(
        lambda told: engine.parts.pairings.join(link, told),
        lambda steps: _take(steps, name, show_code, agree, passphrase, stay_unlocked),
    )


async def add_device(
    engine: Engine,
    store: str,
    show_link: Callable[[str], None],
    ask_code: Callable[[bool], Coroutine[Any, Any, str]],
    passphrase: str = "",
) -> str:
    """Give the open profile to another device; return that one's name. See `Device.add_device`."""
    return await _driven(
        lambda told: engine.parts.pairings.invite(store, told, passphrase),
        lambda steps: _give(steps, show_link, ask_code),
    )


async def _take(
    steps: _Steps,
    name: str,
    show_code: Callable[[str], None],
    agree: Callable[[str], Coroutine[Any, Any, bool]],
    passphrase: str,
    stay_unlocked: bool,
) -> str:
    show_code((await steps.reach("show-code"))["code"])
    offered: str = (await steps.reach("ask-take"))["profile"]
    if await steps.ask(agree(offered)):
        await steps.pairing.take(name, passphrase, stay_unlocked)
    else:
        await steps.pairing.refuse()
    await steps.reach("done")
    return offered


async def _give(
    steps: _Steps, show_link: Callable[[str], None], ask_code: Callable[[bool], Coroutine[Any, Any, str]]
) -> str:
    show_link((await steps.reach("waiting"))["link"])
    state = await steps.reach("ask-code")
    while state["state"] == "ask-code":  # again where it was not six digits
        await steps.pairing.confirm(await steps.ask(ask_code(state["again"])))
        state = await steps.reach("ask-code", "given", "done")
    other: str = (await steps.reach("done"))["device"]
    return other


async def _driven(
    begin: Callable[[Callable[[], None]], Awaitable[Pairing]], drive: Callable[[_Steps], Awaitable[str]]
) -> str:
    """Begin a pairing and drive it. Whatever ends that, a cancellation too, the pairing does not go on alone."""
    news = asyncio.Event()
    pairing = await begin(news.set)
    try:
        return await drive(_Steps(pairing, news))
    finally:
        if not pairing.over:
            await pairing.page_gone()


class _Steps:
    """The states of a pairing, as they come."""

    def __init__(self, pairing: Pairing, news: asyncio.Event) -> None:
        self.pairing = pairing
        self._news = news

    async def reach(self, *states: str) -> Mapping[str, Any]:
        """Return the pairing's description once it is in one of these states. Raises what has ended it."""
        while True:
            self._news.clear()
            shown = self.pairing.describe()
            if shown["state"] in states:
                return shown
            if shown["state"] == "ended":
                raise from_wire(shown["error"])
            await self._news.wait()

    async def ask(self, question: Coroutine[Any, Any, Answer]) -> Answer:
        """Return the person's answer. Raises what has ended the pairing, if that comes first."""
        asked = asyncio.ensure_future(question)
        ended = asyncio.ensure_future(self.reach())
        try:
            await asyncio.wait([asked, ended], return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                ended.result()
            return asked.result()
        finally:
            asked.cancel()
            ended.cancel()
