"""Rooms and who is in them: who may join, and what becomes of what its members say."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from functools import partial

from masq_relay import frames
from masq_relay.disk import batches
from masq_relay.disk.access import DiskAccess
from masq_relay.disk.age import WEEK_MS, Age
from masq_relay.disk.records import Kept, PartWork
from masq_relay.frames import Code
from masq_relay.limits import DELIVERY, Limits
from masq_relay.metrics import Metrics
from masq_relay.rooms.client import Client
from masq_relay.rooms.committer import Committer
from masq_relay.rooms.day_quota import DayQuota
from masq_relay.rooms.delivery import deliver
from masq_relay.rooms.disk_space import DiskSpace
from masq_relay.rooms.incoming_snapshots import IncomingSnapshots
from masq_relay.rooms.open_rooms import OpenRooms
from masq_relay.rooms.room import Casting, Joining, Member, Part, Posted, Room
from masq_relay.sockets.connection import Connection
from masq_relay.sockets.peers import Peer

MOST_ACKS = 4096
"""Acknowledgements that may wait for a member which posts while it does not read."""

new_entry = tuple.__new__
"""Makes a NamedTuple in half the time."""


@dataclass(eq=False)
class Hub:
    """Rooms by id: lets clients join, and takes what members post, snapshot and cast."""

    access: DiskAccess
    rooms: OpenRooms
    committer: Committer
    space: DiskSpace
    day_quota: DayQuota
    snapshots: IncomingSnapshots
    age: Age
    limits: Limits
    metrics: Metrics
    _key: bytes = field(default_factory=partial(secrets.token_bytes, 16))

    # Joining and leaving.

    def join(self, client: Client, join: frames.Join) -> None:
        """Look the room up, then let the client in or say why not."""
        channel, connection = join.channel, client.connection
        assert connection.peer is not None
        if channel in client.channels:
            connection.cut(Code.BAD_FRAME, "A room is joined on this channel already.", channel)
            return
        if connection.peer.rooms >= self.limits.peer_rooms:
            sentence = (
                f"Your address has joined {self.limits.peer_rooms} rooms already; this relay allows no more."
            )
            connection.refuse(Code.TOO_MANY_ROOMS, sentence, channel)
            return
        by_key = self.rooms.by_key
        room = by_key.get(join.room)
        if room is None:
            if len(by_key) >= self.limits.rooms:
                sentence = "This relay has all the rooms open that it takes."
                connection.refuse(Code.TOO_MANY_ROOMS, sentence, channel)
                return
            room = by_key[join.room] = Room(join.room)
        room.uses += 1
        connection.peer.rooms += 1
        client.channels[channel] = place = Joining()
        job = partial(self.access.reading.find, join.room, join.number, join.tag)
        then = partial(self._found, client, room, join, place)
        self.rooms.unless_forgotten(join.room, partial(self.access.read.do, job, then))

    def _found(
        self,
        client: Client,
        room: Room,
        join: frames.Join,
        place: Joining,
        result: tuple[Kept | None, bool] | None,
        failure: Exception | None,
    ) -> None:
        room.uses -= 1
        refusal = None
        if result is None:
            self.access.failed("looking up a room", failure)
            refusal = (Code.DISK_FAILED, "The relay's disk failed. Try again later.")
        if client.channels.get(join.channel) is place:  # else the client has left before it was in
            if result is not None:
                refusal = self._let_in(client, room, join, *result)
            if refusal is not None:
                del client.channels[join.channel]
                assert client.connection.peer is not None
                client.connection.peer.rooms -= 1
                client.connection.refuse(*refusal, join.channel)
        self.rooms.drop_unused(room)

    def _let_in(
        self, client: Client, room: Room, join: frames.Join, kept: Kept | None, known: bool
    ) -> tuple[Code, str] | None:
        """Make the client a member, or return why not, with nothing sent to it yet.

        `known`: whether the room's log has where it reads from.
        """
        token = hashlib.sha256(join.token).digest()
        self.rooms.load(room, kept, token)
        if not hmac.compare_digest(room.token, token):
            return Code.WRONG_TOKEN, "This is not the token that the room was made with."
        connection = client.connection
        refusal = self._too_many(room, connection)
        if refusal is not None:
            return refusal
        assert connection.peer is not None
        self._note_address(room, connection.peer, join.token)
        member = Member(connection, join.channel, room, join.number if known else 0, client.catch_up)
        room.members[member] = None
        client.channels[join.channel] = member
        connection.send(frames.joined(join.channel, room.head, len(room.members) - 1, not known))
        connection.charge((len(room.members) - 1) * DELIVERY)
        room.tell_others(member)
        client.catch_up(member)
        return None

    def _too_many(self, room: Room, connection: Connection) -> tuple[Code, str] | None:
        """Return why a room has no place for one member more, on this connection; or None."""
        if len(room.members) >= self.limits.members:
            return Code.TOO_MANY_CONNECTIONS, f"The room has {self.limits.members} members already."
        peer = connection.peer
        if sum(member.connection.peer is peer for member in room.members) >= self.limits.peer_members:
            sentence = f"Your address has {self.limits.peer_members} connections in this room already."
            return Code.TOO_MANY_CONNECTIONS, sentence
        if any(member.connection is connection for member in room.members):
            return Code.BAD_FRAME, "This connection has joined the room on another channel."
        return None

    def _note_address(self, room: Room, peer: Peer, token: bytes) -> None:
        """Note who makes a room, and that a second address is in it, or one in a second week.

        What the disk has of it tells an address to nobody who lacks the room's token, or this run's key.
        """
        name = peer.name.encode()
        mark = hashlib.blake2s(name, key=token, digest_size=8).digest()
        if room.id is None and room.maker is None:
            room.alone = mark
            room.maker = hashlib.blake2s(name, key=self._key, digest_size=8).digest()
        elif room.alone is not None:
            second_week = room.made is not None and self.age.ms - room.made >= WEEK_MS
            if room.alone != mark or second_week:
                room.alone = None
                self.rooms.note_shared(room)

    def leave(self, client: Client, channel: int) -> None:
        """Leave one room."""
        place = client.channels.pop(channel, None)
        if place is None:
            sentence = "No room is joined on this channel."
            client.connection.refuse(Code.NOT_JOINED, sentence, channel)
            return
        assert client.connection.peer is not None
        client.connection.peer.rooms -= 1
        if isinstance(place, Member):
            self._left(place)

    def leave_all(self, client: Client) -> None:
        """Leave every room."""
        places, client.channels = client.channels, {}
        if client.connection.peer is not None:
            client.connection.peer.rooms -= len(places)
        for place in places.values():
            if isinstance(place, Member):
                self._left(place)

    def _left(self, member: Member) -> None:
        member.here = False
        room = member.room
        del room.members[member]
        if room.writer is member:
            self.snapshots.give_up(room)
        if room.members:
            member.connection.charge(len(room.members) * DELIVERY)
            room.tell_others(member)
        else:
            if room.id is not None:
                self.rooms.note_use([room.id])
            self.rooms.drop_unused(room)

    # What members say.

    def post(self, client: Client, post: frames.Post) -> None:
        """Let an envelope wait for the next commit."""
        channel, ref, envelope = post
        member = client.channels.get(channel)
        if type(member) is not Member:
            self._not_joined(client, channel, ref)
            return
        room, connection = member.room, member.connection
        length = len(envelope)
        size = length + batches.ENTRY
        weight = room.weight() + size
        if not self.space.has_place(member, weight, size, ref):
            return
        if len(member.acks) >= MOST_ACKS:
            sentence = "You post without reading. Read on until CURRENT first."
            connection.refuse(Code.TOO_FAST, sentence, channel, ref)
            return
        if not self.day_quota.charge(member, weight, size, ref):
            return
        connection.charge((len(room.members) - 1) * (size + DELIVERY))
        self.committer.add(new_entry(Posted, (member, ref, envelope)), size, length, size)

    def cast(self, client: Client, cast: frames.Cast) -> None:
        """Pass an envelope on, after what waits for the disk before it."""
        member = self._member(client, cast.channel, 0)
        if member is None:
            return
        room, length = member.room, len(cast.envelope)
        member.connection.charge((len(room.members) - 1) * (length + DELIVERY))
        entry = Casting(member, cast.envelope)
        if room.waiting or room.committing:
            self.committer.add(entry, 0, length, length)
        else:
            self.metrics.delivered(*deliver(room, [entry], 0, None))

    def snapshot(self, client: Client, snapshot: frames.Snapshot) -> None:
        """Let a part of a snapshot wait for the next commit."""
        member = self._member(client, snapshot.channel, snapshot.ref)
        if member is None:
            return
        room, length = member.room, len(snapshot.envelope)
        size = length + batches.ENTRY
        refusal = self.snapshots.refusal(room, member, snapshot)
        if refusal is not None:
            member.connection.refuse(Code.SNAPSHOT_REFUSED, refusal, snapshot.channel, snapshot.ref)
            return
        incoming = room.incoming
        assert incoming is not None
        # A snapshot makes room: it may be as large as a room by itself, whatever the log holds.
        # And what it puts in the place of the log counts for nobody's day.
        weight = incoming.bytes + size
        if not self.space.has_place(member, weight, size, snapshot.ref, snapshot=True) or (
            weight > room.weight() and not self.day_quota.charge(member, weight, size, snapshot.ref)
        ):
            self.snapshots.give_up(room)
            return
        self.snapshots.count(incoming, size)
        part = PartWork(incoming, snapshot.part, snapshot.envelope)
        self.committer.add(Part(member, snapshot.ref, part), 0, length, size)

    def _member(self, client: Client, channel: int, ref: int) -> Member | None:
        """Return who speaks on a channel; None, and an error to the sender, where no room was joined on it."""
        member = client.channels.get(channel)
        if type(member) is Member:
            return member
        self._not_joined(client, channel, ref)
        return None

    def _not_joined(self, client: Client, channel: int, ref: int) -> None:
        waiting = "Wait for JOINED." if channel in client.channels else "No room is joined on this channel."
        client.connection.refuse(Code.NOT_JOINED, waiting, channel, ref)
