"""Several profiles on one device: each with its own apps and data, one of them active."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine_rig import APP, OTHER, Rig

from masq.errors import QuotaExceeded
from masq_store.engine.profile import key_renewal
from masq_store.engine.profile.profile import Profile
from masq_store.engine.profile.vault import Vault
from masq_store.engine.storage.writer import Writer
from masq_store.engine.store.auto_lock import AutoLock
from masq_store.engine.store.device_list import DeviceList
from masq_store.engine.store.profile_sync import ProfileSync

pytestmark = pytest.mark.within(60)


def of_profile(rig: Rig, profile_id: str) -> dict[str, bytes]:
    """Return everything on the disk that bears the profile's id."""
    return {key: content for key, content in rig.backend.disk.stored.items() if profile_id in key}


async def two(rig: Rig) -> tuple[Any, str, str]:
    """Make Ann, who has approved the counter, and then Bob; return a page and both ids. Bob is active."""
    tab = await rig.approved(APP)
    await tab.call("set", "whose", "Ann's")
    page = rig.page()
    ann = (await page.call("overview"))["profile"]["id"]
    bob = (await page.call("create_profile", "Bob", "", True))["profile"]["id"]
    return page, ann, bob


async def test_a_new_profile_starts_empty_and_is_active() -> None:
    """A further profile has no apps; the app that the first one approved is a stranger there."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    await tab.call("watch", "", False)
    page = rig.page()
    seen = await page.call("create_profile", "Bob", "", True)
    assert seen["profile"]["name"] == "Bob" and seen["apps"] == []
    assert [(each["name"], each["active"]) for each in seen["profiles"]] == [
        ("Ann", False),
        ("Bob", True),
    ]
    await tab.status(state="unregistered")
    assert (await tab.call("get", "whose"))[0] == "NotRegistered"


async def test_switching_takes_an_app_to_the_other_profiles_data() -> None:
    """An app that both have approved reads, after a switch, what the other one's holds; watches tell the difference."""
    rig = await Rig().start()
    page, ann, bob = await two(rig)
    tab = await rig.approved(APP)
    assert await tab.call("get", "whose") == []
    await tab.calls(("set", "whose", "Bob's"), ("set", "only", "Bob"), ("watch", "", False))
    watch = tab.number
    await page.call("switch_profile", ann)
    await tab.status(profile="Ann")
    assert await tab.call("get", "whose") == ["Ann's"]
    changes = [
        change
        for message in tab.port.heard
        for number, listed in message.get("changes", [])
        for change in listed
        if number == watch and change[1] != "self"  # its own writes, before
    ]
    assert sorted(changes) == [["only", "tab"], ["whose", "tab", "Ann's"]]
    await page.call("switch_profile", bob)
    await tab.status(profile="Bob")
    assert await tab.call("items", "") == [["only", "Bob"], ["whose", "Bob's"]]


async def test_writes_on_their_way_stay_with_their_profile() -> None:
    """What an app wrote before a switch is in the profile that was open; what it writes after, in the other."""
    rig = await Rig().start()
    page, ann, bob = await two(rig)
    tab = await rig.approved(APP)
    writes = [asyncio.create_task(tab.call("set", f"k{n}", n)) for n in range(20)]
    await asyncio.sleep(0)
    switching = asyncio.create_task(page.call("switch_profile", ann))
    late = []
    for n in range(20):
        await asyncio.sleep(0)
        late.append(asyncio.create_task(tab.call("set", f"late{n}", n)))
    await switching
    assert await asyncio.gather(*writes, *late) == [None] * 40
    await tab.status(profile="Ann")
    in_ann = {key for key, _ in await tab.call("items", "")}
    await page.call("switch_profile", bob)
    await tab.status(profile="Bob")
    in_bob = {key for key, _ in await tab.call("items", "")}
    assert {f"k{n}" for n in range(20)} <= in_bob
    assert in_ann & in_bob == set() and len(in_ann | in_bob) == 41  # and Ann's "whose"


async def test_an_open_page_shows_nothing_of_the_profile_before() -> None:
    """A page that looks at an app's data hears no more of it, and can read nothing of it, after a switch."""
    rig = await Rig().start()
    page, ann, _ = await two(rig)
    await page.call("switch_profile", ann)
    assert (await page.call("entries", APP, "", "", 10))["entries"] == [["whose", "Ann's"]]
    await page.call("create_profile", "Cleo", "", True)
    assert (await page.call("entries", APP, "", "", 10))[0] == "NotRegistered"
    assert (await page.call("overview"))["apps"] == []


