"""The commands of the person at this device. Only the store's own pages reach them.

Everything that changes which profile is open, or what an app may do, happens one after the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from masq.errors import InvalidValue, Locked, MasqError, ProtocolError, QuotaExceeded
from masq_store.core.backup.contents import Backup
from masq_store.core.pages.schema import AccessRequest
from masq_store.core.profile import claims
from masq_store.engine.profile import backup as backups
from masq_store.engine.profile import key_renewal
from masq_store.engine.profile.profile import Profile
from masq_store.engine.profile.vault import Unlocked
from masq_store.engine.sessions.access_requests import FILING_SECONDS
from masq_store.engine.storage.trash import Trashed
from masq_store.engine.store.enrolment import Enrolment
from masq_store.engine.store.parts import Parts

LATER_MS = 7 * 24 * 3600 * 1000
"""How long "later" puts the reminder to back up off."""

DEPART_SECONDS = 3.0
"""How long deleting or locking a profile waits for the relay to hear of it."""


class Commands:
    """The decisions, each durable when its call returns."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._services = parts.services
        self._vault = parts.services.vault
        self._now_ms = parts.services.now_ms
        self._tell_pages = parts.services.connected.tell_pages
        self._active = parts.active
        self._access = parts.access

    # Profiles ----------------------------------------------------------------------------------------------

    async def create_profile(self, name: str, passphrase: str, stay_unlocked: bool) -> None:
        """Make a profile and open it, in place of the one that was open. Raises InvalidValue."""
        await self._parts.change.make(name, passphrase, stay_unlocked)

    async def switch_profile(self, profile_id: str) -> None:
        """Close the active profile and go on with another. Raises InvalidValue."""
        async with self._active.changing:
            if self._vault.active and self._vault.active["id"] == profile_id:
                return
            self._vault.known(profile_id)
            before = self._vault.active

            async def back() -> None:
                if before:
                    with suppress(MasqError):
                        await self._vault.activate(before["id"])

            async with self._parts.change.in_place_of_the_open_one(back):
                await self._vault.activate(profile_id)
                await self._active.open_active()

    async def rename_profile(self, name: str) -> None:
        """Give the active profile another name, which its apps see. Raises InvalidValue or Locked."""
        async with self._active.changing:
            profile = self._active.get()
            profile.name = profile.secrets.name = await self._vault.rename(name)
            self._parts.rosters.look()
            await self._access.refresh_all()

    async def delete_profile(self, profile_id: str) -> None:
        """Erase a profile and all its data; where it was the active one, another is next. Raises InvalidValue."""
        async with self._active.changing:
            self._vault.known(profile_id)
            if self._vault.active and self._vault.active["id"] == profile_id:
                await self._depart()
                await self._parts.sync.farewell(DEPART_SECONDS)
                async with self._parts.change.in_place_of_the_open_one():
                    await self._vault.delete(profile_id)
                await self._parts.change.open_again(None)
            else:
                await self._vault.delete(profile_id)
                self._tell_pages(["overview"])

    async def _depart(self) -> None:
        """Take this device off the list: the active profile is about to be deleted here. Holds `changing`.

        The copies that this browser keeps apart are to go, too: nobody could take them back any more.
        """
        profile, devices = self._active.profile, self._parts.devices
        if profile is not None and devices.own is not None:
            own = devices.own.id
            copies = [device for device in devices.listed() if device.host == own]
            with suppress(MasqError):  # no room: then the others list it on, and can remove it
                await devices.remove(profile, [copy.id for copy in copies])
                for origin in {copy.app for copy in copies if copy.app}:
                    await self._parts.rosters.tell(profile, origin)
                await devices.forget(profile, own)

    # Locking -----------------------------------------------------------------------------------------------

    async def lock(self) -> None:
        """Close the active profile until its passphrase is typed. Raises ProtocolError where it has none.

        The copies that this browser keeps apart lock, too.
        """
        async with self._active.changing:
            if self._active.profile is None:
                return
            if not self._vault.has_passphrase:
                raise ProtocolError("a profile without a passphrase cannot be locked")
            await self._vault.next_lock_turn()
            with suppress(MasqError):  # whatever cannot be said to a copy, the store locks
                if await self._parts.rosters.tell_copies_here():
                    await self._parts.sync.farewell(DEPART_SECONDS)
            await self._active.lock()

    async def unlock(self, passphrase: str, stay_unlocked: bool) -> None:
        """Open the active profile. Raises WrongPassphrase."""
        async with self._active.changing:
            if self._active.profile is None:
                async with self._parts.proof.trying():
                    secrets = await self._vault.unlock(passphrase, stay_unlocked)
                await self._active.open(secrets)

    async def change_passphrase(self, present: str, new: str, renew: bool = False) -> None:
        """Let another passphrase open the active profile; "": none, then it stays unlocked on this device.

        Only the root key is wrapped anew, in one write. `renew`: another root key takes its place, so that what
        somebody may have copied of this browser's files, and the passphrase of then, open nothing that is here from
        now on; the apps wait meanwhile. Raises WrongPassphrase, Locked, StorageUnavailable; with `renew` also
        QuotaExceeded, DamagedData and NewerData, with everything as it was.
        """
        async with self._active.changing:
            profile = self._active.get()
            if self._vault.has_passphrase:
                async with self._parts.proof.trying():
                    await self._vault.root_by_passphrase(present)
            if renew:
                profile = await self._renew_root(profile, new)
            else:
                await self._vault.set_passphrase(profile.root, new)
            await self._parts.auto_lock.issue(profile.root)
            self._parts.rosters.look()
            self._tell_pages(["overview"])

    async def _renew_root(self, profile: Profile, passphrase: str) -> Profile:
        services, secrets, spaces = self._services, profile.secrets, profile.space_infos()

        def progress(done: int, of: int) -> None:
            self._tell_pages(["renewing", str(done), str(of)])

        renewed: Unlocked | None = None
        begun = False
        try:
            await self._active.close()
            begun = True
            renewed = await key_renewal.renew(
                services.backend, services.crypto, self._vault, secrets, passphrase, spaces, progress
            )
            await self._active.open(renewed)
        except Exception as error:
            # Under another root key than the disk's by now, nothing would be found. The vault knows which it is.
            as_before = secrets if isinstance(error, MasqError) or not begun else None
            await self._parts.change.open_again(renewed or as_before)
            raise
        return self._active.get()

    async def set_stay_unlocked(self, stay: bool, passphrase: str = "") -> None:
        """Let the active profile open by itself on this device, or no more. Raises InvalidValue, Locked.

        To let it needs the passphrase, see `PassphraseProof`.
        """
        async with self._active.changing:
            profile = self._active.get()
            if stay and not self._vault.stays_unlocked:
                await self._parts.proof.prove(passphrase)
            await self._vault.set_stay_unlocked(profile.root, stay)
            await self._parts.auto_lock.issue(profile.root)
            self._parts.rosters.look()
            self._tell_pages(["overview"])

    async def set_lock_minutes(self, minutes: int, passphrase: str = "") -> None:
        """Lock the active profile after so many minutes without use; 0: never. Raises InvalidValue, Locked.

        A longer time than now needs the passphrase, see `PassphraseProof`.
        """
        async with self._active.changing:
            self._active.get()
            if type(minutes) is int and claims.is_longer(minutes, self._vault.lock_minutes):
                await self._parts.proof.prove(passphrase)
            await self._vault.set_lock_minutes(minutes)
            self._parts.auto_lock.settings_changed()
            self._parts.rosters.look()
            self._tell_pages(["overview"])

    async def told_persistent(self, persistent: bool) -> None:
        """Note whether the browser has promised to keep this storage; apps see it in their status."""
        async with self._active.changing:
            if self._access.persistent is not bool(persistent):
                self._access.persistent = bool(persistent)
                await self._access.refresh_all()

    # Apps --------------------------------------------------------------------------------------------------

    async def request(self, nonce: str, seconds: float = FILING_SECONDS) -> AccessRequest | None:
        """Return which app asks under `nonce`, or None where nobody does within `seconds`, or nobody does any more."""
        session = await self._parts.requests.wait(nonce, seconds)
        if session is None:
            return None
        self._parts.requests.ask(nonce)
        profile = self._active.profile
        registered = profile is not None and profile.app(session.origin) is not None
        apart = isinstance(session, Enrolment)
        linked = isinstance(session, Enrolment) and session.linked
        if linked:
            registered = False  # nobody but the person says that the page with the link is the app's
        if apart and self._parts.devices.sent_away(session.origin):
            registered = False  # its copy here was removed: it does not come back without a word
        other = await self._parts.enrolments.other_data(session) if isinstance(session, Enrolment) else None
        registered = registered and other is None
        return {
            "origin": session.origin,
            "name": session.app.name,
            "description": session.app.description,
            "icon": session.app.icon,
            "registered": registered,
            "apart": apart,
            "linked": linked,
            "other": other,
        }

    async def answer(self, nonce: str, allow: bool, origin: str | None = None) -> bool | None:
        """Take the person's answer to the app that asks under `nonce`. `origin`: the one that the person was shown.

        False: the copy of its data that this browser keeps apart could not be brought in step in reasonable time.
        None: it is in step, but the one before was damaged, and what could not be read of it is not there.
        Raises ProtocolError, Locked, and QuotaExceeded where there is no room for what the copy has.
        """
        session = self._parts.requests.session(nonce)
        if session is None or origin not in (None, session.origin):
            raise ProtocolError("the app that asked is no longer open")
        if not allow:
            self._parts.requests.refuse(nonce)
            session.deny("refused")
            if isinstance(session, Enrolment):
                await session.heard()
            return True
        async with self._active.changing:
            if self._parts.devices.held:
                raise Locked()
            apart = isinstance(session, Enrolment)
            # A copy comes often, and with an app that was allowed before: that is no news.
            if not apart or self._active.get().app(session.origin) is None:
                await self._active.get().approve(session.origin, session.app, self._now_ms())
                await self._access.approvals_changed(session.origin)
            if isinstance(session, Enrolment):
                await self._parts.enrolments.admit(session)
        if not isinstance(session, Enrolment):
            return True
        met = await session.met()
        return None if met and session.damaged else met

    def popup_gone(self, nonce: str) -> None:
        """Note that the window that asked has closed; without an answer that is one too."""
        session = self._parts.requests.session(nonce)
        if session and session.space is None and not self._parts.requests.refused(nonce):
            session.deny("closed")
        if isinstance(session, Enrolment):
            self._parts.requests.put_away(session)

    async def withdraw(self, origin: str, erase: bool = False) -> None:
        """Take an app's permission away; its open sessions end at once. `erase`: its data goes too."""
        async with self._active.changing:
            profile = self._active.get()
            await profile.withdraw(origin, self._now_ms())
            self._access.end_sessions(origin)
            if erase:
                await self._parts.sync.leave(origin)
                await profile.erase(origin, self._now_ms())
            await self._access.approvals_changed(origin)

    async def erase(self, origin: str) -> None:
        """Erase what a withdrawn app has left. Raises ProtocolError for one that is in use."""
        async with self._active.changing:
            profile = self._active.get()
            if profile.app(origin):
                raise ProtocolError("withdraw the app first")
            self._access.end_sessions(origin)
            await self._parts.sync.leave(origin)
            await profile.erase(origin, self._now_ms())
            self._access.note_known()
            self._tell_pages(["overview"])

    # The trash ---------------------------------------------------------------------------------------------

    async def put_back(self, trashed: str) -> None:
        """Merge what is in the trash into its app's data, as a backup is. Durable on return.

        Raises Locked, InvalidValue where it is not there any more, QuotaExceeded, and what opening it raises.
        """
        async with self._active.changing:
            profile = self._active.get()
            found = self._in_trash(trashed)
            if profile.app(found.origin) is None:
                await profile.remember(found, self._now_ms())
            if profile.generation(found.origin) == found.generation:
                await profile.trash.take_out(trashed)  # nothing stood in its place
            else:
                await backups.merge_generation(profile, self._services.writer, found.origin, found.generation)
                await profile.trash.erase(trashed)
            await self._access.approvals_changed(found.origin)

    async def erase_trash(self, trashed: str) -> None:
        """Erase what is in the trash. Raises Locked, and InvalidValue where it is not there any more."""
        async with self._active.changing:
            self._in_trash(trashed)
            await self._active.get().trash.erase(trashed)
            self._tell_pages(["overview"])

    def _in_trash(self, trashed: str) -> Trashed:
        found = self._active.get().trash.find(trashed) if isinstance(trashed, str) else None
        if found is None:
            raise InvalidValue("this is not in the trash any more")
        return found

    # Backups -----------------------------------------------------------------------------------------------

    async def write_backup(self, passphrase: str, origin: str | None = None, present: str = "") -> bytes:
        """Return a backup file of the profile, or of one app, that opens with `passphrase`.

        `present`: the profile's own, see `PassphraseProof`. Raises Locked, NotRegistered, InvalidValue.
        """
        async with self._active.changing:
            await self._parts.proof.prove(present)
            profile, now = self._active.get(), self._now_ms()
        file = await backups.write_backup(
            profile, self._services.crypto, passphrase, origin=origin, now_ms=now
        )
        if origin is None:
            async with self._active.changing:
                # Closed meanwhile, its home space may be open a second time: two would overwrite one journal.
                if self._active.profile is profile:
                    with suppress(QuotaExceeded):  # a full disk is a reason for a backup, not against it
                        await profile.note_backup({"made_ms": now}, now)
                    self._tell_pages(["overview"])
        return file

    async def remind_later(self) -> None:
        """Put the reminder to back up off for a while."""
        now = self._now_ms()
        async with self._active.changing:
            await self._active.get().note_backup({"later_ms": now + LATER_MS}, now)
            self._tell_pages(["overview"])

    async def read_backup(self, content: bytes, passphrase: str) -> Backup:
        """Open and check a backup file; nothing is changed. Raises as `engine.profile.backup.read_backup` does."""
        return await backups.read_backup(self._services.crypto, content, passphrase)

    async def restore(
        self, backup: Backup, *, passphrase: str = "", stay_unlocked: bool = True, erased: bool = False
    ) -> backups.Restored:
        """Merge a backup into the active profile; where there is none, make the backup's own anew first.

        `passphrase` and `stay_unlocked` are for a profile made anew. `erased`: bring back also what this
        profile has erased since. Durable on return. Raises Locked, and QuotaExceeded with no data changed.
        """
        async with self._active.changing:
            if self._active.profile is None:
                if self._vault.active:
                    raise Locked()
                manifest = backup.manifest
                secret = manifest.home_secret
                async with self._parts.change.new_profile(
                    manifest.name, passphrase, stay_unlocked, home_secret=secret
                ):
                    restored = await self._merge(backup, erased)
            else:
                restored = await self._merge(backup, erased)
            for origin in restored.moved:
                self._access.end_sessions(origin)
            with suppress(QuotaExceeded):  # what the backup has replaced: at the next opening
                await self._active.get().tidy(self._now_ms())
            await self._access.approvals_changed(*backup.spaces)
            return restored

    async def _merge(self, backup: Backup, erased: bool) -> backups.Restored:
        profile, now, writer = self._active.get(), self._now_ms(), self._services.writer
        return await backups.restore(profile, writer, backup, now_ms=now, erased=erased)


CHANGES: dict[str, Callable[..., Awaitable[None]]] = {
    "create_profile": Commands.create_profile,
    "switch_profile": Commands.switch_profile,
    "rename_profile": Commands.rename_profile,
    "delete_profile": Commands.delete_profile,
    "lock": Commands.lock,
    "unlock": Commands.unlock,
    "change_passphrase": Commands.change_passphrase,
    "set_stay_unlocked": Commands.set_stay_unlocked,
    "set_lock_minutes": Commands.set_lock_minutes,
    "remind_later": Commands.remind_later,
}
"""What a page may ask for and sees in the overview, which is its answer."""

DECISIONS: dict[str, Callable[..., Awaitable[Any]]] = {
    "told_persistent": Commands.told_persistent,
    "request": Commands.request,
    "withdraw": Commands.withdraw,
    "erase": Commands.erase,
    "put_back": Commands.put_back,
    "erase_trash": Commands.erase_trash,
}
"""What else it may ask for."""
