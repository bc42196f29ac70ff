"""How long a device waits before it tries a relay again."""

from hypothesis import given
from hypothesis import strategies as st

from masq_store.core.relay.backoff import LEAST_SECONDS, MOST_SECONDS, wait_seconds

FAILURES = st.integers(1, 10**9)
DRAW = st.floats(0, 1)


@given(FAILURES, DRAW)
def test_waits_are_bounded(failures, draw):
    """No wait is shorter than the least or longer than the most, after however many failures."""
    assert LEAST_SECONDS <= wait_seconds(failures, draw) <= MOST_SECONDS


@given(FAILURES, DRAW)
def test_waits_grow(failures, draw):
    """With the same luck a further failure never makes the wait shorter."""
    assert wait_seconds(failures + 1, draw) >= wait_seconds(failures, draw)


@given(FAILURES)
def test_half_is_left_to_chance(failures):
    """Luck decides over half of the wait, so that devices that lost a relay together come back apart."""
    assert wait_seconds(failures, 1) == 2 * wait_seconds(failures, 0)


def test_the_first_and_the_last():
    """The first wait is next to nothing; after a minute of failures it has its full length."""
    assert (wait_seconds(1, 0), wait_seconds(1, 1)) == (0.2, 0.4)
    assert sum(wait_seconds(n, 0) for n in range(1, 8)) < 60
    assert wait_seconds(9, 1) == 30
