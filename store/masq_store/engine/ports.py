"""The engine's ports, its needs from outside as protocols: storage, cryptography, message ports and the network.

Each protocol has a browser side (`masq_store.browser`) and a CPython side (`masq_store.native`); one contract
suite runs against all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from masq_store.core.crypto.primitives import Primitives

Key = Any
"""An AES-256-GCM key as the engine's `Crypto` holds it: opaque, never its bytes."""

KeepsKeys = Literal["kept", "plain", "none"]
"""How a device keeps its own key: so that nobody can read its bytes; as bytes, which is weaker; not at all."""


class Backend(Protocol):
    """An ordered map from string keys to bytes, written in atomic batches."""

    async def read(self, key: str) -> bytes | None:
        """Return the bytes under `key`, or None.

        Raises StorageFailed where the disk gives nothing, and DamagedData where it has lost what stands there.
        """

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return every (key, bytes) whose key starts with `prefix`, ordered by key. Raises as `read` does."""

    async def write(self, puts: Sequence[tuple[str, bytes]], drops: Sequence[tuple[str, str]] = ()) -> None:
        """Write a batch, all or nothing, and return once it is durable: see `flush` for what is beyond that.

        `drops` are half-open key ranges `[first, end)`, dropped before the puts are made.
        Raises QuotaExceeded where the disk is full (nothing changed), Superseded where a newer engine
        has claimed the storage, and StorageFailed where the disk takes nothing.
        """

    async def flush(self) -> None:
        """Return once what was written before is on the disk itself, so that a power cut takes nothing of it.

        `write` may return before that, with the bytes in the hands of the operating system: they outlive the end of
        the browser, not surely that of the machine. Raises as `write` does.
        """

    async def claim(self) -> int:
        """Take the next engine generation; writes of earlier claimants raise Superseded from now on."""

    async def close(self) -> None:
        """Let the storage go. Nothing may be called afterwards."""


class Crypto(Primitives, Protocol):
    """The primitives, from WebCrypto in a browser and pyca/cryptography on CPython.

    Those that the pure core asks for too stand in `masq_store.core.crypto.primitives`; these are the others.
    """

    async def passphrase_key(self, passphrase: str, salt: bytes, iterations: int) -> Key:
        """Derive an AES-256-GCM key by PBKDF2-HMAC-SHA-256 from the NFC form of `passphrase` in UTF-8."""

    async def open_many(self, key: Key, items: Sequence[tuple[bytes, bytes, bytes]]) -> list[bytes]:
        """Open many (nonce, sealed, associated) at once, in order. Raises DamagedData if one fails."""

    async def device_key(self) -> Key | None:
        """Return this device's own AES-GCM key, made on first use; None where this browser can keep none."""

    async def keeps_keys(self) -> KeepsKeys:
        """Return how the device key is kept."""


class Port(Protocol):
    """One end of a message channel. Messages are strings."""

    def post(self, text: str) -> None:
        """Send `text` to the other end."""

    def listen(self, receive: Callable[[str], None]) -> None:
        """Call `receive` with each message that arrives, from now on."""

    def close(self) -> None:
        """Close this end; nothing arrives afterwards."""


class Socket(Protocol):
    """One connection to a relay. Frames are bytes, one a message."""

    @property
    def waiting(self) -> int:
        """Bytes that were sent and have not been handed to the network yet."""

    def send(self, frame: bytes) -> None:
        """Send one frame. Never raises; what is sent after the end goes nowhere."""

    def close(self) -> None:
        """End the connection. Nothing is received afterwards."""


class Network(Protocol):
    """WebSockets: connections to relays, and the news that the network is back."""

    async def open(self, url: str, receive: Callable[[bytes], None], closed: Callable[[str], None]) -> Socket:
        """Connect to the relay at `url`. Raises RelayUnreachable, after ten seconds at the latest.

        `receive` gets each frame, a message that is text as b"", which is no frame. `closed` is called exactly
        once with the reason in words, whoever ended the connection, and last of all; never where this raised.
        Both may be called before this returns.
        """

    def on_online(self, call: Callable[[], None]) -> None:
        """Call `call` whenever the device gets its network back, from now on."""
