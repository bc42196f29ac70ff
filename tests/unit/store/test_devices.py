"""The devices of a profile: how each is listed, named and removed, and what one hears of the others' decisions.

What the sync will do is done by `carry`: it merges one device's home space into the other's.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asynchronous import until
from engine_rig import APP, OTHER, Peer, Rig, with_profile
from two_devices import carry, quiet, two

from masq.errors import QuotaExceeded
from masq_store.core.profile.home_layout import (
    DEVICE,
    REMOVED,
    REMOVED_MS,
    draw_identity,
    identity_of,
    listed,
)
from masq_store.engine.store.device_list import SEEN_MS
from masq_store.engine.store.expiry import LOOK_SECONDS

pytestmark = pytest.mark.within(60)

RELAY = "wss://relay.example"


async def devices(page: Peer) -> list[tuple[str, bool]]:
    """Return (name, this) of each device that a page shows."""
    return [(device["name"], device["this"]) for device in (await page.call("overview"))["devices"]]


async def test_a_profile_lists_the_device_it_was_made_on() -> None:
    """A new profile has one device, this one, under the name that the browser has."""
    rig = await Rig().start()
    page = rig.page()
    assert (await page.call("overview"))["devices"] == []
    (device,) = (await page.call("create_profile", "Ann", "", True))["devices"]
    assert len(device.pop("id")) == 16
    assert device == {
        "name": "Firefox on Linux",
        "this": True,
        "added_ms": rig.now,
        "seen_ms": None,
        "online": False,
        "clock_off_ms": None,
    }


async def test_a_devices_id_and_keys_outlive_a_restart() -> None:
    """The id is that of the public key, the private half opens, and no restart makes another device of it."""
    rig = await Rig().start()
    before = (await rig.page().call("create_profile", "Ann", "", True))["devices"]
    await rig.restart()
    assert (await rig.page().call("overview"))["devices"] == before
    secrets = rig.engine.profile.secrets  # type: ignore[union-attr]
    identity = secrets.identity
    assert identity is not None and identity.id == before[0]["id"]
    assert await identity_of(rig.crypto, identity.public) == identity
    private = await rig.engine.vault.device_key(secrets.root)
    assert await rig.crypto.x25519_public(private) == identity.public
    disk = b"".join(rig.backend.disk.stored.values())
    assert private not in disk and private.hex().encode() not in disk


async def test_a_profile_of_an_earlier_version_gets_an_identity() -> None:
    """Its record has none: the next opening draws one and lists the device, and the one after keeps both."""
    rig = await Rig().start()
    made = (await rig.page().call("create_profile", "Ann", "", True))["devices"]
    key, record = next(
        (key, json.loads(content))
        for key, content in rig.backend.disk.stored.items()
        if key.startswith("profile/")
    )
    del record["identity"]
    rig.backend.disk.stored[key] = json.dumps(record).encode()
    await rig.restart()
    found = (await rig.page().call("overview"))["devices"]
    assert [device["this"] for device in found] == [True, False]
    assert found[1]["id"] == made[0]["id"] != found[0]["id"]
    await rig.restart()
    assert (await rig.page().call("overview"))["devices"] == found


async def test_a_full_disk_keeps_no_profile_closed() -> None:
    """Where there is no room to list the device, the profile opens all the same; later there is."""
    rig = await with_profile()
    key = next(key for key in rig.backend.disk.stored if key.startswith("profile/"))
    record = json.loads(rig.backend.disk.stored[key])
    del record["identity"]
    rig.backend.disk.stored[key] = json.dumps(record).encode()
    real = type(rig.backend).write

    async def full(self: Any, puts: Any, drops: Any = ()) -> None:
        raise QuotaExceeded("this device's storage is full", 1)

    type(rig.backend).write = full  # type: ignore[method-assign]
    try:
        await rig.restart()
        seen = await rig.page().call("overview")
    finally:
        type(rig.backend).write = real  # type: ignore[method-assign]
    assert seen["profile"]["locked"] is False
    assert [device["this"] for device in seen["devices"]] == [False]
    await rig.restart()
    assert sorted(device["this"] for device in (await rig.page().call("overview"))["devices"]) == [
        False,
        True,
    ]


async def test_a_profile_that_was_brought_here_has_the_name_that_was_chosen() -> None:
    """Both devices list both, each knows itself, and a restart changes nothing."""
    first, second, first_page, second_page = await two()
    assert await devices(first_page) == [("Firefox on Linux", True), ("Phone", False)]
    assert await devices(second_page) == [("Phone", True), ("Firefox on Linux", False)]
    await second.restart()
    assert await devices(second.page()) == [("Phone", True), ("Firefox on Linux", False)]
    del first


async def test_the_relay_comes_along() -> None:
    """A profile brought here over another relay than the store's own goes on with that one, whenever it is killed."""
    for kill in (1, 2, 3, 4, 9):
        rig = await Rig(relay="wss://own.example").start()
        drawn = await draw_identity(rig.crypto)
        real, writes = rig.backend.write, 0

        async def write(puts: Any, drops: Any = (), kill: int = kill, real: Any = real) -> None:
            nonlocal writes
            writes += 1
            if writes >= kill:
                await asyncio.Event().wait()  # for ever: the process is gone
            await real(puts, drops)

        rig.backend.write = write  # type: ignore[method-assign]
        taking = asyncio.ensure_future(
            rig.engine.parts.change.make(
                "Ann",
                "",
                True,
                home_secret=bytes(32),
                drawn=drawn,
                arrival={"name": "Phone", "relay": RELAY},
            )
        )
        await until(lambda kill=kill: writes >= kill or taking.done())  # noqa: B023
        taking.cancel()
        await rig.restart()
        seen = await rig.page().call("overview")
        if kill == 1:
            assert seen["profile"] is None and seen["devices"] == []
            continue
        assert seen["profile"]["name"] == "Ann"
        assert seen["sync"]["relay"] == {
            "url": RELAY, "default": "wss://own.example", "own": RELAY, "problem": None,
        }  # fmt: skip
        assert [device["name"] for device in seen["devices"]] == ["Phone"]
        assert rig.engine.profile.home_secret == bytes(32)  # type: ignore[union-attr]
        await rig.page().call("set_relay", None)
        await rig.restart()
        assert (await rig.page().call("overview"))["sync"]["relay"]["url"] == "wss://own.example"


