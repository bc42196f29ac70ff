"""What is sealed and stored: layouts, padding, and damage."""

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import REPLICAS, changes, histories, live_through

from build.places import ROOT
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.padding import MINIMUM, pad, padded_size, unpad
from masq_store.core.errors import DamagedData, NewerData
from masq_store.core.space.codec import decode_changes, decode_checkpoint, encode_changes, encode_checkpoint
from masq_store.core.space.space import Space
from masq_store.core.storage.record import Record, decode_record, encode_record

RUN = bytes(range(16))
vectors = st.dictionaries(st.sampled_from(REPLICAS), st.integers(0, 2**53 - 1))


@given(st.lists(changes), vectors)
def test_changes_round_trip(made, vector):
    """Any changes and vector are the same after decoding, counters' parts included."""
    assert decode_changes(encode_changes(made, vector)) == (made, vector)


@given(histories)
def test_checkpoints_round_trip(history):
    """A space written in slices and read again is the same."""
    for space in live_through(history):
        rows = space.rows()
        slices = [encode_checkpoint(rows[at : at + 2], space.vector) for at in range(0, len(rows), 2)]
        slices.append(encode_checkpoint([], space.vector))
        read, vector = [], {}
        for content in slices:
            part, moved = decode_checkpoint(content)
            read += part
            vector.update(moved)
        assert (read, vector) == (rows, space.vector)
        assert Space.from_rows(space.replica, read, vector).items() == space.items()


@settings(max_examples=400)
@given(st.one_of(st.binary(), st.builds(bytes.__add__, st.just(b"\x01"), st.binary())))
def test_damage_has_a_name(content):
    """Whatever bytes are read, they decode or raise DamagedData or NewerData, and nothing else."""
    for function in (decode_changes, decode_checkpoint, unpad, decode_record):
        with contextlib.suppress(DamagedData, NewerData):
            function(content)


@settings(max_examples=400)
@given(st.lists(changes, min_size=1, max_size=3), st.data())
def test_altered_content_never_raises_anything_else(made, data):
    """Also bytes close to real ones: one place altered, a piece cut out, the end cut off."""
    space = Space(REPLICAS[0])
    space.merge(made)
    originals = (
        (decode_changes, encode_changes(made)),
        (decode_checkpoint, encode_checkpoint(space.rows(), space.vector)),
    )
    for function, content in originals:
        at = data.draw(st.integers(0, len(content) - 1))
        likely = st.sampled_from([b"-1", b"null", b"[", b'"a"', b"1e9"])
        new = data.draw(st.one_of(st.binary(max_size=2), likely))
        altered = content[:at] + new + content[at + data.draw(st.integers(0, 3)) :]
        try:
            decoded = function(altered)
        except (DamagedData, NewerData):
            continue
        if function is decode_changes:  # whatever still decodes can be merged and written again
            space.merge(*decoded)
            assert decode_changes(encode_changes(*decoded)) == decoded
        else:
            Space.from_rows(REPLICAS[0], *decoded)


@pytest.mark.parametrize("wrong", [b"-1", b"9007199254740992", b"1.0", b"true", b'"1"', b"null"])
def test_numbers_are_in_their_range(wrong):
    """Stamps, numbers and places are ints from 0 to 2**53 - 1 wherever they stand; nothing else is taken."""
    space = Space(REPLICAS[0])
    made = space.increment("n", 1, 5).changes + space.write([("k", "1")], 77).changes
    for function, content in (
        (decode_changes, encode_changes(made, {REPLICAS[0]: 77})),
        (decode_checkpoint, encode_checkpoint(space.rows(), {REPLICAS[0]: 77})),
    ):
        assert content.count(b"77") == 2
        function(content)
        for at in (content.index(b"77"), content.rindex(b"77")):
            with pytest.raises(DamagedData):
                function(content[:at] + wrong + content[at + 2 :])


@pytest.mark.parametrize("function", [decode_changes, decode_checkpoint, decode_record])
def test_newer_formats_are_named(function):
    """A later version is NewerData with both numbers, never damage."""
    with pytest.raises(NewerData) as caught:
        function(b"\x02 anything")
    assert (caught.value.found, caught.value.known) == (2, 1)


