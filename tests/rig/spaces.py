"""Strategies for spaces: small worlds, where replicas collide often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from masq.messages import encode
from masq_store.core.space.clock import ZERO, Stamp
from masq_store.core.space.register import Change, Register, Row
from masq_store.core.space.space import Space
from masq_store.core.storage import checkpoint

REPLICAS = ("a" * 16, "b" * 16, "c" * 16)
KEYS = ("x", "y", "z", "xx", "é", "\x00", "\U0010ffff", "x\U0010ffff")

texts = st.sampled_from([encode(value) for value in ("a", "b", 1, -7, 2**60, 1.5, None, True, [], {"k": 2})])
int_texts = st.sampled_from([encode(number) for number in (0, 5, -3, 2**53, -(2**70))])
stamps = st.builds(Stamp, st.integers(1, 3), st.integers(0, 1), st.sampled_from(REPLICAS))
parts = st.dictionaries(st.sampled_from(REPLICAS), st.tuples(st.integers(1, 3), st.integers(-2, 2))).map(
    lambda found: tuple((replica, number, total) for replica, (number, total) in sorted(found.items()))
)

registers = st.one_of(
    st.builds(Register, stamps, st.integers(1, 3), st.one_of(st.none(), texts), st.just(())),
    st.builds(Register, stamps, st.integers(1, 3), st.one_of(st.none(), int_texts), parts),
    st.builds(Register, st.just(ZERO), st.just(0), st.none(), parts.filter(bool)),
)

steps = st.one_of(
    st.tuples(
        st.just("write"), st.lists(st.tuples(st.sampled_from(KEYS), st.one_of(st.none(), texts)), max_size=3)
    ),
    st.tuples(st.just("increment"), st.sampled_from(KEYS), st.integers(-5, 5)),
    st.tuples(st.just("clear"), st.sampled_from(("", "x", "\U0010ffff"))),
    st.tuples(st.just("replace"), st.lists(st.tuples(st.sampled_from(KEYS), texts), max_size=3)),
)
"""What an app may do to a space; times are drawn apart."""

histories = st.lists(
    st.tuples(st.sampled_from((0, 1, 2)), steps, st.integers(1, 4), st.integers(0, 3)), max_size=14
)
"""Steps of three replicas: (which one, what, at what time, whose changes it reads first; 3: nobody's)."""


def from_checkpoint(contents: Sequence[bytes], replica: str) -> Space:
    """Return the space that a checkpoint keeps, as `replica` goes on with it."""
    slices = checkpoint.decode_in_parts(contents, replica)
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return end.value[0]


def take(space: Space, step: tuple[Any, ...], now_ms: int) -> Any:
    """Carry out one step; an increment of something else than an int does nothing."""
    kind, *rest = step
    if kind == "increment":
        key, by = rest
        text = space.text(key)
        if text is not None and not text.startswith(("-", '{"$int"')) and not text.isdigit():
            return None
        return space.increment(key, by, now_ms)
    return getattr(space, kind)(*rest, now_ms)


def live_through(history: Sequence[tuple[int, tuple[Any, ...], int, int]]) -> list[Space]:
    """Return three replicas of one space after a history, each with what it happened to read."""
    spaces = [Space(replica) for replica in REPLICAS]
    for who, step, now_ms, source in history:
        if source < 3 and source != who:
            exchange(spaces[source], spaces[who])
        take(spaces[who], step, now_ms)
    return spaces


def exchange(source: Space, target: Space) -> None:
    """Give the target all that it lacks of the source, as one device answers another."""
    target.merge(source.changes_since(target.vector), source.vector)


def state(space: Space) -> tuple[list[Row], list[tuple[str, str]], int]:
    """Return everything by which two replicas of one space may differ, but for the vector."""
    return sorted(space.rows()), space.items(), space.bytes


changes = st.builds(Change, st.sampled_from(REPLICAS), st.integers(1, 9), st.sampled_from(KEYS), registers)
