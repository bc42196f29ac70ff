"""A store that is locked, or dies while it is being locked."""

from __future__ import annotations

from typing import Any

import pytest
from engine_rig import APP, Rig

from masq_store.core.crypto import key_schedule


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few iterations: these tests unlock hundreds of times."""
    monkeypatch.setattr(key_schedule, "PBKDF2_ITERATIONS", 10)


async def locked_rig(stay: bool = False) -> tuple[Rig, Any, Any]:
    """Return a rig with a profile under the passphrase "one", a page, and a tab of an approved app."""
    rig = await Rig().start()
    page = rig.page()
    assert (await page.call("create_profile", "Ann", "one", stay))["profile"]["locked"] is False
    tab = await rig.approved(APP)
    await tab.call("set", "k", 1)
    return rig, page, tab


class Killed(BaseException):
    """The process has gone."""
