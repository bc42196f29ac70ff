"""Sync of one space with its room: a state machine without I/O, without a clock, and without cryptography.

Messages that were opened go in; what is to be merged, and what is to be sealed and posted, comes out.

    away ── joining ── reading ── live
                          │          reads what others post, posts what its space holds beyond the log
                          └ reads what it has not seen

A relay that leaves out a number has hidden something: there is a gap in the sequence, the replica is `torn`, and takes
nothing more before it has joined again, from the last place that it can be sure of.

Two vectors say everything. The *log's* vector is what the log adds up to, and everybody who reads the log computes the
same one. The *space's* vector is what this replica holds, and never below the log's once the log has been read.
Whatever a space holds above the log's vector, whoever wrote it, its replica posts: so a log that was lost or went
back is filled again by anyone who knows more, and a replica that lost its last changes gets them from the log.

What is posted is complete in itself: everything numbered above the log's vector. A change that is left out of it was
overwritten by another that is in it, or that stood in the log before. So a reader of the log may take its ranges for
read, and only such a reader: see `Changes`.

A range is a claim all the same, and so is a snapshot's vector. Whoever holds a change that the log claims to hold, and
did not show, knows better: for this replica the log ends in front of it, and it is posted. See `unshown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from masq_store.core.space.register import Change, changes_of, parts_size, row_change
from masq_store.core.sync.envelope import Header
from masq_store.core.sync.messages import Changes, Check, Here, Message, Range, State, Trimmed
from masq_store.core.sync.room_log import RoomLog, reaches

PIECE_BYTES = 192 * 1024
"""What one envelope holds of a long message, about; a single value may be larger. Some six fit into a relay's buffer
for a slow reader before it counts as one."""

MOST_NAMED = 4096
"""Replicas that one message names: some 100 kB. A longer vector goes in several, or is not said at all."""

CHANGE_BYTES = 96  # what a change takes beside its key and its text

MOST_IN_FLIGHT = 8
"""The window: messages on their way to the relay. What is written meanwhile gathers, and goes as one."""

SNAPSHOT_ENTRIES = 200
SNAPSHOT_BYTES = 256 * 1024
"""A log shorter than one of these is not worth a snapshot, and none that is not longer than the space itself."""

MOST_ASKED = 16
"""Questions of others that wait for an answer."""

MOST_SHOWN = 200_000
"""Changes that were read, and what stands before them was not. Without them a device posts once more what it has."""

MOVES: dict[str, dict[str, str]] = {
    "away": {"join": "joining"},
    "joining": {"joined": "reading", "lost": "away"},
    "reading": {"current": "live", "hole": "torn", "lost": "away"},
    "live": {"current": "live", "hole": "torn", "lost": "away"},
    "torn": {"current": "torn", "lost": "away"},
}
"""For each state: what can happen, and the state after it."""


class Merge(NamedTuple):
    """To be merged into the space, all at once: changes, and a vector that they complete; see `Sync.together`.

    `base`: the vector is joined only where the space's own has reached this one.
    """

    changes: list[Change]
    vector: dict[str, int]
    base: dict[str, int] | None = None


class Post(NamedTuple):
    """To be sealed under the next counter and posted; `ref` is what the relay's answer will name."""

    ref: int
    header: Header
    message: Message


class _Sent(NamedTuple):
    post: Post
    tag: bytes
    size: int


