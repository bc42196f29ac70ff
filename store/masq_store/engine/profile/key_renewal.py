"""A new root key for a profile: all that hangs on the old one is sealed anew beside it, then both change places.

Until the last write the disk opens as before, with the old root key; from then on nothing is left under that. What was
begun is noted first among the spaces to be erased: after a crash on the way the next opening drops it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress

from masq.errors import MasqError
from masq_store.core.crypto import key_schedule
from masq_store.core.storage.record import PLACE
from masq_store.engine.ports import Backend, Crypto
from masq_store.engine.profile.vault import Unlocked, Vault
from masq_store.engine.storage import disk_keys
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.record_sealer import START, Sealer


async def renew(
    backend: Backend,
    crypto: Crypto,
    vault: Vault,
    secrets: Unlocked,
    passphrase: str,
    spaces: Sequence[bytes],
    progress: Callable[[int, int], None],
) -> Unlocked:
    """Give the active profile, which nobody has open, a new root key; return what opens it now. Durable on return.

    `passphrase`: what it opens with from now on, see `Vault.set_passphrase`. `spaces`: HKDF's info for the name of
    each space that it may have. `progress` is told how many of them are done, and of how many.
    Raises QuotaExceeded, DamagedData, NewerData or StorageUnavailable, with everything as it was.
    """
    root = crypto.random(key_schedule.SECRET_BYTES)
    names = [(await _name(crypto, secrets.root, info), await _name(crypto, root, info)) for info in spaces]
    leftovers = await backend.read(disk_keys.leftovers(secrets.id))
    noted: list[str] = json.loads(leftovers) if leftovers is not None else []
    begun = json.dumps([*noted, *(new for _, new in names)]).encode()
    await backend.write([(disk_keys.leftovers(secrets.id), begun)])
    try:
        notes: list[tuple[str, bytes]] = []
        for done, (old, new) in enumerate(names):
            progress(done, len(names))
            await _seal_anew(backend, crypto, secrets, root, old, new)
            notes += await _note_anew(backend, crypto, secrets, root, old, new)
        progress(len(names), len(names))
        drops = [disk_keys.space(secrets.id, space) for space in (*noted, *(old for old, _ in names))]
        return await vault.renew(secrets, root, passphrase, notes, [*drops, disk_keys.trashes(secrets.id)])
    except MasqError:
        with suppress(MasqError):  # else it goes at the next opening
            note = disk_keys.leftovers(secrets.id)
            drops = [disk_keys.space(secrets.id, new) for _, new in names]
            await backend.write(
                [(note, leftovers)] if leftovers is not None else [], [*drops, (note, note + "\0")]
            )
        raise


async def _name(crypto: Crypto, root: bytes, info: bytes) -> str:
    return (await crypto.hkdf(root, info, key_schedule.ID_BYTES)).hex()


async def _note_anew(
    backend: Backend, crypto: Crypto, secrets: Unlocked, root: bytes, old: str, new: str
) -> list[tuple[str, bytes]]:
    """Return what is to stand in the trash's list for a space that is there, under the new root key."""
    record = await backend.read(disk_keys.trash(secrets.id, old))
    if record is None:
        return []
    (content,) = await Sealer(crypto, secrets.root, secrets.id, old).open(PLACE, [record], START)
    note = json.dumps({**json.loads(content), "id": new}).encode()
    sealed = await Sealer(crypto, root, secrets.id, new).seal(PLACE, note, START)
    return [(disk_keys.trash(secrets.id, new), sealed)]


async def _seal_anew(
    backend: Backend, crypto: Crypto, secrets: Unlocked, root: bytes, old: str, new: str
) -> None:
    """Write a space, where there is one, a second time: as one checkpoint under the new root key."""
    if await backend.read(disk_keys.numbered(disk_keys.checkpoint(secrets.id, old), 0)) is None:
        return
    replica = crypto.random(key_schedule.REPLICA_BYTES).hex()  # it writes nothing
    sealer = Sealer(crypto, secrets.root, secrets.id, old)
    space = await OpenSpace.open(backend, sealer, secrets.id, old, replica)
    copy = OpenSpace(backend, Sealer(crypto, root, secrets.id, new), secrets.id, new, space.core)
    await copy.checkpoint(copy.freeze())
    place = await space.place()
    if place is not None:
        await copy.keep_place(place)
