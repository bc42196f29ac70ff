"""Write the known pairing anew: python3 tests/vectors/make_pairing.py.

Only when the protocol changes on purpose. It follows docs/protocol.md ("Pairing two devices") byte by byte and
uses nothing of the code under test, so that a second program has read the document. What a device would draw at
random is fixed here. The X25519 cases of RFC 7748 are kept as they are published.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET = bytes(range(0x10, 0x20))
OLD_PRIVATE = bytes(range(0x20, 0x40))
NEW_PRIVATE = bytes(range(0x40, 0x60))
OPENING = bytes(range(0x60, 0x70))
HOME_SECRET = bytes(range(0x80, 0xA0))
IDENTITY = bytes(range(0xA0, 0xC0))
PROFILE, DEVICE = "Zoë 🦊", "Chromium on Linux"
RELAY = "wss://relay.example:8443/masq"

OLD, NEW = 1, 2

RFC_7748 = [
    {
        "name": "RFC 7748 section 5.2, first",
        "private": "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "public": "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "shared": "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    },
    {
        "name": "RFC 7748 section 5.2, second",  # whose public key has its last bit set, which is ignored
        "private": "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "public": "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "shared": "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    },
]

FIPS_180 = [
    {"content": "616263", "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"content": "", "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
]

RFC_4231 = [
    {
        "name": "RFC 4231 case 2",
        "key": b"Jefe".hex(),
        "content": b"what do ya want for nothing?".hex(),
        "mac": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    }
]

P = 2**255 - 19
LOW_ORDER = [number.to_bytes(32, "little").hex() for number in (0, 1, P - 1, P, P + 1)]
"""Public keys with which every private key gives zero; p and p + 1 are 0 and 1, written differently."""


def hkdf(secret: bytes, info: bytes, size: int) -> bytes:
    """Return HKDF-SHA-256 (RFC 5869) with an empty salt, of at most 32 bytes."""
    return hmac.digest(hmac.digest(bytes(32), secret, "sha256"), info + b"\1", "sha256")[:size]


def join(*fields: bytes) -> bytes:
    """Return the fields, each with its length in front."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def number(value: int) -> bytes:
    """Return a number as a field."""
    return value.to_bytes(8, "big")


def padded(content: bytes) -> bytes:
    """Return the content with its length in front, padded by Padmé to at least 256 bytes."""
    found = len(content).to_bytes(4, "big") + content
    exponent = len(found).bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return found + bytes(max(256, -(-len(found) // step) * step) - len(found))


def text_of(**fields: str) -> bytes:
    """Return fields as JSON."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def public(private: bytes) -> bytes:
    """Return the public half of an X25519 key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def mac(signed: bytes) -> bytes:
    """Return a message's MAC."""
    key = hkdf(SECRET, join(b"masq/v1/pairing-mac", number(signed[1])), 32)
    return hmac.digest(key, join(b"masq/v1/pairing-message", signed), "sha256")


def sealed(header: bytes, key: bytes, count: int, content: bytes) -> bytes:
    """Return a message whose body is sealed, without its MAC."""
    data = join(b"masq/v1/pairing-sealed", header)
    return header + AESGCM(key).encrypt(count.to_bytes(12, "big"), content, data)


def known_pairing() -> dict[str, object]:
    """Return a pairing from the link to the last message."""
    hidden = join(b"masq/v1/pairing-commitment", public(NEW_PRIVATE), OPENING)
    commitment = bytes((1, NEW, 1)) + hashlib.sha256(hidden).digest()
    key = bytes((1, OLD, 2)) + public(OLD_PRIVATE)
    opening = bytes((1, NEW, 3)) + public(NEW_PRIVATE) + OPENING
    hashed = hashlib.sha256(join(b"masq/v1/pairing-transcript", commitment, key, opening)).digest()
    code = int.from_bytes(hkdf(SECRET, join(b"masq/v1/pairing-code", hashed), 8), "big") % 1_000_000
    own = X25519PrivateKey.from_private_bytes(OLD_PRIVATE)
    shared = own.exchange(X25519PublicKey.from_public_bytes(public(NEW_PRIVATE)))
    old_key, new_key = (
        hkdf(shared + SECRET, join(b"masq/v1/pairing-session", hashed, number(who)), 32) for who in (OLD, NEW)
    )
    profile = text_of(name=PROFILE, home_secret=HOME_SECRET.hex())
    device = text_of(name=DEVICE, identity=public(IDENTITY).hex())
    messages = [
        commitment,
        key,
        opening,
        sealed(bytes((1, OLD, 4)), old_key, 0, padded(profile)),
        sealed(bytes((1, NEW, 5)), new_key, 0, padded(device)),
        sealed(bytes((1, OLD, 6)), old_key, 1, b""),
    ]
    text = urlsafe_b64encode(SECRET).decode().rstrip("=")
    return {
        "secret": SECRET.hex(),
        "relay": RELAY,
        "link": f"https://store.example/#pair={text}&relay={RELAY}",
        "room": hkdf(SECRET, join(b"masq/v1/pairing-room"), 16).hex(),
        "token": hkdf(SECRET, join(b"masq/v1/pairing-token"), 32).hex(),
        "old_private": OLD_PRIVATE.hex(),
        "new_private": NEW_PRIVATE.hex(),
        "opening": OPENING.hex(),
        "profile": PROFILE,
        "home_secret": HOME_SECRET.hex(),
        "device": DEVICE,
        "identity": public(IDENTITY).hex(),
        "code": f"{code:06}",
        "messages": [(signed + mac(signed)).hex() for signed in messages],
    }


def begins_with_zero() -> dict[str, str]:
    """Return a case whose private key begins with a zero byte, which one in 256 does."""
    private, public = bytes(range(32)), bytes.fromhex(RFC_7748[0]["public"])
    shared = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    return {
        "name": "a private key that begins with a zero byte",
        "private": private.hex(),
        "public": public.hex(),
        "shared": shared.hex(),
    }


def main() -> None:
    """Write the file."""
    made = {
        "sha256": FIPS_180,
        "hmac": RFC_4231,
        "x25519": [*RFC_7748, begins_with_zero()],
        "low_order": LOW_ORDER,
        "pairing": known_pairing(),
    }
    path = Path(__file__).parent / "pairing.json"
    path.write_text(json.dumps(made, indent=1, ensure_ascii=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
