"""The relay's limits: quotas and bounds. Each number is an option of `masq-relay`."""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
DAY = 86_400


DELIVERY = 2 * KIB
"""Bytes that a delivery counts for besides its own: what it costs to send so many when it is small."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Quotas and bounds. Sizes are in bytes, times in seconds; a *peer* is one address (IPv6: one /56)."""

    frame: int = MIB
    """A frame. A value has at most 256 KiB; a client packs several changes into one envelope."""
    room: int = 256 * MIB
    """What a room keeps, its snapshot included. A space has at most 64 MiB."""
    store: int = 64 * GIB
    """What all rooms keep together."""
    day_peer: int = GIB
    """What one peer adds in a day, in all rooms; what only it was ever seen in counts four times."""
    new_rooms_peer: int = 2000
    """Rooms that one peer makes in a day."""
    connections: int = 4000
    peer_connections: int = 64
    """A household behind one address, each device with one socket."""
    arriving: int = 512
    """Sockets that have not become connections yet."""
    peer_arriving: int = 32
    """The same of one peer: each of a household's devices comes back when the network does."""
    held: int = 512 * MIB
    """What all connections have taken to read into, for frames that are not whole yet. It is never given back."""
    peer_held: int = 32 * MIB
    """The same of one peer."""
    rooms: int = 100_000
    """Rooms that are joined by somebody now."""
    peer_rooms: int = 2048
    """Rooms that one peer has joined now, over all its connections."""
    members: int = 256
    """Connections in a room."""
    peer_members: int = 64
    """The same of one peer: all that a household may have."""
    frames_per_second: float = 2000.0
    """Of a peer, in the long run. Who sends more is read more slowly."""
    frames_burst: float = 10_000.0
    """Frames that a peer may send at once before that."""
    bytes_per_second: float = 16.0 * MIB
    bytes_burst: float = 64.0 * MIB
    out_per_second: float = 48.0 * MIB
    """What a peer has the relay send, to whomever: each delivery counts for its bytes and DELIVERY more."""
    out_burst: float = 96.0 * MIB
    buffer: int = 4 * MIB
    """What waits to be sent to one connection; who lets more gather is cut off."""
    buffers: int = 512 * MIB
    """What waits to be sent to all connections together."""
    unsaved: int = 2 * MIB
    """What one connection has posted and is not on disk yet; it is not read from meanwhile."""
    unsaved_all: int = 64 * MIB
    """The same of all connections together."""
    retention: int = 90 * DAY
    """How long a room is kept that nobody joins."""
    hello: float = 10.0
    """Time-out of the handshake: until a connection must have said HELLO."""
    stalled: float = 60.0
    """How long a connection may leave unread what waits for it."""
    grace: float = 5.0
    """Between an error that ends a connection and its end, so that the other side can read it."""
    tidy: float = 5.0
    """Between two rounds of tidying."""
    snapshot: float = 60.0
    """How long a snapshot may be unfinished without a further part before another may take its place."""
    snapshot_whole: float = 900.0
    """How long it may take in all before another may: 64 MiB at 600 kbit/s."""
