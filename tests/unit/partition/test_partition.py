"""Partitioned mode: copies of single apps' data, enrolled by a window, in step with the store."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
from typing import Any

import pytest
from asynchronous import until
from engine_rig import APP, OTHER, Peer, Rig, with_profile
from memory import MemoryBackend
from partition_rig import Apart, digest, first_party, in_step, kept_apart
from partition_scenes import SlowDisk
from port_rig import Port, channel

from masq.errors import ProtocolError, QuotaExceeded
from masq_store.core.crypto import key_schedule
from masq_store.core.enrolment import messages as enrolment
from masq_store.core.profile.home_layout import DEVICE, REMOVED, ROSTER, draw_identity, partition_value
from masq_store.engine.enrolment import port_line, port_sync
from masq_store.engine.pages.overview import overview
from masq_store.engine.partition import partition
from masq_store.engine.partition.app_copy import AppCopy
from masq_store.engine.profile.tickets import TICKET_SECONDS
from masq_store.engine.store.enrolment import HEAR_SECONDS


async def synced_again(rig: Rig, apart: Apart, tab: Peer) -> None:
    """The person clicks in a tab of an app whose copy is open; return once all that came of it is done."""
    apart.cut()
    store = rig.app()
    await store.status(state="ready")
    await store.call("increment", "clicks", 1)  # comes here over the new line alone
    assert (await apart.connect(tab))["registered"]
    await in_step(rig, apart)


def listed(rig: Rig) -> list[tuple[str | None, bool]]:
    """Return the copies that the pages show: the app of each, and whether it is in this browser."""
    return [(copy["app"], copy["here"]) for copy in rig.engine.parts.devices.describe_copies()]


async def test_a_partition_is_enrolled_and_counts() -> None:
    """An app in a partition is a stranger until its person allows it, and then in step with the store both ways."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    tab = apart.app()
    assert (await tab.status()) == {"state": "unregistered"}
    request = await apart.connect(tab)
    assert request["origin"] == APP and request["apart"] and not request["registered"]
    assert (await tab.status(state="ready"))["access"] == "partitioned"
    assert await tab.call("increment", "count", 1) == 1
    core = await first_party(rig)
    await until(lambda: core.text("count") == "1")
    other = rig.app(APP)
    await other.status(state="ready")
    await tab.call("watch", "count", False)
    assert await other.call("increment", "count", 1) == 2
    change = await tab.port.until(lambda message: message.get("changes"))
    assert change[0][1] == [["count", "device", 2]]
    assert listed(rig) == [(APP, True)]
    await tab.status(waiting=0, devices=1, sync="live")  # both are lost with this one browser


@pytest.mark.parametrize("how", ["refused", "closed", "silent"])
async def test_what_the_person_does_not_want(how: str) -> None:
    """Refused, closed, or a window that is gone without a word: the app hears of it, and nothing was granted."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    tab = apart.app()
    nonce = apart.click(tab)
    assert await rig.engine.commands.request(nonce)
    if how == "refused":
        await rig.engine.commands.answer(nonce, False)
    elif how == "closed":
        rig.engine.commands.popup_gone(nonce)
    else:
        apart.cut()
    status = await tab.status(denied="refused" if how == "refused" else "closed")
    assert status["state"] == "unregistered"
    heard = len(tab.statuses())
    rig.engine.commands.popup_gone(nonce)  # and whatever ends after the answer says nothing more
    apart.cut()
    await until(lambda: not apart.partition._requests._here)
    assert len(tab.statuses()) == heard
    assert apart.line and not any("grant" in message for message in apart.line[1].heard)
    assert not await apart.partition._kept.known(APP)
    assert listed(rig) == []


@pytest.mark.parametrize("how", ["before the hello", "after it"])
async def test_a_window_that_closes_just_after_it_has_knocked(how: str) -> None:
    """Closed before or after the app has said who it is, the window leaves no app waiting; the next one is as ever."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    tab = apart.app()
    page = rig.engine.page(Peer().port)
    nonce = apart.click(tab, page)
    if how == "after it":
        assert await rig.engine.commands.request(nonce)
    rig.engine.page_gone(page)
    rig.engine.commands.popup_gone(nonce)
    await tab.status(denied="closed")
    assert rig.engine.parts.requests.session(nonce) is None
    apart.click(tab, rig.engine.page(Peer().port))
    assert await rig.engine.commands.request(nonce)
    assert await rig.engine.commands.answer(nonce, True)
    await tab.status(state="ready")


async def test_two_tabs_of_one_app_ask() -> None:
    """A click in the second tab takes the first one's place: that one is told so, and has the data with the other."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    first, second = apart.app(), apart.app()
    assert await rig.engine.commands.request(apart.click(first))
    nonce = apart.click(second)
    assert (await first.status(denied="closed"))["state"] == "unregistered"
    assert await rig.engine.commands.request(nonce)
    assert "denied" not in second.statuses()[-1]
    assert await rig.engine.commands.answer(nonce, True)
    await second.status(state="ready")
    await first.status(state="ready")
    await in_step(rig, apart)
    nonce = apart.click(first)  # and once both have it, nobody is told anything
    assert await rig.engine.commands.request(nonce)
    assert await rig.engine.commands.answer(nonce, True)
    await in_step(rig, apart)
    assert all("denied" not in tab.statuses()[-1] for tab in (first, second))


async def test_a_second_click_in_one_tab_denies_nothing() -> None:
    """The same page asks anew: what its window says next counts, and the app goes on waiting."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    tab = apart.app()
    assert await rig.engine.commands.request(apart.click(tab))
    nonce = apart.click(tab)
    await asyncio.sleep(0.1)
    assert all("denied" not in status for status in tab.statuses())
    assert await rig.engine.commands.request(nonce)
    assert await rig.engine.commands.answer(nonce, True)
    await tab.status(state="ready")


BEYOND = ("module", "MemoryBackend", "Port", "Rig", "Apart", "Loop", "SkippingLoop")
"""What is looked at by itself, is the other side of a port, or is shared by both sides in this test only."""


