"""A throttled call comes once in its time, however often it is asked for, and not at all once it is cancelled."""

from __future__ import annotations

import asyncio

from masq_store.engine.throttle import Throttle


async def test_it_comes_once_in_its_time() -> None:
    """What is asked for several times comes once, and again where it is asked for after that."""
    calls: list[float] = []
    now = asyncio.get_running_loop().time
    began = now()
    throttle = Throttle(10, lambda: calls.append(now() - began))
    throttle.ask()
    await asyncio.sleep(6)
    throttle.ask()
    assert throttle.pending and calls == []
    await asyncio.sleep(6)
    assert not throttle.pending and len(calls) == 1 and 10 <= calls[0] < 11
    throttle.ask()
    await asyncio.sleep(11)
    assert len(calls) == 2


async def test_a_call_that_asks_for_itself_is_periodic() -> None:
    """It comes each time its seconds are over, until it is cancelled."""
    calls: list[int] = []

    def call() -> None:
        throttle.ask()
        calls.append(1)

    throttle = Throttle(10, call)
    throttle.ask()
    await asyncio.sleep(35)
    assert len(calls) == 3
    throttle.cancel()
    await asyncio.sleep(35)
    assert not throttle.pending and len(calls) == 3
    throttle.cancel()  # again: nothing happens
