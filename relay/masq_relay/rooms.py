"""A room and its members: what waits for the disk, and who hears what once it is there.

Nobody is sent what could still be lost: an envelope goes out after the commit that keeps it, to all in one order.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from masq_relay import batches, frames
from masq_relay.disk import Done, Incoming, Kept, PartWork, SnapshotKept, Work
from masq_relay.frames import Code, Piece

if TYPE_CHECKING:
    from masq_relay.connection import Connection

BATCH_BYTES = 1 << 20
"""About what one room adds in one commit; so what one delivery adds to a connection's buffer is bounded too."""


class Member:
    """A connection in a room, under the channel that it chose.

    `sent`: number of the last envelope that it was given. `live`: gets envelopes as they come; else it is `sent` what
    the disk has until it is current. `acks`: its own posts in the part of the log that it has not been given yet.
    """

    __slots__ = ("acks", "channel", "connection", "here", "live", "part", "room", "sent", "snapshot", "wire")

    def __init__(self, connection: Connection, channel: int, room: Room, sent: int) -> None:
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


class Posted(NamedTuple):
    """An envelope to keep."""

    member: Member
    ref: int
    envelope: bytes


class Casting(NamedTuple):
    """An envelope to pass on only; it waits its turn behind what was posted before it."""

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
        "queued", "snapshot", "start", "token", "total", "trimmed", "uses", "waiting", "waiting_bytes", "writer",
    )  # fmt: skip

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.loaded = False
        self.token = b""
        self.id: int | None = None
        self.head = self.total = self.start = self.trimmed = 0
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
            self.start, self.trimmed, self.snapshot = kept.start, kept.trimmed, kept.snapshot
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

    def take(self, age_ms: int) -> tuple[list[Entry], Work]:
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
            self.start,
            [entry.envelope for entry in entries if type(entry) is Posted],
            [entry.work for entry in entries if type(entry) is Part],
            age_ms,
            self.maker,
            self.alone,
        )

    def settle(self, entries: list[Entry], done: Done, age_ms: int) -> None:
        """Take over what a commit changed. `age_ms`: the relay's age when it was handed over."""
        if self.id is None:
            self.made = age_ms
        self.id, self.total = done.id, done.total
        self.committing = False
        self.waiting_bytes -= _size(entries)
        if done.snapshot is not None:
            self.snapshot, self.start, self.trimmed = done.snapshot, done.snapshot.number, done.trimmed
        incoming = self.incoming
        finished = done.snapshot is not None and incoming is not None and incoming.disk_id == done.snapshot.id
        if finished or (incoming is not None and incoming.refused):
            self.incoming = self.writer = None

    def fail(self, entries: list[Entry]) -> None:
        """Forget what a failed commit was to change."""
        self.committing = False
        self.waiting_bytes -= _size(entries)
        if self.incoming is not None:
            self.incoming.refused = True
            self.incoming.disk_id = None
            self.incoming = self.writer = None

    def deliver(
        self, entries: list[Entry], now_ms: int, done: Done | None, refusal: Refusal | None = None
    ) -> tuple[int, int]:
        """Send these entries on, and their acknowledgements back. Returns (deliveries, bytes).

        `done` is None where nothing was kept: then posts and parts are refused by `refusal`, and casts go out all the
        same.
        """
        why, because = refusal or DISK_REFUSAL
        for_all: list[Piece | None] = []
        for_own: list[Piece | None] = []
        authors: defaultdict[Member, list[int]] = defaultdict(list)
        """Who said something, and which of the entries."""
        part = 0
        for index, entry in enumerate(entries):
            author = entry.member
            authors[author].append(index)
            if type(entry) is Posted:
                if done is None:
                    for_all.append(None)
                    for_own.append(frames.refused(why, because, entry.ref))
                    continue
                number = self.head = self.head + 1
                for_all.append(frames.envelope(number, now_ms, entry.envelope))
                for_own.append(frames.stored(entry.ref, number))
                if not author.live:
                    author.acks[number] = entry.ref
            elif type(entry) is Casting:
                for_all.append(frames.casted(entry.envelope))
                for_own.append(None)
            else:
                assert type(entry) is Part
                for_all.append(None)
                sentence = because if done is None else done.refused.get(part)
                part += 1
                code = why if done is None else Code.SNAPSHOT_REFUSED
                for_own.append(
                    frames.refused(code, sentence, entry.ref)
                    if sentence is not None
                    else frames.stored(entry.ref, entry.work.incoming.number)
                )
        shared = [piece for piece in for_all if piece is not None]
        between: list[bytes] = []  # where it is needed: often all who are here have said something
        deliveries = size = 0
        for member in list(self.members):
            if not member.live:
                self._to_absent(member, entries, for_all, for_own, done)
                continue
            if member.connection.slow:
                # From here on the disk is read as fast as the member reads; what is buffered does not grow.
                self._fall_behind(member, entries, for_all, for_own, done)
                continue
            if member in authors:
                own = for_all.copy()
                for index in authors[member]:
                    own[index] = for_own[index]
                pieces = [piece for piece in own if piece is not None]
                data = frames.whole(pieces, member.wire) if pieces else b""
                deliveries += len(pieces)
            else:
                if not between:
                    between = frames.seams(shared)
                data = member.wire.join(between) if shared else b""
                deliveries += len(shared)
            member.sent = self.head
            if data:
                size += len(data)
                member.connection.write(data)
        return deliveries, size

    def _fall_behind(
        self,
        member: Member,
        entries: list[Entry],
        for_all: list[Piece | None],
        for_own: list[Piece | None],
        done: Done | None,
    ) -> None:
        member.live = False
        member.connection.relay.metrics.counts["fell_behind_total"] += 1
        if done is not None:
            number = member.sent
            for entry in entries:
                if type(entry) is Posted:
                    number += 1
                    if entry.member is member:
                        member.acks[number] = entry.ref
        self._to_absent(member, entries, for_all, for_own, done)
        member.connection.behind(member)

    def _to_absent(
        self,
        member: Member,
        entries: list[Entry],
        for_all: list[Piece | None],
        for_own: list[Piece | None],
        done: Done | None,
    ) -> None:
        """Send a member that reads the disk what it will not find there: others' casts, and answers to its parts."""
        pieces: list[Piece] = []
        for entry, mine, theirs in zip(entries, for_own, for_all, strict=True):
            if entry.member is member:
                if mine is not None and (type(entry) is Part or done is None):
                    pieces.append(mine)
            elif type(entry) is Casting and theirs is not None:
                if member.connection.slow:
                    member.connection.relay.metrics.counts["casts_dropped_total"] += 1
                else:
                    pieces.append(theirs)
        if pieces:
            member.connection.write(frames.whole(pieces, member.wire))

    def tell_others(self, but: Member) -> None:
        """Tell every member except one how many others there are now."""
        count = len(self.members) - 1
        for member in list(self.members):
            if member is not but:
                member.connection.send(frames.others(member.channel, count))


Refusal = tuple[Code, str]
"""Why something was not kept, as a code and as a sentence."""

DISK_REFUSAL: Refusal = (Code.DISK_FAILED, "The relay's disk failed; nothing was kept. Try again later.")


def _length(entry: Entry) -> int:
    return len(entry.work.envelope if isinstance(entry, Part) else entry.envelope)


def _size(entries: list[Entry]) -> int:
    return sum([len(entry.envelope) + batches.ENTRY for entry in entries if type(entry) is Posted])
