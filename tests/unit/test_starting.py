"""A store whose storage fails as it starts: it is tried again where that may help, and told of where it does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_rig import Rig
from partition_rig import Apart
from test_engine import code, run
from test_partition import with_profile

from masq.errors import Disconnected, StorageUnavailable
from masq_store.browser.starting import REMEDY, started
from masq_store.core.errors import DamagedData
from masq_store.engine import disk
from masq_store.native.memory import MemoryBackend, MemoryDisk

REASON = "the browser did not read its disk (UnknownError)"


def failing(disk: MemoryDisk, at: int) -> tuple[MemoryBackend, list[int]]:
    """Return a backend that loses its database at operation number `at`, and what is left until then."""
    backend, left = MemoryBackend(disk), [at]

    def counted(work: Any) -> Any:
        async def operation(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Disconnected(REASON)
            return await work(*arguments)

        return operation

    for name in ("read", "scan", "write", "claim"):
        setattr(backend, name, counted(getattr(backend, name)))
    return backend, left


def engines(rig: Rig, *ats: int) -> Any:
    """Return what makes the store's engine anew: the first ones over a disk that fails, then over one that works."""
    backends = [failing(rig.backend.disk, at)[0] for at in ats]

    async def make() -> Any:
        rig.backend = backends.pop(0) if backends else MemoryBackend(rig.backend.disk)
        rig.engine = rig._engine()
        return rig.engine

    return make


def test_a_disk_that_fails_for_a_moment_is_asked_again() -> None:
    """Wherever in its start the disk fails, the store comes up at the next try with what was kept, and works."""

    async def scenario() -> None:
        rig = await Rig().start()
        tab = await rig.approved()
        await tab.call("set", "a", 1)
        for count in range(100):
            said: list[str] = []
            await rig.engine.stop()
            await started(engines(rig, count), said.append, [0])
            if not said:
                break
            assert said == [REASON]
            tab = rig.app()
            await tab.status(state="ready")
            assert await tab.call("increment", "n", 1) == count + 1
            assert await tab.call("get", "a") == [1]
        assert 5 < count < 100  # so often a start asks its disk
        assert rig.failures == []

    run(scenario())


def test_a_disk_that_fails_as_an_app_comes() -> None:
    """An engine whose disk fails when it opens an app's data says so; the app is served by the engine after it."""

    async def scenario() -> None:
        rig = await Rig().start()
        tab = await rig.approved()
        await tab.call("set", "a", 1)
        await rig.engine.stop()
        rig.backend, left = failing(rig.backend.disk, 1000)
        rig.engine = rig._engine()
        await rig.engine.start()
        left[0] = 0
        tab = rig.app()
        async with asyncio.timeout(10):
            while not rig.failures:
                await asyncio.sleep(0.01)
        assert isinstance(rig.failures[0], Disconnected)
        assert not [message for message in tab.port.heard if "error" in message]
        (port, state) = [(port, state) for _, port, state in await rig.engine.stop()][0]
        await started(engines(rig), [].append, [0])
        nonce = state["app"].pop("nonce")
        session = rig.engine.attach(port, state["origin"], nonce, state["app"])
        session.resume((), state["seen"], state["early"], state["shown"])
        await tab.status(state="ready")
        assert await tab.call("get", "a") == [1]

    run(scenario())


def test_a_disk_that_fails_under_a_page() -> None:
    """A page whose call met the failing disk is told, and so is whoever runs the engine."""

    async def scenario() -> None:
        rig = await Rig().start()
        await rig.approved()
        await rig.engine.stop()
        rig.backend, left = failing(rig.backend.disk, 1000)
        rig.engine = rig._engine()
        await rig.engine.start()
        left[0] = 0
        assert code(await rig.page().call("create_profile", "Bob", "", True)) == "Disconnected"
        await asyncio.sleep(0)  # the answer goes out first
        assert isinstance(rig.failures[0], Disconnected)

    run(scenario())


def test_a_partitions_disk_too() -> None:
    """A partition whose disk fails as it starts has its copy at the next try."""

    async def scenario() -> None:
        rig = await with_profile()
        apart = await Apart(rig).start()
        tab = apart.app()
        await apart.connect(tab)
        await tab.call("set", "a", 1)
        apart.cut()
        await apart.partition.stop()
        backends = [failing(apart.backend.disk, 1)[0], MemoryBackend(apart.backend.disk)]

        async def make() -> Any:
            apart.backend = backends.pop(0)
            return apart._partition()

        said: list[str] = []
        apart.partition = await started(make, said.append, [0])
        again = apart.app()
        await again.status(state="ready")
        assert await again.call("get", "a") == [1]
        assert said == [REASON]

    run(scenario())


def test_a_disk_that_goes_on_failing() -> None:
    """The last try's failure is told as storage that cannot be reached, with what a person can do."""

    async def scenario() -> None:
        rig = await Rig().start()
        await rig.approved()
        await rig.engine.stop()
        said: list[str] = []
        with pytest.raises(StorageUnavailable) as told:
            await started(engines(rig, 0, 1, 2), said.append, [0, 0])
        assert said == [REASON] * 2
        assert told.value.fields == {"reason": REASON, "setting": REMEDY}
        assert told.value.sentence.endswith(f"To change that: {REMEDY}.")

    run(scenario())


def test_what_another_try_does_not_mend() -> None:
    """Damaged data is told of at once: it is not a matter of the moment."""

    async def scenario() -> None:
        rig = await Rig().start()
        await rig.approved()
        await rig.engine.stop()
        rig.backend.disk.stored[disk.SCHEMA] = b"?"
        said: list[str] = []
        with pytest.raises(DamagedData):
            await started(engines(rig), said.append, [0])
        assert said == []

    run(scenario())
