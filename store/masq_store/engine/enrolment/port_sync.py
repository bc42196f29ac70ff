"""Replication between two holders of one space, over a line that loses nothing and keeps the order.

Each end says what it has (CHECK), and sends what the other lacks; whatever is merged is answered by another CHECK,
so that each knows what is on the other's disk. The relay is not in it, and nothing is sealed: a port joins two
workers of the store in one browser.
"""

from __future__ import annotations

from collections.abc import Callable

from masq.errors import MasqError
from masq_store.core.errors import DamagedData
from masq_store.core.space.register import Change
from masq_store.core.space.space import Applied
from masq_store.core.sync import messages as sync_wire
from masq_store.core.sync.messages import Changes, Check
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.writer import FromDevices, Writer

PIECE_BYTES = 256 * 1024
"""About what one message holds: enough to be quick, little enough for other messages to come in between."""

CHANGE_BYTES = 64
"""What a change takes beside its key and its text."""


class SpaceLine:
    """One replica's end of the exchange: version vectors, then the changes that the other end lacks (anti-entropy).

    Args:
        say: sends bytes to the other end.
        changed: told when what the properties say may have changed.
    """

    def __init__(
        self, space: OpenSpace, writer: Writer, say: Callable[[bytes], None], changed: Callable[[], None]
    ) -> None:
        self.problem: MasqError | None = None
        """Why this device could not take something that the other has sent: its disk was full, say.

        It stays: what was missed is not sent again on this line, so the disk holds no more than it did then.
        """
        self.peer: dict[str, int] | None = None
        """What the other end has on its disk; None before its first word."""
        self.heard = 0
        """How many messages have come: as long as there are more, it goes on."""
        self._space = space
        self._writer = writer
        self._say = say
        self._changed = changed
        self._sent: dict[str, int] = {}  # what the other has, or will have once it has read all that was said
        self._source = FromDevices()
        self._merging = 0
        self._over = False

    def start(self) -> None:
        """Say what this end has, and hear from now on what is written here."""
        self._space.listeners.append(self._written)
        self._tell_vector()

    def stop(self) -> None:
        """End. What was heard is still merged."""
        if not self._over:
            self._over = True
            self._space.listeners.remove(self._written)

    @property
    def waiting(self) -> int:
        """The number of changes that the other end does not have on its disk, as far as is known."""
        peer = self.peer or {}
        return sum(max(0, n - peer.get(who, 0)) for who, n in self._space.durable_vector().items())

    @property
    def together(self) -> bool:
        """Whether both ends have the same on their disks."""
        return self.peer is not None and not self._merging and self.peer == self._space.durable_vector()

    def hear(self, content: bytes) -> None:
        """Take what the other end says. Raises DamagedData, or NewerData."""
        message = sync_wire.parse(content)
        if self._over:
            return
        self.heard += 1
        if isinstance(message, Check):
            self.peer = dict(message.vector)
            _raise_to(self._sent, message.vector)
            self._send()
            self._changed()
        elif isinstance(message, Changes):
            self._merge(message)
        else:
            raise DamagedData("what the other end of a line said")

    def _merge(self, message: Changes) -> None:
        core = self._space.core
        theirs = {who: end for who, _, end in message.ranges}  # it is on their disk: nothing else is sent
        _raise_to(self._sent, theirs)
        if self.peer is not None:
            _raise_to(self.peer, theirs)

        def operation() -> Applied:
            # The ranges speak for the messages before theirs, too: true only if none of those was missed.
            ranges = [] if self.problem else message.ranges
            reached = {who: end for who, start, end in ranges if core.vector.get(who, 0) >= start}
            return core.merge(message.changes, reached)

        def settle(applied: Applied | None, error: MasqError | None) -> None:
            self._merging -= 1
            self.problem = self.problem or error
            if not self._over and not self.problem:
                self._tell_vector()  # after a part of a message, too: the other end sees that it goes on
            self._changed()

        self._merging += 1
        self._writer.add(self._space, operation, settle, self._source)
        self._writer.begin()

    def _written(self, touched: list[str], source: object) -> None:
        if source is not self._source:
            self._send()
            self._changed()

    def _send(self) -> None:
        """Send what is on the disk and the other end lacks."""
        if self.peer is None:
            return
        vector = self._space.durable_vector()
        ranges = [(who, self._sent.get(who, 0), n) for who, n in vector.items() if n > self._sent.get(who, 0)]
        if not ranges:
            return
        pieces = _pieces(self._space.durable_since(self._sent))
        for piece in pieces[:-1]:
            self._say(sync_wire.encode(Changes(piece, [], 0, more=True)))
        self._say(sync_wire.encode(Changes(pieces[-1], ranges, 0)))
        _raise_to(self._sent, vector)

    def _tell_vector(self) -> None:
        self._say(sync_wire.encode(Check(self._space.durable_vector())))


def _raise_to(vector: dict[str, int], other: dict[str, int]) -> None:
    for who, number in other.items():
        if number > vector.get(who, 0):
            vector[who] = number


def _pieces(changes: list[Change]) -> list[list[Change]]:
    """Return the changes in messages of a bearable size; at least one, which may be empty."""
    pieces: list[list[Change]] = [[]]
    size = 0
    for change in changes:
        cost = CHANGE_BYTES + len(change.key) + len(change.register.text or "")
        if pieces[-1] and size + cost > PIECE_BYTES:
            pieces.append([])
            size = 0
        pieces[-1].append(change)
        size += cost
    return pieces
