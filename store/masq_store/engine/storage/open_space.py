"""A space in use: its map in memory, its journal and checkpoint on disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

from masq.errors import QuotaExceeded
from masq_store.core.errors import DamagedData
from masq_store.core.space import codec
from masq_store.core.space.register import Change
from masq_store.core.space.space import Applied, Space
from masq_store.core.storage import checkpoint
from masq_store.core.storage.checkpoint import Covered, Frozen
from masq_store.core.storage.record import CHANGES, CHECKPOINT, PLACE
from masq_store.engine.ports import Backend
from masq_store.engine.storage import disk_keys
from masq_store.engine.storage.record_sealer import START, Sealer, tag

CHUNK_ROWS = 4096
"""Registers in one checkpoint record: large enough to be quick, small enough to pause for."""

RECORD_COST = 2048
"""What a journal record adds to the cost of opening, in bytes of checkpoint: each is opened by itself."""

LEAST_TAIL = 128 * 1024
"""A tail cheaper than this (bytes) is not worth a checkpoint."""

BATCH_COST = 512 * 1024
"""What is unsealed at a time (bytes, RECORD_COST for each record among them), where one record is not more."""

PAUSE_SECONDS = 0.02
"""How long reading a space keeps everybody else waiting at a time."""

Listener = Callable[[list[str], object], None]


class OpenSpace:
    """An open space: its map in memory, its write-ahead journal and its checkpoint, while somebody uses it."""

    def __init__(self, backend: Backend, sealer: Sealer, profile: str, space: str, core: Space) -> None:
        self.core = core
        self.listeners: list[Listener] = []  # told which keys have changed durably, and by whom
        self.pending: deque[Applied] = deque()  # done in memory and not on the disk yet, in order
        self._backend = backend
        self._sealer = sealer
        self._journal = disk_keys.journal(profile, space)
        self._place = disk_keys.place(profile, space)
        self._met = disk_keys.met(profile, space)
        self._checkpoint = disk_keys.checkpoint(profile, space)
        self._last = 0  # the number of the newest journal record
        self._tag = START  # and its tag
        self._tail_cost = 0
        self._checkpoint_cost = 0
        self._checkpointing = False

    @classmethod
    async def open(
        cls,
        backend: Backend,
        sealer: Sealer,
        profile: str,
        space: str,
        replica: str,
        reading: Callable[[], None] = lambda: None,
    ) -> OpenSpace:
        """Read the space from disk; one that was never written starts empty. `replica`: who writes from now on.

        `reading` is called now and then where that takes long, and others have their turn. Raises DamagedData
        or NewerData, and leaves the disk as it is.
        """
        chunks = await backend.scan(disk_keys.checkpoint(profile, space))
        records = await backend.scan(disk_keys.journal(profile, space))
        if not chunks:
            if records:
                raise DamagedData("the checkpoint is missing")
            opened = cls(backend, sealer, profile, space, Space(replica))
            # Written at once: the start of the chain is always found on disk.
            await opened.checkpoint(opened.freeze())
            return opened
        turns = _Turns(reading)
        sealed = [record for _, record in chunks]
        contents = [content async for content in _unseal(sealer, CHECKPOINT, sealed, START, turns)]
        core, covered = await _decode(contents, replica, turns)
        opened = cls(backend, sealer, profile, space, core)
        opened._checkpoint_cost = sum(len(record) for _, record in chunks)
        opened._last, opened._tag = covered
        tail = [(key, record) for key, record in records if key > opened.key_of(opened._last)]
        sealed = [record for _, record in tail]
        async for content in _unseal(sealer, CHANGES, sealed, opened._tag, turns):
            core.merge(*codec.decode_changes(content))
            await turns.give()
        if tail:
            opened._last = int(tail[-1][0].removeprefix(opened._journal), 16)
            opened._tag = tag(tail[-1][1])
            opened._tail_cost = sum(len(record) + RECORD_COST for _, record in tail)
        return opened

    async def seal(self, done: list[Applied]) -> tuple[str, bytes]:
        """Return the journal record for what was done, and the key where it goes: behind the last durable one."""
        changes = [change for applied in done for change in applied.changes]
        vector = {replica: number for applied in done for replica, number in applied.vector.items()}
        content = codec.encode_changes(changes, vector)
        return self.key_of(self._last + 1), await self._sealer.seal(CHANGES, content, self._tag)

    def key_of(self, number: int) -> str:
        """Return where journal record `number` stands."""
        return disk_keys.numbered(self._journal, number)

    def durable(self, record: bytes) -> None:
        """Note that `record` is on disk: the next one follows it."""
        self._last += 1
        self._tag = tag(record)
        self._tail_cost += len(record) + RECORD_COST

    def wants_checkpoint(self) -> bool:
        """Say whether opening the tail would by now cost more than opening the checkpoint."""
        return not self._checkpointing and self._tail_cost > max(LEAST_TAIL, self._checkpoint_cost)

    def settled(self, applied: Applied) -> None:
        """Note that what was pending is on the disk, or was taken back: the first of all, or the last."""
        if self.pending and self.pending[0] is applied:
            self.pending.popleft()
        elif self.pending and self.pending[-1] is applied:
            self.pending.pop()
        else:  # else what leaves this device would not be what the disk has
            raise RuntimeError("what is settled is neither the first nor the last of what is pending")

    def durable_vector(self) -> dict[str, int]:
        """Return the version vector of what is on the disk."""
        return self.core.vector_without(tuple(self.pending))

    def durable_since(self, vector: dict[str, int]) -> list[Change]:
        """Return every change above `vector` that is on the disk: no other may leave the device."""
        return self.core.changes_since(vector, tuple(self.pending))

    async def place(self) -> bytes | None:
        """Return what `keep_place` was last given; None where there is nothing that can be read.

        It can be found out anew, by reading the room from its beginning.
        """
        return await self._read_note(self._place)

    async def keep_place(self, content: bytes) -> None:
        """Keep how far the space's room was read. What was read must be on the disk. Raises QuotaExceeded."""
        await self._keep_note(self._place, content)

    async def met(self) -> bytes | None:
        """Return what `keep_met` was last given; None where there is nothing that can be read."""
        return await self._read_note(self._met)

    async def keep_met(self, content: bytes) -> None:
        """Keep what the store had of a partition's copy when they last met. Raises QuotaExceeded."""
        await self._keep_note(self._met, content)

    async def _read_note(self, name: str) -> bytes | None:
        try:
            record = await self._backend.read(name)
            return None if record is None else (await self._sealer.open(PLACE, [record], START))[0]
        except DamagedData:
            return None

    async def _keep_note(self, name: str, content: bytes) -> None:
        await self._backend.write([(name, await self._sealer.seal(PLACE, content, START))])

    def freeze(self) -> Frozen:
        """Return the state of this moment, for a checkpoint to be written in the background."""
        return checkpoint.freeze(self.core)

    def checkpoint(self, frozen: Frozen) -> Coroutine[None, None, None]:
        """Write `frozen`, the state as of the newest durable record, in place of checkpoint and tail.

        Not itself `async`: which record is the newest is settled at the call, and writes may go on while the
        result is awaited; they land behind the record that the checkpoint covers.
        """
        self._checkpointing = True
        return self._write_checkpoint(frozen, Covered(self._last, self._tag), self._tail_cost)

    async def _write_checkpoint(self, frozen: Frozen, covered: Covered, cost: int) -> None:
        try:
            records: list[bytes] = []
            previous = START
            for content in checkpoint.encode(frozen, covered, CHUNK_ROWS):
                records.append(await self._sealer.seal(CHECKPOINT, content, previous))
                previous = tag(records[-1])
            await self._backend.write(
                [(disk_keys.numbered(self._checkpoint, i), record) for i, record in enumerate(records)],
                [disk_keys.whole(self._checkpoint), (self._journal, self.key_of(covered.number + 1))],
            )
        except QuotaExceeded:
            self._checkpoint_cost = 2 * self._tail_cost  # not again at once: each try seals the whole space
            raise
        finally:
            self._checkpointing = False
        self._checkpoint_cost = sum(map(len, records))
        self._tail_cost -= cost