async def test_a_device_can_be_renamed() -> None:
    """This device or another: the name is cleaned, kept, and told to the pages; a name that cannot be is refused."""
    first, second, page, other_page = await two()
    ids = [device["id"] for device in (await page.call("overview"))["devices"]]
    assert (await page.call("rename_device", ids[0], " "))[0] == "InvalidValue"
    assert (await page.call("rename_device", "0" * 16, "x"))[0] == "InvalidValue"
    assert (await page.call("rename_device", None, "x"))[0] == "InvalidValue"
    assert await page.call("rename_device", ids[0], "My  laptop") is None
    assert await page.call("rename_device", ids[1], "My phone") is None
    assert await devices(page) == [("My laptop", True), ("My phone", False)]
    other_page.port.heard.clear()
    await carry(first, second)
    await other_page.port.until(lambda message: message.get("events"))
    assert await devices(other_page) == [("My phone", True), ("My laptop", False)]


async def removed(passphrase: str = "", devices: int = 2) -> tuple[Rig, Rig, Peer, str]:
    """Return two devices, the second one removed by the first, the second one's open tab, and its profile's id.

    There is a secret in it. `devices`: how many there are beside; they never speak.
    """
    first, second, page, _ = await two()
    if passphrase:
        await second.engine.commands.change_passphrase("", passphrase)
    for number in range(2, devices):
        identity, _private = await draw_identity(second.crypto)
        profile = first.engine.profile
        assert profile is not None
        await first.engine.parts.devices.add(profile, f"Tablet {number}", identity)
    tab = await second.approved(APP)
    await tab.call("set", "k", "secret")
    await tab.call("watch", "", False)
    gone = second.engine.profile.id  # type: ignore[union-attr]
    phone = next(device["id"] for device in second.engine.parts.devices.describe() if device["this"])
    first.now += 2000
    assert await page.call("remove_device", phone) is None
    assert phone not in [device["id"] for device in first.engine.parts.devices.describe()]
    assert (await page.call("remove_device", phone))[0] == "InvalidValue"
    await second.engine.parts.devices.note_seen(0)
    await second.engine.device_commands.rename(phone, "Still here")
    await carry(first, second)
    await tab.status(state="locked")
    await quiet(second)
    return first, second, tab, gone


