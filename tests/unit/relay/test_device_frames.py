"""The device's side of the relay's wire format, checked against the relay's own."""

from __future__ import annotations

import struct

import pytest
from fake_relay import framed
from hypothesis import example, given
from hypothesis import strategies as st

from masq_relay import frames as relay
from masq_relay import settings
from masq_store.core.relay import frames
from masq_store.core.relay.frames import BadRelayFrame

CHANNEL = st.integers(0, 0xFFFE)
REF = st.integers(0, 2**32 - 1)
NUMBER = st.integers(0, 2**64 - 1)
TIME = st.integers(0, 2**53 - 1)
PART = st.integers(0, 0xFFFE)
TAG = st.binary(min_size=16, max_size=16)
ENVELOPE = st.binary(min_size=32, max_size=200)
KINDS = (0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8F)


@given(st.integers(4096, 2**32 - 1), NUMBER, REF, TIME)
def test_welcome(max_frame, max_room, retention, time_ms):
    """WELCOME is read as the relay writes it."""
    frame = relay.welcome(max_frame, max_room, retention, time_ms)
    assert frames.parse(frame) == frames.Welcome(1, max_frame, max_room, retention, time_ms)


@given(CHANNEL, NUMBER, st.integers(0, 0xFFFF), st.booleans(), REF, TIME, ENVELOPE, PART, PART)
def test_what_concerns_a_room(channel, number, count, reset, ref, time_ms, envelope, part, more):
    """Each frame about a room is read as the relay writes it."""
    of = min(part + 1 + more, 0xFFFF)
    for frame, said in (
        (relay.joined(channel, number, count, reset), frames.Joined(channel, number, count, reset)),
        (relay.current(channel, number), frames.Current(channel, number)),
        (relay.others(channel, count), frames.Others(channel, count)),
        (relay.pong(ref), frames.Pong(ref)),
        (framed(relay.stored(ref, number), channel), frames.Stored(channel, ref, number)),
        (
            framed(relay.envelope(number, time_ms, envelope), channel),
            frames.Envelope(channel, number, time_ms, envelope),
        ),
        (
            framed(relay.snapshot_part(part, of, number, envelope), channel),
            frames.SnapshotPart(channel, part, of, number, envelope),
        ),
        (framed(relay.casted(envelope), channel), frames.Cast(channel, envelope)),
    ):
        found = frames.parse(frame)
        assert (type(found), found) == (type(said), said)


@given(st.sampled_from(relay.Code), st.text(max_size=300), st.integers(0, 0xFFFF), REF)
def test_errors(code, sentence, channel, ref):
    """ERROR is read as the relay writes it, its sentence cut by the relay where it is long."""
    found = frames.parse(relay.error(code, sentence, channel, ref))
    assert found[:3] == (channel, ref, code)
    assert sentence.startswith(found.sentence)


@given(CHANNEL, TAG, st.binary(min_size=32, max_size=32), NUMBER, TAG, REF, ENVELOPE, PART)
def test_what_a_device_sends(channel, room, token, number, tag, ref, envelope, part):
    """Each frame of a device is read by the relay as it was meant."""
    name = tag[:8]
    for frame, said in (
        (frames.hello(), relay.Hello(1)),
        (frames.join(channel, room, token, number, tag), relay.Join(channel, room, token, number, tag)),
        (frames.leave(channel), relay.Leave(channel)),
        (frames.post(channel, ref, envelope), relay.Post(channel, ref, envelope)),
        (frames.cast(channel, envelope), relay.Cast(channel, envelope)),
        (frames.ping(ref), relay.Ping(ref)),
        (
            frames.snapshot(channel, ref, name, part, part + 1, number, tag, envelope),
            relay.Snapshot(channel, ref, name, part, part + 1, number, tag, envelope),
        ),
    ):
        found = relay.read(frame)
        assert (type(found), found) == (type(said), said)


@given(st.binary(max_size=300))
@example(b"")
@example(b"\x81")
@example(b"\x81\x02")
def test_any_bytes_are_a_frame_or_refused(content):
    """No input raises anything but BadRelayFrame."""
    try:
        frames.parse(content)
    except BadRelayFrame as error:
        assert str(error)


