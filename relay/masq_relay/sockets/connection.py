"""Clients' sockets, with rate limits and back-pressure: how fast each is read, how much may wait to be sent to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from masq_relay import frames
from masq_relay.event_log import EventLog
from masq_relay.frames import Code
from masq_relay.limits import Limits
from masq_relay.metrics import Metrics
from masq_relay.sockets.arrivals import Arrival
from masq_relay.sockets.peers import Peer, Peers

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


STOPPING = (Code.STOPPING, "This relay is stopping. Connect again in a moment.")


class Session(Protocol):
    """The receiver of a connection's events: messages, room to send more, the end."""

    def received(self, message: bytes) -> None:
        """Read a whole message."""

    def writable(self) -> None:
        """Go on with what has not been sent: the other side has read what waited."""

    def closed(self) -> None:
        """End: nothing more comes, and nothing more is sent."""


class Connection(WSListener):
    """One client's connection, on the socket that arrived. `address`: the client's, by a proxy's word where one is."""

    def __init__(self, connections: Connections, arrival: Arrival, address: str) -> None:
        self.counts = connections.metrics.counts
        self.held = 0
        """Bytes that it has taken to read into, beyond what each may."""
        self.unsaved = 0
        """Bytes that it has posted and that are not on disk yet; the committer counts them."""
        self.slow = False
        self.slow_since = 0.0
        self.dead = False
        self.greeted = False
        self.peer: Peer | None = None
        self.now = 0.0
        """When it last sent something, in seconds of the monotonic clock."""
        self._connections = connections
        self._arrival = arrival
        self._address = address
        self._paused = 0
        self._fragments: bytearray | None = None
        self._timers: dict[str, asyncio.Handle] = {}

    def serve(self, session: Session) -> None:
        """Hand to a session what comes from here on."""
        self._received = session.received
        self._writable = session.writable
        self._closed = session.closed

    # From the socket.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport
        self._socket: asyncio.Transport = transport.underlying_transport
        self._socket.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        self.peer = self._connections.peers.find(self._address, monotonic())
        self._arrival.connected(self.hold_more)
        self._connections.add(self)
        self.later("hello", self._connections.limits.hello, self._must_have_greeted)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Read a WebSocket frame; browsers cut large messages into several."""
        kind = frame.msg_type
        fragments = self._fragments
        self._arrival.unread = frame.tail_size if fragments is None else frame.tail_size + len(fragments)
        if kind == BINARY and fragments is None and frame.fin and not self.dead:
            if self._pace(frame.payload_size):
                self._received(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            if not self.dead:  # what it does not read any more must not keep the socket open
                self._end()
                self.later("grace", self._connections.limits.grace, self.abort)
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
        self._end()
        self._connections.remove(self)
        self._arrival.disconnected()

    def pause_writing(self) -> None:
        """Note that the other side reads more slowly than it is sent to."""
        self.slow = True
        self.slow_since = monotonic()
        self._connections.add_slow(self)

    def resume_writing(self) -> None:
        """Go on with what it has not been sent."""
        self.slow = False
        self._connections.slow.pop(self, None)
        self._writable()

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
        self._connections.metrics.errors[code] += 1
        self.send(frames.error(code, sentence, channel, ref))

    def cut(self, code: Code, sentence: str, channel: int = frames.CONNECTION, ref: int = 0) -> None:
        """Send an ERROR and end the connection."""
        if self.dead:
            return
        self._connections.metrics.errors[code] += 1
        self._connections.event_log.write(
            "debug" if code == Code.STOPPING else "warning",
            "cut off",
            code=int(code),
            reason=code.name,
            peer=self._connections.event_log.mark(self.peer.name if self.peer else ""),
        )
        self._transport.send(WSMsgType.BINARY, frames.error(code, sentence, channel, ref))
        self._transport.send_close(CLOSES.get(code, WSCloseCode.POLICY_VIOLATION), code.name.lower().encode())
        self._end()
        # Read on, so that what is still coming does not make the system throw away the sentence just sent.
        self.resume_reading(self._paused)
        self.later("grace", self._connections.limits.grace, self.abort)

    def abort(self) -> None:
        """End at once."""
        self._transport.disconnect(graceful=False)

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""
        return self._socket.get_write_buffer_size()

    def _check_buffer(self) -> None:
        if self._socket.get_write_buffer_size() > self._connections.limits.buffer:
            self.cut(
                Code.TOO_SLOW, "You do not read what you are sent. Connect again and go on from your cursor."
            )

    # Reading more slowly.

    def hold_more(self, size: int) -> None:
        """Note that it has taken so many bytes more to read into."""
        self.held += size
        self._connections.hold_more(self, size)

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
        if wait and not self.dead and not self._paused & RATE:
            self.pause_reading(RATE)
            self.later("rest", wait, self._after_rest)

    def pause_reading(self, why: int) -> None:
        """Stop reading for this reason; TCP passes the back-pressure on to the client."""
        if not self._paused and not self.dead:
            self._socket.pause_reading()
        self._paused |= why

    def resume_reading(self, why: int) -> None:
        """Go on reading, unless there is another reason not to."""
        held, self._paused = self._paused, self._paused & ~why
        if held and not self._paused and not self._socket.is_closing():
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
            if not self._paused & RATE:
                self.pause_reading(RATE)
                self.later("rest", max(too_often, too_much), self._after_rest)
        return True

    def _after_rest(self) -> None:
        assert self.peer is not None
        now = monotonic()
        peer = self.peer
        wait = max(peer.frames.take(0, now), peer.bytes.take(0, now), peer.out.take(0, now), peer.turn - now)
        if wait > 0:
            self.later("rest", wait, self._after_rest)
        else:
            peer.turn = now + TURN_SECONDS
            self.resume_reading(RATE)

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
        if len(self._fragments) + frame.payload_size > self._connections.limits.frame:
            self.too_large()
            return
        self._fragments += frame.get_payload_as_memoryview()
        self._arrival.unread += frame.payload_size
        if frame.fin:
            message, self._fragments = bytes(self._fragments), None
            self._arrival.unread = frame.tail_size
            self._received(message)

    def too_large(self) -> None:
        """End the connection because a frame is larger than any may be."""
        limit = self._connections.limits.frame
        self.cut(Code.FRAME_TOO_LARGE, f"A frame has at most {limit} bytes here, as WELCOME says.")

    def _must_have_greeted(self) -> None:
        if not self.greeted:
            self.cut(Code.BAD_FRAME, "No HELLO came.")

    # The end.

    def _end(self) -> None:
        self.dead = True
        self._fragments = None
        self._connections.slow.pop(self, None)
        self._closed()

    def later(self, name: str, seconds: float, call: Callable[[], Any]) -> None:
        """Call something in so many seconds, unless the connection has ended; one call for each name."""
        self._timers[name] = self._connections.loop.call_later(max(seconds, 0.001), call)


class Connections:
    """The table of all connections: how many there may be, and how much memory they may take together.

    `slow`: those that do not read what waits for them. `held`: bytes that all have taken to read into.
    """

    def __init__(self, peers: Peers, limits: Limits, metrics: Metrics, event_log: EventLog) -> None:
        self.peers = peers
        self.limits = limits
        self.metrics = metrics
        self.event_log = event_log
        self.loop = asyncio.get_running_loop()
        self.slow: dict[Connection, None] = {}
        self.held = 0
        self.stopping = False
        self._all: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._all)

    @property
    def waiting(self) -> int:
        """Bytes that wait for those that read too slowly."""
        return sum(each.buffered for each in self.slow)

    def add(self, connection: Connection) -> None:
        """Take a connection in, or send it away."""
        assert connection.peer is not None
        self._all[connection] = None
        connection.peer.connections += 1
        self.metrics.counts["connections_total"] += 1
        limits = self.limits
        if self.stopping:
            connection.cut(*STOPPING)
        elif len(self._all) > limits.connections:
            connection.cut(Code.TOO_MANY_CONNECTIONS, "This relay has all the connections that it takes.")
        elif connection.peer.connections > limits.peer_connections:
            connection.cut(
                Code.TOO_MANY_CONNECTIONS,
                f"Your address has {limits.peer_connections} connections already; this relay takes no more of one.",
            )

    def remove(self, connection: Connection) -> None:
        """Forget a connection."""
        if self._all.pop(connection, self) is self:
            return
        assert connection.peer is not None
        connection.peer.connections -= 1
        connection.peer.held -= connection.held
        self.held -= connection.held

    def add_slow(self, connection: Connection) -> None:
        """Note a slow reader; cut it off where all of them together make too much wait."""
        self.slow[connection] = None
        if self.waiting > self.limits.buffers:
            connection.cut(
                Code.TOO_SLOW, "This relay holds too much for slow readers. Connect again and go on."
            )

    def cut_stalled(self, now: float) -> None:
        """Cut off who has stopped reading. `now`: seconds of the monotonic clock."""
        for connection in list(self.slow):
            if now - connection.slow_since >= self.limits.stalled:
                connection.cut(Code.TOO_SLOW, "You do not read what you are sent. Connect again and go on.")

    def hold_more(self, connection: Connection, size: int) -> None:
        """Count what a connection has taken to read into; where that is too much, end the one that has taken most.

        Of a peer that has too much, or of the one that has most where all together have.
        """
        assert connection.peer is not None
        connection.peer.held += size
        self.held += size
        if connection.peer.held > self.limits.peer_held:
            self._end_largest(connection.peer)
        elif self.held > self.limits.held:
            self._end_largest(self.peers.most_held())

    def _end_largest(self, peer: Peer) -> None:
        own = [each for each in self._all if each.peer is peer and each.held and not each.dead]
        if own:
            largest = max(own, key=lambda each: each.held)
            sentence = (
                "There are too many large frames on the way from your address. Connect again and go on."
            )
            largest.cut(Code.TOO_FAST, sentence)
            largest.abort()  # its memory is what counts

    def pause_all(self) -> None:
        """Read no more from anybody: the relay is stopping."""
        for connection in list(self._all):
            connection.pause_reading(STOP)

    async def end_all(self) -> None:
        """Say to all that the relay is stopping, and end them once they have read it, or after a while."""
        for connection in list(self._all):
            connection.cut(*STOPPING)
        until = self.loop.time() + self.limits.grace
        while self._all and self.loop.time() < until:
            await asyncio.sleep(0.02)
        for connection in list(self._all):
            connection.abort()
