"""Token buckets: how fast somebody may go on. Pure; the time comes in."""

from __future__ import annotations


class Bucket:
    """Lets `rate` a second through, and `burst` at once.

    It may go into debt: what has arrived has arrived. The debt says how long to wait, and when it is too much.
    """

    __slots__ = ("_at", "_left", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._left = burst
        self._at = now

    def take(self, amount: float, now: float) -> float:
        """Take `amount` at time `now` (seconds, any origin); return how many seconds to wait: 0 within the rate."""
        # Two of these are asked for each frame: no calls.
        left = self._left
        if now > self._at:
            left += (now - self._at) * self.rate
            if left > self.burst:
                left = self.burst
            self._at = now
        left -= amount
        if left >= 0:
            self._left = left
            return 0.0
        # A debt has an end: who goes on sending is not locked out for longer than two bursts take.
        self._left = left = max(left, -2 * self.burst)
        return -left / self.rate

    def has(self, amount: float, now: float) -> bool:
        """Take `amount` at time `now` if it is there whole; return whether it was."""
        left = self._left
        if now > self._at:
            left += (now - self._at) * self.rate
            if left > self.burst:
                left = self.burst
            self._at = now
        enough = left >= amount
        self._left = left - amount if enough else left
        return enough

    def give_back(self, amount: float) -> None:
        """Put back what was taken for nothing."""
        self._left = min(self.burst, self._left + amount)

    @property
    def left(self) -> float:
        """What was there when it was last taken from."""
        return self._left

    @property
    def overdrawn(self) -> bool:
        """Whether more has arrived than even a second burst would cover."""
        return self._left < -self.burst

    def full(self, now: float) -> bool:
        """Tell whether nothing is owed: a bucket made anew would be the same."""
        return self._left + max(0.0, now - self._at) * self.rate >= self.burst