def reachable(root: object) -> list[bytes]:
    """Return all texts and bytes that can be reached from an object, as bytes."""
    found, seen, todo = [], set(), [root]
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, type) or type(each).__name__ in BEYOND:
            continue
        seen.add(id(each))
        if isinstance(each, bytes | bytearray):
            found.append(bytes(each))
        elif isinstance(each, str):
            found.append(each.encode("utf-8", "surrogatepass"))
        elif not callable(each) or hasattr(each, "__self__") or hasattr(each, "__closure__"):
            references = gc.get_referents(each)
            if hasattr(each, "__closure__"):  # what a function holds, not the module it stands in
                references = [cell.cell_contents for cell in each.__closure__ or ()]
            todo += references
    return found


async def test_a_partition_holds_one_apps_space_only() -> None:
    """Neither its disk nor its memory has the root key, the home secret, or another app's name, secret or data."""
    rig = await with_profile()
    other = await rig.approved(OTHER)
    await other.call("set", "other-key", "other-value")
    apart = await Apart(rig).start()
    tab = await apart.connected()
    await tab.call("set", "own-key", "own-value")
    await in_step(rig, apart)
    profile = rig.engine.profile
    assert profile is not None
    secret = {
        origin: await rig.crypto.hkdf(profile.home_secret, key_schedule.space_secret_info(origin, 0), 32)
        for origin in (APP, OTHER)
    }
    roster = await rig.crypto.hkdf(profile.home_secret, key_schedule.roster_info(OTHER), 32)
    forbidden = [profile.root, profile.home_secret, secret[OTHER], roster]
    forbidden = [form for each in forbidden for form in (each, each.hex().encode(), base64.b64encode(each))]
    forbidden += [OTHER.encode(), b"other-key", b"other-value"]
    held = reachable(apart.partition)
    stored = apart.backend.disk.stored
    disk = [part for key, content in stored.items() for part in (str(key).encode(), content)]
    said = [json.dumps(message).encode() for port in apart.line or () for message in port.heard]
    for place in (held, disk, said):
        assert place
        for each in forbidden:
            assert not any(each in part for part in place), each
    # The search does find what is there: its own secret in memory, and nothing readable on the disk.
    assert any(secret[APP].hex().encode() in part for part in held)
    assert any(b"own-value" in part for part in held)
    assert not any(
        each in part for each in (b"own-key", b"own-value", secret[APP].hex().encode()) for part in disk
    )


async def test_a_copy_that_stays_unlocked_opens_by_itself() -> None:
    """After a restart it is ready without a window, with what was written while nobody else was there."""
    rig, apart, tab = await kept_apart()
    await in_step(rig, apart)
    apart.cut()
    await tab.status(sync="off")
    await tab.call("set", "alone", True)
    await tab.status(waiting=1)
    await apart.restart()
    again = apart.app()
    status = await again.status(state="ready")
    assert await again.call("get", "alone") == [True]
    assert status["waiting"] == 1
    await apart.connect(again)
    await in_step(rig, apart)
    assert (await first_party(rig)).text("alone") == "true"
    await again.status(waiting=0)


async def test_a_no_is_heard_before_the_window_closes() -> None:
    """Once the store has taken a no, its worker may end with the window: the app knows by then that it was refused."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    tab = apart.app()
    nonce = apart.click(tab)
    assert await rig.engine.commands.request(nonce)
    assert apart.line
    apart.line[1].slow = True
    await rig.engine.commands.answer(nonce, False)
    apart.cut()
    status = await tab.status(denied="refused")
    assert status["state"] == "unregistered"


async def test_a_partition_that_hears_nothing_keeps_no_window_open() -> None:
    """A partition that has gone, or is of a build that says nothing then, holds the answer up for a moment only."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    tab = apart.app()
    nonce = apart.click(tab)
    assert await rig.engine.commands.request(nonce)
    apart.cut()
    async with asyncio.timeout(HEAR_SECONDS + 5):
        assert await rig.engine.commands.answer(nonce, False)


async def test_a_passphrase_leaves_nothing_readable() -> None:
    """Without "stay unlocked" a copy opens by its ticket for a minute, then by nothing but the store's window."""
    rig, apart, tab = await kept_apart("correct horse", False)
    await tab.call("set", "diary", "a secret thought")
    await in_step(rig, apart)
    apart.cut()
    await tab.call("set", "unsent", 1)
    ticket = tab.ticket()
    assert ticket
    await apart.restart()
    rig.now += TICKET_SECONDS * 1000 - 1
    reloaded = apart.app(ticket=ticket)
    await reloaded.status(state="ready")
    assert await reloaded.call("get", "unsent") == [1]
    await apart.restart()  # the browser was closed
    rig.now += TICKET_SECONDS * 1000 + 1
    later = apart.app(ticket=ticket)
    assert await later.status() == {"state": "locked"}
    assert await later.call("get", "diary") == ["Locked", *(await later.call("get", "diary"))[1:]]
    for record in await apart.backend.scan("copy/"):
        assert json.loads(record[1])["device"] is None
    disk = b"".join(str(key).encode() + content for key, content in apart.backend.disk.stored.items())
    for text in (b"diary", b"a secret thought", b"unsent", APP.encode(), b"Counter", b"Ann"):
        assert text not in disk
    await apart.connect(later)  # the window unlocks the store, and what was written here is still there
    assert await later.call("get_many", ["diary", "unsent"]) == [
        ["diary", "a secret thought"],
        ["unsent", 1],
    ]
    await in_step(rig, apart)


@pytest.mark.parametrize("which", [0, 1])
async def test_another_grant_leaves_the_tickets_of_open_tabs_good(which: int) -> None:
    """Whichever tab its person syncs or connects by, each tab's ticket opens the copy for the next worker."""
    rig = await with_profile("correct horse", False)
    apart = await Apart(rig).start()
    tabs = [await apart.connected(), apart.app()]
    await tabs[1].call("set", "x", 1)
    for tab in tabs:
        rig.now += TICKET_SECONDS * 1000
        await synced_again(rig, apart, tab)
    rig.now += TICKET_SECONDS * 1000
    await apart.restart()
    reloaded = apart.app(ticket=tabs[which].ticket())
    await reloaded.status(state="ready")
    assert await reloaded.call("get", "x") == [1]