@given(st.sampled_from(KINDS), st.binary(max_size=300))
def test_any_bytes_after_a_known_kind(kind, rest):
    """What is read is within its bounds, and nothing of the frame is passed over."""
    try:
        said = frames.parse(bytes([kind]) + rest)
    except BadRelayFrame:
        return
    if isinstance(said, frames.Envelope | frames.SnapshotPart | frames.Cast):
        assert len(said.envelope) >= 32
        assert rest.endswith(said.envelope)
    if isinstance(said, frames.SnapshotPart):
        assert said.part < said.of
    if isinstance(said, frames.Welcome) and said.version == 1:
        assert said.max_frame >= frames.SMALLEST_FRAME and said.time_ms < 2**53
    if isinstance(said, frames.Error):
        assert len(said.sentence.encode()) <= 200


SHORTEST = [
    relay.welcome(4096, 1, 1, 1),
    relay.joined(1, 1, 1, True),
    relay.current(1, 1),
    framed(relay.stored(1, 1), 1),
    framed(relay.envelope(1, 1, bytes(32)), 1),
    framed(relay.snapshot_part(0, 1, 1, bytes(32)), 1),
    framed(relay.casted(bytes(32)), 1),
    relay.others(1, 1),
    relay.pong(1),
    relay.error(relay.Code.STOPPING, ""),
]


@pytest.mark.parametrize("frame", SHORTEST, ids=lambda frame: f"{frame[0]:02x}")
def test_lengths(frame):
    """A frame that is shorter than its kind is refused at every length, and so is one with something behind it."""
    frames.parse(frame)
    for length in range(len(frame)):
        with pytest.raises(BadRelayFrame):
            frames.parse(frame[:length])
    if frame[0] not in (0x85, 0x86, 0x87, 0x8F):
        with pytest.raises(BadRelayFrame):
            frames.parse(frame + b"\0")


@pytest.mark.parametrize("kind", [kind for kind in range(256) if kind not in KINDS])
def test_unknown_kinds(kind):
    """A first byte that no relay sends is refused, those of devices included."""
    with pytest.raises(BadRelayFrame):
        frames.parse(bytes([kind]) + bytes(100))


@pytest.mark.parametrize(
    "frame",
    [
        relay.welcome(4095, 1, 1, 1),
        relay.welcome(4096, 1, 1, 2**53),
        framed(relay.envelope(1, 2**53, bytes(32)), 1),
        framed(relay.snapshot_part(1, 1, 1, bytes(32)), 1),
        framed(relay.snapshot_part(0, 0, 1, bytes(32)), 1),
        relay.error(relay.Code.STOPPING, "") + b"\xff",
        relay.error(relay.Code.STOPPING, "") + b"x" * 201,
        b"\x87\0\1" + bytes(frames.LARGEST_FRAME - 2),
    ],
    ids=["small frames", "no time", "no time of an envelope", "part 1 of 1", "part 0 of 0", "no text", "long", "huge"],
)  # fmt: skip
def test_beyond_the_bounds(frame):
    """What has the right shape and cannot be meant is refused."""
    with pytest.raises(BadRelayFrame):
        frames.parse(frame)


@pytest.mark.parametrize("rest", [b"", bytes(24), bytes(50)])
def test_a_later_version_says_so(rest):
    """WELCOME of another version is read as that version, whatever follows it."""
    assert frames.parse(b"\x81\x02" + rest).version == 2


def test_the_numbers_are_the_relays():
    """What both sides must agree on is the same in both."""
    assert {code.name: int(code) for code in frames.Code} == {code.name: int(code) for code in relay.Code}
    assert (frames.VERSION, frames.CONNECTION) == (relay.VERSION, relay.CONNECTION)
    assert frames.SMALLEST_ENVELOPE == relay.SMALLEST_ENVELOPE
    assert frames.LONGEST_SENTENCE == relay.LONGEST_SENTENCE
    assert frames.SNAPSHOT_HEADER == relay._SNAPSHOT.size == struct.calcsize(">BHI8sHHQ16s")
    assert (struct.calcsize(">BHI"), struct.calcsize(">BH")) == (frames.POST_HEADER, frames.CAST_HEADER)
    assert frames.SMALLEST_FRAME == settings.SMALLEST_FRAME
    assert frames.LARGEST_FRAME > settings.LARGEST_FRAME + frames.SNAPSHOT_HEADER
