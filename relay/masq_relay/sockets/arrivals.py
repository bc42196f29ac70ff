"""Sockets from the moment they are accepted: counted for their peer before they have said anything, and bounded."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiofastnet
from picows import WSAutoPingStrategy, WSUpgradeRequest
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from masq_relay.event_log import EventLog
from masq_relay.limits import Limits
from masq_relay.metrics import Metrics
from masq_relay.sockets.peers import Peer, Peers

SLACK = 64 * 1024
"""A frame too large by less than this gets an ERROR; one that is larger is not even read."""

PING_SECONDS = 30.0
"""The heartbeat, in seconds: an idle connection is pinged; browsers answer by themselves."""

BUFFER_BYTES = 16 * 1024
"""What a connection begins to read into. picows doubles it when a frame is larger, and never makes it smaller."""

READ_BYTES = 8 * 1024
"""What is read at once. picows hands over all frames of a read, also to a connection that was told to pause, and takes
twice as much the next time where a read has filled its buffer: small frames would come ten thousands at a time."""

UNCOUNTED_BYTES = 2 * BUFFER_BYTES
"""What every connection may hold without being counted, so that small frames cost no counting."""

BACKLOG = 1024
RETRY_SECONDS = 1.0
"""Seconds until the next try where the system gives no more sockets."""

Answer = Callable[["Arrival", WSUpgradeRequest], Any]

_LOG = logging.Logger("masq_relay.picows", logging.CRITICAL)
"""picows names addresses in its own log; ours has marks instead."""


class Arrival(WSProtocol):  # type: ignore[misc]
    """One accepted socket, and picows's protocol on it. `address`: of the other end, a proxy's where there is one."""

    def __init__(self, arrivals: Arrivals, answer: Answer, address: str, peer: Peer | None) -> None:
        limits = arrivals.limits
        super().__init__(
            None,
            None,
            False,
            lambda request: answer(self, request),
            _LOG,
            True,  # an exception in what reads frames ends the connection
            limits.hello,
            True,
            PING_SECONDS,
            PING_SECONDS,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # a flood of pings would be answered into memory
            limits.frame + SLACK,
            None,
            BUFFER_BYTES,
        )
        self.address = address
        self.peer = peer
        self.unread = 0
        """Bytes that have come and are in no whole frame yet."""
        self.most_unread = UNCOUNTED_BYTES
        self._hold_more: Callable[[int], None] | None = None
        self._arrivals = arrivals

    def connected(self, hold_more: Callable[[int], None]) -> None:
        """Note that it has become a connection. `hold_more`: told how many bytes more are held to read into."""
        self._arrivals.arrived(self)
        self._hold_more = hold_more

    def disconnected(self) -> None:
        """Note that it is a connection no more."""
        self._hold_more = None

    def get_buffer(self, size_hint: int) -> Any:
        """Return where to read to: a little at a time."""
        return super().get_buffer(size_hint)[:READ_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """Count what has come, and let picows read it; on_ws_frame says what is left over."""
        self.unread += nbytes
        super().buffer_updated(nbytes)
        if self.unread > self.most_unread and self._hold_more is not None:
            self._hold_more(self.unread - self.most_unread)
            self.most_unread = self.unread

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._arrivals.ended(self)


class Arrivals:
    """Takes sockets in from those that listen.

    Who has more sockets than allowed that have not become connections loses the oldest of them: they have had the most
    time. Where there are too many of all peers together, the oldest goes of the peer that has most of them.
    """

    def __init__(
        self,
        peers: Peers,
        limits: Limits,
        metrics: Metrics,
        event_log: EventLog,
        *,
        tls: ssl.SSLContext | None,
        behind_proxy: bool,
    ) -> None:
        self.limits = limits
        self._peers = peers
        self._metrics = metrics
        self._event_log = event_log
        self._tls = tls
        self._behind_proxy = behind_proxy
        self._loop = asyncio.get_running_loop()
        self._sockets: dict[Arrival, socket.socket] = {}
        self._arriving: dict[Arrival, None] = {}
        """Those that are no connection yet, the oldest first."""
        self._starting: set[asyncio.Task[None]] = set()
        self._listening: list[tuple[socket.socket, asyncio.Task[None]]] = []

    def listen(self, listener: socket.socket, answer: Answer, *, plain: bool = False) -> None:
        """Take in who comes at this socket. `plain`: without TLS, whatever the others have."""
        task = self._loop.create_task(self._accept(listener, answer, None if plain else self._tls))
        self._listening.append((listener, task))

    def close(self) -> None:
        """Take nobody in any more."""
        for listener, task in self._listening:
            task.cancel()
            self._loop.call_soon(listener.close)  # after accept() has let go of it

    def arrived(self, arrival: Arrival) -> None:
        """Note that a socket has become a connection."""
        was_arriving = self._arriving.pop(arrival, self) is None
        if was_arriving and arrival.peer is not None:
            arrival.peer.arriving -= 1

    def ended(self, arrival: Arrival) -> None:
        """Forget a socket."""
        self.arrived(arrival)
        self._sockets.pop(arrival, None)

    @property
    def count(self) -> int:
        """Sockets that have not become connections."""
        return len(self._arriving)

    async def _accept(self, listener: socket.socket, answer: Answer, tls: ssl.SSLContext | None) -> None:
        while True:
            try:
                taken, address = await self._loop.sock_accept(listener)
            except ConnectionAbortedError:
                continue
            except OSError as error:
                # Out of files, mostly. Those who wait are still there when some have gone.
                reason = errno.errorcode.get(error.errno or 0, "?")
                self._metrics.counts["accepts_failed_total"] += 1
                self._event_log.write("error", "no more sockets", reason=reason)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._take_in(taken, str(address[0]), answer, tls)

    def _take_in(
        self, taken: socket.socket, address: str, answer: Answer, tls: ssl.SSLContext | None
    ) -> None:
        limits = self.limits
        peer = None if self._behind_proxy else self._peers.find(address, time.monotonic())
        if peer is not None:
            if peer.connections >= limits.peer_connections + limits.peer_arriving:
                taken.close()  # it was told so already, and has not even read it
                return
            if peer.arriving >= limits.peer_arriving:
                self._turn_away(self._oldest_of(peer))
        if (
            len(self._sockets) >= limits.connections + limits.arriving
            or len(self._arriving) >= limits.arriving
        ):
            if not self._arriving:
                taken.close()
                return
            self._turn_away(self._first_to_go())
        arrival = Arrival(self, answer, address, peer)
        self._sockets[arrival] = taken
        self._arriving[arrival] = None
        if peer is not None:
            peer.arriving += 1
        task = self._loop.create_task(self._start(arrival, taken, tls))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _start(self, arrival: Arrival, taken: socket.socket, tls: ssl.SSLContext | None) -> None:
        seconds = self.limits.hello if tls is not None else None
        try:
            await aiofastnet.connect_accepted_socket(
                self._loop,
                lambda: arrival,
                taken,
                ssl=tls,
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=seconds,
            )
        except (OSError, ssl.SSLError, asyncio.CancelledError):
            taken.close()
            self.ended(arrival)

    def _first_to_go(self) -> Arrival:
        """Return the oldest socket of the peer that has most; behind a proxy, which is one peer, of all."""
        peers = [each.peer for each in self._arriving if each.peer is not None]
        most = max(peers, key=lambda peer: peer.arriving, default=None)
        return next(iter(self._arriving)) if most is None else self._oldest_of(most)

    def _oldest_of(self, peer: Peer) -> Arrival:
        return next(each for each in self._arriving if each.peer is peer)

    def _turn_away(self, arrival: Arrival) -> None:
        self._metrics.counts["turned_away_total"] += 1
        self.arrived(arrival)
        with suppress(OSError):
            self._sockets[arrival].shutdown(
                socket.SHUT_RDWR
            )  # what reads it finds its end, in whatever state
