"""What a partition keeps on its disk of its enrolments: one record each, of which only the app's mark can be read.

An enrolment is named by its space's secret, so that a window which brings the secret again finds the copy again, with
what was written there and reached nobody. The root key of a copy follows from the secret, too, and from the partition.
On the disk it stands wrapped under the device's key where the copy may open by itself, and under a ticket for as long
as its pages are open; else nothing there opens it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import NamedTuple, NotRequired, TypedDict

from masq_store.core.crypto import key_schedule
from masq_store.core.enrolment.messages import Grant, read_grant
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.profile.home_layout import Identity, identity_of
from masq_store.engine.ports import Backend, Crypto
from masq_store.engine.profile.tickets import Tickets
from masq_store.engine.profile.wrapping import Sealed, Wrapping
from masq_store.engine.storage import disk_keys
from masq_store.engine.storage.trash import KEPT_MS

LAYOUT = 1
"""The version of what this module writes."""


class Aside(TypedDict):
    """A damaged copy that was set aside.

    `turn`: how many were before it; `until_ms`: when it is erased, in milliseconds since 1970; `spaces`: where it
    stands, the app's data first; `read`: what can be read of it is in the copy that took its place.
    """

    turn: int
    until_ms: int
    spaces: list[str]
    read: bool


class Record(TypedDict):
    """An enrolment's record on the disk, as JSON. An earlier build left out what is `NotRequired`.

    `id`: the enrolment's name. `app`: the app's mark. `roster`: the roster's name, made of its secret. `public`, in
    hexadecimal, and `private`: the partition's key as a device. `device`: the root key as the device's key has it;
    None: that does not open the copy. `used`: the higher, the later it was granted.
    """

    layout: int
    id: str
    app: str
    roster: str
    public: str
    private: Sealed
    grant: Sealed
    device: Sealed | None
    used: int
    turn: NotRequired[int]
    """How many damaged copies were set aside before this one."""
    aside: NotRequired[list[Aside]]
    ended_until_ms: NotRequired[int]
    """It was ended, and is erased then, in milliseconds since 1970."""


class Secrets(NamedTuple):
    """The secrets that open a copy. `id`: its enrolment's name."""

    id: str
    root: bytes
    grant: Grant


