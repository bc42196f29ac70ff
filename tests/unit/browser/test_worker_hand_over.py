"""The store's workers agree on who serves, with locks and a channel that are made up: whatever the older one does."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from asynchronous import until
from engine_rig import APP, Rig

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


class Proxy:
    """A function that JavaScript may call."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call: Callable[..., Any] | None = call

    def __call__(self, *arguments: Any) -> Any:
        """Call it. A proxy that was destroyed cannot be called."""
        assert self._call is not None
        return self._call(*arguments)

    def destroy(self) -> None:
        """Let it go."""
        self._call = None


class JsPort:
    """A MessagePort of the worker's: what was posted on it, with which ports."""

    def __init__(self) -> None:
        self.onmessage: Any = None
        self.posted: list[tuple[dict[str, Any], list[Any]]] = []

    def postMessage(self, text: str, ports: Sequence[Any] = ()) -> None:  # noqa: N802 - as JavaScript has it
        """Take a message of the worker's."""
        self.posted.append((json.loads(text), list(ports)))

    def say(self, message: dict[str, Any], *ports: Any) -> None:
        """Send the worker a message."""
        self.onmessage(SimpleNamespace(data=json.dumps({"masq": 1, **message}), ports=list(ports)))

    def found(self, name: str) -> list[Any]:
        """Return what was posted under a name so far."""
        return [message[name] for message, _ in self.posted if name in message]

    async def hear(self, name: str) -> Any:
        """Return what is posted under a name, now or later, the first of it."""
        await until(lambda: self.found(name))
        return self.found(name)[0]


class Ear:
    """As `hear` of bridge.js."""

    def __init__(self, port: JsPort, to: Callable[[Any], None]) -> None:
        port.onmessage = lambda event: to(event.data)