async def test_a_copys_ticket_opens_once_and_leaves_the_disk() -> None:
    """Who uses it gets another; one whose time is over goes at the next start, any with "stay unlocked"."""
    rig, apart, tab = await kept_apart("correct horse", False)
    await in_step(rig, apart)
    used = tab.ticket()
    await apart.restart()
    again = apart.app(ticket=used)
    await again.status(state="ready")
    assert again.ticket() not in (None, used)
    await apart.restart()
    assert await apart.app(ticket=used).status() == {"state": "locked"}
    third = apart.app(ticket=again.ticket())
    await third.status(state="ready")
    await rig.engine.commands.set_stay_unlocked(True, "correct horse")
    await synced_again(rig, apart, third)
    await until(lambda: apart.partition.copies[APP].secrets.grant.stay)
    await until(lambda: third.ticket() is None)
    assert await apart.backend.scan("ticket/") == []
    await rig.engine.commands.set_stay_unlocked(False)
    await synced_again(rig, apart, third)
    assert len(await apart.backend.scan("ticket/")) == 1
    rig.now += TICKET_SECONDS * 1000 + 1
    await apart.restart()
    assert await apart.backend.scan("ticket/") == []


async def test_no_link_is_asked_for_any_more_once_the_copy_has_opened() -> None:
    """A page waits for a link, and another tab of the app brings a ticket: both get their data, and the strip goes."""
    rig, apart, tab = await kept_apart("correct horse", False)
    await until(tab.ticket)
    await apart.restart()
    waits, strips = apart.app(), []
    waits.session.on_strip = strips.append  # type: ignore[attr-defined]
    await waits.status(state="locked")
    assert await waits.call("severed") is None
    assert strips == [{"state": "ask"}]
    await apart.app(ticket=tab.ticket()).status(state="ready")
    await waits.status(state="ready")
    await until(lambda: strips[-1] is None)


async def test_no_link_is_asked_for_any_more_once_the_copy_is_in_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A copy that was out of touch is in step by itself again, at a relay, say: the strip goes."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    await apart.connected()
    await in_step(rig, apart)
    await apart.restart()
    tab, strips = apart.app(), []
    tab.session.on_strip = strips.append  # type: ignore[attr-defined]
    await tab.status(state="ready", sync="off")
    assert await tab.call("severed") is None
    await until(lambda: strips == [{"state": "ask"}])
    monkeypatch.setattr(AppCopy, "state", "live")
    assert await tab.call("increment", "count", 1) == 1
    await until(lambda: strips[-1] is None)


@pytest.mark.parametrize("ticket", ["", "A", "%", "é", "AAAA"])
async def test_what_is_no_ticket_opens_nothing(ticket: str) -> None:
    """Whatever a frame has kept in a ticket's place: its app hears that the copy is locked."""
    rig, apart, tab = await kept_apart("correct horse", False)
    await until(tab.ticket)
    await apart.restart()
    assert await apart.app(ticket=ticket).status() == {"state": "locked"}


async def test_a_tab_gets_a_ticket_once_the_profile_stays_unlocked_no_more() -> None:
    """A tab that was open before "stay unlocked" was turned off holds a ticket after the next sync."""
    rig, apart, tab = await kept_apart("correct horse", True)
    await tab.call("set", "x", 1)
    assert tab.ticket() is None
    await rig.engine.commands.set_stay_unlocked(False)
    await synced_again(rig, apart, tab)
    assert tab.ticket()
    await apart.restart()
    reloaded = apart.app(ticket=tab.ticket())
    await reloaded.status(state="ready")
    assert await reloaded.call("get", "x") == [1]


async def test_a_grant_is_newer_than_what_the_copy_has_heard_before() -> None:
    """Granted without "stay unlocked", a copy that heard nothing more does not open by what it was told earlier."""
    rig = await with_profile("correct horse", True)
    await rig.engine.commands.set_lock_minutes(5)
    apart = await Apart(rig).start()
    tab = await apart.connected()
    await in_step(rig, apart)
    apart.cut()
    rig.now += 5 * 60_000
    assert (await tab.call("get", "x"))[0] == "Locked"
    await tab.status(state="locked")
    await rig.engine.commands.set_stay_unlocked(False)
    nonce = apart.click(tab)
    assert apart.line
    whole = apart.line[1].post
    apart.line[1].post = lambda text: None if '"say"' in text else whole(text)  # type: ignore[method-assign]
    await rig.engine.commands.request(nonce)
    answer = asyncio.create_task(rig.engine.commands.answer(nonce, True))
    await tab.status(state="ready")
    await until(tab.ticket)
    await apart.restart()
    await answer
    assert await apart.app().status() == {"state": "locked"}


async def test_the_store_locks_and_so_does_the_copy() -> None:
    """Locking the store while it is in touch locks the copy, which then tells its app so."""
    rig, apart, tab = await kept_apart("correct horse", False)
    await rig.engine.commands.lock()
    await tab.status(state="locked")
    assert (await tab.call("get", "x"))[0] == "Locked"
    assert tab.ticket() is None


async def test_a_copy_locks_after_the_time_that_its_person_has_set() -> None:
    """After so many minutes without use a copy is closed, also where a machine has slept through them."""
    rig = await with_profile("correct horse", False)
    await rig.engine.commands.set_lock_minutes(5)
    apart = await Apart(rig).start()
    tab = await apart.connected()
    apart.cut()
    rig.now += 4 * 60_000
    await tab.call("set", "x", 1)
    rig.now += 4 * 60_000
    assert await tab.call("get", "x") == [1]
    rig.now += 5 * 60_000
    assert (await tab.call("get", "x"))[0] == "Locked"
    assert (await tab.status(state="locked")) == {"state": "locked"}


