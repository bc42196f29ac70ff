"""The header of a stored record, in clear: what must be readable before anything is opened."""

from __future__ import annotations

from typing import NamedTuple

from masq_store.core.crypto.key_schedule import RUN_BYTES, TAG_BYTES
from masq_store.core.errors import DamagedData, NewerData

RECORD_FORMAT = 1

CHANGES = 1  # kinds of record
CHECKPOINT = 2
PLACE = 3  # how far the room's log was read

_HEADER = 2 + RUN_BYTES + 8  # version, kind, run, number


class Record(NamedTuple):
    """A sealed record with its header, as it is stored under one key of the backend.

    `kind`: 0 to 255; `run`: the engine run that sealed it, 16 bytes; `number`: its count within that run;
    `sealed`: ciphertext and tag.
    """

    kind: int
    run: bytes
    number: int
    sealed: bytes

    @property
    def tag(self) -> bytes:
        """The record's AES-GCM tag, which the next record's associated data hold."""
        return self.sealed[-TAG_BYTES:]


def encode_record(record: Record) -> bytes:
    """Return a record as stored: version (1 byte), kind (1), run (16), number (8, big-endian), sealed."""
    return b"".join(
        (bytes((RECORD_FORMAT, record.kind)), record.run, record.number.to_bytes(8, "big"), record.sealed)
    )


def decode_record(stored: bytes) -> Record:
    """Undo `encode_record`. Raises NewerData for a later format, DamagedData for what is no record."""
    if not stored or stored[0] == 0:
        raise DamagedData("a stored record")
    if stored[0] > RECORD_FORMAT:
        raise NewerData(stored[0], RECORD_FORMAT)
    if len(stored) < _HEADER + TAG_BYTES:
        raise DamagedData("a stored record")
    run = bytes(stored[2 : 2 + RUN_BYTES])
    number = int.from_bytes(stored[2 + RUN_BYTES : _HEADER], "big")
    return Record(stored[1], run, number, bytes(stored[_HEADER:]))
