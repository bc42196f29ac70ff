"""Backups: written, opened, and merged into a profile.

A backup is opened and checked as a whole before anything is changed, and then merged in one transaction.
docs/decisions/0003 says why which registration wins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from masq import messages
from masq.errors import InvalidValue, NotRegistered, QuotaExceeded
from masq_store.core.backup import container
from masq_store.core.backup import contents as layout
from masq_store.core.backup.container import Frame, Head
from masq_store.core.backup.contents import Backup, Manifest, SavedSpace
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.padding import pad, unpad
from masq_store.core.errors import DamagedBackup, DamagedData, WrongBackupPassphrase
from masq_store.core.profile.registrations import (
    APP,
    Registration,
    read_generation,
    read_registration,
    registrations,
)
from masq_store.core.space.register import Change, from_row, merge_registers
from masq_store.engine.ports import Crypto, Key
from masq_store.engine.profile.profile import Profile
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.together import Operation, write_together
from masq_store.engine.storage.writer import Writer

IDLE_SECONDS = 1
"""How long a restore waits for a moment at which nobody writes."""

OPENED_AT_ONCE = 32
"""Records that are opened in one call of the Crypto port: quick, and not the whole file twice in memory."""


class Restored(NamedTuple):
    """The result of a restore, app by app.

    `merged`: origins whose data is now here; `skipped`: origins whose data this profile has erased, or whose
    registration it has removed, since the backup was made; `moved`: origins of `merged` whose present data
    was erased by the backup, which is the newer one.
    """

    merged: list[str]
    skipped: list[str]
    moved: list[str]


# Writing and opening ---------------------------------------------------------------------------------------


async def write_backup(
    profile: Profile,
    crypto: Crypto,
    passphrase: str,
    *,
    now_ms: int,
    origin: str | None = None,
    iterations: int = key_schedule.PBKDF2_ITERATIONS,
) -> bytes:
    """Return a backup file of the whole profile, or of the app at `origin`.

    Each space is as it was at one moment while this ran. `iterations`: of PBKDF2.
    Raises InvalidValue for an empty passphrase, NotRegistered for an app that the profile does not know.
    """
    if not passphrase:
        raise InvalidValue("a backup needs a passphrase")
    frozen = await profile.frozen(None)
    home = SavedSpace(None, 0, frozen.vector, frozen.rows)
    if origin is not None:
        # One row does not stand for everything up to the version vector, so the vector stays behind.
        home = SavedSpace(None, 0, {}, [row for row in frozen.rows if row[0] == APP + origin])
    apps = registrations(home.items())
    if origin is not None and not apps:
        raise NotRegistered(origin)
    mark = await profile.ring.backup_mark()
    secret = profile.home_secret if origin is None else None
    file = await _File.begin(crypto, passphrase, iterations)
    await file.add(layout.encode_manifest(Manifest(profile.name, mark, secret, now_ms)))
    await file.add_all(layout.encode_space(home))
    for app, registered in apps.items():
        generation = registered["generation"]
        frozen = await profile.frozen(app, generation)
        await file.add_all(layout.encode_space(SavedSpace(app, generation, frozen.vector, frozen.rows)))
    await file.add(layout.encode_end(1 + len(apps)), last=True)
    return file.content()


async def read_backup(crypto: Crypto, content: bytes, passphrase: str) -> Backup:
    """Open and check a backup file.

    Raises NotABackup, NewerBackup, TruncatedBackup, DamagedBackup and WrongBackupPassphrase.
    """
    head = container.decode_head(content)
    frames = container.decode_frames(content)
    wrapping = await crypto.passphrase_key(passphrase, head.salt, head.iterations)
    data = key_schedule.wrapped_backup_data(container.head_start(head.iterations, head.salt))
    try:
        secret = await crypto.open(wrapping, key_schedule.nonce(0), head.wrapped, data)
    except DamagedData:
        raise WrongBackupPassphrase() from None
    key = await crypto.derive_key(secret, key_schedule.backup_info())
    try:
        return layout.decode(await _open(crypto, key, frames))
    except DamagedData as error:
        raise DamagedBackup("a record") from error


async def _open(crypto: Crypto, key: Key, frames: Sequence[Frame]) -> list[bytes]:
    contents: list[bytes] = []
    for start in range(0, len(frames), OPENED_AT_ONCE):
        group = []
        for number in range(start, min(start + OPENED_AT_ONCE, len(frames))):
            last, sealed = frames[number]
            previous = frames[number - 1].tag if number else b""
            data = key_schedule.backup_record_data(container.VERSION, number, last, previous)
            group.append((key_schedule.nonce(number), sealed, data))
        contents += [unpad(padded) for padded in await crypto.open_many(key, group)]
    return contents


class _File:
    """A backup file in the making."""

    def __init__(self, crypto: Crypto, key: Key, head: bytes) -> None:
        self._crypto = crypto
        self._key = key
        self._pieces = [head]
        self._number = 0
        self._previous = b""

    @classmethod
    async def begin(cls, crypto: Crypto, passphrase: str, iterations: int) -> _File:
        salt = crypto.random(key_schedule.SALT_BYTES)
        secret = crypto.random(key_schedule.SECRET_BYTES)
        wrapping = await crypto.passphrase_key(passphrase, salt, iterations)
        data = key_schedule.wrapped_backup_data(container.head_start(iterations, salt))
        # Nonce 0: with a salt of its own, the passphrase's key seals this one thing in its life.
        wrapped = await crypto.seal(wrapping, key_schedule.nonce(0), secret, data)
        key = await crypto.derive_key(secret, key_schedule.backup_info())
        return cls(crypto, key, container.encode_head(Head(iterations, salt, wrapped)))

    async def add(self, content: bytes, last: bool = False) -> None:
        number, self._number = self._number, self._number + 1
        data = key_schedule.backup_record_data(container.VERSION, number, last, self._previous)
        frame = Frame(
            last, await self._crypto.seal(self._key, key_schedule.nonce(number), pad(content), data)
        )
        self._pieces.append(container.encode_frame(frame))
        self._previous = frame.tag

    async def add_all(self, contents: Iterator[bytes]) -> None:
        for content in contents:
            await self.add(content)

    def content(self) -> bytes:
        return b"".join(self._pieces)


# Restoring -------------------------------------------------------------------------------------------------


async def restore(
    profile: Profile, writer: Writer, backup: Backup, *, now_ms: int, erased: bool = False
) -> Restored:
    """Merge a backup into a profile, by the rules for merging; durable on return, all of it or nothing.

    An older state never undoes a newer one. `erased`: merge also
    the data of apps that the profile has erased since, into their present spaces.
    Raises QuotaExceeded, and what opening a space raises.
    """
    same = await is_of(backup, profile)
    while True:
        plan = _plan(profile, backup, same, erased, now_ms)
        opened: dict[str, OpenSpace] = {}
        try:
            for origin, generation in plan.into.items():
                opened[origin] = await profile.space(origin, generation)
            if plan.into != _plan(profile, backup, same, erased, now_ms).into:
                continue  # the person has decided something about an app during the wait
            operations = [*plan.home]
            for origin, space in opened.items():
                operations.append((space, _merge(space, backup.spaces[origin])))
            await write_together(writer, operations)
            await _shorten(writer, [profile.home, *opened.values()])
        finally:
            for origin in opened:
                profile.release(origin)
        skipped = [origin for origin in backup.spaces if origin not in plan.into]
        return Restored(list(plan.into), skipped, plan.moved)


class _Plan(NamedTuple):
    """The plan of a restore: writes of the home space, and into which generation each app's data goes."""

    home: list[tuple[OpenSpace, Operation]]
    into: dict[str, int]
    moved: list[str]


