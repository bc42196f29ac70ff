"""What is erased once its time is over: looked for when the engine starts, and every hour.

The trash of a profile is swept while that is open, and when it opens: only then it is known that nothing uses it again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from masq.errors import QuotaExceeded

if TYPE_CHECKING:
    from masq_store.engine.engine import Engine

LOOK_SECONDS = 3600.0
"""How often it is looked whether something is over."""


class Expiry:
    """Erases what has waited for its person in vain."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looking: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look from now on."""
        self._looking = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._looking:
            self._looking.cancel()
            self._looking = None

    async def look(self) -> None:
        """Erase what is over, and go on with what is left."""
        engine = self._engine
        async with engine.changing:
            before = engine.standing()
            try:
                erased = await self.erase()
            except Exception:
                await engine.open_as(before)
                raise
            if erased:
                await engine.open_as(before)
                engine.tell_pages(["overview"])
            if engine.profile is not None:
                await engine.profile.tidy(engine.now_ms())
                engine.tell_pages(["overview"])

    async def erase(self) -> bool:
        """Erase the profiles that this device was removed from and nobody here has kept. Holds `changing`.

        Returns whether there were any.
        """
        engine = self._engine
        overdue = engine.vault.overdue(engine.now_ms())
        active = engine.vault.active
        if active is not None and active["id"] in overdue:
            await engine.close_profile()
        for profile in overdue:
            with suppress(QuotaExceeded):  # a disk too full for the word about it: at the next look
                await engine.vault.delete(profile, removed=True)
        return bool(overdue)

    def _look(self) -> None:
        self.begin()
        self._engine.soon(self.look())
