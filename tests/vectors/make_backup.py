"""Write the known backup file anew: python3 tests/vectors/make_backup.py.

Only when the format changes on purpose. It follows docs/backup.md byte by byte and uses nothing of the code
under test, so that a second program has read the document. Its "random" bytes are fixed, and its iterations
few: this file protects nothing.
"""

import binascii
import hashlib
import hmac
import json
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PASSPHRASE = "correct horse, café"
ITERATIONS = 1000
SALT = bytes(range(16))
BACKUP_KEY = bytes(range(32, 64))
HOME_SECRET = bytes(range(64, 96))
MADE_MS = 1_700_000_000_000

COUNTER, TASKS = "http://counter.localhost:8000", "https://tasks.example"
A, B, C = "aa" * 8, "bb" * 8, "cc" * 8  # replicas
T = MADE_MS - 1000


def hkdf(secret: bytes, info: bytes, size: int) -> bytes:
    """Return HKDF-SHA-256 (RFC 5869) with an empty salt, of at most 32 bytes."""
    return hmac.digest(hmac.digest(bytes(32), secret, "sha256"), info + b"\1", "sha256")[:size]


def join(*fields: bytes) -> bytes:
    """Return the fields, each with its length in front."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def padded(content: bytes) -> bytes:
    """Return the content with its length in front, padded by Padmé to at least 256 bytes."""
    found = len(content).to_bytes(4, "big") + content
    exponent = len(found).bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return found + bytes(max(256, -(-len(found) // step) * step) - len(found))


def body(kind: int, structure: object) -> bytes:
    """Return a record of JSON."""
    return bytes([kind]) + json.dumps(structure, ensure_ascii=False, separators=(",", ":")).encode()


def app(name: str, approved: bool, generation: int) -> str:
    """Return an app's registration as it is stored."""
    registration = {"approved": approved, "approved_ms": T, "description": "", "generation": generation}
    registration.update(icon=None, name=name, used_ms=T)
    return json.dumps(registration, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def contents() -> list[bytes]:
    """Return the records before they are sealed; see docs/backup.md, Contents."""
    mark = hkdf(HOME_SECRET, join(b"masq/v1/backup-profile"), 16).hex()
    manifest = {
        "format": 1,
        "name": "Zoë",
        "mark": mark,
        "home_secret": HOME_SECRET.hex(),
        "made_ms": MADE_MS,
    }
    registrations = [app("Counter", True, 0), app("Tâches", False, 2)]
    home = [[A], ["app/" + COUNTER, "app/" + TASKS], [T, T], [0, 1], [0, 0], [1, 2], registrations, [], []]
    counts = ["base", "count", "gone", "high"]
    parts = [[0, [[0, 3, -2]]], [1, [[0, 4, 5], [1, 1, 7]]], [3, [[1, 2, {"$int": "ff" * 20}]]]]
    counter = [[A, B, ""], counts, [T, 0, T, T], [0, 0, 2, 9], [0, 2, 0, 1], [1, 0, 2, 3]]
    counter += [["40", None, None, "1"], parts, []]
    tasks_first = [[C], ["bytes", "list"], [T, T], [0, 0], [0, 0], [1, 2]]
    tasks_first += [['{"$bytes":"AAEC/w=="}', '[1.5,{"done":false},"é😀"]'], [], []]
    tasks_second = [[C], ["\0 odd", "tag"], [T, T], [0, 1], [0, 0], [3, 4], ["null", '{"$$int":1}'], [], []]
    rows = b"\x03\x01"  # ROWS, and the version of the register table
    table = [body(0, found)[1:] for found in (home, counter, tasks_first, tasks_second)]
    return [
        body(1, manifest),
        body(2, {"origin": None, "generation": 0, "vector": {A: 2}, "slices": 1}),
        rows + table[0],
        body(2, {"origin": COUNTER, "generation": 0, "vector": {A: 4, B: 3}, "slices": 1}),
        rows + table[1],
        body(2, {"origin": TASKS, "generation": 2, "vector": {C: 4}, "slices": 2}),
        rows + table[2],
        rows + table[3],
        body(4, {"spaces": 3}),
    ]


def main() -> None:
    """Write the file."""
    head = b"\x89MBK\r\n\x1a\n" + b"\x01" + ITERATIONS.to_bytes(4, "big") + SALT
    wrapping = hashlib.pbkdf2_hmac("sha256", PASSPHRASE.encode(), SALT, ITERATIONS)
    data = join(b"masq/v1/backup-by-passphrase", head)
    head += AESGCM(wrapping).encrypt(bytes(12), BACKUP_KEY, data)
    file = head + binascii.crc32(head).to_bytes(4, "big")
    key = AESGCM(hkdf(BACKUP_KEY, join(b"masq/v1/backup"), 32))
    previous = b""
    records = contents()
    for number, content in enumerate(records):
        last = number == len(records) - 1
        fields = [field.to_bytes(8, "big") for field in (1, number, last)]
        data = join(b"masq/v1/backup-record", *fields, previous)
        sealed = key.encrypt(number.to_bytes(12, "big"), padded(content), data)
        file += bytes([last]) + len(sealed).to_bytes(4, "big") + sealed
        previous = sealed[-16:]
    total = 1 + int("ff" * 20, 16)
    entries = {"base": 38, "count": 12, "high": {"$int": f"{total:x}"}}
    tasks = {"\0 odd": None, "bytes": {"$bytes": "AAEC/w=="}, "list": [1.5, {"done": False}, "é😀"]}
    apps = {
        COUNTER: {"name": "Counter", "approved": True, "entries": entries},
        TASKS: {"name": "Tâches", "approved": False, "entries": {**tasks, "tag": {"$$int": 1}}},
    }
    vector = {
        "passphrase": PASSPHRASE,
        "iterations": ITERATIONS,
        "home_secret": HOME_SECRET.hex(),
        "vectors": {COUNTER: {A: 4, B: 3}, TASKS: {C: 4}},
        "plain": {"masq": "export", "format": 1, "profile": "Zoë", "made_ms": MADE_MS, "apps": apps},
        "file": file.hex(),
    }
    path = Path(__file__).parent / "backup.json"
    path.write_text(json.dumps(vector, indent=1, ensure_ascii=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
