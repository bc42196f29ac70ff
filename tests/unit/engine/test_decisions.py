"""What the person decides while the disk is full or damaged, apps write, or a newer engine takes over."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from engine_rig import APP, OTHER, Rig, code

from masq.errors import QuotaExceeded
from masq_store.core.crypto import key_schedule
from masq_store.core.errors import StorageFailed
from masq_store.core.profile.passphrase_tries import FREE

pytestmark = pytest.mark.within(60)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few iterations: these tests unlock often."""
    monkeypatch.setattr(key_schedule, "PBKDF2_ITERATIONS", 10)


async def locked_rig() -> tuple[Rig, Any, Any]:
    """Return a rig with a profile under the passphrase "one", a page, and a tab of an approved app."""
    rig = await Rig().start()
    page = rig.page()
    await page.call("create_profile", "Ann", "one", False)
    tab = await rig.approved(APP)
    await tab.call("set", "k", 1)
    return rig, page, tab


def refuse(rig: Rig, wanted: str, error: type[Exception] = QuotaExceeded) -> None:
    """Let the disk refuse what touches a key that begins with `wanted`."""
    write = rig.backend.write

    async def narrow(puts: Any, drops: Any = ()) -> None:
        if any(name.startswith(wanted) for name, _ in [*puts, *drops]):
            raise error("full")
        await write(puts, drops)

    rig.backend.write = narrow  # type: ignore[method-assign]


def damage(rig: Rig, profile_id: str) -> None:
    """Alter every record of a profile's spaces."""
    for key, content in rig.backend.disk.stored.items():
        if key.startswith(f"space/{profile_id}/"):
            rig.backend.disk.stored[key] = content[:-1] + bytes([content[-1] ^ 1])


# Backups ---------------------------------------------------------------------------------------------------


