"""A browser on CPython that keeps the store's data from its apps: a partition beside the engine, joined by ports."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any

from asynchronous import until
from engine_rig import APP, Peer, Rig
from memory import MemoryBackend

from masq_store.engine.pages.page_session import PageSession
from masq_store.engine.partition.partition import Partition
from masq_store.native.crypto import NativeCrypto

CLAIMS = {"name": "Counter", "description": "", "icon": None}


class JoinedPort:
    """One end of a channel; what is posted arrives at `other` in a later turn of the loop."""

    def __init__(self) -> None:
        self.other: JoinedPort | None = None
        self.said: list[str] = []  # all that was posted here
        self.cut = False  # as when the other end's worker has ended: nobody is told
        self.slow = (
            False  # what was posted here is on its way for some turns, and lost where this end is cut by then
        )
        self._receive: Callable[[str], None] | None = None
        self._early: list[str] = []
        self.open = True

    def post(self, text: str) -> None:
        """Send `text` to the other end."""
        self.said.append(text)
        if self.other and not self.cut:
            loop = asyncio.get_running_loop()
            if self.slow:
                loop.call_later(0.01, self._arrive, self.other, text)
            else:
                loop.call_soon(self.other._take, text)

    def _arrive(self, other: JoinedPort, text: str) -> None:
        if not self.cut:
            other._take(text)

    def listen(self, receive: Callable[[str], None]) -> None:
        """Call `receive` with what the other end says."""
        self._receive = receive
        early, self._early = self._early, []
        for text in early:
            self._take(text)

    def close(self) -> None:
        """Hear nothing any more."""
        self.open = False

    def _take(self, text: str) -> None:
        if self.open and self._receive:
            self._receive(text)
        elif self.open:
            self._early.append(text)


def channel() -> tuple[JoinedPort, JoinedPort]:
    """Return the two ends of a new channel."""
    one, other = JoinedPort(), JoinedPort()
    one.other, other.other = other, one
    return one, other


class Apart:
    """A partition, and the windows that the person opens from its app."""

    def __init__(self, rig: Rig, backend: MemoryBackend | None = None) -> None:
        self.rig = rig
        self.backend = backend or MemoryBackend()
        self.crypto = NativeCrypto()
        self.failures: list[Exception] = []
        self.line: tuple[JoinedPort, JoinedPort] | None = None  # the partition's end, the store's end
        self.partition = self._partition()

    def _partition(self) -> Partition:
        return Partition(
            self.backend,
            self.crypto,
            now_ms=lambda: self.rig.now,
            failed=self.failures.append,
            network=self.rig.network,
        )

    async def start(self) -> Apart:
        """Start its engine."""
        await self.partition.start()
        return self

    async def restart(self, *, keys_lost: bool = False) -> None:
        """Kill it and start it again over the same disk. `keys_lost`: it cannot keep keys, as in WebKit."""
        self.cut()
        await self.partition.stop()
        self.backend = MemoryBackend(self.backend.disk)
        if keys_lost:
            self.crypto = NativeCrypto()
        self.partition = self._partition()
        await self.partition.start()

    def app(self, origin: str = APP, nonce: str = "", ticket: str | None = None) -> Peer:
        """Open a tab of an app."""
        tab = Peer()
        session = self.partition.attach(tab.port, origin, nonce or secrets.token_hex(16), CLAIMS, ticket)
        tab.session = session  # type: ignore[attr-defined]
        session.on_ticket = lambda ticket: tab.port.post(json.dumps({"masq": 1, "ticket": ticket}))
        return tab

    def click(self, tab: Peer, page: PageSession | None = None) -> str:
        """Open the store's window from an app's tab: both workers get an end of a channel. Returns the nonce."""
        self.knock(page)
        return self.started(tab)

    def knock(self, page: PageSession | None = None) -> JoinedPort:
        """The store has its end of a new channel; the partition's Python is yet to start. Returns the store's end."""
        self.line = channel()
        return self.store_started(page)

    def store_started(self, page: PageSession | None = None) -> JoinedPort:
        """The store's Python is there and takes its end of the channel. Returns that end."""
        assert self.line
        self.rig.engine.enrolments.take(self.line[1], asked=True, page=page)
        return self.line[1]

    def started(self, tab: Peer) -> str:
        """The partition's Python is there and takes its end of the channel. Returns the nonce."""
        self.line = self.line or channel()
        session: Any = tab.session  # type: ignore[attr-defined]
        self.partition.enrol(self.line[0], session.origin, session.nonce, CLAIMS)
        return str(session.nonce)

    async def connect(self, tab: Peer) -> dict[str, Any]:
        """Do what the person does: click, and allow if the window asks. Returns the request that was shown."""
        nonce = self.click(tab)
        request = await self.rig.engine.person.request(nonce)
        assert request is not None
        await self.rig.engine.person.answer(nonce, True)
        await tab.status(state="ready")
        self.rig.engine.person.popup_gone(nonce)  # it closes by itself
        return request

    def come_back(self, origin: str = APP) -> None:
        """The app reaches the store itself by now: its frame joins the two workers."""
        self.line = channel()
        self.partition.enrol(self.line[0], origin, secrets.token_hex(16), CLAIMS)
        self.rig.engine.enrolments.take(self.line[1], asked=False)

    def cut(self) -> None:
        """The window and its worker are gone, without a word."""
        if self.line:
            self.line[0].cut = self.line[1].cut = True


async def enrolled(key: str, passphrase: str = "") -> tuple[Rig, Apart, Peer]:
    """Return a store of Ann's, a partition and its app's tab: in step, and both with `key`, when the window closes."""
    rig = await Rig().start()
    await rig.page().call("create_profile", "Ann", passphrase, not passphrase)
    apart = await Apart(rig).start()
    tab = apart.app()
    await apart.connect(tab)
    await tab.call("set", key, 0)
    await until(lambda: apart.partition.copies[APP].waiting == 0)
    return rig, apart, tab
