"""The host of a session, as it sees it: the store's engine, or a partition's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from masq_store.engine.sessions.status import Status
from masq_store.engine.sessions.turns import Turns
from masq_store.engine.storage.writer import Writer


class AutoLockPolicy(Protocol):
    """The policy of when the store locks by itself."""

    @property
    def limited(self) -> bool:
        """Whether it does."""

    def used(self, origin: str) -> bool:
        """Note that somebody uses the data of the app at `origin`.

        False where that has rested for too long, and locks now.
        """


class SessionHost(Protocol):
    """The engine that a session belongs to: the store's, or a partition's."""

    now_ms: Callable[[], int]
    writer: Writer
    turns: Turns

    @property
    def auto_lock(self) -> AutoLockPolicy:
        """When the store locks."""

    def status(self, origin: str) -> Status:
        """Return what an app may know."""