async def test_the_active_profile_is_remembered() -> None:
    """After a restart the profile that was active is so again."""
    rig = await Rig().start()
    page, ann, _ = await two(rig)
    await page.call("switch_profile", ann)
    await rig.restart()
    assert (await rig.page().call("overview"))["profile"]["name"] == "Ann"


async def test_deleting_one_profile_leaves_the_other_bit_for_bit() -> None:
    """Of the deleted profile nothing is left on the disk, and the other one's every byte is as it was."""
    for active in (True, False):
        rig = await Rig().start()
        page, ann, bob = await two(rig)
        await (await rig.approved(APP)).call("set", "whose", "Bob's")
        await rig.engine.writer.idle()
        if active:
            await page.call("switch_profile", ann)
        before = of_profile(rig, bob)
        assert of_profile(rig, ann) and len(before) > 3
        after = await page.call("delete_profile", ann)
        assert [each["id"] for each in after["profiles"]] == [bob]
        assert after["profile"]["id"] == bob
        assert of_profile(rig, ann) == {} and of_profile(rig, bob) == before


async def test_deleting_the_last_profile_empties_the_store() -> None:
    """Without a profile the store is as on the first day, and its app a stranger."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    page = rig.page()
    mine = (await page.call("overview"))["profile"]["id"]
    after = await page.call("delete_profile", mine)
    assert after["profile"] is None and after["profiles"] == []
    assert await tab.status(state="unregistered") == {"state": "unregistered"}
    assert of_profile(rig, mine) == {}
    await page.call("create_profile", "Zoe", "", True)
    assert (await tab.call("get", "k"))[0] == "NotRegistered"


async def test_a_name_can_change() -> None:
    """A new name reaches the pages and the apps; one that cannot be is refused and changes nothing."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    page = rig.page()
    assert (await page.call("rename_profile", "   "))[0] == "InvalidValue"
    assert (await page.call("rename_profile", " Anna  Maria "))["profile"]["name"] == "Anna Maria"
    await tab.status(profile="Anna Maria")
    await rig.restart()
    assert (await rig.page().call("overview"))["profile"]["name"] == "Anna Maria"


async def test_unknown_profiles_are_refused() -> None:
    """An id that no profile has is InvalidValue, and the open profile stays open."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    page = rig.page()
    for method in ("switch_profile", "delete_profile"):
        assert (await page.call(method, "0" * 32))[0] == "InvalidValue"
    assert await tab.call("set", "k", 1) is None


async def test_a_profile_that_does_not_fit_leaves_the_old_one_open() -> None:
    """Where the disk is full when a profile is made, the one before is open again with all its data."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    await tab.call("set", "k", 1)
    page = rig.page()
    real = rig.backend.write
    for failing in range(1, 9):
        writes = 0

        async def write(puts: Any, drops: Any = (), failing: int = failing) -> None:
            nonlocal writes
            writes += 1
            if writes == failing:
                raise QuotaExceeded("this device's storage is full", 1)
            await real(puts, drops)

        rig.backend.write = write  # type: ignore[method-assign]
        reply = await page.call("create_profile", "Bob", "", True)
        rig.backend.write = real  # type: ignore[method-assign]
        if isinstance(reply, dict):
            break
        assert reply[0] == "QuotaExceeded"
        await tab.status(state="ready", profile="Ann")
        assert await tab.call("get", "k") == [1]
        assert [each["name"] for each in (await page.call("overview"))["profiles"]] == ["Ann"]
    assert isinstance(reply, dict) and failing > 2  # the record, and the home space


