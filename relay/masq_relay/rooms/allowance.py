"""Fair shares of a disk that others need too: who may still add how much, and whose rooms are evicted first. Pure.

A room that one address alone was ever seen in may be anybody's who wants to fill the disk; one that a second address
has joined, and then one that is a week old, ever less likely. Nothing here tells honest from not: it sees to it that
what one address can take is little, and that it makes way.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable

from masq_relay.disk.age import WEEK_MS
from masq_relay.disk.records import Alone

ALONE_SHARE, YOUNG_SHARE, OLD_SHARE = 0.90, 0.95, 1.0
"""How full the disk may be for a room of one address, one that was joined from elsewhere, and an old one, to grow."""

ROOM_MADE_SHARE = 0.85
"""How full it is once rooms of one address have made way."""

ALONE_COST = 4
"""What a byte in a room of one address counts for in what an address may add in a day."""

SMALL = 16 * 1024
"""A room of up to so many bytes is no burden: pairing takes less. Its bytes count for nobody, only the room does."""

ROOM_COST = 256
"""About what a room takes on disk besides what it keeps, in bytes."""


def share(*, alone: bool, made_ms: int | None, age_ms: int, weight: int, snapshot: bool = False) -> float:
    """Return how full the disk may be, from 0 to 1, for this room to grow.

    Args:
        alone: whether one address alone was ever seen in it.
        made_ms: the relay's age when it was first written; None if it was not.
        age_ms: the relay's age.
        weight: what it keeps, with what is to come, in bytes.
        snapshot: whether it is to keep a snapshot, which makes room.
    """
    if alone:
        return YOUNG_SHARE if snapshot or weight <= SMALL else ALONE_SHARE
    old = made_ms is not None and age_ms - made_ms >= WEEK_MS
    return OLD_SHARE if snapshot or old else YOUNG_SHARE


def cost(*, alone: bool, weight: int, size: int) -> int:
    """Return what `size` bytes more count for in an address's day, in a room of `weight` bytes with them."""
    if weight <= SMALL:
        return 0
    return size * ALONE_COST if alone else size


def rooms_that_make_way(rooms: Iterable[Alone], size: int) -> list[Alone]:
    """Return rooms of about `size` bytes together: one by one, of the address that has most then, its newest.

    Args:
        rooms: all of them, the newest last.
        size: bytes that are needed.
    """
    by_maker: defaultdict[bytes, list[Alone]] = defaultdict(list)
    for room in rooms:
        by_maker[room.maker].append(room)
    most = [(-sum(each.bytes + ROOM_COST for each in own), maker) for maker, own in by_maker.items()]
    heapq.heapify(most)
    found: list[Alone] = []
    while size > 0 and most:
        total, maker = heapq.heappop(most)
        found.append(by_maker[maker].pop())
        taken = found[-1].bytes + ROOM_COST
        size -= taken
        if by_maker[maker]:
            heapq.heappush(most, (total + taken, maker))
    return found
