"""A guard against clickjacking: whether a window has stood still for long enough that a press of a button is meant.

A page can open its store's window, bring it to the front or move it under the pointer between the two clicks of a
double click. So what decides something takes effect only once its window and its question have stood still.
"""

from collections.abc import Callable

SETTLE_SECONDS = 0.5
"""Longer than the time between the two clicks of a double click."""

LOOK_SECONDS = 0.25
"""The polling interval of where a window stands that has something to decide: no event tells that it moved."""

DECISIVE = frozenset(
    {
        "allow", "take", "remove-device", "remove-copy", "erase", "erase-removed", "erase-trash", "withdraw-confirm",
        "delete-profile",
    }
)  # fmt: skip
"""Buttons and forms, by action, that wait for it."""


class Settling:
    """A debounce of the window's moves: how long ago was the last. `clock`: seconds, of any beginning."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._place: tuple[int, ...] = ()

    def stir(self) -> None:
        """Note that the window moves now."""
        self._since = self._clock()

    def see(self, place: tuple[int, ...]) -> None:
        """It stands at `place` now, which says how large it is too; where it was seen elsewhere last, it has moved."""
        if place != self._place:
            self._place = place
            self.stir()

    @property
    def left(self) -> float:
        """For how many seconds it has yet to stand still; 0: it has."""
        return max(0.0, self._since + SETTLE_SECONDS - self._clock())