class _Turns:
    """Lets others have their turn while a space is read, with a word of it, whenever PAUSE_SECONDS are over."""

    def __init__(self, reading: Callable[[], None]) -> None:
        self._reading = reading
        self._now = asyncio.get_running_loop().time
        self._since = self._now()

    async def give(self) -> None:
        if self._now() - self._since >= PAUSE_SECONDS:
            self._reading()
            await asyncio.sleep(0)
            self._since = self._now()


async def _unseal(
    sealer: Sealer, kind: int, records: list[bytes], previous: bytes, turns: _Turns
) -> AsyncIterator[bytes]:
    for batch in _batches(records):
        contents = await sealer.open(kind, batch, previous)
        previous = tag(batch[-1])
        await turns.give()
        for content in contents:
            yield content


def _batches(records: list[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    cost = 0
    for record in records:
        added = len(record) + RECORD_COST
        if batch and cost + added > BATCH_COST:
            yield batch
            batch, cost = [], 0
        batch.append(record)
        cost += added
    if batch:
        yield batch


async def _decode(contents: list[bytes], replica: str, turns: _Turns) -> tuple[Space, Covered]:
    steps = checkpoint.decode_in_parts(contents, replica)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            decoded: tuple[Space, Covered] = end.value
            return decoded
        await turns.give()
