"""Store: the app's data, as a dict that other tabs and devices share."""

import sys

from masq.channel import Channel, Reply
from masq.errors import Disconnected, InvalidKey, InvalidValue, Locked, MasqError, NotRegistered
from masq.messages import check_key, check_prefix, check_size, dumps, encode, pack, unpack
from masq.status import Status
from masq.watch import Change, StatusWatch, Stream, Watch

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

__all__ = ["Change", "Store"]

MICROPYTHON = sys.implementation.name == "micropython"


class Store:
    """An open session with the user's store. `connect` and `register` make it.

    Each call is checked and filed at once, and returns an awaitable for its result: a `set` without `await` is
    still carried out, in order. Awaiting raises InvalidKey or InvalidValue for what cannot be stored, NotRegistered
    or Locked when the user has taken the permission away or locked the profile, QuotaExceeded, ConnectionTimeout
    after `timeout` seconds of silence, or Disconnected. Errors that nobody awaits go to the browser's console. Each
    call is all or nothing.
    """

    def __init__(
        self,
        channel: Channel,
        status: "dict[str, Any]",
        on_close: "Callable[[Store], object] | None" = None,
        on_status: "Callable[[Status], object] | None" = None,
    ) -> None:
        self._channel = channel
        self._status = Status(status)
        self._on_close = on_close
        self._on_status = on_status
        self._closing: Reply | None = None
        self._watches: dict[int, Watch] = {}
        self._status_watches: list[StatusWatch] = []
        self._stirred: list[Stream] = []  # iterators with news, woken once a message is read
        channel.on_status = self._take_status
        channel.on_changes = self._take_changes
        channel.on_ended = self._take_end
        channel.on_fault = self.end
        channel.on_read = self._wake

    # Reads

    def get(self, key: str, default: "Any" = None) -> Reply:
        """Return the value of `key`, or `default` where there is none."""
        return self._file("get", lambda raw: unpack(raw[0]) if raw else default, _key, key)

    def get_many(self, keys: "Iterable[str]") -> Reply:
        """Return a dict of those of the keys that exist."""
        return self._file("get_many", _entries, _keys, keys)

    def has(self, key: str) -> Reply:
        """Return whether `key` exists."""
        return self._file("has", _boolean, _key, key)

    def keys(self, prefix: str = "") -> Reply:
        """Return the sorted list of the keys that begin with `prefix`."""
        return self._file("keys", _list, _prefix, prefix)

    def items(self, prefix: str = "") -> Reply:
        """Return a dict of all keys that begin with `prefix`, with their values."""
        return self._file("items", _entries, _prefix, prefix)

    # Writes

    def set(self, key: str, value: "Any") -> Reply:
        """Set `key` to `value`. Once awaited it outlives the end of the browser; for a power cut see `flush`."""
        return self._file("set", _nothing, _key_and_value, key, value)

    def update(self, mapping: "Mapping[str, Any]") -> Reply:
        """Set all keys of the mapping, or none."""
        return self._file("update", _nothing, _mapping, mapping)

    def replace(self, mapping: "Mapping[str, Any]") -> Reply:
        """Make the app's data exactly this mapping."""
        return self._file("replace", _nothing, _mapping, mapping)

    def delete(self, *keys: str) -> Reply:
        """Delete keys; return how many of them existed."""
        return self._file("delete", _whole, _keys, keys)

    def clear(self, prefix: str = "") -> Reply:
        """Delete all keys that begin with `prefix`; return how many there were. The app stays registered."""
        return self._file("clear", _whole, _prefix, prefix)

    def increment(self, key: str, by: int = 1) -> Reply:
        """Add `by` to the int at `key` (0 where there is none), and return the new one.

        Unlike get and set, increments made at once in several places all count.
        """
        return self._file("increment", unpack, _key_and_number, key, by)

    def _file(
        self, method: str, convert: "Callable[[Any], Any]", arguments: "Callable[..., str]", *given: "Any"
    ) -> Reply:
        """File a call; what is wrong with what was given is raised where its result is awaited, as all errors are."""
        try:
            return self._channel.file(method, arguments(*given), convert)
        except MasqError as error:
            return self._channel.refuse(error)

    def flush(self) -> Reply:
        """Return once everything that was written before this call is on the disk itself: a power cut takes none of it.

        It takes as long as the disk does, some milliseconds; other writes outlive the end of the browser without it.
        """
        return self._channel.file("flush", "", _nothing)

    # News

    def watch(self, prefix: str = "", initial: bool = False) -> Watch:
        """Return an async iterator of `Change` for the keys that begin with `prefix`, from this moment on.

        `initial`: begin with what is there. A slow reader gets the latest of each key. Use it in `async with`,
        or call `aclose()`: a `break` alone does not stop the store from sending.
        It raises NotRegistered or Locked when the permission goes, and ends when the store is closed.
        """
        watch = Watch(prefix, bool(initial), self._forget)
        error: BaseException | None = self._channel.error
        try:
            check_prefix(prefix)
        except MasqError as wrong:
            error = wrong
        if error is not None:
            watch.end(error)
        else:
            self._open(watch, watch.initial)
            if not watch.initial:  # else we could not tell later which of them went while the store was lost
                self._ask_keys(watch, watch.know)
        return watch

    @property
    def status(self) -> Status:
        """How things stand: see `Status`."""
        return self._status

    def watch_status(self) -> StatusWatch:
        """Return an async iterator of `Status`: the one now, then each new one; a slow reader gets the latest."""
        watch = StatusWatch(self._status, self._forget)
        if self._channel.error is not None:
            watch.end(None)
        else:
            self._status_watches.append(watch)
        return watch

    # Ends

    def close(self) -> Reply:
        """End the session: calls under way are finished, later ones raise Disconnected, watches end.

        Awaiting it is not needed; it returns when the last call has its answer and the frame is gone.
        """
        if self._closing is None:
            self._closing = Reply()
            self._channel.flush()
            self._channel.error = self._channel.error or Disconnected("this app closed its session")
            self._end_watches(None)
            if self._channel.outstanding:
                self._channel.on_idle = self._finish
            else:
                self._finish()
        return self._closing

    async def __aenter__(self) -> "Store":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def end(self, error: MasqError) -> None:
        """Close it because of an error, which calls and watches raise."""
        self._channel.fail(error)
        self._end_watches(error)
        self._finish()

    def reopen(self, post: "Callable[[str], object]") -> None:
        """Reconnect over another port, and open the watches again there.

        They begin with what is there, so that no last state is missed, and ask for the keys, so that what was
        deleted in between is told too.
        """
        watches, self._watches = self._watches, {}  # before calls fail: that of a new one may be among them
        self._channel.lost(post)
        for watch in [watches[number] for number in sorted(watches)]:
            self._open(watch, True)
            self._ask_keys(watch, watch.present_are)

    def _finish(self) -> None:
        self._channel.on_idle = None
        self._channel.fail(Disconnected("this app closed its session"))
        if self._status.state != "closed":
            self._set_status(Status({}))
        for watch in self._status_watches:
            watch.end(None)
        self._status_watches = []
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close(self)
        if self._closing is None:
            self._closing = Reply()
        self._closing.succeed(None)

    # What the channel tells

    def _open(self, watch: Watch, initial: bool) -> None:
        number = self._channel.next_number()
        watch.number = number
        self._watches[number] = watch
        arguments = dumps(watch.prefix) + (",true" if initial else ",false")
        reply = self._channel.file("watch", arguments, _nothing, number)
        reply.add_done_callback(lambda reply: self._opened(watch, number, reply))

    def _ask_keys(self, watch: Watch, tell: "Callable[[list[str]], None]") -> None:
        def take(reply: Reply) -> None:
            if not reply.cancelled() and reply.exception() is None:
                tell(reply.result())
                watch.wake()

        self._channel.file("keys", dumps(watch.prefix), _list).add_done_callback(take)

    def _opened(self, watch: Watch, number: int, reply: Reply) -> None:
        error = None if reply.cancelled() else reply.exception()
        if error is not None and self._watches.get(number) is watch:
            del self._watches[number]
            watch.end(error)

    def _forget(self, stream: "Any") -> None:
        """Stop a watch that its reader closed."""
        if isinstance(stream, Watch):
            if self._watches.pop(stream.number, None) is not None and self._channel.error is None:
                reply = self._channel.file("unwatch", str(stream.number), _nothing)
                reply.add_done_callback(_whatever)
        elif stream in self._status_watches:
            self._status_watches.remove(stream)

    def _take_changes(self, number: int, changes: "list[Any]") -> None:
        watch = self._watches.get(number)
        if watch is not None:
            watch.add(changes)
            self._stirred.append(watch)

    def _take_end(self, number: int, error: MasqError) -> None:
        watch = self._watches.pop(number, None)
        if watch is not None:
            watch.end(error)

    def _take_status(self, wire: "dict[str, Any]") -> None:
        self._set_status(Status(wire))
        if self._status.state == "closed":
            self._end_watches(NotRegistered())
        elif self._status.state == "locked":
            self._end_watches(Locked())

    def _set_status(self, status: Status) -> None:
        if status == self._status:
            return
        self._status = status
        if self._on_status is not None:
            self._on_status(status)
        for watch in self._status_watches:
            watch.add(status)
            self._stirred.append(watch)

    def _end_watches(self, error: "MasqError | None") -> None:
        watches, self._watches = self._watches, {}
        for watch in watches.values():
            watch.end(error)

    def _wake(self, direct: bool) -> None:
        stirred, self._stirred = self._stirred, []
        for stream in stirred:
            stream.wake(direct)


