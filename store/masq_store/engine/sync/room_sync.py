"""Replication of one space through its room: reads what other devices posted, and posts what this one has written.

What the relay says is put in a row and taken in groups: a group is opened, merged in one transaction, and only then
is the place in the log moved. The rules are in `core.sync.machine`; here are the waiting, the sealing and the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal

from masq.errors import MasqError, QuotaExceeded
from masq_store.core.crypto import key_schedule
from masq_store.core.errors import DamagedData, NewerData, RelayRefused, SyncFailed
from masq_store.core.relay.frames import (
    Cast,
    Code,
    Current,
    Envelope,
    Error,
    Joined,
    OfRoom,
    Others,
    SnapshotPart,
    Stored,
)
from masq_store.core.space.space import Applied
from masq_store.core.sync.agreement import Agreement
from masq_store.core.sync.compaction import Compaction
from masq_store.core.sync.envelope import Header, tag_of
from masq_store.core.sync.machine import Merge, Post, Sync
from masq_store.core.sync.member_claims import changes_that_can_be, state_that_can_be
from masq_store.core.sync.messages import Changes, Check, Here, State
from masq_store.core.sync.room_log import RoomLog
from masq_store.engine.ports import Crypto
from masq_store.engine.relay.link import Lost, RelayLink, RoomEvent
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.writer import FromDevices, Writer
from masq_store.engine.sync.digest import digest_of
from masq_store.engine.sync.presence import Presence
from masq_store.engine.sync.room_keys import Opened, RoomKeys
from masq_store.engine.sync.snapshot import Snapshot
from masq_store.engine.trace import Kind

GROUP_BYTES = 2 * 1024 * 1024
"""About how much is opened and merged at once: enough to be quick, and little enough to show how far it has come."""

KEEP_PLACE_SECONDS = 2.0
"""How often the place in the log goes to the disk at most. After a crash what was read since is read again."""

ANSWER_SECONDS = 30.0
"""How long the relay may take to keep a post."""

TORN_SECONDS = 2.0
"""Seconds after a gap in the sequence, until the room is read again from where it was whole."""

AGAIN_SECONDS = 30.0
"""Seconds after a full disk on either side, until the next try."""

SETTLE_SECONDS = 1.0
"""How long others are given, at most, to do what any of us can: to post what the log has lost, to answer."""

SEALED = (Envelope, SnapshotPart, Cast)
"""Events that hold an envelope, which is opened before the event is taken."""


class SpaceSync:
    """Replicates one space through its room at a relay: the I/O around the state machine `core.sync.machine.Sync`.

    Args:
        space: open for as long as this is at work.
        changed: told when what the properties say may have changed.
        now_ms: the device's clock.
    """

    def __init__(
        self,
        space: OpenSpace,
        room_keys: RoomKeys,
        link: RelayLink,
        writer: Writer,
        crypto: Crypto,
        *,
        changed: Callable[[], None],
        now_ms: Callable[[], int],
    ) -> None:
        self.space = space
        self.room, self.token = room_keys.room, room_keys.token
        self.problem: MasqError | None = None
        """Why this space is not in step, beyond what the link says."""
        self.last_ms: int | None = None
        """When this device last had everything from the relay, and the relay everything from it."""
        self.refused_count = 0
        """Envelopes that no member of this space has sealed."""
        self.first = not space.core.vector
        """Whether this device had nothing of the space when this began."""
        self.others_count = 0
        """Other connections in the room."""
        self.presence: Presence | None = None
        """Told who is in the room, where somebody wants to know."""
        self._keys, self._link, self._trace = room_keys, link, link.trace
        self._writer, self._crypto, self._changed, self._now_ms = writer, crypto, changed, now_ms
        self._source = FromDevices()
        self._kept = RoomLog().encode()  # the log as it was when all that was read of it was on the disk
        self._repeated = 0
        self._sync = self._begin()
        self._said: list[OfRoom] = []  # what waits its turn, in order
        self._connection = 0  # counts joinings, so that nothing is posted to another than was meant
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._due: set[str] = set()  # of the timers, those whose time has come
        self._snapshot: Snapshot | None = None
        self._place_moved = False
        self._trimmed: int | None = None  # a snapshot of ours is in place, and nobody knows yet
        self._newer: NewerData | None = None  # what could not be read, and must be once it can
        self._stated: tuple[str, Check] | None = None  # what another device holds, at the place read last
        self._agreement = Agreement()
        self._compaction = Compaction()
        self._stopping = False
        self._merging = False
        self._saying: Here | None = None
        # A session of its own: casts may be lost, and posts are counted.
        self._casts = crypto.random(key_schedule.RUN_BYTES)
        self._cast_count = 0

    async def start(self) -> None:
        """Go on from the place that was kept, and enter the room."""
        content = await self.space.place()
        with suppress(DamagedData):
            if content is not None:
                self._kept = RoomLog.decode(content).encode()
        self._sync = self._begin()
        if self._sync.log.left_out:
            self._agreement.begin()
        self.space.listeners.append(self._written)
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._link.enter(self)

    async def stop(self) -> None:
        """Leave the room; what was read is kept."""
        self._link.leave(self)
        for timer in self._timers.values():
            timer.cancel()
        self._end_snapshot()
        if self._task is not None:
            self.space.listeners.remove(self._written)
            self._stopping = True
            self._wake.set()
            await self._task  # it finishes what it is merging, so that the place is right
            self._task = None

    # What others may know ----------------------------------------------------------------------------------

    @property
    def state(self) -> Literal["offline", "catching-up", "live"]:
        """ "offline", "catching-up", or "live"."""
        if self._sync.state in ("away", "joining") or self.problem is not self._newer:
            return "offline"
        at_work = self._said or self._merging
        return "live" if self._sync.state == "live" and not at_work else "catching-up"

    @property
    def waiting(self) -> int:
        """The number of changes that are not on the relay yet."""
        return self._sync.behind(self.space.core.vector)

    @property
    def differed_count(self) -> int:
        """How often another device said that it holds something else, under the same vector."""
        return self._agreement.differed

    @property
    def repeated_count(self) -> int:
        """Envelopes that came once more although they had been read."""
        return self._repeated + self._sync.repeated

    @property
    def progress(self) -> tuple[int, int] | None:
        """How many envelopes were read of how many, while there is something to read."""
        if self._sync.state != "reading" or self._sync.head <= self._sync.log.number:
            return None
        return self._sync.log.number, self._sync.head

    # The relay says ----------------------------------------------------------------------------------------

    def cursor(self) -> tuple[int, bytes]:
        """Return the place in the log. Whatever was said and not taken yet will come again."""
        self._said.clear()
        self._connection += 1
        if self._sync.state != "away":
            self._agreement.unsaid()
            self._sync.lost()
        self._sync.join()
        return self._sync.log.cursor

    def hear(self, event: RoomEvent) -> None:
        """Note at once who is there, what became of a part of a snapshot, and a loss. The rest waits its turn."""
        match event:
            case Lost():
                self._lost()
            case Others(others=count):
                self._others(count)
            case Stored(ref=ref) if self._snapshot and self._snapshot.answered(ref, True):
                pass
            case Error(ref=ref) if self._snapshot and self._snapshot.answered(ref, False):
                pass
            case Cast() if self.presence is None:
                pass
            case _:
                self._said.append(event)
                self._wake.set()
                if isinstance(event, Joined):
                    self._others(event.others)

    def _others(self, count: int) -> None:
        self.others_count = count
        if self.presence is not None:
            self.presence.others(count)
        self._changed()

    def _lost(self) -> None:
        self._said.clear()  # it will come again
        self._connection += 1
        self._agreement.unsaid()
        self._sync.lost()
        self._end_snapshot()
        self._stop_timer("answer")
        self._stop_timer("again")
        if self.presence is not None:
            self.presence.lost()
        self._changed()

    def say(self, here: Here) -> None:
        """Tell those who are in the room now; nothing of it is kept."""
        self._saying = here
        self._wake.set()

    # What was said, one after the other --------------------------------------------------------------------

    def _written(self, touched: list[str], source: object) -> None:
        if source is not self._source:
            self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._said and not self._stopping:
                    await self._take_group()
                if not self._stopping:
                    await self._post()
                if self._stopping or "place" in self._due:
                    self._due.discard("place")
                    await self._keep_place()
            except QuotaExceeded as error:
                self._give_up(error)
            except MasqError as error:
                self.problem = error
                self._trace.note(Kind.SYNC_FAILED, error=error)
                self._writer.heed(error)
            except Exception as error:  # a defect must be seen, and must not stop this device for good
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "the sync of a space failed", "exception": error}
                )
                self._give_up(SyncFailed(repr(error)))
            self._changed()

    async def _take_group(self) -> None:
        """Take what was said, up to a bearable size, as one step: all of it is merged, or nothing counts."""
        events: list[OfRoom] = []
        size = 0
        began_ms = self._now_ms() if self._trace.on else 0
        while len(events) < len(self._said) and size < GROUP_BYTES:
            event = self._said[len(events)]
            events.append(event)
            size += len(event.envelope) if isinstance(event, SEALED) else 0
        sync, connection = self._sync, self._connection
        sealed = [event.envelope for event in events if isinstance(event, SEALED)]
        opened = iter(await self._keys.open(sealed))
        if connection != self._connection:
            return  # it will come again
        del self._said[: len(events)]
        merges: list[Merge] = []
        for taken, event in enumerate(events, 1):
            found = self._take(event, opened)
            if found is not None:
                merges.append(found)
            if self._stated is not None:  # what was said after it comes after it
                self._said[:0] = events[taken:]
                break
        core = self.space.core
        merge = self._sync.together(merges, core.vector)
        unshown = self._sync.unshown(core.changes_since)  # before the merge: see there
        if merge.changes or merge.vector:
            await self._merge(merge)
        if sync is self._sync:
            sync.disbelieve(filter(core.holds, unshown))
            self._move_place()
        if self._stated is not None:
            stated, self._stated = self._stated, None
            await self._compare(*stated)
        if self._sync.state == "torn":
            self._start_timer("again", TORN_SECONDS)
        if self._trace.on:
            torn, took = self._sync.state == "torn", self._now_ms() - began_ms
            counts = {"events": len(events), "bytes": size, "changes": len(merge.changes)}
            self._trace.note(Kind.READ, **counts, number=self._sync.log.number, torn=torn, ms=took)

    def _take(self, event: OfRoom, opened: Iterator[Opened]) -> Merge | None:
        """Take one event; of `opened`, the next is what its envelope holds. Returns what is to be merged."""
        match event:
            case Envelope(number=number, envelope=envelope):
                return self._read(number, envelope, next(opened))
            case SnapshotPart():
                return self._part(event, next(opened))
            case Cast():
                self._heard(next(opened))
            case Joined(head=head, reset=reset):
                self._sync.joined(head, reset)
                self._move_place()
            case Current():
                self._sync.current()
                self.problem = self._newer
            case Stored(ref=ref, number=number):
                self._stored(ref, number)
            case Error():
                self._refused(event)
        return None

    def _heard(self, opened: Opened) -> None:
        if self.presence is not None and isinstance(opened, tuple) and isinstance(opened[1], Here):
            self.presence.heard(opened[1])

    def _read(self, number: int, envelope: bytes, opened: Opened) -> Merge | None:
        tag, size = tag_of(envelope), len(envelope)
        if not isinstance(opened, tuple):
            self._pass_over(opened)
            self._sync.skip(number, tag, size)
            return None
        header, message = opened
        if isinstance(message, Changes):
            possible = changes_that_can_be(message, self.space.core, self._now_ms())
            if len(possible.changes) < len(message.changes):
                self._leave_out()
            message = possible
        elif isinstance(message, Check) and message.digest and header.sender != self.space.core.replica:
            self._stated = header.sender, message
        return self._sync.read(number, tag, size, header, message)

    def _part(self, event: SnapshotPart, opened: Opened) -> Merge | None:
        state = opened[1] if isinstance(opened, tuple) else None
        if not isinstance(state, State) or state.number != event.number:
            self._pass_over(None if isinstance(opened, tuple) else opened)
            return self._sync.part(event.part, event.of, None)
        possible = state_that_can_be(state, self.space.core, self._now_ms())
        if len(possible.rows) < len(state.rows):
            self._leave_out()
        if state.vector is not None:
            self._agreement.begin()
        return self._sync.part(event.part, event.of, possible)

    def _leave_out(self) -> None:
        """Note that others may hold what this device does not believe today, and will once its time has come."""
        self._sync.log.left_out = True
        self._agreement.begin()

    def _pass_over(self, opened: NewerData | None) -> None:
        """Go on without an envelope. What a later version has sealed will be read once this store can."""
        self._trace.note(Kind.PASSED_OVER, newer=opened is not None)
        if opened is None:
            self.refused_count += 1
            return
        self._compaction.stay(self._sync.log)
        self.problem = self._newer = opened

    def _stored(self, ref: int, number: int) -> None:
        self._sync.stored(ref, number)
        self.problem = self._newer
        if self._sync.idle:
            self._agreement.stands()
            self._stop_timer("answer")
        else:
            self._start_timer("answer", ANSWER_SECONDS, again=True)

    def _refused(self, error: Error) -> None:
        self.problem = RelayRefused(Code(error.code).name, error.sentence)
        if error.ref and self._sync.refused(error.ref):
            self._agreement.unsaid()
            if error.code == Code.ROOM_FULL:
                self._compaction.room_full()
            self._start_timer("resume", AGAIN_SECONDS)

    async def _merge(self, merge: Merge) -> None:
        """Merge it in one transaction. Raises QuotaExceeded, with nothing merged."""
        core = self.space.core
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(applied: Applied | None, error: MasqError | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        self._writer.add(self.space, lambda: core.merge(merge.changes, merge.vector), settle, self._source)
        self._merging = True
        try:
            self._writer.begin()
            await done
        finally:
            self._merging = False

    # Posting -----------------------------------------------------------------------------------------------

    async def _post(self) -> None:
        sync, space = self._sync, self.space
        if self._due & {"answer", "again"}:  # the relay lives, and does not keep or tell what it should
            self._due -= {"answer", "again"}
            self._enter_again()
            return
        if sync.state != "live":
            return
        if self._saying is not None:
            await self._cast_here()
        if "resume" in self._due:
            self._due.discard("resume")
            sync.resume()
        vector = space.durable_vector()
        own = space.core.replica
        if not sync.others_only(vector, own) or self._chance("settle"):
            await self._send(sync.posts(vector, space.durable_since))
        if sync.lacks(vector) and self._chance("ask"):
            await self._send(sync.ask(vector))
        if sync.asked and self._chance("reply"):
            await self._send(sync.answers(space.durable_vector(), space.durable_since))
        if self._trimmed is not None:
            number, self._trimmed = self._trimmed, None
            await self._send(sync.note_trimmed(number))
        if sync.idle and not sync.behind(vector) and not sync.lacks(vector):
            await self._agree(vector)
        if self._snapshot is None and not space.pending:
            compaction = self._compaction
            worth = compaction.due(sync, space.core.bytes)
            if compaction.urgent(sync.log) or (worth and self._chance("snapshot")):
                self._write_snapshot()
        if sync.idle and not sync.behind(vector):
            self.last_ms = self._now_ms()

    def _chance(self, name: str) -> bool:
        """Say whether it is time for what others may do as well: a little later, by chance, if they have not."""
        if name in self._due:
            self._due.discard(name)
            return True
        if name not in self._timers:
            self._start_timer(name, SETTLE_SECONDS * int.from_bytes(self._crypto.random(2), "big") / 2**16)
        return False

    async def _send(self, posts: list[Post]) -> None:
        sync, connection = self._sync, self._connection
        for post in posts:
            envelope = await self._keys.seal(post.header, post.message)
            if connection != self._connection:
                return  # what was not sent is posted after the next joining
            sync.sealed(post, tag_of(envelope), len(envelope))
            self._link.post(self, post.ref, envelope)
            if self._trace.on:
                self._trace.note(Kind.POSTED, bytes=len(envelope), behind=self.waiting)
        if posts:
            self._start_timer("answer", ANSWER_SECONDS)

    async def _compare(self, sender: str, stated: Check) -> None:
        """Compare what another device holds with what this one does, where both have read the same."""
        core, sync, agreement = self.space.core, self._sync, self._agreement
        if sync.at_one(sender, stated, core.vector):
            found = await digest_of(self._crypto, core.rows())
            if sync.at_one(sender, stated, core.vector):  # nothing was written meanwhile
                agreement.compared(found == stated.digest)
                self._trace.note(Kind.COMPARED, alike=found == stated.digest)
                return
        agreement.unlike(sync.log.vector, stated.vector, bool(sync.behind(core.vector)))

    async def _agree(self, vector: dict[str, int]) -> None:
        """Say what this device holds, after all of it where somebody holds something else."""
        sync, core, agreement = self._sync, self.space.core, self._agreement
        agreement.read(sync.log.vector)
        if not agreement.due or "hush" in self._timers or self.space.pending:
            return
        self._due.discard("hush")
        if not self._chance("agree"):
            return
        found = await digest_of(self._crypto, core.rows())
        if self.space.pending or core.vector != vector:
            return  # it is another one by now; later
        connection = self._connection
        if agreement.differs:
            await self._send(sync.whole(vector, core.changes_since))
        await self._send(sync.tell(found))
        agreement.said(sync.log.vector)
        if connection != self._connection:
            agreement.unsaid()
        self._start_timer("hush", agreement.hush_seconds)

    async def _cast_here(self) -> None:
        here, self._saying = self._saying, None
        if here is not None:
            header = Header(self._keys.epoch, self.space.core.replica, self._casts, self._cast_count)
            self._cast_count += 1
            self._link.cast(self, await self._keys.seal(header, here))

    # Snapshots ---------------------------------------------------------------------------------------------

    def _write_snapshot(self) -> None:
        log, core = self._sync.log, self.space.core
        number, tag, sealed = self._compaction.begin(log)
        # The log's vector, not the space's: what this device has beyond it, others must still get by a post.
        self._snapshot = Snapshot(core.rows(), dict(log.vector), number, tag, sealed=sealed)
        self._snapshot.start(self, self._link, self._keys, self._crypto, core.replica, self._snapshot_done)

    def _snapshot_done(self, snapshot: Snapshot, whole: bool) -> None:
        if self._snapshot is not snapshot:
            return
        self._snapshot = None
        self._trace.note(Kind.SNAPSHOT, kept=whole, number=snapshot.number)
        self._compaction.ended(whole, snapshot.number, self._sync.log)
        if whole:
            self._trimmed = snapshot.number
            if "resume" in self._timers:  # there is room again
                self._start_timer("resume", 0, again=True)
        self._wake.set()

    def _end_snapshot(self) -> None:
        if self._snapshot is not None:
            self._snapshot.end()
            self._snapshot = None

    # -------------------------------------------------------------------------------------------------------

    def _begin(self) -> Sync:
        session = self._crypto.random(key_schedule.RUN_BYTES)
        return Sync(self.space.core.replica, session, RoomLog.decode(self._kept), self._keys.epoch)

    def _give_up(self, error: MasqError) -> None:
        """Leave the room, and come again later, from where everything was on the disk."""
        self._trace.note(Kind.SYNC_FAILED, error=error)
        self.problem = error
        if self._stopping:
            return
        self._link.leave(self)
        self._end_snapshot()
        self._said.clear()
        self._stated = None  # it was said at a place that is not this one any more
        self._repeated += self._sync.repeated
        self._agreement.unsaid()
        self._sync = self._begin()
        self._start_timer("enter", AGAIN_SECONDS)

    def _enter_again(self) -> None:
        self._link.leave(self)
        self._agreement.unsaid()
        self._sync.lost()
        self._link.enter(self)

    def _move_place(self) -> None:
        """Note that all that was read so far is on the disk."""
        if self._compaction.stays:
            return
        self._place_moved = True
        self._start_timer("place", KEEP_PLACE_SECONDS)

    async def _keep_place(self) -> None:
        if self._place_moved:
            self._place_moved = False
            self._kept = self._compaction.place(self._sync.log)
            await self.space.keep_place(self._kept)

    def _start_timer(self, name: str, seconds: float, again: bool = False) -> None:
        """Have `name` in `_due` after so long. `again`: from now on, though it was started before."""
        if name in self._timers:
            if not again:
                return
            self._timers[name].cancel()
        loop = asyncio.get_running_loop()
        self._timers[name] = loop.call_later(seconds, self._ring, name)

    def _stop_timer(self, name: str) -> None:
        if name in self._timers:
            self._timers.pop(name).cancel()
        self._due.discard(name)

    def _ring(self, name: str) -> None:
        del self._timers[name]
        if name == "enter":
            self.problem = None
            self._link.enter(self)
            return
        self._due.add(name)
        self._wake.set()
