"""What stands in the home space is a claim: whatever a device has written there, the store starts and can be saved."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_rig import APP, OTHER, Rig
from home_values import VALUES

from masq.messages import encode
from masq_store.core.errors import Superseded
from masq_store.core.space.clock import Stamp
from masq_store.core.space.register import Change, Register
from masq_store.engine.profile.backup import read_backup, restore, write_backup
from masq_store.engine.storage.together import write_together

pytestmark = pytest.mark.real_time

WRITER = "d" * 16
"""The replica of a device that writes what no device of this version does."""

KEYS = (
    f"app/{APP}", f"app/{OTHER}", "app/null", "app/", f"used/{APP}", "backup", "relay", "device/zz", "seen/zz", "seen/",
    "removed/zz", "quiet/zz", f"quiet/zz/{APP}", f"roster/{APP}", "roster/\x00x", "of a later version/1",
)  # fmt: skip


async def _write(rig: Rig, entries: dict[str, Any]) -> None:
    """Have the home space read what another device wrote, later than all that this one has."""
    profile = rig.engine.profile
    assert profile is not None
    home, before = profile.home, len(profile.home.core.vector)
    changes = [
        Change(WRITER, n, key, Register(Stamp(rig.now + 1, 0, WRITER), n, encode(value)))
        for n, (key, value) in enumerate(entries.items(), 1)
    ]
    await write_together(
        rig.engine.writer, [(home, lambda: home.core.merge(changes, {WRITER: len(changes)}))]
    )
    assert len(home.core.vector) > before


async def _works(rig: Rig) -> None:
    """See that the pages have what they show, and that a backup can be made and is one."""
    shown = await rig.page().call("overview")
    assert isinstance(shown, dict) and shown["profile"]["name"] == "Ann", shown
    profile = rig.engine.profile
    assert profile is not None
    made = await write_backup(profile, rig.crypto, "a passphrase", now_ms=rig.now, iterations=1000)
    saved = await read_backup(rig.crypto, made, "a passphrase")
    assert saved.spaces[OTHER].items() == [("k", '"v"')]


@pytest.mark.parametrize("what", VALUES)
async def test_no_row_of_the_home_space_stops_the_store(what: str) -> None:
    """Rows that no device of this version writes come in: the store goes on, starts anew, and is backed up."""
    rig = await Rig().start()
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    tab = await rig.approved(OTHER)
    assert await tab.call("set", "k", "v") is None
    await _write(rig, {key: VALUES[what] for key in KEYS if key != f"app/{OTHER}"})
    await _works(rig)
    await rig.restart()
    await _works(rig)
    again = rig.app(OTHER)
    await again.status(state="ready")
    assert await again.call("get", "k") == ["v"]
    await _write_over(rig)
    assert failures == []
    # What the engine before the restart had still to write it may not write any more.
    assert [each for each in rig.failures if not isinstance(each, Superseded)] == []
    await rig.engine.stop()


async def _write_over(rig: Rig) -> None:
    """Approve the app whose registration could not be read: it is an app like others again."""
    tab = await rig.approved(APP)
    assert await tab.call("set", "k", "v") is None


@pytest.mark.parametrize("what", ["a number", "nothing", "a generation below zero"])
async def test_a_backup_heals_a_registration_that_cannot_be_read(what: str) -> None:
    """A registration that another device has spoiled, with the later stamp, is there again after a restore."""
    rig = await Rig().start()
    await rig.approved(OTHER)
    profile = rig.engine.profile
    assert profile is not None
    await profile.erase(OTHER, rig.now)  # so that it is not the first generation that must be found again
    tab = await rig.approved(OTHER)
    await tab.call("set", "k", "v")
    made = await write_backup(profile, rig.crypto, "a passphrase", now_ms=rig.now, iterations=1000)
    await _write(rig, {f"app/{OTHER}": VALUES[what]})
    assert (await rig.page().call("overview"))["apps"] == []
    saved = await read_backup(rig.crypto, made, "a passphrase")
    await restore(profile, rig.engine.writer, saved, now_ms=rig.now)
    assert profile.generation(OTHER) == 1
    assert [app["origin"] for app in (await rig.page().call("overview"))["apps"]] == [OTHER]
    again = rig.app(OTHER)
    await again.status(state="ready")
    assert await again.call("get", "k") == ["v"]
    await rig.engine.stop()