async def test_a_copy_that_is_granted_again_has_not_rested() -> None:
    """Its person was in the store just now: neither the next look nor a lock that was due closes it."""
    rig = await with_profile("correct horse", True)
    await rig.engine.commands.set_lock_minutes(5)
    await rig.engine.commands.set_stay_unlocked(False)
    apart = await Apart(rig).start()
    tab = await apart.connected()
    page = rig.page()
    for idle_ms in (298_000, 301_000):
        apart.cut()
        for part_ms in (100_000, 100_000, idle_ms - 200_000):
            await page.call("used")
            rig.now += part_ms
        await apart.connect(tab)
        rig.now += 3_000
        apart.partition.auto_lock.look()
        assert await tab.call("keys", "") == []


async def test_a_relay_that_was_left_and_taken_again_is_the_copys_too() -> None:
    """Granted once more after its relay had moved, a copy follows the next moves, also one back to the first."""
    one, other = "wss://one.example", "wss://other.example"
    rig, apart, tab = await kept_apart(relay=one)
    copy = apart.partition.copies[APP]
    await until(lambda: copy.secrets.grant.relay == one)
    apart.cut()
    page = rig.page()
    await page.call("set_relay", other)
    await apart.connect(tab)
    assert copy is apart.partition.copies[APP]
    await until(lambda: copy.secrets.grant.relay == other)
    await page.call("set_relay", one)
    await until(lambda: copy.secrets.grant.relay == one)


async def two_apps() -> tuple[Rig, Apart, Peer, Peer]:
    """Return tabs of two apps of one site: the copy of the first locks after five minutes, the other's never."""
    rig = await with_profile("correct horse", True)
    apart = await Apart(rig).start()
    await rig.engine.commands.set_lock_minutes(5)
    locking = await apart.connected()
    apart.cut()
    await rig.engine.commands.set_lock_minutes(0, "correct horse")
    lasting = await apart.connected(OTHER)
    apart.cut()
    return rig, apart, locking, lasting


async def test_the_lock_time_of_one_app_does_not_hold_up_another() -> None:
    """After a sleep the app that comes first is answered, and the one whose time has passed locks all the same."""
    rig, _, locking, lasting = await two_apps()
    rig.now += 5 * 60_000
    answers = await asyncio.gather(lasting.call("get", "x"), locking.call("get", "x"))
    assert [answers[0], answers[1][:1]] == [[], ["Locked"]]
    assert await lasting.call("increment", "x", 1) == 1
    assert await locking.status() == {"state": "locked"}


async def test_an_app_that_opens_does_not_put_the_lock_of_another_off() -> None:
    """A copy that has rested for too long locks, also where the first to come after a sleep opens another one."""
    rig, apart, _, _ = await two_apps()
    await apart.restart()
    locking = apart.app()
    await locking.status(state="ready")
    rig.now += 5 * 60_000
    lasting = apart.app(OTHER)
    await lasting.status(state="ready")
    assert (await locking.call("get", "x"))[:1] == ["Locked"]
    assert await lasting.call("get", "x") == []


async def test_a_clock_set_back_puts_no_copys_lock_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set back, the clock counts from there on: the copy locks after its time, not once the clock has caught up."""
    monkeypatch.setattr(partition, "LOOK_SECONDS", 0.01)
    rig = await with_profile("correct horse", False)
    await rig.engine.commands.set_lock_minutes(5)
    apart = await Apart(rig).start()
    tab = await apart.connected()
    apart.cut()
    rig.now -= 60 * 60_000
    await asyncio.sleep(0.1)  # it looks
    rig.now += 5 * 60_000 - 1
    await asyncio.sleep(0.1)
    assert tab.statuses()[-1]["state"] == "ready"
    rig.now += 1
    assert await tab.status(state="locked")


async def test_a_wiped_partition_comes_back_in_one_click() -> None:
    """All that was in step is there again, nobody is asked anything, and the store lists one copy, not two."""
    rig, apart, tab = await kept_apart()
    await tab.call("update", [[f"key {n}", n] for n in range(3_000)])
    await tab.call("increment", "count", 7)
    await in_step(rig, apart)
    before = digest(await first_party(rig))
    wiped = await Apart(rig, MemoryBackend()).start()
    again = wiped.app()
    assert await again.status() == {"state": "unregistered"}
    assert (await wiped.connect(again))["registered"]
    await in_step(rig, wiped)
    assert digest(await first_party(rig)) == before
    assert await again.call("get", "count") == [7]
    assert listed(rig) == [(APP, True)]


async def test_a_withdrawn_app_ends_in_its_copy_too() -> None:
    """Withdrawn in the store, the app hears NotRegistered, and the copy is erased; what only it held went first."""
    rig, apart, tab = await kept_apart()
    await tab.call("set", "kept", 1)
    await in_step(rig, apart)
    await rig.engine.commands.withdraw(APP)
    await tab.status(state="unregistered")
    assert (await tab.call("get", "kept"))[0] == "NotRegistered"
    await until(lambda: APP not in apart.partition.copies)
    assert not await apart.backend.scan("space/")


async def test_a_removed_copy_is_erased_and_asks_again() -> None:
    """Removed in the store's list, a copy goes; the app's button then asks, although the app is approved."""
    rig, apart, tab = await kept_apart()
    await in_step(rig, apart)
    (copy,) = rig.engine.parts.devices.describe_copies()
    await rig.engine.device_commands.remove(copy["id"])
    await tab.status(state="unregistered")
    await until(lambda: APP not in apart.partition.copies)
    assert listed(rig) == []
    request = await apart.connect(tab)
    assert not request["registered"]
    assert listed(rig) == [(APP, True)]
    assert (await apart.connect(tab))["registered"]  # asked once, it is a copy like any other


async def test_all_copies_of_a_browser_are_removed_together() -> None:
    """An app used on its own site and inside others has several copies here; the one that is listed stands for all."""
    rig = await with_profile()
    places = [await Apart(rig).start() for _ in range(3)]
    tabs = [await apart.connected() for apart in places]
    assert listed(rig) == [(APP, True)]
    (copy,) = rig.engine.parts.devices.describe_copies()
    await rig.engine.device_commands.remove(copy["id"])
    for apart, tab in zip(places, tabs, strict=True):
        await tab.status(state="unregistered")
        await until(lambda apart=apart: APP not in apart.partition.copies)
    assert listed(rig) == []


async def test_a_copy_is_listed_with_the_device_that_keeps_it() -> None:
    """By its present name: this browser's copy first; one of a device that is not listed any more has none."""
    rig = await with_profile()
    engine, profile = rig.engine, rig.engine.profile
    assert profile is not None and engine.parts.devices.own is not None
    apart = await Apart(rig).start()
    far = [(await draw_identity(rig.crypto))[0] for _ in range(3)]
    await engine.parts.devices.add(profile, "Telephone", far[0])
    entries = [
        (DEVICE + of.id, partition_value("Tasks", of, rig.now, OTHER, host))
        for of, host in zip(far[1:], (far[0].id, "0" * 16), strict=True)
    ]
    await profile.write_home(entries, rig.now)
    await apart.connected()
    await engine.device_commands.rename(engine.parts.devices.own.id, "Desk")
    shown = [(copy["name"], copy["device"], copy["here"]) for copy in engine.parts.devices.describe_copies()]
    assert shown[0] == ("Counter", "Desk", True)
    assert sorted(shown[1:], key=str) == [("Tasks", "Telephone", False), ("Tasks", None, False)]
    assert [device["name"] for device in engine.parts.devices.describe()] == ["Desk", "Telephone"]