async def test_a_withdrawn_apps_data_can_be_erased() -> None:
    """Withdrawn, an app's data is kept and named; erased, nothing of it is on the disk, and it starts empty."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    await (await rig.approved(OTHER)).call("set", "other", 1)
    await tab.calls(("set", "a", 1), ("set", "b", 2))
    page = rig.page()
    await page.call("withdraw", APP)
    seen = await page.call("overview")
    assert [(kept["origin"], kept["keys"]) for kept in seen["kept"]] == [(APP, 2)]
    spaces = {key.split("/")[2] for key in rig.backend.disk.stored if key.startswith("space/")}
    assert await page.call("erase", APP) is None
    left = {key.split("/")[2] for key in rig.backend.disk.stored if key.startswith("space/")}
    assert len(spaces - left) == 1 and left < spaces
    assert (await page.call("overview"))["kept"] == []
    again = await rig.approved(APP)
    assert await again.call("items", "") == []
    await again.call("set", "new", 1)
    assert await (await rig.approved(OTHER)).call("items", "") == [["other", 1]]
    assert (await page.call("erase", APP))[0] == "ProtocolError"
    await page.call("withdraw", APP, True)
    assert (await page.call("overview"))["kept"] == []
    assert await (await rig.approved(APP)).call("items", "") == []


async def test_a_crash_while_erasing_leaves_all_or_nothing() -> None:
    """Whenever the browser dies during an erasure, the app finds all of its data or none, and no rest stays."""
    for crash in range(1, 20):
        rig = await Rig().start()
        tab = await rig.approved(APP)
        await tab.calls(("set", "a", 1), ("set", "b", 2))
        page = rig.page()
        await page.call("withdraw", APP)
        await rig.engine.writer.idle()
        died, writes, real = False, 0, rig.backend.write

        async def write(puts: Any, drops: Any = (), crash: int = crash, real: Any = real) -> None:
            nonlocal died, writes
            writes += 1
            if writes >= crash:
                died = True
                await asyncio.Event().wait()  # for ever: the process is gone
            await real(puts, drops)

        rig.backend.write = write  # type: ignore[method-assign]
        erasing = asyncio.create_task(page.call("erase", APP))
        while not died and not erasing.done():
            await asyncio.sleep(0)
        rig.backend.write = real  # type: ignore[method-assign]
        erasing.cancel()
        await rig.restart()
        again = await rig.approved(APP)
        items = await again.call("items", "")
        assert items in ([], [["a", 1], ["b", 2]])
        await rig.engine.writer.idle()
        spaces = {key.split("/")[2] for key in rig.backend.disk.stored if key.startswith("space/")}
        assert len(spaces) == 2, crash  # the home space and the app's
        assert not any(key.startswith("leftovers/") for key in rig.backend.disk.stored)
        if not died:
            assert crash > 3
            return
    raise AssertionError("the erasure never came to its end")


def failing_once(real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return a function that fails as nobody foresaw, and the next time does as `real`."""
    done: list[bool] = []

    async def once(*args: Any, **named: Any) -> Any:
        if not done:
            done.append(True)
            raise ZeroDivisionError("what nobody foresaw")
        return await real(*args, **named)

    return once


@pytest.mark.parametrize("where", ["at first", "in the middle"])
@pytest.mark.parametrize("what", ["create", "switch", "delete", "renew"])
async def test_what_nobody_foresaw_leaves_the_profile_open(
    monkeypatch: pytest.MonkeyPatch, what: str, where: str
) -> None:
    """Whatever fails while another profile is made, opened or erased: the one that was open is, and serves its apps."""
    rig = await Rig().start()
    page, ann, bob = await two(rig)
    await page.call("change_passphrase", "", "a passphrase")
    tab = await rig.approved(APP)
    await tab.call("set", "whose", "Bob's")
    before = await page.call("overview")
    kept = {key for key in rig.backend.disk.stored if key.startswith("profile/")}
    first = {"create": "create", "switch": "activate", "delete": "delete"}
    if where == "in the middle" and what != "delete":
        monkeypatch.setattr(AutoLock, "opened", failing_once(AutoLock.opened))
    elif what == "renew":
        monkeypatch.setattr(key_renewal, "renew", failing_once(key_renewal.renew))
    else:
        monkeypatch.setattr(Vault, first[what], failing_once(getattr(Vault, first[what])))
    calls = {
        "create": ("create_profile", "Cid", "", True),
        "switch": ("switch_profile", ann),
        "delete": ("delete_profile", bob),
        "renew": ("change_passphrase", "a passphrase", "another", True),
    }
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # it is told, too
    assert "nobody foresaw" in (await page.call(*calls[what]))[1]
    after = await page.call("overview")
    assert {key for key in rig.backend.disk.stored if key.startswith("profile/")} == kept
    assert (after["profile"]["id"], after["profile"]["locked"]) == (bob, False)
    assert [each["name"] for each in after["profiles"]] == [each["name"] for each in before["profiles"]]
    assert await (await rig.approved(APP)).call("get", "whose") == ["Bob's"]


@pytest.mark.parametrize(
    "step", [(ProfileSync, "closing"), (Writer, "idle"), (Profile, "close"), (AutoLock, "closed")]
)
@pytest.mark.parametrize("what", ["create", "switch", "delete", "renew"])
async def test_a_profile_that_cannot_be_closed_is_opened_again(
    monkeypatch: pytest.MonkeyPatch, what: str, step: tuple[Any, str]
) -> None:
    """Whatever fails while the open profile closes to make room: it is open again, and an app's calls are answered."""
    rig = await Rig().start()
    page, ann, bob = await two(rig)
    await page.call("change_passphrase", "", "a passphrase")
    tab = await rig.approved(APP)
    await tab.call("set", "whose", "Bob's")
    calls = {
        "create": ("create_profile", "Cid", "", True),
        "switch": ("switch_profile", ann),
        "delete": ("delete_profile", bob),
        "renew": ("change_passphrase", "a passphrase", "another", True),
    }
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # it is told, too
    monkeypatch.setattr(*step, failing_once(getattr(*step)))
    assert "nobody foresaw" in (await page.call(*calls[what]))[1]
    assert await tab.call("get", "whose") == ["Bob's"]
    after = await page.call("overview")
    assert (after["profile"]["id"], after["profile"]["locked"]) == (bob, False)
    assert [each["name"] for each in after["profiles"]] == ["Ann", "Bob"]


