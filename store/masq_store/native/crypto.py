"""The Crypto port over pyca/cryptography. No primitive is written here."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from masq_store.core.crypto.key_schedule import KEY_BYTES
from masq_store.core.errors import DamagedData
from masq_store.native.device_folder import read_or_keep


class NativeCrypto:
    """A `Crypto` on CPython. Keys are pyca's `AESGCM` objects."""

    def __init__(self, key_file: Path | None = None) -> None:
        """`key_file`: where the device key is kept, so that a profile can stay unlocked over restarts."""
        self._key_file = key_file
        self._device_key: AESGCM | None = None

    def random(self, size: int) -> bytes:
        """Return `size` bytes from the system's secure source."""
        return os.urandom(size)

    async def hkdf(self, secret: bytes, info: bytes, size: int = 32) -> bytes:
        """Derive `size` bytes by HKDF-SHA-256 (RFC 5869) with an empty salt."""
        return HKDF(algorithm=SHA256(), length=size, salt=None, info=info).derive(secret)

    async def derive_key(self, secret: bytes, info: bytes) -> AESGCM:
        """Derive an AES-256-GCM key by HKDF-SHA-256 with an empty salt."""
        return AESGCM(await self.hkdf(secret, info, KEY_BYTES))

    async def passphrase_key(self, passphrase: str, salt: bytes, iterations: int) -> AESGCM:
        """Derive an AES-256-GCM key by PBKDF2-HMAC-SHA-256 from the NFC form of `passphrase` in UTF-8."""
        kdf = PBKDF2HMAC(algorithm=SHA256(), length=KEY_BYTES, salt=salt, iterations=iterations)
        return AESGCM(kdf.derive(unicodedata.normalize("NFC", passphrase).encode()))

    async def seal(self, key: AESGCM, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Encrypt by AES-256-GCM; returns the ciphertext followed by its 16-byte tag."""
        return key.encrypt(nonce, plaintext, associated)

    async def open(self, key: AESGCM, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Undo `seal`. Raises DamagedData where anything was altered."""
        try:
            return key.decrypt(nonce, sealed, associated)
        except (InvalidTag, ValueError) as error:  # ValueError: shorter than a tag
            raise DamagedData("something sealed on this device") from error

    async def open_many(self, key: AESGCM, items: Sequence[tuple[bytes, bytes, bytes]]) -> list[bytes]:
        """Open many (nonce, sealed, associated), in order. Raises DamagedData if one fails."""
        return [await self.open(key, *item) for item in items]

    async def sha256(self, content: bytes) -> bytes:
        """Return the SHA-256 of `content`."""
        digest = Hash(SHA256())
        digest.update(content)
        return digest.finalize()

    async def hmac(self, key: bytes, content: bytes) -> bytes:
        """Return the HMAC-SHA-256 of `content` under `key`."""
        return _hmac(key, content).finalize()

    async def hmac_matches(self, key: bytes, content: bytes, mac: bytes) -> bool:
        """Tell whether `mac` is the HMAC-SHA-256 of `content`, in constant time."""
        try:
            _hmac(key, content).verify(mac)
        except InvalidSignature:
            return False
        return True

    async def x25519_public(self, private: bytes) -> bytes:
        """Return the public half of an X25519 key."""
        return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()

    async def x25519_shared(self, private: bytes, public: bytes) -> bytes:
        """Return what two X25519 keys share. Raises DamagedData for a public key that is none."""
        own = X25519PrivateKey.from_private_bytes(private)
        try:
            return own.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError:  # of another size, or of low order
            raise DamagedData("another device's key") from None

    async def device_key(self) -> AESGCM | None:
        """Return this device's own key, made on first use. Without a file: one for each instance.

        Raises DamagedData for a file that holds something else, and FolderUnavailable.
        """
        if self._device_key is None:
            secret = AESGCM.generate_key(8 * KEY_BYTES)
            if self._key_file:
                secret = read_or_keep(self._key_file, secret)
                if len(secret) != KEY_BYTES:
                    raise DamagedData(f"the key in {self._key_file}")
            self._device_key = AESGCM(secret)
        return self._device_key

    async def keeps_keys(self) -> Literal["kept", "plain"]:
        """Return "plain" for a key in a file; else "kept": the key lives as long as this object."""
        return "plain" if self._key_file else "kept"


def _hmac(key: bytes, content: bytes) -> HMAC:
    made = HMAC(key, SHA256())
    made.update(content)
    return made