class FakeEngine:
    """An engine that stops as it is told."""

    def __init__(self, stop: Callable[[], Awaitable[Any]]) -> None:
        self._stop = stop
        self.turns = SimpleNamespace()
        self.stopped = 0
        self._handed: Any = []

    async def start(self) -> None:
        """Start at once."""

    async def stop(self) -> None:
        """Stop, or not."""
        self.stopped += 1
        self._handed = await self._stop()

    def hand_over(self) -> Any:
        """Return what it was told to."""
        return self._handed


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
@asynccontextmanager
async def scenery(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Browser]:
    """A browser whose workers have little patience. At the test's end what hangs hangs no more."""
    over.clear()
    made = Browser()
    js, pyodide, ffi = ModuleType("js"), ModuleType("pyodide"), ModuleType("pyodide.ffi")
    js.BroadcastChannel = SimpleNamespace(new=made.channel)  # type: ignore[attr-defined]
    js.self = made  # type: ignore[attr-defined]
    js.console = SimpleNamespace(error=made.said.append, warn=made.said.append)  # type: ignore[attr-defined]
    js.masqBridge = SimpleNamespace(hear=Ear)  # type: ignore[attr-defined]
    js.Object = SimpleNamespace(prototype=SimpleNamespace(toString=SimpleNamespace(call=str)))  # type: ignore[attr-defined]
    ffi.create_proxy = Proxy  # type: ignore[attr-defined]
    ffi.to_js = list  # type: ignore[attr-defined]
    for name, module in (("js", js), ("pyodide", pyodide), ("pyodide.ffi", ffi)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(engine_lock.web_locks, "acquire", made.acquire)
    monkeypatch.setattr(worker, "Trips", lambda: None)
    monkeypatch.setattr(engine_lock, "PATIENCE_SECONDS", 0.4)
    monkeypatch.setattr(worker, "LEAVING_SECONDS", 0.01)
    monkeypatch.setattr(worker, "STOP_SECONDS", 0.3)
    try:
        yield made
    finally:
        over.append(True)


def begin(build: int, stop: Callable[[], Awaitable[Any]] = well) -> tuple[Worker, FakeEngine]:
    """Start a worker of a build, with an engine that stops so."""
    made, engine = Worker(build, "1.0", f"https://store/{build}/worker.js"), FakeEngine(stop)

    async def make() -> Any:
        return engine

    made._make = make  # type: ignore[method-assign]
    made.tasks.start(made.run())
    return made, engine


FAILING = pytest.param(failing, marks=pytest.mark.reports("the store's worker failed"))


@pytest.mark.parametrize("stop", [well, FAILING, hanging, with_what_cannot_be_read])
async def test_a_newer_build_takes_over_whatever_the_older_engine_does(
    scenery: Browser, stop: Callable[[], Awaitable[Any]]
) -> None:
    """It stops well, fails, or hangs: the newer one serves, the older one ends, and what was the matter is told."""
    older, engine = begin(1, stop)
    await until(lambda: older._engine)
    newer, _ = begin(2)
    await until(lambda: newer._engine)
    await until(lambda: scenery.closed == 1)
    assert engine.stopped == 1 and newer._lock._held is scenery.holder
    assert bool(scenery.said) == (stop is not well)


@pytest.mark.parametrize("waiting", [1, 3])
async def test_who_is_busy_without_end_is_robbed(
    scenery: Browser, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    """A worker that says for ever that it is busy, as one whose engine hung did once, keeps no newer one out.

    It has as long where several wait, each of whom hears the answers to all.
    """
    monkeypatch.setattr(engine_lock, "BUSY_LOOKS", 6)
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


async def test_who_wishes_twice_stops_the_engine_once(scenery: Browser) -> None:
    """Two newer workers, or one that asks again at once, are told that it is busy, and one of them gets everything."""
    older, engine = begin(1)
    await until(lambda: older._engine)
    channel = scenery.channel("")
    for _ in range(3):
        channel.postMessage(json.dumps({"wants": 2, "url": "https://store/2/worker.js"}))
    await until(lambda: scenery.closed)
    assert (engine.stopped, scenery.closed, scenery.said) == (1, 1, [])


async def test_an_app_goes_on_at_the_newer_worker(scenery: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its frame gets the port back with the session's state, brings both there, and the app misses nothing.

    Nor does the engine: the app counts in every turn of the loop, for as long as somebody listens.
    """
    monkeypatch.setattr(engine_lock.web_locks, "released", lambda name: asyncio.Event().wait())
    monkeypatch.setattr(worker, "LEAVING_SECONDS", 5)
    about = {"nonce": "ab" * 16, "name": "Counter", "description": "", "icon": None}

    def serving(build: int, rig: Rig) -> Worker:
        made = begin(build)[0]

        async def make() -> Any:
            return rig.engine

        made._make = make  # type: ignore[method-assign]
        return made

    async def said(*arguments: Any) -> None:
        """What the store's host says is nobody's concern here."""

    monkeypatch.setattr(worker.host_settings, "tell_relay", said)

    app = JsPort()

    def changes() -> list[Any]:
        return [change for some in app.found("changes") for _, told in some for change in told]

    async def scene() -> None:
        rig = Rig()
        older, frame = serving(1, rig), JsPort()
        older.connect(frame)
        frame.say({"attach": {"id": "1", "origin": APP, "app": about}}, app)
        await until(lambda: older._engine)
        await rig.page().call("create_profile", "Ann", "", True)
        await rig.engine.commands.answer(about["nonce"], True)
        await frame.hear("admitted")  # it had the port while the app was a stranger
        frame.say({"attach": {"id": "1", "origin": APP, "app": about, "again": 1}}, app)
        app.say({"calls": [[1, "set", "k", 1]]})
        await app.hear("replies")
        app.say({"calls": [[2, "watch", "", False]]})

        counted = 0

        async def count() -> None:
            nonlocal counted
            while app.onmessage is not None:
                counted += 1
                app.say({"calls": [[100 + counted, "increment", "n", 1]]})
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        rig.backend = type(rig.backend)(rig.backend.disk)
        rig.engine = rig._engine()
        newer, line = serving(2, rig), JsPort()
        assert await frame.hear("moved") == "https://store/2/worker.js"
        message, ports = frame.posted[-1]
        [state] = message["sessions"]
        assert ports == [app] and set(state) == {"origin", "app", "watches", "seen", "shown", "early"}
        await counting
        assert app.onmessage is None  # what the app says waits in the port, which the frame has
        newer.connect(line)
        line.say({"attach": {**state, "id": "1", "ticket": None}}, app)
        frame.say({"left": 1})
        await until(lambda: scenery.closed == 1 and newer._engine)
        app.say({"calls": [[5, "get", "k"], [6, "set", "k", 2], [7, "get", "n"]]})
        await until(lambda: ["k", "self", 2] in changes())
        replies = [reply for some in app.found("replies") for reply in some]
        assert [5, [1]] in replies and changes()[-1] == ["k", "self", 2]
        assert [7, [counted]] in replies
        assert {reply[0] for reply in replies} >= {100 + number for number in range(1, counted + 1)}
        assert scenery.said == []

    await scene()
