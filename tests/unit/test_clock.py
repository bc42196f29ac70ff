"""The hybrid clock."""

from hypothesis import given
from hypothesis import strategies as st

from masq_store.core.clock import ZERO, HybridClock, Stamp

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