async def test_connecting_a_copy_is_using_the_app() -> None:
    """The store's pages say when an app was last used, also where it never reaches the store itself."""
    rig, apart, tab = await kept_apart()
    rig.now += 3 * 24 * 3600 * 1000
    await apart.connect(tab)
    assert [app["used_ms"] for app in (await overview(rig.engine.parts))["apps"]] == [rig.now]


async def test_a_copy_that_cannot_come_up_to_date_is_not_said_to_be() -> None:
    """Whose disk is full says so: the copy's after a pause, the store's own at once, as QuotaExceeded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(port_line, "MEET_SECONDS", 0.5)
        rig = await with_profile()
        own = await rig.approved(APP)
        await own.call("update", [[f"key {n}", "x" * 1_000] for n in range(100)])
        apart = await Apart(rig, MemoryBackend(quota=30_000)).start()
        tab = apart.app()
        nonce = apart.click(tab)
        assert await rig.engine.commands.request(nonce)
        assert await rig.engine.commands.answer(nonce, True) is False
        assert (await tab.status(state="ready"))["access"] == "partitioned"
        rig.engine.commands.popup_gone(nonce)
        apart.backend.disk.quota = None
        nonce = apart.click(tab)
        assert await rig.engine.commands.request(nonce)
        assert await rig.engine.commands.answer(nonce, True) is True
        rig.engine.commands.popup_gone(nonce)
        apart.cut()
        rig.backend.disk.quota = rig.backend.disk.used + 2_000
        await tab.call("update", [[f"more {n}", "x" * 1_000] for n in range(100)])
        nonce = apart.click(tab)
        assert await rig.engine.commands.request(nonce)
        with pytest.raises(QuotaExceeded):
            await rig.engine.commands.answer(nonce, True)
        assert (await tab.status())["waiting"] > 0
        rig.backend.disk.quota = None
        assert await rig.engine.commands.answer(nonce, True) is True
        await tab.status(waiting=0)


async def test_a_backlog_of_which_a_part_did_not_fit_is_not_taken_as_whole() -> None:
    """What comes in several messages, the first of which the disk could not take, comes again with the next window."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(port_line, "MEET_SECONDS", 0.5)
        rig = await with_profile()
        own = await rig.approved(APP)
        wanted = {f"key {n:03}": "x" * 1_000 for n in range(300)}
        await own.call("update", list(wanted.items()))
        apart = await Apart(rig, MemoryBackend(quota=150_000)).start()
        tab = apart.app()
        nonce = apart.click(tab)
        assert await rig.engine.commands.request(nonce)
        assert await rig.engine.commands.answer(nonce, True) is False
        assert 0 < len(await tab.call("keys", "")) < 300
        rig.engine.commands.popup_gone(nonce)
        apart.cut()
        apart.backend.disk.quota = None
        await apart.connect(tab)
        await in_step(rig, apart)
        assert dict(await tab.call("items", "")) == wanted


async def test_a_partition_that_starts_slowly_is_waited_for() -> None:
    """Its Python may have to be loaded first: the line is kept, and the window that gave up is told when it asks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(port_line, "ALIVE_SECONDS", 0.01)
        patch.setattr(port_line, "SILENT_SECONDS", 0.1)
        rig = await with_profile()
        page = Peer()
        rig.engine.page(page.port)
        apart = await Apart(rig).start()
        tab = apart.app()
        end = apart.knock()
        await until(lambda: len(end.heard) > 20)  # it says all the time that it is there, and hears nothing
        assert end.open
        before = len(page.port.heard)
        nonce = apart.started(tab)
        assert (await rig.engine.commands.request(nonce) or {})["origin"] == APP
        await until(lambda: {"masq": 1, "events": [["overview"]]} in page.port.heard[before:])
        await rig.engine.commands.answer(nonce, True)
        await tab.status(state="ready")


async def test_a_store_that_starts_slowly_is_waited_for() -> None:
    """While the store's Python is yet to be loaded it says nothing: the app goes on waiting, and then has its data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(port_line, "ALIVE_SECONDS", 0.01)
        patch.setattr(port_line, "SILENT_SECONDS", 0.1)
        rig = await with_profile()
        apart = await Apart(rig).start()
        tab = apart.app()
        nonce = apart.started(tab)
        assert apart.line
        end = apart.line[0]
        await until(lambda: len(end.heard) > 20)  # it says all the time that it is there, and hears nothing
        assert end.open and "denied" not in tab.statuses()[-1]
        apart.store_started()
        assert await rig.engine.commands.request(nonce)
        await rig.engine.commands.answer(nonce, True)
        await tab.status(state="ready")


