"""The protocol of one client, frame by frame: the handshake (HELLO) first, then what the hub is for."""

from __future__ import annotations

from collections.abc import Callable

from masq_relay import frames
from masq_relay.frames import BadFrame, Code
from masq_relay.limits import Limits
from masq_relay.rooms.client import Client
from masq_relay.rooms.hub import Hub
from masq_relay.rooms.replay import Replay
from masq_relay.sockets.connection import Connection


class ClientSession:
    """Serves one connection. `clock_ms`: the time that it is told, in milliseconds since 1970."""

    def __init__(
        self, connection: Connection, hub: Hub, replay: Replay, limits: Limits, clock_ms: Callable[[], int]
    ) -> None:
        self._connection = connection
        self._hub = hub
        self._client = Client(connection, replay)
        self._limits = limits
        self._clock_ms = clock_ms
        self._counts = connection.counts
        self._most = limits.frame

    def received(self, message: bytes) -> None:
        """Read a frame."""
        counts, size = self._counts, len(message)
        counts["frames_in_total"] += 1
        counts["bytes_in_total"] += size
        connection = self._connection
        if size > self._most:
            connection.too_large()
            return
        try:
            frame = frames.read(message)
        except BadFrame as error:
            connection.cut(error.code, str(error))
            return
        if type(frame) is frames.Post and connection.greeted:
            self._hub.post(self._client, frame)
        elif connection.greeted == (type(frame) is frames.Hello):
            connection.cut(Code.BAD_FRAME, "HELLO is the first frame, and comes once.")
        elif type(frame) is frames.Hello:
            self._greet()
        elif type(frame) is frames.Join:
            self._hub.join(self._client, frame)
        elif type(frame) is frames.Leave:
            self._hub.leave(self._client, frame.channel)
        elif type(frame) is frames.Snapshot:
            self._hub.snapshot(self._client, frame)
        elif type(frame) is frames.Cast:
            self._hub.cast(self._client, frame)
        elif type(frame) is frames.Ping:
            connection.send(frames.pong(frame.ref))

    def _greet(self) -> None:
        self._connection.greeted = True
        limits = self._limits
        self._connection.send(frames.welcome(limits.frame, limits.room, limits.retention, self._clock_ms()))

    def writable(self) -> None:
        """Go on with what the client has not been sent."""
        self._client.send_on()

    def closed(self) -> None:
        """Leave all rooms."""
        self._client.forget()
        self._hub.leave_all(self._client)
