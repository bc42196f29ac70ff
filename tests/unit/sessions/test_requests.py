"""An answer is for the app that the person was shown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_rig import APP, OTHER, Rig

from masq.errors import ProtocolError

NONCE = "ab" * 16


async def test_allow_is_for_the_origin_that_was_shown() -> None:
    """Where the request under a nonce is another app's than the one that the page has shown, nothing is allowed."""
    rig = await Rig().start()
    page = rig.page()
    await page.call("create_profile", "Ann", "", True)
    rig.app(OTHER, NONCE)
    answer: Any = await page.call("answer", NONCE, True, APP)
    assert answer[0] == "ProtocolError"
    assert rig.engine.profile is not None and rig.engine.profile.approved() == []
    assert await page.call("answer", NONCE, True, OTHER) is True
    assert rig.engine.profile.approved() == [OTHER]


async def test_an_answer_that_names_no_origin_is_none() -> None:
    """A page must say which app it has shown."""
    rig = await Rig().start()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    page = rig.page()
    await page.call("create_profile", "Ann", "", True)
    rig.app(APP, NONCE)
    answer: Any = await page.call("answer", NONCE, True)
    assert answer[0] == "ProtocolError"
    assert rig.engine.profile is not None and rig.engine.profile.approved() == []


async def test_a_nonce_stays_its_first_apps() -> None:
    """After the app has gone, its nonce is no other app's, and its own again."""
    rig = await Rig().start()
    tab = rig.app(APP, NONCE)
    rig.engine.detach(tab.session)  # type: ignore[attr-defined]
    with pytest.raises(ProtocolError):
        rig.app(OTHER, NONCE)
    rig.app(APP, NONCE)
