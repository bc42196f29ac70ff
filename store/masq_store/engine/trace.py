"""A trace of the latest in sync, storage and pairing, for whoever looks for a fault: kinds, counts, sizes and times.

    trace = link.trace
    if trace.on:
        trace.note(Kind.POSTED, posts=2, bytes=310)

To ask `on` is all that it costs while nobody wants to know; where little happens, `note` asks. Nothing that tells what
a person keeps, with whom, or who they are can get in: beside its kind an event has whole numbers and kinds of errors,
and a text is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

LENGTH = 400
"""Events that are kept: some minutes of a busy store, and a page of text that can be sent to somebody."""


class Kind(Enum):
    """The kinds of events in a trace."""

    CONNECTING = "relay: connecting"
    OPEN = "relay: open"
    WAITING = "relay: waiting"
    CLOSED = "relay: closed"
    MISBEHAVED = "relay: misbehaved"
    JOINED = "room: joined"
    CURRENT = "room: read to its end"
    REFUSED = "room: refused"
    MEMBER_FAILED = "room: this device failed"
    READ = "sync: read"
    PASSED_OVER = "sync: passed over"
    POSTED = "sync: posted"
    COMPARED = "sync: compared"
    SNAPSHOT = "sync: snapshot"
    SYNC_FAILED = "sync: failed"
    WRITTEN = "disk: written"
    CHECKPOINT = "disk: checkpoint"
    DISK_FAILED = "disk: failed"
    PAIRING_BEGAN = "pairing: began"
    PAIRING_HEARD = "pairing: heard"
    PAIRING_SENT = "pairing: sent"
    PAIRING_ENDED = "pairing: ended"
    PAIRING_LEFT = "pairing: left the room"


class Trace:
    """A ring of the last events in memory. `now_ms`: the device's clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.on = False
        self.now_ms = now_ms
        self._began_ms = 0
        self._lines: deque[str] = deque(maxlen=LENGTH)
        self._hear: Callable[[str], None] | None = None

    def switch(self, on: bool, hear: Callable[[str], None] | None = None) -> None:
        """Begin, or end and forget all; nothing where it is so already. `hear`: given each line as it is noted."""
        if on != self.on:
            self.on, self._hear, self._began_ms = on, hear, self.now_ms()
            self._lines.clear()

    def note(self, kind: Kind, **figures: int | BaseException) -> None:
        """Keep an event while this is on; of an error its kind. Raises TypeError for every other figure."""
        if not self.on:
            return
        said = "".join(f" {name}={_figure(value)}" for name, value in figures.items())
        line = f"{(self.now_ms() - self._began_ms) / 1000:10.3f} {kind.value}{said}"
        self._lines.append(line)
        if self._hear is not None:
            self._hear(line)

    def lines(self) -> list[str]:
        """Return the events, the oldest first, each with the seconds since this was switched on."""
        return list(self._lines)


def _figure(value: object) -> str:
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, BaseException):
        return type(value).__name__
    raise TypeError("a trace keeps whole numbers and kinds of errors alone")


OFF = Trace(lambda: 0)
"""Of those that nobody looks into: it is never switched on."""
