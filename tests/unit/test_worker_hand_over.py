"""The store's workers agree on who serves, with locks and a channel that are made up: whatever the older one does."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from patience import seconds

from masq_store.browser import engine_lock, worker
from masq_store.browser.worker import Worker


class Browser:
    """The one lock and the one channel of all workers; what they say on the console; how many have closed."""

    def __init__(self) -> None:
        self.closed = 0
        self.said: list[str] = []
        self.channels: list[Any] = []
        self.holder: Lock | None = None
        self.queue: list[tuple[Lock, asyncio.Future[Any]]] = []

    def channel(self, name: str) -> Any:
        """Return a BroadcastChannel."""
        made = SimpleNamespace(onmessage=None)
        made.postMessage = lambda text: self.post(made, text)
        self.channels.append(made)
        return made

    def post(self, sender: Any, text: str) -> None:
        """Let all others hear it, a little later."""
        for other in self.channels:
            if other is not sender and other.onmessage is not None:
                asyncio.get_running_loop().call_soon(other.onmessage, SimpleNamespace(data=text))

    async def acquire(
        self,
        name: str,
        *,
        wait: bool = True,
        steal: bool = False,
        stolen: Callable[[], None] = lambda: None,
    ) -> Lock | None:
        """Do as `web_locks.acquire`."""
        lock = Lock(self, stolen)
        if self.holder is None or steal:
            robbed, self.holder = self.holder, lock
            if robbed is not None:
                robbed.stolen()
        elif wait:
            granted = asyncio.get_running_loop().create_future()
            self.queue.append((lock, granted))
            await granted
        else:
            return None
        return lock

    def close(self) -> None:
        """End a worker."""
        self.closed += 1


class Lock:
    """A lock that is held, or waited for."""

    def __init__(self, browser: Browser, stolen: Callable[[], None]) -> None:
        self.browser = browser
        self.stolen = stolen

    def release(self) -> None:
        """Give it to who waits longest."""
        if self.browser.holder is self:
            self.browser.holder = None
            if self.browser.queue:
                self.browser.holder, granted = self.browser.queue.pop(0)
                granted.set_result(None)


class FakeEngine:
    """An engine that stops as it is told."""

    def __init__(self, stop: Callable[[], Awaitable[Any]]) -> None:
        self._stop = stop
        self.turns = SimpleNamespace()
        self.stopped = 0

    async def start(self) -> None:
        """Start at once."""

    async def stop(self) -> Any:
        """Stop, or not."""
        self.stopped += 1
        return await self._stop()


async def well() -> Any:
    """Stop as it should."""
    return []


async def failing() -> Any:
    """Fail as nobody foresaw."""
    raise ValueError("what nobody foresaw")


async def hanging() -> Any:
    """Hang, and not even end when that is asked for."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if over:
                raise


async def with_what_cannot_be_read() -> Any:
    """Return what nobody can hand on."""
    return [None]


over: list[bool] = []


@pytest.fixture
def scenery(monkeypatch: pytest.MonkeyPatch) -> Browser:
    """A browser whose workers have little patience."""
    made = Browser()
    js, pyodide, ffi = ModuleType("js"), ModuleType("pyodide"), ModuleType("pyodide.ffi")
    js.BroadcastChannel = SimpleNamespace(new=made.channel)  # type: ignore[attr-defined]
    js.self = made  # type: ignore[attr-defined]
    js.console = SimpleNamespace(error=made.said.append, warn=made.said.append)  # type: ignore[attr-defined]
    ffi.create_proxy = lambda call: call  # type: ignore[attr-defined]
    for name, module in (("js", js), ("pyodide", pyodide), ("pyodide.ffi", ffi)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(engine_lock.locks, "acquire", made.acquire)
    monkeypatch.setattr(worker, "Trips", lambda: None)
    monkeypatch.setattr(engine_lock, "PATIENCE_SECONDS", 0.4)
    monkeypatch.setattr(worker, "LEAVING_SECONDS", 0.01)
    monkeypatch.setattr(worker, "STOP_SECONDS", 0.3)
    return made


def begin(build: int, stop: Callable[[], Awaitable[Any]] = well) -> tuple[Worker, FakeEngine]:
    """Start a worker of a build, with an engine that stops so."""
    made, engine = Worker(build, "1.0", f"https://store/{build}/worker.js"), FakeEngine(stop)

    async def make() -> Any:
        return engine

    made._make = make  # type: ignore[method-assign]
    made.tasks.start(made.run())
    return made, engine


async def until(true: Callable[[], object]) -> None:
    """Wait until that is so."""
    async with asyncio.timeout(seconds(20)):
        while not true():
            await asyncio.sleep(0.01)


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene; at its end what hangs hangs no more."""

    async def main() -> None:
        over.clear()
        try:
            await scene()
        finally:
            over.append(True)

    asyncio.run(main())


@pytest.mark.parametrize("stop", [well, failing, hanging, with_what_cannot_be_read])
def test_a_newer_build_takes_over_whatever_the_older_engine_does(
    scenery: Browser, stop: Callable[[], Awaitable[Any]]
) -> None:
    """It stops well, fails, or hangs: the newer one serves, the older one ends, and what was the matter is told."""

    async def scene() -> None:
        older, engine = begin(1, stop)
        await until(lambda: older._engine)
        newer, _ = begin(2)
        await until(lambda: newer._engine)
        await until(lambda: scenery.closed == 1)
        assert engine.stopped == 1 and newer._lock._held is scenery.holder
        assert bool(scenery.said) == (stop is not well)

    run(scene)


@pytest.mark.parametrize("waiting", [1, 3])
def test_who_is_busy_without_end_is_robbed(
    scenery: Browser, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    """A worker that says for ever that it is busy, as one whose engine hung did once, keeps no newer one out.

    It has as long where several wait, each of whom hears the answers to all.
    """
    monkeypatch.setattr(engine_lock, "BUSY_LOOKS", 6)

    async def scene() -> None:
        answers = 0
        robbed: list[bool] = []
        held = await scenery.acquire("", stolen=lambda: robbed.append(True))
        assert held
        channel = scenery.channel("")

        def answer(event: Any) -> None:
            nonlocal answers
            if "wants" in json.loads(event.data):
                answers += 1
                channel.postMessage(json.dumps({"busy": 1}))

        channel.onmessage = answer
        newer = [begin(2)[0] for _ in range(waiting)]
        await until(lambda: any(each._engine for each in newer))
        assert robbed and 5 * waiting < answers <= 6 * waiting

    run(scene)


def test_who_wishes_twice_stops_the_engine_once(scenery: Browser) -> None:
    """Two newer workers, or one that asks again at once, are told that it is busy, and one of them gets everything."""

    async def scene() -> None:
        older, engine = begin(1)
        await until(lambda: older._engine)
        channel = scenery.channel("")
        for _ in range(3):
            channel.postMessage(json.dumps({"wants": 2, "url": "https://store/2/worker.js"}))
        await until(lambda: scenery.closed)
        assert (engine.stopped, scenery.closed, scenery.said) == (1, 1, [])

    run(scene)
