"""What another device has erased: it waits in the trash here for 30 days, sealed, and its person decides."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_rig import APP, OTHER, Peer, Rig
from two_devices import carry, quiet, two

from masq.errors import QuotaExceeded
from masq_store.core.profile.registrations import APP as APPS
from masq_store.engine.storage.trash import KEPT_MS
from masq_store.engine.store.expiry import LOOK_SECONDS

pytestmark = pytest.mark.within(2 * LOOK_SECONDS + 60)


async def holding() -> tuple[Rig, Rig, Peer]:
    """Return two devices with an app; the second one has data of it, and an open tab."""
    first, second, _, _ = await two()
    await first.approved(APP)
    await carry(first, second)
    tab = second.app(APP)
    await tab.status(state="ready")
    for key in ("thesis", "diary"):
        await tab.call("set", key, f"the {key}")
    return first, second, tab


async def raised(first: Rig, second: Rig, by: int = 1) -> None:
    """Let the first device begin the app's data anew, as many times, and the second one hear of it."""
    first.now += 5000
    profile = first.engine.profile
    assert profile is not None
    app = profile.apps()[APP]
    await profile.write_home([(APPS + APP, {**app, "generation": app["generation"] + by})], first.now)
    await carry(first, second)
    await quiet(second)


async def trash(rig: Rig) -> list[dict[str, Any]]:
    """Return what the pages show of it."""
    found: list[dict[str, Any]] = (await rig.page().call("overview"))["trash"]
    return found


def on_disk(rig: Rig, space: str) -> bool:
    """Say whether anything of a space is on a device's disk."""
    return any(space in key for key in rig.backend.disk.stored)


@pytest.mark.parametrize("way", ["erased", "withdrawn", "raised by 5", "killed", "no room"])
async def test_what_another_device_erases_waits_in_the_trash(way: str) -> None:
    """However it was erased, and whatever happened meanwhile: the app is empty, and the pages list what it had."""
    first, second, tab = await holding()
    if way == "killed":
        second.engine.parts.watch._take_apps = lambda profile: asyncio.sleep(0)  # type: ignore[assignment, method-assign, return-value]
    if way == "no room":

        async def full(trashed: Any) -> None:
            raise QuotaExceeded("this device's storage is full", 1)

        second.engine.profile.trash.add = full  # type: ignore[method-assign, union-attr]
    if way in ("erased", "withdrawn"):
        first.now += 5000
        await first.page().call("withdraw", APP, True)
        if way == "erased":
            await first.approved(APP)
        await carry(first, second)
        await quiet(second)
    else:
        await raised(first, second, 5 if way == "raised by 5" else 1)
    if way in ("killed", "no room"):
        await second.restart()
        tab = second.app(APP)
    if way != "withdrawn":
        await tab.status(state="ready")
        assert await tab.call("items", "") == []
    else:
        await tab.status(state="unregistered")
    (kept,) = await trash(second)
    about = {name: kept[name] for name in ("origin", "name", "keys")}
    assert about == {"origin": APP, "name": "Counter", "keys": 2}
    assert kept["bytes"] > 0 and kept["until_ms"] - kept["ms"] == KEPT_MS and kept["ms"] == second.now
    disk = b"".join(content for key, content in second.backend.disk.stored.items() if "trash" in key)
    assert disk and b"thesis" not in disk and b"Counter" not in disk and APP.encode() not in disk
    await second.restart()
    assert await trash(second) == [kept]


@pytest.mark.parametrize("begun", [False, True])
async def test_what_is_in_the_trash_can_be_put_back(begun: bool) -> None:
    """It is the app's data again, also beside what the app has begun since, of which nothing older wins."""
    first, second, tab = await holding()
    await raised(first, second)
    await tab.status(state="ready")
    second.now += 10_000
    if begun:
        await tab.call("set", "diary", "a new one")
    (kept,) = await trash(second)
    page = second.page()
    assert await page.call("put_back", kept["id"]) is None
    wanted = [["diary", "a new one" if begun else "the diary"], ["thesis", "the thesis"]]
    assert sorted(await tab.call("items", "")) == wanted
    assert await trash(second) == [] and not on_disk(second, kept["id"])
    assert (await page.call("put_back", kept["id"]))[0] == "InvalidValue"
    await second.restart()
    tab = second.app(APP)
    await tab.status(state="ready")
    assert sorted(await tab.call("items", "")) == wanted and await trash(second) == []


async def test_what_is_put_back_of_an_app_that_is_not_known_any_more_is_kept() -> None:
    """Withdrawn, or off the list altogether: it is among what withdrawn apps have left."""
    first, second, _tab = await holding()
    first.now += 5000
    await first.page().call("withdraw", APP, True)
    await carry(first, second)
    await quiet(second)
    for step in range(2):
        (kept,) = await trash(second)
        await second.page().call("put_back", kept["id"])
        (left,) = (await second.page().call("overview"))["kept"]
        assert left["keys"] == 2
        if step == 0:
            await raised(first, second)
            second.now += 60_000
            await second.engine.profile.write_home([(APPS + APP, None)], second.now)  # type: ignore[union-attr]