async def erased(rig: Rig, profile: str) -> bool:
    """Say whether nothing of a profile is left on a device's disk."""
    return not [key for key in rig.backend.disk.stored if profile in key]


async def test_a_removed_device_locks_and_asks() -> None:
    """Its word is the passphrase's from then on, no app gets anything, nothing is erased and nothing passed on."""
    _first, second, tab, gone = await removed("right")
    assert second.engine.profile is None and not second.engine.vault.stays_unlocked
    assert (await tab.call("get", "k"))[0] == "Locked" and tab.ticket() is None
    assert "ticket/" + gone not in second.backend.disk.stored
    await second.restart()
    page = second.page()
    seen = await page.call("overview")
    assert seen["profile"]["locked"]
    until_ms = second.now + REMOVED_MS
    assert seen["removed"] == {"profile": "Ann", "state": "ask", "until_ms": until_ms}
    await page.call("unlock", "right", False)
    seen = await page.call("overview")
    assert not seen["profile"]["locked"] and seen["removed"]["state"] == "ask"
    assert [app["keys"] for app in seen["apps"]] == [1]
    tab = second.app()
    await tab.status(state="locked")
    assert (await tab.call("get", "k"))[0] == "Locked"
    answer = ("answer", tab.session.nonce, True, APP)  # type: ignore[attr-defined]
    assert (await page.call(*answer))[0] == "Locked"


@pytest.mark.parametrize("passphrase", ["", "right"])
async def test_a_removed_device_keeps_what_its_person_does_not_give_away(passphrase: str) -> None:
    """ "It was not me": the data stays, apps use it again, nothing is in step, and 30 days later all is there."""
    first, second, _tab, _gone = await removed(passphrase)
    page = second.page()
    if passphrase:
        await page.call("unlock", passphrase, True)
    tab = second.app()
    await tab.status(state="locked")
    assert await page.call("keep_removed") is None
    await tab.status(state="ready", sync="off")
    assert await tab.call("get", "k") == ["secret"]
    await tab.call("set", "k", "more")
    second.now += 2 * REMOVED_MS
    await second.engine.parts.expiry.look()
    await second.restart()
    seen = await second.page().call("overview")
    assert seen["removed"] == {"profile": "Ann", "state": "kept", "until_ms": None}
    assert not seen["profile"]["locked"] and seen["sync"]["state"] == "off"
    tab = second.app()
    await tab.status(state="ready")
    assert await tab.call("get", "k") == ["more"]
    backup = await second.engine.commands.write_backup("file", None, passphrase)
    await second.page().call("create_profile", "Ann again", "", True)
    found = await second.engine.commands.read_backup(backup, "file")
    await second.engine.commands.restore(found)
    tab = second.app()
    await tab.status(state="ready")
    assert await tab.call("get", "k") == ["more"]
    assert second.engine.profile.home_secret != first.engine.profile.home_secret  # type: ignore[union-attr]


@pytest.mark.within(2 * LOOK_SECONDS)
@pytest.mark.parametrize("way", ["open", "locked", "restarted", "other"])
async def test_a_removed_device_that_nobody_answers_erases_its_copy_after_30_days(way: str) -> None:
    """Not a moment sooner, whether it is open, locked, off or another profile is active; its person reads why."""
    _first, second, _tab, gone = await removed("" if way == "open" else "right")
    page = second.page()
    if way == "other":
        await page.call("create_profile", "Bob", "", True)
    second.now += REMOVED_MS - 1
    await second.engine.parts.expiry.look()
    assert not await erased(second, gone)
    second.now += 1
    if way == "restarted":
        await second.restart()
    else:
        await asyncio.sleep(LOOK_SECONDS + 1)
    assert await erased(second, gone)
    seen = await second.page().call("overview")
    assert seen["removed"] == {"profile": "Ann", "state": "erased", "until_ms": None}
    assert (seen["profile"] or {}).get("name") == ("Bob" if way == "other" else None)
    await second.restart()
    page = second.page()
    assert (await page.call("overview"))["removed"]["state"] == "erased"
    assert await page.call("seen_removed") is None
    assert (await page.call("overview"))["removed"] is None


