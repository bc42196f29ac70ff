"""A session of one of the store's own pages: what the person sees and does there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from masq import messages
from masq.errors import InvalidValue, Locked, MasqError, NotRegistered, ProtocolError, to_wire
from masq.messages import JsonObject
from masq_store.core.pages.schema import (
    BackedUpApp,
    FoundBackup,
    FoundEntries,
    ListedApp,
    OfferedFile,
    Overview,
    RestoredBackup,
)
from masq_store.core.space.space import Applied
from masq_store.engine.pages.commands import CHANGES, DECISIONS, Commands
from masq_store.engine.pages.device_commands import DEVICE_METHODS, DeviceCommands
from masq_store.engine.pages.file_pieces import Files
from masq_store.engine.pages.overview import describe, overview
from masq_store.engine.pages.pairing_calls import PAIRING_METHODS, PairingCalls
from masq_store.engine.ports import Port
from masq_store.engine.profile import backup as backups
from masq_store.engine.profile.profile import Profile
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.together import write_together
from masq_store.engine.store.parts import Parts

MOST_ENTRIES = 500
"""Entries that one `entries` call returns at most."""

ALIVE_SECONDS = 5
"""How often a page is told that its call is still at work: it gives up on a store that is silent."""


class PageSession:
    """One open page of the store. Its methods are the page's own: no app can reach them."""

    def __init__(self, parts: Parts, commands: Commands, devices: DeviceCommands, port: Port) -> None:
        self.closed = False
        self.nonce = ""
        """Of the request that the page was opened for, as a window of its own; "" for none."""
        self._parts = parts
        self._commands = commands
        self._port = port
        self._up = False  # it has said something
        self._files = Files()
        self._pairing = PairingCalls(parts, self.tell)
        self._tables: list[tuple[dict[str, Callable[..., Awaitable[Any]]], object]] = [
            (_OWN, self),
            (CHANGES, commands),
            (DECISIONS, commands),
            (DEVICE_METHODS, devices),
            (PAIRING_METHODS, self._pairing),
        ]
        self._seen: dict[str, tuple[Profile, OpenSpace, Callable[[list[str], object], None]]] = {}
        port.listen(self.receive)

    def receive(self, text: str) -> None:
        """Take one message from the page."""
        if not self._up:
            self._up = True
            # Only now is there somebody to keep it: the page's Python starts late.
            if self._parts.auto_lock.ticket:
                self.tell_ticket(self._parts.auto_lock.ticket)
        try:
            message = messages.loads(text)
            calls = message.get("calls", []) if isinstance(message, dict) else []
            for number, method, *arguments in calls:
                self._parts.services.tasks.start(self._answer(number, method, arguments))
        except (MasqError, TypeError, ValueError):
            self._post({"error": to_wire(ProtocolError("the page sent something that is no call"))})

    def tell(self, event: list[str]) -> None:
        """Send the page an event."""
        if not self.closed:
            self._post({"events": [event]})

    def tell_ticket(self, ticket: str | None) -> None:
        """Have the page keep a ticket for the engine after this one, or none any more."""
        if not self.closed:
            self._post({"ticket": ticket})

    def close(self) -> None:
        """End the session: the page has gone."""
        if not self.closed:
            self.closed = True
            self.forget_spaces()
            self._pairing.close()
            self._port.close()

    def forget_spaces(self) -> None:
        """Let go of everything that the page was looking at: the profile closes."""
        self._files.forget_read()
        for origin in list(self._seen):
            self.forget_space(origin)

    def forget_space(self, origin: str) -> None:
        """Let go of an app's space, if the page was looking at its data."""
        if origin in self._seen:
            profile, space, listener = self._seen.pop(origin)
            space.listeners.remove(listener)
            profile.release(origin)

    async def _answer(self, number: int, method: str, arguments: list[Any]) -> None:
        alive = asyncio.get_running_loop().create_task(self._stay_alive())
        try:
            do = self._method(method)
            if not self._parts.auto_lock.used():
                await self._commands.lock()
            result = await do(*arguments)
            reply = [number, await self._overview() if method in CHANGES else result]
        except MasqError as error:
            reply = [number, None, to_wire(error)]
            heed = self._parts.services.writer.heed
            asyncio.get_running_loop().call_soon(heed, error)  # the page hears it first
        except Exception as error:  # the page gets an answer all the same, and the console the traceback
            self._post({"replies": [[number, None, to_wire(ProtocolError(f"the store failed: {error!r}"))]]})
            raise
        finally:
            alive.cancel()
        self._post({"replies": [reply]})

    def _method(self, name: Any) -> Callable[..., Awaitable[Any]]:
        for table, owner in self._tables:
            if name in table:
                return partial(table[name], owner)
        raise ProtocolError(f"the store's pages have no method {name!r}")

    async def _stay_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            self.tell(["busy"])

    async def _overview(self) -> Overview:
        return await overview(self._parts)

    async def _used(self) -> None:
        """Somebody types: `_answer` has noted that the store is in use."""

    async def _trace(self, on: bool) -> list[str]:
        """Return what happened lately, once that is noted."""
        trace = self._parts.services.trace
        trace.switch(bool(on))
        return trace.lines()

    # Apps and their data -----------------------------------------------------------------------------------

    async def _decide(self, nonce: str, allow: bool, origin: str) -> bool | None:
        """Answer the question about the app of `origin`, which is what the page has shown."""
        return await self._commands.answer(nonce, allow, str(origin))

    async def _app(self, origin: str) -> ListedApp:
        await self._look_at(origin)
        return await describe(self._parts, origin)

    async def _entries(
        self, origin: str, search: str, after: str, limit: int, profile_id: str = ""
    ) -> FoundEntries:
        """Return some of an app's entries. `profile_id`: Locked where another profile is open by now."""
        messages.check_prefix(search)
        if not isinstance(limit, int) or limit < 1:
            raise InvalidValue("limit must be a positive int")
        limit = min(limit, MOST_ENTRIES)
        space = await self._look_at(origin)
        profile = self._parts.active.profile
        if profile_id and (profile is None or profile.id != profile_id):
            raise Locked()
        wanted = search.casefold()
        keys = [key for key in space.core.keys("") if key > after and wanted in key.casefold()]
        entries: list[tuple[str, Any]] = []
        for key in keys[:limit]:
            text = space.core.text(key)
            if text is not None:
                entries.append((key, messages.loads(text)))
        return {"entries": entries, "more": len(keys) > limit}

    async def _set_entry(self, origin: str, key: str, packed: Any) -> None:
        messages.check_key(key)
        await self._write(origin, key, messages.encode_packed(packed))

    async def _delete_entry(self, origin: str, key: str) -> bool:
        messages.check_key(key)
        before = (await self._look_at(origin)).core.has(key)
        await self._write(origin, key, None)
        return bool(before)

    async def _write(self, origin: str, key: str, text: str | None) -> None:
        space, now = await self._look_at(origin), self._parts.services.now_ms()

        def operation() -> Applied:
            applied: Applied = space.core.write([(key, text)], now)
            return applied

        await write_together(self._parts.services.writer, [(space, operation)])

    async def _look_at(self, origin: str) -> OpenSpace:
        """Return the app's space, and tell the page from now on when its data changes."""
        if origin not in self._seen:
            profile = self._parts.active.get()
            if profile.app(origin) is None:
                raise NotRegistered(origin)
            space = await profile.space(origin)
            if self._parts.active.profile is not profile or profile.app(origin) is None:
                profile.release(origin)
                raise Locked() if self._parts.active.profile is None else NotRegistered(origin)
            if self.closed or origin in self._seen:  # both can have come about during the wait
                profile.release(origin)
            else:

                def listener(keys: list[str], source: object) -> None:
                    self.tell(["data", origin])

                space.listeners.append(listener)
                self._seen[origin] = (profile, space, listener)
            return space
        return self._seen[origin][1]

    # Backups -----------------------------------------------------------------------------------------------

    async def _write_backup(
        self, passphrase: str, origin: str | None = None, present: str = ""
    ) -> OfferedFile:
        return self._files.offer(await self._commands.write_backup(passphrase, origin, present))

    async def _backup_piece(self, name: str, number: int) -> str:
        return self._files.piece(name, number)

    async def _begin_file(self) -> str:
        return self._files.begin()

    async def _file_piece(self, name: str, piece: str) -> None:
        self._files.add(name, piece)

    async def _drop_file(self, name: str) -> None:
        self._files.drop(name)

    async def _read_backup(self, name: str, passphrase: str) -> FoundBackup:
        backup = await self._commands.read_backup(self._files.content(name), passphrase)
        self._files.keep(name, backup)
        apps: list[BackedUpApp] = [
            {"origin": origin, "name": app["name"], "keys": len(backup.spaces[origin].items())}
            for origin, app in backup.apps().items()
            if origin in backup.spaces
        ]
        profile = self._parts.active.profile
        return {
            "name": backup.manifest.name,
            "made_ms": backup.manifest.made_ms,
            "whole": backup.manifest.whole,
            "same": profile is not None and await backups.is_of(backup, profile),
            "apps": apps,
        }

    async def _restore(self, name: str, passphrase: str = "", stay_unlocked: bool = True) -> RestoredBackup:
        backup = self._files.backup(name)
        restored = await self._commands.restore(backup, passphrase=passphrase, stay_unlocked=stay_unlocked)
        self._files.drop(name)
        return {"merged": restored.merged, "skipped": restored.skipped, "moved": restored.moved}

    def _post(self, message: JsonObject) -> None:
        if not self.closed:
            self._port.post(messages.dumps({"masq": messages.PROTOCOL, **message}))


_OWN: dict[str, Callable[..., Awaitable[Any]]] = {
    "overview": PageSession._overview,
    "used": PageSession._used,
    "trace": PageSession._trace,
    "answer": PageSession._decide,
    "app": PageSession._app,
    "entries": PageSession._entries,
    "set_entry": PageSession._set_entry,
    "delete_entry": PageSession._delete_entry,
    "write_backup": PageSession._write_backup,
    "backup_piece": PageSession._backup_piece,
    "begin_file": PageSession._begin_file,
    "file_piece": PageSession._file_piece,
    "drop_file": PageSession._drop_file,
    "read_backup": PageSession._read_backup,
    "restore": PageSession._restore,
}

METHODS = {**_OWN, **CHANGES, **DECISIONS, **DEVICE_METHODS, **PAIRING_METHODS}
"""All that a page may call."""
