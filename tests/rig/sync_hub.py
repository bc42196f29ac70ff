"""One room of a relay, in memory, by docs/protocol.md R1 to R5: what it says to whom, in which order.

Frames are tuples of the frame's name and its fields, without channel and time. A connection is a queue each way;
nothing moves in it by itself. Beside that the hub can be as bad as a relay may be, within bounds.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from masq_store.core.sync.envelope import tag_of
from masq_store.core.sync.room_log import BEGINNING

Frame = tuple[Any, ...]

ROOM_FULL, DISK_FAILED, SNAPSHOT_REFUSED = 6, 12, 13  # codes of R4

MOST_HELD = 3
"""How often others are refused the place for a snapshot before whoever is to `hold` it has held it too long."""


class Snapshot(NamedTuple):
    """It stands for the log up to (number, tag)."""

    number: int
    tag: bytes
    parts: tuple[bytes, ...]


class Kept(NamedTuple):
    """What is on the relay's disk. `envelopes`: those after the snapshot."""

    envelopes: tuple[bytes, ...] = ()
    snapshot: Snapshot | None = None

    @property
    def start(self) -> int:
        """Number of the last envelope that the snapshot stands for."""
        return self.snapshot.number if self.snapshot else 0

    @property
    def head(self) -> int:
        """Number of the newest envelope."""
        return self.start + len(self.envelopes)

    def has(self, number: int, tag: bytes) -> bool:
        """Say whether a cursor is in this log, and lies before nothing that was trimmed."""
        if self.snapshot and number == self.start:
            return tag == self.snapshot.tag
        if number == 0:
            return tag == BEGINNING[1]
        return self.start < number <= self.head and tag == tag_of(self.envelopes[number - self.start - 1])


class Line:
    """A connection that has joined, or is about to."""

    def __init__(self) -> None:
        self.up: deque[Frame] = deque()
        self.down: deque[Frame] = deque()
        self.joined = False
        self.live = False
        self.sent = 0  # number of the last envelope that was put into `down`
        self.acks: dict[int, int] = {}  # its own posts beyond that
        self.reading: Snapshot | None = None
        self.part = 0


class _Incoming(NamedTuple):
    line: Line
    what: tuple[bytes, int, int, bytes]
    parts: list[bytes]


