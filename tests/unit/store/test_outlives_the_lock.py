"""What outlives the lock needs the passphrase, at the engine itself; and a root key can be renewed.

A minute at somebody's unlocked store must not be worth the profile for ever.
"""

from __future__ import annotations

from typing import Any

import pytest
from engine_rig import APP, OTHER, Rig
from fake_relay import URL, FakeNetwork
from lock_rig import Killed, locked_rig, quick

from masq.errors import QuotaExceeded
from masq_store.core.crypto import key_schedule
from masq_store.core.profile.home_layout import DEVICE, device_value, draw_identity
from masq_store.engine.profile.tickets import TICKET_SECONDS
from masq_store.engine.profile.wrapping import Wrapping
from masq_store.engine.storage import disk_keys
from masq_store.engine.storage.trash import KEPT_MS, Trashed

pytestmark = pytest.mark.within(60)

__all__ = ["quick"]  # a fixture, for every test here

STORE = "https://store.example/"


async def at_the_unlocked_device(passphrase: str) -> tuple[Rig, Any, list[tuple[Any, ...]]]:
    """Return a rig with an open profile, a page, and the calls that outlive the lock, each without its passphrase."""
    rig = await Rig(network=FakeNetwork(there=False), relay=URL).start()
    page = rig.page()
    await page.call("create_profile", "Ann", passphrase, not passphrase)
    if passphrase:
        await page.call("set_lock_minutes", 15)
    profile = rig.engine.profile
    assert profile is not None
    identity, _ = await draw_identity(rig.crypto)
    await profile.write_home([(DEVICE + identity.id, device_value("Phone", identity, rig.now))], rig.now)
    calls: list[tuple[Any, ...]] = [
        ("set_stay_unlocked", True),
        ("set_lock_minutes", 60),
        ("set_lock_minutes", 0),
        ("write_backup", "a thief's own", None),
        ("invite", STORE),
        ("remove_device", identity.id),
    ]
    return rig, page, calls


async def test_what_outlives_the_lock_needs_the_passphrase() -> None:
    """Without it each is refused by name, with nothing changed; with it each is done."""
    rig, page, calls = await at_the_unlocked_device("one")
    before, stored = await page.call("overview"), dict(rig.backend.disk.stored)
    for call in calls:
        assert (await page.call(*call))[0] == "PassphraseNeeded", call
    assert await page.call("overview") == before and await page.call("pairing") is None
    assert rig.backend.disk.stored == stored
    for call in calls:
        assert not isinstance(await page.call(*call, "one"), list), call
    await page.call("end_pairing")
    seen = await page.call("overview")
    assert seen["profile"]["stays_unlocked"] and seen["profile"]["lock_minutes"] == 0
    assert len(seen["devices"]) == 1


async def test_what_is_stricter_or_has_no_passphrase_asks_for_nothing() -> None:
    """A shorter lock time and staying unlocked no more need no passphrase, and a profile without one never asks."""
    _, page, calls = await at_the_unlocked_device("one")
    await page.call("set_stay_unlocked", True, "one")
    assert (await page.call("set_stay_unlocked", True))["profile"]["stays_unlocked"]
    assert not (await page.call("set_stay_unlocked", False))["profile"]["stays_unlocked"]
    assert (await page.call("set_lock_minutes", 5))["profile"]["lock_minutes"] == 5
    _, page, calls = await at_the_unlocked_device("")
    for call in calls:
        assert not isinstance(await page.call(*call), list), call


async def test_guesses_there_count_like_those_at_the_lock() -> None:
    """From the third wrong one on there is a wait, whatever is asked for, and it holds at the lock, too."""
    rig, page, calls = await at_the_unlocked_device("one")
    answers = [await page.call(*call, "guess") for call in calls]
    assert {answer[0] for answer in answers} == {"WrongPassphrase"}
    assert [bool(answer[2]["wait_seconds"]) for answer in answers] == [
        False,
        False,
        True,
        True,
        True,
        True,
    ]
    assert (await page.call(*calls[0], "one"))[0] == "WrongPassphrase"  # not looked at: the wait lasts
    await page.call("lock")
    assert (await page.call("unlock", "one", False))[2]["wait_seconds"] > 0
    rig.now += 3_000
    assert not isinstance(await page.call("unlock", "one", False), list)


