"""The active profile: how it opens and closes, and who goes along with that, in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from masq.errors import Locked, MasqError
from masq_store.core.errors import StorageFailed
from masq_store.engine.profile.profile import Profile
from masq_store.engine.profile.vault import Unlocked
from masq_store.engine.store.services import Services


class Follower:
    """A part of the engine that goes along with the open profile. Whoever calls these holds `changing`."""

    async def opened(self, profile: Profile) -> None:
        """Take up a profile that was just opened. What this raises closes it again."""

    async def closing(self) -> None:
        """Let the profile go: its spaces are still there, and are not any more once all have been told."""

    async def closed(self) -> None:
        """Do what is left to do once all that was asked of the profile is on disk."""

    async def left_closed(self) -> None:
        """Take note that no profile is open, and that none opens by itself."""


class ActiveProfile:
    """The profile that is active on this device, open or not."""

    def __init__(self, services: Services) -> None:
        self.profile: Profile | None = None
        """The active profile while it is open."""
        self.failure: MasqError | None = None
        """Why the active profile cannot be opened."""
        self.approvals: list[str] = []
        """The apps that a profile which is not open has approved."""
        self.changing = asyncio.Lock()
        """Held while it changes which profile is open, or what an app may do."""
        self._services = services
        self._opening: Sequence[Follower] = ()
        self._closing: Sequence[Follower] = ()

    def follow(self, *, opening: Sequence[Follower], closing: Sequence[Follower]) -> None:
        """Name all followers, in the orders in which they are told that a profile opens, and that it closes."""
        self._opening, self._closing = opening, closing

    def get(self) -> Profile:
        """Return the open profile. Raises Locked where none is."""
        if self.profile is None:
            raise Locked()
        return self.profile

    # Only whoever holds `changing` may call these ----------------------------------------------------------

    async def open_active(self) -> None:
        """Open the active profile if it stays unlocked on this device; else tell its apps that it is locked.

        So they hear, too, where it cannot be opened; `failure` says why, and is raised.
        """
        vault = self._services.vault
        self.approvals = []
        self.failure = None
        try:
            if vault.active:
                secrets = await vault.unlock_by_device()
                if secrets:
                    await self.open(secrets)
                    return
                self.approvals = await vault.approvals()
        except Exception as error:
            if self.profile is None and isinstance(error, MasqError):
                self.failure = error
            if not isinstance(error, StorageFailed):  # else they stay waiting for the engine after this one
                await self.leave_closed()
            raise
        await self.leave_closed()

    async def open(self, secrets: Unlocked) -> None:
        """Take up a profile whose secrets are known; if that fails, none is open.

        Raises DamagedData, NewerData, QuotaExceeded.
        """
        services = self._services
        profile = Profile(services.backend, services.crypto, services.writer, secrets)
        await profile.start(services.now_ms())
        self.profile, self.failure = profile, None
        services.connected.tell_pages(["overview"])
        try:
            for follower in self._opening:
                await follower.opened(profile)
        except Exception:
            # Half open it is never synced, and cannot be opened again. The sessions settle after that.
            await services.tasks.attempt(self.close)
            raise

    async def close(self) -> None:
        """Let the open profile go, once everything that was asked of it is on disk.

        What apps say from now on waits until they are told that it is left closed, or the next profile opens. It is
        closed also where a step of that fails as nobody foresaw, which is raised once all the others are taken.
        """
        profile = self.profile
        if profile is None:
            return
        errors = []
        steps = (
            *(follower.closing for follower in self._closing),
            self._let_go,
            self._services.writer.idle,
            profile.close,
            *(follower.closed for follower in self._closing),
        )
        for step in steps:
            try:
                await step()
            except Exception as error:
                errors.append(error)
        self._services.connected.tell_pages(["overview"])
        for other in errors[1:]:
            self._services.tasks.report(other)
        if errors:
            raise errors[0]

    async def _let_go(self) -> None:
        profile, self.profile = self.profile, None
        assert profile is not None
        self.approvals = profile.approved()

    async def lock(self) -> None:
        """Close the open profile, and leave it closed."""
        try:
            await self.close()
        except Exception:
            await self.leave_closed()  # locked it is, and no app may wait for an answer
            raise
        await self.leave_closed()

    async def leave_closed(self) -> None:
        """Tell all that no profile is open, nor opens by itself."""
        for follower in self._closing:
            await follower.left_closed()
