"""The relay's wire format: one frame a WebSocket message. Pure; docs/protocol.md has the same tables.

Every reader checks every length before it slices, and raises `BadFrame` and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from operator import add
from struct import Struct
from typing import NamedTuple

VERSION = 1
ROOM_BYTES, TOKEN_BYTES, SET_BYTES, TAG_BYTES = 16, 32, 8, 16
SMALLEST_ENVELOPE = 32
"""Bytes. An envelope's last 16 are its tag, and there is a header before them."""

CONNECTION = 0xFFFF
"""The channel of an error that concerns the whole connection; no room can be joined on it."""

NO_TAG = bytes(TAG_BYTES)
"""With number 0: the cursor that stands at the beginning of any log."""

RESET = 1
"""JOINED's flag: the cursor is not in this log, and all of the log follows."""


class Kind(IntEnum):
    """A frame's first byte. Those above 0x80 come from the relay."""

    HELLO = 0x01
    JOIN = 0x02
    LEAVE = 0x03
    POST = 0x04
    SNAPSHOT = 0x05
    CAST = 0x06
    PING = 0x07
    WELCOME = 0x81
    JOINED = 0x82
    CURRENT = 0x83
    STORED = 0x84
    ENVELOPE = 0x85
    SNAPSHOT_PART = 0x86
    CASTED = 0x87
    OTHERS = 0x88
    PONG = 0x89
    ERROR = 0x8F


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


class BadFrame(Exception):
    """A frame that is not one. `code` is BAD_FRAME or VERSION; the sentence says what is wrong with it."""

    def __init__(self, sentence: str, code: Code = Code.BAD_FRAME) -> None:
        super().__init__(sentence)
        self.code = code


class Hello(NamedTuple):
    """The first frame of a connection."""

    version: int


class Join(NamedTuple):
    """Join `room` as `channel`; (`number`, `tag`) is the last envelope that the client has read."""

    channel: int
    room: bytes
    token: bytes
    number: int
    tag: bytes


class Leave(NamedTuple):
    """Leave the room on `channel`."""

    channel: int


class Post(NamedTuple):
    """Keep `envelope` and pass it on; the acknowledgement (STORED) names `ref`."""

    channel: int
    ref: int
    envelope: bytes


class Snapshot(NamedTuple):
    """Part `part` of `of` of a snapshot that stands for all up to (`number`, `tag`)."""

    channel: int
    ref: int
    set: bytes
    part: int
    of: int
    number: int
    tag: bytes
    envelope: bytes


class Cast(NamedTuple):
    """Broadcast `envelope` to whoever is there now, and keep nothing of it."""

    channel: int
    envelope: bytes


class Ping(NamedTuple):
    """A heartbeat, to be answered with PONG."""

    ref: int


FromClient = Hello | Join | Leave | Post | Snapshot | Cast | Ping

_new = tuple.__new__
"""Makes a NamedTuple in half the time."""

_HELLO = Struct(">BB")
_JOIN = Struct(f">BH{ROOM_BYTES}s{TOKEN_BYTES}sQ{TAG_BYTES}s")
_LEAVE = Struct(">BH")
_POST = Struct(">BHI")
_SNAPSHOT = Struct(f">BHI{SET_BYTES}sHHQ{TAG_BYTES}s")
_CAST = Struct(">BH")
_PING = Struct(">BI")


def read(frame: bytes) -> FromClient:
    """Return what a client's frame says. Raises BadFrame."""
    if not frame:
        raise BadFrame("An empty message is no frame.")
    reader = _READERS.get(frame[0])
    if reader is None:
        raise BadFrame(f"There is no frame of kind {frame[0]:02x} from a client.")
    return reader(frame)


def _exactly(frame: bytes, shape: Struct, name: str) -> None:
    if len(frame) != shape.size:
        raise BadFrame(f"{name} has {shape.size} bytes; this one has {len(frame)}.")


def _at_least(frame: bytes, shape: Struct, name: str) -> None:
    least = shape.size + SMALLEST_ENVELOPE
    if len(frame) < least:
        raise BadFrame(f"{name} has at least {least} bytes; this one has {len(frame)}.")


def _read_hello(frame: bytes) -> Hello:
    # A later version's HELLO may be longer: the answer to it is its version, not its length.
    if len(frame) < _HELLO.size:
        raise BadFrame(f"HELLO has {_HELLO.size} bytes; this one has {len(frame)}.")
    if frame[1] != VERSION:
        raise BadFrame(f"This relay speaks version {VERSION}; you asked for {frame[1]}.", Code.VERSION)
    _exactly(frame, _HELLO, "HELLO")
    return Hello(frame[1])


def _read_join(frame: bytes) -> Join:
    _exactly(frame, _JOIN, "JOIN")
    join = Join(*_JOIN.unpack(frame)[1:])
    if join.channel == CONNECTION:
        raise BadFrame("Channel ffff stands for the connection; no room can be joined on it.")
    return join


def _read_leave(frame: bytes) -> Leave:
    _exactly(frame, _LEAVE, "LEAVE")
    return Leave(_LEAVE.unpack(frame)[1])


def _read_post(frame: bytes) -> Post:
    if len(frame) < 39:  # _at_least, spelled out: this is the frame that comes most
        _at_least(frame, _POST, "POST")
    _, channel, ref = _POST.unpack_from(frame)
    return _new(Post, (channel, ref, frame[7:]))


