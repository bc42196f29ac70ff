"""Peers, the addresses at the other end: how many connections and rooms each has, and how fast it may send."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from masq_relay.limits import DAY, Limits
from masq_relay.token_bucket import Bucket

IPV6_BITS = 56
"""What one household gets; who rents a machine gets as much or less."""

MOST_REMEMBERED = 100_000
"""Of more the relay forgets those that have added least today."""


class Peer:
    """The account of one address, or of one IPv6 network of IPV6_BITS bits.

    `arriving`: how many sockets are no connection yet. `held`: bytes of reading buffers. `out`: what it has
    others sent, and `owed` what was not taken from that yet. `turn`: when the next of its connections may be read on.
    `kept`, `made`: bytes that it adds and rooms that it makes in a day.
    """

    __slots__ = (
        "arriving", "bytes", "connections", "frames", "held", "kept", "made", "name", "out", "owed", "rooms", "turn",
    )  # fmt: skip

    def __init__(self, name: str, limits: Limits, now: float) -> None:
        self.name = name
        self.arriving = 0
        self.connections = 0
        self.rooms = 0
        self.held = 0
        self.owed = 0
        self.turn = 0.0
        self.frames = Bucket(limits.frames_per_second, limits.frames_burst, now)
        self.bytes = Bucket(limits.bytes_per_second, limits.bytes_burst, now)
        self.out = Bucket(limits.out_per_second, limits.out_burst, now)
        self.kept = Bucket(limits.day_peer / DAY, float(limits.day_peer), now)
        self.made = Bucket(limits.new_rooms_peer / DAY, float(limits.new_rooms_peer), now)

    @property
    def here(self) -> bool:
        """Whether it has a socket."""
        return bool(self.connections or self.arriving)

    def owes_nothing(self, now: float) -> bool:
        """Tell whether a new Peer of this address would be the same."""
        buckets = (self.frames, self.bytes, self.out, self.kept, self.made)
        return not self.here and all(each.full(now) for each in buckets)


class Peers:
    """The table of peers that are connected, or were a moment ago."""

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

    def most_held(self) -> Peer:
        """Return the peer whose connections hold most for what they have begun to send."""
        return max(self._known.values(), key=lambda peer: peer.held)

    def forget(self, now: float) -> None:
        """Forget those that are gone and owe nothing; who reconnects at once meets its old bucket."""
        self._known = {name: peer for name, peer in self._known.items() if not peer.owes_nothing(now)}
        too_many = len(self._known) - MOST_REMEMBERED
        if too_many > 0:
            gone = [name for name, peer in self._known.items() if not peer.here]
            gone.sort(key=lambda name: self._known[name].kept.left, reverse=True)
            for name in gone[:too_many]:
                del self._known[name]


def network(address: str) -> str:
    """Return what counts as one peer: an IPv4 address, or the first bits of an IPv6 one. Raises ValueError."""
    parsed = ipaddress.ip_address(address.split("%")[0])
    if parsed.version == 6:
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, IPV6_BITS), strict=False))
    return str(parsed)


def is_loopback(address: str) -> bool:
    """Tell whether an address, or a name as it stands in a URL, is this machine's own."""
    if address == "localhost" or address.endswith(".localhost"):
        return True
    try:
        parsed = ipaddress.ip_address(address.strip("[]").split("%")[0])
    except ValueError:
        return False
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


def forwarded(lines: Sequence[str]) -> str | None:
    """Return the address that the proxy in front of the relay saw, or None where it cannot be read.

    Args:
        lines: the values of all X-Forwarded-For headers, in their order. Some proxies add to the last line, some a
            line of their own: what comes before is what the client claims.
    """
    if not lines:
        return None
    last = lines[-1].rsplit(",", 1)[-1].strip()
    if last.startswith("["):
        address, _, port = last[1:].partition("]")
        port = port.removeprefix(":")
    elif last.count(":") == 1:
        address, _, port = last.partition(":")
    else:
        address, port = last, ""
    if port and not (port.isascii() and port.isdigit()):
        return None
    try:
        network(address)
    except ValueError:
        return None
    return address
