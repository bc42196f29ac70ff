"""The idle lock of copies: those of a profile that locks after some time of rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from masq_store.engine.partition.app_copy import AppCopy
from masq_store.engine.sessions.idle import Idle


class IdleLock:
    """The lock time of the open copies, which `copies` has by origin. `lock`: begins to lock one of them."""

    def __init__(
        self, copies: Mapping[str, AppCopy], now_ms: Callable[[], int], lock: Callable[[str, AppCopy], None]
    ) -> None:
        self._copies = copies
        self._lock = lock
        self._idle = Idle(now_ms)

    @property
    def limited(self) -> bool:
        """Whether one does."""
        return any(copy.policy.minutes for copy in self._copies.values())

    def begin(self) -> None:
        """A copy is opened just now."""
        self.look()  # the others' rest ends only where it has not been too long
        self._idle.end()

    def used(self, origin: str) -> bool:
        """Note that somebody uses an app. False where its own copy has rested for too long: that locks now.

        Apps of one site may be of profiles with different lock times: another app's is no reason to keep this one
        waiting for a lock that never comes.
        """
        self.look()
        copy = self._copies.get(origin)
        if copy is not None and copy.locks:
            return False
        self._idle.end()
        return True

    def look(self) -> None:
        """Lock what has rested for too long."""
        rested = self._idle.ms
        for origin, copy in self._copies.items():
            if not copy.locks and rested >= copy.policy.minutes * 60_000 > 0:
                copy.locks = True
                self._lock(origin, copy)
