"""What decisions/0012 says of clocks that were set ahead holds in its model."""

import pytest
from stamps_model import many


@pytest.mark.parametrize("days_ahead", [2, 60])
def test_a_clock_ahead_parts_nobody_where_its_stamps_are_merged(days_ahead: int) -> None:
    """Merged, all that are online show the same, and rarely an older edit; held back, they are apart for weeks."""
    merged, held = many(15, days_ahead, hold=False), many(15, days_ahead, hold=True)
    assert merged.apart == 0 < held.apart
    assert merged.old * 3 < held.old


def test_a_clock_that_is_right_loses_nothing_either_way() -> None:
    """The rules differ only where a clock does."""
    assert many(10, 0, hold=False) == many(10, 0, hold=True)
    assert many(10, 0, hold=False).old == 0
