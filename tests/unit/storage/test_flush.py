"""`flush`: it is answered once all that was written before it is on the disk itself."""

from __future__ import annotations

import asyncio
import json

import pytest
from engine_rig import Rig
from fake_port import opened
from memory import MemoryBackend

from masq.errors import QuotaExceeded
from masq_store.core.errors import StorageFailed


class SlowBackend(MemoryBackend):
    """A disk that notes in `done` what it has done, and does it when `gate` is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.done: list[str] = []

    async def write(self, *batch: object) -> None:  # type: ignore[override]
        """Note a batch."""
        await self.gate.wait()
        await super().write(*batch)  # type: ignore[arg-type]
        self.done.append("write")

    async def flush(self) -> None:
        """Note a flush."""
        await self.gate.wait()
        await super().flush()
        self.done.append("flush")


async def test_a_flush_comes_after_all_that_was_written_before_it() -> None:
    """What is on its way and what has gathered goes to the disk first; the app's later calls do not wait for it."""
    backend = SlowBackend()
    tab = await (await Rig(backend).start()).approved()
    backend.gate.clear()
    backend.done.clear()
    calls = [[101, "set", "a", 1], [102, "set", "b", 2], [103, "flush"], [104, "get", "b"]]
    tab.port.say(json.dumps({"masq": 1, "calls": calls[:1]}))
    tab.port.say(json.dumps({"masq": 1, "calls": calls[1:]}))
    assert await tab.reply(104) == [2]
    assert [reply[0] for reply in tab.replies() if reply[0] > 100] == [104]
    backend.gate.set()
    assert await tab.reply(103) is None
    assert [reply[0] for reply in tab.replies() if reply[0] > 100] == [104, 101, 102, 103]
    assert backend.done[-1] == "flush" and set(backend.done[:-1]) == {"write"}


async def test_whoever_asks_meanwhile_shares_the_next_flush() -> None:
    """A thousand flushes of an app cost the disk a few."""
    backend = SlowBackend()
    tab = await (await Rig(backend).start()).approved()
    assert await tab.call("flush") is None
    backend.done.clear()
    assert await tab.calls(*[("flush",)] * 1000) == [None] * 1000
    assert 0 < backend.done.count("flush") < 100 and "write" not in backend.done


async def test_a_flush_that_fails_says_so() -> None:
    """The error of the disk is the call's; the one after it is tried anew."""
    rig = await Rig().start()
    tab = await rig.approved()
    rig.backend.fail_next(QuotaExceeded("the disk is full", kind="device"))
    code, _, fields = await tab.call("flush")
    assert (code, fields["kind"]) == ("QuotaExceeded", "device")
    assert await tab.call("flush") is None
    rig.backend.fail_next(StorageFailed("the disk is gone"))
    assert (await tab.call("flush"))[0] == "Disconnected"
    assert [str(failure) for failure in rig.failures] == [str(StorageFailed("the disk is gone"))]


async def test_a_write_that_did_not_fit_does_not_hold_a_flush_up() -> None:
    """It fails alone, and what was written beside it is flushed."""
    backend = SlowBackend()
    tab = await (await Rig(backend).start()).approved()
    backend.fail_next(QuotaExceeded("the disk is full"))
    backend.fail_next(QuotaExceeded("the disk is full"))
    first, second, flushed = await tab.calls(("set", "a", 1), ("set", "b", 2), ("flush",))
    assert (first[0], second, flushed) == ("QuotaExceeded", None, None)
    assert backend.done[-2:] == ["write", "flush"]


@pytest.mark.within(10)
async def test_the_client_asks_for_it() -> None:
    """`await store.flush()` is a call like the others: it travels with them, in order, and gives None."""
    store, fake = opened()
    store.set("a", 1)
    assert await store.flush() is None
    assert [call[1] for call in fake.calls()] == ["set", "flush"] and len(fake.messages) == 1
