"""What stands between a device and its relay in tests: it sees every frame, and may lose, double or change it."""

from __future__ import annotations

from collections.abc import Callable

from masq_store.engine.ports import Socket
from masq_store.native.websocket import NativeNetwork

HELLO, JOIN, POST, SNAPSHOT = 0x01, 0x02, 0x04, 0x05  # a device's
WELCOME, JOINED, CURRENT, STORED, ENVELOPE, PART = 0x81, 0x82, 0x83, 0x84, 0x85, 0x86  # a relay's

POST_FRONT, SNAPSHOT_FRONT, ENVELOPE_FRONT, PART_FRONT = 7, 43, 19, 15  # bytes before the envelope

Passing = Callable[[bytes], list[bytes]]


def as_it_is(frame: bytes) -> list[bytes]:
    """Let a frame pass."""
    return [frame]


class Between:
    """A network of real sockets. `up` and `down` say what becomes of each frame to and from the relay."""

    def __init__(self, *, up: Passing = as_it_is, down: Passing = as_it_is) -> None:
        self.up, self.down = up, down
        self.sent: list[bytes] = []
        """Frames that went to the relay."""
        self.heard: list[bytes] = []
        """Frames that came to the device."""
        self.open_sockets: list[_Watched] = []
        self.connections = 0
        self._network = NativeNetwork()
        self._calls: list[Callable[[], None]] = []

    async def open(self, url: str, receive: Callable[[bytes], None], closed: Callable[[str], None]) -> Socket:
        """Connect."""
        watched = _Watched(self, receive, closed)
        watched.socket = await self._network.open(url, watched.receive, watched.closed)
        self.open_sockets.append(watched)
        self.connections += 1
        return watched

    def on_online(self, call: Callable[[], None]) -> None:
        """Keep `call` for `back`."""
        self._calls.append(call)

    def back(self) -> None:
        """Tell the device that the network is back, so that it tries at once."""
        for call in self._calls:
            call()

    def cut(self) -> None:
        """End every connection at once, with whatever is on its way."""
        for watched in list(self.open_sockets):
            watched.cut()

    def say(self, frame: bytes) -> None:
        """Let the device hear a frame that no relay has sent."""
        self.open_sockets[-1].hear(frame)

    def kinds(self, frames: list[bytes], kind: int) -> list[bytes]:
        """Return the frames of one kind."""
        return [frame for frame in frames if frame[0] == kind]


class _Watched:
    """A socket whose frames are seen."""

    def __init__(
        self, between: Between, receive: Callable[[bytes], None], closed: Callable[[str], None]
    ) -> None:
        self._between, self._receive, self._closed = between, receive, closed
        self._over = False
        self.socket: Socket

    def send(self, frame: bytes) -> None:
        for passed in self._between.up(frame):
            self._between.sent.append(passed)
            self.socket.send(passed)

    @property
    def waiting(self) -> int:
        return self.socket.waiting

    def close(self) -> None:
        self.socket.close()

    def cut(self) -> None:
        """Hear nothing more, and be told that it is over."""
        self.closed("it was cut")
        self.socket.close()

    def receive(self, frame: bytes) -> None:
        for passed in self._between.down(frame):
            self.hear(passed)

    def hear(self, frame: bytes) -> None:
        if not self._over:
            self._between.heard.append(frame)
            self._receive(frame)

    def closed(self, reason: str) -> None:
        if not self._over:
            self._over = True
            if self in self._between.open_sockets:
                self._between.open_sockets.remove(self)
            self._closed(reason)
