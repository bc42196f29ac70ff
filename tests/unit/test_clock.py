"""The hybrid clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masq.errors import QuotaExceeded
from masq_store.core.clock import MAX_COUNTER, MAX_MS, ZERO, HybridClock, Stamp

REPLICA = "0123456789abcdef"


@given(st.lists(st.one_of(st.integers(0, 9), st.tuples(st.integers(0, 12), st.integers(0, 5)))))
def test_stamps_only_grow(events):
    """Each stamp exceeds every stamp made or seen, and is not below the clock, even one that goes back."""
    clock = HybridClock(REPLICA)
    highest = ZERO
    for event in events:
        if isinstance(event, tuple):
            clock.see(*event)
            highest = max(highest, Stamp(*event, "f" * 16))
        else:
            stamp = clock.tick(event)
            assert stamp > highest
            assert stamp.ms >= event
            highest = stamp


def test_a_stamp_from_the_future_is_followed():
    """A device whose clock is ahead does not make the others' later writes lose."""
    clock = HybridClock(REPLICA)
    clock.see(10**15, 3)
    assert clock.tick(5) == Stamp(10**15, 4, REPLICA)


def test_the_end_of_stamps():
    """A full counter goes over into the next millisecond, and after the last stamp there is none."""
    clock = HybridClock("a" * 16)
    clock.see(1000, MAX_COUNTER)
    assert clock.tick(5) == (1001, 0, "a" * 16)
    clock.see(MAX_MS, MAX_COUNTER - 1)
    assert clock.tick(5) == (MAX_MS, MAX_COUNTER, "a" * 16)
    for _ in range(2):
        with pytest.raises(QuotaExceeded):
            clock.tick(5)
