"""The writer by itself: what begin() does at once, and what it leaves for later, however its task starts."""

from __future__ import annotations

import asyncio
import os
import runpy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from memory import MemoryBackend

from masq.errors import MasqError, QuotaExceeded
from masq_store.core.errors import StorageFailed
from masq_store.core.space.space import Applied
from masq_store.engine.storage import writer
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.record_sealer import Sealer
from masq_store.engine.storage.together import Operation, write_together
from masq_store.engine.storage.writer import Writer
from masq_store.native.crypto import NativeCrypto

pytestmark = pytest.mark.within(20)


class Disk(MemoryBackend):
    """A disk that answers on the spot, or, while there is a `gate`, once that is opened; it notes when it is asked."""

    gate: asyncio.Future[None] | None = None
    asked = 0

    async def write(self, puts: Sequence[tuple[str, bytes]], drops: Sequence[tuple[str, str]] = ()) -> None:
        """Write, behind the gate."""
        self.asked += 1
        if self.gate is not None:
            await self.gate
        await super().write(puts, drops)


class Scene:
    """A writer over one disk with two spaces, and everything that anybody hears of it, in order."""

    async def open(self) -> Scene:
        """Open the spaces."""
        self.heard: list[str] = []
        self.disk = Disk()
        self.writer = Writer(self.disk, lambda error: self.heard.append("failed"))
        self.spaces = [await self._space(name) for name in ("one", "two")]
        self.disk.asked = 0
        return self

    async def _space(self, name: str) -> OpenSpace:
        sealer = Sealer(NativeCrypto(), b"r" * 32, "profile", name)
        space = await OpenSpace.open(self.disk, sealer, "profile", name, os.urandom(8).hex())
        space.listeners.append(lambda keys, source: self.heard.append("announced"))
        return space

    def flush(self) -> None:
        """As the source of writes: hear that a batch is settled."""
        self.heard.append("flushed")

    def settle(self, applied: Applied | None, error: MasqError | None) -> None:
        """Hear what became of a write."""
        self.heard.append(type(error).__name__ if error else "settled")

    def operation(self, at: int, key: str, text: str = "1") -> Operation:
        """Return the setting of a key in one of the spaces."""
        return lambda: self.spaces[at].core.write([(key, text)], 1)

    def add(self, key: str) -> None:
        """Do a write, to be made durable by begin()."""
        self.writer.add(self.spaces[0], self.operation(0, key), self.settle, self)

    def held(self) -> list[list[str]]:
        """Return the keys that each space holds in memory."""
        return [space.core.keys() for space in self.spaces]


def a_write(scene: Scene) -> None:
    """Set a key."""
    scene.add("k")


def nothing_new(scene: Scene) -> None:
    """Merge nothing: what asks for it hears when all before it is durable, and nothing goes to the disk."""
    scene.writer.add(scene.spaces[0], lambda: scene.spaces[0].core.write([], 0), scene.settle, scene)


def a_full_disk(scene: Scene) -> None:
    """Set a key where there is no room."""
    scene.disk.disk.quota = 0
    scene.add("k")


def a_moment_of_it(scene: Scene) -> None:
    """Set a key where there is no room for both, and then for one."""
    scene.disk.fail_next(QuotaExceeded("full"))
    scene.add("k")


def a_broken_disk(scene: Scene) -> None:
    """Set a key on a disk that does not work."""
    scene.disk.fail_next(StorageFailed("broken"))
    scene.add("k")


def a_defect(scene: Scene) -> None:
    """Set a key where what is written cannot even be sealed."""

    def seal(done: object) -> Any:
        raise RuntimeError("a defect")

    scene.spaces[0].seal = seal  # type: ignore[method-assign]
    scene.add("k")


def a_checkpoint(scene: Scene) -> None:
    """Set a key where a checkpoint is due, whose state cannot be frozen."""
    scene.spaces[0]._tail_cost = 1 << 30

    def freeze() -> Any:
        raise RuntimeError("a defect")

    scene.spaces[0].freeze = freeze  # type: ignore[method-assign]
    scene.add("k")


BEGUN: list[tuple[Callable[[Scene], None], list[str]]] = [
    (a_write, ["settled", "flushed", "announced"]),
    (nothing_new, ["settled", "flushed", "announced"]),
    (a_full_disk, ["QuotaExceeded", "flushed", "announced"]),
    (a_moment_of_it, ["settled", "flushed", "announced", "announced"]),
    (a_broken_disk, ["StorageFailed", "flushed", "failed"]),
    (a_defect, ["StorageFailed", "flushed", "failed"]),
    (a_checkpoint, ["StorageFailed", "flushed", "failed"]),
]


