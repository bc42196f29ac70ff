"""What the person at this device decides. Only the store's own pages reach it.

Everything that changes which profile is open, or what an app may do, happens one after the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from masq.errors import InvalidValue, Locked, MasqError, ProtocolError, QuotaExceeded
from masq_store.core.backup.contents import Backup
from masq_store.core.errors import PassphraseNeeded, WrongPassphrase
from masq_store.core.profile import claims as access
from masq_store.core.profile.home_layout import Identity
from masq_store.core.profile.passphrase_tries import Tries
from masq_store.engine.profile import backup as backups
from masq_store.engine.profile import key_renewal as renewal
from masq_store.engine.profile.profile import Profile
from masq_store.engine.profile.vault import Unlocked
from masq_store.engine.sessions.access_requests import FILING_SECONDS
from masq_store.engine.storage.trash import Trashed
from masq_store.engine.store.enrolments import Enrolment

if TYPE_CHECKING:
    from masq_store.engine.engine import Engine

LATER_MS = 7 * 24 * 3600 * 1000
"""How long "later" puts the reminder to back up off."""

DEPART_SECONDS = 3.0
"""How long deleting or locking a profile waits for the relay to hear of it."""


class Person:
    """The decisions, each durable when its call returns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tries: dict[str, Tries] = {}  # by profile: going to another one and back gives no new ones

    # Profiles ----------------------------------------------------------------------------------------------

    async def create_profile(self, name: str, passphrase: str, stay_unlocked: bool) -> None:
        """Make a profile and open it, in place of the one that was open. Raises InvalidValue."""
        async with self._engine.changing, self._new_profile(name, passphrase, stay_unlocked):
            pass

    async def take_profile(
        self,
        name: str,
        passphrase: str,
        stay_unlocked: bool,
        *,
        home_secret: bytes,
        drawn: tuple[Identity, bytes],
        arrival: dict[str, Any],
    ) -> None:
        """Make the profile that another device has given, and open it, in place of the one that was open.

        `drawn`, `arrival`: as for `Vault.create`. Whatever fails, nothing of it stays on this device.
        """
        secrets = {"home_secret": home_secret, "drawn": drawn, "arrival": arrival}
        async with self._engine.changing, self._new_profile(name, passphrase, stay_unlocked, **secrets):
            pass

    async def switch_profile(self, profile_id: str) -> None:
        """Close the active profile and go on with another. Raises InvalidValue."""
        engine = self._engine
        async with engine.changing:
            if engine.vault.active and engine.vault.active["id"] == profile_id:
                return
            engine.vault.known(profile_id)
            before = engine.vault.active

            async def back() -> None:
                if before:
                    with suppress(MasqError):
                        await engine.vault.activate(before["id"])

            async with self._in_place_of_the_open_one(back):
                await engine.vault.activate(profile_id)
                await engine.open_active()

    async def rename_profile(self, name: str) -> None:
        """Give the active profile another name, which its apps see. Raises InvalidValue or Locked."""
        async with self._engine.changing:
            profile = self._profile()
            profile.name = profile.secrets.name = await self._engine.vault.rename(name)
            self._engine.rosters.look()
            await self._engine.refresh_all()

    async def delete_profile(self, profile_id: str) -> None:
        """Erase a profile and all its data; where it was the active one, another is next. Raises InvalidValue."""
        engine = self._engine
        async with engine.changing:
            engine.vault.known(profile_id)
            if engine.vault.active and engine.vault.active["id"] == profile_id:
                await engine.devices.depart()
                await engine.sync.farewell(DEPART_SECONDS)
                async with self._in_place_of_the_open_one():
                    await engine.vault.delete(profile_id)
                await engine.open_again(None)
            else:
                await engine.vault.delete(profile_id)
                engine.tell_pages(["overview"])

    # Locking -----------------------------------------------------------------------------------------------

    async def lock(self, *, rested: bool = False) -> None:
        """Close the active profile until its passphrase is typed. Raises ProtocolError where it has none.

        The copies that this browser keeps apart lock, too. Not where the store has only `rested`: they are used by
        themselves, and lock after a rest of their own.
        """
        engine = self._engine
        async with engine.changing:
            if engine.profile is None:
                return
            if not engine.vault.has_passphrase:
                raise ProtocolError("a profile without a passphrase cannot be locked")
            if not rested:
                await engine.vault.next_lock_turn()
                with suppress(MasqError):  # whatever cannot be said to a copy, the store locks
                    if await engine.rosters.tell_copies_here():
                        await engine.sync.farewell(DEPART_SECONDS)
            try:
                await engine.close_profile()
            except Exception:
                await engine.refresh_all()  # locked it is, and no app may wait for an answer
                raise
            await engine.refresh_all()

    async def unlock(self, passphrase: str, stay_unlocked: bool) -> None:
        """Open the active profile. Raises WrongPassphrase."""
        engine = self._engine
        async with engine.changing:
            if engine.profile is None:
                async with self._trying():
                    secrets = await engine.vault.unlock(passphrase, stay_unlocked)
                await engine.open_profile(secrets)

    async def change_passphrase(self, present: str, new: str, renew: bool = False) -> None:
        """Let another passphrase open the active profile; "": none, then it stays unlocked on this device.

        Only the root key is wrapped anew, in one write. `renew`: another root key takes its place, so that what
        somebody may have copied of this browser's files, and the passphrase of then, open nothing that is here from
        now on; the apps wait meanwhile. Raises WrongPassphrase, Locked, StorageUnavailable; with `renew` also
        QuotaExceeded, DamagedData and NewerData, with everything as it was.
        """
        engine = self._engine
        async with engine.changing:
            profile = self._profile()
            if engine.vault.has_passphrase:
                async with self._trying():
                    await engine.vault.root_by_passphrase(present)
            if renew:
                profile = await self._renew_root(profile, new)
            else:
                await engine.vault.set_passphrase(profile.root, new)
            await engine.rest.issue(profile.root)
            engine.rosters.look()
            engine.tell_pages(["overview"])

    async def _renew_root(self, profile: Profile, passphrase: str) -> Profile:
        engine, secrets, spaces = self._engine, profile.secrets, profile.space_infos()

        def progress(done: int, of: int) -> None:
            engine.tell_pages(["renewing", str(done), str(of)])

        renewed: Unlocked | None = None
        begun = False
        try:
            await engine.close_profile()
            begun = True
            renewed = await renewal.renew(
                engine.backend, engine.crypto, engine.vault, secrets, passphrase, spaces, progress
            )
            await engine.open_profile(renewed)
        except Exception as error:
            # Under another root key than the disk's by now, nothing would be found. The vault knows which it is.
            as_before = secrets if isinstance(error, MasqError) or not begun else None
            await engine.open_again(renewed or as_before)
            raise
        return self._profile()

    async def prove(self, passphrase: str) -> None:
        """See that it is the person: for what outlives the lock. Whoever calls this holds `changing`.

        A profile without a passphrase asks for nothing. Raises PassphraseNeeded, WrongPassphrase, Locked.
        """
        self._profile()
        if not self._engine.vault.has_passphrase:
            return
        if not passphrase:
            raise PassphraseNeeded()
        async with self._trying():
            await self._engine.vault.root_by_passphrase(passphrase)

    async def set_stay_unlocked(self, stay: bool, passphrase: str = "") -> None:
        """Let the active profile open by itself on this device, or no more. Raises InvalidValue, Locked.

        To let it needs the passphrase, see `prove`.
        """
        engine = self._engine
        async with engine.changing:
            profile = self._profile()
            if stay and not engine.vault.stays_unlocked:
                await self.prove(passphrase)
            await engine.vault.set_stay_unlocked(profile.root, stay)
            await engine.rest.issue(profile.root)
            engine.rosters.look()
            engine.tell_pages(["overview"])

    async def set_lock_minutes(self, minutes: int, passphrase: str = "") -> None:
        """Lock the active profile after so many minutes without use; 0: never. Raises InvalidValue, Locked.

        A longer time than now needs the passphrase, see `prove`.
        """
        async with self._engine.changing:
            self._profile()
            if type(minutes) is int and access.is_longer(minutes, self._engine.vault.lock_minutes):
                await self.prove(passphrase)
            await self._engine.vault.set_lock_minutes(minutes)
            self._engine.rest.settings_changed()
            self._engine.rosters.look()
            self._engine.tell_pages(["overview"])

    async def told_persistent(self, persistent: bool) -> None:
        """Note whether the browser has promised to keep this storage; apps see it in their status."""
        engine = self._engine
        async with engine.changing:
            if engine.persistent is not bool(persistent):
                engine.persistent = bool(persistent)
                await engine.refresh_all()

    @asynccontextmanager
    async def _trying(self) -> AsyncIterator[None]:
        """Count a wrong passphrase; while the wait for the next try lasts, refuse without looking."""
        active = self._engine.vault.active
        tries = self._tries.setdefault(active["id"] if active else "", Tries())
        wait = tries.wait_seconds(self._engine.now_ms())
        if wait:
            raise WrongPassphrase(wait)
        try:
            yield
        except WrongPassphrase:
            raise WrongPassphrase(tries.wrong(self._engine.now_ms())) from None
        tries.right()

    # Apps --------------------------------------------------------------------------------------------------

    async def request(self, nonce: str, seconds: float = FILING_SECONDS) -> dict[str, Any] | None:
        """Return which app asks under `nonce`, or None where nobody does within `seconds`, or nobody does any more."""
        session = await self._engine.requests.wait(nonce, seconds)
        if session is None:
            return None
        self._engine.requests.ask(nonce)
        profile = self._engine.profile
        registered = profile is not None and profile.app(session.origin) is not None
        apart = isinstance(session, Enrolment)
        linked = isinstance(session, Enrolment) and session.linked
        if linked:
            registered = False  # nobody but the person says that the page with the link is the app's
        if apart and self._engine.devices.sent_away(session.origin):
            registered = False  # its copy here was removed: it does not come back without a word
        other = await self._engine.enrolments.other_data(session) if isinstance(session, Enrolment) else None
        registered = registered and other is None
        how = {"registered": registered, "apart": apart, "linked": linked, "other": other}
        return {"origin": session.origin, **session.app, **how}

    async def answer(self, nonce: str, allow: bool, origin: str | None = None) -> bool | None:
        """Take the person's answer to the app that asks under `nonce`. `origin`: the one that the person was shown.

        False: the copy of its data that this browser keeps apart could not be brought in step in reasonable time.
        None: it is in step, but the one before was damaged, and what could not be read of it is not there.
        Raises ProtocolError, Locked, and QuotaExceeded where there is no room for what the copy has.
        """
        session = self._engine.requests.session(nonce)
        if session is None or origin not in (None, session.origin):
            raise ProtocolError("the app that asked is no longer open")
        if not allow:
            self._engine.requests.refuse(nonce)
            session.deny("refused")
            if isinstance(session, Enrolment):
                await session.heard()
            return True
        async with self._engine.changing:
            if self._engine.devices.held:
                raise Locked()
            apart = isinstance(session, Enrolment)
            # A copy comes often, and with an app that was allowed before: that is no news.
            if not apart or self._profile().app(session.origin) is None:
                await self._profile().approve(session.origin, session.app, self._engine.now_ms())
                await self._engine.approvals_changed(session.origin)
            if isinstance(session, Enrolment):
                await self._engine.enrolments.admit(session)
        if not isinstance(session, Enrolment):
            return True
        met = await session.met()
        return None if met and session.damaged else met

    def popup_gone(self, nonce: str) -> None:
        """Note that the window that asked has closed; without an answer that is one too."""
        session = self._engine.requests.session(nonce)
        if session and session.space is None and not self._engine.requests.refused(nonce):
            session.deny("closed")
        if isinstance(session, Enrolment):
            self._engine.requests.put_away(session)

    async def withdraw(self, origin: str, erase: bool = False) -> None:
        """Take an app's permission away; its open sessions end at once. `erase`: its data goes too."""
        engine = self._engine
        async with engine.changing:
            profile = self._profile()
            await profile.withdraw(origin, engine.now_ms())
            engine.end_sessions(origin)
            if erase:
                await engine.sync.leave(origin)
                await profile.erase(origin, engine.now_ms())
            await engine.approvals_changed(origin)

    async def erase(self, origin: str) -> None:
        """Erase what a withdrawn app has left. Raises ProtocolError for one that is in use."""
        engine = self._engine
        async with engine.changing:
            profile = self._profile()
            if profile.app(origin):
                raise ProtocolError("withdraw the app first")
            engine.end_sessions(origin)
            await engine.sync.leave(origin)
            await profile.erase(origin, engine.now_ms())
            engine.devices.note_apps()
            engine.tell_pages(["overview"])

    # The trash ---------------------------------------------------------------------------------------------

    async def put_back(self, trashed: str) -> None:
        """Merge what is in the trash into its app's data, as a backup is. Durable on return.

        Raises Locked, InvalidValue where it is not there any more, QuotaExceeded, and what opening it raises.
        """
        engine = self._engine
        async with engine.changing:
            profile = self._profile()
            found = self._in_trash(trashed)
            if profile.app(found.origin) is None:
                await profile.remember(found, engine.now_ms())
            if profile.generation(found.origin) == found.generation:
                await profile.trash.take_out(trashed)  # nothing stood in its place
            else:
                await backups.merge_generation(profile, engine.writer, found.origin, found.generation)
                await profile.trash.erase(trashed)
            await engine.approvals_changed(found.origin)

    async def erase_trash(self, trashed: str) -> None:
        """Erase what is in the trash. Raises Locked, and InvalidValue where it is not there any more."""
        engine = self._engine
        async with engine.changing:
            self._in_trash(trashed)
            await self._profile().trash.erase(trashed)
            engine.tell_pages(["overview"])

    def _in_trash(self, trashed: str) -> Trashed:
        found = self._profile().trash.find(trashed) if isinstance(trashed, str) else None
        if found is None:
            raise InvalidValue("this is not in the trash any more")
        return found

    # Backups -----------------------------------------------------------------------------------------------

    async def write_backup(self, passphrase: str, origin: str | None = None, present: str = "") -> bytes:
        """Return a backup file of the profile, or of one app, that opens with `passphrase`.

        `present`: the profile's own, see `prove`. Raises Locked, NotRegistered, InvalidValue.
        """
        engine = self._engine
        async with engine.changing:
            await self.prove(present)
            profile, now = self._profile(), engine.now_ms()
        file = await backups.write_backup(profile, engine.crypto, passphrase, origin=origin, now_ms=now)
        if origin is None:
            async with engine.changing:
                # Closed meanwhile, its home space may be open a second time: two would overwrite one journal.
                if engine.profile is profile:
                    with suppress(QuotaExceeded):  # a full disk is a reason for a backup, not against it
                        await profile.note_backup({"made_ms": now}, now)
                    engine.tell_pages(["overview"])
        return file

    async def remind_later(self) -> None:
        """Put the reminder to back up off for a while."""
        now = self._engine.now_ms()
        async with self._engine.changing:
            await self._profile().note_backup({"later_ms": now + LATER_MS}, now)
            self._engine.tell_pages(["overview"])

    async def read_backup(self, content: bytes, passphrase: str) -> Backup:
        """Open and check a backup file; nothing is changed. Raises as `engine.profile.backup.read_backup` does."""
        return await backups.read_backup(self._engine.crypto, content, passphrase)

    async def restore(
        self, backup: Backup, *, passphrase: str = "", stay_unlocked: bool = True, erased: bool = False
    ) -> backups.Restored:
        """Merge a backup into the active profile; where there is none, make the backup's own anew first.

        `passphrase` and `stay_unlocked` are for a profile made anew. `erased`: bring back also what this
        profile has erased since. Durable on return. Raises Locked, and QuotaExceeded with no data changed.
        """
        engine = self._engine
        async with engine.changing:
            if engine.profile is None:
                if engine.vault.active:
                    raise Locked()
                manifest = backup.manifest
                secret = manifest.home_secret
                async with self._new_profile(manifest.name, passphrase, stay_unlocked, home_secret=secret):
                    restored = await self._merge(backup, erased)
            else:
                restored = await self._merge(backup, erased)
            for origin in restored.moved:
                engine.end_sessions(origin)
            with suppress(QuotaExceeded):  # what the backup has replaced: at the next opening
                await self._profile().tidy(engine.now_ms())
            await engine.approvals_changed(*backup.spaces)
            return restored

    async def _merge(self, backup: Backup, erased: bool) -> backups.Restored:
        engine = self._engine
        return await backups.restore(
            self._profile(), engine.writer, engine.crypto, backup, now_ms=engine.now_ms(), erased=erased
        )

    # -------------------------------------------------------------------------------------------------------

    def _profile(self) -> Profile:
        if self._engine.profile is None:
            raise Locked()
        return self._engine.profile

    @asynccontextmanager
    async def _new_profile(
        self, name: str, passphrase: str, stay_unlocked: bool, **known: Any
    ) -> AsyncIterator[None]:
        """Make a profile and open it; where that or what follows fails, all is as it was before.

        `known`: what `Vault.create` is told beyond that.
        """
        engine = self._engine
        access.check_profile_name(name)
        before = engine.vault.active
        secrets: Unlocked | None = None

        async def unmake() -> None:
            if secrets is None:
                return
            try:
                await engine.vault.delete(secrets.id, before["id"] if before else None)
            except Exception:
                if before:  # it stays, but not in the place of the one before
                    await engine.vault.activate(before["id"])
                raise

        async with self._in_place_of_the_open_one(unmake):
            secrets = await engine.vault.create(name, passphrase, stay_unlocked, engine.now_ms(), **known)
            await engine.open_profile(secrets)
            yield

    @asynccontextmanager
    async def _in_place_of_the_open_one(
        self, undo: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncIterator[None]:
        """Close the open profile while something is done; if that fails, it is undone, and the profile opened again.

        Where none was open, none is afterwards: what its person has locked opens by no accident.

        Whatever the error, also one that nobody foresaw: it leaves no person without a profile.
        """
        engine = self._engine
        before = engine.standing()
        try:
            await engine.close_profile()
            yield
        except Exception:  # who is cancelled ends with the engine, and has no disk any more
            await engine.attempt(engine.close_profile)  # another one, that may have opened
            if undo is not None:
                await engine.attempt(undo)
            await engine.open_as(before)
            raise
