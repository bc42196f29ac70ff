"""Group commit: everything that one message asks for goes to disk in one transaction.

A write takes effect in memory at once, and is acknowledged when its transaction is complete. While one
transaction is under way the next batch gathers. Where a batch does not fit on the disk, memory goes back to
what the disk holds, and the batch's writes are tried again one by one, so that only those fail that must.

The first batch is on its way to the disk when `begin` returns, where Python can start a task at once (from 3.12 on,
and so in browsers). What becomes of it is heard after that, so that `begin` means the same on every Python.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Protocol

from masq.errors import MasqError, QuotaExceeded
from masq_store.core.errors import StorageFailed
from masq_store.core.space.space import Applied
from masq_store.core.storage.checkpoint import Frozen
from masq_store.engine.ports import Backend
from masq_store.engine.storage.flushes import Flushes
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.trace import OFF, Kind, Trace

GATHER_SECONDS = 0.01
"""How long the writes of a message that is carried out in parts gather: a transaction for each part would cost more
than the parts."""


class Source(Protocol):
    """The origin of writes, such as a session; told once a batch, after all its writes have been settled."""

    def flush(self) -> None:
        """Send what has gathered."""


class FromDevices:
    """The source of what other devices have written."""

    def flush(self) -> None:
        """Do nothing: nobody waits for a message."""


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

    def apply(self) -> None:
        """Do it in memory. Raises what the operation raises, with nothing changed."""
        self.applied = self.operation()
        self.space.pending.append(self.applied)

    def revert(self) -> None:
        """Take it out of memory again; what was written on top of it must be out already."""
        if self.applied:
            self.space.core.revert(self.applied)
            self.space.settled(self.applied)
            self.applied = None


class _Unnoted(Exception):
    """Writes are on the disk, and noting that failed: they are not undone any more."""


class Writer:
    """The one way to disk for all spaces of an engine."""

    def __init__(self, backend: Backend, failed: Callable[[Exception], None], trace: Trace = OFF) -> None:
        self._backend = backend
        self._trace = trace
        self._failed = failed
        self.flushes = Flushes(backend, self.heed)
        self._gathered: list[Write] = []
        self._waiting: dict[Write, None] = {}  # done or queued, and not answered yet, in order
        self._broken = False  # memory and disk may differ: nothing is written any more
        self._careful = False  # writes are queued unapplied while failed ones are tried again
        self._writing = False
        self._beginning = False  # begin() has not returned yet
        self._wanted = False  # what has gathered is to be written right after the transaction under way
        self._timer: asyncio.TimerHandle | None = None  # until begin() comes by itself
        self._task: asyncio.Task[None] | None = None
        self._checkpoints: set[asyncio.Task[None]] = set()

    def add(self, space: OpenSpace, operation: Callable[[], Applied], settle: Settle, source: Source) -> None:
        """Do `operation`; once `begin` has made it durable, `settle(applied, None)`, or an error.

        Raises what `operation` raises: then nothing was changed and `settle` is not called.
        """
        write = Write(space, operation, settle, source)
        if not self._careful:
            write.apply()
        self._waiting[write] = None
        self._gathered.append(write)

    def begin(self) -> None:
        """Write what has gathered, from this moment on; while a transaction is under way, right after it.

        Whatever comes of it comes after this call: inside it nothing is settled, told or taken back.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wanted = True
        if self._gathered and not self._writing:
            self._writing = self._beginning = True
            try:
                self._task = start(self._run())
            finally:
                self._beginning = False

    def begin_soon(self) -> None:
        """Write what has gathered after GATHER_SECONDS, if nobody wants it sooner: more is to come."""
        if self._gathered and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self.begin)

    @property
    def busy(self) -> bool:
        """Whether anything is on its way to the disk, checkpoints included."""
        return bool(self._writing or self._timer or self._checkpoints or self.flushes.task)

    def heed(self, error: MasqError) -> None:
        """Take note of an error from beside this writer: if it is the disk's, the engine has come to its end."""
        if isinstance(error, StorageFailed):
            self._failed(error)

    async def idle(self) -> None:
        """Return once everything written so far has been settled, checkpoints included."""
        while self.busy:
            self.begin()
            tasks = [task for task in [self._task, *self._checkpoints, self.flushes.task] if task]
            if tasks:
                await asyncio.wait(tasks)

    async def checkpointed(self) -> None:
        """Return once the checkpoints that are being written now are done."""
        if self._checkpoints:
            await asyncio.wait(list(self._checkpoints))

    async def _run(self) -> None:
        try:
            while self._gathered and self._wanted:
                batch, self._gathered = self._gathered, []
                self._wanted = False
                try:
                    await self._answer(batch)
                except Exception as error:
                    self._break(error)
        finally:
            self._writing = False

    async def _answer(self, batch: list[Write]) -> None:
        try:
            await self._commit(batch)
        except _Unnoted:
            raise
        except QuotaExceeded as error:
            self._trace.note(Kind.DISK_FAILED, writes=len(batch), error=error)
            shown = _touched(batch + self._gathered)
            await self._one_by_one(self._undo(batch))
            _announce(shown)  # who watches may have seen what is not there any more
        except Exception as error:
            self._give_up(self._undo(batch), error)

    def _give_up(self, lost: list[Write], error: Exception) -> None:
        reason = error if isinstance(error, MasqError) else StorageFailed()
        self._trace.note(Kind.DISK_FAILED, writes=len(lost), error=error)
        self._settle(lost, reason)
        self._failed(error)

    def _break(self, error: Exception) -> None:
        """Answer all who wait after a defect in what is noted of writes: what memory holds is not known any more."""
        self._broken = True
        self._gathered = []
        self._settle(list(self._waiting), StorageFailed())
        cause = error.__cause__
        self._failed(cause if isinstance(error, _Unnoted) and isinstance(cause, Exception) else error)

    def _settle(self, writes: list[Write], error: MasqError | None) -> None:
        """Answer these writes: each once, whatever comes after."""
        writes = [write for write in writes if write in self._waiting]
        for write in writes:
            del self._waiting[write]
        _settle(writes, error)

    async def _commit(self, batch: list[Write]) -> None:
        by_space: dict[OpenSpace, list[Write]] = {}
        for write in batch:
            if write.applied and (write.applied.changes or write.applied.vector):
                by_space.setdefault(write.space, []).append(write)
        try:
            frozen, records = await self._write(by_space)
        finally:
            # A task that started at once is still inside begin() here where it had to wait for nothing: there was
            # nothing to write, or the disk took or refused it on the spot. Who called begin() has to go on first.
            if self._beginning:
                await asyncio.sleep(0)
        try:
            for space, record in zip(by_space, records, strict=True):
                space.durable(record)
            for write in batch:
                if write.applied:
                    write.space.settled(write.applied)
            self._settle(batch, None)
            _announce(_touched(batch))
            for space, state in frozen.items():
                self._checkpoint(space, state)
        except Exception as error:
            raise _Unnoted from error

    async def _write(
        self, by_space: dict[OpenSpace, list[Write]]
    ) -> tuple[dict[OpenSpace, Frozen], list[bytes]]:
        """Write a record for each space; return them, and the states that checkpoints are to be made of."""
        if self._broken:
            raise StorageFailed()
        # Frozen before the first await: the state is the disk's plus exactly this batch.
        frozen = {space: space.freeze() for space in by_space if space.wants_checkpoint()}
        puts = []
        for space, writes in by_space.items():
            puts.append(await space.seal([write.applied for write in writes if write.applied]))
        if puts:
            began_ms = self._trace.now_ms() if self._trace.on else 0
            await self._backend.write(puts)
            if self._trace.on:
                size, took = sum(len(record) for _, record in puts), self._trace.now_ms() - began_ms
                self._trace.note(Kind.WRITTEN, records=len(puts), bytes=size, ms=took)
        return frozen, [record for _, record in puts]

    def _checkpoint(self, space: OpenSpace, state: Frozen) -> None:
        task = asyncio.get_running_loop().create_task(space.checkpoint(state))
        self._checkpoints.add(task)
        task.add_done_callback(self._checkpoint_done)

    def _checkpoint_done(self, task: asyncio.Task[None]) -> None:
        self._checkpoints.discard(task)
        error = None if task.cancelled() else task.exception()
        self._trace.note(Kind.CHECKPOINT, kept=error is None)
        # A full disk only means that the journal stays longer: it still holds everything.
        if isinstance(error, Exception) and not isinstance(error, QuotaExceeded):
            self._failed(error)

    def _undo(self, batch: list[Write]) -> list[Write]:
        """Take `batch`, and what was written on top of it, out of memory; return them in order."""
        undone = batch + self._gathered
        self._gathered = []
        for write in reversed(undone):
            write.revert()
        return undone

    async def _one_by_one(self, writes: list[Write]) -> None:
        self._careful = True
        waiting = deque(writes)
        try:
            while waiting or self._gathered:
                if not waiting:
                    waiting, self._gathered = deque(self._gathered), []
                write = waiting.popleft()
                try:
                    write.apply()
                    await self._commit([write])
                except _Unnoted:
                    raise
                except Exception as error:
                    if write.applied:
                        write.revert()
                    elif isinstance(error, MasqError):  # the call itself cannot be done
                        self._settle([write], error)
                        continue
                    if isinstance(error, QuotaExceeded):
                        self._settle([write], error)
                    else:
                        lost, self._gathered = [write, *waiting, *self._gathered], []
                        waiting.clear()
                        self._give_up(lost, error)
        finally:
            self._careful = False


