"""Write the known envelopes anew: python3 tests/vectors/make_envelope.py.

Only when the protocol changes on purpose. It follows docs/protocol.md ("Devices of one space") byte by byte and uses
nothing of the code under test, so that a second program has read the document. What a device would draw at random is
fixed here.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HOME_SECRET = bytes(range(0x80, 0xA0))
ORIGIN, GENERATION = "https://counter.example", 1
SENDER, OTHER = "0011223344556677", "8899aabbccddeeff"
SESSION = bytes(range(0x30, 0x40))
TAG = "c0" * 16
DIGEST = bytes(range(32))
MS = 1_800_000_000_000
DEVICE = "fedcba9876543210"

Json = Any


def hkdf(secret: bytes, info: bytes, size: int = 32) -> bytes:
    """Return HKDF-SHA-256 (RFC 5869) with an empty salt, of at most 32 bytes."""
    return hmac.digest(hmac.digest(bytes(32), secret, "sha256"), info + b"\1", "sha256")[:size]


def join(*fields: str | bytes | int) -> bytes:
    """Return the fields, each with its length in front; a number is a field of 8 bytes."""
    found = b""
    for field in fields:
        if isinstance(field, int):
            field = field.to_bytes(8, "big")
        elif isinstance(field, str):
            field = field.encode()
        found += len(field).to_bytes(4, "big") + field
    return found


def padded(content: bytes, least: int = 512) -> bytes:
    """Return the content with its length in front, padded by Padmé to at least so many bytes."""
    found = len(content).to_bytes(4, "big") + content
    exponent = len(found).bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return found + bytes(max(least, -(-len(found) // step) * step) - len(found))


def text_of(value: Json) -> bytes:
    """Return JSON without spaces, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def message(kind: int, head: Json, body: Json = None) -> bytes:
    """Return a message; a body is a byte 1 and JSON."""
    encoded = text_of(head)
    found = bytes([kind]) + len(encoded).to_bytes(4, "big") + encoded
    return found if body is None else found + b"\1" + text_of(body)


def changes(
    ranges: Json, first: int, rows: Json, replicas: Json, base: Json = None, more: bool = False
) -> bytes:
    """Return CHANGES."""
    head = {"ranges": ranges, "first": first, "base": base, "more": more}
    return message(1, head, [replicas, rows, []])


SPACE_SECRET = hkdf(HOME_SECRET, join("masq/v1/space-secret", ORIGIN, GENERATION))
EPOCH_SECRET = hkdf(SPACE_SECRET, join("masq/v1/epoch", 0))
SENDER_KEY = hkdf(EPOCH_SECRET, join("masq/v1/sender", SENDER, SESSION))


def envelope(counter: int, content: bytes, **other: Any) -> bytes:
    """Return an envelope around content that is padded already; `other` header fields than a device would write."""
    field = {"version": 1, "form": 0, "epoch": 0} | other
    header = bytes((field["version"], field["form"])) + field["epoch"].to_bytes(4, "big")
    header += bytes.fromhex(SENDER) + SESSION + counter.to_bytes(8, "big")
    return header + AESGCM(SENDER_KEY).encrypt(
        counter.to_bytes(12, "big"), content, join("masq/v1/envelope", header)
    )


def known_messages() -> list[dict[str, Json]]:
    """Return every kind of message: what it says, and its bytes.

    A change is written as [replica, number, key, text, [ms, counter, replica], base number, parts].
    """
    value, packed = "Zoë 🦊", '{"a":[1,2.5,null],"b":{"$bytes":"AAE="},"c":{"$int":"-20000000000000"}}'
    zero = [0, 0, ""]
    found: list[dict[str, Json]] = [
        {
            "name": "CHANGES, one value",
            "changes": [[SENDER, 1, "count", "1", [MS, 0, SENDER], 1, []]],
            "ranges": [[SENDER, 0, 1]],
            "content": changes([[SENDER, 0, 1]], 0, [[0, 1, "count", "1", MS, 0, 0, 1]], [SENDER]),
        },
        {
            "name": "CHANGES, first piece of two",
            "changes": [
                [SENDER, 2, "é", text_of(value).decode(), [MS, 1, SENDER], 2, []],
                [SENDER, 3, "gone", None, [MS, 2, SENDER], 3, []],
                [OTHER, 7, "\0", packed, [MS - 1, 4503599627370496, OTHER], 7, []],
            ],
            "ranges": [],
            "first": 1,
            "more": True,
            "content": changes(
                [],
                1,
                [
                    [0, 2, "é", text_of(value).decode(), MS, 1, 0, 2],
                    [0, 3, "gone", None, MS, 2, 0, 3],
                    [1, 7, "\0", packed, MS - 1, 4503599627370496, 1, 7],
                ],
                [SENDER, OTHER],
                more=True,
            ),
        },
        {
            "name": "CHANGES, an answer of counters",
            "changes": [
                [SENDER, 4, "steps", None, zero, 0, [[SENDER, 4, 5]]],
                [OTHER, 9, "count", "1", [MS, 0, SENDER], 1, [[OTHER, 9, -3]]],
                [OTHER, 10, "big", None, zero, 0, [[OTHER, 10, 2**60]]],
            ],
            "ranges": [[SENDER, 3, 4], [OTHER, 7, 10]],
            "first": 1,
            "base": {SENDER: 3, OTHER: 7},
            "content": changes(
                [[SENDER, 3, 4], [OTHER, 7, 10]],
                1,
                [
                    [0, 4, "steps", None, 0, 0, 1, 0, [[0, 4, 5]]],
                    [2, 9, "count", "1", MS, 0, 0, 1, [[2, 9, -3]]],
                    [2, 10, "big", None, 0, 0, 1, 0, [[2, 10, {"$int": "1000000000000000"}]]],
                ],
                [SENDER, "", OTHER],
                base={SENDER: 3, OTHER: 7},
            ),
        },
        {
            "name": "CHECK",
            "vector": {SENDER: 4, OTHER: 2**52},
            "digest": None,
            "content": message(2, {"vector": {SENDER: 4, OTHER: 2**52}, "digest": None}),
        },
        {
            "name": "CHECK, with a digest",
            "vector": {SENDER: 4},
            "digest": DIGEST.hex(),
            "content": message(2, {"vector": {SENDER: 4}, "digest": DIGEST.hex()}),
        },
        {
            "name": "STATE, last part",
            "rows": [
                ["count", MS, 0, SENDER, 1, "1", [[SENDER, 5, 2], [OTHER, 9, -3]]],
                ["gone", MS, 2, SENDER, 3, None, []],
            ],
            "number": 12,
            "tag": TAG,
            "vector": {SENDER: 5, OTHER: 9},
            "content": message(
                3,
                {"number": 12, "tag": TAG, "vector": {SENDER: 5, OTHER: 9}},
                [
                    [SENDER, OTHER],
                    ["count", "gone"],
                    [MS, MS],
                    [0, 2],
                    [0, 0],
                    [1, 3],
                    ["1", None],
                    [[0, [[0, 5, 2], [1, 9, -3]]]],
                    [],
                ],
            ),
        },
        {
            "name": "STATE, a part of nothing",
            "rows": [],
            "number": 12,
            "tag": TAG,
            "vector": None,
            "content": message(
                3, {"number": 12, "tag": TAG, "vector": None}, [[], [], [], [], [], [], [], [], []]
            ),
        },
        {"name": "TRIMMED", "number": 12, "content": message(4, {"number": 12})},
        {"name": "HERE", "device": DEVICE, "content": message(5, {"device": DEVICE})},
    ]
    for counter, each in enumerate(found):
        each["counter"] = counter
        content = each.pop("content")
        each["message"] = content.hex()
        each["envelope"] = envelope(counter, padded(content)).hex()
    return found