@pytest.mark.parametrize("others", ["all", "two in a day", "long ago", "gone"])
async def test_devices_that_are_removed_together_do_not_erase_themselves(others: str) -> None:
    """Whoever takes off all devices, or several in a day, is not believed so far; who takes off one at a time is."""
    first, second, _page, _ = await two()
    profile = first.engine.profile
    assert profile is not None and second.engine.profile is not None
    gone = second.engine.profile.id
    mine, laptop = (
        next(each["id"] for each in rig.engine.parts.devices.describe() if each["this"])
        for rig in (second, first)
    )
    day = 24 * 3600_000
    word = {REMOVED + mine: {"ms": first.now}}
    if others == "all":
        word[REMOVED + laptop] = {"ms": 1}
    elif others == "gone":
        word[DEVICE + laptop] = None  # type: ignore[assignment]
    else:
        word[REMOVED + "77" * 8] = {"ms": first.now - (day if others == "two in a day" else 3 * day)}
        word[REMOVED + "88" * 8] = {"ms": first.now, "app": APP, "in": mine}  # type: ignore[dict-item]
    changes = dict(word)
    await profile.write_home(changes.items(), first.now)
    await carry(first, second)
    await quiet(second)
    second.now += 2 * REMOVED_MS
    await second.engine.parts.expiry.look()
    assert await erased(second, gone) is (others == "long ago")
    if others != "long ago":
        assert (await second.page().call("overview"))["removed"]["until_ms"] is None


async def test_a_removed_device_without_room_for_a_word_locks_all_the_same() -> None:
    """Nothing is noted and nothing erased; at the next opening it is noted."""
    first, second, page, _ = await two()
    await second.engine.commands.change_passphrase("", "right")
    gone = second.engine.profile.id  # type: ignore[union-attr]
    phone = (await page.call("overview"))["devices"][1]["id"]
    await page.call("remove_device", phone)
    real = second.engine.vault.note_removed

    async def full(now_ms: int, until_ms: int | None) -> None:
        raise QuotaExceeded("this device's storage is full", 1)

    second.engine.vault.note_removed = full  # type: ignore[method-assign]
    await carry(first, second)
    await quiet(second)
    assert second.engine.profile is None and not await erased(second, gone)
    second.engine.vault.note_removed = real  # type: ignore[method-assign]
    await second.restart()
    await until(lambda: second.engine.vault.removal is not None)
    await quiet(second)
    assert second.engine.profile is None and not await erased(second, gone)


async def test_what_a_removed_device_writes_does_not_bring_it_back() -> None:
    """It renamed itself at the same time: the others go on without it."""
    first, second, page, other_page = await two()
    phone = (await page.call("overview"))["devices"][1]["id"]
    await page.call("remove_device", phone)
    second.now += 60_000
    await other_page.call("rename_device", phone, "Later")
    await carry(second, first)
    assert await devices(page) == [("Firefox on Linux", True)]


async def test_a_device_that_was_removed_while_it_was_off_locks_when_it_opens() -> None:
    """Also where it was killed between hearing of it and locking; it comes to nothing of its own accord then."""
    first, second, page, other_page = await two()
    await other_page.call("change_passphrase", "", "right")
    ann = second.engine.profile.id  # type: ignore[union-attr]
    phone = (await page.call("overview"))["devices"][1]["id"]
    await page.call("remove_device", phone)
    second.engine.parts.watch._lock = lambda profile: asyncio.sleep(0)  # type: ignore[assignment, method-assign, return-value]
    await carry(first, second)
    await quiet(second)
    await second.restart()
    await until(lambda: second.engine.profile is None)
    await quiet(second)
    assert not await erased(second, ann)
    seen = await second.page().call("overview")
    assert seen["profile"]["locked"] and seen["removed"]["state"] == "ask"


async def test_this_device_is_not_removed_but_deleted() -> None:
    """Removing the device in hand is refused, saying what to do instead."""
    _, _, page, _ = await two()
    own = (await page.call("overview"))["devices"][0]["id"]
    code, sentence, _ = await page.call("remove_device", own)
    assert code == "InvalidValue" and "delete the profile" in sentence


async def test_an_app_that_another_device_approves_is_approved_here() -> None:
    """Its open tab becomes ready without a question; withdrawn there, it ends at once."""
    first, second, page, other_page = await two()
    tab = second.app(APP)
    await tab.status(state="unregistered")
    await first.approved(APP)
    await carry(first, second)
    await tab.status(state="ready", devices=2)
    assert await tab.call("set", "k", 1) is None
    await tab.call("watch", "", False)
    await page.call("withdraw", APP)
    await carry(first, second)
    await tab.status(state="unregistered")
    assert (await tab.call("get", "k"))[0] == "NotRegistered"
    assert any(message.get("ended") for message in tab.port.heard)
    assert [app["origin"] for app in (await other_page.call("overview"))["apps"]] == []


