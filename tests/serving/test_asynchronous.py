"""How async tests are run: in virtual time or in real time, each example of hypothesis too, and what fails them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import asynchronous
import pytest
from asynchronous import eventually, until
from hypothesis import given, settings
from hypothesis import strategies as st
from skipping import SkippingLoop


@pytest.fixture
@asynccontextmanager
async def set_up() -> AsyncIterator[list[str]]:
    """Something that is set up in the loop of the test."""
    assert isinstance(asyncio.get_running_loop(), SkippingLoop)
    yield ["set up"]


@pytest.mark.parametrize("hours", [1, 20])
async def test_waiting_takes_no_time(hours: int, set_up: list[str]) -> None:
    """Hours pass at once, and a fixture has set up what the test is given."""
    began, now = time.monotonic(), asyncio.get_running_loop().time
    await asyncio.sleep(hours * 3600)
    assert now() >= hours * 3600 and time.monotonic() - began < 60
    assert set_up == ["set up"]


@pytest.mark.real_time
async def test_in_real_time_sockets_can_be_opened() -> None:
    """A test that is marked so runs on another loop."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    server.close()
    await server.wait_closed()


async def test_no_socket_in_virtual_time() -> None:
    """A test without the mark is told of it, and of threads too."""
    with pytest.raises(AssertionError, match="mark the test real_time"):
        await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    with pytest.raises(AssertionError, match="mark the test real_time"):
        await asyncio.to_thread(print)


@given(st.integers(0, 9))
@settings(max_examples=5)
async def test_each_example_is_run(number: int) -> None:
    """Hypothesis calls an async test as it calls others."""
    await asyncio.sleep(number)
    assert asyncio.get_running_loop().time() >= number


def called(test: Callable[[], Coroutine[Any, Any, None]], **marks: Any) -> None:
    """Run a test with marks."""
    item: Any = SimpleNamespace(get_closest_marker=marks.get)
    asynchronous._called(test, item)()


async def reporting() -> None:
    """Tell the loop of an error."""
    asyncio.get_running_loop().call_exception_handler({"message": "a network failed"})


async def silent() -> None:
    """Tell it nothing."""


def test_what_the_loop_reports_fails_a_test() -> None:
    """Unless it is what the test is about; and then it must come."""
    expected = SimpleNamespace(args=("a network failed",))
    with pytest.raises(AssertionError, match="a network failed"):
        called(reporting)
    called(reporting, reports=expected)
    with pytest.raises(AssertionError):
        called(silent, reports=expected)


async def test_what_never_holds_is_named() -> None:
    """`until` and `eventually` return what they waited for, or say what did not come."""
    later = asyncio.get_running_loop().time() + 10
    assert await until(lambda: asyncio.get_running_loop().time() > later and "it") == "it"

    async def ask() -> int:
        return 5

    assert await eventually(ask, lambda answer: answer == 5) == 5
    with pytest.raises(AssertionError, match="the end never held"):
        await until(lambda: False, "the end")
    with pytest.raises(AssertionError, match="to the end it was 5"):
        await eventually(ask, lambda answer: answer == 6)