def known_digest() -> dict[str, Any]:
    """Return rows that a space holds, and their digest."""
    rows = [["a", MS, 0, SENDER, 1, "1", [[SENDER, 5, 2]]], ["é", MS, 2, OTHER, 3, None, []]]
    columns = [
        [SENDER, OTHER],
        ["a", "é"],
        [MS, MS],
        [0, 2],
        [0, 1],
        [1, 3],
        ["1", None],
        [[0, [[0, 5, 2]]]],
        [],
    ]
    piece = b"\1" + json.dumps(columns, ensure_ascii=False, separators=(",", ":")).encode()
    return {"rows": rows, "digest": hashlib.sha256(bytes(32) + piece).hexdigest()}


def refused() -> list[dict[str, str]]:
    """Return envelopes under the right key that no device has made."""
    good = changes([[SENDER, 0, 1]], 0, [[0, 1, "count", "1", MS, 0, 0, 1]], [SENDER])
    loose = changes([[SENDER, 0, 1]], 0, [[0, 1, "count", "1 ", MS, 0, 0, 1]], [SENDER])
    late = changes([[SENDER, 0, 1]], 0, [[0, 1, "count", "1", 2**48 + 1, 0, 0, 1]], [SENDER])
    found = {
        "padded to 256 bytes": envelope(0, padded(good, 256)),
        "padded to one byte more": envelope(0, padded(good) + b"\0"),
        "padded with ones": envelope(0, padded(good)[:-1] + b"\1"),
        "another epoch": envelope(0, padded(good), epoch=1),
        "an unknown kind": envelope(0, padded(message(9, {}))),
        "a text with a space": envelope(0, padded(loose)),
        "a stamp after the last": envelope(0, padded(late)),
        "a byte short": envelope(0, padded(good))[:-1],
        "an older version": envelope(0, padded(good), version=0),
        "a later version": envelope(0, padded(good), version=2),
        "a later form": envelope(0, padded(good), form=1),
    }
    found["another's counter"] = envelope(0, padded(good))[:37] + b"\1" + envelope(0, padded(good))[38:]
    return [{"name": name, "envelope": each.hex()} for name, each in found.items()]


def newer() -> list[dict[str, str]]:
    """Return envelopes under the right key in which a later version has said something."""
    found = {"later changes": envelope(0, padded(message(1, {}) + b"\2[]"))}
    return [{"name": name, "envelope": each.hex()} for name, each in found.items()]


def main() -> None:
    """Write the file."""
    made = {
        "home_secret": HOME_SECRET.hex(),
        "origin": ORIGIN,
        "generation": GENERATION,
        "space_secret": SPACE_SECRET.hex(),
        "home_space_secret": hkdf(HOME_SECRET, join("masq/v1/home-space")).hex(),
        "room": hkdf(SPACE_SECRET, join("masq/v1/room"), 16).hex(),
        "token": hkdf(EPOCH_SECRET, join("masq/v1/room-token")).hex(),
        "sender": SENDER,
        "session": SESSION.hex(),
        "sender_key": SENDER_KEY.hex(),
        "messages": known_messages(),
        "digest": known_digest(),
        "refused": refused(),
        "newer": newer(),
    }
    path = Path(__file__).parent / "envelope.json"
    path.write_text(json.dumps(made, indent=1, ensure_ascii=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
