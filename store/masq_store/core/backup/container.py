"""The container of a backup: the file's head, which says how to open it, and the frames of its sealed records.

    head    magic (8 bytes) · version (1) · iterations (4) · salt (16) · wrapped backup key (48) · CRC-32 (4)
    record  last (1) · length (4) · ciphertext and tag (length)
    …       until the record whose `last` is 1, with which the file ends

Numbers are unsigned and big-endian. `docs/backup.md` has all of it.
"""

from __future__ import annotations

import binascii
from typing import NamedTuple

from masq.errors import QuotaExceeded
from masq_store.core.crypto.key_schedule import KEY_BYTES, MAX_ITERATIONS, SALT_BYTES, TAG_BYTES
from masq_store.core.crypto.padding import MINIMUM
from masq_store.core.errors import DamagedBackup, NewerBackup, NotABackup, TruncatedBackup

MAGIC = b"\x89MBK\r\n\x1a\n"
"""As PNG's: not text, and a transfer that changes line ends or strips the eighth bit shows at once."""

VERSION = 1

MAX_RECORD = 2**28  # bytes of one sealed record

_WRAPPED = KEY_BYTES + TAG_BYTES
_UNWRAPPED = len(MAGIC) + 1 + 4 + SALT_BYTES  # what stands before the wrapped key
HEAD_BYTES = _UNWRAPPED + _WRAPPED + 4
_FRAME = 5  # bytes before each sealed record


class Head(NamedTuple):
    """The file's head, by which it is opened: PBKDF2's `iterations` and `salt`, and the backup key as `wrapped`."""

    iterations: int
    salt: bytes
    wrapped: bytes


class Frame(NamedTuple):
    """One sealed record, and whether the file ends with it."""

    last: bool
    sealed: bytes

    @property
    def tag(self) -> bytes:
        """The record's AES-GCM tag, which the next record's associated data hold."""
        return self.sealed[-TAG_BYTES:]


def head_start(iterations: int, salt: bytes) -> bytes:
    """Return the head up to the wrapped key: what the key is bound to."""
    return MAGIC + bytes((VERSION,)) + iterations.to_bytes(4, "big") + salt


def encode_head(head: Head) -> bytes:
    """Return the head as it stands in the file, with a checksum.

    The checksum protects against nobody; it tells a damaged head from a wrong passphrase.
    """
    start = head_start(head.iterations, head.salt) + head.wrapped
    return start + binascii.crc32(start).to_bytes(4, "big")


def encode_frame(frame: Frame) -> bytes:
    """Return a record as it stands in the file. Raises QuotaExceeded over 256 MiB."""
    if len(frame.sealed) > MAX_RECORD:
        raise QuotaExceeded("an entry is too large for a backup", MAX_RECORD)
    return bytes((frame.last,)) + len(frame.sealed).to_bytes(4, "big") + frame.sealed


def decode_head(content: bytes) -> Head:
    """Return the head of a backup file.

    Raises NotABackup, NewerBackup, TruncatedBackup and DamagedBackup.
    """
    if content[: len(MAGIC)] != MAGIC:
        raise NotABackup()
    if len(content) <= len(MAGIC):
        raise TruncatedBackup()
    version = content[len(MAGIC)]
    if version > VERSION:
        raise NewerBackup(version, VERSION)
    if len(content) < HEAD_BYTES:
        raise TruncatedBackup()
    head = content[:HEAD_BYTES]
    iterations = int.from_bytes(head[9:13], "big")
    if binascii.crc32(head[:-4]) != int.from_bytes(head[-4:], "big") or version < 1:
        raise DamagedBackup("its head")
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise DamagedBackup("the strength of its passphrase's key")
    return Head(iterations, bytes(head[13:_UNWRAPPED]), bytes(head[_UNWRAPPED:-4]))


def decode_frames(content: bytes) -> list[Frame]:
    """Return the records of a backup file, still sealed. Raises TruncatedBackup and DamagedBackup."""
    frames: list[Frame] = []
    at = HEAD_BYTES
    while not (frames and frames[-1].last):
        start = at + _FRAME
        if len(content) < start:
            raise TruncatedBackup()
        length = int.from_bytes(content[at + 1 : start], "big")
        if content[at] > 1 or not MINIMUM + TAG_BYTES <= length <= MAX_RECORD:
            raise DamagedBackup("the frame of a record")
        if len(content) < start + length:
            raise TruncatedBackup()
        at = start + length
        frames.append(Frame(content[at - length - _FRAME] == 1, bytes(content[start:at])))
    if at != len(content):
        raise DamagedBackup("what follows its last record")
    return frames