def _read_snapshot(frame: bytes) -> Snapshot:
    _at_least(frame, _SNAPSHOT, "SNAPSHOT")
    _, channel, ref, set_, part, of, number, tag = _SNAPSHOT.unpack_from(frame)
    snapshot = Snapshot(channel, ref, set_, part, of, number, tag, frame[_SNAPSHOT.size :])
    if snapshot.part >= snapshot.of:
        raise BadFrame(f"Part {snapshot.part} of {snapshot.of} is none: parts are counted from 0.")
    return snapshot


def _read_cast(frame: bytes) -> Cast:
    _at_least(frame, _CAST, "CAST")
    return Cast(_CAST.unpack_from(frame)[1], frame[_CAST.size :])


def _read_ping(frame: bytes) -> Ping:
    _exactly(frame, _PING, "PING")
    return Ping(_PING.unpack(frame)[1])


_READERS: dict[int, Callable[[bytes], FromClient]] = {
    Kind.HELLO: _read_hello,
    Kind.JOIN: _read_join,
    Kind.LEAVE: _read_leave,
    Kind.POST: _read_post,
    Kind.SNAPSHOT: _read_snapshot,
    Kind.CAST: _read_cast,
    Kind.PING: _read_ping,
}

_WELCOME = Struct(">BBIQIQ")
_JOINED = Struct(">BHQHB")
_CURRENT = Struct(">BHQ")
_OTHERS = Struct(">BHH")
_ERROR = Struct(">BHIH")

CHANNEL = Struct(">H")
"""Two bytes that differ from member to member, in frames that are otherwise the same."""

LONGEST_SENTENCE = 200
"""Bytes of an ERROR's sentence."""


def welcome(max_frame: int, max_room: int, retention: int, now_ms: int) -> bytes:
    """Return WELCOME: bytes of a frame, bytes of a room, seconds that an idle room is kept, the relay's time."""
    return _WELCOME.pack(Kind.WELCOME, VERSION, max_frame, max_room, retention, now_ms)


def joined(channel: int, head: int, others: int, reset: bool) -> bytes:
    """Return JOINED."""
    return _JOINED.pack(Kind.JOINED, channel, head, others, RESET if reset else 0)


def current(channel: int, number: int) -> bytes:
    """Return CURRENT."""
    return _CURRENT.pack(Kind.CURRENT, channel, number)


def others(channel: int, count: int) -> bytes:
    """Return OTHERS."""
    return _OTHERS.pack(Kind.OTHERS, channel, count)


def pong(ref: int) -> bytes:
    """Return PONG."""
    return _PING.pack(Kind.PONG, ref)


def error(code: Code, sentence: str, channel: int = CONNECTION, ref: int = 0) -> bytes:
    """Return ERROR; a sentence that is too long is cut at a character."""
    words = sentence.encode()[:LONGEST_SENTENCE].decode(errors="ignore").encode()
    return _ERROR.pack(Kind.ERROR, channel, ref, code) + words


Piece = tuple[bytes, bytes]
"""A frame in a WebSocket message without its channel: what stands before that, and what stands after it.

So the frames of a batch are put together once, and for each member only its channel is set in.
"""

_STORED = Struct(">IQ")
_ENVELOPE = Struct(">QQ")
_SNAPSHOT_PART = Struct(">HHQ")


def stored(ref: int, number: int) -> Piece:
    """Return STORED without its channel."""
    return _STORED_BEFORE, _STORED.pack(ref, number)


def envelope(number: int, time_ms: int, content: bytes) -> Piece:
    """Return ENVELOPE without its channel."""
    return message_header(19 + len(content)) + b"\x85", _ENVELOPE.pack(number, time_ms) + content


def snapshot_part(part: int, of: int, number: int, content: bytes) -> Piece:
    """Return SNAPSHOT, as the relay sends it, without its channel."""
    return message_header(15 + len(content)) + b"\x86", _SNAPSHOT_PART.pack(part, of, number) + content


def casted(content: bytes) -> Piece:
    """Return CAST, as the relay sends it, without its channel."""
    return message_header(3 + len(content)) + b"\x87", content


def refused(code: Code, sentence: str, ref: int) -> Piece:
    """Return ERROR without its channel."""
    rest = error(code, sentence, 0, ref)[3:]
    return message_header(3 + len(rest)) + b"\x8f", rest


def whole(pieces: list[Piece], channel: bytes) -> bytes:
    """Return the WebSocket messages of these pieces for a member that calls the room `channel` (two bytes)."""
    return channel.join(seams(pieces))


def seams(pieces: list[Piece]) -> list[bytes]:
    """Return what stands between the channels of these pieces: joined with a channel, it is what goes out."""
    if not pieces:
        return [b""]
    before, after = zip(*pieces, strict=True)
    return [before[0], *map(add, after, before[1:]), after[-1]]


_MEDIUM = Struct(">HH")


def message_header(length: int) -> bytes:
    """Return the header of an unmasked, unfragmented binary WebSocket message (RFC 6455, section 5.2)."""
    if length < 126:
        return b"\x82" + length.to_bytes(1, "big")
    if length < 1 << 16:
        return _MEDIUM.pack(0x827E, length)
    return b"\x82\x7f" + length.to_bytes(8, "big")


_STORED_BEFORE = message_header(15) + b"\x84"
