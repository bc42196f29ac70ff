"""A disk that fails, for a moment, for good, or in one place: what goes on, what is tried again, who hears of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asynchronous import until
from engine_rig import OTHER, Rig, code, with_profile
from memory import MemoryBackend, MemoryDisk
from partition_rig import Apart, kept_apart

from masq.errors import MasqError, QuotaExceeded, StorageUnavailable
from masq_store.browser.engine_start import REMEDY, started
from masq_store.core.errors import DamagedData, StorageFailed
from masq_store.engine.storage import disk_keys

pytestmark = pytest.mark.within(60)

REASON = "the browser did not read its disk (UnknownError)"


def failing(disk: MemoryDisk, at: int) -> tuple[MemoryBackend, list[int]]:
    """Return a backend that loses its database at operation number `at`, and what is left until then."""
    backend, left = MemoryBackend(disk), [at]

    def counted(work: Any) -> Any:
        async def operation(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise StorageFailed(REASON)
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


async def test_a_disk_that_fails_for_a_moment_is_asked_again() -> None:
    """Wherever in its start the disk fails, the store comes up at the next try with what was kept, and works."""
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


async def test_a_disk_that_fails_as_an_app_comes() -> None:
    """An engine whose disk fails when it opens an app's data says so; the app is served by the engine after it."""
    rig = await Rig().start()
    tab = await rig.approved()
    await tab.call("set", "a", 1)
    await rig.engine.stop()
    rig.backend, left = failing(rig.backend.disk, 1000)
    rig.engine = rig._engine()
    await rig.engine.start()
    left[0] = 0
    tab = rig.app()
    await until(lambda: rig.failures)
    assert isinstance(rig.failures[0], StorageFailed)
    assert tab.port.heard == []  # neither an error nor that it is a stranger
    await rig.engine.stop()
    (port, state) = [(port, state) for _, port, state in rig.engine.hand_over()][0]
    await started(engines(rig), [].append, [0])
    nonce = state["app"].pop("nonce")
    session = rig.engine.attach(port, state["origin"], nonce, state["app"])
    session.resume((), state["seen"], state["early"], state["shown"])
    await tab.status(state="ready")
    assert await tab.call("get", "a") == [1]


async def test_a_disk_that_fails_under_a_page() -> None:
    """A page whose call met the failing disk is told, and so is whoever runs the engine."""
    rig = await Rig().start()
    await rig.approved()
    await rig.engine.stop()
    rig.backend, left = failing(rig.backend.disk, 1000)
    rig.engine = rig._engine()
    await rig.engine.start()
    left[0] = 0
    assert code(await rig.page().call("create_profile", "Bob", "", True)) == "Disconnected"
    await asyncio.sleep(0)  # the answer goes out first
    assert isinstance(rig.failures[0], StorageFailed)


async def test_a_partitions_disk_too() -> None:
    """A partition whose disk fails as it starts has its copy at the next try."""
    rig, apart, tab = await kept_apart()
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


async def test_a_partitions_disk_that_fails_as_an_app_comes() -> None:
    """The app does not hear that it is a stranger: it waits for the next worker."""
    rig = await with_profile()
    apart = await Apart(rig).start()
    await apart.connected()
    apart.cut()
    await apart.partition.stop()
    apart.backend, left = failing(apart.backend.disk, 1000)
    apart.partition = apart._partition()
    await apart.partition.start()
    left[0] = 0
    again = apart.app()
    await until(lambda: apart.failures)
    assert isinstance(apart.failures[0], StorageFailed)
    assert again.port.heard == []


async def test_a_disk_that_fails_as_a_ticket_is_shown() -> None:
    """An app whose frame holds a good ticket does not hear that the profile is locked."""
    rig = await with_profile("correct horse", stay=False)
    tab = await rig.approved()
    ticket = tab.ticket()
    assert ticket
    await rig.engine.stop()
    rig.backend, left = failing(rig.backend.disk, 1000)
    rig.engine = rig._engine()
    await rig.engine.start()
    left[0] = 0
    again = rig.app(ticket=ticket)
    await until(lambda: rig.failures)
    assert isinstance(rig.failures[0], StorageFailed)
    assert again.port.heard == []


