"""Every text there is, as key and as value: what one device writes, each way to another gives back byte for byte."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spaces import REPLICAS, from_checkpoint

from masq.messages import MAX_KEY_BYTES, MAX_VALUE_BYTES, check_key, decode, encode
from masq_store.core.crypto.padding import pad, unpad
from masq_store.core.space.codec import decode_changes, encode_changes
from masq_store.core.space.space import Space
from masq_store.core.storage import checkpoint
from masq_store.core.storage.checkpoint import Covered
from masq_store.core.sync import messages as sync_wire

A, B, C = REPLICAS

PLANES = [
    st.characters(min_codepoint=plane << 16, max_codepoint=(plane << 16) + 0xFFFF, exclude_categories=["Cs"])
    for plane in range(17)
]
"""The characters of each plane, those without a meaning included; halves of surrogate pairs are no characters."""

ODD = [
    "\x00", "\x01", "\x1f", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff",  # control, no characters
    '"', "\\", "/", "\\u0000", "{}[]:,", "$int", "$bytes",  # what JSON and our tags are made of
    "\u0301", "e\u0301", "é", "\u1100\u1161", "가", "\u0e33", "Å", "\u212b",  # combining, and what looks the same
    "\u202e", "\u200f", "\u2067", "א", "ع", "\u200d", "\ufe0f", "👩‍👩‍👧", "🏳️‍🌈",  # right to left, joined
    "\ud7ff", "\ue000", "\U00010000", "\U0010ffff", "\U000e0061", " ", "\t\r\n", "__proto__",
]  # fmt: skip

pieces = st.one_of(*PLANES, st.sampled_from(ODD))
texts = st.lists(pieces, max_size=40).map("".join)
keys = texts.map(lambda text: text.encode()[:MAX_KEY_BYTES].decode(errors="ignore")).filter(bool)
numbers = st.one_of(
    st.integers(), st.integers(-(2**4000), 2**4000), st.sampled_from([2**53, -(2**53), 2**64])
)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        numbers,
        texts,
        st.binary(),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


def by_journal(space):
    """Return what is left of a space after it was written to the journal and read from it."""
    other = Space(B)
    other.merge(*decode_changes(unpad(pad(encode_changes(space.changes_since({}), space.vector)))))
    return other


def by_checkpoint(space):
    """Return what a checkpoint keeps of a space."""
    slices = checkpoint.encode(checkpoint.freeze(space), Covered(0, b""), 3)
    return from_checkpoint([unpad(pad(content)) for content in slices], B)


def by_message(space):
    """Return what another device makes of the changes that it was sent."""
    message = sync_wire.Changes(space.changes_since({}), [], 0)
    other = Space(B)
    other.merge(sync_wire.parse(unpad(pad(sync_wire.encode(message)))).changes)
    return other


def by_snapshot(space):
    """Return what another device makes of a snapshot."""
    message = sync_wire.State(space.rows(), 1, bytes(16), space.vector)
    state = sync_wire.parse(unpad(pad(sync_wire.encode(message))))
    return Space.from_rows(B, state.rows, state.vector)


WAYS = (by_journal, by_checkpoint, by_message, by_snapshot)


def arrives(entries):
    """Write entries on one device; check that each way gives another one the same bytes, in the same order."""
    space = Space(A)
    for key in entries:
        check_key(key)
    space.write([(key, encode(value)) for key, value in entries.items()], 1)
    expected = [(key.encode(), encode(entries[key]).encode()) for key in sorted(entries)]
    for way in WAYS:
        other = way(space)
        assert [(key.encode(), text.encode()) for key, text in other.items()] == expected
        assert [key for key, _ in expected] == sorted(key for key, _ in expected)
        assert sorted(other.rows()) == sorted(space.rows()) and other.bytes == space.bytes
        for key, value in entries.items():
            assert decode(other.text(key)) == value


@settings(max_examples=120, deadline=None)
@given(st.dictionaries(keys, values, max_size=5))
@example({piece: piece * 3 for piece in ODD})
def test_any_key_and_value_arrive(entries):
    """Keys and values of all planes, combining, right to left or NUL, big ints and bytes, arrive as they were."""
    arrives(entries)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(keys, values, min_size=1, max_size=4),
    st.dictionaries(keys, values, max_size=4),
    st.data(),
)
def test_any_key_and_value_merge(ours, theirs, data):
    """Two devices that wrote and deleted such keys apart end with the same bytes, the later writer's."""
    gone = data.draw(st.lists(st.sampled_from(sorted(ours)), max_size=2))
    one, two = Space(A), Space(B)
    one.write([(key, encode(value)) for key, value in ours.items()], 1)
    two.write([(key, encode(value)) for key, value in theirs.items()], 2)
    two.merge(by_message(one).changes_since({}))
    two.write([(key, None) for key in gone], 3)
    one.merge(by_message(two).changes_since({}))
    assert sorted(one.rows()) == sorted(two.rows())
    expected = {key: encode(value) for key, value in (ours | theirs).items() if key not in gone}
    assert dict(one.items()) == dict(two.items()) == expected


