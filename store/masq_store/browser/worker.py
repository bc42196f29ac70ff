"""Entry of the SharedWorker: takes the ports that JavaScript has gathered, and keeps one engine running.

One engine may write at a time: it holds the Web Lock `masq-engine`. Workers agree over the BroadcastChannel
of the same name: the newer build asks the older one to step down, which finishes its transaction and hands its
apps' ports back to their frames, with the newer worker's address.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import Any

from masq import messages
from masq.errors import MasqError, to_wire
from masq_store.browser import locks
from masq_store.browser.indexeddb import IndexedDB
from masq_store.browser.ports import BrowserPort
from masq_store.browser.webcrypto import WebCrypto
from masq_store.engine.engine import Engine
from masq_store.engine.pages import PageSession
from masq_store.engine.sessions import AppSession

ENGINE = "masq-engine"
PATIENCE_SECONDS = 10
"""How long an engine that was asked to step down may stay silent before its lock is taken from it.

Its unfinished transactions then fail by their generation number."""


async def main(build: int, url: str, how: str) -> Any:
    """Start the engine of build number `build`, whose worker was loaded from `url`.

    Returns a function for JavaScript that takes `(port, events received so far)`.
    """
    from pyodide.ffi import create_proxy

    random.seed(int.from_bytes(_secure_bytes(16), "big"))  # the snapshot froze its state
    worker = Worker(build, url)
    asyncio.ensure_future(worker.run())
    return create_proxy(worker.connect)


class Worker:
    """This SharedWorker: its frames and pages, and the engine once it is this worker's turn."""

    def __init__(self, build: int, url: str) -> None:
        import js
        from pyodide.ffi import create_proxy

        self._build = build
        self._url = url
        self._engine: Engine | None = None
        self._failure: str | None = None
        self._moved: str | None = None  # the address of the worker that has taken over
        self._lines: list[Line] = []
        self._held: locks.Held | None = None
        self._heard = asyncio.Event()  # an engine has answered our wish for a turn
        self._channel = js.BroadcastChannel.new(ENGINE)
        self._channel.onmessage = create_proxy(self._hear)

    async def run(self) -> None:
        """Become the store's engine, or learn that a newer one is at work; then serve what has waited."""
        held: locks.Held | None = None
        try:
            held = await locks.acquire(ENGINE, wait=False) or await self._ask_for_turn()
            if held is None:
                return
            backend = await IndexedDB.open()
            engine = Engine(
                backend,
                WebCrypto(backend.keys()),
                now_ms=lambda: int(time.time() * 1000),
                persistent=await _persisted(),
                failed=self._disk_failed,
            )
            await engine.start()
            self._engine, self._held = engine, held
        except MasqError as error:
            self._failure = error.sentence
        except Exception as error:  # what nobody foresaw is shown, and answered, too
            self._failure = f"{type(error).__name__}: {error}"
            raise
        finally:
            if held and self._engine is None:
                held.release()  # for a worker that fares better
            for line in list(self._lines):
                line.serve(self._engine, self._failure)

    def connect(self, js_port: Any, early: Any) -> None:
        """Take a new port, with the events that it has received so far."""
        line = Line(self, js_port)
        self._lines.append(line)
        for event in early:
            line.hear(event)
        if self._moved:
            line.move(self._moved, [])
        elif self._engine:
            line.serve(self._engine, None)
        elif self._failure:  # a reload is a new try: what failed may have passed
            self._failure = None
            asyncio.ensure_future(self.run())

    def drop(self, line: Line) -> None:
        """Forget a line whose page or frame has gone, or has moved to another worker."""
        if line in self._lines:
            self._lines.remove(line)
            line.close()

    async def _ask_for_turn(self) -> locks.Held | None:
        """Ask the engine at work to step down; None where it is as new as this one, or newer."""
        import js

        self._post({"wants": self._build, "url": self._url})
        waiting = asyncio.ensure_future(locks.acquire(ENGINE))
        while not waiting.done() and not self._moved:
            self._heard.clear()
            listening = asyncio.ensure_future(self._heard.wait())
            await asyncio.wait(
                [waiting, listening], timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            listening.cancel()
            if not waiting.done() and not self._heard.is_set():
                return await locks.acquire(ENGINE, steal=True)
        if not self._moved:
            return waiting.result()
        # The lock may still come to us one day: pass it on at once.
        waiting.add_done_callback(lambda done: done.result() and done.result().release())
        for line in list(self._lines):
            line.move(self._moved, [])
        js.self.close()
        return None

    def _hear(self, event: Any) -> None:
        message = json.loads(event.data)
        if "wants" in message and self._engine:
            if message["wants"] > self._build:
                self._post({"stepping": message["wants"]})
                asyncio.ensure_future(self._step_down(message["url"]))
            else:
                self._post({"stay": message["wants"], "url": self._url})
        elif message.get("stepping") == self._build or message.get("stay") == self._build:
            self._moved = message.get("url")
            self._heard.set()

    async def _step_down(self, url: str) -> None:
        import js

        engine, self._engine, self._moved = self._engine, None, url
        if engine is None:
            return
        by_session = {session: (port, state) for session, port, state in await engine.stop()}
        for line in list(self._lines):
            line.move(url, [by_session[s] for s in line.sessions if s in by_session])
        js.self.close()  # and with this worker goes its lock

    def _disk_failed(self, error: Exception) -> None:
        import js

        js.console.error(f"The store's disk no longer takes writes: {error}")
        # This engine is of no more use: frames see its lock go, and attach to a new one.
        js.self.close()

    def _post(self, message: dict[str, Any]) -> None:
        self._channel.postMessage(json.dumps(message))


class Line:
    """The port of one frame or page, and the sessions that came over it."""

    def __init__(self, worker: Worker, js_port: Any) -> None:
        from pyodide.ffi import create_proxy

        self.sessions: list[AppSession] = []
        self._worker = worker
        self._js_port = js_port
        self._engine: Engine | None = None
        self._failure: str | None = None
        self._waiting: list[tuple[str, dict[str, Any], list[Any]]] = []
        self._page_session: PageSession | None = None
        self._proxy: Any = create_proxy(self.hear)
        js_port.onmessage = self._proxy

    def serve(self, engine: Engine | None, failure: str | None) -> None:
        """Do what was asked so far, and what will be, by `engine`; or tell why there is none."""
        self._engine, self._failure = engine, failure
        waiting, self._waiting = self._waiting, []
        for early in waiting:
            self._take(*early)

    def hear(self, event: Any) -> None:
        """Take a message from the frame or page."""
        try:
            message = messages.loads(event.data)
        except MasqError:
            return
        if isinstance(message, dict) and message.get("masq") == messages.PROTOCOL:
            ports = list(event.ports)
            if self._engine or self._failure:
                self._take(event.data, message, ports)
            else:
                self._waiting.append((event.data, message, ports))

    def move(self, url: str, handed: list[tuple[Any, dict[str, Any]]]) -> None:
        """Send frame or page to the worker at `url`, with the apps' ports that it goes on with."""
        from pyodide.ffi import to_js

        waiting = [
            (message["attach"], ports[0]) for _, message, ports in self._waiting if "attach" in message
        ]
        states = [state for _, state in handed] + [attach for attach, _ in waiting]
        ports = [port.release() for port, _ in handed] + [port for _, port in waiting]
        message = {"masq": messages.PROTOCOL, "moved": url, "sessions": states}
        self._js_port.postMessage(messages.dumps(message), to_js(ports))
        self._worker.drop(self)

    def close(self) -> None:
        """Stop listening."""
        if self._proxy is not None:
            self._js_port.onmessage = None
            self._proxy.destroy()
            self._proxy = None

    def _take(self, text: str, message: dict[str, Any], ports: list[Any]) -> None:
        if self._engine is None:
            self._tell({"failed": self._failure})
        elif "attach" in message and len(ports) == 1:
            self._attach(self._engine, message["attach"], BrowserPort(ports[0]))
        elif "page" in message:
            self._page(self._engine, message["page"])
        elif self._page_session is not None:
            self._page_session.receive(text)  # the page was up before the engine, and has asked already

    def _attach(self, engine: Engine, attach: dict[str, Any], port: BrowserPort) -> None:
        app = {name: attach.get(name) for name in ("name", "description", "icon")}
        try:
            session = engine.attach(port, attach.get("origin"), attach.get("nonce"), app)
        except MasqError as error:
            port.post(messages.dumps({"masq": messages.PROTOCOL, "error": to_wire(error)}))
            return
        watches = [(number, prefix) for number, prefix in attach.get("watches", ())]
        for earlier in self.sessions:  # a frame has one app: the new port takes the old one's place
            engine.detach(earlier)
        self.sessions = [session]
        session.resume(watches, attach.get("seen"), attach.get("early", ()))
        self._when_gone(f"masq-frame-{attach['frame']}", lambda: self._ended(engine, session))

    def _ended(self, engine: Engine, session: AppSession) -> None:
        engine.detach(session)
        self._worker.drop(self)

    def _page(self, engine: Engine, page: dict[str, Any]) -> None:
        session = self._page_session = engine.page(BrowserPort(self._js_port))
        self._proxy.destroy()  # the session listens from now on
        self._proxy = None
        self._when_gone(f"masq-page-{page['id']}", lambda: self._page_gone(engine, session))
        if page.get("nonce"):
            self._when_gone(f"masq-popup-{page['nonce']}", lambda: engine.popup_gone(page["nonce"]))

    def _page_gone(self, engine: Engine, session: PageSession) -> None:
        engine.page_gone(session)
        self._worker.drop(self)

    def _when_gone(self, lock: str, then: Any) -> None:
        async def wait() -> None:
            await locks.released(lock)
            then()

        asyncio.ensure_future(wait())

    def _tell(self, message: dict[str, Any]) -> None:
        self._js_port.postMessage(messages.dumps({"masq": messages.PROTOCOL, **message}))


async def _persisted() -> bool:
    import js

    storage = getattr(js.navigator, "storage", None)
    return bool(storage and await storage.persisted())


def _secure_bytes(size: int) -> bytes:
    import js

    content: bytes = js.crypto.getRandomValues(js.Uint8Array.new(size)).to_bytes()
    return content
