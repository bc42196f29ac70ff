"""Anti-entropy by digests: whether the devices of a space hold the same, by what each has said of itself.

A version vector is a claim of how much was read; a digest beside it says what is held. Who hears another one's digest
under a vector that is its own compares. Who holds something else posts all that it holds, then says its own digest, so
that the other one compares, too: once both have read that, they hold the same.
"""

from __future__ import annotations

from collections import deque

from masq_store.core.sync.room_log import reaches

HUSH_SECONDS = 60.0
"""Back-off, in seconds: from a digest that a device has posted to its next."""

MOST_HUSH_SECONDS = 3600.0
"""The same at most. It doubles each time that all is posted again: a device that went back to an older disk needs that,
and one that lies will never be content. It halves with each word that needs no more than a digest."""

MOST_AHEAD = 16
"""Digests that are remembered of devices which had read more of the log; the newest."""


class Agreement:
    """What one device knows of whether all members hold the same: by digests that they post."""

    def __init__(self) -> None:
        self.telling = False
        """Whether this device's digest is to be posted."""
        self.differs = False
        """Whether another device's digest differed: then all that this one holds is posted before its digest."""
        self.differed = 0
        """How often another device's digest differed."""
        self.hush_seconds: float = HUSH_SECONDS
        """The back-off that is in force."""
        self._told: dict[str, int] | None = None
        self._ahead: deque[dict[str, int]] = deque(
            maxlen=MOST_AHEAD
        )  # vectors of who could not be compared yet
        self._given = False  # all that it holds was posted before
        self._under_way = (
            False,
            False,
        )  # what `telling` and `differs` were when that was said which may be lost yet

    @property
    def due(self) -> bool:
        """Whether there is something to say."""
        return self.telling or self.differs

    def begin(self) -> None:
        """Note that others may have taken something else: this device began from a snapshot, or left something out."""
        self.telling = True

    def unlike(self, log: dict[str, int], told: dict[str, int], behind: bool) -> None:
        """Note that another one's digest could not be compared, so that it may compare this one's.

        `log`: the log's vector; `told`: the one that the digest was told at. `behind`: this device has something to
        post, and the log is not what it was told at.
        """
        self.telling = self.telling or behind or self._told != log
        if not reaches(log, told):
            self._ahead.append(told)

    def read(self, log: dict[str, int]) -> None:
        """Note how far the log is read. Who was ahead said its digest when it could not be compared, and may never
        say it again: where this device has come as far, it says its own."""
        ahead = [told for told in self._ahead if not reaches(log, told)]
        if len(ahead) < len(self._ahead):
            self._ahead = deque(ahead, MOST_AHEAD)
            self.telling = self.telling or self._told != log

    def compared(self, same: bool) -> None:
        """Note that another one's digest was compared."""
        if same:
            self.telling = self.differs = False  # whatever there is to say, that device has said it
        else:
            self.differed += 1
            self.differs = True

    def said(self, log: dict[str, int]) -> None:
        """Note that this device says its digest, after all that it holds where somebody differed. `log`: as above."""
        if self.differs:
            self.hush_seconds = min((1 + self._given) * self.hush_seconds, MOST_HUSH_SECONDS)
            self._given = True
        else:
            self.hush_seconds = max(self.hush_seconds / 2, HUSH_SECONDS)
        self._told = dict(log)
        self._under_way = self.telling, self.differs
        self.telling = self.differs = False

    def stands(self) -> None:
        """Note that all that was said stands in the log."""
        self._under_way = (False, False)

    def unsaid(self) -> None:
        """Note that what was said last may not stand in the log: the connection is gone, or the relay refused it."""
        telling, differs = self._under_way
        self.telling, self.differs = self.telling or telling, self.differs or differs
