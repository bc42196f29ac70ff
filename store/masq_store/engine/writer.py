"""Group commit: everything written in one tick goes to disk in one transaction.

A write takes effect in memory at once, and is acknowledged when its transaction is complete. While one
transaction is under way the next batch gathers. Where a batch does not fit on the disk, memory goes back to
what the disk holds, and the batch's writes are tried again one by one, so that only those fail that must.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from masq.errors import Disconnected, MasqError, QuotaExceeded
from masq_store.core.checkpoint import Frozen
from masq_store.core.space import Applied
from masq_store.engine.ports import Backend
from masq_store.engine.spaces import OpenSpace


class Source(Protocol):
    """Whoever writes; told once a batch, after all its writes have been settled."""

    def flush(self) -> None:
        """Send what has gathered."""


Settle = Callable[[Applied | None, MasqError | None], None]


class Write:
    """One write call: how to do it (again), what it did, and whom to tell."""

    __slots__ = ("applied", "operation", "settle", "source", "space")

    def __init__(
        self, space: OpenSpace, operation: Callable[[], Applied], settle: Settle, source: Source
    ) -> None:
        self.space = space
        self.operation = operation
        self.settle = settle
        self.source = source
        self.applied: Applied | None = None


class Writer:
    """The one way to disk for all spaces of an engine."""

    def __init__(self, backend: Backend, failed: Callable[[Exception], None]) -> None:
        self._backend = backend
        self._failed = failed
        self._gathered: list[Write] = []
        self._careful = False  # writes are queued unapplied while failed ones are tried again
        self._task: asyncio.Task[None] | None = None
        self._checkpoints: set[asyncio.Task[None]] = set()

    def add(
        self, space: OpenSpace, operation: Callable[[], Applied], settle: Settle, source: Source
    ) -> None:
        """Do `operation` and see that it becomes durable; then `settle(applied, None)`, or an error.

        Raises what `operation` raises: then nothing was changed and `settle` is not called.
        """
        write = Write(space, operation, settle, source)
        if not self._careful:
            write.applied = operation()
        self._gathered.append(write)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def idle(self) -> None:
        """Return once everything written so far has been settled, checkpoints included."""
        while self._task or self._checkpoints:
            await asyncio.wait([task for task in [self._task, *self._checkpoints] if task])

    async def _run(self) -> None:
        try:
            while self._gathered:
                batch, self._gathered = self._gathered, []
                try:
                    await self._commit(batch)
                except QuotaExceeded:
                    await self._one_by_one(self._undo(batch))
                except Exception as error:
                    lost = self._undo(batch)
                    reason = error if isinstance(error, MasqError) else Disconnected("the store's disk failed")
                    _settle(lost, reason)
                    self._failed(error)
        finally:
            self._task = None

    async def _commit(self, batch: list[Write]) -> None:
        by_space: dict[OpenSpace, list[Write]] = {}
        for write in batch:
            if write.applied and write.applied.changes:
                by_space.setdefault(write.space, []).append(write)
        # Frozen before the first await: the state is the disk's plus exactly this batch.
        frozen = {space: space.freeze() for space in by_space if space.wants_checkpoint()}
        puts = []
        for space, writes in by_space.items():
            puts.append(await space.seal([write.applied for write in writes if write.applied]))
        if puts:
            await self._backend.write(puts)
        for space, (_, record) in zip(by_space, puts, strict=True):
            space.durable(record)
        _settle(batch, None)
        for space, writes in by_space.items():
            _announce(space, writes)
        for space, state in frozen.items():
            self._checkpoint(space, state)

    def _checkpoint(self, space: OpenSpace, state: Frozen) -> None:
        task = asyncio.get_running_loop().create_task(space.checkpoint(state))
        self._checkpoints.add(task)
        task.add_done_callback(self._checkpoint_done)

    def _checkpoint_done(self, task: asyncio.Task[None]) -> None:
        self._checkpoints.discard(task)
        error = None if task.cancelled() else task.exception()
        # A full disk only means that the journal stays longer: it still holds everything.
        if isinstance(error, Exception) and not isinstance(error, QuotaExceeded):
            self._failed(error)

    def _undo(self, batch: list[Write]) -> list[Write]:
        """Take `batch`, and what was written on top of it, out of memory; return them in order."""
        undone = batch + self._gathered
        self._gathered = []
        for write in reversed(undone):
            if write.applied:
                write.space.core.revert(write.applied)
                write.applied = None
        return undone

    async def _one_by_one(self, writes: list[Write]) -> None:
        self._careful = True
        try:
            while writes:
                for write in writes:
                    try:
                        write.applied = write.operation()
                        await self._commit([write])
                    except MasqError as error:
                        if write.applied:
                            write.space.core.revert(write.applied)
                            write.applied = None
                        _settle([write], error)
                writes, self._gathered = self._gathered, []
        finally:
            self._careful = False


def _settle(writes: list[Write], error: MasqError | None) -> None:
    for write in writes:
        write.settle(write.applied, error)
    for source in dict.fromkeys(write.source for write in writes):
        source.flush()


def _announce(space: OpenSpace, writes: list[Write]) -> None:
    by_source: dict[Source, dict[str, None]] = {}
    for write in writes:
        if write.applied:
            by_source.setdefault(write.source, {}).update(dict.fromkeys(write.applied.touched))
    for source, keys in by_source.items():
        space.announce(list(keys), source)