@pytest.mark.parametrize("killed", [False, True])
async def test_an_app_that_another_device_erases_is_empty_here(killed: bool) -> None:
    """The open tab goes on in an empty space, and the old one is in the trash, at the latest at the next opening."""
    first, second, page, _ = await two()
    await first.approved(APP)
    await first.approved(OTHER)
    await carry(first, second)
    tab, other = second.app(APP), second.app(OTHER)
    await tab.status(state="ready")
    await other.status(state="ready")
    await tab.call("set", "k", 1)
    await other.call("set", "k", 2)
    await page.call("withdraw", APP, True)
    await first.approved(APP)
    spaces = {key.split("/")[2] for key in second.backend.disk.stored if key.startswith("space/")}
    if killed:
        second.engine.parts.watch._take_apps = lambda profile: asyncio.sleep(0)  # type: ignore[assignment, return-value]
    await carry(first, second)
    await quiet(second)
    if killed:
        await second.restart()
        tab, other = second.app(APP), second.app(OTHER)
        await other.status(state="ready")
    await tab.status(state="ready")
    assert await tab.call("items", "") == []
    assert await tab.call("set", "new", 1) is None
    assert await other.call("items", "") == [["k", 2]]
    left = {key.split("/")[2] for key in second.backend.disk.stored if key.startswith("space/")}
    assert spaces < left and len(left) == 4
    seen = await second.page().call("overview")
    assert [(each["origin"], each["keys"]) for each in seen["trash"]] == [(APP, 1)]


async def test_using_an_app_does_not_undo_what_another_device_decides() -> None:
    """One device opens an app, later, while the other withdraws and erases it: it stays withdrawn and erased."""
    first, second, page, _ = await two()
    await first.approved(APP)
    await carry(first, second)
    await page.call("withdraw", APP, True)
    second.now += 3600_000
    tab = second.app(APP)
    await tab.status(state="ready")
    used = (await second.page().call("overview"))["apps"][0]["used_ms"]
    assert used == second.now
    await carry(second, first)
    await carry(first, second)
    await tab.status(state="unregistered")
    for rig in (first, second):
        app = rig.engine.profile.apps()[APP]  # type: ignore[union-attr]
        assert (app["approved"], app["generation"]) == (False, 1)


async def test_the_relay_is_chosen_for_all_devices() -> None:
    """An own address, none, or the store's choice; what is no address is refused; the sync is told."""
    first, second, page, other_page = await two()
    told: list[str] = []
    second.engine.parts.sync.look = lambda: told.append(second.engine.parts.devices.relay)  # type: ignore[method-assign]
    assert await page.call("set_relay", RELAY) is None
    for bad in ("http://relay.example", "ws://relay.example", "relay", 5, "wss://a b"):
        assert (await page.call("set_relay", bad))[0] == "BadRelayAddress"
    await carry(first, second)
    assert told == [RELAY]
    seen = (await other_page.call("overview"))["sync"]["relay"]
    assert seen == {"url": RELAY, "default": "", "own": RELAY, "problem": None}
    await page.call("set_relay", "")
    await carry(first, second)
    assert (await other_page.call("overview"))["sync"]["relay"]["own"] == ""
    second.engine.parts.devices.default_relay = "wss://store.example"
    assert (await other_page.call("overview"))["sync"]["relay"]["url"] == ""
    await page.call("set_relay", None)
    await carry(first, second)
    seen = (await other_page.call("overview"))["sync"]["relay"]
    assert (seen["own"], seen["url"]) == (None, "wss://store.example")


async def test_an_app_can_stay_out_of_the_sync_on_one_device() -> None:
    """The switch is this device's alone; the others see one device less that holds the app's data."""
    first, second, page, other_page = await two()
    tab = await first.approved(APP)
    await carry(first, second)
    await tab.status(devices=2)
    assert await other_page.call("set_sync", APP, False) is None
    assert (await other_page.call("app", APP))["sync"]["on"] is False
    await carry(second, first)
    await tab.status(devices=1)
    assert (await page.call("app", APP))["sync"]["on"] is True
    assert await other_page.call("set_sync", APP, True) is None
    assert (await other_page.call("app", APP))["sync"]["on"] is True
    assert (await other_page.call("set_sync", OTHER, True))[0] == "NotRegistered"
    assert (await other_page.call("set_sync", APP, "yes"))[0] == "InvalidValue"


