"""A device without a browser: an engine over a folder, for a program that reads and writes a person's data.

    async with Device(Path("masq")) as device:
        await device.create_profile("Ann")
        await device.approve("https://counter.example", "Counter")
        counter = await device.space("https://counter.example")
        await counter.increment("count")

What opens a profile is the person's choice, as in a browser: a passphrase, or the key in the folder, and with
that everybody who can read the folder.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from masq.channel import Channel
from masq.errors import Locked, MasqError, NotRegistered
from masq.messages import JsonObject
from masq.store import Store
from masq_store.engine.engine import Engine
from masq_store.engine.ports import Network
from masq_store.engine.sessions.app_session import AppSession
from masq_store.native import pairing_dialog
from masq_store.native.crypto import NativeCrypto
from masq_store.native.device_folder import hold
from masq_store.native.local_port import LocalPort
from masq_store.native.sqlite import SQLite

DATABASE = "masq.sqlite3"
KEY = "device.key"

LOG = logging.getLogger("masq.device")
"""At level DEBUG it tells what happens in sync, storage and pairing (`engine.trace`), from the next `open` on."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Device:
    """One folder in use, which is this program's alone while the device is open."""

    def __init__(
        self,
        folder: Path,
        *,
        network: Network | None = None,
        now_ms: Callable[[], int] = _now_ms,
        name: str = "This device",
        relay: str = "",
        failed: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """`network`: the way to relays, such as `NativeNetwork()`; without one nothing is synced.

        `now_ms`: the device's clock. `name`: what the person's other devices call it. `relay`: the one to use where
        the person has chosen none; "": none. `failed` hears of a disk that no longer works: close it then.
        """
        self.folder = folder
        self.name = name
        self._network = network
        self._relay = relay
        self._now_ms = now_ms
        self._failed = failed
        self._lock: BinaryIO | None = None
        self._engine: Engine | None = None
        self._stores: set[Store] = set()

    async def open(self) -> None:
        """Take the folder, made if need be, and open the active profile if it stays unlocked.

        Raises FolderUnavailable, NewerData and DamagedData.
        """
        lock = hold(self.folder)
        try:
            backend = await SQLite.open(self.folder / DATABASE)
            try:
                engine = Engine(
                    backend,
                    NativeCrypto(self.folder / KEY),
                    now_ms=self._now_ms,
                    persistent=True,
                    failed=self._failed,
                    network=self._network,
                    device_name=self.name,
                    default_relay=self._relay,
                )
                engine.trace.switch(LOG.isEnabledFor(logging.DEBUG), LOG.debug)
                await engine.start()
            except BaseException:
                await backend.close()
                raise
        except BaseException:
            lock.close()
            raise
        self._engine, self._lock = engine, lock

    async def close(self) -> None:
        """Finish what is being written, end every space in use, and let the folder go."""
        if self._engine is None or self._lock is None:
            return
        engine, lock = self._engine, self._lock
        self._engine = self._lock = None
        try:
            for store in list(self._stores):
                await store.close()
            await engine.stop()
        finally:
            lock.close()

    async def __aenter__(self) -> Device:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # Profiles ----------------------------------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """The engine, for what this class has no words for."""
        assert self._engine is not None, "open() comes first"
        return self._engine

    @property
    def profile(self) -> str | None:
        """The name of the profile that is open; None where there is none, or it is locked."""
        return self.engine.profile.name if self.engine.profile else None

    @property
    def locked(self) -> bool:
        """Whether there is a profile that waits for its passphrase."""
        return self.engine.profile is None and self.engine.vault.active is not None

    async def create_profile(self, name: str, passphrase: str = "", stay_unlocked: bool = True) -> None:
        """Make a profile and open it. Without a passphrase it stays unlocked. Raises InvalidValue."""
        await self.engine.commands.create_profile(name, passphrase, stay_unlocked)

    async def unlock(self, passphrase: str, stay_unlocked: bool = False) -> None:
        """Open the active profile. Raises WrongPassphrase."""
        await self.engine.commands.unlock(passphrase, stay_unlocked)

    async def take_profile(
        self,
        link: str,
        *,
        show_code: Callable[[str], None],
        agree: Callable[[str], Coroutine[Any, Any, bool]],
        passphrase: str = "",
        stay_unlocked: bool = True,
    ) -> str:
        """Bring a profile here by the link that a device with it shows; open it and return its name.

        `show_code` is given the six digits that the person types there. `agree` is asked whether to take the profile
        of that name: yes only once the other device has said that the digits are right.
        Returns once what the relay has of it is here. Raises the error that ended the pairing.
        """
        return await pairing_dialog.take_profile(
            self.engine, link, self.name, show_code, agree, passphrase, stay_unlocked
        )

    async def add_device(
        self,
        *,
        show_link: Callable[[str], None],
        ask_code: Callable[[bool], Coroutine[Any, Any, str]],
        store: str = "",
        passphrase: str = "",
    ) -> str:
        """Give the open profile to another device of the person; return what that one is called.

        `show_link` is given the link, for nobody else to see; `store`: the address of the page that it opens.
        `ask_code` is asked for the six digits which the other device shows; with True where the last were not six.
        `passphrase`: the profile's, where it has one. Raises PassphraseNeeded, WrongPassphrase, Locked, NoRelay, and
        the error that ended the pairing.
        """
        return await pairing_dialog.add_device(self.engine, store, show_link, ask_code, passphrase)

    # Apps --------------------------------------------------------------------------------------------------

    async def approve(self, origin: str, name: str, description: str = "", icon: str | None = None) -> None:
        """Let an app keep its data in the open profile, by the name it is shown under. Durable on return.

        Raises Locked, and ProtocolError for what is no origin, or no such name, description or icon.
        """
        session = self._attach(LocalPort(), origin, name, description, icon)
        try:
            await self.engine.commands.answer(session.nonce, True)
        finally:
            self.engine.detach(session)

    async def space(self, origin: str) -> Store:
        """Return an app's data, as the app itself would have it. Close it when it is no longer needed.

        Raises Locked, NotRegistered for an app that was not approved, and what keeps its data from being opened.
        """
        port = LocalPort()
        joining = _Joining(port)
        session = self._attach(port, origin, "This device")
        try:
            status = await joining.ready(origin)
        except BaseException:
            self.engine.detach(session)
            raise
        engine = self.engine

        def closed(store: Store) -> None:
            self._stores.discard(store)
            engine.detach(session)

        store = Store(joining.channel, status, closed)
        self._stores.add(store)
        return store

    def _attach(
        self, port: LocalPort, origin: str, name: str, description: str = "", icon: str | None = None
    ) -> AppSession:
        app = {"name": name, "description": description, "icon": icon}
        return self.engine.attach(port, origin, self.engine.crypto.random(16).hex(), app)


class _Joining:
    """The app's side of a session, until it knows whether it may work."""

    def __init__(self, port: LocalPort) -> None:
        self.channel = Channel(port.send, asyncio.get_running_loop().call_soon)
        port.hear = self.channel.receive
        self._status: JsonObject = {}
        self._error: MasqError | None = None
        self._news = asyncio.Event()
        self.channel.on_status = self._take_status
        self.channel.on_refusal = self._take_error

    async def ready(self, origin: str) -> JsonObject:
        """Return the status, the newest one, or raise why the app may not work."""
        await self._news.wait()
        if self._error:
            raise self._error
        if self._status["state"] == "locked":
            raise Locked()
        if self._status["state"] != "ready":
            raise NotRegistered(origin)
        return self._status

    def _take_status(self, status: JsonObject) -> None:
        self._status = status
        self._news.set()

    def _take_error(self, error: MasqError) -> None:
        self._error = error
        self._news.set()