async def test_a_backup_that_outlasts_a_lock_harms_nothing() -> None:
    """Locked and unlocked while a backup is made: nothing is written for the profile as it was opened before."""
    rig = await Rig().start()
    page = rig.page()
    await page.call("create_profile", "Ann", "one", False)
    seal = rig.crypto.seal
    reached, go = asyncio.Event(), asyncio.Event()

    async def slow(key: Any, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        if b"masq/v1/backup-record" in associated:
            reached.set()
            await go.wait()
        return await seal(key, nonce, plaintext, associated)

    rig.crypto.seal = slow  # type: ignore[method-assign]
    making = asyncio.create_task(page.call("write_backup", "of the file", None, "one"))
    await asyncio.wait_for(reached.wait(), 5)
    await rig.engine.commands.lock()
    await rig.engine.commands.unlock("one", False)
    await rig.approved(APP)  # the home space's next records, by the profile opened anew
    go.set()
    assert (await making)["pieces"] == 1
    await rig.engine.commands.remind_later()
    await rig.restart()
    await rig.engine.commands.unlock("one", False)
    assert rig.engine.profile is not None and rig.engine.profile.app(APP) is not None


async def test_a_full_disk_can_be_backed_up() -> None:
    """That a backup was made is noted where there is room; the file comes all the same."""
    rig = await Rig().start()
    await rig.approved(APP)
    page = rig.page()
    refuse(rig, "")
    assert (await page.call("write_backup", "of the file", None))["pieces"] == 1


# Full and failing disks ------------------------------------------------------------------------------------


async def test_a_full_disk_can_be_unlocked() -> None:
    """Where there is no room for a ticket, the profile opens without one, and the apps with it."""
    rig, page, tab = await locked_rig()
    await page.call("lock")
    refuse(rig, "ticket/")
    assert (await page.call("unlock", "one", False))["profile"]["locked"] is False
    await tab.status(state="ready")
    assert page.ticket() is None


@pytest.mark.parametrize("error", [QuotaExceeded, StorageFailed])
async def test_a_lock_locks_though_the_disk_fails(error: Any) -> None:
    """The apps are told, no page keeps the ticket, and the one on the disk is of no use to anybody."""
    rig, page, tab = await locked_rig()
    before = page.ticket()
    refuse(rig, "ticket/", error)
    await page.call("lock")
    await tab.status(state="locked")
    assert code(await tab.call("get", "k")) == "Locked"
    assert before and page.ticket() is None and tab.ticket() is None


async def test_a_choice_that_was_kept_is_not_called_refused() -> None:
    """ "Stay unlocked" taken back on a full disk: it holds, and the person hears so."""
    rig = await Rig().start()
    page = rig.page()
    await page.call("create_profile", "Ann", "one", True)
    refuse(rig, "ticket/")
    assert (await page.call("set_stay_unlocked", False))["profile"]["stays_unlocked"] is False


async def test_the_pages_open_though_an_app_has_no_room() -> None:
    """An app that was allowed on a disk with no room for its space does not hide all others."""
    rig = await Rig().start()
    page = rig.page()
    await page.call("create_profile", "Ann", "", True)
    tab = rig.app()
    await tab.status(state="unregistered")
    write = rig.backend.write

    async def narrow(puts: Any, drops: Any = ()) -> None:
        if any("/checkpoint/" in key for key, _ in puts):
            raise QuotaExceeded("full")
        await write(puts, drops)

    rig.backend.write = narrow  # type: ignore[method-assign]
    await page.call("answer", tab.session.nonce, True, APP)
    assert [app["keys"] for app in (await page.call("overview"))["apps"]] == [0]


async def test_the_last_use_is_noted_where_there_is_room() -> None:
    """A full disk does not keep a known app's later sessions from hearing of a decision."""
    rig = await Rig().start()
    one = await rig.approved(APP)
    page = rig.page()
    await page.call("withdraw", APP)
    two = rig.app(APP)
    await two.status(state="unregistered")
    rig.now += 3_600_000
    journals = 0
    write = rig.backend.write

    async def narrow(puts: Any, drops: Any = ()) -> None:
        nonlocal journals
        journals += any("/journal/" in key for key, _ in puts)
        if journals > 1:
            raise QuotaExceeded("full")
        await write(puts, drops)

    rig.backend.write = narrow  # type: ignore[method-assign]
    assert await page.call("answer", two.session.nonce, True, APP) is True  # type: ignore[attr-defined]
    await one.status(state="ready")
    await two.status(state="ready")


# Damage ----------------------------------------------------------------------------------------------------


async def test_no_switch_to_a_profile_that_cannot_be_opened() -> None:
    """The one that was open is open again, also after a restart, and its apps go on."""
    rig, page, tab = await locked_rig()
    ann = (await page.call("overview"))["profile"]["id"]
    bob = (await page.call("create_profile", "Bob", "", True))["profile"]["id"]
    await page.call("switch_profile", ann)
    await page.call("unlock", "one", False)
    await tab.status(state="ready")
    damage(rig, bob)
    assert code(await page.call("switch_profile", bob)) == "DamagedData"
    assert (await page.call("overview"))["profile"]["name"] == "Ann"
    await tab.status(state="ready", profile="Ann")
    assert await tab.call("get", "k") == [1]
    await rig.restart()
    assert (await rig.page().call("overview"))["profile"]["name"] == "Ann"


async def test_a_damaged_profile_does_not_lock_the_others_out() -> None:
    """The store starts, says what is the matter with the active one, and the person goes on with another."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    await tab.call("set", "k", 1)
    page = rig.page()
    ann = (await page.call("overview"))["profile"]["id"]
    bob = (await page.call("create_profile", "Bob", "", True))["profile"]["id"]
    damage(rig, bob)
    await rig.restart()
    page, tab = rig.page(), rig.app(APP)
    await tab.status(state="unregistered")
    seen = await page.call("overview")
    assert seen["profile"]["id"] == bob and seen["profile"]["locked"]
    assert seen["profile"]["failed"][0] == "DamagedData" and seen["apps"] == []
    assert (await page.call("switch_profile", ann))["profile"]["failed"] is None
    await tab.status(state="ready")
    assert await tab.call("get", "k") == [1]
    assert (await page.call("delete_profile", bob))["profile"]["id"] == ann


# Waits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["erase", "restore"])
async def test_a_busy_app_holds_no_decision_up(what: str) -> None:
    """An app that never stops writing keeps the person from nothing."""
    rig = await Rig().start()
    tab, _ = await rig.approved(APP), await rig.approved(OTHER)
    page = rig.page()
    file = await rig.engine.commands.write_backup("of the file")
    backup = await rig.engine.commands.read_backup(file, "of the file")
    write = rig.backend.write

    async def slow(puts: Any, drops: Any = ()) -> None:
        await asyncio.sleep(0.001)
        await write(puts, drops)

    rig.backend.write = slow  # type: ignore[method-assign]
    over = False

    async def keep_writing() -> None:
        number = 1000
        while not over:
            number += 1
            tab.port.say(json.dumps({"masq": 1, "calls": [[number, "set", "a", number]]}))
            await asyncio.sleep(0.0001)  # ten while the disk takes one

    busy = asyncio.create_task(keep_writing())
    try:
        async with asyncio.timeout(5):
            if what == "erase":
                await page.call("withdraw", OTHER, True)
            else:
                await rig.engine.commands.restore(backup)
    finally:
        over = True
        await busy
    assert rig.failures == []


async def test_a_hand_over_in_the_middle_of_a_switch_ends_the_other_profiles_values() -> None:
    """A watch that heard of the first profile's keys hears from the next engine that they are not the second's."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    await tab.call("set", "whose", "Ann's")
    await tab.call("watch", "", False)
    page = rig.page()
    ann = (await page.call("overview"))["profile"]["id"]
    bob = (await page.call("create_profile", "Bob", "", True))["profile"]["id"]
    await rig.approved(APP)
    await page.call("switch_profile", ann)
    await tab.status(state="ready", profile="Ann")
    await tab.call("watch", "", False)
    switching = asyncio.create_task(rig.engine.commands.switch_profile(bob))
    await asyncio.sleep(0)
    await rig.engine.stop()
    handed = {session: (port, state) for session, port, state in rig.engine.hand_over()}
    await switching
    port, state = handed[tab.session]  # type: ignore[attr-defined]
    await rig.restart()
    tab.port.heard.clear()
    nonce = state["app"].pop("nonce")
    session = rig.engine.attach(port, state["origin"], nonce, state["app"])
    session.resume(state["watches"], state["seen"], state["early"], state["shown"])
    await tab.status(state="ready", profile="Bob")
    heard = [c for m in tab.port.heard for _, told in m.get("changes", []) for c in told]
    assert heard and all(change == ["whose", "tab"] for change in heard)


async def test_a_page_that_speaks_after_the_hand_over_ends_nothing() -> None:
    """What a page writes before it has heard of the next engine is refused; the worker waits for its frames."""
    rig = await Rig().start()
    await rig.approved(APP)
    page = rig.page()
    await page.call("app", APP)
    close = rig.backend.close

    async def gone() -> None:
        await close()

        async def write(puts: Any, drops: Any = ()) -> None:
            raise StorageFailed("closed")

        rig.backend.write = write  # type: ignore[method-assign]

    rig.backend.close = gone  # type: ignore[method-assign]
    await rig.engine.stop()
    assert code(await page.call("set_entry", APP, "k", 1)) == "Disconnected"
    assert rig.failures == []


# Small things ----------------------------------------------------------------------------------------------


async def test_going_to_another_profile_and_back_gives_no_new_tries() -> None:
    """Each profile counts its own wrong passphrases."""
    rig, page, _ = await locked_rig()
    ann = (await page.call("overview"))["profile"]["id"]
    bob = (await page.call("create_profile", "Bob", "two", False))["profile"]["id"]
    await page.call("switch_profile", ann)
    for _try in range(FREE):
        reply = await page.call("unlock", "wrong", False)
    assert reply[2]["wait_seconds"] == 2
    await page.call("switch_profile", bob)
    assert (await page.call("unlock", "two", False))["profile"]["locked"] is False
    await page.call("switch_profile", ann)
    assert (await page.call("unlock", "one", False))[2]["wait_seconds"] == 2


async def test_a_new_name_outlives_a_profile_that_was_not_made() -> None:
    """The profile that is opened again has the name that it was given last."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    page = rig.page()
    await page.call("rename_profile", "Anna")
    rig.backend.fail_next(QuotaExceeded("full"))
    assert code(await page.call("create_profile", "Bob", "", True)) == "QuotaExceeded"
    await tab.status(state="ready")
    assert (await tab.call("status"))["profile"] == "Anna"
