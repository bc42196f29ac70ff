"""A browser on CPython that keeps the store's data from its apps: a partition beside the engine, joined by ports.

`kept_apart` makes all of it; `Apart` is the partition with the windows that open from its app.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from asynchronous import until
from engine_rig import APP, Peer, Rig, with_profile
from memory import MemoryBackend
from port_rig import Port, channel

from masq_store.engine.pages.page_session import PageSession
from masq_store.engine.partition.partition import Partition
from masq_store.native.crypto import NativeCrypto

CLAIMS = {"name": "Counter", "description": "", "icon": None}


class Apart:
    """A partition, and the windows that the person opens from its app."""

    def __init__(self, rig: Rig, backend: MemoryBackend | None = None) -> None:
        self.rig = rig
        self.backend = backend or MemoryBackend()
        self.crypto = NativeCrypto()
        self.failures: list[Exception] = []
        self.line: tuple[Port, Port] | None = None  # the partition's end, the store's end
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

    def knock(self, page: PageSession | None = None) -> Port:
        """The store has its end of a new channel; the partition's Python is yet to start. Returns the store's end."""
        self.line = channel()
        return self.store_started(page)

    def store_started(self, page: PageSession | None = None) -> Port:
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
        request = await self.rig.engine.commands.request(nonce)
        assert request is not None
        await self.rig.engine.commands.answer(nonce, True)
        await tab.status(state="ready")
        self.rig.engine.commands.popup_gone(nonce)  # it closes by itself
        return request

    async def connected(self, origin: str = APP) -> Peer:
        """Return a tab of an app that its person has just connected."""
        tab = self.app(origin)
        await self.connect(tab)
        return tab

    def come_back(self, origin: str = APP) -> None:
        """The app reaches the store itself by now: its frame joins the two workers."""
        self.line = channel()
        self.partition.enrol(self.line[0], origin, secrets.token_hex(16), CLAIMS)
        self.rig.engine.enrolments.take(self.line[1], asked=False)

    def cut(self) -> None:
        """The window and its worker are gone, without a word."""
        if self.line:
            self.line[0].cut = self.line[1].cut = True


async def kept_apart(passphrase: str = "", stay: bool = True, **options: Any) -> tuple[Rig, Apart, Peer]:
    """Return a store of Ann's, a partition, and a tab of its app, which she has just connected."""
    rig = await with_profile(passphrase, stay, **options)
    apart = await Apart(rig).start()
    return rig, apart, await apart.connected()


async def enrolled(key: str, passphrase: str = "") -> tuple[Rig, Apart, Peer]:
    """Return a store of Ann's, a partition and its app's tab: in step, and both with `key`, when the window closes."""
    rig, apart, tab = await kept_apart(passphrase, not passphrase)
    await tab.call("set", key, 0)
    await until(lambda: apart.partition.copies[APP].waiting == 0)
    return rig, apart, tab


async def first_party(rig: Rig, origin: str = APP) -> Any:
    """Return what the store itself holds of an app."""
    assert rig.engine.profile is not None
    return (await rig.engine.profile.space(origin)).core


def digest(core: Any) -> str:
    """Return the SHA-256 of everything that an app can read."""
    return hashlib.sha256(json.dumps(core.items("")).encode()).hexdigest()


async def in_step(rig: Rig, apart: Apart, origin: str = APP) -> None:
    """Wait until the store and the copy have the same."""
    core = await first_party(rig, origin)
    await until(lambda: digest(core) == digest(apart.partition.copies[origin].data.core))