@settings(max_examples=60, deadline=None)
@given(keys, st.lists(numbers, min_size=1, max_size=6))
def test_big_numbers_add_up(key, amounts):
    """Increments of any size, made on three devices, add up to their sum on each, by every way."""
    spaces = [Space(replica) for replica in REPLICAS]
    for at, amount in enumerate(amounts):
        spaces[at % 3].increment(key, amount, 1)
    for source in list(spaces):
        for target in spaces:
            target.merge(by_message(source).changes_since({}))
    for space in spaces:
        for way in WAYS:
            assert decode(way(space).text(key)) == sum(amounts)


def test_every_character_arrives():
    """Each of the 1,112,064 characters of Unicode arrives in a value, and in a key."""
    everything = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    assert len(everything) == 1_112_064
    in_values = 40_000  # characters, at most 4 bytes or 6 as an escape
    arrives(
        {str(at): "".join(everything[at : at + in_values]) for at in range(0, len(everything), in_values)}
    )
    in_keys = MAX_KEY_BYTES // 4
    arrives({"".join(everything[at : at + in_keys]): at for at in range(0, len(everything), in_keys)})


def test_what_looks_the_same_stays_apart():
    """Texts that are equal only when normalised, or with their case or marks ignored, are keys of their own."""
    alike = [
        "é",
        "e\u0301",
        "É",
        "E\u0301",
        "e",
        "Å",
        "\u212b",
        "A\u030a",
        "ﬁ",
        "fi",
        "Ⅳ",
        "IV",
        "é\u200d",
        "é\x00",
        "é ",
    ]
    assert len({unicodedata.normalize("NFKC", text) for text in alike}) < len(alike)
    arrives({text: text for text in alike})


@pytest.mark.parametrize(
    "piece",
    ["x", "é", "ع", "字", "😀", "\U0010ffff", "e\u0301", "\x00", "\\", '"', "\u2028", "\u202e"],
    ids=ascii,
)
def test_the_largest_values_arrive(piece):
    """Values of exactly 256 KiB arrive whole, of whatever they are made."""
    size = len(encode(piece).encode()) - 2
    room = MAX_VALUE_BYTES - 2
    full = piece * (room // size) + "x" * (room % size)
    assert len(encode(full).encode()) == MAX_VALUE_BYTES
    arrives({"k": full, "\x00" + piece: full[::-1]})


def test_the_largest_numbers_bytes_and_depths_arrive():
    """Bytes and ints that take 256 KiB as text arrive whole, and so does what is nested 64 deep."""
    content = bytes(range(256)) * 767
    number = 16 ** (MAX_VALUE_BYTES - len('{"$int":"-"}')) - 1
    deep = "\x00"
    for level in range(64):
        deep = [deep] if level % 2 else {"\u202e\x00": deep}
    assert MAX_VALUE_BYTES - 1024 < len(encode(content)) <= MAX_VALUE_BYTES
    assert len(encode(-number)) == MAX_VALUE_BYTES
    arrives({"bytes": content, "int": number, "minus": -number, "deep": deep})


def test_the_longest_keys_arrive():
    """Keys of exactly 512 bytes arrive, of whatever they are made."""
    sizes = {piece: len(piece.encode()) for piece in ODD}
    longest = [
        piece * (MAX_KEY_BYTES // size) + "x" * (MAX_KEY_BYTES % size) for piece, size in sizes.items()
    ]
    assert {len(key.encode()) for key in longest} == {MAX_KEY_BYTES}
    arrives({key: key for key in longest})
