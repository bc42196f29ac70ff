"""Turns, a fair scheduler: whose calls are carried out next, so that nobody who asks for much keeps others waiting.

Whoever has not used its share of the last moments is served at once, in the call that brings its message. Whoever
has waits in a line for turns of a few milliseconds, one each trip of the event loop. Shares are by name: an app's
sessions have one together, whatever their number, and all strangers together have one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol
from weakref import WeakValueDictionary

TURN_SECONDS = 0.005
"""How long a turn lasts while nobody else is there: long enough for what a turn costs to be nothing beside it."""

SHORT_SECONDS = 0.0005
"""How long it lasts while others are there: so much later they are served, at most, for each who waits in line."""

QUIET_SECONDS = 0.002
"""How long it lasts at most while others are there and ask for nothing. It doubles with each turn until one does: each
turn costs a trip of the event loop, some 0.3 ms in a browser."""

SHARE = 4
"""Who has had more than one part in so many of the last moments waits in line, while others are there."""

NEAR_SECONDS = 1.0
"""For how long somebody who was served counts as being there."""


ALONE = -1.0
"""When a turn has begun that is not counted: nobody waits for it."""


class Share:
    """One app's share of the engine's time: what it has used lately, by which the next turn is given (fair queuing)."""

    __slots__ = ("__weakref__", "at", "in_line", "since", "spent", "waiting")

    def __init__(self) -> None:
        self.at = 0.0  # when its turn has begun
        self.since = 0.0
        self.spent = 0.0  # seconds, of those from `since` on
        self.waiting: dict[Taker, None] = {}  # who has more to do, in order
        self.in_line = False


class Taker(Protocol):
    """A session with work that may take long: it gets turns, and stops when a turn is over."""

    @property
    def share(self) -> Share:
        """Of whose share it lives."""

    @property
    def more(self) -> bool:
        """Whether there is something to do."""

    def take_turn(self, until: float) -> None:
        """Do some of it, until the clock shows `until` or a little later."""


class Turns:
    """The line of those who wait for a turn. `clock`: seconds, of any beginning; None: the event loop's."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.clock = clock or asyncio.get_running_loop().time
        self.soon: Callable[[Callable[[], None]], object] = _soon
        """Calls a function with a trip of the event loop that lets in all who wait for it already."""
        self._shares: WeakValueDictionary[str, Share] = WeakValueDictionary()
        self._line: deque[Share] = deque()
        self._last: Share | None = None
        self._short_until = 0.0
        self._short = SHORT_SECONDS
        self._due = False

    def share(self, name: str) -> Share:
        """Return the share that all have together who give this name."""
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = Share()
        return share

    def begin(self, share: Share) -> float | None:
        """Begin a turn; return when it ends, or None where the share is used up or others wait for it.

        `end` must follow in the same run of the event loop.
        """
        if share.waiting:
            return None
        share.at = now = self.clock()
        if share is self._last and now >= self._short_until:
            share.at = ALONE
            return now + TURN_SECONDS
        turn = self._length(share, now)
        if now - share.since > SHARE * turn:
            share.since = now
            share.spent = 0.0
            return now + turn
        left = turn - share.spent
        return now + left if left > 0 else None

    def end(self, share: Share) -> None:
        """End the turn that `begin` has begun."""
        if share.at is not ALONE:
            share.spent += self.clock() - share.at

    def take(self, taker: Taker) -> None:
        """Let `taker` have a turn, now if its share allows that, and more of them in line."""
        share = taker.share
        until = self.begin(share)
        if until is None:
            self.wait(taker)
            return
        try:
            taker.take_turn(until)
        finally:
            self.end(share)
            if taker.more:
                self.wait(taker)

    def wait(self, taker: Taker) -> None:
        """Let `taker` have a turn in line."""
        share = taker.share
        share.waiting[taker] = None
        self._queue(share)

    def _queue(self, share: Share) -> None:
        if not share.in_line:
            share.in_line = True
            self._line.append(share)
        if not self._due:
            self._due = True
            self.soon(self._next)

    def _next(self) -> None:
        self._due = False
        share = self._line.popleft()
        share.in_line = False
        taker = next(iter(share.waiting))
        del share.waiting[taker]
        if share is self._last:
            self._short = min(2 * self._short, QUIET_SECONDS)
        share.since = now = self.clock()
        try:
            taker.take_turn(now + self._length(share, now))
        finally:  # what fails in a turn fails alone
            share.spent = self.clock() - now
            if taker.more:
                self.wait(taker)
            if share.waiting:
                self._queue(share)
            if self._line:
                self._queue(self._line[0])

    def _length(self, share: Share, now: float) -> float:
        if share is not self._last:
            if self._last is not None:
                self._short_until = now + NEAR_SECONDS
            self._last = share
            self._short = SHORT_SECONDS
        return self._short if now < self._short_until else TURN_SECONDS


def _soon(function: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(function)
