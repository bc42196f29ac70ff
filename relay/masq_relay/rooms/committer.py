"""Group commit: batches of what members say go to the disk, one commit at a time; acknowledgements once it has them.

Where the disk fails, nothing of the commit was kept, and all who wait for it are refused; the next commit is tried as
ever. Where it is slower than those who post, they are read more slowly: back-pressure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from masq_relay.disk import batches
from masq_relay.disk.access import DiskAccess
from masq_relay.disk.age import Age
from masq_relay.disk.records import CannotKeep, Done, Work
from masq_relay.event_log import EventLog
from masq_relay.frames import Code
from masq_relay.limits import Limits
from masq_relay.metrics import Metrics
from masq_relay.rooms.day_quota import DayQuota
from masq_relay.rooms.delivery import Refusal, deliver
from masq_relay.rooms.disk_space import DiskSpace
from masq_relay.rooms.open_rooms import OpenRooms
from masq_relay.rooms.room import Casting, Entry, Part, Posted, Room
from masq_relay.sockets.connection import DISK, Connection

STOP_SECONDS = 10.0
"""How long a relay that stops waits for what has come to be on disk."""

Batch = list[tuple[Room, list[Entry]]]


@dataclass(eq=False)
class Committer:
    """Keeps what rooms have waiting, in the order in which it came, then has it delivered.

    `clock_ms`: the time that devices are told, in milliseconds since 1970.
    """

    access: DiskAccess
    rooms: OpenRooms
    space: DiskSpace
    day_quota: DayQuota
    age: Age
    limits: Limits
    metrics: Metrics
    event_log: EventLog
    clock_ms: Callable[[], int]

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._dirty: dict[Room, None] = {}
        self._paused: dict[Connection, None] = {}
        """Those that are not read from until more of what they posted is on disk."""
        self._committing = False
        self._scheduled = False
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, entry: Entry, counts: int, length: int, unsaved: int) -> None:
        """Let an entry wait for the next commit, and read no more from whoever has too much waiting.

        Args:
            entry: what a member says.
            counts: bytes that it counts for in the room's quota.
            length: bytes of its envelope.
            unsaved: bytes that it counts for as long as it is not on disk.
        """
        member = entry.member
        room, connection = member.room, member.connection
        room.add(entry, counts, length)
        space, limits = self.space, self.limits
        everyone = space.unsaved = space.unsaved + unsaved
        own = connection.unsaved = connection.unsaved + unsaved
        if own > limits.unsaved or everyone > limits.unsaved_all:
            connection.pause_reading(DISK)
            self._paused[connection] = None
        if room not in self._dirty:
            self._schedule(room)

    async def finish(self) -> None:
        """Wait until all that has come is on disk, for STOP_SECONDS at most."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), STOP_SECONDS)

    def _schedule(self, room: Room) -> None:
        self._dirty[room] = None
        if not self._scheduled and not self._committing:
            # At the end of this turn of the loop, so that what came together is kept together.
            self._scheduled = True
            self._idle.clear()
            self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        self._scheduled = False
        batch: Batch = []
        works: list[Work] = []
        age = self.age.ms
        for room in self._dirty:
            entries, work = room.begin_commit(age)
            batch.append((room, entries))
            works.append(work)
        self._dirty = {room: None for room, _ in batch if room.waiting}
        self._committing = True
        now = self.clock_ms()
        began = time.perf_counter()
        self.access.write.do(
            partial(self.access.disk.commit, works, now), partial(self._committed, batch, now, age, began)
        )

    def _committed(
        self,
        batch: Batch,
        now: int,
        age: int,
        began: float,
        dones: list[Done | Exception] | None,
        failure: Exception | None,
    ) -> None:
        self._committing = False
        self.metrics.seconds += time.perf_counter() - began
        if dones is None:
            self.access.failed("keeping envelopes", failure)
            self.metrics.counts["commits_failed_total"] += 1
        else:
            self.access.ok = True
            self.metrics.counts["commits_total"] += 1
        for index, (room, entries) in enumerate(batch):
            done, refusal = self._outcome(dones[index]) if dones is not None else (None, None)
            if done is None:
                self._take_back(room, entries)
            else:
                self._take_over(room, entries, done, age)
            self._save_counts(entries, done is not None)
            self.metrics.delivered(*deliver(room, entries, now, done, refusal))
            if not room.members:
                if room.id is not None and done is not None:
                    self.rooms.note_use([room.id])
                self.rooms.drop_unused(room)
        self._read_on()
        if self._dirty:
            self._commit()
        else:
            self._idle.set()

    def _outcome(self, result: Done | Exception) -> tuple[Done | None, Refusal | None]:
        """Return what came of one room's part of a commit that went through, or why its members are refused."""
        if isinstance(result, Done):
            return result, None
        if isinstance(result, CannotKeep):
            return None, (Code.ROOM_FULL, str(result))
        self.event_log.write("error", "room failed", failure=str(result), kind=type(result).__name__)
        self.metrics.counts["rooms_failed_total"] += 1
        return None, None

    def _take_over(self, room: Room, entries: list[Entry], done: Done, age: int) -> None:
        """Let a room know what the disk has of it now."""
        before, was_new = room.total, room.id is None
        room.end_commit(entries, done, age)
        if was_new and room.alone is None:  # somebody came while it was written
            self.rooms.note_shared(room)
        self.space.added += done.total - before
        self.metrics.counts["snapshots_total"] += done.snapshot is not None

    def _take_back(self, room: Room, entries: list[Entry]) -> None:
        """Undo what was counted for entries that the disk did not keep."""
        self.day_quota.give_back(room, entries)
        room.fail_commit(entries)

    def _save_counts(self, entries: list[Entry], kept: bool) -> None:
        count = size = saved = 0
        for entry in entries:
            if type(entry) is Posted:
                length = len(entry.envelope)
                weight = length + batches.ENTRY
                count += 1
                size += length
            elif type(entry) is Part:
                weight = len(entry.work.envelope) + batches.ENTRY
                self.space.added += weight if kept else 0
            else:
                assert type(entry) is Casting
                weight = len(entry.envelope)
            saved += weight
            entry.member.connection.unsaved -= weight
        self.space.unsaved -= saved
        if kept:
            self.metrics.counts["envelopes_stored_total"] += count
            self.metrics.counts["bytes_stored_total"] += size

    def _read_on(self) -> None:
        """Read on from those whose posts are on disk now."""
        if not self._paused or self.space.unsaved > self.limits.unsaved_all // 2:
            return
        for connection in list(self._paused):
            if connection.unsaved <= self.limits.unsaved // 2:
                del self._paused[connection]
                connection.resume_reading(DISK)
