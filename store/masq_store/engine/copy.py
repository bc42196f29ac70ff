"""One app's data in a partition: its space and its roster, in step by a line to the store, and by a relay."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from masq.errors import MasqError
from masq_store.core import keys, roster
from masq_store.core.errors import DamagedData
from masq_store.core.register import Register
from masq_store.engine.copies import Secrets
from masq_store.engine.line import Line
from masq_store.engine.ports import Backend, Crypto
from masq_store.engine.relay_link import RelayLink
from masq_store.engine.relays import Relays
from masq_store.engine.room_keys import RoomKeys
from masq_store.engine.sealer import Sealer
from masq_store.engine.space_sync import SpaceSync
from masq_store.engine.spaces import OpenSpace
from masq_store.engine.writer import Writer


class Copy:
    """An open copy.

    Args:
        identity: this partition's id as a device of the space.
        changed: told when how it stands may have changed.
    """

    def __init__(
        self,
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
        self.line: Line | None = None
        self._older: dict[
            str, Register | None
        ] = {}  # what the roster said when the copy was granted once more
        self._met = met  # what the store had on its disk when they last met
        self._changed = changed
        self._relay = ""
        self._link: RelayLink | None = None
        self._syncs: tuple[SpaceSync, ...] = ()  # of the data, and of the roster

    @classmethod
    async def open(
        cls, backend: Backend, crypto: Crypto, secrets: Secrets, identity: str, changed: Callable[[], None]
    ) -> Copy:
        """Read it from the disk. Raises DamagedData, NewerData, QuotaExceeded."""
        origin, generation = secrets.grant.origin, secrets.grant.generation
        spaces = []
        for info in (keys.space_id_info(origin, generation), keys.roster_id_info(origin)):
            space_id = (await crypto.hkdf(secrets.root, info, keys.ID_BYTES)).hex()
            sealer = Sealer(crypto, secrets.root, secrets.id, space_id)
            replica = crypto.random(keys.REPLICA_BYTES).hex()
            spaces.append(await OpenSpace.open(backend, sealer, secrets.id, space_id, replica))
        met: dict[str, int] = {}
        with suppress(DamagedData, ValueError):
            met = json.loads(await spaces[0].met() or b"{}")
        return cls(secrets, identity, spaces[0], spaces[1], met, changed)

    def granted_again(self, secrets: Secrets) -> None:
        """Take the store's word, which is newer than what the roster here says."""
        self.secrets = secrets
        self._older = {key: self.roster.core.register(key) for key in (roster.APP, self._locks_key)}

    def release(self, origin: str) -> None:
        """A session lets go of the data, which stays in memory all the same."""

    # What the roster says ----------------------------------------------------------------------------------

    @property
    def facts(self) -> roster.Facts:
        """What the devices of the profile say of the app; before they said anything: what was granted."""
        grant = self.secrets.grant
        said = roster.read_facts(self.roster.core.text(roster.APP))
        # The relay may have moved while this copy was out of touch. By its stamp, for it may move back.
        if said and self._is_older(roster.APP):
            return said._replace(relay=grant.relay)
        return said or roster.Facts(True, grant.generation, grant.relay, 1)

    @property
    def locks_as(self) -> roster.Locks:
        """When it locks, as the person has set it in the store of this browser; before that: what was granted."""
        grant = self.secrets.grant
        said = roster.read_locks(self.roster.core.text(self._locks_key))
        if said is None or self._is_older(self._locks_key):
            return roster.Locks(grant.stay, grant.lock_minutes)
        return said

    @property
    def _locks_key(self) -> str:
        return roster.LOCKS + self.identity

    def _is_older(self, key: str) -> bool:
        return key in self._older and self.roster.core.register(key) == self._older[key]

    @property
    def ended(self) -> bool:
        """Whether the person has taken the data from this partition."""
        facts = self.facts
        removed = self.roster.core.has(roster.REMOVED + self.identity)
        return removed or not facts.approved or facts.generation > self.secrets.grant.generation

    # In step -----------------------------------------------------------------------------------------------

    async def meet(
        self, relays: Relays | None, writer: Writer, crypto: Crypto, now_ms: Callable[[], int]
    ) -> None:
        """Meet the other devices at the relay that the roster names, and at no other any more."""
        url = self.facts.relay if relays else ""
        if url == self._relay:
            return
        await self.leave()
        self._relay = url
        if not url or relays is None:
            return
        link = self._link = relays.get(url)
        link.listeners.append(self._changed)
        secrets = (self.secrets.grant.secret, self.secrets.grant.roster)
        syncs = []
        for space, secret in zip((self.data, self.roster), secrets, strict=True):
            room_keys = await RoomKeys.derive(crypto, bytes.fromhex(secret))
            sync = SpaceSync(space, room_keys, link, writer, crypto, changed=self._changed, now_ms=now_ms)
            await sync.start()
            syncs.append(sync)
        self._syncs = tuple(syncs)

    async def leave(self) -> None:
        """Leave the relay."""
        syncs, self._syncs = self._syncs, ()
        self._relay = ""
        for sync in syncs:
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
        if self._syncs:
            return self._syncs[0].state
        return "catching-up" if self.line is not None and self.line.syncing else "off"

    @property
    def waiting(self) -> int:
        """How many changes are nowhere but here, as far as is known."""
        met = dict(self._met)
        for who, number in ((self.line.vector if self.line else None) or {}).items():
            met[who] = max(number, met.get(who, 0))
        only_here = sum(max(0, n - met.get(who, 0)) for who, n in self.data.durable_vector().items())
        return min([only_here, *(sync.waiting for sync in self._syncs[:1])])
