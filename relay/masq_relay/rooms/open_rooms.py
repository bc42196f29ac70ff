"""The rooms that somebody is in now, and what the disk is told of their use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from masq_relay.disk.access import DiskAccess
from masq_relay.disk.age import Age
from masq_relay.disk.records import Kept
from masq_relay.rooms.room import Room


class OpenRooms:
    """Rooms that are joined or being joined.

    Args:
        access: the disk that is told.
        age: the relay's age, by which a room is idle one day.
        retention: for how many seconds a room is kept that nobody joins.
    """

    def __init__(self, access: DiskAccess, age: Age, retention: float) -> None:
        self.by_key: dict[bytes, Room] = {}
        self._access = access
        self._age = age
        # A tenth of the retention, at most an hour: that much earlier than promised a room may go.
        self._note_after_ms = min(3_600_000, retention * 100)
        self._touched: dict[int, int] = {}
        """When the disk was last told that these are in use, in milliseconds of the relay's age."""
        self._forgetting: dict[bytes, list[Callable[[], None]]] = {}
        """Rooms that the disk is about to forget, and who waits until it has."""

    def load(self, room: Room, kept: Kept | None, token: bytes) -> None:
        """Take over what the disk knows of a room, unless that is done."""
        if not room.loaded:
            room.load(kept, token)
            if kept is not None:
                self._touched[kept.id] = kept.touched

    def drop_unused(self, room: Room) -> None:
        """Let a room go that nothing in memory needs."""
        if room.unused and self.by_key.get(room.key) is room:
            del self.by_key[room.key]
            if room.id is not None:
                self._touched.pop(room.id, None)

    def note_use(self, ids: list[int]) -> None:
        """Note on disk that these are in use, where that was last noted a good while ago."""
        now, after = self._age.ms, self._note_after_ms
        old = [id for id in ids if now - self._touched.get(id, -after) >= after]
        if old and self._access.ok:
            self._touched.update((id, now) for id in old)
            self._access.note("noting use", partial(self._access.disk.touch, old, now))

    def note_shared(self, room: Room) -> None:
        """Note on disk, if the room is there, that it is not one address's own."""
        if room.id is not None:
            self._access.note("noting who was in a room", partial(self._access.disk.note_shared, room.id))

    def unless_forgotten(self, key: bytes, then: Callable[[], None]) -> None:
        """Call `then`; where the disk is about to forget the room, only once it has."""
        if key in self._forgetting:
            self._forgetting[key].append(then)
        else:
            then()

    async def forget(self, chosen: list[tuple[int, bytes]]) -> None:
        """Forget rooms (id, key) that nobody is in, and all that they keep. Raises DiskFailed."""
        for _, key in chosen:
            self._forgetting[key] = []  # who joins meanwhile waits, and finds it gone
        try:
            await self._access.write.ask(partial(self._access.disk.forget, [id for id, _ in chosen]))
        finally:
            for _, key in chosen:
                for then in self._forgetting.pop(key):
                    then()
