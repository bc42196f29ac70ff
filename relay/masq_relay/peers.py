"""Who is at the other end: how many connections and rooms an address has, and how fast it may send."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from masq_relay.limits import Limits
from masq_relay.rates import Bucket


class Peer:
    """One address, or one IPv6 network of 64 bits, which is what one household gets."""

    __slots__ = ("bytes", "connections", "frames", "name", "rooms")

    def __init__(self, name: str, limits: Limits, now: float) -> None:
        self.name = name
        self.connections = 0
        self.rooms = 0
        self.frames = Bucket(limits.frames_per_second, limits.frames_burst, now)
        self.bytes = Bucket(limits.bytes_per_second, limits.bytes_burst, now)


class Peers:
    """All peers that are connected, or were a moment ago."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: dict[str, Peer] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, address: str, now: float) -> Peer:
        """Return the peer with this address, the same one each time."""
        name = network(address)
        peer = self._known.get(name)
        if peer is None:
            peer = self._known[name] = Peer(name, self._limits, now)
        return peer

    def forget(self, now: float) -> None:
        """Forget those that are gone and owe nothing; who reconnects at once meets its old bucket."""
        self._known = {
            name: peer
            for name, peer in self._known.items()
            if peer.connections or not (peer.frames.full(now) and peer.bytes.full(now))
        }


def network(address: str) -> str:
    """Return what counts as one peer: an IPv4 address, or the first 64 bits of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)


def forwarded(headers: Mapping[str, str]) -> str | None:
    """Return the address that the proxy in front of the relay saw: the last one of X-Forwarded-For."""
    value = headers.get("X-Forwarded-For")
    return value.rsplit(",", 1)[-1].strip() if value else None
