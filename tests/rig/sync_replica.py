"""A device in the convergence test: a space with its journal in memory, and its sync, driven as an engine drives it.

Nothing happens by itself: what waits for a disk, a network or a clock waits until the world says so.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from spaces import from_checkpoint
from sync_hub import ROOM_FULL, Frame, Line

from masq.errors import MasqError
from masq.messages import encode
from masq_store.core.crypto.padding import pad, unpad
from masq_store.core.errors import NewerData
from masq_store.core.space import codec
from masq_store.core.space.register import Change
from masq_store.core.space.space import Applied, Space
from masq_store.core.storage import checkpoint
from masq_store.core.storage.checkpoint import Covered, freeze
from masq_store.core.sync import digest
from masq_store.core.sync import messages as sync_wire
from masq_store.core.sync.agreement import Agreement
from masq_store.core.sync.compaction import Compaction
from masq_store.core.sync.envelope import MINIMUM, Header, encode_header, parse_envelope, tag_of
from masq_store.core.sync.machine import Merge, Post, Sync
from masq_store.core.sync.member_claims import changes_that_can_be, state_that_can_be
from masq_store.core.sync.messages import Changes, Check, Message, State, Trimmed
from masq_store.core.sync.room_log import RoomLog

if TYPE_CHECKING:
    from sync_world import World

SLICE = 3
"""Rows in a checkpoint's record, and in a snapshot's part: few, so that there are several."""

FIRST_PART = 1 << 31
"""Refs of a snapshot's parts are above all refs of posts."""

TIMERS = ("answer", "settle", "ask", "reply", "snapshot", "resume", "agree")

NO_TAG = bytes(16)

LATER = "e" * 16
"""The replica of a later version."""


class Disk(NamedTuple):
    """What a device has on its disk: a checkpoint, the journal after it, and how far the room's log was read."""

    checkpoint: tuple[bytes, ...] = ()
    journal: tuple[bytes, ...] = ()
    place: bytes | None = None

    def open(self, replica: str) -> Space:
        """Return the space, as `replica` goes on with it."""
        space = from_checkpoint(self.checkpoint, replica) if self.checkpoint else Space(replica)
        for record in self.journal:
            space.merge(*_decoded(record))
        return space


@lru_cache(maxsize=4096)
def _decoded(record: bytes) -> tuple[list[Change], dict[str, int]]:
    """Return what a record of the journal holds; the same disk is opened again and again."""
    return codec.decode_changes(record)


class Sealer:
    """Envelopes without cryptography: a tag that was given out stands for what it was given to."""

    def __init__(self) -> None:
        self._count = 0
        self._known: dict[bytes, tuple[Header, Message] | NewerData] = {}
        self._headers: set[tuple[bytes, int]] = set()

    def used(self, header: Header) -> bool:
        """Say whether something was sealed under this header."""
        return (header.session, header.counter) in self._headers

    def seal(self, header: Header, message: Message, *, again: bool = False) -> bytes:
        """Return a message as an envelope. `again`: by a liar, whose header somebody else may use, too."""
        assert again or not self.used(header), "a nonce is used twice"
        if not again:
            self._headers.add((header.session, header.counter))
        self._count += 1
        envelope = (
            encode_header(header) + pad(sync_wire.encode(message), MINIMUM) + self._count.to_bytes(16, "big")
        )
        front, sealed = parse_envelope(envelope)
        self._known[envelope] = front, sync_wire.parse(unpad(sealed[:-16], MINIMUM))
        return envelope

    def seal_later(self) -> bytes:
        """Return an envelope that a later version has sealed."""
        envelope = self.seal(Header(0, LATER, self._count.to_bytes(16, "big"), 0), Trimmed(0))
        self._known[envelope] = NewerData(2, 1)
        return envelope

    def open(self, envelope: bytes) -> tuple[Header, Message] | NewerData | None:
        """Return what an envelope holds; None for one that nobody has sealed."""
        return self._known.get(envelope)


