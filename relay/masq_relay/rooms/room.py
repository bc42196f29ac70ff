"""A room and its members, and what of it waits for the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from masq_relay import frames
from masq_relay.disk import batches
from masq_relay.disk.records import Done, Incoming, Kept, PartWork, SnapshotKept, Work
from masq_relay.sockets.connection import Connection

BATCH_BYTES = 1 << 20
"""About what one room adds in one commit; so what one delivery adds to a connection's buffer is bounded too."""


class Member:
    """A connection in a room, under the channel that it chose.

    `sent`: number of the last envelope that it was given. `live`: gets envelopes as they come; else it is `sent` what
    the disk has until it is current. `acks`: its own posts in the part of the log that it has not been given yet.
    `catch_up`: has it sent what the disk has and it has not.
    """

    __slots__ = (
        "acks", "catch_up", "channel", "connection", "here", "live", "part", "room", "sent", "snapshot", "wire",
    )  # fmt: skip

    def __init__(
        self,
        connection: Connection,
        channel: int,
        room: Room,
        sent: int,
        catch_up: Callable[[Member], None],
    ) -> None:
        self.connection = connection
        self.channel = channel
        self.wire = frames.CHANNEL.pack(channel)
        self.room = room
        self.sent = sent
        self.live = False
        self.here = True
        self.snapshot: SnapshotKept | None = None
        self.part = 0
        self.acks: dict[int, int] = {}
        self.catch_up = catch_up


class Joining:
    """A channel whose room is being looked up."""


class Posted(NamedTuple):
    """A post: an envelope to keep and to pass on."""

    member: Member
    ref: int
    envelope: bytes


class Casting(NamedTuple):
    """An ephemeral broadcast: an envelope to pass on only. It waits its turn behind what was posted before it."""

    member: Member
    envelope: bytes


class Part(NamedTuple):
    """A part of a snapshot to keep."""

    member: Member
    ref: int
    work: PartWork


Entry = Posted | Casting | Part


class Room:
    """A room that somebody has joined, or is joining."""

    __slots__ = (
        "alone", "committing", "counted", "head", "id", "incoming", "key", "loaded", "made", "maker", "members",
        "queued", "snapshot", "token", "total", "trimmed", "uses", "waiting", "waiting_bytes", "writer",
    )  # fmt: skip

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.loaded = False
        self.token = b""
        self.id: int | None = None
        self.head = self.total = self.trimmed = 0
        self.snapshot: SnapshotKept | None = None
        self.members: dict[Member, None] = {}
        self.uses = 0
        """Joins under way."""
        self.waiting: list[Entry] = []
        self.waiting_bytes = 0
        """What waits counts for this much in the quota."""
        self.queued = 0
        """Bytes of all that waits, casts too."""
        self.committing = False
        self.incoming: Incoming | None = None
        self.writer: Member | None = None
        self.made: int | None = None
        """The relay's age when the room was first written, in milliseconds; None if it was not."""
        self.counted = False
        """Whether somebody's day has this room in it."""
        self.maker: bytes | None = None
        self.alone: bytes | None = None
        """A mark of the one address that was ever seen here; None once there was another, or a second week."""

    def load(self, kept: Kept | None, token: bytes) -> None:
        """Take over what the disk knows; a room that it does not know belongs to whoever joins it first."""
        self.loaded = True
        self.token = token
        if kept is not None:
            self.token, self.id, self.head, self.total = kept.token, kept.id, kept.head, kept.total
            self.trimmed, self.snapshot = kept.trimmed, kept.snapshot
            self.made, self.alone = kept.made, kept.alone

    @property
    def unused(self) -> bool:
        """Whether nothing in memory needs the room."""
        return not (self.members or self.uses or self.waiting or self.committing)

    def weight(self) -> int:
        """Return what the room keeps or is about to, in bytes, a snapshot under way left out."""
        snapshot = self.snapshot.bytes if self.snapshot else 0
        return self.total - self.trimmed + snapshot + self.waiting_bytes

    def add(self, entry: Entry, size: int, length: int) -> None:
        """Let an entry wait for the next commit. `size`: what it counts for; `length`: its envelope's bytes."""
        self.waiting.append(entry)
        self.waiting_bytes += size
        self.queued += length

    def begin_commit(self, age_ms: int) -> tuple[list[Entry], Work]:
        """Take what the next commit should have of this room. `age_ms`: the relay's age."""
        entries = self.waiting
        if self.queued > BATCH_BYTES:
            size = count = 0
            while count < len(entries) and size <= BATCH_BYTES:
                size += _length(entries[count])
                count += 1
            entries, self.waiting = entries[:count], entries[count:]
            self.queued -= size
        else:
            self.waiting = []
            self.queued = 0
        self.committing = True
        return entries, Work(
            self.key,
            self.token,
            self.id,
            self.head,
            self.total,
            [entry.envelope for entry in entries if type(entry) is Posted],
            [entry.work for entry in entries if type(entry) is Part],
            age_ms,
            self.maker,
            self.alone,
        )

    def end_commit(self, entries: list[Entry], done: Done, age_ms: int) -> None:
        """Take over what a commit changed. `age_ms`: the relay's age when it was handed over."""
        if self.id is None:
            self.made = age_ms
        self.id, self.total = done.id, done.total
        self.committing = False
        self.waiting_bytes -= _size(entries)
        if done.snapshot is not None:
            self.snapshot, self.trimmed = done.snapshot, done.trimmed
        incoming = self.incoming
        finished = done.snapshot is not None and incoming is not None and incoming.disk_id == done.snapshot.id
        if finished or (incoming is not None and incoming.refused):
            self.incoming = self.writer = None

    def fail_commit(self, entries: list[Entry]) -> None:
        """Forget what a failed commit was to change."""
        self.committing = False
        self.waiting_bytes -= _size(entries)
        if self.incoming is not None:
            self.incoming.refused = True
            self.incoming.disk_id = None
            self.incoming = self.writer = None

    def tell_others(self, but: Member) -> None:
        """Tell every member except one how many others there are now."""
        count = len(self.members) - 1
        for member in list(self.members):
            if member is not but:
                member.connection.send(frames.others(member.channel, count))


def _length(entry: Entry) -> int:
    return len(entry.work.envelope if isinstance(entry, Part) else entry.envelope)


def _size(entries: list[Entry]) -> int:
    return sum([len(entry.envelope) + batches.ENTRY for entry in entries if type(entry) is Posted])