async def test_when_a_device_was_last_seen() -> None:
    """It says so itself, at most every quarter of an hour, but at once where its clock turns out to be off."""
    first, second, page, _ = await two()

    async def seen() -> tuple[Any, Any]:
        await carry(second, first)
        device = (await page.call("overview"))["devices"][1]
        return device["seen_ms"], device["clock_off_ms"]

    start = second.now
    note = second.engine.parts.devices.note_seen
    await note(5)
    second.now += 1000
    await note(7)
    assert await seen() == (start, 5)
    await note(120_000)
    assert await seen() == (start + 1000, 120_000)
    second.now += SEEN_MS
    await note(120_001)
    assert await seen() == (start + 1000 + SEEN_MS, 120_001)
    second.now -= 10 * SEEN_MS  # the clock was set back
    await note(3)
    assert await seen() == (start + 1000 - 9 * SEEN_MS, 3)


async def test_every_call_about_devices_waits_for_an_open_profile() -> None:
    """While it is locked, or there is none, nothing is listed and everything is refused."""
    for passphrase in ("", "a passphrase"):
        rig = await Rig().start()
        page = rig.page()
        if passphrase:
            await page.call("create_profile", "Ann", passphrase, False)
            await page.call("lock")
        assert (await page.call("overview"))["devices"] == []
        for call in (
            ("rename_device", "0" * 16, "x"),
            ("remove_device", "0" * 16),
            ("set_relay", None),
            ("set_sync", APP, True),
            ("invite", "http://store.localhost/"),
        ):
            assert (await page.call(*call))[0] == "Locked", call
        assert (await page.call("seen_removed")) is None


@pytest.mark.parametrize(
    "text", ["1", '"x"', "{}", '{"name":5,"added_ms":1}', '{"name":"x","added_ms":"1"}', "[1]"]
)
def test_an_entry_that_cannot_be_read_hides_no_other(text: str) -> None:
    """What a later version may write is passed over, or shown as far as it can be."""
    good = '{"added_ms":5,"identity":"00","name":"Laptop"}'
    names = [device.name for device in listed([("device/a", text), ("device/b", good), ("seen/b", text)])]
    assert "Laptop" in names and set(names) <= {"Laptop", "x"}


# What they are called, and how many there are ---------------------------------------------------------------


def test_devices_of_one_name_are_told_apart() -> None:
    """The later ones get a number, whoever listed them; a name that is long is cut for it, and a copy keeps its own."""
    entry = {"identity": "00" * 32}
    items = [
        (f"device/{n:016x}", json.dumps({**entry, "name": name, "added_ms": n, **more}))
        for n, (name, more) in enumerate(
            [
                ("Chromium on Linux", {}),
                ("Chromium on Linux", {}),
                ("Chromium on Linux 2", {}),
                ("x" * 64, {}),
            ]
            + [("x" * 64, {}), ("Chromium on Linux", {"app": APP, "in": "00" * 8})]
        )
    ]
    found = [device.name for device in listed(items)]
    assert found[:3] == ["Chromium on Linux", "Chromium on Linux 2", "Chromium on Linux 2 2"]
    assert found[3:] == ["x" * 64, "x" * 62 + " 2", "Chromium on Linux"]


async def test_a_copy_in_the_same_browser_is_no_device_of_its_own() -> None:
    """With two devices, one of which has the app's data twice in its browser, the data is on two."""
    first, second, page, _ = await two()
    await first.approved(APP)
    profile = first.engine.profile
    assert profile is not None and first.engine.parts.devices.holding(APP) == 2
    identity, _ = await draw_identity(first.crypto)
    async with first.engine.parts.active.changing:
        await first.engine.parts.devices.enrol(profile, identity, APP, "Firefox on Linux")
    assert first.engine.parts.devices.holding(APP) == 2
    await carry(first, second)
    assert second.engine.parts.devices.holding(APP) == 2
    own = next(each["id"] for each in (await page.call("overview"))["devices"] if not each["this"])
    await page.call("remove_device", own)
    assert first.engine.parts.devices.holding(APP) == 1
