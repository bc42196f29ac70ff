"""What a copy is told by its person's devices: by its roster, and by a window of the store.

What another copy may have written makes it stricter only; what a window says makes it looser, too.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from masq.errors import QuotaExceeded
from masq_store.core.enrolment.messages import Told
from masq_store.engine.partition.app_copy import AppCopy
from masq_store.engine.partition.open_copies import OpenCopies
from masq_store.engine.partition.services import Services
from masq_store.engine.sessions.table import Sessions

PART_SECONDS = 10.0
"""How long a copy that the person has taken back may take to let others have what only it holds."""

LOOK_SECONDS = 0.1
"""The polling interval, in seconds, of whether they do."""


class Orders:
    """Carries out what the person's devices say of the open copies."""

    def __init__(self, services: Services, sessions: Sessions, copies: OpenCopies) -> None:
        self._services, self._sessions, self._copies = services, sessions, copies

    def heard(self, copy: AppCopy) -> None:
        """Take what the copy's roster says by now."""
        if copy.ended:
            self._services.tasks.start(self._part(copy))
        else:
            self._services.tasks.start(self._heed(copy))
            self._copies.changed()

    async def told(self, copy: AppCopy, told: Told) -> None:
        """Take what a window says since it has granted a copy: its word makes looser, too, and moves the copy.

        Whoever calls this holds `changing`. Raises QuotaExceeded.
        """
        grant = copy.secrets.grant._replace(profile=told.profile, relay=told.relay)
        # A higher turn locks it, so it is not the one in which it was opened.
        secrets = await self._copies.keep(copy, grant.under(told.policy))
        await copy.told(secrets, told)
        copy.locks = copy.locks or told.turn > grant.turn

    async def _heed(self, copy: AppCopy) -> None:
        """Bring a copy to what the profile's devices say: it is made stricter at once, and never looser by a roster."""
        origin = copy.secrets.grant.origin
        async with self._services.changing:
            if self._copies.open.get(origin) is not copy:
                return
            with suppress(QuotaExceeded):  # it holds all the same, and is kept with what is heard next
                copy.secrets = await self._copies.keep(copy, copy.kept_grant)
            await copy.meet()
            copy.locks = copy.locks or copy.is_to_lock
        if copy.locks:
            await self._copies.lock(origin, copy)

    async def _part(self, copy: AppCopy) -> None:
        """End a copy that the person has taken back; what only it holds goes to the others first, if that can be.

        Erased is only what others have: who wrote to the roster may have been another copy, and no device of the
        person's. The rest stays, sealed, until the store grants it anew or its time is over. Where the store has just
        granted it anew, what it had heard before that is over.
        """
        origin = copy.secrets.grant.origin
        self._sessions.refuse(origin)
        with suppress(TimeoutError):
            async with asyncio.timeout(PART_SECONDS):
                while (copy.waiting and not copy.erased and copy.state != "off") or (
                    copy.line is not None and copy.line.hearing
                ):
                    await asyncio.sleep(LOOK_SECONDS)
        async with self._services.changing:
            if self._copies.open.get(origin) is copy and copy.ended:
                await self._copies.forget(origin, aside=copy.waiting > 0)
