"""An unlocked profile: its home space, the apps it has approved, and their spaces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from masq import messages
from masq.errors import Locked, QuotaExceeded
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.key_ring import ProfileKeys
from masq_store.core.errors import DamagedData, UnreadableData
from masq_store.core.profile import claims
from masq_store.core.profile.claims import AppClaims
from masq_store.core.profile.home_layout import ROSTER
from masq_store.core.profile.registrations import (
    APP,
    BACKUP,
    USED,
    Registration,
    read_backup_note,
    read_generation,
    read_registration,
    read_used,
    registrations,
)
from masq_store.core.storage.checkpoint import Frozen
from masq_store.engine.ports import Backend, Crypto
from masq_store.engine.profile.vault import Unlocked
from masq_store.engine.storage import disk_keys
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.record_sealer import Sealer
from masq_store.engine.storage.together import write_together
from masq_store.engine.storage.trash import KEPT_MS, Trash, Trashed
from masq_store.engine.storage.writer import Writer

OUTLIVED = 8
"""How many earlier generations of an app's space a profile looks for when it opens, in case a crash left one.

One more than that stays on the disk, unseen: it takes as many erasures elsewhere while this device is away."""

KEEP_SECONDS = 60
"""How long a space stays in memory after its last user has gone: a reload must not read it anew."""


class Profile:
    """The active profile, unlocked."""

    def __init__(self, backend: Backend, crypto: Crypto, writer: Writer, secrets: Unlocked) -> None:
        self.id = secrets.id
        self.name = secrets.name
        self._backend = backend
        self._crypto = crypto
        self._writer = writer
        self.secrets = secrets
        self.ring = ProfileKeys(crypto, secrets.home_secret)
        self._open: dict[tuple[str, int], asyncio.Task[OpenSpace]] = {}  # by origin and generation
        self.reading: Callable[[], None] = lambda: None  # called now and then while a large space is read
        self._users: dict[str, int] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._sizes: dict[str, dict[str, int]] = {}
        self._replicas: dict[str, str] = {}  # by space: drawn for this opening of the profile, never kept
        self._home: OpenSpace | None = None
        self._rosters: dict[str, asyncio.Task[OpenSpace]] = {}  # by origin
        self._closed = False
        self.trash = Trash(backend, crypto, secrets.id, secrets.root)

    async def start(self, now_ms: int) -> None:
        """Open the home space. Raises DamagedData or NewerData."""
        space_id = await self._space_id(key_schedule.home_id_info())
        self._home = await self._open_space(space_id)
        await self._sweep()
        await self.trash.load()
        with suppress(QuotaExceeded):  # at its next opening: it must not keep the profile closed
            await self.tidy(now_ms)

    async def close(self) -> None:
        """Let everything go: the writer is idle, and nobody has a space in use any more."""
        self._closed = True
        if opening := [*self._open.values(), *self._rosters.values()]:
            await asyncio.wait(opening)
        for leaving in self._leaving.values():
            leaving.cancel()
        self._leaving.clear()
        self._open.clear()
        self._rosters.clear()

    def apps(self) -> dict[str, Registration]:
        """Return each registration, withdrawn ones included, by origin."""
        found = registrations(self._home_core().items(APP))
        return {origin: self._with_use(origin, app) for origin, app in found.items()}

    def app(self, origin: str) -> Registration | None:
        """Return the registration of an app that may keep its data here now, else None."""
        app = self._registered(origin)
        return self._with_use(origin, app) if app and app["approved"] else None

    def approved(self) -> list[str]:
        """Return the origins of the apps that may keep their data here now."""
        return [origin for origin, app in self.apps().items() if app["approved"]]

    async def approve(self, origin: str, app: AppClaims, now_ms: int) -> None:
        """Register an app, as it names itself in `app`; durable on return."""
        claims.check_origin(origin)
        known = self._registered(origin) or {"generation": self.generation(origin), "used_ms": now_ms}
        await self._register(
            origin, {**known, **app._asdict(), "approved": True, "approved_ms": now_ms}, now_ms
        )

    async def remember(self, trashed: Trashed, now_ms: int) -> None:
        """List an app that nobody knows any more, and of which something is in the trash; durable on return."""
        if self._registered(trashed.origin) is None:
            said = {"name": trashed.name, "description": "", "icon": None}
            times = {"approved": False, "approved_ms": now_ms, "used_ms": now_ms}
            app = {**said, **times, "generation": trashed.generation}
            await self._register(trashed.origin, app, now_ms)

    async def withdraw(self, origin: str, now_ms: int) -> None:
        """Take an app's permission away; its data stays. Durable on return."""
        app = self.app(origin)
        if app:
            await self._register(origin, {**app, "approved": False}, now_ms)

    async def used(self, origin: str, now_ms: int) -> None:
        """Note that an app has just been opened."""
        if self.app(origin):
            await self.write_home([(USED + origin, now_ms)], now_ms)

    async def erase(self, origin: str, now_ms: int) -> None:
        """Erase an app's data. Nobody may use its space any more. Durable on return.

        The next generation of the app's space begins empty, so that what other devices still hold of this one
        does not come back. What was begun is noted first: a crash on the way leaves nothing behind.
        """
        app = self._registered(origin)
        if app is None:
            return
        await self._settled()
        space_id = await self._space_id(key_schedule.space_id_info(origin, app["generation"]))
        leftovers = [*await self._leftovers(), space_id]
        await self._backend.write([(disk_keys.leftovers(self.id), json.dumps(leftovers).encode())])
        await self._register(origin, {**app, "generation": app["generation"] + 1}, now_ms)
        self._forget_generation(origin, app["generation"])
        await self._sweep()

    async def advance(self, origin: str, generation: int, now_ms: int) -> None:
        """Go on with a later generation of an app's data, which somebody else has begun; durable on return.

        What is here goes into the trash. Nobody may use it any more.
        """
        app = self._registered(origin)
        if app is not None and app["generation"] < generation:
            await self._register(origin, {**app, "generation": generation}, now_ms)
            await self.drop(origin, app["generation"], now_ms)

    async def drop(self, origin: str, generation: int, now_ms: int) -> None:
        """Put an app's space into the trash that another device has erased. Nobody may use it any more."""
        await self._settled()
        with suppress(
            QuotaExceeded
        ):  # no room for a word about it: it stays where it is until the next opening
            await self._put_away(origin, generation, now_ms)
        self._forget_generation(origin, generation)

    async def tidy(self, now_ms: int) -> None:
        """Put what is over into the trash, and erase what has been there for its time. Raises QuotaExceeded."""
        used = {
            await self._space_id(key_schedule.space_id_info(origin, app["generation"]))
            for origin, app in self.apps().items()
        }
        await self.trash.take_out(*(each.id for each in self.trash.listed() if each.id in used))
        for origin, generation in await self._outlived():
            await self._put_away(origin, generation, now_ms)
            self._forget_generation(origin, generation)
        await self.trash.sweep(now_ms)

    async def write_home(self, entries: Iterable[tuple[str, Any]], now_ms: int) -> None:
        """Set keys of the home space, or delete those whose value is None; in one write, durable on return."""
        texts = [(key, messages.encode(value) if value is not None else None) for key, value in entries]
        core = self.home.core
        await write_together(self._writer, [(self.home, lambda: core.write(texts, now_ms))])

    def home_items(self, prefix: str = "") -> list[tuple[str, str]]:
        """Return (key, canonical text) of the home space's keys that start with `prefix`."""
        found: list[tuple[str, str]] = self._home_core().items(prefix)
        return found

    def home_value(self, key: str) -> Any:
        """Return what stands under a key of the home space, None where nothing does."""
        text = self._home_core().text(key)
        return messages.decode(text) if text is not None else None

    def backup_note(self) -> dict[str, int]:
        """Return when this profile was last backed up whole, and until when nobody wants to hear of it."""
        return read_backup_note(self._home_core().text(BACKUP))

    async def note_backup(self, note: dict[str, int], now_ms: int) -> None:
        """Add to what `backup_note` returns; times in milliseconds since 1970. Durable on return."""
        await self.write_home([(BACKUP, {**self.backup_note(), **note})], now_ms)

    @property
    def root(self) -> bytes:
        """The root key."""
        return self.secrets.root

    @property
    def home(self) -> OpenSpace:
        """The space that lists the apps."""
        assert self._home is not None, "start() comes first"
        return self._home

    @property
    def home_secret(self) -> bytes:
        """The secret that all devices of this profile share."""
        return self.secrets.home_secret

    def space_infos(self) -> list[bytes]:
        """Return HKDF's info for the name of each space that this device may hold of the profile."""
        origins = [key.removeprefix(APP) for key, _ in self.home_items(APP)]
        told = [key.removeprefix(ROSTER) for key, _ in self.home_items(ROSTER)]
        return [
            key_schedule.home_id_info(),
            *(key_schedule.space_id_info(origin, self.generation(origin)) for origin in origins),
            *(key_schedule.space_id_info(each.origin, each.generation) for each in self.trash.listed()),
            *(key_schedule.roster_id_info(origin) for origin in dict.fromkeys([*origins, *told])),
        ]

    def generation(self, origin: str) -> int:
        """Return which of an app's spaces is in use: erasing its data begins the next."""
        return read_generation(self._home_core().text(APP + origin))

    async def space(self, origin: str, generation: int | None = None) -> OpenSpace:
        """Return an app's space, opened if need be; `release` it as often as it was asked for.

        `generation`: which, where it is not (yet) the one in use. Raises Locked once the profile is closed,
        for the next one may have the same spaces open, and DamagedData or NewerData.
        """
        if self._closed:
            raise Locked()
        place = (origin, self.generation(origin) if generation is None else generation)
        self._users[origin] = self._users.get(origin, 0) + 1
        if origin in self._leaving:
            self._leaving.pop(origin).cancel()
        task = self._open.get(place)
        if task is None:
            task = self._open[place] = asyncio.ensure_future(self._open_app(*place))
            self._sizes.pop(origin, None)
        try:
            return await asyncio.shield(task)
        except BaseException:
            self.release(origin)
            if task.done() and self._open.get(place) is task:
                del self._open[place]  # so that the next one tries again
            raise

    async def roster(self, origin: str) -> OpenSpace:
        """Return an app's roster, in which its partitions are told what they must know. Raises Locked."""
        if self._closed:
            raise Locked()
        task = self._rosters.get(origin)
        if task is None:
            task = self._rosters[origin] = asyncio.ensure_future(self._open_roster(origin))
        try:
            return await asyncio.shield(task)
        except BaseException:
            if task.done() and self._rosters.get(origin) is task:
                del self._rosters[origin]  # so that the next one tries again
            raise

    async def frozen(self, origin: str | None, generation: int | None = None) -> Frozen:
        """Return what an app's space holds on disk at this moment; None: the home space."""
        space = self.home if origin is None else await self.space(origin, generation)
        try:
            await self._writer.idle()  # so that memory holds nothing that the disk may yet refuse
            return space.freeze()
        finally:
            if origin is not None:
                self.release(origin)

    async def size(self, origin: str) -> dict[str, int]:
        """Return how many keys an app's space holds and how many bytes they take."""
        task = self._open.get((origin, self.generation(origin)))
        if origin not in self._sizes or (task and task.done()):
            try:
                space = await self.space(origin)
            except (UnreadableData, QuotaExceeded):  # damaged, or no room yet to begin
                return {"keys": 0, "bytes": 0}  # one app's trouble must not hide all the others
            self._sizes[origin] = {"keys": space.core.live, "bytes": space.core.bytes}
            self.release(origin)
        return self._sizes[origin]

    def release(self, origin: str) -> None:
        """Give an app's space back; the last one to do so lets it go out of memory, a little later."""
        self._users[origin] -= 1
        if not self._users[origin]:
            self._forget_later(origin)

    def _forget_later(self, origin: str) -> None:
        if origin in self._leaving:
            self._leaving[origin].cancel()
        loop = asyncio.get_running_loop()
        self._leaving[origin] = loop.call_later(KEEP_SECONDS, self._forget, origin)

    def _forget(self, origin: str) -> None:
        if self._writer.busy:  # perhaps with this space: opened twice, it would overwrite its own journal
            self._forget_later(origin)
        else:
            self._leaving.pop(origin, None)
            for place in [place for place in self._open if place[0] == origin]:
                del self._open[place]

    async def _open_app(self, origin: str, generation: int) -> OpenSpace:
        return await self._open_space(await self._space_id(key_schedule.space_id_info(origin, generation)))

    async def _open_roster(self, origin: str) -> OpenSpace:
        space_id = await self._space_id(key_schedule.roster_id_info(origin))
        try:
            return await self._open_space(space_id)
        except DamagedData:  # it holds nothing but what the home space says, too, and is told anew
            await self._backend.write([], [disk_keys.space(self.id, space_id)])
            return await self._open_space(space_id)

    async def _open_space(self, space_id: str) -> OpenSpace:
        sealer = Sealer(self._crypto, self.secrets.root, self.id, space_id)
        replica = self._replicas.setdefault(space_id, self._crypto.random(key_schedule.REPLICA_BYTES).hex())
        return await OpenSpace.open(self._backend, sealer, self.id, space_id, replica, lambda: self.reading())

    async def _space_id(self, info: bytes) -> str:
        return (await self._crypto.hkdf(self.secrets.root, info, key_schedule.ID_BYTES)).hex()

    def _home_core(self) -> Any:
        assert self._home is not None, "start() comes first"
        return self._home.core

    def _registered(self, origin: str) -> Registration | None:
        return read_registration(origin, self._home_core().text(APP + origin))

    def _with_use(self, origin: str, app: Registration) -> Registration:
        used_ms = read_used(self._home_core().text(USED + origin))
        return {**app, "used_ms": max(app["used_ms"], used_ms)}

    async def _register(self, origin: str, app: Mapping[str, Any], now_ms: int) -> None:
        await self.write_home([(APP + origin, app)], now_ms)

    async def _settled(self) -> None:
        """Return once all that was written so far is settled, checkpoints included, whatever others go on to write."""
        core = self.home.core
        await write_together(self._writer, [(self.home, lambda: core.write([], 0))])
        await self._writer.checkpointed()

    async def _leftovers(self) -> list[str]:
        kept = await self._backend.read(disk_keys.leftovers(self.id))
        spaces: list[str] = json.loads(kept) if kept is not None else []
        return spaces

    def _forget_generation(self, origin: str, generation: int) -> None:
        self._open.pop((origin, generation), None)
        self._sizes.pop(origin, None)

    async def _put_away(self, origin: str, generation: int, now_ms: int) -> None:
        """Put an app's space into the trash; an empty one is dropped. Raises QuotaExceeded."""
        space_id = await self._space_id(key_schedule.space_id_info(origin, generation))
        counts: tuple[int | None, int | None] = (None, None)
        with suppress(UnreadableData):  # then nobody can say how much there is
            space = await self.space(origin, generation)
            counts = (space.core.live, space.core.bytes)
            self.release(origin)
        if counts[0] == 0:
            await self._backend.write([], [disk_keys.space(self.id, space_id)])
            return
        app = self._registered(origin)
        name, until_ms = (app["name"] if app else origin), now_ms + KEPT_MS
        await self.trash.add(Trashed(space_id, origin, generation, name, *counts, now_ms, until_ms))

    async def _outlived(self) -> list[tuple[str, int]]:
        """Return generations that are over and still on the disk, but not in the trash: another device erased them."""
        found = []
        for origin, app in self.apps().items():
            over = app["generation"]
            for generation in range(max(0, over - OUTLIVED), over):
                space_id = await self._space_id(key_schedule.space_id_info(origin, generation))
                if self.trash.find(space_id):
                    continue
                first = disk_keys.numbered(disk_keys.checkpoint(self.id, space_id), 0)
                try:
                    there = await self._backend.read(first) is not None
                except DamagedData:
                    there = True  # it need not be read to be put away
                if there:
                    found.append((origin, generation))
        return found

    async def _sweep(self) -> None:
        """Drop the spaces whose erasing was begun here. Those that a registration names stay."""
        leftovers = await self._leftovers()
        if not leftovers:
            return
        infos = [key_schedule.space_id_info(origin, app["generation"]) for origin, app in self.apps().items()]
        used = {await self._space_id(info) for info in infos}
        name = disk_keys.leftovers(self.id)
        drops = [disk_keys.space(self.id, space) for space in leftovers if space not in used]
        await self._backend.write([], [*drops, (name, name + "\0")])