async def test_a_store_that_never_starts_is_let_go() -> None:
    """The app hears that nobody answers, and another click asks anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(port_line, "ALIVE_SECONDS", 0.01)
        patch.setattr(enrolment, "START_SECONDS", 0.1)
        rig = await with_profile()
        apart = await Apart(rig).start()
        tab = apart.app()
        apart.started(tab)
        await tab.status(denied="closed")
        assert (await apart.connect(tab))["origin"] == APP


async def test_a_partition_that_never_starts_is_let_go() -> None:
    """The wait for its first word has an end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(port_line, "ALIVE_SECONDS", 0.01)
        patch.setattr(enrolment, "START_SECONDS", 0.1)
        rig = await with_profile()
        apart = await Apart(rig).start()
        end = apart.knock()
        await until(lambda: not end.open)


async def test_erased_data_goes_from_the_copy() -> None:
    """An app whose data was erased begins empty in its copy, too, once its person has connected it again."""
    rig, apart, tab = await kept_apart()
    await tab.call("set", "old", 1)
    await in_step(rig, apart)
    await rig.engine.commands.withdraw(APP, erase=True)
    await tab.status(state="unregistered")
    await until(lambda: APP not in apart.partition.copies)
    await apart.connect(tab)
    assert await tab.call("keys", "") == []
    assert len(await apart.backend.scan("copy/")) == 1


async def test_two_apps_of_one_site() -> None:
    """Apps of one site share a partition: each is approved by itself, and sees its own data only."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    one = await apart.connected()
    other = apart.app(OTHER)
    assert await other.status() == {"state": "unregistered"}
    await apart.connect(other)
    await one.call("set", "whose", "one")
    await other.call("set", "whose", "other")
    assert [await tab.call("get", "whose") for tab in (one, other)] == [["one"], ["other"]]
    await in_step(rig, apart, OTHER)
    assert sorted(listed(rig)) == [(APP, True), (OTHER, True)]


async def test_another_profile_has_another_copy() -> None:
    """Connected from another profile the app sees that one's data; back again, nothing of the first is lost."""
    rig = await with_profile()
    first = rig.engine.vault.active
    assert first is not None
    apart = await Apart(rig).start()
    tab = await apart.connected()
    await tab.call("set", "whose", "Ann's")
    apart.cut()
    await tab.call("set", "unsent", "Ann's")
    await rig.page().call("create_profile", "Ben", "", True)
    await apart.connect(tab)
    await tab.status(profile="Ben")
    assert await tab.call("keys", "") == []
    await tab.call("set", "whose", "Ben's")
    await rig.engine.commands.switch_profile(first["id"])
    await apart.connect(tab)
    await tab.status(profile="Ann")
    assert await tab.call("items", "") == [["unsent", "Ann's"], ["whose", "Ann's"]]
    await in_step(rig, apart)


async def test_third_party_storage_is_allowed_later() -> None:
    """The app reaches the store itself by now: its copy hands over what it has, once, and is gone."""
    rig, apart, tab = await kept_apart()
    await tab.call("increment", "count", 5)
    await in_step(rig, apart)
    apart.cut()
    await tab.call("increment", "count", 2)
    await tab.call("update", [[f"key {n}", n] for n in range(1_000)])
    wanted = digest(apart.partition.copies[APP].data.core)
    apart.partition.detach(tab.session)  # type: ignore[attr-defined]
    await apart.restart()
    shared = rig.app()
    await shared.status(state="ready")
    apart.come_back()
    await until(lambda: listed(rig) == [])
    assert await shared.call("get", "count") == [7]
    assert digest(await first_party(rig)) == wanted
    assert not await apart.backend.scan("copy/") and not await apart.backend.scan("space/")
    apart.come_back()  # the next page's frame: nothing is left to be handed over, or doubled
    await asyncio.sleep(0.1)
    assert await shared.call("get", "count") == [7]


async def test_of_two_copies_in_one_browser_none_is_lost() -> None:
    """The app has a copy on its own site and one on another; each hands over what it has, but not a removed one."""
    rig = await with_profile()
    own, elsewhere, removed = [await Apart(rig).start() for _ in range(3)]
    for number, apart in enumerate((removed, own, elsewhere)):
        tab = await apart.connected()
        await in_step(rig, apart)
        if apart is removed:
            (copy,) = rig.engine.parts.devices.describe_copies()
            await rig.engine.device_commands.remove(copy["id"])
            await tab.status(state="unregistered")
        apart.cut()
        if apart is not removed:
            await tab.call("increment", "count", 10**number)
        apart.partition.detach(tab.session)  # type: ignore[attr-defined]
    shared = rig.app()
    await shared.status(state="ready")
    for apart in (own, elsewhere):
        apart.come_back()
        await until(lambda apart=apart: not apart.partition.copies)
        left = [(APP, True)] if apart is own else []
        await until(lambda left=left: listed(rig) == left)
    assert await shared.call("get", "count") == [110]
    removed.come_back()
    await asyncio.sleep(0.1)
    assert removed.line and not any("grant" in message for message in removed.line[1].heard)
    assert listed(rig) == []


async def test_a_stranger_at_the_port_gets_nothing() -> None:
    """What is no hello of a partition ends the line: nothing is filed, granted or listed."""
    rig = await with_profile()
    nonce = "0" * 32
    good = {"origin": APP, "nonce": nonce, "app": {"name": "Counter"}, "public": "ab" * 32, "known": {}}
    bad: list[Any] = [
        None,
        {},
        {**good, "origin": "null"},
        {**good, "origin": "http://evil.example"},
        {**good, "nonce": "1"},
        {**good, "app": {"name": ""}},
        {**good, "app": None},
        {**good, "public": "ab"},
        {**good, "public": 7},
        {**good, "known": {"x": "zz"}},
        {**good, "known": []},
    ]
    for hello in bad:
        mine, theirs = channel()
        mine.listen(lambda text: None)
        rig.engine.enrolments.take(theirs, asked=True)
        mine.post(json.dumps({"masq": 1, "hello": hello}))
        await until(lambda: not rig.engine.enrolments._here.all)
        assert rig.engine.parts.requests.session(nonce) is None
    mine, theirs = channel()
    rig.engine.enrolments.take(theirs, asked=False)  # nobody was asked: it must be a device already
    mine.post(json.dumps({"masq": 1, "hello": {**good, "known": {"00": "ab" * 32}}}))
    await asyncio.sleep(0.1)
    assert not any("grant" in message for message in theirs.heard)


