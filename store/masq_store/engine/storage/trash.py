"""The trash: what an app had before another device began its data anew, kept sealed on this device for 30 days.

Nothing is moved. The space stays where it was on the disk, is opened by nobody and in step with none, and a sealed note
says what it is. Note and space go in one write.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from masq_store.core.errors import UnreadableData
from masq_store.core.storage.record import PLACE
from masq_store.engine.ports import Backend, Crypto
from masq_store.engine.storage import disk_keys
from masq_store.engine.storage.record_sealer import START, Sealer

KEPT_MS = 30 * 24 * 3600 * 1000
"""How long something stays."""


class Trashed(NamedTuple):
    """One app's data in the trash.

    `id`: of its space. `origin`, `name`: of its app; `generation`: which of the app's spaces it is. `keys`, `bytes`:
    how many entries it has and how much they take; None where they could not be counted. `ms`, `until_ms`: since when
    it is here, and until when, in milliseconds since 1970.
    """

    id: str
    origin: str
    generation: int
    name: str
    keys: int | None
    bytes: int | None
    ms: int
    until_ms: int


class Trash:
    """The trash of an open profile."""

    def __init__(self, backend: Backend, crypto: Crypto, profile: str, root: bytes) -> None:
        self._backend = backend
        self._crypto = crypto
        self._profile = profile
        self._root = root
        self._kept: dict[str, Trashed] = {}  # by space

    async def load(self) -> None:
        """Read what there is. A note that cannot be read is none: its space is found again, and noted anew."""
        prefix = disk_keys.trash(self._profile, "")
        for name, record in await self._backend.scan(prefix):
            space = name.removeprefix(prefix)
            try:
                (content,) = await self._sealer(space).open(PLACE, [record], START)
                self._kept[space] = Trashed(**json.loads(content))
            except (UnreadableData, TypeError, ValueError):
                continue

    def listed(self) -> list[Trashed]:
        """Return what there is, the newest first."""
        return sorted(self._kept.values(), key=lambda each: -each.ms)

    def find(self, space: str) -> Trashed | None:
        """Return what is known of a space, None where it is not in the trash."""
        return self._kept.get(space)

    async def add(self, trashed: Trashed) -> None:
        """Put a space into the trash that nobody uses any more; durable on return. Raises QuotaExceeded."""
        content = json.dumps(trashed._asdict()).encode()
        record = await self._sealer(trashed.id).seal(PLACE, content, START)
        await self._backend.write([(disk_keys.trash(self._profile, trashed.id), record)])
        self._kept[trashed.id] = trashed

    async def take_out(self, *spaces: str) -> None:
        """Forget about spaces that are in use again."""
        await self._drop(spaces, [])

    async def erase(self, *spaces: str) -> None:
        """Erase what is in the trash."""
        await self._drop(spaces, [disk_keys.space(self._profile, space) for space in spaces])

    async def sweep(self, now_ms: int) -> None:
        """Erase what has been here for its time."""
        await self.erase(*(each.id for each in self.listed() if each.until_ms <= now_ms))

    async def _drop(self, spaces: tuple[str, ...], drops: list[tuple[str, str]]) -> None:
        names = [disk_keys.trash(self._profile, space) for space in spaces]
        if names:
            await self._backend.write([], [*((name, name + "\0") for name in names), *drops])
        for space in spaces:
            self._kept.pop(space, None)

    def _sealer(self, space: str) -> Sealer:
        return Sealer(self._crypto, self._root, self._profile, space)