# Tickets ----------------------------------------------------------------------------------------------------


def halves(rig: Any) -> list[bytes]:
    """Return what stands on the disk of tickets."""
    return [value for key, value in rig.backend.disk.stored.items() if str(key).startswith(disk_keys.TICKETS)]


async def test_a_ticket_whose_time_is_over_is_erased_by_the_next_start() -> None:
    """Of every profile, the active one or not, before anybody unlocks; one of a moment ago stays for its page."""
    rig, page, _ = await locked_rig()
    first = next(name for name in rig.backend.disk.stored if name.startswith(disk_keys.TICKETS))
    rig.backend.disk.stored[disk_keys.TICKETS + "00" * 16] = rig.backend.disk.stored[
        first
    ]  # another profile's
    rig.backend.disk.stored[disk_keys.TICKETS + "11" * 16] = b"no ticket"
    await rig.restart()
    assert len(halves(rig)) == 2  # what is no ticket is none
    rig.now += 1000 * TICKET_SECONDS + 1
    await rig.restart()
    assert halves(rig) == [] and (await rig.page().call("overview"))["profile"]["locked"] is True


async def test_a_ticket_that_nobody_uses_is_erased_while_the_store_waits_locked() -> None:
    """The engine that found a good ticket at its start looks again once the ticket's time is over."""
    rig, _, _ = await locked_rig()
    await rig.restart()
    assert halves(rig)
    rig.now += 1000 * TICKET_SECONDS + 1
    assert rig.engine.auto_lock.sweeping
    assert (await rig.page().call("overview"))["profile"]["locked"]  # whoever comes by sees to it, too
    assert halves(rig) == [] and not rig.engine.auto_lock.sweeping


async def test_a_ticket_opens_once() -> None:
    """Whoever uses it gets another in its place; the half on the disk is a new one by then."""
    rig, page, tab = await locked_rig()
    used, before = page.ticket(), halves(rig)
    await rig.restart()
    again = rig.page(used)
    assert (await again.call("overview"))["profile"]["locked"] is False
    assert again.ticket() not in (None, used) and halves(rig) != before
    newer = again.ticket()
    await rig.restart()
    assert (await rig.page(used).call("overview"))["profile"]["locked"] is True
    assert (await rig.page(newer).call("overview"))["profile"]["locked"] is False


# Another root key -------------------------------------------------------------------------------------------


async def rich_rig() -> tuple[Rig, Any, Any]:
    """Return a rig with two apps, one of them withdrawn, with checkpoints and journals of both."""
    rig, page, tab = await locked_rig()
    other = await rig.approved(OTHER)
    await other.call("set", "mine", "too")
    await page.call("withdraw", OTHER)
    await tab.call("update", [[f"k{n}", n] for n in range(300)])
    return rig, page, tab


async def holds_all(rig: Rig, passphrase: str) -> None:
    """Check that the passphrase opens the profile, and that nothing of it is missing."""
    page = rig.page()
    if (await page.call("overview"))["profile"]["locked"]:
        assert "apps" in await page.call("unlock", passphrase, False)
    tab = rig.app(APP)
    await tab.status(state="ready")
    assert await tab.call("get", "k299") == [299]
    assert (await page.call("overview"))["kept"][0]["origin"] == OTHER
    assert len(await page.call("overview")) > 1


async def test_a_renewed_root_key_leaves_nothing_under_the_old_one() -> None:
    """Files of before, with the old passphrase or a ticket of then, open nothing of today's; the data is all there."""
    rig, page, tab = await rich_rig()
    profile = rig.engine.profile
    assert profile is not None
    old, id, before = profile.root, profile.id, set(rig.backend.disk.stored)
    assert (await page.call("change_passphrase", "wrong", "two", True))[0] == "WrongPassphrase"
    assert "profile" in await page.call("change_passphrase", "one", "two", True)
    assert await tab.call("get", "k299") == [299]  # the open tab goes on
    await tab.call("set", "after", 1)
    assert rig.engine.profile is not None and rig.engine.profile.root != old
    spaces = {key for key in rig.backend.disk.stored if key.startswith("space/")}
    assert spaces and not spaces & before
    assert not any(key.startswith("leftovers/") for key in rig.backend.disk.stored)
    record = rig.engine.vault.active
    assert record is not None
    with pytest.raises(Exception, match="Damaged"):
        await Wrapping(rig.crypto, id).open_home_secret(old, record["home"])
    events = [event for message in page.port.heard for event in message.get("events", ())]
    told = [(int(event[1]), int(event[2])) for event in events if event[0] == "renewing"]
    assert told[0][0] == 0 and told[-1][0] == told[-1][1] and told == sorted(told)
    await rig.restart()
    assert (await rig.page().call("unlock", "one", False))[0] == "WrongPassphrase"
    await holds_all(rig, "two")


