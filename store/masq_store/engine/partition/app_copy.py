"""One app's data in a partition: its space and its roster, in step by a line to the store, and by a relay."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from masq.errors import MasqError, QuotaExceeded
from masq.messages import JsonObject
from masq_store.core.crypto import key_schedule
from masq_store.core.enrolment import roster
from masq_store.core.enrolment.messages import Grant, Told
from masq_store.core.errors import DamagedData
from masq_store.core.space.space_ref import SpaceRef
from masq_store.engine.enrolment.port_line import PortLine
from masq_store.engine.partition.enrolment_records import Secrets
from masq_store.engine.partition.services import Services
from masq_store.engine.relay.link import RelayLink
from masq_store.engine.storage import disk_keys
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.record_sealer import Sealer
from masq_store.engine.sync.room_keys import RoomKeys
from masq_store.engine.sync.room_sync import SpaceSync


class AppCopy:
    """An app's open replica in a partition, with its roster.

    Args:
        identity: this partition's id as a device of the space.
        changed: told when how it stands may have changed.
    """

    def __init__(
        self,
        services: Services,
        secrets: Secrets,
        identity: str,
        data: OpenSpace,
        roster_space: OpenSpace,
        met: dict[str, int],
        changed: Callable[[], None],
    ) -> None:
        self.secrets = secrets
        self.identity = identity
        self.data = data
        self.roster = roster_space
        self.ticket: str | None = None
        self.was_damaged = False
        """Whether it stands in the place of a damaged one, and nobody has been told."""
        self.locks = False
        """Whether it has rested for too long and locks as soon as it can: it counts as locked already."""
        self.line: PortLine | None = None
        self._turn = secrets.grant.turn  # in which it was opened
        self._taken_back = False  # a window of the store has said so
        self._older: dict[
            str, list[Any]
        ] = {}  # stamps of the roster's rows that a window's word is newer than
        self._services = services
        self._met = met  # what the store had on its disk when they last met
        self._changed = changed
        self._meets: tuple[str, bool] = ("", False)  # at which relay, and whether with the data
        self._link: RelayLink | None = None
        self._data_sync: SpaceSync | None = None
        self._roster_sync: SpaceSync | None = None

    @classmethod
    async def open(
        cls,
        services: Services,
        secrets: Secrets,
        identity: str,
        changed: Callable[[], None],
        reading: Callable[[], None] = lambda: None,
    ) -> AppCopy:
        """Read it from the disk; `reading` is called now and then where that takes long.

        Raises DamagedData, NewerData, QuotaExceeded.
        """
        backend, crypto = services.backend, services.crypto
        origin, generation = secrets.grant.origin, secrets.grant.generation

        async def read(info: bytes) -> OpenSpace:
            space_id = (await crypto.hkdf(secrets.root, info, key_schedule.ID_BYTES)).hex()
            sealer = Sealer(crypto, secrets.root, secrets.id, space_id)
            replica = crypto.random(key_schedule.REPLICA_BYTES).hex()
            try:
                return await OpenSpace.open(backend, sealer, secrets.id, space_id, replica, reading)
            except DamagedData:
                if info != key_schedule.roster_id_info(origin):
                    raise
            # Nothing is lost by that: what a roster says is told again, by the relay or the next window.
            await backend.write([], [disk_keys.space(secrets.id, space_id)])
            return await OpenSpace.open(backend, sealer, secrets.id, space_id, replica)

        data = await read(key_schedule.space_id_info(origin, generation))
        rows = await read(key_schedule.roster_id_info(origin))
        copy = cls(services, secrets, identity, data, rows, await _note(data), changed)
        copy._older = await _note(rows)
        return copy

    async def granted_again(self, secrets: Secrets) -> None:
        """Take the store's word, which is newer than all that the roster here says."""
        self.secrets = secrets
        self._turn, self._taken_back = secrets.grant.turn, False
        await self._keep_older(
            {key: self._stamp(key) for prefix in self._prefixes for key in self._keys(prefix)}
        )

    async def told(self, secrets: Secrets, told: Told) -> None:
        """Take what a window says since it has granted the copy. `secrets`: with the grant as it is by that."""
        self.secrets = secrets
        self._taken_back = told.ended
        policies = {key: self._stamp(key) for key in self._keys(roster.POLICY + self.identity)}
        await self._keep_older({**self._older, **policies, **told.over})

    def opened_by_itself(self) -> None:
        """Note that the device's key has opened it, as it opens the store itself: the locks of before are over."""
        said = self._said.policy
        self._turn = max(self._turn, said.turn if said else 0)

    # What the roster says ----------------------------------------------------------------------------------

    @property
    def _prefixes(self) -> tuple[str, ...]:
        return roster.prefixes(self.identity)

    def _keys(self, prefix: str) -> list[str]:
        return self.roster.core.keys(prefix)

    def _stamp(self, key: str) -> list[Any]:
        register = self.roster.core.register(key)
        return list(register.stamp) if register else []

    async def _keep_older(self, older: dict[str, list[Any]]) -> None:
        """Count those rows no more, until somebody writes them anew."""
        if older != self._older:
            self._older = older
            with suppress(QuotaExceeded):  # then they count again after a restart, which can only be stricter
                await self.roster.keep_met(json.dumps(older).encode())

    @property
    def _said(self) -> roster.Said:
        """What the roster says since a window of the store has said something."""
        items = (item for prefix in self._prefixes for item in self.roster.core.items(prefix))
        newer = ((key, text) for key, text in items if self._older.get(key) != self._stamp(key))
        return roster.said(newer, self.identity)

    @property
    def policy(self) -> roster.Policy:
        """What holds for it: what was granted, and what the roster has made stricter since."""
        granted, said = self.secrets.grant.policy, self._said.policy
        return granted.with_(said) if said else granted

    @property
    def kept_grant(self) -> Grant:
        """The grant as it is to be kept: what was made stricter once is not made looser by a roster."""
        return self.secrets.grant.under(self.policy)

    @property
    def is_to_lock(self) -> bool:
        """Whether the person has locked the store since the copy was opened."""
        return self.policy.turn > self._turn

    @property
    def devices(self) -> int:
        """How many devices hold the data, as far as the roster says."""
        said = roster.said(self.roster.core.items(roster.APP), self.identity)
        return said.facts.devices if said.facts else 1

    @property
    def erased(self) -> bool:
        """Whether the roster says that the app's data was erased, and began anew."""
        facts = self._said.facts
        return facts is not None and facts.generation > self.secrets.grant.generation

    @property
    def ended(self) -> bool:
        """Whether the person has taken the data from this partition."""
        said = self._said
        return (
            self._taken_back
            or said.removed
            or self.erased
            or (said.facts is not None and not said.facts.approved)
        )

    @property
    def _moved(self) -> bool:
        """Whether the others meet elsewhere by now, as the roster says: a window has to confirm that."""
        facts = self._said.facts
        return facts is not None and facts.relay != self.secrets.grant.relay

    # In step -----------------------------------------------------------------------------------------------

    async def meet(self) -> None:
        """Meet the other devices at the relay that a window of the store has named, and at no other any more.

        Not with the data where the sync of the app is off in this browser; what the roster says is heard all the same.
        """
        services = self._services
        url = self.secrets.grant.relay if services.relays else ""
        meets = url, bool(url) and self.policy.sync
        if meets == self._meets:
            return
        await self.leave()
        self._meets = meets
        if not url or services.relays is None:
            return
        link = self._link = services.relays.get(url)
        link.listeners.append(self._changed)

        async def begin(space: OpenSpace, ref: SpaceRef) -> SpaceSync:
            ring = self.secrets.grant.ring(services.crypto)
            room_keys = await RoomKeys.of(services.crypto, ring, ref)
            sync = SpaceSync(
                space, room_keys, link, services.writer, services.crypto,
                changed=self._changed, now_ms=services.now_ms,
            )  # fmt: skip
            await sync.start()
            return sync

        if meets[1]:
            self._data_sync = await begin(self.data, self.secrets.grant.app_space)
        self._roster_sync = await begin(self.roster, self.secrets.grant.roster_space)

    async def leave(self) -> None:
        """Leave the relay."""
        syncs = self._data_sync, self._roster_sync
        self._data_sync = self._roster_sync = None
        self._meets = ("", False)
        for sync in syncs:
            if sync is not None:
                await sync.stop()
        if self._link is not None:
            self._link.listeners.remove(self._changed)
            self._link = None

    async def close(self) -> None:
        """Let it go: nobody uses it any more, and the writer is idle."""
        vector = self.line.vector if self.line else None
        if self.line is not None:
            self.line.leave_spaces()
        await self.leave()
        with suppress(MasqError):
            await self._note_met(vector)

    async def note_met(self) -> None:
        """Keep what the store has, so that what reached nobody is known after a restart, too. Raises QuotaExceeded."""
        await self._note_met(self.line.vector if self.line else None)

    async def _note_met(self, vector: dict[str, int] | None) -> None:
        if vector and vector != self._met:
            self._met = dict(vector)
            await self.data.keep_met(json.dumps(self._met).encode())

    @property
    def state(self) -> str:
        """How the data stands: "live", "catching-up", "offline", or "off"."""
        if self.line is not None and self.line.together:
            return "live"
        if self._data_sync is not None and not self._moved:
            return self._data_sync.state
        return "catching-up" if self.line is not None and self.line.syncing else "off"

    @property
    def waiting(self) -> int:
        """How many changes are nowhere but here, as far as is known."""
        met = dict(self._met)
        for who, number in ((self.line.vector if self.line else None) or {}).items():
            met[who] = max(number, met.get(who, 0))
        only_here = sum(max(0, n - met.get(who, 0)) for who, n in self.data.durable_vector().items())
        return min(only_here, self._data_sync.waiting) if self._data_sync is not None else only_here


async def _note(space: OpenSpace) -> JsonObject:
    """Return what `OpenSpace.keep_met` was given; nothing where that cannot be read."""
    try:
        note = json.loads(await space.met() or b"{}")
    except (DamagedData, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