@pytest.mark.parametrize(("prepare", "expected"), BEGUN, ids=[case[0].__name__ for case in BEGUN])
async def test_nothing_is_heard_inside_begin(prepare: Callable[[Scene], None], expected: list[str]) -> None:
    """While begin() runs nothing is settled, told or taken back, whatever the disk says and however fast."""
    scene = await Scene().open()
    prepare(scene)
    before = scene.held()
    scene.writer.begin()
    assert (scene.heard, scene.held()) == ([], before)
    assert scene.writer.busy
    await scene.writer.idle()
    assert scene.heard == expected


async def test_the_disk_is_asked_at_once_where_python_can(writer_start: str) -> None:
    """With an eager start the disk has what is to be written when begin() returns; else after one trip."""
    scene = await Scene().open()
    scene.disk.gate = asyncio.get_running_loop().create_future()
    scene.add("k")
    scene.writer.begin()
    assert scene.disk.asked == (1 if writer_start == "eager" else 0)
    await asyncio.sleep(0)
    assert scene.disk.asked == 1
    scene.disk.gate.set_result(None)
    await scene.writer.idle()


async def test_a_write_is_settled_as_soon_as_the_disk_has_it() -> None:
    """Where the disk takes its time, the write is settled with the trip in which it answers, not one later."""
    scene = await Scene().open()
    scene.disk.gate = asyncio.get_running_loop().create_future()
    scene.add("k")
    scene.writer.begin()
    for _ in range(3):
        await asyncio.sleep(0)
    assert (scene.disk.asked, scene.heard) == (1, [])
    scene.disk.gate.set_result(None)
    await asyncio.sleep(0)
    assert scene.heard == ["settled", "flushed", "announced"]


def test_python_starts_at_once_where_it_can() -> None:
    """The writer's own choice is the eager start, on every Python that has such tasks."""
    fresh = runpy.run_path(str(writer.__file__))
    assert ("start_now" in fresh) == hasattr(asyncio, "eager_task_factory")
    assert fresh["start"] is fresh.get("start_now", fresh["start_soon"])


@pytest.mark.parametrize("waits", [False, True], ids=["on the spot", "later"])
async def test_what_is_written_together_is_whole_or_not_there(waits: bool) -> None:
    """Of two writes of which one alone would fit, none is done, in memory or on the disk."""
    scene = await Scene().open()
    stored = dict(scene.disk.disk.stored)
    scene.disk.disk.quota = scene.disk.disk.used + 20_000
    operations = [
        (scene.spaces[0], scene.operation(0, "small")),
        (scene.spaces[1], scene.operation(1, "large", '"' + 50_000 * "x" + '"')),
    ]
    if waits:
        scene.disk.gate = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.01, scene.disk.gate.set_result, None)
    with pytest.raises(QuotaExceeded):
        await write_together(scene.writer, operations)
    await scene.writer.idle()
    assert scene.held() == [[], []]
    assert scene.disk.disk.stored == stored
    await write_together(scene.writer, operations[:1])  # it would have fitted
    assert scene.held() == [["small"], []]


async def test_who_writes_on_and_on_lets_others_run() -> None:
    """A loop of durable writes leaves the event loop a trip for each, also where the disk answers on the spot."""
    scene = await Scene().open()
    trips = 0

    async def count() -> None:
        nonlocal trips
        while True:
            trips += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(count())
    for n in range(50):
        await write_together(scene.writer, [(scene.spaces[0], scene.operation(0, f"k{n}"))])
    assert trips >= 50
    other.cancel()


async def test_what_is_written_out_of_a_settlement_goes_next() -> None:
    """A write that is done and begun while another is being settled is written right after it."""
    scene = await Scene().open()

    def settle(applied: Applied | None, error: MasqError | None) -> None:
        scene.settle(applied, error)
        scene.add("next")
        scene.writer.begin()

    scene.writer.add(scene.spaces[0], scene.operation(0, "k"), settle, scene)
    scene.writer.begin()
    await scene.writer.idle()
    assert scene.heard == ["settled", "flushed", "announced"] * 2
    assert scene.spaces[0].durable_vector() == scene.spaces[0].core.vector
    assert scene.disk.asked == 2


