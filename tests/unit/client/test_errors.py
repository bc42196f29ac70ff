"""Errors: sentences, fields, and their way over the wire."""

import re

import pytest
from error_examples import EXAMPLES
from hypothesis import given
from hypothesis import strategies as st

from masq import errors
from masq.messages import dumps, loads
from masq_store.core import errors as store_errors

json_like = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(), st.sampled_from(sorted(errors.KNOWN)), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.code)
def test_errors_travel(error):
    """Class, sentence and fields are the same on the other side, and the sentence is one."""
    back = errors.from_wire(loads(dumps(errors.to_wire(error))))
    assert (type(back), str(back), back.fields) == (type(error), str(error), error.fields)
    assert str(error)[0].isupper() and str(error).endswith(".")
    assert error.code == type(error).__name__


def test_every_known_error_is_tried_here():
    """No class is left out above."""
    assert {error.code for error in EXAMPLES} == set(errors.KNOWN)


def test_a_disk_that_fails_is_a_lost_store_to_everybody_else():
    """Apps, pages and older builds hear of it as before it had a class of its own: the same code, words and fields."""
    failed = store_errors.StorageFailed("the disk is gone")
    assert errors.to_wire(failed) == errors.to_wire(errors.Disconnected("the disk is gone"))
    assert not isinstance(failed, errors.Disconnected)


def tree(root: type, kinds: list[type]) -> list[str]:
    """Return the lines of a tree of classes, each parent's in the order of `kinds`."""
    lines = []
    below = [kind for kind in kinds if kind.__mro__[1] is root]
    for kind in below:
        branch, indent = ("└── ", "    ") if kind is below[-1] else ("├── ", "│   ")
        lines += [branch + kind.__name__, *(indent + line for line in tree(kind, kinds))]
    return lines


def test_the_stores_errors_are_the_tree_that_its_module_shows():
    """Its docstring names each class below the one that it is caught with."""
    kinds = [
        kind
        for kind in vars(store_errors).values()
        if isinstance(kind, type) and kind.__module__ == store_errors.__name__
    ]
    shown = ["MasqError", *tree(errors.MasqError, kinds)]
    assert store_errors.__doc__
    assert "".join(f"    {line}\n" for line in shown) in store_errors.__doc__


def test_an_unknown_code_keeps_its_sentence():
    """A newer store's error is a ProtocolError that says what the store said."""
    error = errors.from_wire(["Hungry", "Feed me.", {"food": "hay"}])
    assert (type(error), str(error)) == (errors.ProtocolError, "Feed me.")


@given(st.one_of(json_like, st.tuples(st.sampled_from(sorted(errors.KNOWN)), json_like, json_like).map(list)))
def test_malformed_errors_are_errors_too(wire):
    """Whatever arrives as an error becomes one."""
    error = errors.from_wire(wire)
    assert isinstance(error, errors.MasqError)
    assert str(error)


def test_fields_of_the_wrong_kind_are_left_out():
    """Fields from the wire set nothing but the class's own attributes, and only with their type."""
    error = errors.from_wire(
        ["QuotaExceeded", "Full.", {"limit": "x", "what": "keys", "__class__": 1, "args": 2}]
    )
    assert (error.limit, error.what, type(error)) == (0, "keys", errors.QuotaExceeded)


@pytest.mark.parametrize(
    "key", ["\ud800", "x" * 10_000, object(), pytest.param(2**100_000, id="large"), None]
)
def test_any_key_can_be_reported(key):
    """What was wrong is quoted so that it can be sent, in a bounded size."""
    wire = dumps(errors.to_wire(errors.InvalidKey("no", key)))
    assert len(wire.encode()) < 32_000
    assert "InvalidKey" in wire


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.code)
def test_sentences_speak_to_the_person(error: errors.MasqError) -> None:
    """An app may show any error as it is: none speaks about "the user", or names a call of a program."""
    assert not re.search(r"\b[Uu]sers?\b|\w\(\)|`", str(error)), str(error)


@pytest.mark.parametrize("kind", ["keys", "bytes", "deleted", "device", ""])
def test_no_room_says_which_limit_and_what_helps(kind: str) -> None:
    """A program reads `kind`; a person reads what helps there, and never to delete where that does not help."""
    error = errors.from_wire(errors.to_wire(errors.QuotaExceeded("it is full", 5, kind)))
    assert isinstance(error, errors.QuotaExceeded) and (error.kind, error.limit) == (kind, 5)
    assert ("Delete s" in str(error)) == (kind in ("keys", "bytes"))
    assert str(error).startswith("There is no room for this: it is full (at most 5). Nothing was changed.")