class EnrolmentRecords:
    """The enrolments of this partition."""

    def __init__(self, backend: Backend, crypto: Crypto) -> None:
        self.tickets = Tickets(backend, crypto)
        """By the enrolments' names."""
        self._backend = backend
        self._crypto = crypto
        self._partition = b""
        self._records: dict[str, Record] = {}

    async def check(self) -> None:
        """See that the storage is of a version known here. Raises NewerData or DamagedData."""
        version = await self._backend.read(disk_keys.SCHEMA)
        if version is not None and not version.isdigit():
            raise DamagedData("the storage's version")
        if version is not None and int(version) > LAYOUT:
            raise NewerData(int(version), LAYOUT)

    async def load(self) -> None:
        """Read which enrolments there are; a new partition gets its name."""
        kept = await self._backend.read(disk_keys.PARTITION)
        self._partition = kept or self._crypto.random(key_schedule.ID_BYTES)
        if kept is None:
            puts = [(disk_keys.SCHEMA, str(LAYOUT).encode()), (disk_keys.PARTITION, self._partition)]
            await self._backend.write(puts)
        records = [json.loads(content) for _, content in await self._backend.scan(disk_keys.COPIES)]
        self._records = {record["id"]: record for record in records}

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return not self._records

    async def latest(self, origin: str) -> Record | None:
        """Return the record of the enrolment that an app was last used with, None where it has none."""
        mark = await self._mark(origin)
        of_app = [
            each for each in self._records.values() if each["app"] == mark and "ended_until_ms" not in each
        ]
        return max(of_app, key=lambda record: int(record["used"]), default=None)

    async def known(self, origin: str) -> dict[str, str]:
        """Return the public key, in hexadecimal, of each enrolment of an app, by its name."""
        mark = await self._mark(origin)
        return {id: record["public"] for id, record in self._records.items() if record["app"] == mark}

    async def take(
        self, grant: Grant, identity: Identity, private: bytes, over: Collection[str] = ()
    ) -> Secrets:
        """Keep what was granted, and return what opens the copy; durable on return.

        `identity`, `private`: this partition's as a device, where the enrolment has none yet. `over`: names of
        enrolments in the same app's data that go, for the store says that this was erased. No other goes: that it is
        of another generation does not say which of the two is the right one.
        """
        ring = grant.ring(self._crypto)
        id = await ring.enrolment(grant.app_space)
        before = self._records.get(id)
        turn = before.get("turn", 0) if before else 0
        root = await self._root(grant, turn)
        roster = await ring.enrolment(grant.roster_space)
        wrapping = Wrapping(self._crypto, id)
        sealed = before["private"] if before else await wrapping.device_key(root, private)
        granted, by_device = await self._granted(wrapping, root, grant)
        record: Record = {
            "layout": LAYOUT,
            "id": id,
            "app": await self._mark(grant.origin),
            "roster": roster,
            "public": before["public"] if before else identity.public.hex(),
            "private": sealed,
            "grant": granted,
            "device": by_device,
            "used": 1 + max((int(each["used"]) for each in self._records.values()), default=0),
        }
        if before and "turn" in before:
            record["turn"] = before["turn"]
        if before and "aside" in before:
            record["aside"] = before["aside"]
        erased = [
            other
            for other, each in self._records.items()
            if other in over and other != id and each["roster"] == roster
        ]
        drops = [drop for other in erased for drop in _everything(other)]
        await self._backend.write([(disk_keys.copy(id), json.dumps(record).encode())], drops)
        for other in erased:
            del self._records[other]
        self._records[id] = record
        return Secrets(id, root, grant)

    async def begin_anew(self, secrets: Secrets, now_ms: int) -> Secrets:
        """Begin an empty copy in the place of a damaged one, and return what opens it; durable on return.

        Nothing is overwritten: the new one has a root key of its own, and so stands beside the other one, which goes
        after 30 days. `asides` tells of it.
        """
        record = self._records[secrets.id]
        turn = record.get("turn", 0)
        wrapping, root = self._wrapping(record), await self._root(secrets.grant, turn + 1)
        private = await wrapping.open_device_key(secrets.root, record["private"])
        aside: Aside = {
            "turn": turn,
            "until_ms": now_ms + KEPT_MS,
            "spaces": await self._spaces(secrets),
            "read": False,
        }
        sealed = await wrapping.device_key(root, private)
        granted, by_device = await self._granted(wrapping, root, secrets.grant)
        changed: Record = {
            **record,
            "turn": turn + 1,
            "aside": [*record.get("aside", []), aside],
            "private": sealed,
            "grant": granted,
            "device": by_device,
        }
        await self._keep(changed)
        return secrets._replace(root=root)

    async def asides(self, secrets: Secrets) -> list[tuple[int, bytes, str]]:
        """Return the damaged copies that were set aside and not read yet: turn, root key, the data's space."""
        found = self._records[secrets.id].get("aside", [])
        return [
            (each["turn"], await self._root(secrets.grant, each["turn"]), each["spaces"][0])
            for each in found
            if not each["read"]
        ]

    async def note_read(self, id: str, turn: int) -> None:
        """Note that what could be read of a copy that was set aside is in the copy now."""
        record = self._records[id]
        aside: list[Aside] = [
            {**each, "read": each["read"] or each["turn"] == turn} for each in record["aside"]
        ]
        await self._keep({**record, "aside": aside})

    async def sweep(self, now_ms: int) -> None:
        """Erase the copies that were set aside long enough ago."""
        for record in list(self._records.values()):
            if record.get("ended_until_ms", now_ms + 1) <= now_ms:
                await self.delete(record["id"])
                continue
            over = [each for each in record.get("aside", []) if each["until_ms"] <= now_ms]
            if over:
                left = [each for each in record["aside"] if each not in over]
                drops = [disk_keys.space(record["id"], space) for each in over for space in each["spaces"]]
                await self._keep({**record, "aside": left}, drops)

    async def keep_grant(self, secrets: Secrets, grant: Grant) -> Secrets:
        """Keep what a grant of before has become, and return what opens the copy; durable on return."""
        wrapping, record = Wrapping(self._crypto, secrets.id), self._records[secrets.id]
        granted, by_device = await self._granted(wrapping, secrets.root, grant)
        await self._keep({**record, "grant": granted, "device": by_device})
        return secrets._replace(grant=grant)

    async def _keep(self, record: Record, drops: Sequence[tuple[str, str]] = ()) -> None:
        await self._backend.write([(disk_keys.copy(record["id"]), json.dumps(record).encode())], drops)
        self._records[record["id"]] = record

    async def _root(self, grant: Grant, turn: int) -> bytes:
        """Return a copy's root key. `turn`: how many damaged ones were set aside before it."""
        name = self._partition + (turn.to_bytes(4, "big") if turn else b"")
        return await grant.ring(self._crypto).copy_root(grant.app_space, name)

    async def _spaces(self, secrets: Secrets) -> list[str]:
        origin, generation = secrets.grant.origin, secrets.grant.generation
        infos = (key_schedule.space_id_info(origin, generation), key_schedule.roster_id_info(origin))
        return [(await self._crypto.hkdf(secrets.root, info, key_schedule.ID_BYTES)).hex() for info in infos]

    async def _granted(self, wrapping: Wrapping, root: bytes, grant: Grant) -> tuple[Sealed, Sealed | None]:
        """Return a grant sealed, and the root key as the device's key has it where the copy may open by itself."""
        sealed = await wrapping.grant(root, json.dumps(grant._asdict()).encode())
        return sealed, await wrapping.by_device(root) if grant.stay else None

    async def identity(self, public: str) -> Identity:
        """Return the device that a public key, in hexadecimal, stands for."""
        return await identity_of(self._crypto, bytes.fromhex(public))

    def opens_by_itself(self, id: str) -> bool:
        """Whether the device's key opens a copy."""
        return bool(self._records[id]["device"])

    async def by_device(self, record: Record) -> Secrets | None:
        """Open a copy with the device's key; None where it may not open by itself, or the key is gone."""
        if not record["device"]:
            return None
        try:
            root = await self._wrapping(record).open_by_device(record["device"])
        except DamagedData:
            return None
        return await self._secrets(record, root) if root is not None else None

    async def by_ticket(self, record: Record, ticket: str, now_ms: int) -> Secrets | None:
        """Open a copy with a ticket; None where it does not fit, or its time is over."""
        root = await self.tickets.root(record["id"], ticket, now_ms)
        try:
            return await self._secrets(record, root) if root is not None else None
        except DamagedData:
            return None

    async def set_aside(self, id: str, now_ms: int) -> None:
        """Let nothing on this disk open a copy any more, and keep it sealed until its secret is granted again.

        Whoever ended it may not have been its person. After 30 days it is erased, see `sweep`. Durable on return.
        """
        name = disk_keys.ticket(id)
        record: Record = {**self._records[id], "device": None, "ended_until_ms": now_ms + KEPT_MS}
        await self._keep(record, [(name, name + "\0")])

    async def delete(self, id: str) -> None:
        """Erase a copy with all that belongs to it, in one transaction."""
        await self._backend.write([], _everything(id))
        self._records.pop(id, None)

    async def _secrets(self, record: Record, root: bytes) -> Secrets:
        granted = await self._wrapping(record).open_grant(root, record["grant"])
        return Secrets(record["id"], root, read_grant(json.loads(granted)))

    def _wrapping(self, record: Record) -> Wrapping:
        return Wrapping(self._crypto, record["id"])

    async def _mark(self, origin: str) -> str:
        """Return what an app is called on the disk. It hides nothing: the browser files partitions by site."""
        return (await self._crypto.sha256(self._partition + origin.encode())).hex()


def _everything(id: str) -> list[tuple[str, str]]:
    names = [disk_keys.copy(id), disk_keys.ticket(id)]
    return [*((name, name + "\0") for name in names), disk_keys.spaces(id)]
