"""A replica's view of its room's log: how far it has read, and the version vector that the log adds up to.

The log is the relay's, and can be lost, cut off or taken back to an older copy. So a place in it is a number *and* the
tag of the envelope there, and everything here can be found out again by reading from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable

from masq.errors import MasqError
from masq.messages import JsonObject, dumps, loads
from masq_store.core.crypto.key_schedule import TAG_BYTES
from masq_store.core.errors import DamagedData
from masq_store.core.space.register import Change
from masq_store.core.sync.envelope import Header
from masq_store.core.sync.messages import Range

FORMAT = 1

SESSIONS = 64
"""Sessions of senders whose envelopes are counted; the one that was heard of longest ago is forgotten."""

BEGINNING = (0, bytes(TAG_BYTES))


class RoomLog:
    """A replica's position in a room's log, and the version vector and sessions that stand before it.

    `vector`: for each replica the number up to which the log holds everything without a gap; what was overwritten by
    something else in the log counts as held.
    """

    def __init__(self) -> None:
        self.number, self.tag = BEGINNING
        self.end = BEGINNING
        """The number and the tag of the last envelope that was seen, whoever sealed it: a snapshot may end there."""
        self.vector: dict[str, int] = {}
        self.entries = 0
        """Envelopes read since the snapshot that the log begins with, if it begins with one."""
        self.size = 0
        """Their bytes."""
        self.missing: dict[str, int] = {}
        """Gaps, by replica: the number up to which there is something, though the log did not show all before it."""
        self.broken = False
        """Whether a part of a snapshot could not be read."""
        self.left_out = False
        """Whether something was left out as it could not be, by the clock of that day (`core.sync.member_claims`)."""
        self.owed = True
        """Whether it was read from its beginning, and lacks yet what this replica holds above a gap."""
        self._sessions: dict[
            str, tuple[int, int]
        ] = {}  # of each: the counters [first, end) seen without a gap

    @property
    def cursor(self) -> tuple[int, bytes]:
        """The number and the tag of the last envelope that was read."""
        return self.number, self.tag

    def move(self, number: int, tag: bytes, size: int) -> None:
        """Note that the envelope `number` was read. `size`: its bytes."""
        self.number, self.tag = number, tag
        self.pass_over(number, tag, size)

    def pass_over(self, number: int, tag: bytes, size: int) -> None:
        """Note that an envelope was passed over, because nobody has sealed it or it was read before.

        The place stays where it is. An envelope that a relay has put there twice may stand at the same number in
        another log, and so could make another log look like this one.
        """
        self.end = number, tag
        self.entries += 1
        self.size += size

    def trim(self, number: int) -> None:
        """Note that a snapshot stands for everything up to `number`."""
        before = self.entries
        self.entries = min(before, max(0, self.number - number))
        self.size = self.size * self.entries // before if before else 0

    def count(self, header: Header) -> bool:
        """Count an envelope; False for one that was counted before."""
        session = header.session.hex()
        first, end = self._sessions.pop(session, (header.counter, header.counter))
        if first <= header.counter < end:
            self._sessions[session] = first, end
            return False
        if header.counter != end:
            first = header.counter  # something between is missing, or comes late
        self._sessions[session] = first, header.counter + 1
        while len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return True

    def asked(self) -> None:
        """Note that the question for all that is not known stands in the log: whoever knows more answers it."""
        self.missing = {}
        self.broken = False

    def has_pieces(self, header: Header, first: int) -> bool:
        """Say whether all envelopes of this session from counter `first` up to this one have been read."""
        seen = self._sessions.get(header.session.hex())
        return seen is not None and seen[0] <= first <= header.counter < seen[1]

    def add(self, changes: Iterable[Change]) -> None:
        """Take in changes that stand in the log: where they follow what is known, the vector moves."""
        for change in changes:
            if change.number == self.vector.get(change.replica, 0) + 1:
                self.vector[change.replica] = change.number

    def join(self, ranges: Iterable[Range]) -> None:
        """Note that these ranges are complete."""
        for replica, _, end in ranges:
            if end > self.vector.get(replica, 0):
                self.vector[replica] = end

    def reaches(self, vector: dict[str, int]) -> bool:
        """Say whether the log holds everything up to `vector`."""
        return reaches(self.vector, vector)

    def stand(self, number: int, tag: bytes, vector: dict[str, int]) -> None:
        """Begin after a snapshot that stands for the log up to `number` and holds everything up to `vector`."""
        self.number, self.tag = self.end = number, tag
        self.vector = dict(vector)
        self.entries = self.size = 0
        self.broken = False
        self._sessions = {}

    def encode(self) -> bytes:
        """Return all of it as bytes, to be kept."""
        return dumps(
            {
                "format": FORMAT,
                "number": self.number,
                "tag": self.tag.hex(),
                "vector": self.vector,
                "entries": self.entries,
                "size": self.size,
                "missing": self.missing,
                "broken": self.broken,
                "left_out": self.left_out,
                "owed": self.owed,
                "sessions": self._sessions,
            }
        ).encode()

    @classmethod
    def decode(cls, content: bytes) -> RoomLog:
        """Undo `encode`. What a later version has written is as good as nothing: the log is read again."""
        log = cls()
        try:
            kept: JsonObject = loads(content.decode())
            if kept["format"] != FORMAT:
                return log
            log.stand(kept["number"], bytes.fromhex(kept["tag"]), kept["vector"])
            log.entries, log.size = kept["entries"], kept["size"]
            log.missing, log.broken = kept["missing"], kept["broken"]
            log.left_out = kept.get("left_out", False)  # not there yet in what an older version kept
            log.owed = kept.get("owed", not log.number)  # the same
            log._sessions = {session: (first, end) for session, (first, end) in kept["sessions"].items()}
        except (MasqError, ValueError, TypeError, LookupError) as error:
            raise DamagedData("the place in a room's log") from error
        return log


def reaches(vector: dict[str, int], other: dict[str, int]) -> bool:
    """Say whether `vector` is at or above `other` for every replica."""
    get = vector.get
    return all(get(replica, 0) >= number for replica, number in other.items())
