"""The cryptographic primitives that the core asks for. None is written here: the engine's `Crypto` port brings them.

They are async because WebCrypto's are.
"""

from __future__ import annotations

from typing import Any, Protocol

Key = Any
"""An AES-256-GCM key as its maker holds it: opaque, never its bytes."""


class Primitives(Protocol):
    """Random bytes, HKDF, AES-256-GCM, SHA-256, HMAC and X25519."""

    def random(self, size: int) -> bytes:
        """Return `size` bytes from the system's secure source."""

    async def hkdf(self, secret: bytes, info: bytes, size: int = 32) -> bytes:
        """Derive `size` bytes by HKDF-SHA-256 (RFC 5869) with an empty salt."""

    async def derive_key(self, secret: bytes, info: bytes) -> Key:
        """Derive an AES-256-GCM key by HKDF-SHA-256 with an empty salt."""

    async def seal(self, key: Key, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Encrypt by AES-256-GCM; returns the ciphertext followed by its 16-byte tag."""

    async def open(self, key: Key, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Undo `seal`. Raises DamagedData where anything was altered."""

    async def sha256(self, content: bytes) -> bytes:
        """Return the SHA-256 (FIPS 180-4) of `content`, 32 bytes."""

    async def hmac(self, key: bytes, content: bytes) -> bytes:
        """Return the HMAC-SHA-256 (RFC 2104) of `content` under `key`, which is not empty; 32 bytes."""

    async def hmac_matches(self, key: bytes, content: bytes, mac: bytes) -> bool:
        """Tell whether `mac` is the HMAC-SHA-256 of `content`; how long it takes tells nothing about it."""

    async def x25519_public(self, private: bytes) -> bytes:
        """Return the public half of an X25519 key (RFC 7748); `private`: any 32 random bytes."""

    async def x25519_shared(self, private: bytes, public: bytes) -> bytes:
        """Return the 32 bytes that two X25519 keys share.

        They go into HKDF, never into use as they are. Raises DamagedData unless `public` has 32 bytes, and
        where the result would be all zero: for a key of low order, which only an attacker sends (RFC 7748,
        section 6.1).
        """
