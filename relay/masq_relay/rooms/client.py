"""A client's rooms: those that it has joined, and what of them it has not been given yet."""

from __future__ import annotations

from collections import deque
from time import monotonic

from masq_relay import frames
from masq_relay.rooms.replay import Replay
from masq_relay.rooms.room import Joining, Member
from masq_relay.sockets.connection import Connection


class Client:
    """The rooms of a connection, by the channels that it chose.

    What members are behind is read from the disk one piece at a time for all of them, as fast as the client reads.
    """

    def __init__(self, connection: Connection, replay: Replay) -> None:
        self.connection = connection
        self.channels: dict[int, Member | Joining] = {}
        self._replay = replay
        self._behind: deque[Member] = deque()
        self._reading = False

    def catch_up(self, member: Member) -> None:
        """Send a member what the disk has and it has not."""
        self._behind.append(member)
        self.send_on()

    def forget(self) -> None:
        """Send nothing more: the connection ends."""
        self._behind.clear()

    def send_on(self) -> None:
        """Send one piece from the disk, if nothing is in the way."""
        connection = self.connection
        while self._behind and not self._reading and not connection.slow and not connection.dead:
            member = self._behind.popleft()
            if not member.here:
                continue
            if member.snapshot is None and member.sent == member.room.head:
                member.live = True
                connection.send(frames.current(member.channel, member.sent))
                continue
            self._reading = True
            self._behind.append(member)  # at the end: its other rooms have their turn first
            self._replay.read_on(member, self._read)

    def _read(self, messages: bytes) -> None:
        connection = self.connection
        if messages and not connection.dead:
            connection.write(messages)
            assert connection.peer is not None
            wait = connection.peer.out.take(len(messages), monotonic())
            if wait:
                connection.later("read on", wait, self._read_on)
                return
        self._read_on()

    def _read_on(self) -> None:
        self._reading = False
        self.send_on()
