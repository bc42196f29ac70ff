"""The header of an envelope, in clear: what stands in front of what is sealed.

    version u8 · form u8 · epoch u32 · sender 8 · session 16 · counter u64 · sealed

All of it is associated data of what is sealed. `form` says how what follows the counter is laid out, so that a later
version can put a signature there, or derive each message's key from the one before.
"""

from __future__ import annotations

from typing import NamedTuple

from masq_store.core.crypto.key_schedule import REPLICA_BYTES, RUN_BYTES, TAG_BYTES
from masq_store.core.errors import DamagedData

VERSION = 1
SEALED = 0
"""The only form today: what is sealed, and nothing else."""

MINIMUM = 512
"""Bytes to which a message is padded at least: a change of one short value is as long as of any other."""

HEADER_BYTES = 2 + 4 + REPLICA_BYTES + RUN_BYTES + 8
OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES


class Header(NamedTuple):
    """An envelope's header: who sealed it, and under which key.

    `sender`: a replica id, 16 hexadecimal characters; `session`: 16 random bytes drawn by the sender, under which
    no `counter` is used twice.
    """

    epoch: int
    sender: str
    session: bytes
    counter: int


def encode_header(header: Header) -> bytes:
    """Return a header as bytes."""
    return b"".join(
        (
            bytes((VERSION, SEALED)),
            header.epoch.to_bytes(4, "big"),
            bytes.fromhex(header.sender),
            header.session,
            header.counter.to_bytes(8, "big"),
        )
    )


def parse_envelope(envelope: bytes) -> tuple[Header, bytes]:
    """Return the header of an envelope, and what is sealed behind it.

    Raises DamagedData for what is no envelope of this version. A higher version proves nothing: it stands in clear,
    where anybody could write it. A later version that has something to say in this room seals it as this one does.
    """
    if len(envelope) < OVERHEAD_BYTES + MINIMUM or envelope[:2] != bytes((VERSION, SEALED)):
        raise DamagedData("an envelope")
    at = 2 + 4 + REPLICA_BYTES
    header = Header(
        int.from_bytes(envelope[2:6], "big"),
        envelope[6:at].hex(),
        bytes(envelope[at : at + RUN_BYTES]),
        int.from_bytes(envelope[HEADER_BYTES - 8 : HEADER_BYTES], "big"),
    )
    return header, bytes(envelope[HEADER_BYTES:])


def tag_of(envelope: bytes) -> bytes:
    """Return an envelope's tag, by which a relay's log knows it."""
    return bytes(envelope[-TAG_BYTES:])
