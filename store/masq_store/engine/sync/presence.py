"""Presence of the person's devices: each broadcasts in the home space's room that it is there, and nobody keeps it."""

from __future__ import annotations

from collections.abc import Callable

from masq_store.core.sync.messages import Here


class Presence:
    """The devices that are online: those that have said so by an ephemeral broadcast since others last came or went."""

    def __init__(
        self, own: str, say: Callable[[Here], None], online: set[str], told: Callable[[], None]
    ) -> None:
        """`own`: this device's id. `online`: kept up to date. `told` is called when it has changed."""
        self._own, self._say, self._online, self._told = own, say, online, told

    def others(self, count: int) -> None:
        """So many others are in the room: everybody says again that it is here, and who is silent has gone."""
        if self._online:
            self._online.clear()
            self._told()
        if count:
            self._say(Here(self._own))

    def heard(self, here: Here) -> None:
        """Another device says that it is here."""
        if here.device not in self._online and here.device != self._own:
            self._online.add(here.device)
            self._told()

    def lost(self) -> None:
        """Nobody knows any more."""
        if self._online:
            self._online.clear()
            self._told()