# What goes out


def _text(value: "Any") -> str:
    """Return the JSON text of a value, packed and within the limits."""
    if MICROPYTHON:  # it has no sorted keys, which only the store needs
        text = dumps(pack(value))
        check_size(text)
        return text
    return encode(value)


def _key(key: str) -> str:
    check_key(key)
    return dumps(key)


def _prefix(prefix: str) -> str:
    check_prefix(prefix)
    return dumps(prefix)


def _key_and_value(key: str, value: "Any") -> str:
    check_key(key)
    return dumps(key) + "," + _text(value)


def _key_and_number(key: str, by: int) -> str:
    check_key(key)
    if not isinstance(by, int) or isinstance(by, bool):
        raise InvalidValue("only an int can be added, not a value of type " + type(by).__name__, "by")
    return dumps(key) + "," + _text(by)


def _keys(keys: "Iterable[str]") -> str:
    if isinstance(keys, str):
        raise InvalidKey("several keys come as a list, not as one str", keys)
    try:
        listed = list(keys)
    except TypeError:
        raise InvalidKey(
            "several keys come as a list, not as a value of type " + type(keys).__name__
        ) from None
    for key in listed:
        check_key(key)
    return dumps(listed)


def _mapping(mapping: "Mapping[str, Any]") -> str:
    if not hasattr(mapping, "items"):
        raise InvalidValue("several entries come as a dict, not as a value of type " + type(mapping).__name__)
    entries = []
    for key, value in mapping.items():
        check_key(key)
        try:
            entries.append("[" + dumps(key) + "," + _text(value) + "]")
        except InvalidValue as error:
            reason, path = error.fields["reason"], error.fields["path"]
            raise InvalidValue(reason, "[" + dumps(key) + "]" + path) from None
    return "[" + ",".join(entries) + "]"


# What comes in: a wrong form raises TypeError, which the channel turns into ProtocolError


def _nothing(_raw: "Any") -> None:
    return None


def _boolean(raw: "Any") -> bool:
    return raw is True


def _whole(raw: "Any") -> int:
    if not isinstance(raw, int):
        raise TypeError("a number was expected")
    return raw


def _list(raw: "Any") -> "list[str]":
    if not isinstance(raw, list):
        raise TypeError("a list was expected")
    return raw


def _entries(raw: "Any") -> "dict[str, Any]":
    entries = {}
    for key, packed in raw:
        entries[key] = unpack(packed)
    return entries


def _whatever(reply: Reply) -> None:
    """Look at an outcome that changes nothing, so that it is not reported as unseen."""
    if not reply.cancelled():
        reply.exception()
