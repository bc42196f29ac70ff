"""Two engines with one profile at a real relay: apps on both see one another's changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from engine_rig import Peer, Rig
from relay_rig import relay, run

from masq_store.native.websocket import NativeNetwork


async def device(port: int, name: str) -> Rig:
    """Start a device that has a relay."""
    return await Rig(name=name, network=NativeNetwork(), relay=f"ws://127.0.0.1:{port}").start()


async def eventually(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], object]) -> Any:
    """Return the first answer that `holds`."""
    async with asyncio.timeout(20):
        while not holds(answer := await ask()):
            await asyncio.sleep(0.01)
    return answer


async def pair(old: Rig, new: Rig) -> None:
    """Bring the old one's profile to the new one, as two persons would at their pages."""
    giving, taking = old.page(), new.page()

    async def state(page: Peer, wanted: str) -> dict[str, Any]:
        found = await eventually(
            lambda: page.call("pairing"), lambda s: s and s["state"] in (wanted, "ended")
        )
        assert found["state"] == wanted, found
        return found

    await giving.call("invite", "http://store.localhost:8000/")
    await taking.call("join", (await state(giving, "waiting"))["link"])
    code = (await state(taking, "show-code"))["code"]
    await state(giving, "ask-code")
    await giving.call("confirm_code", code)
    await state(taking, "ask-take")
    await taking.call("take", "Telephone", "", True)
    await state(taking, "done")
    await state(giving, "done")


def test_a_paired_device_has_the_same_apps_and_data(tmp_path: Path) -> None:
    """After pairing the counter shows the same on both, changes flow both ways, and both list each other."""

    async def scene() -> None:
        async with relay(tmp_path) as running:
            old = await device(running.port, "Laptop")
            counter = await old.approved()
            assert await counter.call("increment", "count", 3) == 3
            new = await device(running.port, "Telephone")
            await pair(old, new)
            other = new.app()
            await other.status(state="ready")
            await other.call("watch", "count", False)
            assert await other.call("get", "count") == [3]
            await other.call("increment", "count", 1)
            await counter.call("increment", "count", 1)
            for tab in (counter, other):
                await eventually(lambda tab=tab: tab.call("get", "count"), lambda found: found == [5])
            told = [
                change
                for heard in other.port.heard
                for _, found in heard.get("changes", ())
                for change in found
            ]
            assert {change[1] for change in told} == {"self", "device"}
            for rig in (old, new):
                await eventually(
                    lambda rig=rig: rig.page().call("overview"), lambda seen: len(seen["devices"]) == 2
                )
            assert [device["name"] for device in old.engine.devices.describe()] == ["Laptop", "Telephone"]
            assert [device["name"] for device in new.engine.devices.describe()] == ["Telephone", "Laptop"]
            for tab in (counter, other):
                await tab.status(sync="live", devices=2)
            await old.engine.stop()
            await new.engine.stop()

    run(scene)
