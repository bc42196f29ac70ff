"""A session of one of the store's own pages: what the person sees and does there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from masq import messages
from masq.errors import InvalidValue, Locked, MasqError, NotRegistered, ProtocolError, to_wire
from masq_store.engine.ports import Port
from masq_store.engine.spaces import OpenSpace

if TYPE_CHECKING:
    from masq_store.engine.engine import Engine

MOST_ENTRIES = 500
"""Entries that one `entries` call returns at most."""


class PageSession:
    """One open page of the store. Its methods are the page's own: no app can reach them."""

    def __init__(self, engine: Engine, port: Port) -> None:
        self.closed = False
        self._engine = engine
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen: dict[str, tuple[OpenSpace, Callable[[list[str], object], None]]] = {}
        port.listen(self.receive)

    def receive(self, text: str) -> None:
        """Take one message from the page."""
        try:
            message = messages.loads(text)
            calls = message.get("calls", []) if isinstance(message, dict) else []
            for number, method, *arguments in calls:
                task = asyncio.get_running_loop().create_task(self._answer(number, method, arguments))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (MasqError, TypeError, ValueError):
            self._post({"error": to_wire(ProtocolError("the page sent something that is no call"))})

    def tell(self, event: list[str]) -> None:
        """Send the page an event."""
        if not self.closed:
            self._post({"events": [event]})

    def close(self) -> None:
        """End the session: the page has gone."""
        if not self.closed:
            self.closed = True
            for origin in list(self._seen):
                self.forget_space(origin)
            self._port.close()

    def forget_space(self, origin: str) -> None:
        """Let go of an app's space, if the page was looking at its data."""
        if origin in self._seen:
            space, listener = self._seen.pop(origin)
            space.listeners.remove(listener)
            self._engine.left(origin)

    async def _answer(self, number: int, method: str, arguments: list[Any]) -> None:
        try:
            do = METHODS.get(method)
            if do is None:
                raise ProtocolError(f"the store's pages have no method {method!r}")
            reply = [number, await do(self, *arguments)]
        except MasqError as error:
            reply = [number, None, to_wire(error)]
        except Exception as error:  # the page gets an answer all the same, and the console the traceback
            self._post({"replies": [[number, None, to_wire(ProtocolError(f"the store failed: {error!r}"))]]})
            raise
        self._post({"replies": [reply]})

    async def _overview(self) -> dict[str, Any]:
        return await self._engine.overview()

    async def _create_profile(self, name: str, passphrase: str, stay_unlocked: bool) -> dict[str, Any]:
        await self._engine.create_profile(name, passphrase, stay_unlocked)
        return await self._engine.overview()

    async def _unlock(self, passphrase: str, stay_unlocked: bool) -> dict[str, Any]:
        await self._engine.unlock(passphrase, stay_unlocked)
        return await self._engine.overview()

    async def _app(self, origin: str) -> dict[str, Any]:
        await self._look_at(origin)
        return await self._engine.describe(origin)

    async def _entries(self, origin: str, prefix: str, after: str, limit: int) -> dict[str, Any]:
        messages.check_prefix(prefix)
        if not isinstance(limit, int) or limit < 1:
            raise InvalidValue("limit must be a positive int")
        limit = min(limit, MOST_ENTRIES)
        space = await self._look_at(origin)
        keys = [key for key in space.core.keys(prefix) if key > after]
        entries = []
        for key in keys[:limit]:
            text = space.core.text(key)
            if text is not None:
                entries.append([key, messages.loads(text)])
        return {"entries": entries, "more": len(keys) > limit}

    async def _withdraw(self, origin: str) -> None:
        await self._engine.withdraw(origin)

    async def _request(self, nonce: str) -> dict[str, Any] | None:
        return await self._engine.request(nonce)

    async def _decide(self, nonce: str, allow: bool) -> None:
        await self._engine.answer(nonce, allow)

    async def _look_at(self, origin: str) -> OpenSpace:
        """Return the app's space, and tell the page from now on when its data changes."""
        if origin not in self._seen:
            profile = self._engine.profile
            if profile is None:
                raise Locked()
            if profile.app(origin) is None:
                raise NotRegistered(origin)
            space = await profile.space(origin)
            if self.closed or origin in self._seen:  # both can have come about during the wait
                self._engine.left(origin)
            else:

                def listener(keys: list[str], source: object) -> None:
                    self.tell(["data", origin])

                space.listeners.append(listener)
                self._seen[origin] = (space, listener)
            return space
        return self._seen[origin][0]

    def _post(self, message: dict[str, Any]) -> None:
        if not self.closed:
            self._port.post(messages.dumps({"masq": messages.PROTOCOL, **message}))


METHODS: dict[str, Callable[..., Awaitable[Any]]] = {
    "overview": PageSession._overview,
    "create_profile": PageSession._create_profile,
    "unlock": PageSession._unlock,
    "app": PageSession._app,
    "entries": PageSession._entries,
    "withdraw": PageSession._withdraw,
    "request": PageSession._request,
    "answer": PageSession._decide,
}