class Sync:
    """The state machine of one replica in one room.

    `sender`: the replica's id. `session`: 16 random bytes, drawn for this object. `log`: what is known of the room
    from before.
    """

    def __init__(self, sender: str, session: bytes, log: RoomLog | None = None, epoch: int = 0) -> None:
        self.state = "away"
        self.log = log or RoomLog()
        self.head = 0
        """The number of the room's newest envelope when it was joined."""
        self.repeated = 0
        """Envelopes that had been read before: a relay, or somebody behind it, sends them again."""
        self._sender, self._session, self._epoch = sender, session, epoch
        self._counter = 0
        self._ref = 0
        self._in_flight: dict[int, _Sent] = {}
        self._sent: dict[str, int] = {}  # what the log will add up to once all that is in flight stands in it
        self._held = False  # a post was refused: nothing more until somebody says so
        self._asked: list[dict[str, int]] = []
        self._part: int | None = (
            0  # of a snapshot, the one that comes next; None: the rest of it is of no use
        )
        self._at: int | None = 0  # the number that was read last; None behind what could not be read
        self._shown: dict[tuple[str, int, str], Change] = {}  # read in the log, and above `_checked`
        self._checked = dict(self.log.vector)  # the log's vector, as far as its claims were looked at
        self._above: set[int] = set()  # posts, of those in flight, of what stands above a gap
        self._vector: dict[str, int] = {}  # of the snapshot that is being read, as far as it was said

    # The relay says ----------------------------------------------------------------------------------------

    def join(self) -> None:
        """Note that the room is being joined, at the log's cursor."""
        self._move("join")

    def joined(self, head: int, reset: bool) -> None:
        """Note that the room was joined. `reset`: the cursor is not in this log, which is read from its beginning."""
        self._move("joined")
        self.head = head
        self._part = 0
        if reset:
            self._begin_again(RoomLog())
        self._at = self.log.number

    def read(self, number: int, tag: bytes, size: int, header: Header, message: Message) -> Merge | None:
        """Take the envelope that stands at `number`, opened. `size`: its bytes. Returns what is to be merged."""
        if not self._follows(number):
            return None
        if not self.log.count(header):
            self.repeated += 1
            self.log.pass_over(number, tag, size)
            if isinstance(message, Changes):
                self._show(message.changes)
            # Who has sealed two messages under one counter must not divide those who read only one of them.
            return Merge(message.changes, {}) if isinstance(message, Changes) else None
        self.log.move(number, tag, size)
        match message:
            case Changes():
                return self._changes(header, message)
            case Check(vector, digest):
                if digest is not None:  # whoever knows more than its sender has found in the log says so
                    if not reaches(vector, self.log.vector):
                        self._asked = [*self._asked[1 - MOST_ASKED :], vector]
                elif header.session == self._session:
                    self.log.asked()
                elif vector not in self._asked:
                    self._asked = [*self._asked[1 - MOST_ASKED :], vector]
            case Trimmed(trimmed):
                self.log.trim(trimmed)
            case State() | Here():  # nobody posts these
                pass
        return None

    def skip(self, number: int, tag: bytes, size: int) -> None:
        """Pass over the envelope at `number`: it is not from a member, or no device has written it."""
        if self._follows(number):
            self.log.pass_over(number, tag, size)

    def part(self, part: int, of: int, state: State | None) -> Merge | None:
        """Take a part of a snapshot, None where it could not be read. Returns what is to be merged."""
        if self.state == "torn":
            return None
        if part == 0:
            self._part = 0
            self._shown = {}  # the log is another one from here on
        if state is None or part != self._part:
            self._part = self._at = None
            self.log.broken = True
            return None
        self._part += 1
        self._at = state.number
        changes = [row_change(row) for row in state.rows]
        for row in state.rows:
            self._show(changes_of(row, {}))
        if part == 0:
            self._vector = {}
        self._vector.update(state.vector or {})
        if part != of - 1:
            return Merge(changes, {})
        self.log.stand(state.number, state.tag, self._vector)
        self._checked, self.log.owed = {}, True
        return Merge(changes, dict(self._vector))

    def current(self) -> None:
        """Note that all of the room was read. Comes again to one that read too slowly: nothing is new then."""
        if self.state == "reading":
            self._let_go()
        self._move("current")

    def stored(self, ref: int, number: int) -> bool:
        """Note that a post is on the relay's disk, as envelope `number`; False where it is none of this replica's."""
        sent = self._in_flight.pop(ref, None)
        if ref in self._above:
            self._above.discard(ref)
            self.log.owed = bool(self._above)
        if sent is None:
            return False
        if number > self.log.number:  # or it stands in the snapshot that was read just now
            self.read(number, sent.tag, sent.size, sent.post.header, sent.post.message)
        return True

    def together(self, merges: Iterable[Merge], vector: dict[str, int]) -> Merge:
        """Return as one what was found in a row, up to now, for a space whose version vector is `vector`.

        Once that is merged all that was read of the log is in the space. So the space has what the log adds up to,
        even where each for itself would not have moved the vector: one's own posts, changes before those they follow.
        """
        known = dict(vector)
        moved: dict[str, int] = {}
        changes: list[Change] = []
        for merge in (Merge([], self.log.vector), *merges):
            changes += merge.changes
            if merge.base is None or reaches(known, merge.base):
                for replica, number in merge.vector.items():
                    if number > known.get(replica, 0):
                        known[replica] = moved[replica] = number
        return Merge(changes, moved)

    def unshown(self, since: Callable[[dict[str, int]], list[Change]]) -> list[Change]:
        """Return what the space holds and the log claims to hold, but has not shown since it was last looked at.

        `since`: `Space.changes_since`, of the space *before* what was read is merged: what comes from the log need
        not be looked for in it. After the merge goes `disbelieve`, with those that nothing has overwritten.
        """
        end = self.log.vector.get
        if len(self._shown) > MOST_SHOWN:
            self._shown = {}
        if self._checked == self.log.vector:
            return []
        checked, self._checked = self._checked, dict(self.log.vector)
        found = [change for change in since(checked) if change.number <= end(change.replica, 0)]
        found = [each for each in found if self._shown.get(each[:3]) != each]
        self._shown = {key: change for key, change in self._shown.items() if key[1] > end(key[0], 0)}
        return found

    def disbelieve(self, changes: Iterable[Change]) -> bool:
        """Let the log end in front of these changes, which it claims to hold; False where there are none."""
        vector, found = self.log.vector, False
        for change in changes:
            found = True
            vector[change.replica] = min(change.number - 1, vector.get(change.replica, 0))
            self._sent[change.replica] = min(change.number - 1, self._sent.get(change.replica, 0))
        self._checked = dict(vector) if found else self._checked
        return found

    def refused(self, ref: int) -> bool:
        """Note that the relay did not take a post. Nothing is posted until `resume`; False as for `stored`."""
        if self._in_flight.pop(ref, None) is None:
            return False
        self._held = True
        if ref in self._above:
            self._above.clear()  # it is posted again
        return True

    def resume(self) -> None:
        """Post again, after a refusal: from what the log holds now, for later posts build on the one refused."""
        self._held = False
        self._sent = dict(self.log.vector)

    def lost(self) -> None:
        """Note that the connection is gone. What was in flight may stand in the log, or not."""
        if self.state != "away":
            self._move("lost")
        self._let_go()

    # The space says ----------------------------------------------------------------------------------------

    def behind(self, vector: dict[str, int]) -> int:
        """Return how many changes the log lacks of a space whose version vector is `vector`."""
        return sum(max(0, number - self.log.vector.get(replica, 0)) for replica, number in vector.items())

    def others_only(self, vector: dict[str, int], own: str) -> bool:
        """Say whether all that the log lacks was written by others: then others may be about to post it too."""
        coming = self._coming()
        return vector.get(own, 0) <= coming.get(own, 0) and not reaches(coming, vector)

    def posts(self, vector: dict[str, int], since: Callable[[dict[str, int]], list[Change]]) -> list[Post]:
        """Return what is to be posted now, in this order; after sealing each, call `sealed`.

        `vector` and `since`: what is durable in the space, `OpenSpace.durable_vector` and `durable_since`.
        """
        if self.state != "live" or self._held or len(self._in_flight) >= MOST_IN_FLIGHT:
            return []
        get = self._coming().get
        changes = None
        if reaches(self._sent, vector):
            if self._above or not self.log.owed:
                return []
            # Of another log: what it lacks may stand above a gap in this space, too, where no range reaches it.
            changes = [each for each in since(self._sent) if self._shown.get(each[:3]) != each]
            if not changes:
                self.log.owed = False
                return []
        ranges = [(who, get(who, 0), number) for who, number in vector.items() if number > get(who, 0)]
        posts = list(self._cut(since(self._sent) if changes is None else changes, ranges, None))
        if changes is not None:
            self._above.update(post.ref for post in posts)
        self._sent.update((who, end) for who, _, end in ranges)
        return posts

    def answers(self, vector: dict[str, int], since: Callable[[dict[str, int]], list[Change]]) -> list[Post]:
        """Return the answers to what others have asked, as far as this replica knows more than they do."""
        posts: list[Post] = []
        if self.state == "live":
            asked, self._asked = self._asked, []
            for base in asked:
                get = base.get
                ranges = [
                    (who, get(who, 0), number) for who, number in vector.items() if number > get(who, 0)
                ]
                if ranges:
                    posts += self._cut(since(base), ranges, base)
        return posts

    @property
    def asked(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._asked)

    def lacks(self, vector: dict[str, int]) -> bool:
        """Say whether something is known to exist that neither the log holds nor a space with this vector."""
        log = self.log
        for replica, number in list(log.missing.items()):
            if max(log.vector.get(replica, 0), vector.get(replica, 0)) >= number:
                del log.missing[replica]
        return log.broken or bool(log.missing)

    def ask(self, vector: dict[str, int]) -> list[Post]:
        """Return the question, a Check, for what is missing: that goes on missing until it stands in the log."""
        asking = any(isinstance(sent.post.message, Check) for sent in self._in_flight.values())
        if self.state != "live" or asking or not self.lacks(vector):
            return []
        # Whoever cannot say what it has is told everything.
        return [self._post(Check(vector if len(vector) <= MOST_NAMED else {}))]

    def tell(self, digest: bytes) -> list[Post]:
        """Return the word that a space which has just what the log has, has rows of this digest."""
        sayable = self.state == "live" and len(self.log.vector) <= MOST_NAMED
        return [self._post(Check(dict(self.log.vector), digest))] if sayable else []

    def at_one(self, sender: str, told: Check, vector: dict[str, int]) -> bool:
        """Say whether `sender`, who told this, has read as much of the log, and a space with this vector holds no more.

        Then both hold the same, or one of them was told less than there is.
        """
        mine, theirs = dict(self.log.vector), dict(told.vector)
        # Of these two nobody knows more than they say themselves.
        for who in (self._sender, sender):
            mine[who] = theirs[who] = min(mine.get(who, 0), theirs.get(who, 0))
        return not self.behind(vector) and _above_zero(theirs) == _above_zero(mine)

    def whole(self, vector: dict[str, int], since: Callable[[dict[str, int]], list[Change]]) -> list[Post]:
        """Return all that a space holds: an answer to a question that nobody could ask."""
        if self.state != "live":
            return []
        return list(self._cut(since({}), [(who, 0, end) for who, end in vector.items() if end], {}))

    def note_trimmed(self, number: int) -> list[Post]:
        """Return the word that a snapshot up to `number`, this replica's own, is in place."""
        self.log.trim(number)
        return [self._post(Trimmed(number))] if self.state == "live" else []

    def wants_snapshot(self, size: int) -> bool:
        """Say whether the log should be cut short; `size`: bytes of the space."""
        return (
            self.state == "live"
            and not self._in_flight
            and self.log.entries >= SNAPSHOT_ENTRIES
            and self.log.size > max(SNAPSHOT_BYTES, 2 * size)
        )

    def sealed(self, post: Post, tag: bytes, size: int) -> None:
        """Note what a post has become: its envelope's tag, and its size in bytes."""
        self._in_flight[post.ref] = _Sent(post, tag, size)

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way to the relay."""
        return not self._in_flight

    # -------------------------------------------------------------------------------------------------------

    def _changes(self, header: Header, message: Changes) -> Merge:
        log = self.log
        self._show(message.changes)
        log.add(message.changes)
        vector: dict[str, int] = {}
        if message.ranges and log.has_pieces(header, message.first):
            vector = {replica: end for replica, _, end in message.ranges}
            base = message.base
            if base is not None:
                if base in self._asked:  # whoever knows more than this answer says the rest
                    self._asked[self._asked.index(base)] = {**base, **vector}
                if log.reaches(base):
                    log.join(message.ranges)
                return Merge(message.changes, vector, base)
            if all(log.vector.get(replica, 0) >= start for replica, start, _ in message.ranges):
                log.join(message.ranges)
                return Merge(message.changes, vector)
        for replica, _, end in message.ranges:
            log.missing[replica] = max(end, log.missing.get(replica, 0))
        return Merge(message.changes, {})

    def _cut(self, changes: list[Change], ranges: list[Range], base: dict[str, int] | None) -> Iterator[Post]:
        """Yield a message as posts of a bearable size."""
        first = self._counter
        piece: list[Change] = []
        size = 0
        for change in changes:
            register = change.register
            cost = CHANGE_BYTES + len(change.key) + len(register.text or "")
            cost += parts_size(register.parts)
            if piece and size + cost > PIECE_BYTES:
                yield self._post(Changes(piece, [], first, base, more=True))
                piece, size = [], 0
            piece.append(change)
            size += cost
        yield self._post(Changes(piece, ranges[:MOST_NAMED], first, base))
        for at in range(MOST_NAMED, len(ranges), MOST_NAMED):
            yield self._post(Changes([], ranges[at : at + MOST_NAMED], first, base))

    def _coming(self) -> dict[str, int]:
        """Return what the log will add up to: with what others posted since, which nobody posts again.

        With nothing in flight it is what the log adds up to: posts that were lost or took another order go out again.
        """
        if not self._in_flight:
            self._sent = dict(self.log.vector)
        for replica, number in self.log.vector.items():
            if number > self._sent.get(replica, 0):
                self._sent[replica] = number
        return self._sent

    def _post(self, message: Message) -> Post:
        self._ref += 1
        header = Header(self._epoch, self._sender, self._session, self._counter)
        self._counter += 1
        return Post(self._ref, header, message)

    def _show(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._shown[change[:3]] = change  # one number may stand for two keys, where somebody lies

    def _begin_again(self, log: RoomLog) -> None:
        self.log, self._checked, self._shown = log, {}, {}

    def _let_go(self) -> None:
        self._in_flight.clear()
        self._above.clear()
        self._held = False
        self._sent = dict(self.log.vector)

    def _follows(self, number: int) -> bool:
        """Say whether `number` comes next in the log. The replica is torn where it does not."""
        if self.state != "torn" and self._at is not None and number != self._at + 1:
            self._move("hole")
        self._at = number
        return self.state != "torn"

    def _move(self, event: str) -> None:
        self.state = MOVES[self.state][event]


def _above_zero(vector: dict[str, int]) -> dict[str, int]:
    return {replica: number for replica, number in vector.items() if number}
