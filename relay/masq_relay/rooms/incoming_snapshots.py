"""Snapshots that are being written, part by part: one at a time in a room, by one member."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from masq_relay.disk.access import DiskAccess
from masq_relay.disk.records import Incoming
from masq_relay.frames import Snapshot
from masq_relay.limits import Limits
from masq_relay.rooms.room import Member, Room


@dataclass(eq=False)
class IncomingSnapshots:
    """Says which part may come next, in any room. `elapsed`: seconds since any moment, by a clock that nobody sets."""

    access: DiskAccess
    limits: Limits
    elapsed: Callable[[], float]

    def refusal(self, room: Room, member: Member, part: Snapshot) -> str | None:
        """Return why a part cannot come now, or None; then it is one of `room.incoming`."""
        return (self._begin if part.part == 0 else self._go_on)(room, member, part)

    def count(self, incoming: Incoming, size: int) -> None:
        """Note that a part is to be kept. `size`: what it counts for, in bytes."""
        incoming.next += 1
        incoming.bytes += size
        if incoming.next > incoming.furthest:
            incoming.touched, incoming.furthest = self.elapsed(), incoming.next

    def give_up(self, room: Room) -> None:
        """Forget a snapshot under way; what the disk has of it goes after the commits before it."""
        incoming, room.incoming, room.writer = room.incoming, None, None
        if incoming is not None:
            drop = partial(self.access.disk.drop_incoming, incoming)
            self.access.note("forgetting a snapshot", partial(_refuse_then, incoming, drop))

    def _begin(self, room: Room, member: Member, part: Snapshot) -> str | None:
        going, now = room.incoming, self.elapsed()
        if (
            going is not None
            and room.writer is not member
            and now - going.touched < self.limits.snapshot
            and now - going.since < self.limits.snapshot_whole
        ):
            return "Somebody else is writing a snapshot of this room."
        if room.snapshot is not None and part.number <= room.snapshot.number:
            return f"There is a snapshot up to {room.snapshot.number} already."
        if not 0 < part.number <= room.head:
            return "The envelope that this snapshot ends with is not in the room's log."
        again = going if room.writer is member else None
        if going is not None:
            self.give_up(room)
        room.incoming = Incoming(part.set, part.of, part.number, part.tag, since=now)
        if again is not None:
            room.incoming.touched, room.incoming.furthest = again.touched, again.furthest
            room.incoming.since = again.since
        room.writer = member
        return None

    def _go_on(self, room: Room, member: Member, part: Snapshot) -> str | None:
        incoming = room.incoming
        if incoming is None or room.writer is not member or incoming.set != part.set:
            return "Parts before this one are missing: a snapshot begins with part 0."
        same = (incoming.next, incoming.of, incoming.number, incoming.tag)
        if same != (part.part, part.of, part.number, part.tag):
            expected = incoming.next
            self.give_up(room)
            return f"This is not part {expected} of the snapshot that you began."
        return None


def _refuse_then(incoming: Incoming, drop: Callable[[], None]) -> None:
    # On the writing thread: parts that still wait for a later commit find it refused.
    incoming.refused = True
    drop()
