"""Entry of the SharedWorker: takes the ports that JavaScript has gathered, and keeps one engine running.

One engine may write at a time: it holds the Web Lock `masq-engine`. Workers agree over the BroadcastChannel
of the same name, in three messages. A worker that waits for the lock `wants` a turn. The lock's holder says who
`serves`, or that it is `busy`, starting or finishing. It steps down for a newer build: it finishes its
transaction and hands its apps' ports back to their frames, with the newer worker's address. An older or equal
build that hears who serves sends its frames and pages there, and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from typing import Any

from masq import messages
from masq.errors import MasqError, StorageUnavailable, to_wire
from masq_store.browser import host_settings as host
from masq_store.browser import paste_strip as strip
from masq_store.browser.engine_start import started
from masq_store.browser.ports import web_locks as locks
from masq_store.browser.ports.event_loop import Trips
from masq_store.browser.ports.indexeddb import DATABASE, IndexedDB
from masq_store.browser.ports.message_port import AppPort, BrowserPort, PagePort
from masq_store.browser.ports.webcrypto import WebCrypto
from masq_store.browser.ports.websocket import BrowserNetwork
from masq_store.core.profile.claims import nonce_in
from masq_store.engine.engine import Engine
from masq_store.engine.pages.page_session import PageSession
from masq_store.engine.partition.partition import Partition
from masq_store.engine.sessions.app_session import AppSession
from masq_store.engine.sessions.hand_over import Attach, State
from masq_store.engine.tasks import Tasks

ENGINE = "masq-engine"
APART = "masq-partition"
"""The same for the worker of a partition, and its database: names of its own, should both see one storage."""

NESTED = "masq-nested"
"""The same for apps inside pages of other origins. On the store's own host they see its storage, and no frame there may
take their copy for one that is to be handed back."""

READING = {"masq": messages.PROTOCOL, "frame": "progress"}
"""What a frame tells its app while a large space is read, which puts the app's time-out off."""

PATIENCE_SECONDS = 10
"""How long an engine that was asked to step down may stay silent before its lock is taken from it.

Its unfinished transactions then fail by their generation number."""

LEAVING_SECONDS = 0.5
"""How long an engine that steps down holds its lock for frames and pages to leave.

What they hold may open the profile: else a page that comes to the newer worker first finds the profile locked.
"""

LOOKS = 4
"""How often it is asked in that time: a machine that slept has missed but one answer."""

STOP_SECONDS = 30
"""How long an engine that steps down may take to finish. Where it takes longer, its worker ends as in a crash.

What was acknowledged is on the disk by then; the apps' open calls fail, and their frames find the newer worker."""

BUSY_LOOKS = 48
"""After how many looks in a row, two minutes of them, it is not believed any more that it is busy: no start and no end
takes as long. Answers are not counted: each who waits hears those to all the others, too."""


async def main() -> Any:
    """Start the engine of this build, whose number and version JavaScript has left in `masqBoot`.

    Returns a function for JavaScript that takes a port, in which what was said so far waits.
    """
    import js
    from pyodide.ffi import create_proxy

    boot = js.masqBoot
    address = js.URL.new(js.self.location.href)
    kind = str(address.searchParams.get("partition")) if address.searchParams.has("partition") else None
    name = {None: ENGINE, "nested": NESTED}.get(kind, APART)
    worker = Worker(int(boot.build), str(boot.version), str(address.href), name)
    worker.tasks.start(worker.run())
    return create_proxy(worker.connect)