async def test_what_is_written_in_one_profiles_copy_reaches_no_other_profile() -> None:
    """Over a line that lasts, the store goes on with another profile: what the first one's copy says is not merged."""
    rig = await with_profile("correct horse", True)
    first = rig.engine.vault.active
    assert first is not None
    apart = await Apart(rig).start()
    tab = await apart.connected()
    await rig.page().call("create_profile", "Ben", "", True)
    second = rig.engine.vault.active
    assert second is not None
    await synced_as(rig, apart, tab, "Ben")
    await rig.engine.commands.switch_profile(first["id"])
    await synced_as(rig, apart, tab, "Ann")
    apart.come_back()  # the store gives its storage to another tab; this one works on the copy all the same
    await until(lambda: apart.partition.copies[APP].state == "live")
    await rig.engine.auto_lock.lock()
    assert await tab.call("set", "diary", "Ann's") is None  # the copy stays open, for it may
    await rig.engine.commands.switch_profile(second["id"])
    await tab.status(profile="Ben")
    assert (await first_party(rig)).keys("") == []
    await in_step(rig, apart)
    assert await tab.call("keys", "") == []


async def synced_as(rig: Rig, apart: Apart, tab: Peer, profile: str) -> None:
    """The person clicks while that profile is open in the store."""
    apart.cut()
    await apart.connect(tab)
    await tab.status(profile=profile)
    await in_step(rig, apart)
    apart.cut()


@pytest.mark.parametrize("how", ["has rested", "goes to another profile"])
async def test_a_store_that_lets_go_keeps_no_copy_in_step(how: str) -> None:
    """A copy that may stay open says that it is out of touch, so that its button works; what it had is known."""
    rig, apart, tab = await kept_apart("correct horse", True)
    await tab.call("set", "x", 1)
    await tab.status(sync="live", waiting=0)
    if how == "has rested":
        await rig.engine.auto_lock.lock()
    else:
        await rig.page().call("create_profile", "Ben", "", True)
    await tab.status(sync="off", waiting=0)
    await tab.call("set", "x", 2)
    await tab.status(sync="off", waiting=1)


async def test_what_changes_while_the_partition_is_busy_is_told_afterwards() -> None:
    """While tickets go to a slow disk nobody is told how a copy stands; then they are, though nothing else happens."""
    rig = await with_profile("correct horse", False)
    backend = SlowDisk()
    apart = await Apart(rig, backend).start()
    tab = await apart.connected()
    await in_step(rig, apart)
    apart.cut()
    await tab.status(sync="off", waiting=0)
    backend.prefix, backend.seconds = "ticket/", 4 * partition.TELL_SECONDS
    apart.partition._look()
    await asyncio.sleep(0)
    await tab.call("set", "x", 1)
    await tab.status(waiting=1)


async def test_a_call_that_waits_for_a_lock_which_does_not_come_is_answered() -> None:
    """The copy has rested for too long, but before it locks the store grants it anew: what was asked is answered."""
    rig = await with_profile("correct horse", True)
    await rig.engine.commands.set_lock_minutes(5)
    backend = SlowDisk()
    apart = await Apart(rig, backend).start()
    tab = await apart.connected()
    apart.cut()
    backend.prefix, backend.seconds = "copy/", 0.1
    rig.now += 3 * 60_000
    await rig.page().call("used")
    rig.now += 3 * 60_000  # the copy is to lock, the store is not
    nonce = apart.click(tab)
    assert await rig.engine.commands.request(nonce)
    answer = asyncio.ensure_future(rig.engine.commands.answer(nonce, True))
    await until(lambda: apart.partition._changing.locked())  # the grant is being taken
    assert await tab.call("increment", "count", 1) == 1
    assert await answer
    assert await tab.call("get", "count") == [1]


async def test_of_a_copy_whose_data_was_erased_nothing_is_written_after_its_erasing() -> None:
    """Out of touch, an app goes on with the erased data until its person clicks: nothing of that copy stays."""
    rig = await with_profile()
    backend = SlowDisk()
    apart = await Apart(rig, backend).start()
    tab = await apart.connected()
    apart.cut()
    before = apart.partition.copies[APP].secrets.id
    await rig.engine.commands.withdraw(APP, erase=True)
    backend.prefix, backend.says = "copy/", 0.1
    nonce = apart.click(tab)
    assert await rig.engine.commands.request(nonce)
    answer = asyncio.ensure_future(rig.engine.commands.answer(nonce, True))
    while not answer.done():
        await asyncio.wait_for(tab.call("set", "x", 1), 5)
        await asyncio.sleep(0.01)
    await in_step(rig, apart)
    await asyncio.sleep(0.2)
    assert not await backend.scan(f"space/{before}/")


async def test_a_copy_that_has_locked_is_not_opened_by_another_tab() -> None:
    """After its time of rest a copy that stays unlocked is locked for all tabs, until the store opens it again."""
    rig = await with_profile("correct horse", True)
    await rig.engine.commands.set_lock_minutes(5)
    apart = await Apart(rig).start()
    tab = await apart.connected()
    apart.cut()
    rig.now += 5 * 60_000
    assert (await tab.call("get", "x"))[0] == "Locked"
    other = apart.app()
    assert (await other.status())["state"] == "locked"
    assert (await tab.status())["state"] == "locked"
    await apart.connect(other)
    await tab.status(state="ready")


async def test_a_window_reloaded_in_vain_leaves_no_copy_in_step() -> None:
    """The line to a window ends as soon as another one takes its place; if nothing comes of that, the app hears it."""
    rig, apart, tab = await kept_apart()
    await tab.status(sync="live")
    apart.click(tab)
    apart.cut()
    await tab.status(sync="off")


