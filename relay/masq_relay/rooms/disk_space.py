"""Admission by the disk's space: how full it is, and which rooms may still grow where it is nearly full."""

from __future__ import annotations

import asyncio

from masq_relay.disk.age import Age
from masq_relay.frames import Code
from masq_relay.limits import Limits
from masq_relay.rooms import allowance
from masq_relay.rooms.room import Member


class DiskSpace:
    """An account of the disk's space: what it holds and is about to hold, in bytes, beside what it may.

    `rooms`, `measured`: rooms and bytes on disk, when they were last counted. `added`: what was kept since then.
    `unsaved`: what waits for a commit. `nearly_full`: set when something was refused for want of space.
    """

    def __init__(self, limits: Limits, age: Age) -> None:
        self.rooms = self.measured = self.added = self.unsaved = 0
        self.nearly_full = asyncio.Event()
        self._limits = limits
        self._age = age
        self._plenty = limits.store * allowance.ALONE_SHARE
        """Up to so many bytes on the disk any room may grow."""

    def count(self, size: tuple[int, int]) -> None:
        """Take over what the disk was found to hold: rooms and bytes."""
        self.rooms, self.measured = size
        self.added = 0

    def has_place(self, member: Member, weight: int, size: int, ref: int, *, snapshot: bool = False) -> bool:
        """Tell whether a room of then `weight` bytes has its place; refuse what was to come where not."""
        if weight > self._limits.room:
            sentence = f"The room holds {self._limits.room} bytes, and no more. A snapshot makes room."
            member.connection.refuse(Code.ROOM_FULL, sentence, member.channel, ref)
            return False
        used = self.measured + self.added + self.unsaved + size
        if used <= self._plenty:  # nearly always
            return True
        return self._may_grow_though_nearly_full(member, weight, used, ref, snapshot=snapshot)

    def _may_grow_though_nearly_full(
        self, member: Member, weight: int, used: int, ref: int, *, snapshot: bool
    ) -> bool:
        """Tell whether this room may grow though the disk is nearly full; refuse what was to come where not."""
        room = member.room
        share = allowance.share(
            alone=room.alone is not None,
            made_ms=room.made,
            age_ms=self._age.ms,
            weight=weight,
            snapshot=snapshot,
        )
        if used <= self._limits.store * share:
            return True
        self.nearly_full.set()
        sentence = "This relay holds nearly all that it can. Try again later."
        member.connection.refuse(Code.ROOM_FULL, sentence, member.channel, ref)
        return False

    def bytes_to_free(self) -> int:
        """Return how much has to make way: 0 as long as the disk is not nearly full."""
        store, used = self._limits.store, self.measured + self.unsaved
        if used < store * allowance.ALONE_SHARE - self._limits.frame:
            return 0
        return int(used - store * allowance.ROOM_MADE_SHARE)
