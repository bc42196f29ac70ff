"""Log compaction: when a replica cuts its room's log short by a snapshot, up to where, and which place it keeps.

What a later version of the store has sealed cannot be read here, and must be once it can: snapshots end in front of
it, and the place that is kept stays there. One thing is worse than to trim it: a room that is full with nothing in
front of it to trim, where nobody could write any more. Whoever sealed it holds it, and posts again what the log lacks.
"""

from __future__ import annotations

from masq_store.core.sync.machine import Sync
from masq_store.core.sync.room_log import RoomLog


class Compaction:
    """Log compaction, as one replica sees it: what it knows of the room and of what cannot be read yet.

    It begins anew with each start, as the log is read again from the place kept.
    """

    def __init__(self) -> None:
        self._full = False  # the room is: only a snapshot makes room
        self._in_vain = 0  # bytes of the log when a snapshot of ours was rejected; the next at twice as many
        self._front: bytes | None = None  # the log, encoded, in front of what only a later version can read
        self._beyond = False  # a snapshot that ends in front of that is not enough
        self._refusals = 0  # of such snapshots; the first may be as somebody else was writing one

    @property
    def stays(self) -> bool:
        """Whether the place that is kept stays where it is."""
        return self._front is not None

    def stay(self, log: RoomLog) -> None:
        """Note that what comes next in the log can only be read by a later version."""
        if self._front is None:
            self._front = log.encode()

    def place(self, log: RoomLog) -> bytes:
        """Return the place to be kept on the disk."""
        return log.encode() if self._front is None else self._front

    def room_full(self) -> None:
        """Note that the relay took no post, since the room is full."""
        self._full = True

    def urgent(self, log: RoomLog) -> bool:
        """Say whether nobody can write before a snapshot is in place.

        `log.entries` does not count here: that the log was trimmed is what somebody said.
        """
        return self._full and log.end[0] > 0

    def due(self, sync: Sync, size: int) -> bool:
        """Say whether a snapshot is worth its bytes. `size`: bytes of the space."""
        if sync.log.size < self._in_vain:  # somebody's was taken since
            self._in_vain = 0
        return self._front is None and sync.log.size >= 2 * self._in_vain and sync.wants_snapshot(size)

    def begin(self, log: RoomLog) -> tuple[int, bytes, bool]:
        """Begin one. Returns the number and the tag where it ends, and whether a member sealed the envelope there.

        Junk goes as well: else whoever fills a room with it would keep it full.
        """
        self._full = False
        if self._front is not None and not self._beyond:
            return *RoomLog.decode(self._front).cursor, True
        return *log.end, log.end == log.cursor

    def ended(self, whole: bool, number: int, log: RoomLog) -> None:
        """Note that it ended. `whole`: it is in place. `number`: where it ended."""
        if not whole:
            self._in_vain = log.size  # not again before the log has grown as much once more
        if self._front is None:
            return
        if number <= RoomLog.decode(self._front).number:
            self._refusals += not whole
            self._beyond = whole or self._refusals > 1  # if the room is full again, that was not enough
        elif whole:
            self._front, self._beyond, self._refusals = None, False, 0  # the log does not hold it any more
