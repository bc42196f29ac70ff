"""Small secrets sealed under one key: root keys under passphrase, device or ticket, and what else must be on disk.

Sealed things are dicts of base64 texts, ready for JSON. Each has associated data that say what it is and whose,
so that none can stand in for another.
"""

from __future__ import annotations

import base64
from typing import TypedDict

from masq_store.core.crypto import key_schedule
from masq_store.core.errors import DamagedData, WrongPassphrase
from masq_store.engine.ports import Crypto, Key


class Sealed(TypedDict):
    """A secret that is sealed."""

    nonce: str
    sealed: str


class SealedByPassphrase(Sealed):
    """One that a passphrase opens; `salt` and `iterations` are PBKDF2's."""

    salt: str
    iterations: int


class Wrapping:
    """Seals and opens the secrets of one profile."""

    def __init__(self, crypto: Crypto, profile_id: str) -> None:
        self._crypto = crypto
        self._profile = profile_id

    async def by_passphrase(self, root: bytes, passphrase: str) -> SealedByPassphrase:
        """Wrap a root key under a passphrase, with a salt of its own."""
        salt = self._crypto.random(key_schedule.SALT_BYTES)
        key = await self._crypto.passphrase_key(passphrase, salt, key_schedule.PBKDF2_ITERATIONS)
        sealed = await self._seal(key, root, self._data(key_schedule.ROOT_BY_PASSPHRASE))
        return {"salt": text(salt), "iterations": key_schedule.PBKDF2_ITERATIONS, **sealed}

    async def open_by_passphrase(self, wrapped: SealedByPassphrase, passphrase: str) -> bytes:
        """Return the root key. Raises WrongPassphrase, and DamagedData for a record that asks for work without end."""
        rounds = wrapped["iterations"]
        if type(rounds) is not int or not 1 <= rounds <= key_schedule.MAX_ITERATIONS:
            raise DamagedData("the profile's record")
        key = await self._crypto.passphrase_key(passphrase, content(wrapped["salt"]), wrapped["iterations"])
        try:
            return await self._open(key, wrapped, self._data(key_schedule.ROOT_BY_PASSPHRASE))
        except DamagedData:
            # AES-GCM cannot tell a wrong key from altered bytes; the passphrase is by far the likelier.
            raise WrongPassphrase() from None

    async def by_device(self, root: bytes) -> Sealed | None:
        """Wrap a root key under the device's key; None where this browser can keep none."""
        key = await self._crypto.device_key()
        return None if key is None else await self._seal(key, root, self._data(key_schedule.ROOT_BY_DEVICE))

    async def open_by_device(self, wrapped: Sealed) -> bytes | None:
        """Return the root key; None where there is no device key. Raises DamagedData for another device's."""
        key = await self._crypto.device_key()
        return (
            None if key is None else await self._open(key, wrapped, self._data(key_schedule.ROOT_BY_DEVICE))
        )

    async def by_ticket(self, root: bytes, ticket: bytes) -> Sealed:
        """Wrap a root key under a ticket: random bytes that pages hold while they are open."""
        return await self._seal(await self._ticket_key(ticket), root, self._data(key_schedule.ROOT_BY_TICKET))

    async def open_by_ticket(self, wrapped: Sealed, ticket: bytes) -> bytes:
        """Return the root key. Raises DamagedData for another ticket."""
        return await self._open(
            await self._ticket_key(ticket), wrapped, self._data(key_schedule.ROOT_BY_TICKET)
        )

    async def home_secret(self, root: bytes, secret: bytes) -> Sealed:
        """Seal the home secret under a key of the root key's."""
        info = key_schedule.home_secret_info(self._profile)
        return await self._seal(await self._crypto.derive_key(root, info), secret, info)

    async def open_home_secret(self, root: bytes, sealed: Sealed) -> bytes:
        """Return the home secret. Raises DamagedData."""
        info = key_schedule.home_secret_info(self._profile)
        return await self._open(await self._crypto.derive_key(root, info), sealed, info)

    async def device_key(self, root: bytes, private: bytes) -> Sealed:
        """Seal the private half of this device's identity under a key of the root key's."""
        info = key_schedule.device_key_info(self._profile)
        return await self._seal(await self._crypto.derive_key(root, info), private, info)

    async def open_device_key(self, root: bytes, sealed: Sealed) -> bytes:
        """Return the private half. Raises DamagedData."""
        info = key_schedule.device_key_info(self._profile)
        return await self._open(await self._crypto.derive_key(root, info), sealed, info)

    async def grant(self, root: bytes, granted: bytes) -> Sealed:
        """Seal what a partition was granted under a key of the root key's."""
        info = key_schedule.grant_info(self._profile)
        return await self._seal(await self._crypto.derive_key(root, info), granted, info)

    async def open_grant(self, root: bytes, sealed: Sealed) -> bytes:
        """Return what was granted. Raises DamagedData."""
        info = key_schedule.grant_info(self._profile)
        return await self._open(await self._crypto.derive_key(root, info), sealed, info)

    async def approvals(self, listed: bytes) -> Sealed | None:
        """Seal the list of approved origins under the device's key; None where there is none."""
        key = await self._crypto.device_key()
        return (
            None if key is None else await self._seal(key, listed, key_schedule.approvals_info(self._profile))
        )

    async def open_approvals(self, sealed: Sealed) -> bytes | None:
        """Return the list; None where it was sealed under another device key, or there is none."""
        key = await self._crypto.device_key()
        if key is None:
            return None
        try:
            return await self._open(key, sealed, key_schedule.approvals_info(self._profile))
        except DamagedData:
            return None

    async def _ticket_key(self, ticket: bytes) -> Key:
        return await self._crypto.derive_key(ticket, key_schedule.ticket_info(self._profile))

    def _data(self, label: str) -> bytes:
        return key_schedule.wrapped_root_data(label, self._profile)

    async def _seal(self, key: Key, plaintext: bytes, associated: bytes) -> Sealed:
        # A random nonce: these keys seal a handful of records in their life (limit 2**32, NIST SP 800-38D).
        nonce = self._crypto.random(key_schedule.NONCE_BYTES)
        sealed = await self._crypto.seal(key, nonce, plaintext, associated)
        return {"nonce": text(nonce), "sealed": text(sealed)}

    async def _open(self, key: Key, sealed: Sealed, associated: bytes) -> bytes:
        return await self._crypto.open(key, content(sealed["nonce"]), content(sealed["sealed"]), associated)


def text(raw: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(raw).decode()


def content(encoded: str) -> bytes:
    """Return what base64 stands for."""
    return base64.b64decode(encoded)
