"""A subspace: the keys of a space below a prefix, as a space of their own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masq.errors import InvalidKey
from masq_store.core.space.space import Space
from masq_store.core.space.subspace import MAX_NAME_BYTES, MAX_PREFIX_BYTES, Subspace

ABOVE = {"contact": "1", "contact/": "2", "contacts": "3", "a": "4", "z": "5"}
"""Keys beside those below "contact/", and the key that is this prefix."""

names = st.sampled_from(["a", "ab", "b", "contact/", "é", "\U0010ffff"])
texts = st.integers(0, 9).map(str)
pairs = st.lists(st.tuples(names, texts), max_size=4)
calls = st.one_of(
    st.tuples(st.just("write"), st.lists(st.tuples(names, st.none() | texts), max_size=4)),
    st.tuples(st.just("replace"), pairs),
    st.tuples(st.just("clear"), st.sampled_from(["", "a", "x"])),
    st.tuples(st.just("increment"), names, st.integers(-9, 9)),
)


def spaced() -> tuple[Space, Subspace]:
    """Return a space with keys of its own, and what of it stands below "contact/"."""
    space = Space("0" * 16)
    space.write(ABOVE.items(), 1)
    return space, Subspace(space, "contact/")


@given(st.lists(calls, max_size=8))
def test_it_is_a_space_of_its_own(made: list[Any]) -> None:
    """Whatever is called, what it holds is what a space would hold, and nothing beside it changes."""
    alone = Space("1" * 16)
    space, part = spaced()
    for number, (name, *arguments) in enumerate(made, 1):
        for each in (alone, part):
            getattr(each, name)(*arguments, number)
    assert part.items() == alone.items() and part.keys("a") == alone.keys("a")
    for name in ("a", "b", "é", "never"):
        assert (part.text(name), part.has(name)) == (alone.text(name), alone.has(name))
    below = {"contact/" + name: text for name, text in alone.items()}
    assert dict(space.items()) == ABOVE | below


def test_what_it_changed_can_be_taken_back() -> None:
    """What a call returns is the space's own, with whole keys: the journal and `revert` know nothing of prefixes."""
    space, part = spaced()
    applied = part.replace([("bob", "1")], 2)
    assert [change.key for change in applied.changes] == list(applied.touched) == ["contact/bob"]
    space.revert(applied)
    assert dict(space.items()) == ABOVE


def test_only_its_own_keys_are_named() -> None:
    """Of keys from the whole space those below the prefix are left, without it."""
    _, part = spaced()
    assert part.relative(["contact/", "contact", "contact/a", "a", "contacts", "contact/é"]) == ["a", "é"]


@pytest.mark.parametrize("prefix", ["c", "é" * (MAX_PREFIX_BYTES // 2)])
def test_how_long_a_key_may_be_tells_nothing_of_the_prefix(prefix: str) -> None:
    """A longer one is refused by its own length, whatever stands in front of it, and its name alone is shown."""
    part = Subspace(Space("0" * 16), prefix)
    part.write([("k" * MAX_NAME_BYTES, "1")], 1)
    long = "k" * (MAX_NAME_BYTES + 1)
    for write in (
        lambda: part.write([("a", "1"), (long, "1")], 2),
        lambda: part.replace([(long, "1")], 2),
        lambda: part.increment(long, 1, 2),
    ):
        with pytest.raises(InvalidKey) as error:
            write()
        assert (error.value.fields["key"], str(MAX_NAME_BYTES) in str(error.value)) == (long, True)
    assert part.keys() == ["k" * MAX_NAME_BYTES]
    part.write([(long, None)], 2)  # what is not there can be deleted, as in a space
    assert part.text(long) is None


def test_a_prefix_has_a_bound() -> None:
    """One that would leave too little room for keys makes none."""
    with pytest.raises(ValueError, match=str(MAX_PREFIX_BYTES)):
        Subspace(Space("0" * 16), "é" * (MAX_PREFIX_BYTES // 2) + "c")