def _plan(profile: Profile, backup: Backup, same: bool, erased: bool, now_ms: int) -> _Plan:
    home = profile.home
    saved = {row[0]: from_row(row) for row in backup.home.rows}
    into: dict[str, int] = {}
    moved: list[str] = []
    rewritten: list[tuple[str, str | None]] = []
    taken: list[Change] = backup.home.changes()
    for origin, app in backup.apps().items():
        key = APP + origin
        mine, theirs = home.core.register(key), saved[key]
        winner = theirs if mine is None else merge_registers(mine, theirs)
        if winner.text is None:
            continue  # removed since
        present = read_generation(mine.text) if mine and mine.text is not None else None
        known = read_registration(origin, winner.text)
        # What cannot be read is healed by what this backup says.
        after = known["generation"] if known else max(read_generation(winner.text), app["generation"])
        if same and app["generation"] < after and not erased:
            continue  # erased since
        if present is not None and after != present:
            if same:
                moved.append(origin)
            else:
                # Another profile's count of erasures says nothing about this one's data.
                after = present
        healed: Registration = {**(known or app), "generation": after}
        if (text := messages.encode(healed)) != winner.text:
            rewritten.append((key, text))
        into[origin] = after
    if not same:
        taken = [change for change in taken if change.key.startswith(APP)]
    vector = backup.home.vector if same else {}
    operations: list[tuple[OpenSpace, Operation]] = [(home, lambda: home.core.merge(taken, vector))]
    if rewritten:
        operations.append((home, lambda: home.core.write(rewritten, now_ms)))
    return _Plan(operations, into, moved)


async def merge_generation(profile: Profile, writer: Writer, origin: str, generation: int) -> None:
    """Merge an earlier generation of an app's data into the present one, as a backup of it; durable on return.

    Raises QuotaExceeded, and what opening a space raises.
    """
    frozen = await profile.frozen(origin, generation)
    saved = SavedSpace(origin, generation, frozen.vector, frozen.rows)
    space = await profile.space(origin)
    try:
        await write_together(writer, [(space, _merge(space, saved))])
        await _shorten(writer, [space])
    finally:
        profile.release(origin)


def _merge(space: OpenSpace, saved: SavedSpace) -> Operation:
    changes = saved.changes()
    return lambda: space.core.merge(changes, saved.vector)


async def _shorten(writer: Writer, spaces: list[OpenSpace]) -> None:
    """Write checkpoints where the restore made a journal's tail long: they open quicker.

    While an app keeps writing there is no moment for it; the writer does it with the space's next change.
    """
    with suppress(QuotaExceeded, TimeoutError):  # no room to spare, or no time: the journal holds everything
        for space in spaces:
            if space.wants_checkpoint():
                async with asyncio.timeout(IDLE_SECONDS):
                    await writer.idle()
                await space.checkpoint(space.freeze())


async def is_of(backup: Backup, profile: Profile) -> bool:
    """Say whether a backup was made of this profile, here or on another device."""
    return await profile.ring.backup_mark() == backup.manifest.mark
