"""An engine on CPython with apps and pages that speak to it over ports in memory."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from memory import MemoryBackend
from patience import seconds
from port_rig import Port

from masq_store.engine.engine import Engine
from masq_store.native.crypto import NativeCrypto

APP = "http://counter.localhost:8000"
OTHER = "http://tasks.localhost:8000"


class Peer:
    """An app or a page: makes calls and waits for the replies."""

    def __init__(self) -> None:
        self.port = Port()
        self.number = 0

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return the raw result of a call, or the [code, sentence, fields] of its error."""
        return (await self.calls((method, *arguments)))[0]

    async def calls(self, *calls: tuple[Any, ...]) -> list[Any]:
        """Make several calls in one message; return the result or error of each."""
        numbered = []
        for call in calls:
            self.number += 1
            numbered.append([self.number, *call])
        self.port.say(json.dumps({"masq": 1, "calls": numbered}))
        return [await self.reply(call[0]) for call in numbered]

    async def reply(self, number: int) -> Any:
        """Return the result or error of call `number`, of a long list all parts."""

        def find(message: dict[str, Any]) -> Any:
            for reply in message.get("replies", ()):
                if reply[0] == number and reply[2:] != [True]:
                    return reply
            return None

        reply = await self.port.until(find)
        parts = [part for part in self.replies() if part[0] == number and part[2:] == [True]]
        if parts and len(reply) == 2:
            return [entry for part in [*parts, reply] for entry in part[1]]
        return reply[2] if len(reply) == 3 else reply[1]

    def replies(self) -> list[list[Any]]:
        """Return every reply heard so far, parts of long ones included."""
        return [reply for message in self.port.heard for reply in message.get("replies", ())]

    def ticket(self) -> str | None:
        """Return the ticket that was heard last."""
        heard = [message["ticket"] for message in self.port.heard if "ticket" in message]
        return heard[-1] if heard else None

    def statuses(self) -> list[dict[str, Any]]:
        """Return every status heard so far."""
        return [message["status"] for message in self.port.heard if "status" in message]

    async def status(self, **wanted: Any) -> dict[str, Any]:
        """Return once the newest status has the `wanted` members (within 10 s)."""
        async with asyncio.timeout(seconds(10)):
            while not (self.statuses() and wanted.items() <= self.statuses()[-1].items()):
                await self.port.news()
        return self.statuses()[-1]


class Rig:
    """An engine over a memory backend; `restart` makes the next engine over the same disk."""

    def __init__(
        self,
        backend: MemoryBackend | None = None,
        *,
        name: str = "Firefox on Linux",
        network: Any = None,
        relay: str = "",
    ) -> None:
        self.name = name
        self.network = network
        self.relay = relay
        self.backend = backend or MemoryBackend()
        self.crypto = NativeCrypto()
        self.now = 1_700_000_000_000
        self.failures: list[Exception] = []
        self.engine = self._engine()

    def _engine(self) -> Engine:
        return Engine(
            self.backend,
            self.crypto,
            now_ms=lambda: self.now,
            failed=self.failures.append,
            network=self.network,
            device_name=self.name,
            default_relay=self.relay,
        )

    async def start(self) -> Rig:
        """Start the engine."""
        await self.engine.start()
        return self

    async def restart(self) -> None:
        """Let the engine go without a word, as when the browser is killed, and start another."""
        self.backend = MemoryBackend(self.backend.disk)
        self.engine = self._engine()
        await self.engine.start()

    def page(self, ticket: str | None = None) -> Peer:
        """Open one of the store's pages; `ticket`: what it kept of an engine before."""
        page = Peer()
        self.engine.page(page.port, ticket)
        return page

    def app(self, origin: str = APP, nonce: str = "", ticket: str | None = None) -> Peer:
        """Open a tab of an app."""
        tab = Peer()
        app = {"name": "Counter", "description": "", "icon": None}
        tab.session = self.engine.attach(tab.port, origin, nonce or secrets.token_hex(16), app, ticket)  # type: ignore[attr-defined]
        tab.session.on_ticket = lambda ticket: tab.port.post(json.dumps({"masq": 1, "ticket": ticket}))  # type: ignore[attr-defined]
        return tab

    async def approved(self, origin: str = APP) -> Peer:
        """Open a tab of an app and approve it, with a profile made if there is none."""
        if self.engine.profile is None:
            assert "profile" in await self.page().call("create_profile", "Ann", "", True)
        tab = self.app(origin)
        await self.engine.commands.answer(tab.session.nonce, True)  # type: ignore[attr-defined]
        await tab.status(state="ready")
        return tab


async def with_profile(passphrase: str = "", stay: bool = True, **options: Any) -> Rig:
    """Return a store with a profile."""
    rig = await Rig(**options).start()
    assert "profile" in await rig.page().call("create_profile", "Ann", passphrase, stay)
    return rig


def code(reply: Any) -> str:
    """Return the code of an error reply."""
    assert isinstance(reply, list) and len(reply) == 3, reply
    return str(reply[0])
