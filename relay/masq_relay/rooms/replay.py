"""Replay from the disk, for a member that is behind: the snapshot where it needs it, then the log."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from masq_relay import frames
from masq_relay.disk.access import DiskAccess
from masq_relay.disk.reading import Page
from masq_relay.frames import Piece
from masq_relay.metrics import Metrics
from masq_relay.rooms.delivery import DISK_REFUSAL
from masq_relay.rooms.room import Member

PAGE_BYTES = 128 * 1024
"""About what is read at once; less than what makes a connection count as slow, so reading follows the reader."""


class Replay:
    """Reads the logs of all rooms, a page at a time."""

    def __init__(self, access: DiskAccess, metrics: Metrics) -> None:
        self._access = access
        self._counts = metrics.counts

    def read_on(self, member: Member, then: Callable[[bytes], None]) -> None:
        """Read what comes next for a member, and call `then` with its messages."""

        def done(page: Page | None, failure: Exception | None) -> None:
            if not member.here:  # and its room may be gone
                then(b"")
                return
            if page is None:
                self._access.failed("reading a log", failure)
                member.connection.cut(*DISK_REFUSAL)
                then(b"")
                return
            found, count = _messages(member, page)
            self._counts["replayed_total"] += count
            self._counts["bytes_out_total"] += len(found)
            then(found)

        self._access.read.do(self._next_read(member), done)

    def _next_read(self, member: Member) -> Callable[[], Page]:
        """Return the job that reads what comes next for `member`."""
        room, reading = member.room, self._access.reading
        assert room.id is not None, "a room that is not on disk has nothing to catch up on"
        if member.snapshot is not None:
            return partial(reading.parts, room.id, member.snapshot.id, member.part, PAGE_BYTES)
        return partial(reading.log, room.id, member.sent, room.head, PAGE_BYTES)


def _messages(member: Member, page: Page) -> tuple[bytes, int]:
    """Return the WebSocket messages for what was read and how many envelopes are in it; moves the member on."""
    if page.snapshot is not None:
        member.snapshot, member.part = page.snapshot, 0
        return b"", 0
    if member.snapshot is not None:
        return _parts(member, page.parts)
    pieces: list[Piece] = []
    for number, time, envelope in page.entries:
        ref = member.acks.pop(number, None)
        pieces.append(frames.envelope(number, time, envelope) if ref is None else frames.stored(ref, number))
        member.sent = number
    return frames.whole(pieces, member.wire), len(pieces)


def _parts(member: Member, parts: list[bytes]) -> tuple[bytes, int]:
    snapshot = member.snapshot
    assert snapshot is not None
    pieces = []
    for content in parts:
        pieces.append(frames.snapshot_part(member.part, snapshot.parts, snapshot.number, content))
        member.part += 1
    if member.part == snapshot.parts:
        # Its own posts up to there are in the snapshot; their acknowledgements come now.
        for number in [number for number in member.acks if number <= snapshot.number]:
            pieces.append(frames.stored(member.acks.pop(number), number))
        member.sent = snapshot.number
        member.snapshot = None
    return frames.whole(pieces, member.wire), len(parts)
