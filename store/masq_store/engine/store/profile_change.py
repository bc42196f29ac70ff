"""Another profile in the place of the open one, and everything as it was before where that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from masq_store.core.profile import claims
from masq_store.engine.profile.vault import Unlocked
from masq_store.engine.store.active_profile import ActiveProfile
from masq_store.engine.store.services import Services


class Standing(NamedTuple):
    """Which profile is active (None: there is none), and what opens it, if it is open.

    `closed`: it is not open, and nothing is the matter with it: its person has locked it, or has not opened it yet.
    `approvals`: the apps that are told so.
    """

    active: str | None
    secrets: Unlocked | None
    closed: bool
    approvals: list[str]


class ProfileChange:
    """Closes the active profile for another one, or for what only a closed one lets be done."""

    def __init__(self, services: Services, active: ActiveProfile) -> None:
        self._vault = services.vault
        self._services = services
        self._active = active

    async def make(self, name: str, passphrase: str, stay_unlocked: bool, **known: Any) -> None:
        """Make a profile and open it, in place of the one that was open. Whatever fails, nothing of it stays here.

        `known`: what `Vault.create` is told beyond that, where another device has given the profile. Raises
        InvalidValue.
        """
        async with self._active.changing, self.new_profile(name, passphrase, stay_unlocked, **known):
            pass

    # Only whoever holds `changing` may call these ----------------------------------------------------------

    def standing(self) -> Standing:
        """Return how things stand, for `open_as` if something fails."""
        active = self._active
        secrets = active.profile.secrets if active.profile else None
        closed = secrets is None and active.failure is None
        return Standing(self._active_id(), secrets, closed, active.approvals)

    async def open_as(self, before: Standing) -> None:
        """After something has been done, or has failed: go on as before it. What was closed then stays closed."""
        active = self._active
        if active.profile is None and before.closed and before.active == self._active_id():
            active.failure, active.approvals = None, before.approvals
            await self._services.tasks.attempt(active.leave_closed)
        else:
            await self.open_again(before.secrets)

    async def open_again(self, secrets: Unlocked | None) -> None:
        """After something else has failed: open the profile that was open, or else the active one if that can be.

        One that is not the active one any more is not opened: what is open and what is active are always the same.
        """
        active, attempt = self._active, self._services.tasks.attempt
        if active.profile is None and secrets and secrets.id == self._active_id():
            await attempt(lambda: active.open(secrets))
        if active.profile is None:
            await attempt(active.open_active)

    def _active_id(self) -> str | None:
        return self._vault.active["id"] if self._vault.active else None

    @asynccontextmanager
    async def in_place_of_the_open_one(
        self, undo: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncIterator[None]:
        """Close the open profile while something is done; if that fails, it is undone, and the profile opened again.

        Where none was open, none is afterwards: what its person has locked opens by no accident.

        Whatever the error, also one that nobody foresaw: it leaves no person without a profile.
        """
        attempt = self._services.tasks.attempt
        before = self.standing()
        try:
            await self._active.close()
            yield
        except Exception:  # who is cancelled ends with the engine, and has no disk any more
            await attempt(self._active.close)  # another one, that may have opened
            if undo is not None:
                await attempt(undo)
            await self.open_as(before)
            raise

    @asynccontextmanager
    async def new_profile(
        self, name: str, passphrase: str, stay_unlocked: bool, **known: Any
    ) -> AsyncIterator[None]:
        """Make a profile and open it; where that or what follows fails, all is as it was before.

        `known`: what `Vault.create` is told beyond that.
        """
        vault = self._vault
        claims.check_profile_name(name)
        before = vault.active
        secrets: Unlocked | None = None

        async def unmake() -> None:
            if secrets is None:
                return
            try:
                await vault.delete(secrets.id, before["id"] if before else None)
            except Exception:
                if before:  # it stays, but not in the place of the one before
                    await vault.activate(before["id"])
                raise

        async with self.in_place_of_the_open_one(unmake):
            secrets = await vault.create(name, passphrase, stay_unlocked, self._services.now_ms(), **known)
            await self._active.open(secrets)
            yield
