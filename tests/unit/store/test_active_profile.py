"""Who goes along with the active profile: each is told in its turn, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_rig import with_profile

from masq_store.engine.profile.profile import Profile
from masq_store.engine.profile.vault import Unlocked
from masq_store.engine.store.active_profile import ActiveProfile, Follower

pytestmark = pytest.mark.within(60)


class Told(Follower):
    """Writes down what it is told, and fails where that is `fails`."""

    def __init__(self, name: str, active: ActiveProfile, heard: list[str], fails: str = "") -> None:
        self.name, self.active, self.heard, self.fails = name, active, heard, fails

    async def opened(self, profile: Profile) -> None:
        """Note it."""
        assert self.active.profile is profile
        self._note("opened")

    async def closing(self) -> None:
        """Note it, while the spaces are there."""
        assert self.active.profile is not None
        self._note("closing")

    async def closed(self) -> None:
        """Note it, once they are not."""
        assert self.active.profile is None
        self._note("closed")

    async def left_closed(self) -> None:
        """Note it."""
        assert self.active.profile is None
        self._note("left")

    def _note(self, what: str) -> None:
        self.heard.append(f"{self.name} {what}")
        if what == self.fails:
            raise ZeroDivisionError("what nobody foresaw")


async def followed(heard: list[str], fails: str = "") -> tuple[ActiveProfile, Unlocked, list[Any]]:
    """Return a profile that is closed, with two followers, what opens it, and what is told of defects."""
    rig = await with_profile("words", True)
    parts, profile = rig.engine.parts, rig.engine.profile
    assert profile is not None
    await parts.active.close()
    active, told = ActiveProfile(parts.services), []
    a, b = Told("a", active, heard, fails), Told("b", active, heard)
    active.follow(opening=(a, b), closing=(b, a))
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))
    return active, profile.secrets, told


CLOSE = ["b closing", "a closing", "b closed", "a closed"]


async def test_followers_are_told_in_their_orders() -> None:
    """They hear of the opening in one order, of the closing in another, and at last that it is left closed."""
    heard: list[str] = []
    active, secrets, _ = await followed(heard)
    await active.open(secrets)
    await active.lock()
    assert heard == ["a opened", "b opened", *CLOSE, "b left", "a left"]
    heard.clear()
    await active.close()
    assert heard == []  # there was nothing to close


async def test_who_fails_to_open_closes_it_for_all() -> None:
    """Where one cannot take the profile up, those after it are not asked to, and all hear that it closes."""
    heard: list[str] = []
    active, secrets, told = await followed(heard, "opened")
    with pytest.raises(ZeroDivisionError):
        await active.open(secrets)
    assert heard == ["a opened", *CLOSE]
    assert active.profile is None and told == []


@pytest.mark.parametrize("fails", ["closing", "closed"])
async def test_who_fails_to_close_keeps_nobody_from_it(fails: str) -> None:
    """Where one cannot let the profile go, the others do, it is locked, and the defect is raised."""
    heard: list[str] = []
    active, secrets, told = await followed(heard, fails)
    await active.open(secrets)
    heard.clear()
    with pytest.raises(ZeroDivisionError):
        await active.lock()
    assert heard == [*CLOSE, "b left", "a left"]
    assert active.profile is None and told == []


async def test_what_is_heard_while_a_profile_closes_is_not_known_of_the_next() -> None:
    """The sync and the writer end after the parts that they tell: those begin anew when a profile opens."""
    rig = await with_profile("words", True)
    parts, profile = rig.engine.parts, rig.engine.profile
    assert profile is not None
    await parts.active.close()
    parts.devices.online.add("0123456789abcdef")  # as its presence does at a word that comes now
    parts.rosters._unsaid.add("https://counter.example")  # as a write that fails now
    await parts.active.open(profile.secrets)
    assert not parts.devices.online and not parts.rosters._unsaid
    await rig.engine.stop()
