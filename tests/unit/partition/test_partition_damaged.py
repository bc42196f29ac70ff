"""A copy in a partition that cannot be read: it is set aside, and another one comes in its place."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asynchronous import until
from engine_rig import APP, Peer, Rig
from partition_rig import Apart, enrolled

from masq_store.core.errors import DamagedData
from masq_store.engine.sessions.idle import LOOK_SECONDS
from masq_store.engine.storage import open_space
from masq_store.engine.storage.trash import KEPT_MS


async def a_copy(passphrase: str = "") -> tuple[Rig, Apart, Peer, str]:
    """Return a store, a partition with five entries that only it has and one that both have, a tab, its data."""
    rig, apart, tab = await enrolled("both", passphrase)
    apart.cut()
    for number in range(1, 6):
        await tab.call("set", f"k{number}", number)
    return rig, apart, tab, apart.partition.copies[APP].data._journal.removesuffix("journal/")


def harm(apart: Apart, *names: str) -> None:
    """Alter a byte of what is sealed in each of these records."""
    stored = apart.backend.disk.stored
    for name in names:
        content = bytearray(stored[name])
        content[-40] ^= 1
        stored[name] = bytes(content)


def harmed(apart: Apart, space: str, what: str) -> list[int]:
    """Damage a copy's space; return the numbers of the entries that can be read no more."""
    stored = apart.backend.disk.stored
    records = sorted(key for key in stored if key.startswith(space + "journal/"))
    match what:
        case "one":
            harm(apart, records[-3])
            return [3]
        case "all":
            harm(apart, *records)
            return [1, 2, 3, 4, 5]
        case "checkpoint":
            harm(apart, *(key for key in stored if key.startswith(space + "checkpoint/")))
            return []
        case "gap":
            del stored[records[-4]]
            return [2, 3]  # the next one is bound to it
    raise AssertionError(what)


@pytest.mark.parametrize("what", ["one", "all", "checkpoint", "gap"])
@pytest.mark.parametrize("passphrase", ["", "right"])
async def test_a_damaged_copy_is_no_dead_end(what: str, passphrase: str) -> None:
    """One click brings it back, with what the store has and all that can be read; what was there is not overwritten."""
    rig, apart, _, space = await a_copy(passphrase)
    apart.cut()
    await apart.partition.stop()
    lost = harmed(apart, space, what)
    before = {key: content for key, content in apart.backend.disk.stored.items() if key.startswith("space/")}
    await apart.restart()
    tab = apart.app()
    await tab.status(state="locked")
    nonce = apart.click(tab)
    request = await rig.engine.commands.request(nonce)
    assert request is not None and request["registered"]
    assert await rig.engine.commands.answer(nonce, True) is None
    await tab.status(state="ready", sync="live")
    wanted = ["both", *(f"k{number}" for number in range(1, 6) if number not in lost)]
    assert await tab.call("keys", "") == wanted
    assert before.items() <= apart.backend.disk.stored.items()
    assert rig.engine.profile is not None
    assert (await rig.engine.profile.space(APP)).core.keys("") == wanted
    await tab.call("set", "after", 1)
    apart.cut()
    await apart.restart()
    tab = apart.app()
    await tab.status(state="locked" if passphrase else "ready")
    await apart.connect(tab)
    assert await tab.call("keys", "") == ["after", *wanted]
    copies = rig.engine.parts.devices.describe_copies()
    assert len(copies) == 1  # it is the device that it was
    await rig.engine.device_commands.remove(copies[0]["id"])
    await until(lambda: not any(key.startswith("space/") for key in apart.backend.disk.stored))


async def test_what_was_set_aside_goes_after_30_days() -> None:
    """Not before, and the copy in its place goes on; with the copy itself it goes at once."""
    rig, apart, _, space = await a_copy()
    await apart.partition.stop()
    harmed(apart, space, "all")
    await apart.restart()
    tab = await apart.connected()
    aside = [key for key in apart.backend.disk.stored if key.startswith(space)]
    assert aside
    rig.now += KEPT_MS - 1
    await asyncio.sleep(LOOK_SECONDS + 1)
    assert [key for key in apart.backend.disk.stored if key.startswith(space)] == aside
    rig.now += 1
    await asyncio.sleep(LOOK_SECONDS + 1)
    assert not [key for key in apart.backend.disk.stored if key.startswith(space)]
    assert await tab.call("keys", "") == ["both"]


async def test_a_copy_that_the_disk_has_lost_in_part_comes_back_too() -> None:
    """The browser gives nothing of where a record is lost: what the store has is there, and the rest is told of."""
    rig, apart, _, space = await a_copy()
    await apart.partition.stop()
    await apart.restart()
    scan = apart.backend.scan

    async def lost(prefix: str) -> Any:
        if prefix.startswith(space):
            raise DamagedData("something that the browser cannot read any more (NotFoundError)")
        return await scan(prefix)

    apart.backend.scan = lost  # type: ignore[method-assign]
    tab = apart.app()
    await tab.status(state="locked")
    nonce = apart.click(tab)
    assert await rig.engine.commands.request(nonce)
    assert await rig.engine.commands.answer(nonce, True) is None
    await tab.status(state="ready")
    assert await tab.call("keys", "") == ["both"]


async def test_a_copy_that_was_killed_while_it_was_set_aside_still_gets_what_can_be_read() -> None:
    """What could be read is merged at the next opening where it was not before."""
    rig, apart, _, space = await a_copy()
    await apart.partition.stop()
    harmed(apart, space, "one")
    await apart.restart()
    apart.partition._copies._bring_over = lambda copy: asyncio.sleep(0)  # type: ignore[assignment, method-assign, return-value]
    tab = await apart.connected()
    assert await tab.call("keys", "") == ["both"]
    await apart.restart()
    tab = apart.app()
    await tab.status(state="ready")
    assert await tab.call("keys", "") == ["both", "k1", "k2", "k4", "k5"]
    record = next(
        json.loads(text) for key, text in apart.backend.disk.stored.items() if key.startswith("copy/")
    )
    assert [each["read"] for each in record["aside"]] == [True]
    del rig


async def test_a_tab_that_cannot_be_told_of_the_reading_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A copy is opened for all the app's tabs, whatever becomes of the word to one of them; the defect is seen."""
    monkeypatch.setattr(open_space, "PAUSE_SECONDS", 0)
    _, apart, _, _ = await a_copy()
    await apart.restart()
    seen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context["exception"]))
    heard: list[Peer] = []
    tabs = [apart.app() for _ in range(2)]

    def gone() -> None:
        raise LookupError("its port has gone")

    tabs[0].session.on_reading = gone  # type: ignore[attr-defined]
    tabs[1].session.on_reading = lambda: heard.append(tabs[1])  # type: ignore[attr-defined]
    for tab in tabs:
        await tab.status(state="ready")
    assert heard and seen and all(isinstance(error, LookupError) for error in seen)