async def test_what_the_store_has_is_known_after_a_restart() -> None:
    """A worker that ends right after the store has got a change does not say later that it waits."""
    rig, apart, tab = await kept_apart()
    await in_step(rig, apart)
    await tab.status(sync="live", waiting=0)
    await tab.call("set", "x", 1)
    await until(lambda: apart.partition.copies[APP].waiting == 0)
    await apart.restart()
    assert (await apart.app().status(state="ready"))["waiting"] == 0


@pytest.mark.parametrize("end", [0, 1])
async def test_a_backlog_that_takes_its_time_is_waited_for(end: int) -> None:
    """As long as messages of it arrive, at the store or at the copy, the window waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(port_line, "MEET_SECONDS", 0.5)
        patch.setattr(port_sync, "PIECE_BYTES", 10)
        rig, apart, tab = await kept_apart()
        apart.cut()
        store = rig.app()
        await store.status(state="ready")
        backlog = [[f"key {n:02}", "x" * 100] for n in range(50)]
        await (tab, store)[end].call("update", backlog)
        nonce = apart.click(tab)
        assert apart.line
        one_by_one(apart.line[end], 0.04)
        assert await rig.engine.commands.request(nonce)
        assert await rig.engine.commands.answer(nonce, True) is True
        assert len(await (store, tab)[end].call("keys", "")) == 50


def one_by_one(end: Port, seconds: float) -> None:
    """Have what is posted at one end arrive at the other with a pause before each message."""
    post, queue = end.post, asyncio.Queue[str]()
    end.post = queue.put_nowait  # type: ignore[method-assign]

    async def deliver() -> None:
        while end.open:
            post(await queue.get())
            await asyncio.sleep(seconds)

    end.delivery = asyncio.ensure_future(deliver())  # type: ignore[attr-defined]


async def test_a_profile_that_is_deleted_takes_its_copies_along() -> None:
    """Deleted from this device, a profile goes from the copies of this browser too, where they are in touch."""
    rig, apart, tab = await kept_apart()
    await tab.call("set", "diary", "a secret thought")
    await in_step(rig, apart)
    active = rig.engine.vault.active
    assert active is not None
    await rig.engine.commands.delete_profile(active["id"])
    await tab.status(state="unregistered")
    await until(lambda: APP not in apart.partition.copies)
    assert not await apart.backend.scan("copy/") and not await apart.backend.scan("space/")


async def test_a_device_that_is_removed_is_removed_with_its_copies() -> None:
    """Whoever removes a lost telephone removes what its browser keeps of single apps, too."""
    rig = await with_profile()
    engine, profile = rig.engine, rig.engine.profile
    assert profile is not None
    await rig.approved(APP)
    far, copy = [(await draw_identity(rig.crypto))[0] for _ in range(2)]
    await engine.parts.devices.add(profile, "Telephone", far)
    entry = partition_value("Counter", copy, rig.now, APP, far.id)
    await profile.write_home([(DEVICE + copy.id, entry), (ROSTER + APP, True)], rig.now)
    await engine.device_commands.remove(far.id)
    assert listed(rig) == []
    assert engine.parts.devices.was_removed(copy.id)
    roster = await profile.roster(APP)
    await until(lambda: roster.core.has(REMOVED + copy.id))


async def test_a_copy_that_is_granted_again_outlives_its_removal() -> None:
    """Killed before it could erase itself, a removed copy is opened by the next grant: what it had heard is over."""
    rig, apart, tab = await kept_apart("correct horse", False)
    await tab.call("set", "x", 1)
    await in_step(rig, apart)
    copy, kept = apart.partition.copies[APP], dict[str, bytes]()
    copy.roster.listeners.append(lambda keys, source: kept.update(apart.backend.disk.stored))
    (entry,) = rig.engine.parts.devices.describe_copies()
    await rig.engine.device_commands.remove(entry["id"])
    await until(lambda: copy.ended)
    apart.backend.disk.stored = kept
    await apart.restart()
    tab = apart.app()
    await tab.status(state="locked")
    assert not (await apart.connect(tab))["registered"]
    await asyncio.sleep(0.5)
    assert tab.statuses()[-1]["state"] == "ready"
    assert await tab.call("get", "x") == [1]


async def test_a_window_hears_that_the_app_it_asks_about_has_gone() -> None:
    """The app's page is closed while the person thinks: the window looks again, and asks no more."""
    rig = await with_profile()
    page = Peer()
    rig.engine.page(page.port)
    apart = await Apart(rig).start()
    nonce = apart.click(apart.app())
    assert await rig.engine.commands.request(nonce)
    await asyncio.sleep(0.1)
    before = len(page.port.heard)
    apart.cut()
    await until(lambda: rig.engine.parts.requests.session(nonce) is None)
    assert {"masq": 1, "events": [["overview"]]} in page.port.heard[before:]


async def test_a_partition_that_another_app_is_in_does_not_vanish() -> None:
    """One app's copy was handed back, and another app of the site waits for its person: it ends once that has gone."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    vanished: list[bool] = []
    apart.partition._emptied = lambda: vanished.append(True)
    tab = await apart.connected()
    await in_step(rig, apart)
    apart.partition.detach(tab.session)  # type: ignore[attr-defined]
    other = apart.app(OTHER)
    await other.status(state="unregistered")
    apart.come_back()
    await until(lambda: listed(rig) == [])
    assert not vanished
    apart.partition.detach(other.session)  # type: ignore[attr-defined]
    assert vanished


async def test_an_app_that_goes_while_it_is_let_in_keeps_no_space_open() -> None:
    """The partition is gone before the grant is given: the window says so, and the space is given back."""
    store = SlowDisk()
    rig = await with_profile(backend=store)
    apart = await Apart(rig).start()
    nonce = apart.click(apart.app())
    assert await rig.engine.commands.request(nonce)
    (enrolment,) = rig.engine.enrolments._here.all
    store.prefix, store.seconds = "space/", 0.1
    answer = asyncio.ensure_future(rig.engine.commands.answer(nonce, True))
    await asyncio.sleep(0.15)
    rig.engine.enrolments.drop(enrolment)  # as when it has been silent for too long
    with pytest.raises(ProtocolError):
        await answer
    profile = rig.engine.profile
    assert profile is not None and not profile._users[APP]
