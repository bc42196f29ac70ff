"""The proof that it is the person: the passphrase of the active profile, which can be tried only so often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from masq_store.core.errors import PassphraseNeeded, WrongPassphrase
from masq_store.core.profile.passphrase_tries import Tries
from masq_store.engine.store.active_profile import ActiveProfile
from masq_store.engine.store.services import Services


class PassphraseProof:
    """Asks for a passphrase, and counts the wrong ones."""

    def __init__(self, services: Services, active: ActiveProfile) -> None:
        self._vault, self._now_ms = services.vault, services.now_ms
        self._active = active
        self._tries: dict[str, Tries] = {}  # by profile: going to another one and back gives no new ones

    async def prove(self, passphrase: str) -> None:
        """See that it is the person: for what outlives the lock. Whoever calls this holds `changing`.

        A profile without a passphrase asks for nothing. Raises PassphraseNeeded, WrongPassphrase, Locked.
        """
        self._active.get()
        if not self._vault.has_passphrase:
            return
        if not passphrase:
            raise PassphraseNeeded()
        async with self.trying():
            await self._vault.root_by_passphrase(passphrase)

    @asynccontextmanager
    async def trying(self) -> AsyncIterator[None]:
        """Count a wrong passphrase; while the wait for the next try lasts, refuse without looking."""
        active = self._vault.active
        tries = self._tries.setdefault(active["id"] if active else "", Tries())
        wait = tries.wait_seconds(self._now_ms())
        if wait:
            raise WrongPassphrase(wait)
        try:
            yield
        except WrongPassphrase:
            raise WrongPassphrase(tries.wrong(self._now_ms())) from None
        tries.right()
