"""Two engines with one profile at a real relay: apps on both see one another's changes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from asynchronous import eventually
from engine_rig import APP, Rig
from relay_rig import relay
from two_devices import device, pair, paired

from masq.errors import QuotaExceeded
from masq_store.core.space.space_ref import HOME
from masq_store.engine.store import profile_sync

pytestmark = pytest.mark.real_time


async def devices(rig: Rig) -> list[dict[str, Any]]:
    """Return the devices as the pages show them."""
    listed: list[dict[str, Any]] = (await rig.page().call("overview"))["devices"]
    return listed


async def test_a_paired_device_has_the_same_apps_and_data(tmp_path: Path) -> None:
    """After pairing the counter shows the same on both, changes flow both ways, and both list each other."""
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

        async def sources() -> set[str]:
            heard = [found for each in other.port.heard for _, found in each.get("changes", ())]
            return {change[1] for found in heard for change in found}

        # What is in memory is read at once, and told once it is on the disk.
        await eventually(sources, lambda found: found == {"self", "device"})
        for rig in (old, new):
            await eventually(
                lambda rig=rig: rig.page().call("overview"), lambda seen: len(seen["devices"]) == 2
            )
        assert [device["name"] for device in old.engine.parts.devices.describe()] == [
            "Laptop",
            "Telephone",
        ]
        assert [device["name"] for device in new.engine.parts.devices.describe()] == [
            "Telephone",
            "Laptop",
        ]
        for tab in (counter, other):
            await tab.status(sync="live", devices=2)
        await old.engine.stop()
        await new.engine.stop()


async def test_each_device_shows_which_others_are_there(tmp_path: Path) -> None:
    """A paired device is shown as connected while it is, and not any more once it has left."""
    async with relay(tmp_path) as running:
        old, _, new = await paired(running.port)

        async def online(rig: Rig) -> dict[str, bool]:
            return {one["name"]: one["online"] for one in (await rig.page().call("overview"))["devices"]}

        await eventually(lambda: online(old), lambda seen: seen.get("Telephone"))
        await eventually(lambda: online(new), lambda seen: seen.get("Laptop"))
        await new.engine.stop()
        await eventually(lambda: online(old), lambda seen: not seen["Telephone"])
        await old.engine.stop()


async def test_a_relay_that_keeps_devices_apart_shows_as_their_silence(tmp_path: Path) -> None:
    """A relay that shows two devices different logs says that all is well; each tells when it last heard the other."""
    async with relay(tmp_path / "one") as one, relay(tmp_path / "two") as two:
        old, _, new = await paired(one.port)
        then = old.now

        async def heard(rig: Rig) -> dict[str, int | None]:
            return {each["name"]: each["seen_ms"] for each in await devices(rig)}

        for rig in (old, new):
            await eventually(lambda rig=rig: heard(rig), lambda seen: list(seen.values()) == [then, then])
        await new.engine.stop()
        for rig in (old, new):
            rig.now += 3 * 86_400_000
        new.relay = f"ws://127.0.0.1:{two.port}"  # as a fork would: another log of the same rooms
        await new.restart()
        for rig, other in ((old, "Telephone"), (new, "Laptop")):
            await rig.engine.parts.devices.note_seen(0)
            seen = await eventually(
                lambda rig=rig: heard(rig),
                lambda seen, now=rig.now: max(filter(None, seen.values())) == now,
            )
            assert seen[other] == then
            await eventually(
                lambda rig=rig: rig.page().call("overview"), lambda seen: seen["sync"]["state"] == "live"
            )
            assert not next(each for each in await devices(rig) if each["name"] == other)["online"]
        await old.engine.stop()
        await new.engine.stop()


async def test_withdrawing_erasing_and_removing_reach_the_other_device(tmp_path: Path) -> None:
    """What the person decides on one device holds on the other; one that was removed is in step no more."""
    async with relay(tmp_path) as running:
        old = await device(running.port, "Laptop")
        counter = await old.approved()
        await counter.call("set", "secret", "words")
        new = await device(running.port, "Telephone")
        await pair(old, new)
        tab = new.app()
        await tab.status(state="ready")
        assert await tab.call("get", "secret") == ["words"]
        await old.page().call("withdraw", APP, True)
        await tab.status(state="unregistered")
        again = await old.approved()
        await tab.status(state="ready")
        assert await tab.call("get", "secret") == [] == await again.call("get", "secret")
        await again.call("set", "secret", "other words")
        await eventually(lambda: tab.call("get", "secret"), lambda found: found == ["other words"])
        (telephone,) = [one["id"] for one in await devices(old) if one["name"] == "Telephone"]
        await old.page().call("remove_device", telephone)
        await tab.status(state="locked")
        seen = await eventually(lambda: new.page().call("overview"), lambda seen: seen["removed"])
        assert seen["removed"]["state"] == "ask"
        await eventually(lambda: new.page().call("keep_removed"), lambda found: found is None)
        await tab.status(state="ready", sync="off")
        await again.call("set", "secret", "for the others")
        assert await tab.call("get", "secret") == ["other words"]
        assert [one["name"] for one in await devices(old)] == ["Laptop"]
        await old.engine.stop()
        await new.engine.stop()


async def test_an_app_that_is_not_synced_here_keeps_to_itself(tmp_path: Path) -> None:
    """With its switch off, changes stay on the device; switched on again, both sides have everything."""
    async with relay(tmp_path) as running:
        old, counter, new = await paired(running.port)
        tab = new.app()
        await tab.status(state="ready", sync="live")
        await new.page().call("set_sync", APP, False)
        await tab.status(sync="off", devices=1)
        await counter.status(sync="live", devices=1)
        await tab.call("increment", "n", 1)
        await counter.call("increment", "n", 10)
        await eventually(lambda: counter.status(sync="live"), lambda status: status)
        assert await tab.call("get", "n") == [1]
        await new.page().call("set_sync", APP, True)
        for each in (tab, counter):
            await eventually(lambda each=each: each.call("get", "n"), lambda found: found == [11])
        await old.engine.stop()
        await new.engine.stop()


async def test_another_relay_is_told_to_all_devices(tmp_path: Path) -> None:
    """A relay set on one device is used by the other too, and no relay at all is a choice."""
    async with relay(tmp_path / "one") as first, relay(tmp_path / "two") as second:
        old, counter, new = await paired(first.port)
        tab = new.app()
        await tab.status(state="ready", sync="live")
        address = f"ws://127.0.0.1:{second.port}"
        await old.page().call("set_relay", address)
        for rig in (old, new):
            await eventually(
                lambda rig=rig: rig.page().call("overview"),
                lambda seen: seen["sync"]["relay"]["url"] == address and seen["sync"]["state"] == "live",
            )
        await counter.call("set", "k", "there")
        await eventually(lambda: tab.call("get", "k"), lambda found: found == ["there"])
        await old.page().call("set_relay", "")
        for each in (counter, tab):
            await each.status(sync="off")
        await old.engine.stop()
        await new.engine.stop()


async def test_another_relay_is_told_also_while_something_is_read(tmp_path: Path) -> None:
    """A device that goes to another relay says so first, although it is just reading what others have written."""
    async with relay(tmp_path / "one") as first, relay(tmp_path / "two") as second:
        old, _, new = await paired(first.port)
        page = old.page()
        for rig in (old, new):
            await eventually(
                lambda rig=rig: rig.page().call("overview"),
                lambda seen: seen["sync"]["state"] == "live" and not seen["sync"]["waiting"],
            )
        home = old.engine.parts.sync._home
        assert home is not None
        home._merging = True  # as it is for a moment whenever something comes
        assert home.state == "catching-up"
        seal = home._keys.seal

        async def slowly(*said: Any) -> bytes:
            for _ in range(100):  # trips of the event loop
                await asyncio.sleep(0)
            return await seal(*said)

        home._keys.seal = slowly  # type: ignore[method-assign]
        await page.call("set_relay", f"ws://127.0.0.1:{second.port}")
        await eventually(
            lambda: new.page().call("overview"),
            lambda seen: seen["sync"]["relay"]["url"] == f"ws://127.0.0.1:{second.port}",
        )
        home._merging = False
        await old.engine.stop()
        await new.engine.stop()


async def test_a_device_that_deletes_its_profile_leaves_the_list(tmp_path: Path) -> None:
    """Deleting a profile on one device takes the device off the others' lists, and leaves them their data."""
    async with relay(tmp_path) as running:
        old = await device(running.port, "Laptop")
        counter = await old.approved()
        await counter.call("set", "k", "v")
        new = await device(running.port, "Telephone")
        await pair(old, new)
        await new.page().call("delete_profile", new.engine.profile.id)
        assert (await new.page().call("overview"))["profiles"] == []
        await eventually(lambda: devices(old), lambda listed: [one["name"] for one in listed] == ["Laptop"])
        assert await counter.call("get", "k") == ["v"]
        await old.engine.stop()
        await new.engine.stop()


async def test_a_disk_without_room_at_the_start_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an app's space could not be taken up, it is a little later, without anybody doing anything."""
    monkeypatch.setattr(profile_sync, "AGAIN_SECONDS", 0.1)
    async with relay(tmp_path) as running:
        old = await device(running.port, "Laptop")
        failures = [QuotaExceeded("this device's storage is full", 1)] * 2  # the home space's, and the app's
        real = profile_sync.ProfileSync._start

        async def start(self: Any, *arguments: Any) -> Any:
            if failures and (len(failures) == 2) is (HOME in arguments):
                raise failures.pop()
            return await real(self, *arguments)

        monkeypatch.setattr(profile_sync.ProfileSync, "_start", start)
        counter = await old.approved()
        await counter.status(sync="live")
        assert not failures
        await old.engine.stop()
