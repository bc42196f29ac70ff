"""The pairings that go on in this engine, each driven by one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from masq_store.core.errors import PairingHere, PairingUsedTwice

if TYPE_CHECKING:
    from masq_store.engine.store.device_pairing import Pairing


class Pairings:
    """Who pairs, by the room in which the two devices meet."""

    def __init__(self) -> None:
        self._running: dict[bytes, Pairing] = {}

    def add(self, pairing: Pairing) -> None:
        """Take up a pairing. Raises PairingHere where a page of this very device is in that room already."""
        present = self._running.get(pairing.room)
        if present is not None:
            raise PairingUsedTwice() if present.over else PairingHere(present.role)
        self._running[pairing.room] = pairing

    def drop(self, pairing: Pairing) -> None:
        """Forget a pairing that has left its room."""
        if self._running.get(pairing.room) is pairing:
            del self._running[pairing.room]

    async def profile_closes(self) -> None:
        """End those that would give the open profile away."""
        for pairing in list(self._running.values()):
            if pairing.role == "old":
                await pairing.refuse()

    async def end(self) -> None:
        """End all of them: the engine stops."""
        for pairing in list(self._running.values()):
            await pairing.refuse()