@given(st.binary(max_size=3000))
def test_padding_round_trips(content):
    """Content comes back, and the padded size has few possible values."""
    padded = pad(content)
    assert unpad(padded) == content
    assert len(padded) >= MINIMUM
    assert padded_size(len(padded)) == len(padded)


def test_padding_hides_and_costs_little():
    """At most 12 % are added above the minimum, and sizes up to a megabyte fall into few classes."""
    sizes = [padded_size(size) for size in range(1, 2**20, 37)]
    pairs = list(zip(range(1, 2**20, 37), sizes, strict=True))
    assert all(padded >= size for size, padded in pairs)
    assert max(padded / size for size, padded in pairs if size > MINIMUM) < 1.12
    assert len(set(sizes)) < 260
    assert [padded_size(size) for size in (1, 256, 257, 1000, 100_000)] == [256, 256, 272, 1024, 100_352]


@given(st.binary(max_size=600), st.integers(0, 700), st.integers(1, 255))
def test_altered_padding_is_found(content, at, difference):
    """Neither the zeros nor the size can be altered; lengthening by zeros is found too."""
    padded = bytearray(pad(content))
    with pytest.raises(DamagedData):
        unpad(bytes(padded) + b"\0")
    at %= len(padded)
    padded[at] ^= difference
    if 4 <= at < 4 + len(content):
        assert unpad(bytes(padded)) != content  # the content itself is the seal's business
    elif at >= 4 + len(content):
        with pytest.raises(DamagedData):
            unpad(bytes(padded))


runs = st.binary(min_size=16, max_size=16)


@given(st.integers(0, 255), runs, st.integers(0, 2**64 - 1), st.binary(min_size=16))
def test_records_round_trip(kind, run, number, sealed):
    """Header and sealed bytes come back, and the tag is the end."""
    record = Record(kind, run, number, sealed)
    assert decode_record(encode_record(record)) == record
    assert record.tag == sealed[-16:]


def test_infos_and_associated_data_are_unambiguous():
    """No two purposes or lists of fields give the same bytes, and every label names the version."""
    infos = [
        key_schedule.journal_info("ab", RUN),
        key_schedule.journal_info("a", b"b" + RUN),
        key_schedule.space_id_info("https://a", 1),
        key_schedule.space_secret_info("https://a", 1),
        key_schedule.space_id_info("https://a", 0),
        key_schedule.home_id_info(),
        key_schedule.home_secret_info("p"),
        key_schedule.approvals_info("p"),
        key_schedule.ticket_info("p"),
        key_schedule.wrapped_root_data(key_schedule.ROOT_BY_DEVICE, "p"),
        key_schedule.wrapped_root_data(key_schedule.ROOT_BY_PASSPHRASE, "p"),
        key_schedule.record_data("p", "ab", 1, RUN, 1, b""),
        key_schedule.record_data("pa", "b", 1, RUN, 1, b""),
        key_schedule.record_data("p", "ab", 1, RUN, 1, bytes(16)),
        key_schedule.record_data("p", "ab", 1, RUN, 2, b""),
        key_schedule.record_data("p", "ab", 2, RUN, 1, b""),
    ]
    assert len(set(infos)) == len(infos)
    assert [len(key_schedule.nonce(number)) for number in (0, 2**64)] == [12, 12]
    assert key_schedule.nonce(1) != key_schedule.nonce(256)


def test_each_label_has_one_purpose() -> None:
    """All labels that the store's sources hold stand in one file and are among `LABELS`, and no two are the same."""
    written = {
        path.name: found
        for path in (ROOT / "store").rglob("*.py")
        if (found := re.findall(r'"(masq/v\d+/[^"]*)"', path.read_text("utf-8")))
    }
    assert {name: sorted(found) for name, found in written.items()} == {
        "key_schedule.py": sorted(key_schedule.LABELS)
    }
    assert len(set(key_schedule.LABELS)) == len(key_schedule.LABELS) > 30
