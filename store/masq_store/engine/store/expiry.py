"""Expiry: what is erased once its time is over. Looked for when the engine starts, and every hour.

The trash of a profile is swept while that is open, and when it opens: only then it is known that nothing uses it again.
"""

from __future__ import annotations

from contextlib import suppress

from masq.errors import QuotaExceeded
from masq_store.engine.store.active_profile import ActiveProfile
from masq_store.engine.store.profile_change import ProfileChange
from masq_store.engine.store.services import Services
from masq_store.engine.throttle import Throttle

LOOK_SECONDS = 3600.0
"""The polling interval, in seconds, of whether something is over."""


class Expiry:
    """Erases what its person did not decide about in time: the trash, and a removed profile."""

    def __init__(self, services: Services, active: ActiveProfile, change: ProfileChange) -> None:
        self._services = services
        self._active = active
        self._change = change
        self._looking = Throttle(LOOK_SECONDS, self._look)

    def begin(self) -> None:
        """Look from now on."""
        self._looking.ask()

    def stop(self) -> None:
        """Look no more."""
        self._looking.cancel()

    async def look(self) -> None:
        """Erase what is over, and go on with what is left."""
        active, tell_pages = self._active, self._services.connected.tell_pages
        async with active.changing:
            before = self._change.standing()
            try:
                erased = await self.erase()
            except Exception:
                await self._change.open_as(before)
                raise
            if erased:
                await self._change.open_as(before)
                tell_pages(["overview"])
            if active.profile is not None:
                await active.profile.tidy(self._services.now_ms())
                tell_pages(["overview"])

    async def erase(self) -> bool:
        """Erase the profiles that this device was removed from and nobody here has kept. Holds `changing`.

        Returns whether there were any.
        """
        vault = self._services.vault
        overdue = vault.overdue(self._services.now_ms())
        if vault.active is not None and vault.active["id"] in overdue:
            await self._active.close()
        for profile in overdue:
            with suppress(QuotaExceeded):  # a disk too full for the word about it: at the next look
                await vault.delete(profile, removed=True)
        return bool(overdue)

    def _look(self) -> None:
        self.begin()
        self._services.tasks.start(self.look())
