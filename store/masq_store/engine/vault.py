"""Profiles on disk: their names, and their root keys wrapped under a passphrase or the device's key."""

from __future__ import annotations

import base64
import json
from typing import Any

from masq.errors import Locked, StorageUnavailable
from masq_store.core import access, keys
from masq_store.core.errors import DamagedData, NewerData, WrongPassphrase
from masq_store.core.padding import pad, unpad
from masq_store.engine import disk
from masq_store.engine.ports import Backend, Crypto, Key

LAYOUT = 1
"""The version of what this module writes."""


class Unlocked:
    """The secrets of an unlocked profile."""

    def __init__(self, profile_id: str, name: str, root: bytes, home_secret: bytes) -> None:
        self.id = profile_id
        self.name = name
        self.root = root
        self.home_secret = home_secret


class Vault:
    """The profiles of this device, of which one is active."""

    def __init__(self, backend: Backend, crypto: Crypto) -> None:
        self._backend = backend
        self._crypto = crypto
        self.active: dict[str, Any] | None = None

    async def check(self) -> None:
        """See that the storage is of a version known here. Raises NewerData or DamagedData."""
        version = await self._backend.read(disk.SCHEMA)
        if version is None:
            await self._backend.write([(disk.SCHEMA, str(LAYOUT).encode())])
        elif not version.isdigit():
            raise DamagedData("the storage's version")
        elif int(version) > LAYOUT:
            raise NewerData(int(version), LAYOUT)

    async def load(self) -> None:
        """Read which profile is active. Raises DamagedData."""
        active = await self._backend.read(disk.ACTIVE)
        if active is not None:
            record = await self._backend.read(disk.profile(active.decode()))
            if record is None:
                raise DamagedData("the profile's record")
            self.active = json.loads(record)

    @property
    def has_passphrase(self) -> bool:
        """Whether the active profile opens with a passphrase."""
        return bool(self.active and self.active["passphrase"])

    async def create(
        self,
        name: str,
        passphrase: str,
        stay_unlocked: bool,
        now_ms: int,
        home_secret: bytes | None = None,
    ) -> Unlocked:
        """Make a profile, write it, and make it the active one.

        `home_secret`: of a profile that another device or a backup knows; without it one is drawn.
        Without a passphrase the profile stays unlocked on this device: there is nothing else to open it with.
        Raises InvalidValue for a name that cannot be one, and StorageUnavailable where the browser can keep
        no key and no passphrase was given.
        """
        name = access.check_profile_name(name)
        profile_id = self._crypto.random(keys.ID_BYTES).hex()
        root = self._crypto.random(keys.SECRET_BYTES)
        home_secret = home_secret or self._crypto.random(keys.SECRET_BYTES)
        by_device = stay_unlocked or not passphrase
        device = await self._wrap_by_device(profile_id, root) if by_device else None
        if not passphrase and device is None:
            raise StorageUnavailable("it cannot keep a key, so this profile needs a passphrase")
        record: dict[str, Any] = {
            "layout": LAYOUT,
            "id": profile_id,
            "name": name,
            "created_ms": now_ms,
            "passphrase": await self._wrap_by_passphrase(profile_id, root, passphrase)
            if passphrase
            else None,
            "device": device,
            "home": await self._seal(
                await self._home_key(profile_id, root), home_secret, keys.home_secret_info(profile_id)
            ),
        }
        await self._write(record, (disk.ACTIVE, profile_id.encode()))
        return Unlocked(profile_id, name, root, home_secret)

    async def discard(self) -> None:
        """Take the active profile away again: it was made just now, and could not be opened or filled."""
        profile_id = self._record()["id"]
        names = (disk.ACTIVE, disk.profile(profile_id))
        await self._backend.write([], [*((name, name + "\0") for name in names), disk.spaces(profile_id)])
        self.active = None

    async def unlock(self, passphrase: str, stay_unlocked: bool) -> Unlocked:
        """Open the active profile with its passphrase. Raises WrongPassphrase."""
        record = self._record()
        wrapped = record["passphrase"]
        if not wrapped:
            raise WrongPassphrase()
        key = await self._crypto.passphrase_key(passphrase, _bytes(wrapped["salt"]), wrapped["iterations"])
        try:
            root = await self._open(
                key, wrapped, keys.wrapped_root_data(keys.ROOT_BY_PASSPHRASE, record["id"])
            )
        except DamagedData:
            # AES-GCM cannot tell a wrong key from altered bytes; the passphrase is by far the likelier.
            raise WrongPassphrase() from None
        if stay_unlocked:  # anew each time: the browser may have lost the key that it was wrapped under
            await self._write({**record, "device": await self._wrap_by_device(record["id"], root)})
        return await self._unlocked(root)

    async def unlock_by_device(self) -> Unlocked | None:
        """Open the active profile with the device's key; None where it was not told to stay unlocked."""
        wrapped = self._record()["device"]
        key = await self._crypto.device_key() if wrapped else None
        if key is None:
            return None
        data = keys.wrapped_root_data(keys.ROOT_BY_DEVICE, self._record()["id"])
        try:
            root = await self._open(key, wrapped, data)
        except DamagedData:
            if not self.has_passphrase:
                raise
            return None  # the browser lost the device's key; the passphrase still opens the profile
        return await self._unlocked(root)

    async def approvals(self) -> list[str]:
        """Return the origins that the active profile has approved, even while it is locked.

        They are sealed under the device's key, so that a locked store can tell an app it knows from a
        stranger, who must not learn that there is a profile at all.
        """
        key = await self._crypto.device_key()
        sealed = await self._backend.read(disk.approvals(self._record()["id"]))
        if key is None or sealed is None:
            return []
        try:
            listed = await self._open(key, json.loads(sealed), keys.approvals_info(self._record()["id"]))
        except DamagedData:
            return []  # another device key by now: apps are strangers until the profile is unlocked
        origins: list[str] = json.loads(unpad(listed))
        return origins

    async def write_approvals(self, origins: list[str]) -> None:
        """Keep the list that `approvals` reads."""
        key = await self._crypto.device_key()
        if key is not None:
            profile_id = self._record()["id"]
            sealed = await self._seal(
                key, pad(json.dumps(sorted(origins)).encode()), keys.approvals_info(profile_id)
            )
            await self._backend.write([(disk.approvals(profile_id), json.dumps(sealed).encode())])

    def _record(self) -> dict[str, Any]:
        if self.active is None:
            raise Locked()
        return self.active

    async def _unlocked(self, root: bytes) -> Unlocked:
        record = self._record()
        key = await self._home_key(record["id"], root)
        home_secret = await self._open(key, record["home"], keys.home_secret_info(record["id"]))
        return Unlocked(record["id"], record["name"], root, home_secret)

    async def _write(self, record: dict[str, Any], *more: tuple[str, bytes]) -> None:
        await self._backend.write([(disk.profile(record["id"]), json.dumps(record).encode()), *more])
        self.active = record

    async def _wrap_by_passphrase(self, profile_id: str, root: bytes, passphrase: str) -> dict[str, Any]:
        salt = self._crypto.random(keys.SALT_BYTES)
        key = await self._crypto.passphrase_key(passphrase, salt, keys.PBKDF2_ITERATIONS)
        sealed = await self._seal(key, root, keys.wrapped_root_data(keys.ROOT_BY_PASSPHRASE, profile_id))
        return {"salt": _text(salt), "iterations": keys.PBKDF2_ITERATIONS, **sealed}

    async def _wrap_by_device(self, profile_id: str, root: bytes) -> dict[str, Any] | None:
        key = await self._crypto.device_key()
        if key is None:
            return None
        return await self._seal(key, root, keys.wrapped_root_data(keys.ROOT_BY_DEVICE, profile_id))

    async def _home_key(self, profile_id: str, root: bytes) -> Key:
        return await self._crypto.derive_key(root, keys.home_secret_info(profile_id))

    async def _seal(self, key: Key, plaintext: bytes, associated: bytes) -> dict[str, Any]:
        # A random nonce: these keys seal a handful of records in their life (limit 2**32, NIST SP 800-38D).
        nonce = self._crypto.random(keys.NONCE_BYTES)
        return {
            "nonce": _text(nonce),
            "sealed": _text(await self._crypto.seal(key, nonce, plaintext, associated)),
        }

    async def _open(self, key: Key, sealed: dict[str, Any], associated: bytes) -> bytes:
        return await self._crypto.open(key, _bytes(sealed["nonce"]), _bytes(sealed["sealed"]), associated)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
