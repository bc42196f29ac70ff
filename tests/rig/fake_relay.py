"""The one network in memory, for tests of timing and of misbehaviour: its relay says what a test wants.

It speaks in bytes, on the event loop and by its clock, which may be virtual. `sync_hub` is a room of a relay without
either: there each frame moves when a history says so, ten thousand histories long. A real relay is in `relay_rig`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from skipping import SkippingLoop

from masq_relay import frames as relay_frames
from masq_store.core.errors import RelayUnreachable
from masq_store.core.relay.frames import (
    Cast,
    Current,
    Envelope,
    Error,
    Joined,
    Others,
    SnapshotPart,
    Stored,
)
from masq_store.engine.relay.link import Lost, RelayLink, RoomEvent

URL = "wss://relay.test/"
NOW_MS = 1_800_000_000_000

NAMES = {
    Joined: "joined",
    SnapshotPart: "snapshot",
    Envelope: "envelope",
    Current: "current",
    Stored: "stored",
    Cast: "cast",
    Others: "others",
    Error: "refused",
    Lost: "lost",
}
"""What a test calls the events that a member hears."""


def now() -> float:
    """Return the loop's time in seconds."""
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Let all happen that needs no time to pass."""
    for _ in range(20):
        await asyncio.sleep(0)


async def settle_for(seconds: float) -> None:
    """Let that much time pass, and all happen that is due by then."""
    await asyncio.sleep(seconds)
    await settle()


class FakeNetwork:
    """A `Network` with one relay, which is there or not."""

    def __init__(self, *, there: bool = True) -> None:
        self.there = there
        self.opens: list[float] = []  # when each connection was asked for, in the loop's seconds
        self.sockets: list[FakeSocket] = []
        self.answers = True  # whether new connections speak as a relay does
        self.failure: Exception = RelayUnreachable()
        self._online: list[Callable[[], None]] = []

    async def open(
        self, url: str, receive: Callable[[bytes], None], closed: Callable[[str], None]
    ) -> FakeSocket:
        """Connect."""
        assert url == URL
        self.opens.append(now())
        await asyncio.sleep(0)
        if not self.there:
            raise self.failure
        found = FakeSocket(receive, closed, self.answers)
        self.sockets.append(found)
        return found

    def on_online(self, call: Callable[[], None]) -> None:
        """Remember whom to call."""
        self._online.append(call)

    def online(self) -> None:
        """Give the device its network back."""
        for call in self._online:
            call()

    def skip(self, seconds: float) -> None:
        """Let the clock jump as it does on a machine that slept: what was due meanwhile happens late."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SkippingLoop)
        loop.skip(seconds)

    @property
    def socket(self) -> FakeSocket:
        """The newest connection."""
        return self.sockets[-1]


class FakeSocket:
    """Both sides of a connection: the device's `Socket`, and a relay that says what a test wants."""

    def __init__(
        self, receive: Callable[[bytes], None], closed: Callable[[str], None], answers: bool
    ) -> None:
        self.said: list[relay_frames.FromClient] = []
        self.waiting = 0
        self.over = False
        self.answers = answers
        self._receive = receive
        self._closed = closed

    # The device's side.

    def send(self, frame: bytes) -> None:
        """Take a frame as a real relay would; what that would refuse fails the test."""
        if self.over:
            return
        said = relay_frames.read(frame)
        self.said.append(said)
        if self.answers:
            asyncio.get_running_loop().call_soon(self._answer, said)

    def close(self) -> None:
        """End."""
        self._end("this device ended the connection")

    # The relay's side.

    def say(self, frame: bytes) -> None:
        """Send a frame to the device."""
        if not self.over:
            self._receive(frame)

    def hang_up(self, reason: str = "it ended the connection") -> None:
        """End the connection as the relay."""
        self._end(reason)

    def of(self, kind: type) -> list[Any]:
        """Return the device's frames of one kind."""
        return [said for said in self.said if isinstance(said, kind)]

    def _end(self, reason: str) -> None:
        if not self.over:
            self.over = True
            asyncio.get_running_loop().call_soon(self._closed, reason)

    def _answer(self, said: relay_frames.FromClient) -> None:
        if isinstance(said, relay_frames.Hello):
            self.say(welcome())
        elif isinstance(said, relay_frames.Join):
            self.say(relay_frames.joined(said.channel, said.number, 0, False))
            self.say(relay_frames.current(said.channel, said.number))
        elif isinstance(said, relay_frames.Ping):
            self.say(relay_frames.pong(said.ref))


def welcome(max_frame: int = 1 << 20, time_ms: int = NOW_MS) -> bytes:
    """Return WELCOME."""
    return relay_frames.welcome(max_frame, 1 << 28, 90 * 86_400, time_ms)


def error(code: int, channel: int = 0xFFFF, ref: int = 0) -> bytes:
    """Return ERROR, codes of later versions included."""
    return relay_frames.error(code, "As the test says.", channel, ref)  # type: ignore[arg-type]


def framed(piece: relay_frames.Piece, channel: int) -> bytes:
    """Return a relay's frame without its WebSocket header."""
    message = relay_frames.whole([piece], relay_frames.CHANNEL.pack(channel))
    sizes = {126: 4, 127: 10}
    return message[sizes.get(message[1], 2) :]


class FakeMember:
    """A member that writes down what it is told, and does what a test wants on the way."""

    def __init__(self, number: int = 1) -> None:
        self.room = bytes([number]) * 16
        self.token = bytes([number]) * 32
        self.at = (0, bytes(16))
        self.told: list[tuple[Any, ...]] = []
        self.then: dict[str, Callable[[], object]] = {}  # by name: what it does when it is told

    def cursor(self) -> tuple[int, bytes]:
        """Return where it stands."""
        self._hear("cursor")
        return self.at

    def hear(self, event: RoomEvent) -> None:
        """Write it down; after an envelope, move on."""
        told = [*event] if isinstance(event, Lost) else [*event[1:]]  # the channel left out
        self._hear(NAMES[type(event)], *told)
        if isinstance(event, Envelope):
            self.at = (event.number, event.envelope[-16:])

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """Return what it was told by events of one name."""
        return [each[1:] for each in self.told if each[0] == name]

    def names(self) -> list[str]:
        """Return which events came, cursor left out."""
        return [each[0] for each in self.told if each[0] != "cursor"]

    def _hear(self, *told: Any) -> None:
        self.told.append(told)
        if told[0] in self.then:
            self.then[told[0]]()


MEMBER_FAILED = f"a member of {URL} failed"
"""What the loop's exception handler is told then."""


def raising() -> None:
    """Raise what a test expects."""
    raise ZeroDivisionError()


def make_link(network: FakeNetwork, draw: bytes = b"\x80\0\0\0") -> RelayLink:
    """Return a link to the relay; what is left to chance is always the same."""
    return RelayLink(network, URL, now_ms=lambda: NOW_MS, random=lambda size: draw[:size])


async def linked(*members: FakeMember) -> tuple[FakeNetwork, RelayLink]:
    """Return a network and an open link in which these members are."""
    network = FakeNetwork()
    link = make_link(network)
    for member in members:
        link.enter(member)
    await settle()
    assert link.state == "open"
    return network, link
