"""A line (see `port_line`) that goes over a relay, for an app whose page and the store's window the browser keeps
apart.

It carries who asks, and what is granted, and then it ends: from then on the copy meets the store at the relay like any
other device. The store's end is `engine.store.link_offer`, a partition's `engine.partition.link_request`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from masq.errors import MasqError
from masq.messages import JsonObject
from masq_store.core.errors import PairingExpired
from masq_store.engine.pairing.meeting import Meeting

Said = Callable[[JsonObject], None]


class LinkLine(Meeting):
    """One end of a line over a relay: what both share. It keeps no spaces in step, as a port's line does."""

    _said: Said
    _gone: Callable[[], None]

    def attach(self, *, said: Said, gone: Callable[[], None], changed: Callable[[], None]) -> None:
        """Take whose end it is, as a `PortLine` does; `changed` has nothing to tell."""
        self._said, self._gone = said, gone

    @property
    def open(self) -> bool:
        """Whether it may still be used."""
        return self.error is None

    def turn(self) -> None:
        """There are no spaces."""

    def close(self) -> None:
        """End, if it has not."""
        self._later(partial(self._machine.refuse, because=PairingExpired()))

    def _end(self, error: MasqError) -> None:
        first = self.error is None
        super()._end(error)
        if first:
            self._gone()