async def test_what_is_in_the_trash_can_be_erased_at_once() -> None:
    """Nothing of it is on the disk then."""
    first, second, _tab = await holding()
    await raised(first, second)
    (kept,) = await trash(second)
    assert on_disk(second, kept["id"])
    page = second.page()
    assert await page.call("erase_trash", kept["id"]) is None
    assert await trash(second) == [] and not on_disk(second, kept["id"])
    assert (await page.call("erase_trash", kept["id"]))[0] == "InvalidValue"
    assert (await page.call("erase_trash", None))[0] == "InvalidValue"


@pytest.mark.parametrize("way", ["at work", "started"])
async def test_the_trash_is_emptied_after_30_days(way: str) -> None:
    """Not a moment sooner, by the hour or at the next start."""
    first, second, _tab = await holding()
    await raised(first, second)
    (kept,) = await trash(second)
    second.now = kept["until_ms"] - 1
    await second.engine.parts.expiry.look()
    await second.restart()
    assert await trash(second) == [kept]
    second.now += 1
    if way == "started":
        await second.restart()
    else:
        await asyncio.sleep(LOOK_SECONDS + 1)
    assert await trash(second) == [] and not on_disk(second, kept["id"])


async def test_what_is_in_use_again_is_not_emptied() -> None:
    """A device that had not heard writes the earlier generation again, later: it is the app's data, and stays."""
    first, second, tab = await holding()
    await raised(first, second)
    (kept,) = await trash(second)
    await raised(first, second, -1)
    await tab.status(state="ready")
    assert len(await tab.call("items", "")) == 2
    second.now = kept["until_ms"] + 1
    await second.engine.parts.expiry.look()
    await second.restart()
    tab = second.app(APP)
    await tab.status(state="ready")
    assert len(await tab.call("items", "")) == 2 and await trash(second) == []


async def test_what_the_person_erases_here_needs_no_trash() -> None:
    """They were asked: it is gone at once, and the trash is of another app."""
    first, second, tab = await holding()
    other = await second.approved(OTHER)
    await other.call("set", "k", 1)
    spaces = {key.split("/")[2] for key in second.backend.disk.stored if key.startswith("space/")}
    await second.page().call("withdraw", OTHER, True)
    await second.restart()
    left = {key.split("/")[2] for key in second.backend.disk.stored if key.startswith("space/")}
    assert await trash(second) == [] and len(spaces - left) == 1
    del first, tab


async def test_an_empty_app_leaves_nothing_in_the_trash() -> None:
    """There is nothing to put back."""
    first, second, tab = await holding()
    await tab.call("clear", "")
    await raised(first, second)
    assert await trash(second) == []


async def test_what_cannot_be_read_is_kept_in_the_trash_too() -> None:
    """How much it is cannot be said, and it cannot be put back; it can be erased."""
    first, second, _tab = await holding()
    await second.restart()
    profile = second.engine.profile
    assert profile is not None
    space = await profile.space(APP)
    mine = space._journal.split("/")[2]
    profile.release(APP)
    await second.restart()
    stored = second.backend.disk.stored
    for key in [key for key in stored if mine in key]:
        stored[key] = stored[key][:-1] + bytes([stored[key][-1] ^ 1])
    await raised(first, second)
    (kept,) = await trash(second)
    assert kept["keys"] is None and kept["bytes"] is None
    page = second.page()
    assert (await page.call("put_back", kept["id"]))[0] == "DamagedData"
    assert await trash(second) == [kept]
    await page.call("erase_trash", kept["id"])
    assert not on_disk(second, kept["id"])


async def test_a_profile_that_is_deleted_takes_its_trash_along() -> None:
    """Nothing of it is on the disk then."""
    first, second, _tab = await holding()
    await raised(first, second)
    profile = second.engine.profile
    assert profile is not None and await trash(second) != []
    await second.page().call("delete_profile", profile.id)
    assert not on_disk(second, profile.id)


async def test_what_a_newer_backup_replaces_waits_in_the_trash() -> None:
    """The app was erased and begun anew since: its data is the backup's, and what was here can be put back."""
    first, second, tab = await holding()
    first.now += 5000
    await first.page().call("withdraw", APP, True)
    new = await first.approved(APP)
    await new.call("set", "new", 1)
    backup = await first.engine.commands.write_backup("file")
    found = await second.engine.commands.read_backup(backup, "file")
    assert (await second.engine.commands.restore(found)).moved == [APP]
    await tab.status(state="ready")
    assert await tab.call("keys", "") == ["new"]
    (kept,) = await trash(second)
    assert kept["keys"] == 2
    await second.page().call("put_back", kept["id"])
    assert await tab.call("keys", "") == ["diary", "new", "thesis"]