async def test_a_renewed_root_key_takes_the_trash_along() -> None:
    """What is in the trash is there afterwards, under another name, and can still be read."""
    rig, page, _ = await rich_rig()
    profile = rig.engine.profile
    assert profile is not None
    await profile.space(OTHER, 5)
    id = (
        await rig.crypto.hkdf(profile.root, key_schedule.space_id_info(OTHER, 5), key_schedule.ID_BYTES)
    ).hex()
    await profile.trash.add(Trashed(id, OTHER, 5, "Tasks", 0, 0, rig.now, rig.now + KEPT_MS))
    await page.call("change_passphrase", "one", "two", True)
    await rig.restart()
    await rig.page().call("unlock", "two", False)
    assert rig.engine.profile is not None
    (kept,) = rig.engine.profile.trash.listed()
    assert kept.generation == 5 and kept.id != id
    stored = rig.backend.disk.stored
    assert any(key.startswith(disk_keys.space(profile.id, kept.id)[0]) for key in stored)
    assert not any(id in key for key in stored)


@pytest.mark.parametrize("after", [False, True])
async def test_a_renewal_killed_at_each_write(after: bool) -> None:
    """Whenever the process dies, the old passphrase or the new one opens everything, and nothing is left over."""
    ends: set[str] = set()
    for at in range(1, 100):
        rig, _, _ = await rich_rig()
        write, writes = rig.backend.write, [0]

        async def counted(*arguments: Any, at: int = at, write: Any = write, writes: Any = writes) -> Any:
            writes[0] += 1
            if writes[0] == at and not after:
                raise Killed()
            await write(*arguments)
            if writes[0] == at:
                raise Killed()

        rig.backend.write = counted  # type: ignore[method-assign]
        try:
            await rig.engine.commands.change_passphrase("one", "two", True)
            killed = False
        except Killed:
            killed = True
        await rig.restart()
        opens = "one" if "apps" in await rig.page().call("unlock", "one", False) else "two"
        ends.add(opens)
        await holds_all(rig, opens)
        assert rig.engine.profile is not None
        names = {key.split("/")[2] for key in rig.backend.disk.stored if key.startswith("space/")}
        mine = [
            (await rig.crypto.hkdf(rig.engine.profile.root, info, key_schedule.ID_BYTES)).hex()
            for info in rig.engine.profile.space_infos()
        ]
        assert names <= set(mine)
        if not killed:
            assert ends == {"one", "two"}
            return
    raise AssertionError("it never came to its end")


async def test_a_renewal_for_which_there_is_no_room_changes_nothing() -> None:
    """The old passphrase still opens everything, the open tab goes on, and no half of it stays on the disk."""
    rig, page, tab = await rich_rig()
    write, writes = rig.backend.write, [0]

    async def full(puts: Any, drops: Any = ()) -> None:
        counts = any(key.startswith("space/") for key, _ in puts)
        writes[0] += counts
        if counts and writes[0] == 3:
            raise QuotaExceeded("the disk")
        await write(puts, drops)

    before = {key for key in rig.backend.disk.stored if not key.startswith(disk_keys.TICKETS)}
    rig.backend.write = full  # type: ignore[method-assign]
    assert (await page.call("change_passphrase", "one", "two", True))[0] == "QuotaExceeded"
    rig.backend.write = write  # type: ignore[method-assign]
    assert {key for key in rig.backend.disk.stored if not key.startswith(disk_keys.TICKETS)} == before
    assert await tab.call("get", "k299") == [299]
    await page.call("lock")
    await holds_all(rig, "one")
