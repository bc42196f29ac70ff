"""Reply: what asyncio can do with a call."""

import asyncio
import gc

import pytest
from fake_port import opened

from masq.errors import InvalidValue

pytestmark = pytest.mark.within(10)


async def test_a_reply_is_what_asyncio_takes():
    """create_task, gather, wait_for, shield, ensure_future and TaskGroup take a call."""
    store, _ = opened()
    await store.set("a", 1)
    assert await asyncio.create_task(store.get("a")) == 1
    assert await asyncio.gather(store.get("a"), store.get("a")) == [1, 1]
    assert await asyncio.wait_for(store.get("a"), 1) == 1
    assert await asyncio.shield(store.get("a")) == 1
    assert await asyncio.ensure_future(store.get("a")) == 1
    async with asyncio.TaskGroup() as group:
        task = group.create_task(store.get("a"))
    assert task.result() == 1


async def test_a_reply_may_be_awaited_more_than_once():
    """Several tasks may await one call, before and after its answer."""
    store, _ = opened()
    call = store.increment("n")

    async def wait():
        return await call

    assert await asyncio.gather(wait(), wait(), call) == [1, 1, 1]
    assert await call == 1


async def test_errors_reach_tasks_and_gather():
    """An error is raised where the call is awaited, however it got there."""
    store, fake = opened()
    fake.error = InvalidValue("no")
    with pytest.raises(InvalidValue):
        await asyncio.create_task(store.get("a"))
    results = await asyncio.gather(store.get("a"), store.get("b"), return_exceptions=True)
    assert [type(result) for result in results] == [InvalidValue, InvalidValue]


async def test_cancelling_a_task_ends_its_wait():
    """A cancelled task stops waiting at once, and the late answer disturbs nobody."""
    store, fake = opened()
    fake.mute = True

    async def wait():
        await store.get("a")

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(store.get("a"), 0.01)
    fake.say(replies=[[1, [1]], [2, [1]]])
    fake.mute = False
    assert await store.get("a", 3) == 3


async def test_an_error_that_nobody_sees_is_reported():
    """A `set` without `await` that fails is told to the loop's exception handler; an awaited one is not."""
    reports = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
    store, fake = opened()
    fake.error = InvalidValue("no")
    store.set("a", 1)
    with pytest.raises(InvalidValue):
        await store.set("b", 1)
    await asyncio.sleep(0.01)
    gc.collect()
    assert [type(report["exception"]) for report in reports] == [InvalidValue]


async def test_waiters_run_in_the_message_handler():
    """Who awaits is resumed before `receive` returns, and what it calls next is sent by then."""
    store, fake = opened()
    fake.mute = True
    seen = []

    async def wait():
        seen.append(await store.get("a"))
        await store.get("b")

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.01)

    def arrive():
        fake.say(replies=[[1, [5]]])
        seen.append([call[2] for call in fake.calls()])

    asyncio.get_running_loop().call_soon(arrive)
    await asyncio.sleep(0.01)
    assert seen == [5, ["a", "b"]]
    task.cancel()


async def test_a_failing_waiter_does_not_stop_the_others():
    """An exception in one task's code leaves the replies after it untouched."""
    store, _ = opened()

    async def fails():
        await store.get("a")
        raise RuntimeError("mine")

    results = await asyncio.gather(fails(), store.get("b", 2), return_exceptions=True)
    assert isinstance(results[0], RuntimeError)
    assert results[1] == 2
