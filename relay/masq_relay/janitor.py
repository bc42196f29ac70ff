"""Maintenance: slow readers are cut off, idle rooms expire, rooms make way where the disk is nearly full.

What nobody needs any more is deleted in small steps, so that no commit waits for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from masq_relay.certificate_renewal import Certificate
from masq_relay.disk.access import DiskAccess
from masq_relay.disk.age import Age
from masq_relay.disk.file import FILE
from masq_relay.event_log import EventLog
from masq_relay.frames import Code
from masq_relay.limits import Limits
from masq_relay.metrics import Metrics
from masq_relay.rooms import allowance
from masq_relay.rooms.disk_space import DiskSpace
from masq_relay.rooms.open_rooms import OpenRooms
from masq_relay.sockets.connection import Connections

EXPIRE_AT_ONCE = 256

TIDYING_SECONDS = 0.5
"""About how long one round of tidying keeps the thread that writes from envelopes, in many small steps."""

NEARLY_FULL_SECONDS = 0.2
"""Seconds between a refusal because the disk is nearly full and the round of tidying that makes room."""

AGE_SECONDS = 60.0
"""How often the relay's age is put on disk; so much of it a crash may cost."""


@dataclass(eq=False)
class Janitor:
    """Maintains the relay in rounds: cuts off, expires, evicts, and collects garbage.

    Args:
        access, rooms, space, connections, age: what is tidied, and by which age.
        elapsed: seconds since any moment, by a clock that nobody sets.
        certificate: what is taken up anew when its files change, if there is one.
        folder: where the disk's file is, to notice that somebody has taken it away; None does not look.
    """

    access: DiskAccess
    rooms: OpenRooms
    space: DiskSpace
    connections: Connections
    age: Age
    limits: Limits
    metrics: Metrics
    event_log: EventLog
    elapsed: Callable[[], float]
    certificate: Certificate | None
    folder: Path | None

    def __post_init__(self) -> None:
        self._age_noted = self.elapsed()

    async def run(self) -> None:
        """Tidy from time to time, and soon after something was refused because the disk is nearly full."""
        nearly_full = self.space.nearly_full
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(nearly_full.wait(), self.limits.tidy)
                await asyncio.sleep(min(NEARLY_FULL_SECONDS, self.limits.tidy))
            nearly_full.clear()
            try:
                await self.tidy()
            except Exception as failure:  # whatever it was this time, there is a next time
                self.access.failed("tidying", failure)

    async def tidy(self) -> None:
        """Cut off who has stopped reading, forget idle rooms, and delete what nobody needs."""
        now = time.monotonic()
        if self.elapsed() - self._age_noted >= AGE_SECONDS:
            self.note_age()
        self.connections.cut_stalled(now)
        self.connections.peers.forget(now)
        if self.certificate is not None and self.certificate.changed:
            self.certificate.renew_and_log(self.event_log)
        if self.folder is not None and not (self.folder / FILE).exists():
            self.access.directory_gone()
            return
        open_rooms = self.rooms.by_key.values()
        self.rooms.note_use([room.id for room in open_rooms if room.members and room.id is not None])
        until = time.monotonic() + TIDYING_SECONDS
        while await self._expire() and time.monotonic() < until:
            pass
        if await self._sweep(until) and await self._make_room_if_nearly_full():
            await self._sweep(until + TIDYING_SECONDS)
        await self._count()

    def note_age(self) -> None:
        """Put the relay's age on disk."""
        self._age_noted = self.elapsed()
        self.access.note("noting the relay's age", partial(self.access.disk.grow_older, self.age.ms))

    async def _count(self) -> None:
        self.space.count(await self.access.write.ask(self.access.disk.size))

    async def _sweep(self, until: float) -> bool:
        """Delete what nobody needs. Returns whether that was all, or whether time was up before."""
        while await self.access.write.ask(self.access.disk.sweep):
            if time.monotonic() >= until:
                return False
        return True

    async def _expire(self) -> bool:
        """Forget some of the rooms that nobody joined for the retention. Returns whether there may be more."""
        before = self.age.ms - self.limits.retention * 1000
        idle = await self.access.write.ask(partial(self.access.disk.idle, before, EXPIRE_AT_ONCE))
        chosen = [(id, key) for id, key in idle if key not in self.rooms.by_key]
        if not chosen:
            return False
        await self.rooms.forget(chosen)
        self.metrics.counts["rooms_expired_total"] += len(chosen)
        self.event_log.write("info", "rooms expired", count=len(chosen))
        return len(idle) == EXPIRE_AT_ONCE

    async def _make_room_if_nearly_full(self) -> bool:
        """Where the disk is nearly full, forget rooms of one address each. Returns whether any were forgotten."""
        await self._count()
        needed, disk = self.space.bytes_to_free(), self.access.disk
        if needed <= 0:
            return False
        chosen = await self.access.write.ask(lambda: allowance.rooms_that_make_way(disk.all_alone(), needed))
        for each in chosen:
            room = self.rooms.by_key.get(each.key)
            if room is not None and room.loaded and room.alone is None:
                continue  # somebody came from elsewhere meanwhile
            for member in list(room.members if room is not None else ()):
                sentence = (
                    "This relay needed the place, and only your address was ever in this room. Connect again."
                )
                member.connection.cut(Code.ROOM_FULL, sentence)
        # What waits for the disk yet is forgotten the next time.
        free = [(each.id, each.key) for each in chosen if each.key not in self.rooms.by_key]
        if free:
            await self.rooms.forget(free)
            self.metrics.counts["rooms_made_way_total"] += len(free)
            self.event_log.write("warning", "rooms made way", count=len(free))
        return bool(free)