def start_soon(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Start a task with the event loop's next trip."""
    return asyncio.get_running_loop().create_task(work)


start = start_soon
"""How the writer's task starts: at once where Python can, so that no write waits for a trip of the event loop."""

if sys.version_info >= (3, 12):

    def start_now(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Start a task in this very moment: it runs inside this call until it first has to wait."""
        return asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)

    start = start_now


Touched = dict[tuple[OpenSpace, Source], dict[str, None]]


def _touched(writes: list[Write]) -> Touched:
    """Return the keys that `writes` changed, in order, by space and source."""
    touched: Touched = {}
    for write in writes:
        if write.applied:
            touched.setdefault((write.space, write.source), {}).update(dict.fromkeys(write.applied.touched))
    return touched


def _settle(writes: list[Write], error: MasqError | None) -> None:
    for write in writes:
        _tell(write.settle, None if error else write.applied, error)
    for source in dict.fromkeys(write.source for write in writes):
        _tell(source.flush)


def _announce(touched: Touched) -> None:
    for (space, source), keys in touched.items():
        for listener in list(space.listeners):
            _tell(listener, list(keys), source)


def _tell(whom: Callable[..., object], *news: object) -> None:
    """Call `whom`; a failure there is theirs alone, and changes nothing of what is on the disk."""
    try:
        whom(*news)
    except Exception as error:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a session failed while it was told of a write", "exception": error}
        )
