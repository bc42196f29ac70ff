"""The relays that this device has to do with: one link for each address, whoever asks."""

from __future__ import annotations

from collections.abc import Callable

from masq_store.engine.ports import Network
from masq_store.engine.relay.link import RelayLink
from masq_store.engine.trace import OFF, Trace


class Relays:
    """Links by address. A link without a member for a few seconds ends its connection by itself."""

    def __init__(
        self,
        network: Network,
        *,
        now_ms: Callable[[], int],
        random: Callable[[int], bytes],
        trace: Trace = OFF,
    ) -> None:
        self._network = network
        self._trace = trace
        self._now_ms = now_ms
        self._random = random
        self._links: dict[str, RelayLink] = {}

    def get(self, url: str) -> RelayLink:
        """Return the link to the relay at `url`. Raises BadRelayAddress."""
        link = self._links.get(url)
        if link is None:
            link = self._links[url] = RelayLink(
                self._network, url, now_ms=self._now_ms, random=self._random, trace=self._trace
            )
        return link

    def close(self) -> None:
        """End all connections for good."""
        for link in self._links.values():
            link.close()
        self._links.clear()
