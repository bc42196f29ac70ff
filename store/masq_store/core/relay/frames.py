"""A relay's wire format as devices speak it: one frame a WebSocket message (docs/protocol.md, R2 to R4).

The writers make what a device sends. `parse` is the only door for what a relay sends: it checks every length, and
raises BadRelayFrame and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from struct import Struct
from typing import NamedTuple, TypeAlias

VERSION = 1
ROOM_BYTES, TOKEN_BYTES, SET_BYTES, TAG_BYTES = 16, 32, 8, 16

SMALLEST_ENVELOPE = 32
"""Bytes. An envelope's last 16 are its tag."""

POST_HEADER, SNAPSHOT_HEADER, CAST_HEADER = 7, 43, 3
"""Bytes before the envelope in what a device sends: an envelope and this fit into WELCOME's largest frame."""

SMALLEST_FRAME = 4096
"""Bytes. A relay that takes less is of no use: no change fits."""

LARGEST_FRAME = (64 << 20) + (64 << 10)
"""Bytes of a frame that are read: the most that masq-relay can be set to take, and its header."""

LONGEST_SENTENCE = 200
"""Bytes of an ERROR's sentence."""

CHANNELS = 0xFFFF
"""How many channels a socket has; the next number stands for the connection."""

CONNECTION = 0xFFFF

BEGINNING = (0, bytes(TAG_BYTES))
"""The cursor that stands at the beginning of any log."""

_LATEST = 1 << 53
"""Milliseconds; beyond this a time is none, and JSON could not carry it."""


class Code(IntEnum):
    """The codes of an ERROR: what it is about."""

    BAD_FRAME = 1
    VERSION = 2
    WRONG_TOKEN = 3
    NOT_JOINED = 4
    FRAME_TOO_LARGE = 5
    ROOM_FULL = 6
    TOO_MANY_ROOMS = 7
    TOO_MANY_CONNECTIONS = 8
    TOO_FAST = 9
    TOO_SLOW = 10
    STOPPING = 11
    DISK_FAILED = 12
    SNAPSHOT_REFUSED = 13


class BadRelayFrame(Exception):
    """A relay sent what is no frame of its protocol."""


# From the device.

_JOIN = Struct(f">BH{ROOM_BYTES}s{TOKEN_BYTES}sQ{TAG_BYTES}s")
_POST = Struct(">BHI")
_SNAPSHOT = Struct(f">BHI{SET_BYTES}sHHQ{TAG_BYTES}s")
_CHANNEL = Struct(">BH")
_REF = Struct(">BI")


def hello() -> bytes:
    """Return HELLO, the first frame of a connection."""
    return bytes([0x01, VERSION])


def join(channel: int, room: bytes, token: bytes, number: int, tag: bytes) -> bytes:
    """Return JOIN; (`number`, `tag`) is the last envelope that was read."""
    return _JOIN.pack(0x02, channel, room, token, number, tag)


def leave(channel: int) -> bytes:
    """Return LEAVE."""
    return _CHANNEL.pack(0x03, channel)


def post(channel: int, ref: int, envelope: bytes) -> bytes:
    """Return POST."""
    return _POST.pack(0x04, channel, ref) + envelope


def snapshot(
    channel: int, ref: int, set_: bytes, part: int, of: int, number: int, tag: bytes, envelope: bytes
) -> bytes:
    """Return part `part` of `of` of the snapshot `set_`, which stands for all up to (`number`, `tag`)."""
    return _SNAPSHOT.pack(0x05, channel, ref, set_, part, of, number, tag) + envelope


def cast(channel: int, envelope: bytes) -> bytes:
    """Return CAST."""
    return _CHANNEL.pack(0x06, channel) + envelope


def ping(ref: int) -> bytes:
    """Return PING."""
    return _REF.pack(0x07, ref)


# From the relay.


class Welcome(NamedTuple):
    """The answer to HELLO: bytes of a frame, bytes of a room, seconds that a room is kept, the relay's time."""

    version: int
    max_frame: int
    max_room: int
    retention: int
    time_ms: int


class Joined(NamedTuple):
    """The room is joined; `head` is its newest envelope, `reset` that all of its log follows."""

    channel: int
    head: int
    others: int
    reset: bool


class Current(NamedTuple):
    """All up to `number` has been sent."""

    channel: int
    number: int


class Stored(NamedTuple):
    """The acknowledgement: what was posted as `ref` is on the relay's disk as `number`."""

    channel: int
    ref: int
    number: int


class Envelope(NamedTuple):
    """Envelope `number` of the room's log, posted at the relay's `time_ms`."""

    channel: int
    number: int
    time_ms: int
    envelope: bytes


class SnapshotPart(NamedTuple):
    """Part `part` of `of` of what stands for all envelopes up to `number`."""

    channel: int
    part: int
    of: int
    number: int
    envelope: bytes