class Worker:
    """This SharedWorker: its frames and pages, and the engine once it is this worker's turn.

    `name`: of its lock. One but `ENGINE` is a partition's, where there are frames only.
    """

    def __init__(self, build: int, version: str, url: str, name: str = ENGINE) -> None:
        import js
        from pyodide.ffi import create_proxy

        self._build = build
        self._version = version
        self._url = url
        self._name = name
        self.tasks = Tasks("the store's worker", _tell_console)
        self._engine: Engine | Partition | None = None
        self._failure: MasqError | None = None
        self._moved: str | None = None  # the address of the worker that has taken over
        self._lines: list[Line] = []
        self._held: locks.Held | None = None
        self._waiting = False  # for our turn
        self._heard = False  # whoever holds the lock has answered since we asked last
        self._said_busy = False  # since the last look
        self._sent_on = asyncio.Event()  # set with `_moved`
        self._alone = asyncio.Event()  # set when the last line has gone
        self._channel = js.BroadcastChannel.new(self._name)
        self._channel.onmessage = create_proxy(self._hear)

    async def run(self) -> None:
        """Become the store's engine, or learn that a newer one is at work; then serve what has waited."""
        try:
            self._held = await self._take_turn()
            if self._held is None:
                assert self._moved is not None
                self._send_on(self._moved, {})
                await self._end_alone()
                return
            self._engine = await started(self._make, self._try_failed)
            self._engine.turns.soon = Trips()
        except MasqError as error:
            self._failure = error
        except Exception as error:  # what nobody foresaw is shown, and answered, too
            self._failure = MasqError(f"{type(error).__name__}: {error}")
            raise
        else:
            self._say_who_serves()  # to those that asked while we were starting
            if isinstance(self._engine, Engine):
                self._engine.soon(host.tell_relay(self._engine.backend, self._engine.set_default_relay))
        finally:
            if self._engine is None:
                self._release()  # for a worker that fares better
            if self._engine or self._failure:
                for line in sorted(self._lines, key=lambda line: not line.brings_ticket):
                    line.serve(self._engine, self._failure)

    async def _make(self) -> Engine | Partition:
        apart = self._name != ENGINE
        backend = await IndexedDB.open(self._name if apart else DATABASE)
        crypto = WebCrypto(backend.keys())
        persistent = await _persisted()
        if apart:

            def emptied() -> None:
                self.tasks.start(self._vanish(backend))

            return Partition(
                backend,
                crypto,
                now_ms=_now_ms,
                persistent=persistent,
                failed=self._disk_failed,
                emptied=emptied,
                network=BrowserNetwork(),
            )
        return Engine(
            backend,
            crypto,
            now_ms=_now_ms,
            persistent=persistent,
            version=self._version,
            build=self._build,
            failed=self._disk_failed,
            network=BrowserNetwork(),
            device_name=host.device_name(),
        )

    async def _vanish(self, backend: IndexedDB) -> None:
        """End, with the storage: a partition that holds nothing any more must not be started again."""
        import js

        try:
            await backend.destroy()
        finally:
            js.self.close()

    def connect(self, js_port: Any) -> None:
        """Take a new port."""
        line = Line(self, js_port)
        self._lines.append(line)
        if self._moved:
            line.move(self._moved, [])
        elif self._engine:
            line.serve(self._engine, None)
        elif self._failure:  # a reload is a new try: what failed may have passed
            self._failure = None
            self.tasks.start(self.run())

    def drop(self, line: Line) -> None:
        """Forget a line whose page or frame has gone, or has moved to another worker."""
        if line in self._lines:
            self._lines.remove(line)
            line.close()
            if not self._lines:
                self._alone.set()

    def end(self) -> None:
        """End this worker at once, whatever it is doing."""
        import js

        js.self.close()

    def windows(self, nonce: str) -> list[Line]:
        """Return the windows that are open about the request under this nonce."""
        return [line for line in self._lines if line.nonce == nonce]

    async def _take_turn(self) -> locks.Held | None:
        """Take the engine's lock; None where `_moved` names a worker as new as this one, or newer, that serves."""
        held = await locks.acquire(self._name, wait=False, stolen=self._robbed)
        if held:
            return held
        waiting = self.tasks.start(locks.acquire(self._name, stolen=self._robbed))
        sent_on = self.tasks.start(self._sent_on.wait())
        self._waiting = True
        try:
            silent = busy = 0
            while not waiting.done() and not sent_on.done():
                if silent == LOOKS or busy >= BUSY_LOOKS:
                    waiting.add_done_callback(_pass_on)
                    return await locks.acquire(self._name, steal=True, stolen=self._robbed)
                self._heard = self._said_busy = False
                self._wish()
                await asyncio.wait(
                    [waiting, sent_on], timeout=PATIENCE_SECONDS / LOOKS, return_when=asyncio.FIRST_COMPLETED
                )
                silent = 0 if self._heard else silent + 1
                busy = busy + 1 if self._said_busy else 0
        finally:
            self._waiting = False
            sent_on.cancel()
        if self._moved:
            waiting.add_done_callback(_pass_on)
            return None
        return waiting.result()

    def _hear(self, event: Any) -> None:
        message = json.loads(event.data)
        if "wants" in message and self._held:
            if self._engine and message["wants"] <= self._build:
                self._say_who_serves()
                return
            if self._engine:
                engine, self._engine = self._engine, None
                self.tasks.start(self._step_down(engine, message["url"]))
            self._post({"busy": self._build})
        elif self._waiting and ("busy" in message or "serves" in message):
            self._heard = True
            self._said_busy = "busy" in message
            if message.get("serves", -1) >= self._build:
                self._moved = message["url"]
                self._sent_on.set()
            elif "serves" in message:
                self._wish()  # it was not ready when we asked

    def _wish(self) -> None:
        self._post({"wants": self._build, "url": self._url})

    def _say_who_serves(self) -> None:
        self._post({"serves": self._build, "url": self._url})

    async def _step_down(self, engine: Engine | Partition, url: str) -> None:
        """Hand everything to the worker at `url`. Whatever fails or hangs, this worker ends, and its lock is free."""
        try:
            stopping = self.tasks.start(engine.stop())
            await asyncio.wait([stopping], timeout=STOP_SECONDS)
            if not stopping.done():
                raise TimeoutError(f"it had not stopped after {STOP_SECONDS} seconds")
            by_session = {session: (port, state) for session, port, state in stopping.result()}
            self._send_on(url, by_session)
            await self._until_alone(LEAVING_SECONDS)
            self._release()
            await self._until_alone(PATIENCE_SECONDS)
        except Exception as error:  # what nobody foresaw, too
            _tell_console(f"The store's engine could not be handed over: {error!r}")
        finally:
            self._release()
            self.end()

    def _send_on(self, url: str, by_session: dict[AppSession, tuple[Any, State]]) -> None:
        """Send every frame and page to the worker at `url`, those that come later, too."""
        self._moved = url
        for line in list(self._lines):
            line.move(url, [by_session[s] for s in line.sessions if s in by_session])

    async def _end_alone(self) -> None:
        """End once frames and pages have heard where to go.

        A frame that heard of our end first would start this worker again, and its app would lose its calls.
        """
        import js

        await self._until_alone(PATIENCE_SECONDS)
        js.self.close()

    async def _until_alone(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._lines:
                    self._alone.clear()
                    await self._alone.wait()

    def _release(self) -> None:
        if self._held:
            self._held.release()
            self._held = None

    def _robbed(self) -> None:
        """Another worker took us for dead: our frames find it when they see this worker go."""
        import js

        js.console.warn("Another worker of the store has taken over.")
        js.self.close()

    def _try_failed(self, reason: str) -> None:
        import js

        js.console.warn(f"The store's storage failed as it started, so it is tried again: {reason}")

    def _disk_failed(self, error: Exception) -> None:
        import js

        js.console.error(f"The store's disk no longer works: {error}")
        # This engine is of no more use: frames see its lock go, and attach to a new one.
        js.self.close()

    def _post(self, message: dict[str, Any]) -> None:
        self._channel.postMessage(json.dumps(message))


class Line:
    """The port of one frame or page, and the sessions that came over it."""

    def __init__(self, worker: Worker, js_port: Any) -> None:
        self.sessions: list[AppSession] = []
        self.nonce = ""
        """Of the request that this page was opened for, as a window of its own."""
        self._worker = worker
        self._js_port = js_port
        self._engine: Engine | Partition | None = None
        self._failure: MasqError | None = None
        self._moved: str | None = None
        self._waiting: list[tuple[str, dict[str, Any], list[Any]]] = []
        self._page_session: PageSession | None = None
        self._app_port: AppPort | None = None
        self._proxy: Any = None
        self._listen()

    def serve(self, engine: Engine | Partition | None, failure: MasqError | None) -> None:
        """Do what was asked so far, and what will be, by `engine`; or tell why there is none."""
        self._engine, self._failure = engine, failure
        waiting, self._waiting = self._waiting, []
        for early in waiting:
            self._take(*early)

    @property
    def brings_ticket(self) -> bool:
        """Whether what waits may open the profile (engine/store/auto_lock.py)."""
        said = [message.get("attach", message.get("page")) for _, message, _ in self._waiting]
        return any(isinstance(words, dict) and words.get("ticket") for words in said)

    def hear(self, event: Any) -> None:
        """Take a message from the frame or page."""
        try:
            message = messages.loads(event.data)
        except MasqError:
            return
        if isinstance(message, dict) and message.get("masq") == messages.PROTOCOL:
            ports = list(event.ports)
            if "left" in message:
                self._worker.drop(self)
            elif self._engine or self._failure:
                self._take(event.data, message, ports)
            else:
                self._waiting.append((event.data, message, ports))
                if self._moved and "attach" in message:  # sent before it heard
                    self.move(self._moved, [])

    def move(self, url: str, handed: list[tuple[Any, State]]) -> None:
        """Send frame or page to the worker at `url`, with the apps' ports that it goes on with."""
        from pyodide.ffi import to_js

        waiting = [
            (message["attach"], ports[0]) for _, message, ports in self._waiting if "attach" in message
        ]
        released = [(port.release(), state) for port, state in handed]
        states: list[State | Attach] = [state for _, state in released]
        states += [attach for attach, _ in waiting]
        ports = [port for port, _ in released if port is not None]  # or the frame has it
        ports += [port for _, port in waiting]
        message = {"masq": messages.PROTOCOL, "moved": url, "sessions": states}
        self._engine, self._moved, self._waiting = None, url, []
        self._listen()  # for its word that it has left
        self._js_port.postMessage(messages.dumps(message), to_js(ports))

    def _listen(self) -> None:
        from pyodide.ffi import create_proxy

        self.close()
        self._proxy = create_proxy(self.hear)
        self._js_port.onmessage = self._proxy

    def close(self) -> None:
        """Stop listening."""
        if self._proxy is not None:
            self._js_port.onmessage = None
            self._proxy.destroy()
            self._proxy = None

    def _take(self, text: str, message: dict[str, Any], ports: list[Any]) -> None:
        if self._engine is None:
            assert self._failure is not None
            self._tell({"tell": _unavailable(self._failure)})
        elif "attach" in message and len(ports) == 1:
            self._attach(self._engine, message["attach"], ports[0])
        elif "severed" in message and self.sessions:
            self._engine.severed(self.sessions[0], message["severed"] is True)
        elif "enrol" in message and len(ports) == 1:
            self._enrol(self._engine, message["enrol"], BrowserPort(ports[0]))
        elif "paste" in message and isinstance(self._engine, Partition) and self.sessions:
            self._engine.soon(self._engine.paste(self.sessions[0], message["paste"]))
        elif "page" in message and isinstance(self._engine, Engine):
            self._page(self._engine, message["page"])
        elif self._page_session is not None:
            self._page_session.receive(text)  # the page was up before the engine, and has asked already

    def _enrol(self, engine: Engine | Partition, enrol: Any, port: BrowserPort) -> None:
        """Take up the port between a partition and the store: one end of it, whichever of the two this is."""
        if isinstance(engine, Engine):
            # From a page: its person is there to be asked.
            page = self._page_session
            engine.enrolments.take(port, asked=page is not None, page=page)
            return
        nonce, app = _said_of(enrol.get("app"))
        try:
            engine.enrol(port, enrol.get("origin"), nonce, app)
        except MasqError:
            port.close()  # what the app says of itself cannot be: it has been told when it attached

    def _attach(self, engine: Engine | Partition, attach: Attach, js_port: Any) -> None:
        if "again" in attach and self._app_port is not None and self._app_port.away:
            self._app_port.back(js_port)
            return
        port = AppPort(js_port, self._tell)
        nonce, app = _said_of(attach.get("app"))
        try:
            session = engine.attach(port, attach.get("origin"), nonce, app, attach.get("ticket"))
        except MasqError as error:
            port.post(messages.dumps({"masq": messages.PROTOCOL, "error": to_wire(error)}))
            return
        session.on_ticket = lambda ticket: self._tell({"ticket": ticket})
        session.on_strip = lambda state: self._tell(strip.message(state))
        session.on_reading = lambda: self._tell({"tell": READING})
        session.on_refused = port.refused
        self._app_port = port
        watches = [(number, prefix) for number, prefix in attach.get("watches", ())]
        for earlier in self.sessions:  # a frame has one app: the new port takes the old one's place
            engine.detach(earlier)
        self.sessions = [session]
        session.resume(watches, attach.get("seen"), attach.get("early", ()), attach.get("shown"))
        self._when_gone(attach["id"], lambda: self._ended(engine, session))

    def _ended(self, engine: Engine | Partition, session: AppSession) -> None:
        engine.detach(session)
        self._worker.drop(self)

    def _page(self, engine: Engine, page: dict[str, Any]) -> None:
        def take(ports: list[Any]) -> None:
            self._enrol(engine, None, BrowserPort(ports[0]))

        port = PagePort(self._js_port, take, self._worker.end)
        session = self._page_session = engine.page(port, page.get("ticket"))
        self._proxy.destroy()  # the session listens from now on
        self._proxy = None
        session.nonce = nonce = nonce_in(page["at"])
        if nonce:  # an app that has cut its windows off opens another with each click: the newest one stays
            for window in self._worker.windows(nonce):
                window._tell({"closes": True})
        self.nonce = nonce
        self._when_gone(page["id"], lambda: self._page_gone(engine, session))

    def _page_gone(self, engine: Engine, session: PageSession) -> None:
        engine.page_gone(session)
        self._worker.drop(self)
        if self.nonce and not self._worker.windows(self.nonce):
            engine.person.popup_gone(self.nonce)

    def _when_gone(self, alive: str, then: Any) -> None:
        async def wait() -> None:
            await locks.released(f"masq-alive-{alive}")
            then()

        self._worker.tasks.start(wait())

    def _tell(self, message: dict[str, Any], js_ports: Sequence[Any] = ()) -> None:
        from pyodide.ffi import to_js

        self._js_port.postMessage(
            messages.dumps({"masq": messages.PROTOCOL, **message}), to_js(list(js_ports))
        )


def _tell_console(trouble: object) -> None:
    import js

    js.console.error(str(trouble))


def _pass_on(granted: asyncio.Future[locks.Held | None]) -> None:
    """Give back a lock that still comes to us though we no longer wait for it."""
    if not granted.exception() and (held := granted.result()):
        held.release()


def _unavailable(failure: MasqError) -> dict[str, Any]:
    """Return what a frame tells its app, and the pages show, where there is no engine."""
    known = isinstance(failure, StorageUnavailable)
    why = failure.fields if known else {"reason": failure.sentence, "setting": ""}
    # What nobody foresaw has no code that the pages know: they show the reason as it is.
    error = {} if type(failure) is MasqError else {"error": to_wire(failure)}
    return {"frame": "unavailable", **why, **error}


def _said_of(said: object) -> tuple[Any, dict[str, Any]]:
    """Return the nonce and what the app says of itself: from the app, so it may be anything."""
    found = said if isinstance(said, dict) else {}
    return found.get("nonce"), {name: found.get(name) for name in ("name", "description", "icon")}


def _now_ms() -> int:
    return int(time.time() * 1000)


async def _persisted() -> bool:
    import js

    storage = getattr(js.navigator, "storage", None)
    return bool(storage and await storage.persisted())