async def test_what_gathers_for_a_while_goes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes of which more are to come wait a moment for each other, also behind a transaction under way."""
    monkeypatch.setattr(writer, "GATHER_SECONDS", 0.3)  # so long that no other program makes it pass
    scene = await Scene().open()
    scene.disk.gate = asyncio.get_running_loop().create_future()
    scene.add("first")
    scene.writer.begin()
    await asyncio.sleep(0)
    for key in "abc":
        scene.add(key)
        scene.writer.begin_soon()
        await asyncio.sleep(0)
    scene.disk.gate.set_result(None)
    while len(scene.heard) < 3:
        await asyncio.sleep(0)
    assert scene.heard == ["settled", "flushed", "announced"]
    while scene.writer.busy:
        await asyncio.sleep(writer.GATHER_SECONDS)
    assert scene.heard[3:] == ["settled", "settled", "settled", "flushed", "announced"]
    assert scene.disk.asked == 2


@pytest.mark.parametrize("how", ["begin", "idle"])
async def test_what_gathers_goes_at_once_where_somebody_waits_for_it(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has done its last part, or wants all on the disk, does not wait for the others' moment."""
    monkeypatch.setattr(writer, "GATHER_SECONDS", 3600.0)
    scene = await Scene().open()
    scene.add("a")
    scene.writer.begin_soon()
    assert scene.writer.busy
    if how == "begin":
        scene.writer.begin()
    await scene.writer.idle()
    assert scene.heard == ["settled", "flushed", "announced"] and not scene.writer.busy
    await scene.writer.idle()


async def test_only_the_first_or_the_last_of_what_is_pending_is_settled() -> None:
    """Anything else is a defect that stops the writer, and is not taken for what another write had put on the disk."""
    scene = await Scene().open()
    (space, _) = scene.spaces
    first, middle, last = (space.core.write([(key, "1")], 1) for key in "abc")
    space.pending.extend((first, middle, last))
    with pytest.raises(RuntimeError):
        space.settled(middle)
    assert list(space.pending) == [first, middle, last]
    space.settled(last)
    space.settled(first)
    assert list(space.pending) == [middle]


def broken_bookkeeping(scene: Scene) -> None:
    """What was pending is lost: the write reaches the disk, and cannot be settled after that."""
    scene.add("k")
    scene.spaces[0].pending.clear()


def broken_bookkeeping_on_a_full_disk(scene: Scene) -> None:
    """What was pending is lost, and the write cannot even be taken back."""
    scene.disk.fail_next(QuotaExceeded("full"))
    broken_bookkeeping(scene)


def broken_bookkeeping_one_by_one(scene: Scene) -> None:
    """The disk takes no batch, and of its writes, tried one by one, the first is not settled."""
    scene.disk.fail_next(QuotaExceeded("full"))
    scene.add("k")
    real = scene.spaces[0].durable

    def durable(record: bytes) -> None:
        scene.spaces[0].pending.clear()
        real(record)

    scene.spaces[0].durable = durable  # type: ignore[method-assign]


def a_checkpoint_that_cannot_begin(scene: Scene) -> None:
    """The write is settled and told, and then its checkpoint cannot even be begun."""
    scene.spaces[0]._tail_cost = 1 << 30

    def checkpoint(state: object) -> Any:
        raise RuntimeError("a defect")

    scene.spaces[0].checkpoint = checkpoint  # type: ignore[method-assign]
    scene.add("k")


BROKEN: list[tuple[Callable[[Scene], None], list[str], bool]] = [
    (broken_bookkeeping, ["StorageFailed"] * 2 + ["flushed", "failed"], True),
    (broken_bookkeeping_on_a_full_disk, ["StorageFailed"] * 2 + ["flushed", "failed"], False),
    (broken_bookkeeping_one_by_one, ["StorageFailed"] * 2 + ["flushed", "failed"], True),
    (
        a_checkpoint_that_cannot_begin,
        ["settled", "flushed", "announced", "StorageFailed", "flushed", "failed"],
        True,
    ),
]


@pytest.mark.parametrize(
    ("prepare", "expected", "written"), BROKEN, ids=[case[0].__name__ for case in BROKEN]
)
async def test_a_defect_in_what_is_noted_of_writes_ends_the_engine(
    prepare: Callable[[Scene], None], expected: list[str], written: bool
) -> None:
    """All who wait hear of it, each once, and so does the engine; nothing on the disk is taken for not there."""
    scene = await Scene().open()
    prepare(scene)
    records = len(scene.disk.disk.stored)
    scene.disk.gate = asyncio.get_running_loop().create_future()
    scene.writer.begin()
    await asyncio.sleep(0)
    scene.add("behind it")
    scene.writer.begin()
    scene.disk.gate.set_result(None)
    await scene.writer.idle()
    assert scene.heard == expected
    assert len(scene.disk.disk.stored) == records + written
    assert not written or scene.spaces[0].core.has("k")  # the disk has it, and memory too
    stored, scene.heard = dict(scene.disk.disk.stored), []
    scene.add("after it")  # where the next record belongs is not known
    scene.writer.begin()
    assert scene.heard == []
    await scene.writer.idle()
    assert scene.heard == ["StorageFailed", "flushed", "failed"]
    assert scene.disk.disk.stored == stored and not scene.spaces[0].core.has("after it")
