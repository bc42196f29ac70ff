"""The store's end of a line: one partition at the other end, and the table of all that are there just now.

A partition asks like an app: its request is filed under the nonce of the window that is open about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from masq.messages import JsonObject
from masq_store.core.enrolment import messages as wire
from masq_store.core.profile.claims import AppClaims
from masq_store.core.profile.home_layout import Identity
from masq_store.engine.enrolment.port_line import PortLine
from masq_store.engine.profile.profile import Profile
from masq_store.engine.store.connected import Page
from masq_store.engine.store.link_offer import LinkOffer

HEAR_SECONDS = 2.0
"""How long a window stays open for a partition that does not say whether it has heard a no."""


class Enrolment:
    """One partition. `asked`: by a window that the person has opened; else its app reaches the store itself by now."""

    def __init__(
        self,
        line: PortLine | LinkOffer,
        *,
        asked: bool,
        page: Page | None,
        said: Callable[[Enrolment, JsonObject], None],
        gone: Callable[[Enrolment], None],
        changed: Callable[[], None],
    ) -> None:
        """`said`, `gone` and `changed` are called as those of a line."""
        self.origin = self.nonce = ""
        self.app = AppClaims("", "", None)  # until it says hello
        self.hello: wire.Hello | None = None
        self.asked = asked
        self.page = page
        """The window that has brought the port, where it was a port."""
        self.space: object = None
        """The app's space while the partition may have it; as for an app's session."""
        self.profile: Profile | None = None
        self.generation = 0
        """Which of the app's spaces it was granted."""
        self.told: wire.Told | None = None
        """What it was told last since then."""
        self.identity: Identity | None = None
        self.damaged = False
        """Whether the copy that was there could not be read, or not all of it."""
        self._heard = asyncio.Event()
        self.line = line
        line.attach(said=partial(said, self), gone=partial(gone, self), changed=changed)

    def deny(self, how: str) -> None:
        """Tell the partition that the person has said no, or nothing."""
        self.line.post(denied=how)

    @property
    def linked(self) -> bool:
        """Whether a link brought it: a person must say yes to that each time."""
        return isinstance(self.line, LinkOffer)

    async def met(self) -> bool:
        """Return once both ends have the same on their disks, or it goes on no more.

        False: the partition is there, and has not got everything, or not passed on everything. Raises what keeps
        this end from taking what the partition has: QuotaExceeded, say; or a partition from getting what it was given.
        """
        return await self.line.met()

    async def heard(self) -> None:
        """Return once the partition has heard a no, or has had the time to: the window's end may be this worker's."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEAR_SECONDS):
                await self._heard.wait()

    def leave_data(self) -> None:
        """Let the app's data go."""
        if self.space is not None and self.profile is not None:
            self.line.leave_data()
            self.profile.release(self.origin)
            self.space = None

    def let_go(self) -> None:
        """Let all of the profile go."""
        self.leave_data()
        self.line.leave_spaces()
        self.profile = None

    def end(self) -> None:
        """Forget the partition; while it has a port here it will find this end silent."""
        self.let_go()
        self.line.close()

    def note_heard(self) -> None:
        """Note that the partition has heard a no."""
        self._heard.set()


class PartitionsHere:
    """All partitions that have a port here just now."""

    def __init__(self) -> None:
        self.all: list[Enrolment] = []

    def granted(self, profile: Profile, origin: str) -> list[Enrolment]:
        """Return the partitions that were granted an app's data of a profile."""
        return [each for each in self.all if each.profile is profile and each.origin == origin]

    def end_app(self, origin: str) -> None:
        """Take an app's space out of all partitions' hands."""
        for enrolment in self.all:
            if enrolment.origin == origin:
                enrolment.leave_data()
