"""Watching: the latest of each key, whatever the reader's pace."""

import asyncio

import pytest
from fake_port import READY, opened

from masq.errors import InvalidKey, Locked, NotRegistered
from masq.watch import Change

pytestmark = pytest.mark.within(10)


async def take(watch, count):
    """Return the next changes of a watch."""
    return [await watch.__anext__() for _ in range(count)]


async def test_a_watch_tells_changes_of_its_prefix():
    """Set, deleted and foreign keys: only those with the prefix are told, with value and source."""
    store, fake = opened()
    async with store.watch("a/") as watch:
        await store.set("b/1", 0)
        await store.set("a/1", [1])
        assert await take(watch, 1) == [Change("a/1", [1], False, "self")]
        await store.delete("a/1")
        assert await take(watch, 1) == [Change("a/1", None, True, "self")]
        fake.data["a/2"] = {"$bytes": "/w=="}
        fake.say(changes=[[next(iter(fake.watches)), [fake.change("a/2", "tab")]]])
        assert await take(watch, 1) == [Change("a/2", b"\xff", False, "tab")]
    await asyncio.sleep(0.01)
    assert fake.watches == {}


@pytest.mark.parametrize("prefix", [5, "\ud800", "k" * 513], ids=["int", "surrogate", "long"])
async def test_a_watch_of_what_is_no_prefix_raises_where_it_is_read(prefix):
    """InvalidKey comes from the iteration, and nothing is sent."""
    store, fake = opened()
    async with store.watch(prefix) as watch:
        with pytest.raises(InvalidKey):
            await anext(watch)
    assert fake.messages == []


async def test_an_initial_watch_begins_with_what_is_there():
    """With `initial`, present entries come first."""
    store, _ = opened()
    await store.update({"a": 1, "b": 2})
    watch = store.watch(initial=True)
    assert await take(watch, 2) == [Change("a", 1, False, "self"), Change("b", 2, False, "self")]
    await watch.aclose()


async def test_a_slow_reader_gets_the_latest_of_each_key():
    """A thousand changes of three keys leave three, each with its last value, in order of first change."""
    store, _ = opened()
    watch = store.watch()
    for number in range(1000):
        store.set(f"k{number % 3}", number)
    await store.delete("k1")
    assert await take(watch, 3) == [
        Change("k0", 999, False, "self"),
        Change("k1", None, True, "self"),
        Change("k2", 998, False, "self"),
    ]
    await store.set("k0", "new")
    assert await take(watch, 1) == [Change("k0", "new", False, "self")]


async def test_a_cancelled_read_loses_nothing():
    """`wait_for` on a watch may run out; the next change is still told."""
    store, _ = opened()
    watch = store.watch()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watch.__anext__(), 0.01)
    await store.set("a", 1)
    assert await take(watch, 1) == [Change("a", 1, False, "self")]


async def test_closing_a_watch_ends_its_reader():
    """`aclose` ends the loop of a reader that waits."""
    store, _ = opened()
    watch = store.watch()

    async def read():
        return [change async for change in watch]

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.01)
    await watch.aclose()
    assert await reader == []


async def test_withdrawal_ends_watches_and_calls():
    """A withdrawn app reads what was told before, then NotRegistered; its status is closed."""
    store, fake = opened()
    watch = store.watch()
    await store.set("a", 1)
    fake.withdraw()
    assert store.status.state == "closed"
    assert await take(watch, 1) == [Change("a", 1, False, "self")]
    with pytest.raises(NotRegistered):
        await watch.__anext__()
    with pytest.raises(NotRegistered):
        await store.get("a")


async def test_locking_ends_watches_with_locked():
    """When the profile is locked, watches raise Locked."""
    store, fake = opened()
    watch = store.watch()
    await store.get("a")
    fake.say(status={"state": "locked"})
    assert store.status.state == "locked"
    with pytest.raises(Locked):
        await watch.__anext__()


async def test_a_watch_that_the_store_refuses_raises_its_error():
    """An error reply to `watch` is raised by the iterator."""
    store, fake = opened()
    fake.error = NotRegistered()
    with pytest.raises(NotRegistered):
        await store.watch().__anext__()


async def test_status_is_told_once_for_each_change():
    """watch_status gives the status now, then each new one; the same again is no news."""
    store, fake = opened()
    watch = store.watch_status()
    assert (await watch.__anext__()).profile == "Ann"
    fake.say(status=READY)
    fake.say(status={**READY, "devices": 2})
    fake.say(status={**READY, "devices": 3, "sync": "live"})
    status = await watch.__anext__()
    assert (status.state, status.devices, status.sync) == ("ready", 3, "live")
    await store.close()
    assert [status.state async for status in watch] == ["closed"]


async def test_after_a_loss_nothing_is_missed():
    """After "lost", a watch tells what is there and what is gone meanwhile."""
    store, fake = opened()
    await store.update({"a": 1, "b": 1, "c": 1})
    watch = store.watch(initial=True)
    await take(watch, 3)
    fake.watches.clear()
    fake.data = {"a": 2, "b": 1}
    store.reopen(fake.post)
    changes = {change.key: change for change in await take(watch, 3)}
    assert changes["a"] == Change("a", 2, False, "self")
    assert changes["c"] == Change("c", None, True, "device")
    await store.set("d", 1)
    assert await take(watch, 1) == [Change("d", 1, False, "self")]


async def test_what_several_watches_hear_comes_once():
    """A list of changes under several watches is for each of them."""
    store, fake = opened()
    async with store.watch("a") as one, store.watch("") as two, store.watch("b") as three:
        await store.get("x")
        fake.say(changes=[[[one.number, two.number], [["a", "tab", 1]]], [three.number, [["b", "tab", 2]]]])
        assert (await anext(one)).value == (await anext(two)).value == 1
        assert (await anext(three)).value == 2