class Hub:
    """The room."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.posts = 0
        """How many envelopes were posted."""
        self._full_up_to = 0
        self._held = 0
        self.lines: dict[Line, None] = {}
        self._incoming: _Incoming | None = None

    # As it should be ---------------------------------------------------------------------------------------

    def take(self, line: Line) -> None:
        """Take the next frame that is on its way up."""
        name, *fields = line.up.popleft()
        getattr(self, "_" + name.lower())(line, *fields)

    def feed(self, line: Line) -> bool:
        """Send the next thing to a line that is behind; False where there is none such."""
        if not line.joined or line.live:
            return False
        kept = self.kept
        if line.reading is None and line.sent < kept.start or line.reading not in (None, kept.snapshot):
            line.reading, line.part = kept.snapshot, 0
        if line.reading is not None:
            self._feed_part(line, line.reading)
        elif line.sent < kept.head:
            envelope = kept.envelopes[line.sent - kept.start]
            line.sent += 1
            ref = line.acks.pop(line.sent, None)
            own = ref is not None
            line.down.append(("STORED", ref, line.sent) if own else ("ENVELOPE", line.sent, envelope))
        else:
            line.live = True
            line.down.append(("CURRENT", kept.head))
        return True

    def gone(self, line: Line) -> None:
        """Note that a connection was lost, with all that was under way."""
        line.up.clear()
        line.down.clear()
        self._leave(line)

    def _join(self, line: Line, number: int, tag: bytes) -> None:
        known = self.kept.has(number, tag)
        line.joined, line.live, line.sent = True, False, number if known else 0
        line.acks, line.reading = {}, None
        self.lines[line] = None
        line.down.append(("JOINED", self.kept.head, len(self.lines) - 1, int(not known)))
        self._tell_others(line)

    def _leave(self, line: Line) -> None:
        if line.joined:
            line.joined = line.live = False
            del self.lines[line]
            if self._incoming and self._incoming.line is line:
                self._incoming = None
            self._tell_others(line)

    def _post(self, line: Line, ref: int, envelope: bytes) -> None:
        self.posts += 1
        if line.joined and self.kept.start < self._full_up_to <= self.kept.head:
            line.down.append(("ERROR", ref, ROOM_FULL))
            return
        self.kept = self.kept._replace(envelopes=(*self.kept.envelopes, envelope))
        number = self.kept.head
        for each in self.lines:
            if not each.live:
                if each is line:
                    each.acks[number] = ref
                continue
            each.sent = number
            each.down.append(("STORED", ref, number) if each is line else ("ENVELOPE", number, envelope))

    def _snapshot(
        self, line: Line, ref: int, name: bytes, part: int, of: int, number: int, tag: bytes, envelope: bytes
    ) -> None:
        what = (name, of, number, tag)
        going = self._incoming
        if part == 0 and going and not going.line.joined:
            self._held += 1
            if self._held > MOST_HELD:
                self._held, self._incoming, going = 0, None, None
        if part == 0:
            if (going and going.line is not line) or number <= self.kept.start or number > self.kept.head:
                line.down.append(("ERROR", ref, SNAPSHOT_REFUSED))
                return
            if not self.kept.has(number, tag):
                self._incoming = None
                line.down.append(("ERROR", ref, SNAPSHOT_REFUSED))
                return
            going = self._incoming = _Incoming(line, what, [])
        elif not going or going.line is not line or going.what != what or len(going.parts) != part:
            if going and going.line is line and going.what[0] == name:
                self._incoming = None
            line.down.append(("ERROR", ref, SNAPSHOT_REFUSED))
            return
        going.parts.append(envelope)
        line.down.append(("STORED", ref, number))
        if part == of - 1:
            kept = self.kept
            snapshot = Snapshot(number, tag, tuple(going.parts))
            self.kept = Kept(kept.envelopes[number - kept.start :], snapshot)
            self._incoming = None

    def _feed_part(self, line: Line, snapshot: Snapshot) -> None:
        of = len(snapshot.parts)
        line.down.append(("SNAPSHOT", line.part, of, snapshot.number, snapshot.parts[line.part]))
        line.part += 1
        if line.part == of:
            for number in [number for number in line.acks if number <= snapshot.number]:
                line.down.append(("STORED", line.acks.pop(number), number))
            line.sent, line.reading = snapshot.number, None

    def _tell_others(self, but: Line) -> None:
        for each in self.lines:
            if each is not but:
                each.down.append(("OTHERS", len(self.lines) - 1))

    # As it may be ------------------------------------------------------------------------------------------

    def fall_behind(self, line: Line) -> None:
        """Find a reader slow: from here on it gets what is on the disk, and CURRENT once more."""
        if line.joined:
            line.live = False

    def refuse(self, line: Line) -> bool:
        """Answer the next post with an error; False where it is none."""
        if not line.up or line.up[0][0] != "POST":
            return False
        line.down.append(("ERROR", line.up.popleft()[1], DISK_FAILED))
        return True

    def go_back(self, kept: Kept) -> None:
        """Be started again from an older copy of the disk. Connections are lost by whoever had them."""
        self.kept = kept
        self._incoming = None

    # As it must not be -------------------------------------------------------------------------------------

    def repeat(self, which: int) -> None:
        """Keep an envelope of the log once more, as a new one."""
        if self.kept.envelopes:
            self.say(self.kept.envelopes[which % len(self.kept.envelopes)])

    def fill(self) -> None:
        """Let the room be full until a snapshot stands for all that is in it now."""
        self._full_up_to = self.kept.head

    def hold(self, name: bytes) -> None:
        """Begin a snapshot for somebody who never sends the rest of it."""
        if self._incoming is None and self.kept.envelopes:
            line, number, tag = Line(), self.kept.head, tag_of(self.kept.envelopes[-1])
            self._incoming = _Incoming(line, (name, 2, number, tag), [name])

    def say(self, envelope: bytes) -> None:
        """Keep an envelope as if somebody had posted it."""
        self._post(Line(), 0, envelope)

    def swallow(self, line: Line, which: int) -> bool:
        """Lose a post without a word; False where there is none."""
        posts = [at for at, frame in enumerate(line.up) if frame[0] == "POST"]
        if posts:
            del line.up[posts[which % len(posts)]]
        return bool(posts)

    def reorder(self, line: Line, which: int) -> bool:
        """Take a post before the one that was sent before it; False where there are no two."""
        posts = [at for at, frame in enumerate(line.up) if frame[0] == "POST"]
        if len(posts) < 2:
            return False
        one, other = posts[which % (len(posts) - 1)], posts[which % (len(posts) - 1) + 1]
        line.up[one], line.up[other] = line.up[other], line.up[one]
        return True

    def hide(self, line: Line, which: int) -> bool:
        """Keep an envelope from one reader; False where none is on its way."""
        found = [at for at, frame in enumerate(line.down) if frame[0] == "ENVELOPE"]
        if found:
            del line.down[found[which % len(found)]]
        return bool(found)
