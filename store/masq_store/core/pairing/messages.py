"""The messages of a pairing, as bytes.

    version u8 · sender u8 · kind u8 · body · MAC (32 bytes)

| kind | sender | body |
| --- | --- | --- |
| COMMITMENT | new | SHA-256 over the new device's public key and 16 random bytes |
| KEY | old | the old device's public key |
| OPENING | new | the new device's public key · the 16 random bytes |
| PROFILE | old | sealed: the profile's name and home secret |
| DEVICE | new | sealed: the new device's name and public identity |
| WELCOME | old | sealed: nothing |
| REQUEST | new | sealed: which app asks, in an enrolment by a link |
| GRANT | old | sealed: what that app's copy is granted |
| END | either | why, u8 |

This file knows shapes and bounds; what may come when is in `device_pairing` and in `core.enrolment.link_machine`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from masq import messages
from masq.errors import MasqError
from masq.messages import JsonObject
from masq_store.core.crypto.key_schedule import (
    HASH_BYTES,
    MAC_BYTES,
    OPENING_BYTES,
    SECRET_BYTES,
    TAG_BYTES,
    X25519_BYTES,
)
from masq_store.core.crypto.padding import MINIMUM, pad, unpad
from masq_store.core.errors import PairingBroken
from masq_store.core.profile.claims import check_device_name, check_profile_name

VERSION = 1
OLD, NEW = 1, 2
COMMITMENT, KEY, OPENING, PROFILE, DEVICE, WELCOME, END, REQUEST, GRANT = range(1, 10)

HEADER_BYTES = 3
MAX_SEALED = 4096 + TAG_BYTES  # bytes; ours have at most 400, later versions may say more
MAX_REQUEST = (
    64 * 1024 + TAG_BYTES
)  # bytes: an app's icon has up to 32 KiB, and a copy may have had 100 names
MAX_MESSAGE = HEADER_BYTES + MAX_REQUEST + MAC_BYTES

_SEALED = (MINIMUM + TAG_BYTES, MAX_SEALED)
_SHAPES = {
    COMMITMENT: ((NEW,), HASH_BYTES, HASH_BYTES),
    KEY: ((OLD,), X25519_BYTES, X25519_BYTES),
    OPENING: ((NEW,), X25519_BYTES + OPENING_BYTES, X25519_BYTES + OPENING_BYTES),
    PROFILE: ((OLD,), *_SEALED),
    DEVICE: ((NEW,), *_SEALED),
    WELCOME: ((OLD,), TAG_BYTES, TAG_BYTES),
    REQUEST: ((NEW,), MINIMUM + TAG_BYTES, MAX_REQUEST),
    GRANT: ((OLD,), *_SEALED),
    END: ((OLD, NEW), 1, 1),
}
"""For each kind: who may send it, and the smallest and largest body in bytes."""


class Message(NamedTuple):
    """A message taken apart, its MAC not yet looked at. `signed`: all that stands before the MAC."""

    sender: int
    kind: int
    body: bytes
    signed: bytes
    mac: bytes

    @property
    def header(self) -> bytes:
        """Version, sender and kind."""
        return self.signed[:HEADER_BYTES]


def header(sender: int, kind: int) -> bytes:
    """Return a message's first bytes."""
    return bytes((VERSION, sender, kind))


def parse(content: object) -> Message:
    """Take a message apart. Raises PairingBroken for every shape that no device of this version sends."""
    if not isinstance(content, bytes) or not HEADER_BYTES + 1 + MAC_BYTES <= len(content) <= MAX_MESSAGE:
        raise PairingBroken("a message has a wrong size")
    version, sender, kind = content[:HEADER_BYTES]
    if version != VERSION:
        raise PairingBroken("they run different versions")
    signed, mac = content[:-MAC_BYTES], content[-MAC_BYTES:]
    body = signed[HEADER_BYTES:]
    senders, smallest, largest = _SHAPES.get(kind, ((), 0, 0))
    if sender not in senders or not smallest <= len(body) <= largest:
        raise PairingBroken("a message has a wrong form")
    return Message(sender, kind, body, signed, mac)


def profile_content(name: str, home_secret: bytes) -> bytes:
    """Return what PROFILE seals."""
    return _content({"name": name, "home_secret": home_secret.hex()})


def read_profile(content: bytes) -> tuple[str, bytes]:
    """Return the profile's name and home secret. Raises PairingBroken."""
    return _read(content, check_profile_name, "home_secret", SECRET_BYTES)


def device_content(name: str, identity: bytes) -> bytes:
    """Return what DEVICE seals."""
    return _content({"name": name, "identity": identity.hex()})


def read_device(content: bytes) -> tuple[str, bytes]:
    """Return the device's name and public identity. Raises PairingBroken."""
    return _read(content, check_device_name, "identity", X25519_BYTES)


def object_content(fields: JsonObject) -> bytes:
    """Return what REQUEST or GRANT seals."""
    return pad(messages.dumps(fields).encode())


def read_object(content: bytes) -> JsonObject:
    """Return what REQUEST or GRANT says, of a form that is not looked at here. Raises PairingBroken."""
    try:
        fields: Any = messages.loads(unpad(content).decode())
    except (MasqError, ValueError):
        fields = None
    if not isinstance(fields, dict):
        raise PairingBroken("a sealed message has a wrong form")
    return fields


def _content(fields: dict[str, str]) -> bytes:
    return pad(messages.dumps(fields).encode())


def _read(content: bytes, check: Callable[[object], str], field: str, size: int) -> tuple[str, bytes]:
    """Take a sealed message's fields; fields that are not known are left for later versions."""
    try:
        fields: Any = messages.loads(unpad(content).decode())
        name, text = check(fields["name"]), fields[field]
        found = bytes.fromhex(text)
    except (MasqError, ValueError, TypeError, KeyError):  # ValueError: neither UTF-8 nor hexadecimal
        raise PairingBroken("a sealed message has a wrong form") from None
    if len(found) != size or text != found.hex():
        raise PairingBroken("a sealed message has a wrong form")
    return name, found
