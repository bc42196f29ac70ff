"""The frames and pages of a worker: their ports, what they say on them, and the sessions that came over each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from masq import messages
from masq.errors import MasqError, StorageUnavailable, to_wire
from masq.messages import JsonObject
from masq_store.browser import paste_strip
from masq_store.browser.client_messages import Enrol, FromClient, Page, ToClient
from masq_store.browser.ports import web_locks
from masq_store.browser.ports.message_port import AppPort, BrowserPort, PagePort
from masq_store.core.profile.claims import nonce_in
from masq_store.engine.engine import Engine
from masq_store.engine.pages.page_session import PageSession
from masq_store.engine.partition.partition import Partition
from masq_store.engine.sessions.app_session import AppSession
from masq_store.engine.sessions.hand_over import Attach, State
from masq_store.engine.tasks import Tasks

READING = {"masq": messages.PROTOCOL, "frame": "progress"}
"""What a frame tells its app while a large space is read, which puts the app's time-out off."""

HandedOver = Mapping[AppSession, tuple[Any, State]]
"""The port of each session that ends here, and its state."""


class Clients:
    """The open ports of all frames and pages. `end` ends this worker, where one of its pages asks for that."""

    def __init__(self, tasks: Tasks, end: Callable[[], None]) -> None:
        self.tasks = tasks
        self.end = end
        self._clients: list[Client] = []
        self._alone = asyncio.Event()  # set when the last one has gone

    def add(self, js_port: Any) -> Client:
        """Take a new port."""
        client = Client(self, js_port)
        self._clients.append(client)
        return client

    def drop(self, client: Client) -> None:
        """Forget one whose page or frame has gone, or has moved to another worker."""
        if client in self._clients:
            self._clients.remove(client)
            client.close()
            if not self._clients:
                self._alone.set()

    def serve(self, engine: Engine | Partition | None, failure: MasqError | None) -> None:
        """Let all go on by `engine`, first those that may open the profile; or tell them why there is none."""
        for client in sorted(self._clients, key=lambda client: not client.brings_ticket):
            client.serve(engine, failure)

    def move(self, url: str, handed: HandedOver) -> None:
        """Send all to the worker at `url`."""
        for client in list(self._clients):
            client.move(url, [handed[session] for session in client.sessions if session in handed])

    def windows(self, nonce: str) -> list[Client]:
        """Return the windows that are open about the request under this nonce."""
        return [client for client in self._clients if client.nonce == nonce]

    async def until_alone(self, seconds: float) -> None:
        """Return once all have gone, or after so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._clients:
                    self._alone.clear()
                    await self._alone.wait()


class Client:
    """The port of one frame or page, and the sessions that came over it."""

    def __init__(self, clients: Clients, js_port: Any) -> None:
        self.sessions: list[AppSession] = []
        self.nonce = ""
        """Of the request that this page was opened for, as a window of its own."""
        self._clients = clients
        self._js_port = js_port
        self._engine: Engine | Partition | None = None
        self._failure: MasqError | None = None
        self._moved: str | None = None
        self._waiting: list[tuple[str, FromClient, list[Any]]] = []
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
            found = messages.loads(event.data)
        except MasqError:
            return
        if isinstance(found, dict) and found.get("masq") == messages.PROTOCOL:
            message, ports = cast(FromClient, found), list(event.ports)
            if "left" in message:
                self._clients.drop(self)
            elif self._engine or self._failure:
                self._take(event.data, message, ports)
            else:
                self._waiting.append((event.data, message, ports))
                if self._moved and "attach" in message:  # sent before it heard
                    self.move(self._moved, [])

    def move(self, url: str, handed: list[tuple[Any, State]]) -> None:
        """Send frame or page to the worker at `url`, with the apps' ports that it goes on with."""
        waiting = [
            (message["attach"], ports[0]) for _, message, ports in self._waiting if "attach" in message
        ]
        released = [(port.release(), state) for port, state in handed]
        states: list[State | Attach] = [state for _, state in released]
        states += [attach for attach, _ in waiting]
        ports = [port for port, _ in released if port is not None]  # or the frame has it
        ports += [port for _, port in waiting]
        self._engine, self._moved, self._waiting = None, url, []
        self._listen()  # for its word that it has left
        self._tell({"moved": url, "sessions": states}, ports)

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

    def _take(self, text: str, message: FromClient, ports: list[Any]) -> None:
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

    def _enrol(self, engine: Engine | Partition, enrol: Enrol, port: BrowserPort) -> None:
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
        port = AppPort(
            js_port,
            give=lambda refusal, js_port: self._tell({"refused": refusal}, [js_port]),
            ask=lambda: self._tell({"admitted": 1}),
        )
        nonce, app = _said_of(attach.get("app"))
        try:
            session = engine.attach(port, attach.get("origin"), nonce, app, attach.get("ticket"))
        except MasqError as error:
            port.post(messages.dumps({"masq": messages.PROTOCOL, "error": to_wire(error)}))
            return
        session.on_ticket = lambda ticket: self._tell({"ticket": ticket})
        session.on_strip = lambda state: self._tell(paste_strip.message(state))
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
        self._clients.drop(self)

    def _page(self, engine: Engine, page: Page) -> None:
        def take(ports: list[Any]) -> None:
            self._enrol(engine, {}, BrowserPort(ports[0]))

        port = PagePort(self._js_port, take, self._clients.end)
        session = self._page_session = engine.page(port, page.get("ticket"))
        self._proxy.destroy()  # the session listens from now on
        self._proxy = None
        session.nonce = nonce = nonce_in(page["at"])
        if nonce:  # an app that has cut its windows off opens another with each click: the newest one stays
            for window in self._clients.windows(nonce):
                window._tell({"closes": True})
        self.nonce = nonce
        self._when_gone(page["id"], lambda: self._page_gone(engine, session))

    def _page_gone(self, engine: Engine, session: PageSession) -> None:
        engine.page_gone(session)
        self._clients.drop(self)
        if self.nonce and not self._clients.windows(self.nonce):
            engine.commands.popup_gone(self.nonce)

    def _when_gone(self, alive: str, then: Any) -> None:
        async def wait() -> None:
            await web_locks.released(f"masq-alive-{alive}")
            then()

        self._clients.tasks.start(wait())

    def _tell(self, message: ToClient, js_ports: Sequence[Any] = ()) -> None:
        from pyodide.ffi import to_js

        self._js_port.postMessage(
            messages.dumps({"masq": messages.PROTOCOL, **message}), to_js(list(js_ports))
        )


def _unavailable(failure: MasqError) -> JsonObject:
    """Return what a frame tells its app, and the pages show, where there is no engine."""
    known = isinstance(failure, StorageUnavailable)
    why = failure.fields if known else {"reason": failure.sentence, "setting": ""}
    # What nobody foresaw has no code that the pages know: they show the reason as it is.
    error = {} if type(failure) is MasqError else {"error": to_wire(failure)}
    return {"frame": "unavailable", **why, **error}


def _said_of(said: object) -> tuple[Any, JsonObject]:
    """Return the nonce and what the app says of itself: from the app, so it may be anything."""
    found = said if isinstance(said, dict) else {}
    return found.get("nonce"), {name: found.get(name) for name in ("name", "description", "icon")}
