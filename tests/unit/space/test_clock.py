"""Stamps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masq.errors import QuotaExceeded
from masq_store.core.space.clock import MAX_COUNTER, MAX_MS, ZERO, Stamp, stamp_after
from masq_store.core.space.space import Space

REPLICA, OTHER = "0123456789abcdef", "f" * 16


@given(st.lists(st.one_of(st.integers(0, 9), st.tuples(st.integers(0, 12), st.integers(0, 5)))))
def test_stamps_of_a_key_only_grow(events):
    """Each stamp exceeds every stamp that the key had, and is not below the clock, even one that goes back."""
    highest = ZERO
    for event in events:
        if isinstance(event, tuple):
            highest = max(highest, Stamp(*event, OTHER))
        else:
            stamp = stamp_after(*highest[:2], event, REPLICA)
            assert stamp > highest
            assert stamp.ms >= event
            highest = stamp


def test_a_stamp_from_the_future_is_followed():
    """A device whose clock is ahead does not make the others' later writes of that key lose."""
    assert stamp_after(10**15, 3, 5, REPLICA) == Stamp(10**15, 4, REPLICA)


def test_the_end_of_stamps():
    """A full counter goes over into the next millisecond, and after the last stamp there is none."""
    assert stamp_after(1000, MAX_COUNTER, 5, REPLICA) == (1001, 0, REPLICA)
    assert stamp_after(MAX_MS, MAX_COUNTER - 1, 5, REPLICA) == (MAX_MS, MAX_COUNTER, REPLICA)
    with pytest.raises(QuotaExceeded):
        stamp_after(MAX_MS, MAX_COUNTER, 5, REPLICA)


FUTURE = 4_097_128_000_000
"""In the year 2099."""


@pytest.mark.parametrize("read_again", [False, True], ids=["at work", "opened anew"])
def test_a_clock_that_was_once_wrong_spoils_one_key_alone(read_again):
    """After a write of 2099 the later of two writes to any other key wins, whichever device has written more often."""
    busy, other = Space(REPLICA), Space(OTHER)
    wrong = busy.write([("first", '"written in 2099"')], FUTURE)
    other.merge(wrong.changes)
    if read_again:
        busy, other = (Space.from_rows(each.replica, each.rows(), each.vector) for each in (busy, other))
    for noon in range(100, 110):
        early = busy.write([("note", '"at noon"')], noon)
    late = other.write([("note", '"at six"')], 1_000)
    other.merge(early.changes)
    busy.merge(late.changes)
    assert busy.text("note") == other.text("note") == '"at six"'
    assert other.write([("first", '"again"')], 1_000).changes[0].register.stamp == (FUTURE, 1, OTHER)


def test_one_key_at_the_end_of_time_holds_up_no_other():
    """A write that cannot be stamped changes nothing of what would be written with it; other keys are written."""
    space = Space(REPLICA)
    space.write([("k", "1")], MAX_MS)
    row = space.rows()[0]
    space = Space.from_rows(REPLICA, [(*row[:2], MAX_COUNTER, *row[3:])], space.vector)
    with pytest.raises(QuotaExceeded):
        space.write([("a", "1"), ("k", "2")], 5)
    assert space.items() == [("k", "1")] and space.vector == {REPLICA: 1}
    assert space.write([("a", "1")], 5).changes[0].register.stamp == (5, 0, REPLICA)
