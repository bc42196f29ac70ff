"""Write the vectors of our own derivations anew: python3 tests/vectors/make.py.

Only when a format changes on purpose. The published vectors (RFC 5869) are kept as they are; ours come from
Python's hmac and hashlib, not from the code under test, and AES-GCM from pyca/cryptography.
"""

import hashlib
import hmac
import json
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from masq_store.core.crypto import key_schedule

HERE = Path(__file__).parent
ORIGIN = "https://counter.example"
PROFILE = "00112233445566778899aabbccddeeff"
RUN = bytes(range(16))
SECRET = bytes(range(32))


def hkdf(secret: bytes, info: bytes, size: int, salt: bytes = b"") -> bytes:
    """Return HKDF-SHA-256 by its definition in RFC 5869."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    found = block = b""
    for count in range(1, 1 + -(-size // 32)):
        block = hmac.digest(key, block + info + bytes([count]), "sha256")
        found += block
    return found[:size]


INFOS = {
    "journal": key_schedule.journal_info("ab" * 16, RUN),
    "space-id": key_schedule.space_id_info(ORIGIN, 0),
    "space-id, next generation": key_schedule.space_id_info(ORIGIN, 1),
    "home-id": key_schedule.home_id_info(),
    "space-secret": key_schedule.space_secret_info(ORIGIN, 0),
    "home-secret": key_schedule.home_secret_info(PROFILE),
    "approvals": key_schedule.approvals_info(PROFILE),
    "ticket": key_schedule.ticket_info(PROFILE),
    "backup": key_schedule.backup_info(),
    "backup-profile": key_schedule.backup_profile_info(),
}

RFC_5869 = [  # appendix A, the case whose salt is empty
    {
        "name": "RFC 5869 A.3",
        "secret": "0b" * 22,
        "info": "",
        "size": 42,
        "okm": "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    }
]


RFC_7914 = "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"  # its first 32 bytes

LOOK_ALIKE = ["caf\u00e9 \u1e9b\u0323", "cafe\u0301 \u017f\u0323\u0307"]  # the first is in form NFC


def sealed_case(name: str, key: bytes, **more: object) -> dict[str, object]:
    """Return a case in which a key seals a journal record."""
    nonce = key_schedule.nonce(7)
    associated = key_schedule.record_data(PROFILE, "ab" * 16, 1, RUN, 7, bytes(16))
    plaintext = "masq ✓ \0".encode()
    return {
        "name": name,
        **more,
        "nonce": nonce.hex(),
        "associated": associated.hex(),
        "plaintext": plaintext.hex(),
        "sealed": AESGCM(key).encrypt(nonce, plaintext, associated).hex(),
    }


def passphrase_case(name: str, passphrases: list[str], salt: bytes, iterations: int) -> dict[str, object]:
    """Return a case in which a passphrase's key seals; the passphrases are spellings of one."""
    key = hashlib.pbkdf2_hmac("sha256", passphrases[0].encode(), salt, iterations)
    more = {"passphrases": passphrases, "salt": salt.hex(), "iterations": iterations, "pbkdf2": key.hex()}
    return sealed_case(name, key, **more)


def main() -> None:
    """Write the files."""
    ours = []
    for name, info in INFOS.items():
        okm = hkdf(SECRET, info, 32).hex()
        ours.append({"name": name, "secret": SECRET.hex(), "info": info.hex(), "size": 32, "okm": okm})
    derived = [
        sealed_case(name, hkdf(SECRET, info, 32), secret=SECRET.hex(), info=info.hex())
        for name, info in INFOS.items()
    ]
    passphrase = [
        passphrase_case("RFC 7914 section 11", ["Password"], b"NaCl", 80_000),
        passphrase_case(
            "at full strength", ["correct horse"], bytes(range(16)), key_schedule.PBKDF2_ITERATIONS
        ),
        passphrase_case("composed and decomposed", LOOK_ALIKE, RUN, 1000),
        passphrase_case("empty", [""], RUN, 1000),
    ]
    assert passphrase[0]["pbkdf2"] == RFC_7914
    files = {"hkdf": RFC_5869 + ours, "derived": derived, "passphrase": passphrase}
    for name, cases in files.items():
        (HERE / f"{name}.json").write_text(json.dumps(cases, indent=1, ensure_ascii=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
