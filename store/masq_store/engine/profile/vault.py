"""Profiles on disk: their names, and their root keys wrapped under a passphrase, the device's key, or a ticket.

Each change of a profile is one write of its record, so that a crash leaves the old one or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress

from masq.errors import InvalidValue, Locked, QuotaExceeded, StorageUnavailable
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.padding import pad, unpad
from masq_store.core.errors import DamagedData, NewerData, WrongPassphrase
from masq_store.core.profile import claims
from masq_store.core.profile.home_layout import Identity, draw_identity
from masq_store.engine.ports import Backend, Crypto
from masq_store.engine.profile.profile_record import (
    Arrival,
    ProfileRecord,
    Removal,
    SealedIdentity,
)
from masq_store.engine.profile.tickets import Tickets
from masq_store.engine.profile.wrapping import Sealed, SealedByPassphrase, Wrapping
from masq_store.engine.storage import disk_keys

LAYOUT = 1
"""The version of what this module writes."""


class Unlocked:
    """The secrets of an unlocked profile."""

    def __init__(
        self, profile_id: str, name: str, root: bytes, home_secret: bytes, identity: Identity | None
    ) -> None:
        """`identity`: this device's in the profile; one made by an earlier version has none yet."""
        self.id = profile_id
        self.name = name
        self.root = root
        self.home_secret = home_secret
        self.identity = identity


