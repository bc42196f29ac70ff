"""Seals a space's records and opens them again, each bound to the one before it."""

from __future__ import annotations

from collections.abc import Sequence

from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.padding import pad, unpad
from masq_store.core.errors import DamagedData
from masq_store.core.storage.record import Record, decode_record, encode_record
from masq_store.engine.ports import Crypto, Key

START = b""
"""What stands for the previous tag where there is no record before."""


class Sealer:
    """The journal keys of one space.

    Each sealer draws a run of its own, and so has a key of its own: a count starting from zero is then a safe
    nonce, also when a space is let go and opened again. A record's associated data name profile, space, kind,
    run, number and the tag of the record before.
    """

    def __init__(self, crypto: Crypto, root: bytes, profile: str, space: str) -> None:
        self._crypto = crypto
        self._root = root
        self._profile = profile
        self._space = space
        self._run = crypto.random(key_schedule.RUN_BYTES)
        self._number = 0
        self._keys: dict[bytes, Key] = {}

    async def seal(self, kind: int, content: bytes, previous: bytes) -> bytes:
        """Return a stored record holding `content`, padded, that follows the record tagged `previous`."""
        number, self._number = self._number, self._number + 1
        sealed = await self._crypto.seal(
            self._keys.get(self._run) or await self._key(self._run),
            key_schedule.nonce(number),
            pad(content),
            key_schedule.record_data(self._profile, self._space, kind, self._run, number, previous),
        )
        return encode_record(Record(kind, self._run, number, sealed))

    async def open(self, kind: int, records: Sequence[bytes], previous: bytes) -> list[bytes]:
        """Return what consecutive `records` hold; the first follows the record tagged `previous`.

        Raises DamagedData where one was altered, left out, or comes from elsewhere; NewerData where a
        later version of Masq wrote it.
        """
        contents: list[bytes] = []
        group: list[tuple[bytes, bytes, bytes]] = []
        group_run = b""
        for stored in records:
            record = decode_record(stored)
            if record.kind != kind:
                raise DamagedData("a record of another kind")
            if record.run != group_run and group:
                contents += await self._crypto.open_many(await self._key(group_run), group)
                group = []
            group_run = record.run
            associated = key_schedule.record_data(
                self._profile, self._space, kind, record.run, record.number, previous
            )
            group.append((key_schedule.nonce(record.number), record.sealed, associated))
            previous = record.tag
        if group:
            contents += await self._crypto.open_many(await self._key(group_run), group)
        return [unpad(content) for content in contents]

    async def _key(self, run: bytes) -> Key:
        if run not in self._keys:
            self._keys[run] = await self._crypto.derive_key(
                self._root, key_schedule.journal_info(self._space, run)
            )
        return self._keys[run]


def tag(record: bytes) -> bytes:
    """Return the tag that the next record is bound to."""
    return record[-key_schedule.TAG_BYTES :]
