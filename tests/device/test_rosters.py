"""What a copy hears by its roster where no window is open: at a relay."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from asynchronous import run, until
from engine_rig import APP, Peer, Rig
from partition_rig import Apart, first_party
from patience import seconds
from relay_rig import relay
from roster_scenes import (
    FACTS,
    LOOSE,
    PASSPHRASE,
    SETTINGS,
    by_relay,
    closed,
    connected,
    hostile,
    poisoned,
    running_url,
)
from skipping import skipping

from masq_store.engine.pages.overview import overview
from masq_store.engine.partition.app_copy import AppCopy
from masq_store.native.websocket import NativeNetwork


@pytest.mark.real_time
async def test_a_roster_moves_no_copy(tmp_path: Path) -> None:
    """A copy meets the others where a window has said; if the roster names another place, its app shows "off"."""
    async with (
        by_relay(tmp_path / "good") as (rig, apart, tab, copy, running),
        relay(tmp_path / "evil") as evil,
    ):
        await hostile(apart, copy, {"app": {**FACTS, "relay": running_url(evil)}})
        await tab.status(sync="off")
        await tab.call("set", "k", 1)
        core = await first_party(rig)
        await until(lambda: core.text("k") == "1")
        assert copy.secrets.grant.relay == running_url(running) and not evil.relay.rooms.by_key
        await apart.connect(tab)
        await rig.page().call("set_relay", running_url(evil))
        await until(lambda: copy.secrets.grant.relay == running_url(evil) and evil.relay.rooms.by_key)
        await rig.page().call("rename_profile", "Anna")
        await tab.status(profile="Anna")


@pytest.mark.real_time
async def test_a_withdrawal_is_said_whatever_stands_in_the_roster(tmp_path: Path) -> None:
    """With the last stamp under every key that the store writes, a copy without a window hears that its app is none."""
    async with relay(tmp_path) as running:
        rig, apart, tab, copy = await connected(
            network=NativeNetwork(), relay=f"ws://127.0.0.1:{running.port}"
        )
        await closed(apart, copy)
        await until(lambda: copy.state == "live")
        rows = {"app": FACTS | {"relay": running_url(running)}, f"policy/{copy.identity}": LOOSE}
        await poisoned(rig, apart, copy, {**rows, f"removed/{copy.identity}": None})
        await rig.engine.commands.set_lock_minutes(5)
        await until(lambda: copy.policy.minutes == 5)
        await rig.engine.commands.withdraw(APP)
        await tab.status(state="unregistered")
        await until(lambda: not apart.partition.copies)
        assert not any(each["unheard"] for each in (await overview(rig.engine.parts))["copies"])
        await rig.engine.stop()
        await apart.partition.stop()


@pytest.mark.real_time
@pytest.mark.parametrize("stay", [False, True])
async def test_lock_now_locks_a_copy_without_a_window(stay: bool, tmp_path: Path) -> None:
    """A copy hears by the relay that the store was locked since it was opened; the next click opens it."""
    async with by_relay(tmp_path, stay=stay) as (rig, apart, tab, copy, running):
        await tab.call("set", "k", 1)
        page, ticket = rig.page(), tab.ticket()
        for _ in range(2):
            await page.call("lock")
            assert rig.engine.profile is None
            await tab.status(state="locked")
            assert (await tab.call("get", "k"))[0] == "Locked"
            await page.call("unlock", PASSPHRASE, False)
            await asyncio.sleep(0.3)
            assert tab.statuses()[-1]["state"] == "locked"
            await apart.connect(tab)
            assert await tab.call("get", "k") == [1]
            await closed(apart, apart.partition.copies[APP])
            await until(lambda: apart.partition.copies[APP].state == "live")
        await page.call("lock")
        await tab.status(state="locked")
        await apart.restart()  # opens what stays unlocked, here as in the store, and nothing else
        again = apart.app(ticket=ticket or "")
        await again.status(state="ready" if stay else "locked")
        await asyncio.sleep(0.3)  # it reads at the relay what it had heard before
        assert again.statuses()[-1]["state"] == ("ready" if stay else "locked")


@pytest.mark.real_time
async def test_lock_now_does_not_wait_for_a_relay_that_is_away(tmp_path: Path) -> None:
    """The store is locked at once; the copy hears of it when both have met the relay again."""
    async with by_relay(tmp_path) as (rig, apart, tab, copy, running):
        await running.relay.stop()
        await until(lambda: rig.engine.parts.sync.state(APP) == "offline")
        async with asyncio.timeout(seconds(2)):
            await rig.engine.commands.lock()
        assert tab.statuses()[-1]["state"] == "ready"


@pytest.mark.real_time
async def test_what_is_not_synced_here_leaves_the_copy_here_neither(tmp_path: Path) -> None:
    """Switched off in the store, the sync is off in the copy; only a click in the app makes it send again."""
    async with by_relay(tmp_path) as (rig, apart, tab, copy, running):
        page = rig.page()
        await page.call("set_sync", APP, False)
        await tab.status(sync="off")
        await tab.call("set", "private", 1)
        assert await tab.status(waiting=1)
        await page.call("set_sync", APP, True)
        await until(lambda: rig.engine.parts.sync.state(APP) == "live")
        await asyncio.sleep(0.5)
        assert (await first_party(rig)).text("private") is None
        assert tab.statuses()[-1]["sync"] == "off"
        await apart.connect(tab)
        assert (await first_party(rig)).text("private") == "1"
        await closed(apart, copy)
        await tab.status(sync="live", waiting=0)


@pytest.mark.parametrize("way", ["a line", "a relay"])
@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_reaches_a_copy(name: str, way: str, tmp_path: Path) -> None:
    """By the line to a window of the store, and by the relay where none is open."""
    arguments, reached = SETTINGS[name]

    async def decide(rig: Rig, apart: Apart, tab: Peer, copy: AppCopy, running: Any = None) -> None:
        page, active = rig.page(), rig.engine.vault.active
        assert active is not None
        stand = {"copy": copy.identity, "profile": active["id"]}
        if name == "change_passphrase":
            await page.call("set_lock_minutes", 5)
            assert copy.policy.minutes == 0  # there is nothing to lock it with
        said = [stand.get(each, each) if isinstance(each, str) else each for each in arguments]
        answer = await page.call(name, *said)
        assert not isinstance(answer, list), answer
        await until(lambda: reached(rig, apart, copy))

    passphrase = "" if name == "change_passphrase" else PASSPHRASE

    async def by_line() -> None:
        await decide(*await connected(passphrase, stay=True, relay="wss://relay.example"))

    async def by_a_relay() -> None:
        async with by_relay(tmp_path, passphrase=passphrase, stay=True) as met:
            await decide(*met)

    if way == "a relay":
        run(by_a_relay())
    else:
        skipping(by_line())
