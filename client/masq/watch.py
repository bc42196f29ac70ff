"""Watch: an async iterator over changes. For a slow reader they are conflated to the latest of each key."""

from masq.channel import Reply
from masq.messages import unpack

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from masq.status import Status


class Change:
    """A change of one key, as a watch yields it. `deleted`: the key is gone, and `value` is None.

    `source`: who did it: "self" (this session, or the state at the start of a watch), "tab" (another tab of
    the app on this device), "device" (another device).
    """

    __slots__ = ("deleted", "key", "source", "value")

    def __init__(self, key: str, value: "Any", deleted: bool, source: str) -> None:
        self.key = key
        self.value = value
        self.deleted = deleted
        self.source = source

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Change) and (
            (self.key, self.value, self.deleted, self.source)
            == (other.key, other.value, other.deleted, other.source)
        )

    def __repr__(self) -> str:
        return "Change(key=%r, value=%r, deleted=%r, source=%r)" % (
            self.key,
            self.value,
            self.deleted,
            self.source,
        )


class Stream:
    """The base class of both iterators: readers that wait, and an end.

    A class with `__anext__` because MicroPython has no async generators.
    """

    def __init__(self, on_close: "Callable[[Any], object]") -> None:
        self._on_close = on_close
        self._wakes: list[Reply] = []  # one for each reader: cancelling one leaves the others waiting
        self._error: BaseException | None = None
        self._closed = False

    def __aiter__(self) -> "Any":
        return self

    async def __anext__(self) -> "Any":
        while not self._ready():
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            wake = Reply()
            self._wakes.append(wake)
            await wake
        return self._take()

    async def __aenter__(self) -> "Any":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it: the store sends nothing more for it. Readers that wait get the end of the iteration."""
        if not self._closed:
            self._closed = True
            self._drop()
            self._on_close(self)
            self.wake()

    def end(self, error: "BaseException | None") -> None:
        """Let the reader have what is there already, then `error` (None: the end of the iteration)."""
        if error is None:
            self._closed = True
        elif self._error is None:
            self._error = error
        self.wake()

    def wake(self, direct: bool = False) -> None:
        """Let waiting readers look again; `direct`: now, which only a message handler may ask for."""
        wakes, self._wakes = self._wakes, []
        for reply in wakes:
            reply.succeed(None, direct)

    def _ready(self) -> bool:
        raise NotImplementedError

    def _take(self) -> "Any":
        raise NotImplementedError

    def _drop(self) -> None:
        """Forget what nobody will read."""


class Watch(Stream):
    """Changes of the keys that begin with a prefix, as an async iterator of Change.

    It conflates: between two reads the newest change of each key is kept, in the order in which the keys first changed.
    """

    def __init__(self, prefix: str, initial: bool, on_close: "Callable[[Any], object]") -> None:
        super().__init__(on_close)
        self.prefix = prefix
        self.initial = initial
        self.number = 0  # of the call that opened it
        self._changes: dict[str, list[Any]] = {}
        self._order: list[str] = []  # MicroPython's dicts have none
        self._at = 0
        self._present: set[str] = set()  # keys that the reader can know of

    def add(self, changes: "list[Any]") -> None:
        """Keep what the store tells: [key, source, packed value] or, deleted, [key, source]."""
        for change in changes:
            key = change[0]
            if not isinstance(key, str) or not isinstance(change[1], str):
                raise TypeError("a change names its key and its source")
            if key not in self._changes:
                self._order.append(key)
            self._changes[key] = change
            if len(change) > 2:
                self._present.add(key)
            else:
                self._present.discard(key)

    def know(self, keys: "list[str]") -> None:
        """Take the keys that are there when the watch begins, and of which it yields no change."""
        self._present.update(keys)

    def present_are(self, keys: "list[str]") -> None:
        """Tell the reader which of the keys it knows are gone, after the store was lost and found again."""
        gone = self._present.difference(keys)
        self.add([[key, "device"] for key in sorted(gone)])

    def _ready(self) -> bool:
        return bool(self._changes)

    def _take(self) -> Change:
        key = self._order[self._at]
        self._at += 1
        if self._at > 100 or self._at == len(self._order):
            self._order = self._order[self._at :]
            self._at = 0
        change = self._changes.pop(key)
        deleted = len(change) < 3
        return Change(key, None if deleted else unpack(change[2]), deleted, change[1])

    def _drop(self) -> None:
        self._changes = {}
        self._order = []
        self._at = 0


class StatusWatch(Stream):
    """The status now, then each new one, as an async iterator of Status; a slow reader gets the latest."""

    def __init__(self, status: "Status", on_close: "Callable[[Any], object]") -> None:
        super().__init__(on_close)
        self._next: Status | None = status

    def add(self, status: "Status") -> None:
        """Keep the newest."""
        self._next = status

    def _ready(self) -> bool:
        return self._next is not None

    def _take(self) -> "Status | None":
        status, self._next = self._next, None
        return status

    def _drop(self) -> None:
        self._next = None
