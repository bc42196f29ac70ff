"""The relay's parsers: every byte string is a frame or a `BadFrame`, and nothing is read beyond its end."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from masq_relay import frames
from masq_relay.disk import batches
from masq_relay.frames import BadFrame, Code, Kind

CHANNEL = st.integers(0, 0xFFFF)
REF = st.integers(0, 2**32 - 1)
NUMBER = st.integers(0, 2**64 - 1)
ENVELOPE = st.binary(min_size=32, max_size=200)


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x01\x01")
@example(b"\x04" + bytes(37))
def test_any_bytes_are_a_frame_or_refused(content):
    """No input raises anything but BadFrame, and its sentence fits an ERROR."""
    try:
        frames.read(content)
    except BadFrame as error:
        assert len(str(error).encode()) <= frames.LONGEST_SENTENCE


@given(st.sampled_from(range(1, 8)), st.binary(max_size=150))
def test_any_bytes_after_a_known_kind(kind, rest):
    """The same where the first byte is right: what is read has the sizes that the tables say."""
    try:
        frame = frames.read(bytes([kind]) + rest)
    except BadFrame:
        return
    if isinstance(frame, frames.Join):
        assert (len(frame.room), len(frame.token), len(frame.tag)) == (16, 32, 16)
        assert frame.channel < 0xFFFF
    if isinstance(frame, frames.Post | frames.Cast | frames.Snapshot):
        assert len(frame.envelope) >= 32
        assert rest.endswith(frame.envelope)
    if isinstance(frame, frames.Snapshot):
        assert frame.part < frame.of
        assert (len(frame.set), len(frame.tag)) == (8, 16)


@given(CHANNEL, REF, ENVELOPE)
def test_post_and_cast_and_ping_and_leave(channel, ref, envelope):
    """What a client writes by the tables is what is read."""
    assert frames.read(struct.pack(">BHI", 4, channel, ref) + envelope) == (channel, ref, envelope)
    assert frames.read(struct.pack(">BH", 6, channel) + envelope) == (channel, envelope)
    assert frames.read(struct.pack(">BI", 7, ref)) == (ref,)
    assert frames.read(struct.pack(">BH", 3, channel)) == (channel,)


@given(
    st.integers(0, 0xFFFE),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32),
    NUMBER,
    st.binary(min_size=16, max_size=16),
)
def test_join(channel, room, token, number, tag):
    """JOIN is read field by field."""
    frame = struct.pack(">BH16s32sQ16s", 2, channel, room, token, number, tag)
    assert frames.read(frame) == (channel, room, token, number, tag)


@given(CHANNEL, REF, st.binary(min_size=8, max_size=8), st.integers(0, 0xFFFE), NUMBER, ENVELOPE)
def test_snapshot(channel, ref, name, part, number, envelope):
    """SNAPSHOT is read field by field."""
    frame = struct.pack(">BHI8sHHQ16s", 5, channel, ref, name, part, part + 1, number, bytes(16)) + envelope
    assert frames.read(frame) == (channel, ref, name, part, part + 1, number, bytes(16), envelope)


@pytest.mark.parametrize("kind", [k for k in range(256) if k not in range(1, 8)])
def test_unknown_kinds(kind):
    """A first byte that no client sends is refused, those of the relay included."""
    with pytest.raises(BadFrame):
        frames.read(bytes([kind]) + bytes(100))


@pytest.mark.parametrize(
    ("kind", "size"), [(1, 2), (2, 75), (3, 3), (4, 39), (5, 75), (6, 35), (7, 5)], ids=lambda x: str(x)
)
def test_truncated(kind, size):
    """A frame that is shorter than its kind is refused at every length."""
    whole = bytes([kind]) + (b"\x01" + bytes(size - 2))
    if kind == 5:
        whole = struct.pack(">BHI8sHHQ16s", 5, 1, 1, bytes(8), 0, 1, 1, bytes(16)) + bytes(32)
    frames.read(whole)
    for length in range(1, len(whole)):
        with pytest.raises(BadFrame):
            frames.read(whole[:length])


@pytest.mark.parametrize("kind", [1, 2, 3, 7])
def test_trailing_bytes(kind):
    """A frame of fixed size with something behind it is refused."""
    size = {1: 2, 2: 75, 3: 3, 7: 5}[kind]
    with pytest.raises(BadFrame):
        frames.read(bytes([kind, 1]) + bytes(size - 2) + b"\0")


@pytest.mark.parametrize("content", [b"\x01\x00", b"\x01\x02", b"\x01\x02more that a later version may say"])
def test_another_version(content):
    """HELLO of another version is answered with code 2, whatever follows it."""
    with pytest.raises(BadFrame) as caught:
        frames.read(content)
    assert caught.value.code == Code.VERSION


@given(st.lists(st.binary(min_size=32, max_size=300), max_size=30))
def test_a_batch_comes_back(envelopes):
    """What was written into a batch is read from it, and it is cut at no other place."""
    content = batches.write(envelopes)
    assert list(batches.read(content)) == envelopes
    assert batches.weigh(envelopes) == sum(map(len, envelopes)) + 16 * len(envelopes)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_batch_or_damaged(content):
    """A damaged batch is found out, or gives slices of itself; never anything else."""
    try:
        found = list(batches.read(content))
    except batches.DamagedBatch:
        return
    assert batches.write(found) == content


@given(st.lists(st.integers(32, batches.LARGEST * 2), max_size=12))
def test_batches_are_bounded(sizes):
    """A run of envelopes is split so that each batch is small or holds one envelope; none is lost."""
    envelopes = [bytes(size) for size in sizes]
    runs = list(batches.split(envelopes))
    assert [each for run in runs for each in run] == envelopes
    assert all(len(run) == 1 or sum(map(len, run)) <= batches.LARGEST + 4 * len(run) for run in runs)


@given(st.lists(st.tuples(NUMBER, ENVELOPE), min_size=1, max_size=5), CHANNEL)
def test_a_batch_is_whole_messages(items, channel):
    """Frames that are put together for a batch are unmasked WebSocket messages, each with the channel set in."""
    wire = frames.CHANNEL.pack(channel)
    content = frames.whole([frames.envelope(number, 5, envelope) for number, envelope in items], wire)
    for number, envelope in items:
        frame = struct.pack(">BHQQ", Kind.ENVELOPE, channel, number, 5) + envelope
        header = frames.message_header(len(frame))
        assert content.startswith(header + frame)
        content = content[len(header) + len(frame) :]
    assert content == b""


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, "8200"),
        (125, "827d"),
        (126, "827e007e"),
        (65535, "827effff"),
        (65536, "827f0000000000010000"),
    ],
)
def test_message_headers(length, header):
    """The three forms of a WebSocket header, at their borders (RFC 6455, section 5.2)."""
    assert frames.message_header(length).hex() == header


def test_a_long_sentence_is_cut_at_a_character():
    """An ERROR's sentence has a bound, and stays UTF-8."""
    frame = frames.error(Code.BAD_FRAME, "é" * 500)
    assert frame[9:].decode() == "é" * 100
