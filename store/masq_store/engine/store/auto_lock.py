"""The idle lock of the open profile: it locks after some time without use, and survives a reload until then.

A worker may end although the person goes on: a reload of the only page ends it in some browsers, a newer build
everywhere. A profile that does not stay unlocked on the device is opened again by a ticket: random bytes that
the pages and frames hold while they are open, under which the root key stands on disk for a little while.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from masq.errors import MasqError, ProtocolError, QuotaExceeded
from masq_store.core.crypto import key_schedule
from masq_store.engine.profile import tickets
from masq_store.engine.profile.profile import Profile
from masq_store.engine.profile.tickets import TICKET_SECONDS
from masq_store.engine.sessions.idle import LOOK_SECONDS, Idle
from masq_store.engine.store.active_profile import ActiveProfile, Follower
from masq_store.engine.store.services import Services
from masq_store.engine.throttle import Throttle

assert 2 * LOOK_SECONDS < TICKET_SECONDS


class AutoLock(Follower):
    """The open profile's lock time and ticket."""

    def __init__(self, services: Services, active: ActiveProfile) -> None:
        self.ticket: str | None = None
        self._services = services
        self._active = active
        self._idle = Idle(services.now_ms)
        self._limit_ms = 0
        self._looking = Throttle(LOOK_SECONDS, self._look_and_go_on)
        self._sweeping = Throttle(TICKET_SECONDS, lambda: services.tasks.start(self.sweep()))
        self._task: asyncio.Task[None] | None = None

    async def opened(self, profile: Profile) -> None:
        """Begin for a profile that was opened just now."""
        self._idle.end()
        self._sweeping.cancel()
        self._looking.ask()
        await self.issue(profile.root)

    async def issue(self, root: bytes) -> None:
        """Give out a ticket, unless the profile stays unlocked anyway, or there is no room for one."""
        self.settings_changed()
        vault = self._services.vault
        with suppress(QuotaExceeded):
            if vault.stays_unlocked:
                await self._withdraw_ticket()
            elif self.ticket is None:
                self.ticket = await vault.write_ticket(root, self._services.now_ms())
                self._services.connected.tell_ticket(self.ticket)

    async def closed(self) -> None:
        """The profile was locked, or another one comes: nothing opens it again but what the person does."""
        self.stop()
        self._limit_ms = 0
        with suppress(MasqError):  # nobody holds the ticket any more: what is left on the disk opens nothing
            await self._withdraw_ticket()

    def stop(self) -> None:
        """Look no more; a ticket given out stays good for whoever comes next."""
        self._looking.cancel()
        self._sweeping.cancel()
        if self._task and self._task is not asyncio.current_task():
            self._task.cancel()

    def settings_changed(self) -> None:
        """Take up the profile's lock time; without a passphrase there is nothing to lock it with."""
        vault = self._services.vault
        self._limit_ms = vault.lock_minutes * 60_000 if vault.has_passphrase else 0

    @property
    def limited(self) -> bool:
        """Whether the profile locks by itself."""
        return self._limit_ms > 0

    def used(self, origin: str = "") -> bool:
        """Note that somebody uses the store. False where it was too long ago that anybody did: it locks now.

        It locks for all apps at once, so it is all one which of them, `origin`, or a page is used. A machine that
        slept runs no timer: what comes first after it must not find the profile open.
        """
        if self._rested:
            self._look()
            return False
        self._idle.end()
        return True

    @property
    def sweeping(self) -> bool:
        """Whether a ticket is left on the disk of a profile that is closed."""
        return self._sweeping.pending

    async def sweep(self) -> None:
        """Erase the tickets whose time is over; while no profile is open, see to those that are left later."""
        self._sweeping.cancel()
        with suppress(QuotaExceeded):
            left = await tickets.sweep(self._services.backend, self._services.now_ms())
            if left and self._active.profile is None:
                self._sweeping.ask()

    def fits(self, ticket: Any) -> bool:
        """Say whether it is worth to `offer` this: the profile is closed, and it looks like a ticket."""
        return (
            self._active.profile is None
            and isinstance(ticket, str)
            and 0 < len(ticket) < 4 * key_schedule.SECRET_BYTES
        )

    async def offer(self, ticket: str) -> None:
        """Open the active profile with a ticket, if it fits."""
        active, vault = self._active, self._services.vault
        async with active.changing:
            if active.profile is not None or vault.active is None:
                return
            opened = await vault.unlock_by_ticket(ticket, self._services.now_ms())
            if opened:
                secrets, self.ticket = opened
                self._services.connected.tell_ticket(self.ticket)  # at once: the one before opens nothing now
                await active.open(secrets)

    async def lock(self) -> None:
        """Lock the open profile, which nobody has used for long. Raises ProtocolError where it has no passphrase.

        The copies that this browser keeps apart are used by themselves, and lock after a rest of their own.
        """
        async with self._active.changing:
            if self._active.profile is None:
                return
            if not self._services.vault.has_passphrase:
                raise ProtocolError("a profile without a passphrase cannot be locked")
            await self._active.lock()

    @property
    def _rested(self) -> bool:
        return self._idle.ms >= self._limit_ms > 0

    async def _withdraw_ticket(self) -> None:
        if self.ticket is not None:
            self.ticket = None
            self._services.connected.tell_ticket(None)
        if self._services.vault.active:
            await self._services.vault.drop_ticket()

    def _look_and_go_on(self) -> None:
        self._looking.ask()
        self._look()

    def _look(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._see())

    async def _see(self) -> None:
        try:
            if self._rested:
                await self.lock()
            elif self.ticket is not None:
                await self._services.vault.renew_ticket(self._services.now_ms())
            await self.sweep()
        except MasqError:
            pass  # a full disk, or another engine's by now: the ticket runs out by itself
        finally:
            self._task = None
