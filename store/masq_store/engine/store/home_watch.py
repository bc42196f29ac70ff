"""A subscriber to the open profile's home space: it does here what other devices have decided.

An app that another device has approved, withdrawn or erased is so here; and a device that finds itself removed locks.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from masq.errors import QuotaExceeded
from masq_store.core.profile import home_layout
from masq_store.core.profile.home_layout import DEVICE, QUIET, RELAY, REMOVED, SEEN
from masq_store.core.profile.registrations import APP
from masq_store.engine.profile.profile import Profile
from masq_store.engine.store.active_profile import ActiveProfile, Follower
from masq_store.engine.store.app_access import AppAccess, registered
from masq_store.engine.store.profile_change import ProfileChange
from masq_store.engine.store.profile_sync import ProfileSync
from masq_store.engine.store.services import Services

_SHOWN = (DEVICE, SEEN, REMOVED, QUIET, RELAY)


class HomeWatch(Follower):
    """Looks at what changes in the home space, whoever changes it."""

    def __init__(
        self,
        services: Services,
        active: ActiveProfile,
        change: ProfileChange,
        access: AppAccess,
        sync: ProfileSync,
    ) -> None:
        self._services = services
        self._active = active
        self._change = change
        self._access = access
        self._sync = sync
        self._profile: Profile | None = None
        self._locked: set[str] = set()
        """Profiles that were locked since this engine began: it was removed from them."""

    async def opened(self, profile: Profile) -> None:
        """Watch the home space from now on, and see whether this device was removed before."""
        self._profile = profile
        profile.home.listeners.append(self._heard)
        if self._is_news(profile):
            self._services.tasks.start(self._lock(profile))

    async def closing(self) -> None:
        """Let the home space go."""
        if self._profile is not None:
            self._profile.home.listeners.remove(self._heard)
        self._profile = None

    def _heard(self, keys: Sequence[str], source: object) -> None:
        profile = self._profile
        assert profile is not None
        if self._is_news(profile):
            self._services.tasks.start(self._lock(profile))
            return
        if any(key.startswith(APP) for key in keys) and registered(profile) != self._access.known:
            self._services.tasks.start(self._take_apps(profile))
        if any(key.startswith(_SHOWN) for key in keys):
            self._access.refresh_statuses()
            self._sync.look()  # the relay's address, or what this device syncs, may have changed
            self._services.connected.tell_pages(["overview"])

    async def _take_apps(self, profile: Profile) -> None:
        """Bring the sessions to what another device has approved, withdrawn or erased."""
        access, now_ms = self._access, self._services.now_ms
        async with self._active.changing:
            if self._profile is not profile:
                return
            before, now = access.known, registered(profile)
            changed = [origin for origin in now | before if now.get(origin) != before.get(origin)]
            access.known = now
            for origin in changed:
                approved, generation = now.get(origin, (False, 0))
                _, earlier = before.get(origin, (False, generation))
                if not approved or generation != earlier:
                    access.end_sessions(origin)
                if generation > earlier:
                    await self._sync.leave(origin)
                    await profile.drop(origin, earlier, now_ms())
            if changed:
                with suppress(QuotaExceeded):  # at the next opening
                    await profile.tidy(now_ms())  # an earlier one may be in use again
                await access.approvals_changed(*changed)

    async def _lock(self, profile: Profile) -> None:
        """Lock the profile: another device has removed this one. Its person says what is to become of it.

        Without a passphrase it opens again, and waits for that: see `DeviceList.held`.
        """
        active, vault = self._active, self._services.vault
        async with active.changing:
            if self._profile is not profile or not self._is_news(profile):
                return
            self._locked.add(profile.id)
            now, own = self._services.now_ms(), profile.secrets.identity
            assert own is not None
            alone = home_layout.removed_alone(profile.home_items(), own.id)
            with suppress(QuotaExceeded):  # no room for a word about it: it is noted at the next opening
                await vault.note_removed(now, now + home_layout.REMOVED_MS if alone else None)
            await self._services.tasks.attempt(active.close)
            if vault.removal or not vault.has_passphrase:
                await self._change.open_again(None)
            else:
                await active.leave_closed()
            self._services.connected.tell_pages(["overview"])

    def _is_news(self, profile: Profile) -> bool:
        """Whether this device finds only now that it was removed."""
        known = self._services.vault.removal is not None or profile.id in self._locked
        own = profile.secrets.identity
        return own is not None and profile.home_value(REMOVED + own.id) is not None and not known
