"""Values and messages: round trips, canonical texts, and what is refused."""

import enum
import json
import math
import time
from collections import OrderedDict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import seconds

from masq.errors import InvalidKey, InvalidValue, ProtocolError
from masq.messages import (
    MAX_DEPTH,
    MAX_MESSAGE_DEPTH,
    MAX_VALUE_BYTES,
    check_key,
    check_prefix,
    check_size,
    decode,
    dumps,
    encode,
    encode_packed,
    loads,
    pack,
    unpack,
)

VALUES = json.loads((Path(__file__).parents[2] / "vectors" / "values.json").read_text("utf-8"))
LONG = pytest.param("9" * 5000, id="5000 digits")

text = st.text(st.characters(exclude_categories=["Cs"]))
tagged = st.sampled_from(["$", "$$", "$bytes", "$int", "$$bytes", "__proto__", ""])
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(2**52, 2**70), text, st.binary(),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(tagged, text), inner, max_size=3)
    ),
    max_leaves=12,
)
anything = st.recursive(
    st.one_of(scalars, st.floats(), st.text(), st.builds(object), st.tuples()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(tagged, st.text(), st.integers()), inner, max_size=2),
    ),
    max_leaves=10,
)


def same(one, other):
    """Equal in value and type, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return repr(one) == repr(other)


def nested(depth):
    """A value of exactly this depth."""
    value = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@settings(max_examples=500)
@given(values)
def test_every_value_comes_back(value):
    """Packed, sent as JSON and unpacked, a value is the same in value and type; so with canonical text."""
    assert same(unpack(loads(dumps(pack(value)))), value)
    assert same(decode(encode(value)), value)


@given(values)
def test_the_store_and_the_app_write_the_same_text(value):
    """The canonical text does not depend on who made it, nor on the order of keys."""
    packed = loads(dumps(pack(value)))
    assert encode_packed(packed) == encode(value)
    if isinstance(value, dict):
        assert encode(dict(reversed(value.items()))) == encode(value)


@settings(max_examples=500)
@given(anything)
def test_hostile_input_gives_the_named_error_only(packed):
    """Whatever arrives, it is taken or InvalidValue is raised; what is taken is canonical."""
    for function in (pack, unpack, encode, encode_packed):
        try:
            function(packed)
        except InvalidValue as error:
            assert error.reason
    try:
        stored = encode_packed(packed)
    except InvalidValue:
        return
    assert encode(decode(stored)) == stored


@settings(max_examples=300)
@given(st.one_of(st.text(), st.text('[]{}",:\\1tna '), st.binary(), st.none()))
def test_hostile_text_gives_the_named_error_only(sent):
    """`loads` raises ProtocolError for whatever is not JSON."""
    try:
        loads(sent)
    except ProtocolError:
        return
    json.loads(sent)


@pytest.mark.parametrize("case", VALUES["canonical"], ids=lambda case: case["text"][:30])
def test_known_texts(case):
    """The known packed values have the known canonical texts, and come back."""
    assert encode_packed(case["packed"]) == case["text"]
    assert encode(unpack(case["packed"])) == case["text"]


@pytest.mark.parametrize("packed", VALUES["refused"], ids=lambda packed: json.dumps(packed)[:30])
def test_known_refusals(packed):
    """Malformed and non-canonical tags are refused: each value has one packed form."""
    with pytest.raises(InvalidValue):
        unpack(packed)
    with pytest.raises(InvalidValue):
        encode_packed(packed)


def test_depth_is_exact():
    """64 levels pass and 65 do not, packed or not; a list inside itself is found out."""
    for value in (nested(MAX_DEPTH), [nested(MAX_DEPTH - 1)] * 3):
        assert decode(encode(value)) == value
    inside = []
    inside += [inside, inside]
    for value in (nested(MAX_DEPTH + 1), inside, nested(500)):
        for function in (pack, unpack, encode, encode_packed):
            with pytest.raises(InvalidValue, match="64 deep"):
                function(value)


def test_values_that_share_are_bounded():
    """A small value that unfolds to billions is refused soon."""
    value = []
    for _ in range(60):
        value = [value, value]
    started = time.monotonic()
    with pytest.raises(InvalidValue):
        pack(value)
    assert time.monotonic() - started < seconds(5)


def test_size_is_exact():
    """A value of 262,144 bytes passes and one byte more does not, in ASCII, in UTF-8 and under escapes."""
    for character, size in (("x", 1), ("é", 2), ("😀", 4), ("\x00", 6), ('"', 2)):
        room = MAX_VALUE_BYTES - 2
        full = character * (room // size) + "x" * (room % size)
        assert len(encode(full).encode()) == len(encode_packed(full).encode()) == MAX_VALUE_BYTES
        check_size(encode(full))
        for function in (encode, encode_packed):
            with pytest.raises(InvalidValue, match="262145 bytes"):
                function(full + "x")
    with pytest.raises(InvalidValue):
        encode({"a": "x" * (MAX_VALUE_BYTES - 7)})
    assert encode({"a": "x" * (MAX_VALUE_BYTES - 8)})


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (math.nan, ""),
        ({"a": [1, {"b": math.inf}]}, '["a"][1]["b"]'),
        ([0, {"k": "\ud800"}], '[1]["k"]'),
        ({"\udfff": 1}, "[?]"),
        ({"a": {1: 2}}, '["a"][1]'),
        ([[], [set()]], "[1][0]"),
        (object(), ""),
        (3j, ""),
    ],
)
def test_the_path_leads_to_what_is_wrong(value, path):
    """InvalidValue names the place."""
    with pytest.raises(InvalidValue) as caught:
        pack(value)
    assert caught.value.path == path


def test_derived_classes_count_as_their_base():
    """Enums, named tuples and ordered dicts are stored as what they are made of; a tuple is a list."""

    class Colour(str, enum.Enum):  # noqa: UP042 (its str() is not its text, which is the point)
        RED = "red"

    class Level(enum.IntEnum):
        HIGH = 3

    packed = pack([Colour.RED, Level.HIGH, (1, (2,)), OrderedDict(z=1, a={Colour.RED: 2}), bytearray(b"a")])
    assert packed == ["red", 3, [1, [2]], {"z": 1, "a": {"red": 2}}, {"$bytes": "YQ=="}]
    assert [type(item) for item in packed[:2]] == [str, int]
    assert encode(Colour.RED) == '"red"'


def test_packing_copies():
    """Changing a value after it was packed does not change what is sent."""
    value = {"a": [1]}
    packed = pack(value)
    value["a"].append(2)
    assert packed == {"a": [1]}


@pytest.mark.parametrize("key", ["x" * 512, "é" * 256, "\x00", "__proto__", "constructor", " ", "😀" * 128])
def test_ordinary_keys(key):
    """Any non-empty text up to 512 bytes is a key."""
    check_key(key)
    check_prefix(key)


@pytest.mark.parametrize("key", ["", "x" * 513, "é" * 257, "😀" * 129, "\ud800", "a\udfff", None, 1, b"a"])
def test_refused_keys(key):
    """Everything else raises InvalidKey, with a sentence that can be sent."""
    with pytest.raises(InvalidKey) as caught:
        check_key(key)
    assert str(caught.value).encode()
    if key != "":
        with pytest.raises(InvalidKey):
            check_prefix(key)
    else:
        check_prefix(key)


@pytest.mark.parametrize("sent", ["", "NaN", "[NaN]", "-Infinity", "[1,]", "{'a':1}", "1 2", '"\n"', LONG])
def test_json_is_strict(sent):
    """What JSON does not allow is refused, Python's own additions included."""
    with pytest.raises(ProtocolError):
        loads(sent)


def test_message_depth_is_known_before_parsing():
    """Text up to 100 levels is parsed; deeper text is refused, however it is disguised."""
    for opened, closed in (("[", "]"), ('{"a":', "}"), ('{"\\\\[":[', "]}")):
        levels = (opened.count("[") + opened.count("{")) - opened.count("[:") - opened.count('[":')
        deepest = MAX_MESSAGE_DEPTH // levels
        assert loads(opened * deepest + "1" + closed * deepest)
        for end in (closed, "", "]", '"'):
            with pytest.raises(ProtocolError):
                loads(opened * (deepest + 1) + "1" + end * (deepest + 1))
            with pytest.raises(ProtocolError):
                loads(opened * 100_000 + end * 100_000)
    for disguise in ('["]]]]",', '["\\"]]]",', '[{"]":"]"},'):
        with pytest.raises(ProtocolError, match="too deeply"):
            loads(disguise * 300 + "1" + "]" * 300)


def test_wide_messages_pass():
    """Thousands of calls, and brackets inside strings, are no depth."""
    one = [7, "set", "[[[[{{{{", ["]", '"[', "\\[[", {"a": []}]]
    calls = {"masq": 1, "calls": [one] * 3000}
    assert loads(dumps(calls)) == calls
