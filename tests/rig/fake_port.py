"""A store in memory that speaks the wire format of docs/protocol.md over a fake port."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from masq.channel import Channel
from masq.errors import InvalidValue, MasqError, NotRegistered, ProtocolError, to_wire
from masq.store import Store

READY = {
    "state": "ready",
    "access": "shared",
    "profile": "Ann",
    "sync": "off",
    "devices": 1,
    "persistent": False,
}


class FakeStore:
    """The other end of a port. `messages` are the texts that arrived; `mute` leaves calls unanswered."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.messages: list[str] = []
        self.watches: dict[int, str] = {}
        self.mute = False
        self.error: MasqError | None = None
        self.send: Callable[[str], None] = lambda text: None

    def calls(self) -> list[list[Any]]:
        """All calls that arrived, in order."""
        return [call for text in self.messages for call in json.loads(text)["calls"]]

    def post(self, text: str) -> None:
        """Take a message of the app; the answer comes in a later turn of the loop, as from a real port."""
        self.messages.append(text)
        if not self.mute:
            asyncio.get_running_loop().call_soon(self.answer, text)

    def answer(self, text: str) -> None:
        """Do the calls of one message, and send replies and changes."""
        out: dict[str, Any] = {"replies": []}
        changes: dict[int, list[Any]] = {}
        for number, method, *arguments in json.loads(text)["calls"]:
            try:
                if self.error:
                    raise self.error
                touched: list[str] = []
                result = getattr(self, "do_" + method, self.unknown)(number, touched, *arguments)
                out["replies"].append([number, result])
                for watch, prefix in self.watches.items():
                    for key in touched:
                        if key.startswith(prefix):
                            changes.setdefault(watch, []).append(self.change(key))
            except MasqError as error:
                out["replies"].append([number, None, to_wire(error)])
        if changes:
            out["changes"] = [[watch, entries] for watch, entries in changes.items()]
        self.say(**out)

    def say(self, **message: Any) -> None:
        """Send a message of the store."""
        self.send(json.dumps({"masq": 1, **message}, ensure_ascii=False))

    def change(self, key: str, source: str = "self") -> list[Any]:
        """Return one change as it travels."""
        return [key, source, self.data[key]] if key in self.data else [key, source]

    def unknown(self, number: int, touched: list[str], *arguments: Any) -> None:
        """Refuse a method that is not known."""
        raise ProtocolError("the method is not known")

    def do_get(self, number: int, touched: list[str], key: str) -> Any:
        """get"""
        return [self.data[key]] if key in self.data else []

    def do_get_many(self, number: int, touched: list[str], keys: list[str]) -> Any:
        """get_many"""
        return [[key, self.data[key]] for key in keys if key in self.data]

    def do_has(self, number: int, touched: list[str], key: str) -> Any:
        """has"""
        return key in self.data

    def do_keys(self, number: int, touched: list[str], prefix: str) -> Any:
        """keys"""
        return sorted(key for key in self.data if key.startswith(prefix))

    def do_items(self, number: int, touched: list[str], prefix: str) -> Any:
        """items"""
        return [[key, self.data[key]] for key in self.do_keys(number, touched, prefix)]

    def do_set(self, number: int, touched: list[str], key: str, packed: Any) -> Any:
        """set"""
        self.data[key] = packed
        touched.append(key)

    def do_update(self, number: int, touched: list[str], entries: list[Any]) -> Any:
        """update"""
        for key, packed in entries:
            self.do_set(number, touched, key, packed)

    def do_replace(self, number: int, touched: list[str], entries: list[Any]) -> Any:
        """replace"""
        touched.extend(self.data)
        self.data.clear()
        self.do_update(number, touched, entries)

    def do_delete(self, number: int, touched: list[str], keys: list[str]) -> Any:
        """delete"""
        gone = [key for key in keys if self.data.pop(key, None) is not None]
        touched.extend(gone)
        return len(gone)

    def do_clear(self, number: int, touched: list[str], prefix: str) -> Any:
        """clear"""
        return self.do_delete(number, touched, self.do_keys(number, touched, prefix))

    def do_increment(self, number: int, touched: list[str], key: str, by: int) -> Any:
        """increment"""
        if not isinstance(self.data.get(key, 0), int):
            raise InvalidValue("it is not an int")
        self.do_set(number, touched, key, self.data.get(key, 0) + by)
        return self.data[key]

    def do_flush(self, number: int, touched: list[str]) -> Any:
        """flush"""

    def do_watch(self, number: int, touched: list[str], prefix: str, initial: bool) -> Any:
        """watch"""
        self.watches[number] = prefix
        if initial:
            entries = [self.change(key) for key in self.do_keys(number, touched, prefix)]
            asyncio.get_running_loop().call_soon(lambda: self.say(changes=[[number, entries]]))

    def do_unwatch(self, number: int, touched: list[str], watch: int) -> Any:
        """unwatch"""
        self.watches.pop(watch, None)

    def withdraw(self) -> None:
        """The user withdraws the app."""
        self.error = NotRegistered()
        ended = [[watch, to_wire(self.error)] for watch in self.watches]
        self.say(status={"state": "unregistered"}, ended=ended)


def opened(timeout: float = 5.0) -> tuple[Store, FakeStore]:
    """Return a Store and the FakeStore that it is connected to."""
    fake = FakeStore()
    channel = Channel(fake.post, asyncio.get_running_loop().call_soon, timeout)
    fake.send = channel.receive
    return Store(channel, READY), fake
