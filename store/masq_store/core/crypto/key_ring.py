"""The key ring: which keys a space has, and which its room has in an epoch. They are derived nowhere else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.primitives import Primitives
from masq_store.core.space.space_ref import SpaceRef

FIRST_EPOCH = 0
"""The one whose secret follows from the space's."""


@dataclass(frozen=True)
class RoomSecrets:
    """The secrets by which a device meets the others of a space in one epoch.

    `room`: the id of the room at a relay, 16 bytes. `token`: what lets into it, 32 bytes. `secret`: the epoch's, 32
    bytes; the keys under which envelopes are sealed follow from it.
    """

    epoch: int
    room: bytes
    token: bytes = field(repr=False)
    secret: bytes = field(repr=False)


class KeyRing(ABC):
    """The keys of spaces and of their epochs, by `SpaceRef`."""

    def __init__(self, crypto: Primitives) -> None:
        self._crypto = crypto

    @abstractmethod
    async def secret(self, space: SpaceRef) -> bytes:
        """Return a space's secret, 32 bytes. Raises KeyError where the ring does not have it."""

    def newest(self, space: SpaceRef) -> int:
        """Return the epoch in which a space's devices meet now. Each space has only its first one today."""
        return FIRST_EPOCH

    async def room(self, space: SpaceRef, epoch: int) -> RoomSecrets:
        """Return what a space's room of an epoch needs. Raises KeyError where the ring does not have it."""
        if epoch != FIRST_EPOCH:
            raise KeyError(epoch)
        of_space = await self.secret(space)
        room = await self._crypto.hkdf(of_space, key_schedule.room_info(), key_schedule.ROOM_BYTES)
        secret = await self._crypto.hkdf(of_space, key_schedule.epoch_info(epoch), key_schedule.SECRET_BYTES)
        token = await self._crypto.hkdf(secret, key_schedule.room_token_info(), key_schedule.TOKEN_BYTES)
        return RoomSecrets(epoch, room, token, secret)

    async def enrolment(self, space: SpaceRef) -> str:
        """Return the name under which a partition keeps a space: 32 hexadecimal characters."""
        return (
            await self._crypto.hkdf(
                await self.secret(space), key_schedule.enrolment_info(), key_schedule.ID_BYTES
            )
        ).hex()

    async def copy_root(self, space: SpaceRef, partition: bytes) -> bytes:
        """Return the root key, 32 bytes, under which a partition keeps a space; `partition`: the partition's name."""
        return await self._crypto.hkdf(await self.secret(space), key_schedule.partition_info(partition))


class ProfileKeys(KeyRing):
    """The key ring of a whole profile: each space's secret follows from the home secret."""

    def __init__(self, crypto: Primitives, home_secret: bytes) -> None:
        """`home_secret`: 32 bytes that all devices of the profile have."""
        super().__init__(crypto)
        self._home_secret = home_secret

    async def secret(self, space: SpaceRef) -> bytes:
        """Return a space's secret, 32 bytes. Raises KeyError for a kind of space that a later version knows."""
        if space.kind == "home":
            info = key_schedule.home_space_info()
        elif space.kind == "app":
            info = key_schedule.space_secret_info(space.origin, space.generation)
        elif space.kind == "roster":
            info = key_schedule.roster_info(space.origin)
        else:
            raise KeyError(space)
        return await self._crypto.hkdf(self._home_secret, info, key_schedule.SECRET_BYTES)

    async def backup_mark(self) -> str:
        """Return what all backups of the profile are marked with: 32 hexadecimal characters."""
        return (
            await self._crypto.hkdf(
                self._home_secret, key_schedule.backup_profile_info(), key_schedule.ID_BYTES
            )
        ).hex()


class GrantedKeys(KeyRing):
    """The key ring of a partition: single spaces, whose secrets it was granted."""

    def __init__(self, crypto: Primitives, secrets: Mapping[SpaceRef, bytes]) -> None:
        """`secrets`: 32 bytes for each space."""
        super().__init__(crypto)
        self._secrets = secrets

    async def secret(self, space: SpaceRef) -> bytes:
        """Return a space's secret, 32 bytes. Raises KeyError for one that was not granted."""
        return self._secrets[space]