class Cast(NamedTuple):
    """An ephemeral broadcast: an envelope that is not kept."""

    channel: int
    envelope: bytes


class Others(NamedTuple):
    """The number of other connections in the room."""

    channel: int
    others: int


class Pong(NamedTuple):
    """The answer to a heartbeat, PING."""

    ref: int


class Error(NamedTuple):
    """A refusal; `channel` is CONNECTION where it is about all, `ref` 0 where about no one frame."""

    channel: int
    ref: int
    code: int
    sentence: str


OfRoom: TypeAlias = Joined | Current | Stored | Envelope | SnapshotPart | Cast | Others | Error
"""What a relay says of one room; an ERROR may be about the connection instead."""

FromRelay: TypeAlias = Welcome | Pong | OfRoom

_WELCOME = Struct(">BBIQIQ")
_JOINED = Struct(">BHQHB")
_CURRENT = Struct(">BHQ")
_STORED = Struct(">BHIQ")
_ENVELOPE = Struct(">BHQQ")
_SNAPSHOT_PART = Struct(">BHHHQ")
_OTHERS = Struct(">BHH")
_ERROR = Struct(">BHIH")

_RESET = 1


def parse(frame: bytes) -> FromRelay:
    """Return what a relay's frame says. Raises BadRelayFrame."""
    reader = _READERS.get(frame[0]) if frame else None
    if reader is None:
        raise BadRelayFrame("it is of no known kind")
    if len(frame) > LARGEST_FRAME:
        raise BadRelayFrame("it is too large")
    return reader(frame)


def _exactly(frame: bytes, shape: Struct) -> tuple[int, ...]:
    if len(frame) != shape.size:
        raise BadRelayFrame("its length is wrong")
    return shape.unpack(frame)[1:]


def _with_envelope(frame: bytes, shape: Struct) -> tuple[int, ...]:
    if len(frame) < shape.size + SMALLEST_ENVELOPE:
        raise BadRelayFrame("its envelope is too short")
    return shape.unpack_from(frame)[1:]


def _time(ms: int) -> int:
    if ms >= _LATEST:
        raise BadRelayFrame("its time is none")
    return ms


def _read_welcome(frame: bytes) -> Welcome:
    # Of a later version's WELCOME only the version counts: what to say is that, not its length.
    if len(frame) > 1 and frame[1] != VERSION:
        return Welcome(frame[1], 0, 0, 0, 0)
    welcome = Welcome(*_exactly(frame, _WELCOME))
    _time(welcome.time_ms)
    if welcome.max_frame < SMALLEST_FRAME:
        raise BadRelayFrame("it takes only frames that are too small for any change")
    return welcome


def _read_joined(frame: bytes) -> Joined:
    channel, head, others, flags = _exactly(frame, _JOINED)
    return Joined(channel, head, others, bool(flags & _RESET))


def _read_current(frame: bytes) -> Current:
    return Current(*_exactly(frame, _CURRENT))


def _read_stored(frame: bytes) -> Stored:
    return Stored(*_exactly(frame, _STORED))


def _read_envelope(frame: bytes) -> Envelope:
    channel, number, time_ms = _with_envelope(frame, _ENVELOPE)
    return Envelope(channel, number, _time(time_ms), frame[_ENVELOPE.size :])


def _read_snapshot_part(frame: bytes) -> SnapshotPart:
    channel, part, of, number = _with_envelope(frame, _SNAPSHOT_PART)
    if part >= of:
        raise BadRelayFrame("it is a part beyond the last")
    return SnapshotPart(channel, part, of, number, frame[_SNAPSHOT_PART.size :])


def _read_cast(frame: bytes) -> Cast:
    (channel,) = _with_envelope(frame, _CHANNEL)
    return Cast(channel, frame[_CHANNEL.size :])


def _read_others(frame: bytes) -> Others:
    return Others(*_exactly(frame, _OTHERS))


def _read_pong(frame: bytes) -> Pong:
    return Pong(*_exactly(frame, _REF))


def _read_error(frame: bytes) -> Error:
    if not _ERROR.size <= len(frame) <= _ERROR.size + LONGEST_SENTENCE:
        raise BadRelayFrame("its length is wrong")
    channel, ref, code = _ERROR.unpack_from(frame)[1:]
    try:
        return Error(channel, ref, code, frame[_ERROR.size :].decode())
    except UnicodeDecodeError:
        raise BadRelayFrame("its sentence is no text") from None


_READERS: dict[int, Callable[[bytes], FromRelay]] = {
    0x81: _read_welcome,
    0x82: _read_joined,
    0x83: _read_current,
    0x84: _read_stored,
    0x85: _read_envelope,
    0x86: _read_snapshot_part,
    0x87: _read_cast,
    0x88: _read_others,
    0x89: _read_pong,
    0x8F: _read_error,
}
