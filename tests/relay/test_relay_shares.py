"""What one address can take of a relay: memory, deliveries, places of a room, and room on the disk."""

import os
import time

import pytest
from asynchronous import until
from picows import WSMsgType
from relay_rig import by, relay, sealed

from masq_relay.limits import DELIVERY
from masq_relay.sockets.arrivals import READ_BYTES, Arrival

pytestmark = pytest.mark.real_time


def begin_frame(client, size, of):
    """Send the beginning of a frame of no kind that there is: `size` bytes of `of`."""
    header = b"\x82\xff" + of.to_bytes(8, "big") + bytes(4)
    client.transport.underlying_transport.write(header + b"\xff" + os.urandom(size - 1))


async def test_unfinished_frames_of_one_address(tmp_path):
    """Of connections that have begun large frames the largest end where an address has too many; others go on."""
    async with relay(tmp_path, behind_proxy=True, frame=200_000, peer_held=600_000) as r:
        honest = await r.member(headers=by(9))
        clients = [await r.client(headers=by(1)) for _ in range(12)]
        for client in clients:
            begin_frame(client, 190_000, 199_000)
        await until(lambda: sum(client.gone.is_set() for client in clients) >= 8, "the largest's end")
        assert await honest.keep(sealed(size=190_000)) == [1]
        assert r.relay.connections.held <= 600_000 + 200_000
        await until(lambda: r.relay.connections.held == sum(each.held for each in r.relay.connections))


async def test_unfinished_frames_of_all(tmp_path):
    """Where all together have begun too much, the address that has most of it pays, not the one that came last."""
    async with relay(tmp_path, behind_proxy=True, frame=200_000, held=1_000_000) as r:
        hogs = [await r.client(headers=by(1)) for _ in range(4)]
        for client in hogs:
            begin_frame(client, 190_000, 199_000)
        await until(lambda: r.relay.connections.held > 600_000, "the hog's memory")
        others = [await r.client(headers=by(number)) for number in range(2, 6)]
        for client in others:
            begin_frame(client, 190_000, 199_000)
        await until(lambda: any(client.gone.is_set() for client in hogs), "a hog's end")
        assert not any(client.gone.is_set() for client in others)
        for client in others:  # what they have begun, they can end
            client.transport.underlying_transport.write(bytes(9_000))
        for client in others:
            refused = (await client.take("GONE"))[-2]
            assert refused[3] == 1  # it was no frame of ours, but it was read whole


async def test_little_is_read_at_once(tmp_path, monkeypatch):
    """However many small frames have come: a connection is read a little at a time, so that a pause takes effect."""
    read, held = [], []
    was = Arrival.buffer_updated

    def buffer_updated(self, nbytes):
        read.append(nbytes)
        was(self, nbytes)
        held.append(len(self.get_buffer(-1)))

    monkeypatch.setattr(Arrival, "buffer_updated", buffer_updated)
    async with relay(tmp_path) as r:
        one = await r.member()
        for _ in range(40):
            frames = b"".join(b"\x82\x80" + bytes(4) for _ in range(1000))
            one.transport.underlying_transport.write(frames)
        assert await r.member(room=os.urandom(16))
        await until(lambda: sum(read) > 20_000)
        assert max(read) <= READ_BYTES and max(held) <= READ_BYTES


async def test_fragments_count_too(tmp_path):
    """The parts of a message that is not whole yet are counted like an unfinished frame."""
    async with relay(tmp_path, frame=200_000, peer_held=300_000) as r:
        clients = [await r.client() for _ in range(4)]
        for client in clients:
            client.transport.send(WSMsgType.BINARY, b"\x04" + os.urandom(150_000), fin=False)
            client.transport.send(WSMsgType.PING, b"")
        await until(lambda: sum(client.gone.is_set() for client in clients) >= 2, "the largest's end")


async def test_what_an_address_has_others_sent(tmp_path):
    """Casts and posts count for what they have the relay send: who has many receivers is read more slowly."""
    limits = {"out_per_second": 1_000_000.0, "out_burst": 1_000_000.0}
    async with relay(tmp_path, behind_proxy=True, **limits) as r:
        honest = await r.member(headers=by(9), room=b"h" * 16)
        flood = [await r.member(headers=by(1)) for _ in range(9)]
        began, before = time.monotonic(), r.relay.metrics.counts["deliveries_total"]
        for _ in range(2_000):
            flood[0].cast(sealed(size=1_000))
        kept = 0
        while kept < 20:
            kept += len(await honest.keep(sealed(size=600)))
        took = time.monotonic() - began
        sent = r.relay.metrics.counts["deliveries_total"] - before
        most = (2 + took) * limits["out_per_second"] / (1_000 + DELIVERY)
        assert 0 < sent < most + 3_000 < 16_000  # and what one read brought when it was stopped
        for each in flood:
            each.transport.disconnect(graceful=False)


async def test_who_is_alone_in_a_room_does_not_wait(tmp_path):
    """What an address owes for having much sent on does not hold its devices up that have nothing sent."""
    async with relay(tmp_path, out_per_second=1_000.0, out_burst=1_000_000.0) as r:
        flood = [await r.member() for _ in range(4)]
        for _ in range(400):
            flood[0].cast(sealed(size=1_000))
        await until(lambda: r.relay.metrics.counts["deliveries_total"] > 300, "the flood")
        other = await r.member(room=b"h" * 16)
        assert await other.keep(sealed(), sealed()) == [1, 2]  # waiting out the debt would take minutes


async def test_what_an_address_reads_from_the_disk(tmp_path):
    """Who reads long logs again and again is sent them more slowly; all of them come."""
    async with relay(tmp_path, out_per_second=4_000_000.0, out_burst=1_000_000.0) as r:
        writer = await r.member()
        await writer.keep(*[sealed(size=100_000) for _ in range(40)])
        began = time.monotonic()
        reader = await r.member()
        assert len(reader.backlog) == 41
        assert time.monotonic() - began > 0.5


async def test_places_of_a_room(tmp_path):
    """One address has so many of a room's places; who comes from elsewhere gets in."""
    async with relay(tmp_path, behind_proxy=True, peer_members=3) as r:
        for _ in range(3):
            await r.member(headers=by(1))
        more = await r.client(headers=by(1))
        more.ask()
        assert (await more.take("ERROR"))[-1][1:4] == (1, 0, 8)
        assert (await r.member(headers=by(2))).joined[3] == 3
