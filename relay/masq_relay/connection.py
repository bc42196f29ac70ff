"""One socket: its frames are read, checked and handed to the relay; what is sent to it is bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from masq_relay import frames
from masq_relay.arrivals import Arrival, Arrivals
from masq_relay.frames import BadFrame, Code
from masq_relay.peers import Peer
from masq_relay.rooms import Member

if TYPE_CHECKING:
    from masq_relay.relay import Relay

HIGH_WATER = 512 * 1024
"""Bytes waiting for a connection above which it counts as slow."""
LOW_WATER = 128 * 1024

RATE, DISK, STOP = 1, 2, 4
"""Why a connection is not read from: it was too fast, its posts wait for the disk, the relay is stopping."""

TURN_SECONDS = 0.02
"""Between two connections of one peer that are read on after a rest: what each has sent meanwhile comes at once."""

TOGETHER = 64 * 1024
"""What deliveries count for is taken from the bucket in sums of about this: most are small."""

BINARY = WSMsgType.BINARY  # looked up for each frame; an enumeration is slow at that

CLOSES = {
    Code.STOPPING: WSCloseCode.GOING_AWAY,
    Code.FRAME_TOO_LARGE: WSCloseCode.MESSAGE_TOO_BIG,
    Code.TOO_MANY_CONNECTIONS: WSCloseCode.TRY_AGAIN_LATER,
    Code.TOO_FAST: WSCloseCode.TRY_AGAIN_LATER,
    Code.TOO_SLOW: WSCloseCode.TRY_AGAIN_LATER,
}
"""WebSocket close codes beside ours; POLICY_VIOLATION where there is none."""


class Joining:
    """A channel whose room is being looked up."""


class Connection(WSListener):
    """One client, on the socket that arrived. `address`: whose it is, by the word of a proxy where there is one."""

    def __init__(self, relay: Relay, arrivals: Arrivals, arrival: Arrival, address: str) -> None:
        self.relay = relay
        self._counts = relay.metrics.counts
        self._most = relay.limits.frame
        self.held = 0
        """Bytes that it has taken to read into, beyond what each may."""
        self.channels: dict[int, Member | Joining] = {}
        self.unsaved = 0
        self.slow = False
        self.slow_since = 0.0
        self.dead = False
        self.greeted = False
        self.peer: Peer | None = None
        self._arrivals = arrivals
        self._arrival = arrival
        self._address = address
        self._held = 0
        self._behind: deque[Member] = deque()
        self._reading = False
        self._fragments: bytearray | None = None
        self.now = 0.0
        """When it last sent something, in seconds of the monotonic clock."""
        self._timers: dict[str, asyncio.Handle] = {}

    # From the socket.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport
        self._socket: asyncio.Transport = transport.underlying_transport
        self._socket.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        self.peer = self.relay.peers.find(self._address, monotonic())
        self._arrivals.arrived(self._arrival)
        self._arrival.connection = self
        self.relay.connected(self)
        self._later("hello", self.relay.limits.hello, self._must_have_greeted)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Read a WebSocket frame; browsers cut large messages into several."""
        kind = frame.msg_type
        fragments = self._fragments
        self._arrival.unread = frame.tail_size if fragments is None else frame.tail_size + len(fragments)
        if kind == BINARY and fragments is None and frame.fin and not self.dead:
            if self._pace(frame.payload_size):
                self._message(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            if not self.dead:  # what it does not read any more must not keep the socket open
                self._bury()
                self._later("grace", self.relay.limits.grace, self.abort)
        elif self.dead or not self._pace(frame.payload_size):
            return
        elif kind == WSMsgType.PING:
            if not self.slow:
                transport.send_pong(frame.get_payload_as_bytes())
        elif kind != WSMsgType.PONG:
            self._fragment(kind, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """End: leave all rooms."""
        for timer in self._timers.values():
            timer.cancel()
        self._bury()
        self.relay.disconnected(self)
        self._arrival.connection = None

    def pause_writing(self) -> None:
        """Note that the other side reads more slowly than it is sent to."""
        self.slow = True
        self.slow_since = monotonic()
        self.relay.slow[self] = None
        self.relay.check_buffers(self)

    def resume_writing(self) -> None:
        """Go on with what it has not been sent."""
        self.slow = False
        self.relay.slow.pop(self, None)
        self._pump()

    # To the socket.

    def send(self, frame: bytes) -> None:
        """Send one frame."""
        if not self.dead:
            self._transport.send(BINARY, frame)
            if self.slow:
                self._check_buffer()

    def write(self, messages: bytes) -> None:
        """Send whole WebSocket messages that were put together before."""
        if not self.dead:
            self._socket.write(messages)
            if self.slow:
                self._check_buffer()

    def refuse(self, code: Code, sentence: str, channel: int = frames.CONNECTION, ref: int = 0) -> None:
        """Send an ERROR that leaves the connection as it is."""
        self.relay.metrics.errors[code] += 1
        self.send(frames.error(code, sentence, channel, ref))

    def cut(self, code: Code, sentence: str, channel: int = frames.CONNECTION, ref: int = 0) -> None:
        """Send an ERROR and end the connection."""
        if self.dead:
            return
        self.relay.metrics.errors[code] += 1
        self.relay.event_log.write(
            "debug" if code == Code.STOPPING else "warning",
            "cut off",
            code=int(code),
            reason=code.name,
            peer=self.relay.event_log.mark(self.peer.name if self.peer else ""),
        )
        self._transport.send(WSMsgType.BINARY, frames.error(code, sentence, channel, ref))
        self._transport.send_close(CLOSES.get(code, WSCloseCode.POLICY_VIOLATION), code.name.lower().encode())
        self._bury()
        # Read on, so that what is still coming does not make the system throw away the sentence just sent.
        self.release(self._held)
        self._later("grace", self.relay.limits.grace, self.abort)

    def abort(self) -> None:
        """End at once."""
        self._transport.disconnect(graceful=False)

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""
        return self._socket.get_write_buffer_size()

    def _check_buffer(self) -> None:
        if self._socket.get_write_buffer_size() > self.relay.limits.buffer:
            self.cut(
                Code.TOO_SLOW, "You do not read what you are sent. Connect again and go on from your cursor."
            )

    # Reading more slowly.

    def hold_more(self, size: int) -> None:
        """Note that it has taken so many bytes more to read into."""
        self.held += size
        self.relay.hold_more(self, size)

    def charge(self, size: int) -> None:
        """Count what the relay sends because of this connection, and read it more slowly where that is too much."""
        if size <= 0:  # who is alone in a room does not wait for what others at its address owe
            return
        peer = self.peer
        assert peer is not None
        owed = peer.owed + size
        if owed < TOGETHER:
            peer.owed = owed
            return
        peer.owed = 0
        wait = peer.out.take(owed, self.now)
        if wait and not self.dead and not self._held & RATE:
            self.hold(RATE)
            self._later("rest", wait, self._after_rest)

    def hold(self, why: int) -> None:
        """Stop reading for this reason."""
        if not self._held and not self.dead:
            self._socket.pause_reading()
        self._held |= why

    def release(self, why: int) -> None:
        """Go on reading, unless there is another reason not to."""
        held, self._held = self._held, self._held & ~why
        if held and not self._held and not self._socket.is_closing():
            self._socket.resume_reading()

    def _pace(self, size: int) -> bool:
        """Count what has come. Returns whether the connection goes on."""
        peer = self.peer
        assert peer is not None
        self.now = now = monotonic()
        too_often, too_much = peer.frames.take(1, now), peer.bytes.take(size, now)
        if too_often or too_much:
            if peer.frames.overdrawn or peer.bytes.overdrawn:
                self.cut(
                    Code.TOO_FAST, "You send faster than this relay takes. Connect again, and more slowly."
                )
                return False
            if not self._held & RATE:
                self.hold(RATE)
                self._later("rest", max(too_often, too_much), self._after_rest)
        return True

    def _after_rest(self) -> None:
        assert self.peer is not None
        now = monotonic()
        peer = self.peer
        wait = max(peer.frames.take(0, now), peer.bytes.take(0, now), peer.out.take(0, now), peer.turn - now)
        if wait > 0:
            self._later("rest", wait, self._after_rest)
        else:
            peer.turn = now + TURN_SECONDS
            self.release(RATE)

    # Frames.

    def _fragment(self, kind: WSMsgType, frame: WSFrame) -> None:
        if kind == WSMsgType.TEXT:
            self.cut(Code.BAD_FRAME, "Frames are binary messages; this was text.")
            return
        if (kind == WSMsgType.BINARY) != (self._fragments is None):
            self.cut(Code.BAD_FRAME, "The parts of a WebSocket message came in the wrong order.")
            return
        if self._fragments is None:
            self._fragments = bytearray()
        elif not frame.payload_size and not frame.fin:
            self.cut(Code.BAD_FRAME, "A WebSocket message was cut into empty parts.")
            return
        if len(self._fragments) + frame.payload_size > self.relay.limits.frame:
            self._too_large()
            return
        self._fragments += frame.get_payload_as_memoryview()
        self._arrival.unread += frame.payload_size
        if frame.fin:
            message, self._fragments = bytes(self._fragments), None
            self._arrival.unread = frame.tail_size
            self._message(message)

    def _too_large(self) -> None:
        limit = self.relay.limits.frame
        self.cut(Code.FRAME_TOO_LARGE, f"A frame has at most {limit} bytes here, as WELCOME says.")

    def _message(self, message: bytes) -> None:
        counts, size = self._counts, len(message)
        counts["frames_in_total"] += 1
        counts["bytes_in_total"] += size
        if size > self._most:
            self._too_large()
            return
        try:
            frame = frames.read(message)
        except BadFrame as error:
            self.cut(error.code, str(error))
            return
        if type(frame) is frames.Post and self.greeted:
            self.relay.post(self, frame)
        elif self.greeted == (type(frame) is frames.Hello):
            self.cut(Code.BAD_FRAME, "HELLO is the first frame, and comes once.")
        elif type(frame) is frames.Hello:
            self.greeted = True
            limits = self.relay.limits
            self.send(frames.welcome(limits.frame, limits.room, limits.retention, self.relay.clock_ms()))
        elif type(frame) is frames.Join:
            self.relay.join(self, frame)
        elif type(frame) is frames.Leave:
            self.relay.leave(self, frame.channel)
        elif type(frame) is frames.Snapshot:
            self.relay.snapshot(self, frame)
        elif type(frame) is frames.Cast:
            self.relay.cast(self, frame)
        elif type(frame) is frames.Ping:
            self.send(frames.pong(frame.ref))

    def _must_have_greeted(self) -> None:
        if not self.greeted:
            self.cut(Code.BAD_FRAME, "No HELLO came.")

    # What a member has not been given yet.

    def behind(self, member: Member) -> None:
        """Send a member what the disk has and it has not, as fast as it reads."""
        self._behind.append(member)
        self._pump()

    def _pump(self) -> None:
        """Send one piece from the disk, if nothing is in the way; one at a time for all rooms of this connection."""
        while self._behind and not self._reading and not self.slow and not self.dead:
            member = self._behind.popleft()
            if not member.here:
                continue
            if member.snapshot is None and member.sent == member.room.head:
                member.live = True
                self.send(frames.current(member.channel, member.sent))
                continue
            self._reading = True
            self._behind.append(member)  # at the end: its other rooms have their turn first
            self.relay.read_on(member, self._read)

    def _read(self, messages: bytes) -> None:
        if messages and not self.dead:
            self.write(messages)
            assert self.peer is not None
            wait = self.peer.out.take(len(messages), monotonic())
            if wait:
                self._later("read on", wait, self._read_on)
                return
        self._read_on()

    def _read_on(self) -> None:
        self._reading = False
        self._pump()

    # The end.

    def _bury(self) -> None:
        self.dead = True
        self._fragments = None
        self._behind.clear()
        self.relay.slow.pop(self, None)
        self.relay.leave_all(self)

    def _later(self, name: str, seconds: float, call: Callable[[], Any]) -> None:
        self._timers[name] = self.relay.loop.call_later(max(seconds, 0.001), call)
