"""Entry of the SharedWorker: takes the ports that JavaScript has gathered, and keeps one engine running.

Whose turn it is, workers settle by `engine_lock`. One that steps down finishes its transaction and hands its apps'
ports back to their frames, with the newer worker's address.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from masq.errors import MasqError
from masq_store.browser import host_settings
from masq_store.browser.clients import Clients, HandedOver
from masq_store.browser.engine_lock import PATIENCE_SECONDS, EngineLock
from masq_store.browser.engine_start import started
from masq_store.browser.ports.event_loop import Trips
from masq_store.browser.ports.indexeddb import DATABASE, IndexedDB
from masq_store.browser.ports.webcrypto import WebCrypto
from masq_store.browser.ports.websocket import BrowserNetwork
from masq_store.engine.engine import Engine
from masq_store.engine.partition.partition import Partition
from masq_store.engine.tasks import Tasks

ENGINE = "masq-engine"
APART = "masq-partition"
"""The same for the worker of a partition, and its database: names of its own, should both see one storage."""

NESTED = "masq-nested"
"""The same for apps inside pages of other origins. On the store's own host they see its storage, and no frame there may
take their copy for one that is to be handed back."""

LEAVING_SECONDS = 0.5
"""How long an engine that steps down holds its lock for frames and pages to leave.

What they hold may open the profile: else a page that comes to the newer worker first finds the profile locked.
"""

STOP_SECONDS = 30
"""How long an engine that steps down may take to finish. Where it takes longer, its worker ends as in a crash.

What was acknowledged is on the disk by then; the apps' open calls fail, and their frames find the newer worker."""


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
        self._build = build
        self._version = version
        self._name = name
        self.tasks = Tasks("the store's worker", _tell_console)
        self._clients = Clients(self.tasks, _end)
        self._lock = EngineLock(name, build, url, self.tasks, self._make_way, self._robbed)
        self._engine: Engine | Partition | None = None
        self._failure: MasqError | None = None
        self._moved: str | None = None  # the address of the worker that has taken over

    async def run(self) -> None:
        """Become the store's engine, or learn that a newer one is at work; then serve what has waited."""
        try:
            elsewhere = await self._lock.take()
            if elsewhere is not None:
                self._send_on(elsewhere, {})
                await self._end_alone()
                return
            self._engine = await started(self._make, self._try_failed)
            self._lock.serving = True
            self._engine.turns.soon = Trips()
        except MasqError as error:
            self._failure = error
        except Exception as error:  # what nobody foresaw is shown, and answered, too
            self._failure = MasqError(f"{type(error).__name__}: {error}")
            raise
        else:
            self._lock.say_who_serves()  # to those that asked while we were starting
            if isinstance(self._engine, Engine):
                self._engine.soon(
                    host_settings.tell_relay(self._engine.backend, self._engine.set_default_relay)
                )
        finally:
            if self._engine is None:
                self._lock.release()  # for a worker that fares better
            if self._engine or self._failure:
                self._clients.serve(self._engine, self._failure)

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
            device_name=host_settings.device_name(),
        )

    async def _vanish(self, backend: IndexedDB) -> None:
        """End, with the storage: a partition that holds nothing any more must not be started again."""
        try:
            await backend.destroy()
        finally:
            _end()

    def connect(self, js_port: Any) -> None:
        """Take a new port."""
        client = self._clients.add(js_port)
        if self._moved:
            client.move(self._moved, [])
        elif self._engine:
            client.serve(self._engine, None)
        elif self._failure:  # a reload is a new try: what failed may have passed
            self._failure = None
            self.tasks.start(self.run())

    def _make_way(self, url: str) -> None:
        """Step down for the newer worker at `url`."""
        engine, self._engine = self._engine, None
        assert engine is not None
        self.tasks.start(self._step_down(engine, url))

    async def _step_down(self, engine: Engine | Partition, url: str) -> None:
        """Hand everything to the worker at `url`. Whatever fails or hangs, this worker ends, and its lock is free."""
        try:
            stopping = self.tasks.start(engine.stop())
            await asyncio.wait([stopping], timeout=STOP_SECONDS)
            if not stopping.done():
                raise TimeoutError(f"it had not stopped after {STOP_SECONDS} seconds")
            stopping.result()  # or why it failed
            # Without a wait in between: what an app says to a session that was handed over is lost.
            self._send_on(url, {session: (port, state) for session, port, state in engine.hand_over()})
            await self._clients.until_alone(LEAVING_SECONDS)
            self._lock.release()
            await self._clients.until_alone(PATIENCE_SECONDS)
        except Exception as error:  # what nobody foresaw, too
            _tell_console(f"The store's engine could not be handed over: {error!r}")
        finally:
            self._lock.release()
            _end()

    def _send_on(self, url: str, handed: HandedOver) -> None:
        """Send every frame and page to the worker at `url`, those that come later, too."""
        self._moved = url
        self._clients.move(url, handed)

    async def _end_alone(self) -> None:
        """End once frames and pages have heard where to go.

        A frame that heard of our end first would start this worker again, and its app would lose its calls.
        """
        await self._clients.until_alone(PATIENCE_SECONDS)
        _end()

    def _robbed(self) -> None:
        """Another worker took us for dead: our frames find it when they see this worker go."""
        import js

        js.console.warn("Another worker of the store has taken over.")
        _end()

    def _try_failed(self, reason: str) -> None:
        import js

        js.console.warn(f"The store's storage failed as it started, so it is tried again: {reason}")

    def _disk_failed(self, error: Exception) -> None:
        import js

        js.console.error(f"The store's disk no longer works: {error}")
        # This engine is of no more use: frames see its lock go, and attach to a new one.
        _end()


def _tell_console(trouble: object) -> None:
    import js

    js.console.error(str(trouble))


def _now_ms() -> int:
    return int(time.time() * 1000)


async def _persisted() -> bool:
    import js

    storage = getattr(js.navigator, "storage", None)
    return bool(storage and await storage.persisted())


def _end() -> None:
    """End this worker at once, whatever it is doing."""
    import js

    js.self.close()
