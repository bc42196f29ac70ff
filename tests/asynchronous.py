"""How tests run that are `async def`, and how they wait.

In virtual time (`rig/skipping.py`): there waiting takes none, and all speak in memory. A test that opens sockets, or
starts threads or programs, is marked `real_time`, and runs on the event loop that the relay uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

import pytest
from patience import seconds
from skipping import skipping


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    """Let pytest, or hypothesis for each example, call an async test as if it were none."""
    test = pyfuncitem.obj
    if iscoroutinefunction(test):
        pyfuncitem.obj = _called(test, pyfuncitem)
    elif (found := getattr(test, "hypothesis", None)) and iscoroutinefunction(found.inner_test):
        found.inner_test = _called(found.inner_test, pyfuncitem)
    return (yield)


def _called(test: Callable[..., Coroutine[Any, Any, None]], item: pytest.Item) -> Callable[..., None]:
    """Return a function that runs an async test as it is marked. What the loop reports fails it, if unexpected."""
    within, reports = item.get_closest_marker("within"), item.get_closest_marker("reports")
    most = within.args if within else ()
    expected = set(reports.args) if reports else set()
    real_time = item.get_closest_marker("real_time")

    @wraps(test)
    def call(**given: Any) -> None:
        reported: list[dict[str, Any]] = []
        scene = _scene(test, given, reported)
        if real_time:
            run(scene, *most, **real_time.kwargs)
        else:
            skipping(scene, *most)
        assert {context["message"] for context in reported} == expected, reported

    return call


async def _scene(
    test: Callable[..., Coroutine[Any, Any, None]], given: dict[str, Any], reported: list[dict[str, Any]]
) -> None:
    """Run a test. Where a fixture is an async context manager, the test gets what that gives."""
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with AsyncExitStack() as stack:
        for name, value in given.items():
            if isinstance(value, AbstractAsyncContextManager):
                given[name] = await stack.enter_async_context(value)
        await test(**given)


def run(
    scene: Coroutine[Any, Any, Any],
    nominal: float = 120,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> Any:
    """Run a scene on the event loop that the relay uses, or on what `loop` makes; return what it returns.

    It may take `nominal` seconds on a quiet machine.
    """
    if loop is None:
        try:
            from uvloop import new_event_loop as loop
        except ImportError:
            loop = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(asyncio.wait_for(scene, seconds(nominal)))


async def until(condition: Callable[[], Any], what: str = "the condition", nominal: float = 20) -> Any:
    """Return what `condition` gives once that is true; within `nominal` seconds of the loop, on a quiet machine."""
    now = asyncio.get_running_loop().time
    end = now() + seconds(nominal)
    while not (found := condition()):
        assert now() < end, f"{what} never held"
        await asyncio.sleep(0.002)
    return found


async def eventually(
    ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], object], nominal: float = 20
) -> Any:
    """Return the first answer that `holds`; within `nominal` seconds, as `until`."""
    now = asyncio.get_running_loop().time
    end = now() + seconds(nominal)
    while not holds(answer := await ask()):
        assert now() < end, f"to the end it was {answer!r}"
        await asyncio.sleep(0.01)
    return answer