class Vault:
    """The profiles of this device, of which one is active."""

    def __init__(self, backend: Backend, crypto: Crypto) -> None:
        self._backend = backend
        self._crypto = crypto
        self._tickets = Tickets(backend, crypto)
        self._records: dict[str, ProfileRecord] = {}
        self._active = ""
        self._removed: list[str] = []

    async def check(self) -> None:
        """See that the storage is of a version known here. Raises NewerData or DamagedData."""
        version = await self._backend.read(disk_keys.SCHEMA)
        if version is None:
            await self._backend.write([(disk_keys.SCHEMA, str(LAYOUT).encode())])
        elif not version.isdigit():
            raise DamagedData("the storage's version")
        elif int(version) > LAYOUT:
            raise NewerData(int(version), LAYOUT)

    async def load(self) -> None:
        """Read which profiles there are. Raises DamagedData."""
        records = [json.loads(content) for _, content in await self._backend.scan(disk_keys.PROFILES)]
        self._records = {record["id"]: record for record in records}
        active = await self._backend.read(disk_keys.ACTIVE)
        self._active = active.decode() if active is not None else ""
        if self._active and self._active not in self._records:
            raise DamagedData("the profile's record")
        removed = await self._backend.read(disk_keys.REMOVED)
        self._removed = json.loads(removed) if removed is not None else []

    @property
    def active(self) -> ProfileRecord | None:
        """The active profile's record, or None where there is no profile."""
        return self._records.get(self._active)

    @property
    def has_passphrase(self) -> bool:
        """Whether the active profile opens with a passphrase."""
        return bool(self.active and self.active["passphrase"])

    @property
    def stays_unlocked(self) -> bool:
        """Whether the active profile opens by itself on this device."""
        return bool(self.active and self.active["device"])

    @property
    def lock_minutes(self) -> int:
        """After how many minutes of rest the active profile is locked; 0: never."""
        return int(self.active.get("lock_minutes", 0)) if self.active else 0

    @property
    def arrival(self) -> Arrival:
        """The active profile's settings from its pairing that are not in the home space yet; empty where all are."""
        return self._record().get("arrival", Arrival()).copy()

    @property
    def removed(self) -> str | None:
        """The name of a profile that another device has taken from this one, and nobody has read of it yet."""
        return self._removed[0] if self._removed else None

    @property
    def removal(self) -> Removal | None:
        """That another device has removed this one from the active profile; None where none has."""
        removal = self.active.get("removed") if self.active else None
        return removal.copy() if removal else None

    def overdue(self, now_ms: int) -> list[str]:
        """Return the ids of the profiles that were to be erased by now, for nobody here has said otherwise."""
        waiting = ((id, record["removed"]) for id, record in self._records.items() if record.get("removed"))
        return [
            id for id, removal in waiting if removal["until_ms"] is not None and removal["until_ms"] <= now_ms
        ]

    def profiles(self) -> list[ProfileRecord]:
        """Return every profile's record, the oldest first."""
        return sorted(self._records.values(), key=lambda record: (record["created_ms"], record["id"]))

    # Profiles come and go ----------------------------------------------------------------------------------

    async def create(
        self,
        name: str,
        passphrase: str,
        stay_unlocked: bool,
        now_ms: int,
        home_secret: bytes | None = None,
        drawn: tuple[Identity, bytes] | None = None,
        arrival: Arrival | None = None,
    ) -> Unlocked:
        """Make a profile, write it, and make it the active one.

        `home_secret`: of a profile that another device or a backup knows; without it one is drawn. `drawn`:
        this device's identity in it and the private key, where another device knows it already. `arrival`: see
        there. All is in one write, so that a crash leaves a profile that can be used, or none.
        Without a passphrase the profile stays unlocked on this device: there is nothing else to open it with.
        Raises InvalidValue for a name that cannot be one, and StorageUnavailable where the browser can keep
        no key and no passphrase was given.
        """
        name = claims.check_profile_name(name)
        profile_id = self._crypto.random(key_schedule.ID_BYTES).hex()
        root = self._crypto.random(key_schedule.SECRET_BYTES)
        home_secret = home_secret or self._crypto.random(key_schedule.SECRET_BYTES)
        wrapping = Wrapping(self._crypto, profile_id)
        identity, private = drawn or await draw_identity(self._crypto)
        by_passphrase, by_device = await self._wrapped(wrapping, root, passphrase, stay_unlocked)
        record: ProfileRecord = {
            "layout": LAYOUT,
            "id": profile_id,
            "name": name,
            # Above all others': profiles are listed in this order, whatever the clock did.
            "created_ms": max([now_ms, *(each["created_ms"] + 1 for each in self._records.values())]),
            "lock_minutes": 0,
            "passphrase": by_passphrase,
            "device": by_device,
            "home": await wrapping.home_secret(root, home_secret),
            "identity": await self._sealed(wrapping, root, identity, private),
        }
        if arrival:
            record["arrival"] = arrival
        await self._write(record, (disk_keys.ACTIVE, profile_id.encode()))
        self._active = profile_id
        return Unlocked(profile_id, name, root, home_secret, identity)

    async def activate(self, profile_id: str) -> None:
        """Make another profile the active one. Raises InvalidValue where there is none of that id."""
        self.known(profile_id)
        await self._backend.write([(disk_keys.ACTIVE, profile_id.encode())])
        self._active = profile_id

    async def delete(self, profile_id: str, then: str | None = None, *, removed: bool = False) -> None:
        """Take a profile away with all its data, in one transaction.

        If it was the active one, `then` is active next, or else the oldest. `removed`: by another device; the
        person is to read of it. Raises InvalidValue.
        """
        self.known(profile_id)
        left = [record["id"] for record in self.profiles() if record["id"] != profile_id]
        active = self._active
        if active == profile_id:
            active = then if then and then in left else next(iter(left), "")
        names = [disk_keys.profile(profile_id), disk_keys.approvals(profile_id), disk_keys.ticket(profile_id)]
        names += [disk_keys.leftovers(profile_id), *([] if active else [disk_keys.ACTIVE])]
        told = [*self._removed, self._records[profile_id]["name"]] if removed else self._removed
        await self._backend.write(
            [
                *([(disk_keys.ACTIVE, active.encode())] if active else []),
                *([(disk_keys.REMOVED, json.dumps(told).encode())] if removed else []),
            ],
            [
                *((name, name + "\0") for name in names),
                disk_keys.spaces(profile_id),
                disk_keys.trashes(profile_id),
            ],
        )
        del self._records[profile_id]
        self._active, self._removed = active, told

    async def note_removed(self, now_ms: int, until_ms: int | None) -> None:
        """Note that another device has removed this one from the active profile: from now on its passphrase opens it.

        Neither the device's key nor a ticket does any more, from the same write on. Without a passphrase nothing but
        the device's key can open it, so that one stays: without it the profile would be erased.
        """
        removal: Removal = {"ms": now_ms, "until_ms": until_ms, "kept": False}
        record: ProfileRecord = {**self._record(), "removed": removal}
        if self.has_passphrase:
            record["device"] = None
        name = disk_keys.ticket(record["id"])
        await self._write(record, drops=[(name, name + "\0")])

    async def keep_removed(self, now_ms: int) -> None:
        """Note that the active profile stays here although another device has removed this one."""
        since_ms = self.removal["ms"] if self.removal else now_ms
        kept: Removal = {"ms": since_ms, "until_ms": None, "kept": True}
        await self._write({**self._record(), "removed": kept})

    async def seen_removed(self) -> None:
        """Note that the person has read of what `removed` names."""
        if self._removed:
            left = self._removed[1:]
            if left:
                await self._backend.write([(disk_keys.REMOVED, json.dumps(left).encode())])
            else:
                await self._backend.write([], [(disk_keys.REMOVED, disk_keys.REMOVED + "\0")])
            self._removed = left

    async def rename(self, name: str) -> str:
        """Give the active profile another name, and return it, cleaned. Raises InvalidValue."""
        name = claims.check_profile_name(name)
        await self._write({**self._record(), "name": name})
        return name

    async def set_lock_minutes(self, minutes: int) -> None:
        """Lock the active profile after so many minutes of rest; 0: never. Raises InvalidValue."""
        if type(minutes) is not int or not 0 <= minutes <= claims.MAX_LOCK_MINUTES:
            raise InvalidValue(
                f"the time must be a whole number of minutes, at most {claims.MAX_LOCK_MINUTES}"
            )
        await self._write({**self._record(), "lock_minutes": minutes})

    @property
    def lock_turn(self) -> int:
        """How often the person has locked the active profile on this device."""
        return int(self.active.get("lock_turn", 0)) if self.active else 0

    async def next_lock_turn(self) -> None:
        """Count that the person locks the active profile; also where the disk has no room to keep that."""
        record: ProfileRecord = {**self._record(), "lock_turn": self.lock_turn + 1}
        self._records[record["id"]] = record
        with suppress(QuotaExceeded):
            await self._write(record)

    # This device in the active profile ---------------------------------------------------------------------

    async def keep_identity(self, secrets: Unlocked) -> Identity:
        """Return this device's identity; a profile made by an earlier version gets one now."""
        if secrets.identity is None:
            identity, private = await draw_identity(self._crypto)
            sealed = await self._sealed(self._wrapping(), secrets.root, identity, private)
            await self._write({**self._record(), "identity": sealed})
            secrets.identity = identity
        return secrets.identity

    async def device_key(self, root: bytes) -> bytes:
        """Return the private half of this device's identity. Raises DamagedData."""
        return await self._wrapping().open_device_key(root, self._record()["identity"]["private"])

    async def arrived(self) -> None:
        """Note that the profile was told what `arrival` says."""
        record: ProfileRecord = {**self._record()}
        if record.pop("arrival", None):
            await self._write(record)

    async def _sealed(
        self, wrapping: Wrapping, root: bytes, identity: Identity, private: bytes
    ) -> SealedIdentity:
        sealed = await wrapping.device_key(root, private)
        return {"id": identity.id, "public": identity.public.hex(), "private": sealed}

    # Opening -----------------------------------------------------------------------------------------------

    async def unlock(self, passphrase: str, stay_unlocked: bool) -> Unlocked:
        """Open the active profile with its passphrase. Raises WrongPassphrase."""
        root = await self.root_by_passphrase(passphrase)
        if stay_unlocked:  # anew each time: the browser may have lost the key that it was wrapped under
            await self._write({**self._record(), "device": await self._wrapping().by_device(root)})
        return await self._unlocked(root)

    async def root_by_passphrase(self, passphrase: str) -> bytes:
        """Return the active profile's root key. Raises WrongPassphrase."""
        wrapped = self._record()["passphrase"]
        if not wrapped:
            raise WrongPassphrase()
        return await self._wrapping().open_by_passphrase(wrapped, passphrase)

    async def unlock_by_device(self) -> Unlocked | None:
        """Open the active profile with the device's key; None where it was not told to stay unlocked."""
        wrapped = self._record()["device"]
        if not wrapped:
            return None
        try:
            root = await self._wrapping().open_by_device(wrapped)
        except DamagedData:
            if not self.has_passphrase:
                raise
            return None  # the browser lost the device's key; the passphrase still opens the profile
        return None if root is None else await self._unlocked(root)

    # What opens it -----------------------------------------------------------------------------------------

    async def set_passphrase(self, root: bytes, passphrase: str) -> None:
        """Wrap the active profile's root key under another passphrase; "": under the device's key alone.

        Raises StorageUnavailable where there would be nothing left to open it with.
        """
        record = self._record()
        stay = bool(record["device"])
        by_passphrase, by_device = await self._wrapped(self._wrapping(), root, passphrase, stay)
        await self._write({**record, "passphrase": by_passphrase, "device": by_device})

    async def renew(
        self,
        secrets: Unlocked,
        root: bytes,
        passphrase: str,
        puts: Sequence[tuple[str, bytes]],
        drops: Sequence[tuple[str, str]],
    ) -> Unlocked:
        """Put another root key in the place of the active profile's, in one write; return what opens it now.

        `passphrase`: as for `set_passphrase`. `puts`, `drops`: what comes and goes in the same write.
        What else the profile has must stand under the new one. Raises as `set_passphrase` does.
        """
        record, wrapping = self._record(), self._wrapping()
        by_passphrase, by_device = await self._wrapped(wrapping, root, passphrase, bool(record["device"]))
        renewed: ProfileRecord = {
            **record,
            "passphrase": by_passphrase,
            "device": by_device,
            "home": await wrapping.home_secret(root, secrets.home_secret),
        }
        if secrets.identity is not None:
            private = await self.device_key(secrets.root)
            renewed["identity"] = await self._sealed(wrapping, root, secrets.identity, private)
        names = [disk_keys.ticket(secrets.id), disk_keys.leftovers(secrets.id)]
        await self._backend.write(
            [(disk_keys.profile(secrets.id), json.dumps(renewed).encode()), *puts],
            [*((name, name + "\0") for name in names), *drops],
        )
        self._records[secrets.id] = renewed
        return Unlocked(secrets.id, secrets.name, root, secrets.home_secret, secrets.identity)

    async def set_stay_unlocked(self, root: bytes, stay: bool) -> None:
        """Let the active profile open by itself on this device, or no more. Raises InvalidValue."""
        if not stay and not self.has_passphrase:
            raise InvalidValue(
                "a profile without a passphrase stays unlocked: there is nothing to open it with"
            )
        device = await self._wrapping().by_device(root) if stay else None
        if stay and device is None:
            raise StorageUnavailable("it cannot keep a key, so this profile needs its passphrase")
        await self._write({**self._record(), "device": device})

    async def _wrapped(
        self, wrapping: Wrapping, root: bytes, passphrase: str, stay_unlocked: bool
    ) -> tuple[SealedByPassphrase | None, Sealed | None]:
        """Return a root key wrapped under each of what is to open it. Raises StorageUnavailable."""
        device = await wrapping.by_device(root) if stay_unlocked or not passphrase else None
        if not passphrase and device is None:
            raise StorageUnavailable("it cannot keep a key, so this profile needs a passphrase")
        by_passphrase = await wrapping.by_passphrase(root, passphrase) if passphrase else None
        return by_passphrase, device

    # Tickets: a profile that is open survives the end of its worker ----------------------------------------

    async def write_ticket(self, root: bytes, now_ms: int) -> str:
        """Return a new ticket, which opens the active profile for whoever holds it, for a little while."""
        return await self._tickets.issue(self._record()["id"], root, now_ms)

    async def renew_ticket(self, now_ms: int) -> None:
        """Note that the engine is at work."""
        await self._tickets.renew(self._record()["id"], now_ms)

    async def unlock_by_ticket(self, ticket: str, now_ms: int) -> tuple[Unlocked, str | None] | None:
        """Open the active profile with a ticket; None where it does not fit, or its time is over.

        It opens once: the write that ends it gives a new one, returned too; None where there is no room for one.
        """
        root = await self._tickets.root(self._record()["id"], ticket, now_ms)
        if root is None:
            return None
        try:
            secrets = await self._unlocked(root)
        except DamagedData:
            return None
        try:
            return secrets, await self.write_ticket(root, now_ms)
        except QuotaExceeded:
            await self.drop_ticket()
            return secrets, None

    async def drop_ticket(self) -> None:
        """Let no ticket open the active profile any more."""
        await self._tickets.drop(self._record()["id"])

    # Approvals ---------------------------------------------------------------------------------------------

    async def approvals(self) -> list[str]:
        """Return the origins that the active profile has approved, even while it is locked.

        They are sealed under the device's key, so that a locked store can tell an app it knows from a
        stranger, who must not learn that there is a profile at all. Empty where they cannot be read.
        """
        sealed = await self._backend.read(disk_keys.approvals(self._record()["id"]))
        listed = await self._wrapping().open_approvals(json.loads(sealed)) if sealed is not None else None
        origins: list[str] = json.loads(unpad(listed)) if listed is not None else []
        return origins

    async def write_approvals(self, origins: list[str]) -> None:
        """Keep the list that `approvals` reads."""
        sealed = await self._wrapping().approvals(pad(json.dumps(sorted(origins)).encode()))
        if sealed is not None:
            name = disk_keys.approvals(self._record()["id"])
            await self._backend.write([(name, json.dumps(sealed).encode())])

    # -------------------------------------------------------------------------------------------------------

    def known(self, profile_id: str) -> None:
        """Raise InvalidValue where there is no profile of that id."""
        if profile_id not in self._records:
            raise InvalidValue("there is no such profile on this device")

    def _record(self) -> ProfileRecord:
        if self.active is None:
            raise Locked()
        return self.active

    def _wrapping(self) -> Wrapping:
        return Wrapping(self._crypto, self._record()["id"])

    async def _unlocked(self, root: bytes) -> Unlocked:
        record = self._record()
        home_secret = await self._wrapping().open_home_secret(root, record["home"])
        kept = record.get("identity")
        identity = Identity(kept["id"], bytes.fromhex(kept["public"])) if kept else None
        return Unlocked(record["id"], record["name"], root, home_secret, identity)

    async def _write(
        self, record: ProfileRecord, *more: tuple[str, bytes], drops: Sequence[tuple[str, str]] = ()
    ) -> None:
        await self._backend.write(
            [(disk_keys.profile(record["id"]), json.dumps(record).encode()), *more], drops
        )
        self._records[record["id"]] = record
