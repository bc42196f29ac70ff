"""The `Crypto` port over WebCrypto."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from masq_store.browser.ports.promises import Promises
from masq_store.browser.ports.reused_array import Scratch
from masq_store.core.errors import DamagedData

AES_BITS = 256
DEVICE_KEY = "device"
"""Where the device key stands in its object store."""

PKCS8_X25519 = bytes.fromhex("302e020100300506032b656e04220420")
"""What stands before the 32 bytes of an X25519 private key in PKCS #8 (RFC 8410, section 7): WebCrypto takes it so."""

X25519_BASE = b"\x09" + bytes(31)
"""The base point (RFC 7748, section 4.1): what a private key shares with it is its public key."""


class WebCrypto:
    """WebCrypto, in a page or a worker; `keys` is where the device key can be kept."""

    def __init__(self, keys: Any) -> None:
        import js

        self._keys = keys
        self._call = partial(Promises().call, js.crypto.subtle)
        self._device: Any = None
        self._plain = False
        # WebCrypto copies what it is given, so that these can be used again for each record.
        self._nonce, self._associated, self._content = Scratch(), Scratch(), Scratch()
        self._algorithm = _object(name="AES-GCM")

    def random(self, size: int) -> bytes:
        """Return `size` bytes from the browser's secure source."""
        import js

        content: bytes = js.crypto.getRandomValues(js.Uint8Array.new(size)).to_bytes()
        return content

    async def hkdf(self, secret: bytes, info: bytes, size: int = 32) -> bytes:
        """Derive `size` bytes by HKDF-SHA-256 (RFC 5869) with an empty salt."""
        base = await self._hkdf_base(secret)
        bits = await self._call("deriveBits", _hkdf(info), base, size * 8)
        content: bytes = bits.to_bytes()
        return content

    async def derive_key(self, secret: bytes, info: bytes) -> Any:
        """Derive a non-extractable AES-256-GCM key by HKDF-SHA-256 with an empty salt."""
        return await self._call(
            "deriveKey",
            _hkdf(info),
            await self._hkdf_base(secret),
            _aes_key(),
            False,
            _uses("encrypt", "decrypt"),
        )

    async def passphrase_key(self, passphrase: str, salt: bytes, iterations: int) -> Any:
        """Derive a non-extractable AES-256-GCM key by PBKDF2-HMAC-SHA-256."""
        text = unicodedata.normalize("NFC", passphrase).encode()
        # HMAC fills its key up with zeros (RFC 2104, section 2): one of them is the empty key, which WebKitGTK refuses.
        base = await self._call(
            "importKey", "raw", _bytes(text or b"\0"), "PBKDF2", False, _uses("deriveKey")
        )
        algorithm = _object(name="PBKDF2", hash="SHA-256", salt=_bytes(salt), iterations=iterations)
        return await self._call("deriveKey", algorithm, base, _aes_key(), False, _uses("encrypt", "decrypt"))

    async def seal(self, key: Any, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Encrypt by AES-256-GCM; returns the ciphertext followed by its 16-byte tag."""
        sealed = await self._call(
            "encrypt", self._gcm(nonce, associated), key, self._content.filled(plaintext)
        )
        content: bytes = sealed.to_bytes()
        return content

    async def open(self, key: Any, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Undo `seal`. Raises DamagedData where anything was altered."""
        return (await self.open_many(key, [(nonce, sealed, associated)]))[0]

    async def open_many(self, key: Any, items: Sequence[tuple[bytes, bytes, bytes]]) -> list[bytes]:
        """Open many (nonce, sealed, associated) side by side. Raises DamagedData if one fails."""
        from pyodide.ffi import JsException

        opening = [
            self._call("decrypt", self._gcm(nonce, associated), key, self._content.filled(sealed))
            for nonce, sealed, associated in items
        ]
        opened: list[Any] = await asyncio.gather(*opening, return_exceptions=True)
        for failed in opened:
            if isinstance(failed, JsException):
                raise DamagedData("a sealed record") from None
        return [js_buffer.to_bytes() for js_buffer in opened]

    async def sha256(self, content: bytes) -> bytes:
        """Return the SHA-256 of `content`."""
        digest: bytes = (await self._call("digest", "SHA-256", _bytes(content))).to_bytes()
        return digest

    async def hmac(self, key: bytes, content: bytes) -> bytes:
        """Return the HMAC-SHA-256 of `content` under `key`."""
        mac = await self._call("sign", "HMAC", await self._hmac_key(key), _bytes(content))
        found: bytes = mac.to_bytes()
        return found

    async def hmac_matches(self, key: bytes, content: bytes, mac: bytes) -> bool:
        """Tell whether `mac` is the HMAC-SHA-256 of `content`, in constant time."""
        matches: bool = await self._call(
            "verify", "HMAC", await self._hmac_key(key), _bytes(mac), _bytes(content)
        )
        return matches

    async def x25519_public(self, private: bytes) -> bytes:
        """Return the public half of an X25519 key."""
        return await self.x25519_shared(private, X25519_BASE)

    async def x25519_shared(self, private: bytes, public: bytes) -> bytes:
        """Return what two X25519 keys share. Raises DamagedData for a public key that is none."""
        from pyodide.ffi import JsException

        # The three lowest bits do not count (RFC 7748, section 5), and WebKitGTK refuses a key that begins with zero.
        form = _bytes(PKCS8_X25519 + bytes([private[0] | 1]) + private[1:])
        own = await self._call("importKey", "pkcs8", form, "X25519", False, _uses("deriveBits"))
        try:
            other = await self._call("importKey", "raw", _bytes(public), "X25519", False, _uses())
            bits = await self._call("deriveBits", _object(name="X25519", public=other), own, 256)
        except JsException:  # of another size, or of low order
            raise DamagedData("another device's key") from None
        shared: bytes = bits.to_bytes()
        return shared

    async def device_key(self) -> Any:
        """Return this device's own key, made on first use; None where the browser cannot store one."""
        if self._device is None:
            kept = await self._keys.get(DEVICE_KEY) or await self._new_device_key()
            if kept is not None and not hasattr(kept, "algorithm"):  # its bytes: no CryptoKey is kept here
                self._plain = True
                kept = await self._call(
                    "importKey", "raw", kept, "AES-GCM", False, _uses("encrypt", "decrypt")
                )
            self._device = kept
        return self._device

    async def keeps_keys(self) -> Literal["kept", "plain", "none"]:
        """Return "kept", "plain" or "none"; see the port."""
        if await self.device_key() is None:
            return "none"
        return "plain" if self._plain else "kept"

    def _gcm(self, nonce: bytes, associated: bytes) -> Any:
        self._algorithm.iv = self._nonce.filled(nonce)
        self._algorithm.additionalData = self._associated.filled(associated)
        return self._algorithm

    async def _new_device_key(self) -> Any:
        key = await self._call("generateKey", _aes_key(), False, _uses("encrypt", "decrypt"))
        # Read back: some browsers refuse to store a key (WebKitGTK), others store it and return nothing.
        kept = await self._keys.put(DEVICE_KEY, key)
        return kept or await self._keys.put(DEVICE_KEY, _bytes(self.random(AES_BITS // 8)))

    async def _hmac_key(self, key: bytes) -> Any:
        algorithm = _object(name="HMAC", hash="SHA-256")
        return await self._call("importKey", "raw", _bytes(key), algorithm, False, _uses("sign", "verify"))

    async def _hkdf_base(self, secret: bytes) -> Any:
        return await self._call(
            "importKey", "raw", _bytes(secret), "HKDF", False, _uses("deriveKey", "deriveBits")
        )


def _bytes(content: bytes) -> Any:
    from pyodide.ffi import to_js

    return to_js(content)


def _object(**members: Any) -> Any:
    import js
    from pyodide.ffi import to_js

    return to_js(members, dict_converter=js.Object.fromEntries)


def _uses(*uses: str) -> Any:
    from pyodide.ffi import to_js

    return to_js(list(uses))


def _aes_key() -> Any:
    return _object(name="AES-GCM", length=AES_BITS)


def _hkdf(info: bytes) -> Any:
    return _object(name="HKDF", hash="SHA-256", salt=_bytes(b""), info=_bytes(info))