class Device:
    """A device; it is always switched on, and starts again when it has crashed."""

    def __init__(self, world: World, disk: Disk) -> None:
        self.world = world
        self.disk = disk
        self.skew_ms = 0
        self.counted = 0
        """All that has ever been on this disk of what was counted under "n"."""
        self.start()

    def start(self) -> None:
        """Open what is on the disk, as a new replica."""
        self.space = self.disk.open(self.world.new_id(8).hex())
        self.space.max_keys, self.space.max_bytes = self.world.most_keys, self.world.most_bytes
        self.pending: deque[Applied] = deque()
        self.line: Line | None = None
        self._merging: tuple[Applied, list[Change], dict[str, int]] | None = None
        self._snapshot: tuple[Header, bytes, list[State]] | None = None
        self._trimmed: int | None = None
        self._resume = False
        self.compaction = Compaction()
        self._told_here: tuple[str, Check] | None = None
        self.agreement = Agreement()
        self.sync = self._begin()
        if self.sync.log.left_out:
            self.agreement.begin()

    def crash(self) -> None:
        """End at once, and start again from the disk."""
        self.cut()
        self.start()

    # The disk ----------------------------------------------------------------------------------------------

    def commit(self, most: int = 1 << 30) -> None:
        """Write what is pending, up to so many calls, in one transaction."""
        done = [self.pending.popleft() for _ in range(min(most, len(self.pending)))]
        if not done:
            return
        vector = {replica: number for applied in done for replica, number in applied.vector.items()}
        changes = [change for applied in done for change in applied.changes]
        record = codec.encode_changes(changes, vector)
        self.counted |= counted(changes)
        self.disk = self.disk._replace(journal=(*self.disk.journal, record))
        if self._merging and self._merging[0] in done:
            self._merging = None

    def fail(self, again: bool) -> None:
        """Find the disk full: all that is pending is taken back. `again`: what was read is written after all."""
        while self.pending:
            self.space.revert(self.pending.pop())
        if self._merging and again:
            _, changes, vector = self._merging
            self._merge(changes, vector)
        elif self._merging:
            self._merging = None
            self.cut()
            self.sync = self._begin()

    def keep_place(self) -> None:
        """Keep how far the log was read, if all that was read is on the disk."""
        if not self._merging:
            self.disk = self.disk._replace(place=self.compaction.place(self.sync.log))

    def checkpoint(self) -> None:
        """Write a checkpoint in place of the journal, if the disk has all there is."""
        if not self.pending:
            chunks = checkpoint.encode(freeze(self.space), Covered(0, bytes(16)), SLICE)
            self.disk = self.disk._replace(checkpoint=tuple(chunks), journal=())

    # The person --------------------------------------------------------------------------------------------

    def write(self, entries: list[tuple[str, str | None]]) -> None:
        """Set or delete keys."""
        self._did(self.space.write(entries, self.now_ms))

    def clear(self, prefix: str) -> None:
        """Delete all keys that begin with `prefix`."""
        self._did(self.space.clear(prefix, self.now_ms))

    def increment(self, key: str, by: int) -> None:
        """Count on, unless there is something else under the key."""
        try:
            self._did(self.space.increment(key, by, self.now_ms))
        except MasqError:
            assert key != "n"

    def _did(self, applied: Applied) -> None:
        if applied.changes or applied.vector:
            self.pending.append(applied)

    # The network -------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Its clock."""
        return self.world.now_ms + self.skew_ms

    @property
    def busy(self) -> bool:
        """Whether there is something to write, to send or to hear."""
        line = self.line
        return bool(self.pending or (line and (line.up or line.down or not line.live)))

    def connect(self) -> None:
        """Connect, and ask to join."""
        if self.line is None:
            self.line = Line()
            self.sync.join()
            self.line.up.append(("JOIN", *self.sync.log.cursor))

    def cut(self) -> None:
        """Lose the connection, and what is on its way."""
        if self.line is not None:
            self.world.hub.gone(self.line)
            self.line = None
            self._snapshot = None
            self.agreement.unsaid()
            self.sync.lost()

    def hear(self, most: int) -> int:
        """Take up to so many frames, as one group: all of it is merged, or nothing counts."""
        if self._merging or self.line is None:
            return 0
        frames: list[Frame] = []
        merges: list[Merge] = []
        while (
            len(frames) < most and not self._told_here and (self.line.down or self.world.hub.feed(self.line))
        ):
            frames.append(self.line.down.popleft())
            if found := self._take(*frames[-1]):
                merges.append(found)
        changes, vector, _ = self.sync.together(merges, self.space.vector)
        unshown = self.sync.unshown(self.space.changes_since)
        if changes or vector:
            self._merge(changes, vector)
        self.world.note("claims not believed", self.sync.disbelieve(filter(self.space.holds, unshown)))
        if self._told_here:
            told, self._told_here = self._told_here, None
            self._compare(*told)
        if self.sync.state == "torn":
            self.world.note("torn")
            self.cut()
        return len(frames)

    def _merge(self, changes: list[Change], vector: dict[str, int]) -> None:
        applied = self.space.merge(changes, vector)
        self._merging = None
        if applied.changes or applied.vector:
            self.pending.append(applied)
            self._merging = applied, changes, vector

    def _take(self, name: str, *said) -> Merge | None:
        sync, world = self.sync, self.world
        match name:
            case "JOINED":
                head, _, reset = said
                world.note("resets", reset)
                sync.joined(head, bool(reset))
            case "SNAPSHOT":
                part, of, _, envelope = said
                world.note("snapshot parts read")
                world.note("snapshots read midway", sync.state == "live" and part == 0)
                opened = world.sealer.open(envelope)
                state = opened[1] if isinstance(opened, tuple) else None
                if state:
                    possible = state_that_can_be(state, self.space, self.now_ms)
                    sync.log.left_out |= possible.rows != state.rows
                    if state.vector is not None or possible.rows != state.rows:
                        self.agreement.begin()
                    state = possible
                return sync.part(part, of, state)
            case "ENVELOPE":
                number, envelope = said
                opened = world.sealer.open(envelope)
                if not isinstance(opened, tuple):
                    if opened is None:
                        world.note("foreign envelopes")
                    else:
                        world.note("envelopes of a later version")
                        self.compaction.stay(sync.log)
                    sync.skip(number, tag_of(envelope), len(envelope))
                    return None
                world.note("answers read", isinstance(opened[1], Changes) and opened[1].base is not None)
                before = sync.repeated
                header, message = opened
                if isinstance(message, Changes):
                    possible = changes_that_can_be(message, self.space, self.now_ms)
                    if possible.changes != message.changes:
                        world.note("changes that cannot be")
                        sync.log.left_out = True
                        self.agreement.begin()
                    message = possible
                elif isinstance(message, Check) and message.digest and header.sender != self.space.replica:
                    self._told_here = header.sender, message
                found = sync.read(number, tag_of(envelope), len(envelope), header, message)
                world.note("repeated envelopes", sync.repeated > before)
                return found
            case "CURRENT":
                sync.current()
            case "STORED":
                ref, number = said
                if ref >= FIRST_PART:
                    self._part_stored(ref)
                else:
                    sync.stored(ref, number)
                    if sync.idle:
                        self.agreement.stands()
                    world.acknowledged(number)
            case "ERROR":
                self._refused(*said)
        return None

    def digest(self) -> bytes:
        """Return the digest of all it holds."""
        found = digest.START
        for piece in digest.pieces(self.space.rows()):
            found = hashlib.sha256(found + piece).digest()
        return found

    def _compare(self, sender: str, told: Check) -> None:
        if self.sync.at_one(sender, told, self.space.vector):
            same = self.digest() == told.digest
            self.world.note("told the same" if same else "told something else")
            self.agreement.compared(same)
        else:
            self.agreement.unlike(self.sync.log.vector, told.vector, self.sync.behind(self.space.vector) > 0)

    def _refused(self, ref: int, code: int) -> None:
        self.world.note("refusals")
        if ref < FIRST_PART:
            if self.sync.refused(ref):
                self._resume = True
                self.agreement.unsaid()
                if code == ROOM_FULL:
                    self.world.note("posts to a full room")
                    self.compaction.room_full()
        elif self._snapshot:
            number = self._snapshot[2][0].number
            self._snapshot = None
            self.compaction.ended(False, number, self.sync.log)

    # What it says ------------------------------------------------------------------------------------------

    def act(self, due: set[str]) -> int:
        """Say what there is to say. `due`: the timers whose time has come. Returns how much was said."""
        sync, line = self.sync, self.line
        if line is None or self._merging:
            return 0
        if "answer" in due and not sync.idle and not line.up and not line.down:
            self.world.note("time-outs")
            self.cut()
            self.connect()
            return 1
        if sync.state != "live":
            return 0
        if "resume" in due and self._resume:
            self._resume = False
            sync.resume()
        pending = tuple(self.pending)
        vector = self.space.vector_without(pending)

        def since(base: dict[str, int]) -> list[Change]:
            return self.space.changes_since(base, pending)

        posts: list[Post] = []
        if not sync.others_only(vector, self.space.replica) or "settle" in due:
            posts += self._send(sync.posts(vector, since))
        if "ask" in due and sync.lacks(vector):
            self.world.note("questions")
            posts += self._send(sync.ask(vector))
        if "reply" in due and sync.asked:
            posts += self._send(sync.answers(vector, since))
        if self._trimmed is not None:
            number, self._trimmed = self._trimmed, None
            posts += self._send(sync.note_trimmed(number))
        calm = sync.idle and not pending and not sync.behind(vector) and not sync.lacks(vector)
        self.agreement.read(sync.log.vector)
        if "agree" in due and calm and self.agreement.due:
            if self.agreement.differs:
                posts += self._send(sync.whole(vector, since))
            posts += self._send(sync.tell(self.digest()))
            self.agreement.said(sync.log.vector)
        if "snapshot" in due and not self._snapshot and not pending:
            worth = self.compaction.due(sync, self.space.bytes)
            if self.compaction.urgent(sync.log) or worth:
                self._write_snapshot()
                return len(posts) + 1
        return len(posts)

    def _send(self, posts: list[Post]) -> list[Post]:
        for post in posts:
            envelope = self.world.sealer.seal(post.header, post.message)
            self.sync.sealed(post, tag_of(envelope), len(envelope))
            self.line.up.append(("POST", post.ref, envelope))
            if isinstance(post.message, Changes):
                self.world.note("messages in pieces", post.message.more)
        return posts

    def _write_snapshot(self) -> None:
        rows, (number, tag, sealed) = self.space.rows(), self.compaction.begin(self.sync.log)
        said = tag if sealed else NO_TAG
        self._end_tag = tag
        self.world.note("snapshots that end with junk", said == NO_TAG)
        slices = [rows[at : at + SLICE] for at in range(0, len(rows), SLICE)] or [[]]
        states = [State(part, number, said, None) for part in slices]
        states[-1] = states[-1]._replace(vector=dict(self.sync.log.vector))
        header = Header(0, self.space.replica, self.world.new_id(16), 0)
        self._snapshot = header, self.world.new_id(8), states
        self._send_part(0)

    def _send_part(self, part: int) -> None:
        header, name, states = self._snapshot
        envelope = self.world.sealer.seal(header._replace(counter=part), states[part])
        said = (part, len(states), states[part].number, self._end_tag)
        self.line.up.append(("SNAPSHOT", FIRST_PART + part, name, *said, envelope))

    def _part_stored(self, ref: int) -> None:
        if self._snapshot is None:
            return
        states = self._snapshot[2]
        part = ref - FIRST_PART + 1
        if part < len(states):
            self._send_part(part)
        else:
            self.world.note("snapshots written")
            self._snapshot = None
            self.compaction.ended(True, states[0].number, self.sync.log)
            self._trimmed = states[0].number

    def _begin(self) -> Sync:
        log = RoomLog.decode(self.disk.place) if self.disk.place else None
        return Sync(self.space.replica, self.world.new_id(16), log)


def counted(changes: Iterable[Change]) -> int:
    """Return what was counted under "n" in these: each increment is another power of two."""
    found = 0
    for change in changes:
        if change.key == "n":
            for _, _, total in change.register.parts:
                found |= total
    return found


def text(value: object) -> str:
    """Return a value as spaces hold it."""
    return encode(value)