@pytest.mark.reports("the store's engine failed")
async def test_a_lock_that_meets_what_nobody_foresaw_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails while the profile is locked: it is, and an app hears that instead of nothing."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    page = rig.page()
    await page.call("change_passphrase", "", "a passphrase")
    monkeypatch.setattr(Writer, "idle", failing_once(Writer.idle))
    assert "nobody foresaw" in (await page.call("lock"))[1]
    assert (await tab.call("get", "k"))[0] == "Locked"
    assert (await page.call("overview"))["profile"]["locked"]


@pytest.mark.parametrize("step", [(AutoLock, "opened"), (DeviceList, "opened")])
async def test_a_profile_that_opens_by_half_is_closed(
    monkeypatch: pytest.MonkeyPatch, step: tuple[Any, str]
) -> None:
    """What fails while a profile is unlocked leaves it locked, for its app, too; the next try opens it."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    await tab.call("set", "k", 1)
    page = rig.page()
    await page.call("change_passphrase", "", "a passphrase")
    await page.call("lock")
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # it is told, too
    monkeypatch.setattr(*step, failing_once(getattr(*step)))
    assert "nobody foresaw" in (await page.call("unlock", "a passphrase", False))[1]
    assert (await page.call("overview"))["profile"]["locked"]
    assert (await tab.call("get", "k"))[0] == "Locked"
    assert not (await page.call("unlock", "a passphrase", False))["profile"]["locked"]
    await tab.status(state="ready")
    assert await tab.call("get", "k") == [1]


@pytest.mark.parametrize("what", ["create", "switch", "delete", "look"])
async def test_what_nobody_foresaw_opens_no_profile_that_was_locked(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A profile that its person has locked stays so, although this device could open it; an app hears of it."""
    rig = await Rig().start()
    page, ann, bob = await two(rig)
    await page.call("change_passphrase", "", "a passphrase")
    tab = await rig.approved(APP)
    assert rig.engine.vault.stays_unlocked
    await page.call("lock")
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # it is told, too
    if what in ("create", "switch"):
        monkeypatch.setattr(AutoLock, "opened", failing_once(AutoLock.opened))
    else:
        monkeypatch.setattr(Vault, "delete", failing_once(Vault.delete))
    calls = {
        "create": ("create_profile", "Cid", "", True),
        "switch": ("switch_profile", ann),
        "delete": ("delete_profile", bob),
    }
    if what == "look":
        monkeypatch.setattr(Vault, "overdue", lambda vault, now_ms: [ann])
        with pytest.raises(ZeroDivisionError):
            await rig.engine.parts.expiry.look()
    else:
        assert "nobody foresaw" in (await page.call(*calls[what]))[1]
    seen = (await page.call("overview"))["profile"]
    assert (seen["id"], seen["locked"]) == (bob, True)
    assert (await tab.call("get", "k"))[0] == "Locked"
    if what == "look":  # and where another profile is erased
        await rig.engine.parts.expiry.look()
        after = await page.call("overview")
        assert [each["id"] for each in after["profiles"]] == [bob] and after["profile"]["locked"]
    await page.call("unlock", "a passphrase", True)
    await tab.status(state="ready")


async def test_a_new_profile_that_cannot_be_unmade_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where making a profile fails, and erasing it, too: the one before is active, and a new passphrase is its own."""
    rig = await Rig().start()
    page, _, bob = await two(rig)
    tab = await rig.approved(APP)
    await tab.call("set", "whose", "Bob's")
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # it is told, too
    monkeypatch.setattr(AutoLock, "opened", failing_once(AutoLock.opened))
    monkeypatch.setattr(Vault, "delete", failing_once(Vault.delete))
    assert "nobody foresaw" in (await page.call("create_profile", "Cid", "", True))[1]
    assert (await page.call("overview"))["profile"]["id"] == bob
    await page.call("change_passphrase", "", "a passphrase")
    await rig.restart()
    page = rig.page()
    await page.call("lock")
    seen = await page.call("unlock", "a passphrase", False)
    assert (seen["profile"]["id"], seen["profile"]["locked"]) == (bob, False)
    assert await (await rig.approved(APP)).call("get", "whose") == ["Bob's"]
