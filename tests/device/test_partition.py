"""Partitions of a browser and the store, where both meet others at a relay."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from asynchronous import run, until
from engine_rig import APP, with_profile
from partition_rig import Apart, first_party, in_step, kept_apart
from partition_scenes import SlowDisk
from patience import seconds
from relay_rig import relay
from skipping import skipping

from masq_store.engine.storage import open_space
from masq_store.native.websocket import NativeNetwork


@pytest.mark.parametrize("way", ["a line", "a relay", "the next grant"])
def test_a_copy_locks_as_the_profile_does_from_now_on(way: str, tmp_path: Path) -> None:
    """A passphrase and a lock time that are set later reach a copy: once its browser was closed nothing opens it."""

    async def story(**options: Any) -> None:
        rig, apart, tab = await kept_apart(**options)
        await tab.call("set", "diary", "a secret thought")
        await in_step(rig, apart)
        if way != "a line":
            apart.cut()
        await rig.engine.commands.change_passphrase("", "correct horse")
        await rig.engine.commands.set_stay_unlocked(False)
        await rig.engine.commands.set_lock_minutes(5)
        if way == "the next grant":
            await apart.connect(tab)
            apart.cut()
        copy = apart.partition.copies[APP]
        await until(lambda: not copy.secrets.grant.stay and copy.secrets.grant.lock_minutes == 5)
        await until(tab.ticket)
        assert [json.loads(record)["device"] for _, record in await apart.backend.scan("copy/")] == [None]
        rig.now += 5 * 60_000
        assert (await tab.call("get", "diary"))[0] == "Locked"
        await tab.status(state="locked")
        await apart.restart()
        later = apart.app(ticket=tab.ticket())
        assert await later.status() == {"state": "locked"}
        await apart.connect(later)
        assert await later.call("get", "diary") == ["a secret thought"]
        await rig.engine.commands.set_stay_unlocked(True, "correct horse")
        await until(lambda: apart.partition.copies[APP].secrets.grant.stay)
        await apart.restart()
        await apart.app().status(state="ready")
        await rig.engine.stop()
        await apart.partition.stop()

    async def story_by_relay() -> None:
        async with relay(tmp_path) as running:
            await story(network=NativeNetwork(), relay=f"ws://127.0.0.1:{running.port}")

    run(story_by_relay()) if way == "a relay" else skipping(story())


@pytest.mark.real_time
async def test_a_partition_meets_others_at_the_relay(tmp_path: Path) -> None:
    """With a relay, a copy whose window is closed stays in step, and hears there that it was withdrawn."""
    async with relay(tmp_path) as running:
        url = f"ws://127.0.0.1:{running.port}"
        rig, apart, tab = await kept_apart(network=NativeNetwork(), relay=url)
        apart.cut()
        await tab.call("set", "by", "relay")
        core = await first_party(rig)
        await until(lambda: core.text("by") == '"relay"')
        await tab.status(sync="live", waiting=0)
        shared = rig.app()
        await shared.status(state="ready")
        await shared.call("set", "back", 1)
        await until(lambda: apart.partition.copies[APP].data.core.text("back") == "1")
        await rig.engine.commands.withdraw(APP)
        await tab.status(state="unregistered")
        await until(lambda: APP not in apart.partition.copies)
        await rig.engine.stop()
        await apart.partition.stop()


@pytest.mark.real_time
async def test_a_wiped_partition_gets_what_the_relay_has(tmp_path: Path) -> None:
    """What was written in a copy by the relay's help is there after the copy, and its window's store, were away."""
    async with relay(tmp_path) as running:
        url = f"ws://127.0.0.1:{running.port}"
        rig, apart, tab = await kept_apart(network=NativeNetwork(), relay=url)
        await in_step(rig, apart)
        apart.cut()
        await rig.engine.stop()  # Firefox: the store's worker ends with its window
        await tab.call("increment", "count", 3)
        await until(lambda: apart.partition.status(APP)["waiting"] == 0)  # its app is told a little later
        await apart.partition.stop()
        await rig.restart()
        wiped = await Apart(rig).start()
        again = await wiped.connected()
        async with asyncio.timeout(seconds(15)):
            while await again.call("get", "count") != [3]:
                await asyncio.sleep(0.01)
        await rig.engine.stop()
        await wiped.partition.stop()


@pytest.mark.real_time
async def test_of_a_copy_that_is_removed_while_it_catches_up_nothing_stays(tmp_path: Path) -> None:
    """What was read last makes the copy write a checkpoint: it is not written behind the copy's erasing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_space, "LEAST_TAIL", 0)
        patch.setattr(open_space, "RECORD_COST", 1 << 20)
        async with relay(tmp_path) as running:
            rig = await with_profile(network=NativeNetwork(), relay=f"ws://127.0.0.1:{running.port}")
            backend = SlowDisk()
            apart = await Apart(rig, backend).start()
            tab = await apart.connected()
            apart.cut()
            store = rig.app()
            await store.status(state="ready")
            await tab.call("set", "y", 1)
            await tab.status(sync="live", waiting=0)
            (copy,) = apart.partition.copies.values()
            open_many, opening, opened = apart.crypto.open_many, asyncio.Event(), asyncio.Event()

            async def later(*arguments: Any) -> list[bytes]:
                opening.set()
                await asyncio.sleep(0.05)
                opened.set()
                return await open_many(*arguments)

            apart.crypto.open_many = later  # type: ignore[method-assign]
            backend.prefix, backend.seconds = copy.data._checkpoint, 0.2
            await store.call("set", "x", 1)
            await opening.wait()
            async with apart.partition._changing:
                await apart.partition._copies.forget(APP)
            await opened.wait()
            await backend.quiet()
            assert not await backend.scan("space/")
            await rig.engine.stop()
            await apart.partition.stop()