@pytest.mark.parametrize("first", [QuotaExceeded("full"), StorageFailed(REASON)])
async def test_a_disk_that_fails_while_a_profile_is_brought_back(first: MasqError) -> None:
    """A new profile finds no room, and the one before cannot be opened again for a moment: the engine ends for that."""
    rig = await Rig().start()
    tab = await rig.approved()
    await tab.call("watch", "", False)
    backend = rig.backend

    async def fail(*arguments: Any) -> Any:
        raise StorageFailed(REASON)

    async def write(*arguments: Any) -> None:
        for name in ("read", "scan", "write"):
            setattr(backend, name, fail)
        raise first

    setattr(backend, "write", write)  # noqa: B010 -- a method, as mypy sees it
    tab.port.heard.clear()
    assert code(await rig.page().call("create_profile", "Bob", "", True)) == first.code
    await until(lambda: rig.failures)
    assert not [message for message in tab.port.heard if "error" in message or "ended" in message]
    assert {status["state"] for status in tab.statuses()} <= {"ready"}


async def test_what_was_lost_is_erased_all_the_same() -> None:
    """An app's data that cannot be read is erased on the person's word, and the store starts again after it."""
    rig = await Rig().start()
    await (await rig.approved()).call("set", "a", 1)
    await (await rig.approved(OTHER)).call("set", "b", 1)
    assert rig.engine.profile is not None
    lost = (await rig.engine.profile.space(OTHER))._checkpoint

    def without(backend: MemoryBackend) -> MemoryBackend:
        def part(work: Any) -> Any:
            async def operation(key: str) -> Any:
                if key.startswith(lost):
                    raise DamagedData("something that the browser cannot read any more (NotFoundError)")
                return await work(key)

            return operation

        for name in ("read", "scan"):
            setattr(backend, name, part(getattr(backend, name)))
        return backend

    async def make() -> Any:
        rig.backend = without(MemoryBackend(rig.backend.disk))
        rig.engine = rig._engine()
        return rig.engine

    await rig.engine.stop()
    rig.engine = await started(make, [].append, [])
    tab, other, page = rig.app(), rig.app(OTHER), rig.page()
    assert await tab.call("get", "a") == [1]
    assert code(await other.call("get", "b")) == "StorageUnavailable"
    assert len((await page.call("overview"))["apps"]) == 2
    await page.call("withdraw", OTHER, True)
    assert not [key for key in rig.backend.disk.stored if key.startswith(lost)]
    await rig.engine.stop()
    rig.engine = await started(make, [].append, [])
    assert await rig.app().call("get", "a") == [1]
    assert rig.failures == []


async def test_a_disk_that_goes_on_failing() -> None:
    """The last try's failure is told as storage that cannot be reached, with what a person can do."""
    rig = await Rig().start()
    await rig.approved()
    await rig.engine.stop()
    said: list[str] = []
    with pytest.raises(StorageUnavailable) as told:
        await started(engines(rig, 0, 1, 2), said.append, [0, 0])
    assert said == [REASON] * 2
    assert told.value.fields == {"reason": REASON, "setting": REMEDY}
    assert told.value.sentence.endswith(f"To change that: {REMEDY}.")


async def test_what_another_try_does_not_mend() -> None:
    """Damaged data is told of at once: it is not a matter of the moment."""
    rig = await Rig().start()
    await rig.approved()
    await rig.engine.stop()
    rig.backend.disk.stored[disk_keys.SCHEMA] = b"?"
    said: list[str] = []
    with pytest.raises(DamagedData):
        await started(engines(rig), said.append, [0])
    assert said == []
