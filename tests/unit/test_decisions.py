"""What the person decides while the disk is full or damaged, apps write, or a newer engine takes over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_rig import APP, Rig
from test_engine import run

from masq.errors import QuotaExceeded
from masq_store.core import keys


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few iterations: these tests unlock often."""
    monkeypatch.setattr(keys, "PBKDF2_ITERATIONS", 10)


async def locked_rig() -> tuple[Rig, Any, Any]:
    """Return a rig with a profile under the passphrase "one", a page, and a tab of an approved app."""
    rig = await Rig().start()
    page = rig.page()
    await page.call("create_profile", "Ann", "one", False)
    tab = await rig.approved(APP)
    await tab.call("set", "k", 1)
    return rig, page, tab


def refuse(rig: Rig, wanted: str, error: type[Exception] = QuotaExceeded) -> None:
    """Let the disk refuse what touches a key that begins with `wanted`."""
    write = rig.backend.write

    async def narrow(puts: Any, drops: Any = ()) -> None:
        if any(name.startswith(wanted) for name, _ in [*puts, *drops]):
            raise error("full")
        await write(puts, drops)

    rig.backend.write = narrow  # type: ignore[method-assign]


# Backups ---------------------------------------------------------------------------------------------------


def test_a_backup_that_outlasts_a_lock_harms_nothing() -> None:
    """Locked and unlocked while a backup is made: nothing is written for the profile as it was opened before."""

    async def scenario() -> None:
        rig = await Rig().start()
        page = rig.page()
        await page.call("create_profile", "Ann", "one", False)
        seal = rig.crypto.seal
        reached, go = asyncio.Event(), asyncio.Event()

        async def slow(key: Any, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
            if b"masq/v1/backup-record" in associated:
                reached.set()
                await go.wait()
            return await seal(key, nonce, plaintext, associated)

        rig.crypto.seal = slow  # type: ignore[method-assign]
        making = asyncio.create_task(page.call("write_backup", "of the file", None))
        await asyncio.wait_for(reached.wait(), 5)
        await rig.engine.person.lock()
        await rig.engine.person.unlock("one", False)
        await rig.approved(APP)  # the home space's next records, by the profile opened anew
        go.set()
        assert (await making)["pieces"] == 1
        await rig.engine.person.remind_later()
        await rig.restart()
        await rig.engine.person.unlock("one", False)
        assert rig.engine.profile is not None and rig.engine.profile.app(APP) is not None

    run(scenario())


def test_a_full_disk_can_be_backed_up() -> None:
    """That a backup was made is noted where there is room; the file comes all the same."""

    async def scenario() -> None:
        rig = await Rig().start()
        await rig.approved(APP)
        page = rig.page()
        refuse(rig, "")
        assert (await page.call("write_backup", "of the file", None))["pieces"] == 1

    run(scenario())
