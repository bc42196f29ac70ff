"""A long message is read a few calls at a time, and means what it would mean read whole."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from masq.errors import ProtocolError
from masq_store.engine.sessions import reading
from masq_store.engine.sessions.reading import Held, Reading

TEXTS = some.text(some.sampled_from('ab"\\[]{},: é€𝄞\n'), max_size=60)
VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: some.lists(inner, max_size=5) | some.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=12,
)
LISTS = some.lists(some.tuples(TEXTS, VALUES).map(list) | TEXTS, max_size=30)
CALLS = some.lists(
    some.tuples(some.integers(1, 2**53), some.sampled_from(["get", "set"]), TEXTS, VALUES).map(list)
    | some.tuples(some.integers(1, 2**53), some.sampled_from(["update", "delete"]), LISTS).map(list),
    max_size=8,
)


class Utf16:
    """A text as JavaScript keeps it: a character beyond U+FFFF is two places, and may be cut."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode("utf-16-le", "surrogatepass")

    def __len__(self) -> int:
        return len(self._bytes) // 2

    def piece(self, start: int, end: int) -> str:
        """Return what stands between two places."""
        return self._bytes[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")

    def units(self, text: str) -> int:
        """Return how many places a piece takes."""
        return len(text.encode("utf-16-le", "surrogatepass")) // 2


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are long at 40 characters here, and a value has at most 4,096."""
    monkeypatch.setattr(reading, "WINDOW_CHARACTERS", 40)
    monkeypatch.setattr(reading, "MAX_VALUE_CHARACTERS", 4096)


def whole(text: str) -> list[Any]:
    """Return the calls of a message, as reading it step by step finds them."""
    return [call for call in Reading(Held(text)).calls() if call is not None]


@settings(max_examples=60, deadline=None)
@given(CALLS, some.sampled_from([None, 1]), some.booleans(), some.sampled_from([Held, Utf16]))
def test_step_by_step_the_calls_are_the_same(calls: Any, indent: Any, ascii: bool, kind: Any) -> None:
    """However a message is written, and wherever its windows end, its calls come out as from a parser."""
    text = json.dumps({"masq": 1, "calls": calls}, indent=indent, ensure_ascii=ascii)
    message = Reading(kind(text))
    assert [call for call in message.calls() if call is not None] == calls
    assert message.over


@settings(max_examples=60, deadline=None)
@given(CALLS, some.integers(0, 100), some.sampled_from([Held, Utf16]))
def test_what_is_left_is_a_message(calls: Any, stop: int, kind: Any) -> None:
    """Wherever reading stops, the calls that have come and those of the rest are all of them, each once."""
    message = Reading(kind(json.dumps({"masq": 1, "calls": calls}, ensure_ascii=False)))
    come = [call for call in islice(message.calls(), stop) if call is not None]
    assert come + ([] if message.over else whole(message.rest())) == calls


@pytest.mark.parametrize(
    "wrong",
    [
        '{"calls":[[1,"get","k"]]}',
        '{"masq":2,"calls":[[1,"get","k"]]}',
        '{"masq":1,"calls":[[1,"get","k"]',
        '{"masq":1,"calls":[[1,"get","k"] [2,"get","k"]]}',
        '{"masq":1,"calls":[[1,"get","' + "k" * 5000 + '"]]}',
        '{"masq":1,"calls":[[1,"get","' + "k" * 500,
        '{"masq":1,"calls":[[1,"update",[["a",' + "1," * 5000 + "]]]]}",
        '{"masq":1,"calls":[[1,"update",[' + '["a",1],' * 50 + '["a",NaN]]]]}',
        '{"masq":1,"calls":[["1","get","k"]]}',
        '{"masq":1,"calls":[7]}',
        '{"masq":1,"calls":[' + "[" * 5000,
        '{"masq":1,"calls":[[1,"update",[' + '["a",1],' * 50 + "[" * 5000,
        '{"masq":1,"calls":[' + "[]," * 5000 + "[]]}",
        " " * 5000,
        '{\u00a0"masq":1,"calls":[[1,"get","' + "k" * 50 + '"]]}',
        '{"masq":\u0661,"calls":[[1,"get","' + "k" * 50 + '"]]}',
        '{"masq":' + "1" * 5000 + ',"calls":[]}',
        '{"masq":1,"calls":[[007,"update",[' + '["a",1],' * 50 + '["a",1]]]]}',
    ],
)
def test_what_cannot_be_read_is_a_protocol_error(wrong: str) -> None:
    """Whatever is the matter with a message, and wherever, it has an end, and a name."""
    with pytest.raises(ProtocolError):
        whole(wrong)


def test_a_value_may_be_as_deep_as_in_a_short_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a window ends: what it leaves open does not count on top of what is deep elsewhere in it."""
    monkeypatch.setattr(reading, "WINDOW_CHARACTERS", 8192)
    deep = json.loads("[" * 64 + "]" * 64)
    calls = [[number, "set", "k", deep] for number in range(1, 200)]
    assert whole(json.dumps({"masq": 1, "calls": calls}, separators=(",", ":"))) == calls


def test_arguments_behind_a_long_list_are_the_calls_own_affair() -> None:
    """A long call with an argument too many comes with it, and what follows in the message comes, too."""
    calls = [[1, "update", [["a", 1]] * 50, 5, {"b": []}], [2, "get", "k"]]
    assert whole(json.dumps({"masq": 1, "calls": calls})) == calls


def test_a_long_call_is_read_in_small_parts() -> None:
    """No step parses more than a window of a list, or its longest entry."""
    seen = []

    class Watched(Held):
        def piece(self, start: int, end: int) -> str:
            seen.append(end - start)
            return super().piece(start, end)

    entries = [[f"k{n}", "x" * (1000 if n == 500 else 10)] for n in range(1000)]
    text = json.dumps({"masq": 1, "calls": [[1, "update", entries], [2, "ping"]]})
    steps = list(Reading(Watched(text)).calls())
    assert [step for step in steps if step is not None] == [[1, "update", entries], [2, "ping"]]
    assert max(seen) <= 2048
    assert len(steps) > len(text) / 100
