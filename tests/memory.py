"""The Backend port in memory: failures on request, and a disk that engines can share."""

from __future__ import annotations

from collections.abc import Sequence

from masq.errors import QuotaExceeded
from masq_store.core.errors import Superseded


class MemoryDisk:
    """What outlives an engine: stored bytes and engine generation. `quota`: bytes of keys and values."""

    def __init__(self, quota: int | None = None) -> None:
        self.stored: dict[str, bytes] = {}
        self.generation = 0
        self.quota = quota

    @property
    def used(self) -> int:
        """Bytes of keys and values stored."""
        return _size(self.stored)


class MemoryBackend:
    """A `Backend` over a `MemoryDisk`; backends on the same disk see each other's writes."""

    def __init__(self, disk: MemoryDisk | None = None, *, quota: int | None = None) -> None:
        self.disk = MemoryDisk(quota) if disk is None else disk
        self.writes = 0
        """Batches written by this backend, for tests that count transactions."""
        self.flushes = 0
        """How often it was flushed."""
        self._generation: int | None = None
        self._failures: list[BaseException] = []
        self._open = True

    def fail_next(self, error: BaseException) -> None:
        """Let the next write raise `error` and change nothing; several are raised in turn."""
        self._failures.append(error)

    async def read(self, key: str) -> bytes | None:
        """Return the bytes under `key`, or None."""
        self._check_open()
        return self.disk.stored.get(key)

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return every (key, bytes) whose key starts with `prefix`, ordered by key."""
        self._check_open()
        return sorted(item for item in self.disk.stored.items() if item[0].startswith(prefix))

    async def write(self, puts: Sequence[tuple[str, bytes]], drops: Sequence[tuple[str, str]] = ()) -> None:
        """Drop the half-open key ranges, then write, all or nothing. Raises QuotaExceeded and Superseded."""
        self._check_open()
        if self._failures:
            raise self._failures.pop(0)
        if self._generation is not None and self._generation != self.disk.generation:
            raise Superseded()
        after = {
            key: content
            for key, content in self.disk.stored.items()
            if not any(first <= key < end for first, end in drops)
        }
        after.update((key, bytes(content)) for key, content in puts)
        if self.disk.quota is not None and _size(after) > self.disk.quota:
            raise QuotaExceeded("this device's storage is full", self.disk.quota, "device")
        self.disk.stored = after
        self.writes += 1

    async def flush(self) -> None:
        """Return once what was written before is as safe as it can be here. Raises Superseded."""
        self._check_open()
        if self._failures:
            raise self._failures.pop(0)
        if self._generation is not None and self._generation != self.disk.generation:
            raise Superseded()
        self.flushes += 1

    async def claim(self) -> int:
        """Take the next engine generation; writes of earlier claimants raise Superseded from now on."""
        self._check_open()
        self.disk.generation += 1
        self._generation = self.disk.generation
        return self._generation

    async def close(self) -> None:
        """Let the storage go."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise RuntimeError("this backend was closed")


def _size(stored: dict[str, bytes]) -> int:
    return sum(len(key.encode()) + len(content) for key, content in stored.items())
