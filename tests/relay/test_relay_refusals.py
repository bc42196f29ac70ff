"""What the relay refuses, and with which code; and that its memory stays bounded whatever comes."""

import asyncio
import contextlib
import os
import struct
import threading
import time
from pathlib import Path

import pytest
from asynchronous import until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patience import seconds
from picows import WSMsgType
from relay_rig import ROOM, Command, connect, in_thread, relay, sealed, tag

pytestmark = pytest.mark.real_time

CUT = {1, 2, 5, 9, 10, 11}


async def ends_with(client, code):
    """Check that the relay says this code for the connection, and then ends it."""
    heard = await client.take("GONE")
    assert heard[-2][:4] == ("ERROR", 0xFFFF, 0, code)
    assert heard[-2][4].endswith(".")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", 1),
        (b"\x00", 1),
        (b"\x08" + bytes(50), 1),
        (b"\x85" + bytes(50), 1),
        (b"\x04\x00\x01\x00\x00\x00\x01" + bytes(31), 1),
        (b"\x02" + bytes(73), 1),
        (b"\x02" + bytes(75), 1),
        (b"\x07\x00\x00\x00", 1),
        (b"\x01\x01", 1),
        (struct.pack(">BH16s32sQ16s", 2, 0xFFFF, ROOM, bytes(32), 0, bytes(16)), 1),
        (b"\x04" + bytes(60_000), 5),
    ],
    ids=["empty", "no kind", "unknown", "relay's", "short post", "short join", "long join", "short ping", "hello again",
         "channel ffff", "large"],
)  # fmt: skip
async def test_a_bad_frame_ends_the_connection(tmp_path, frame, code):
    """What is no frame gets its code and a sentence, and the connection ends; others do not notice."""
    async with relay(tmp_path, frame=50_000, room=200_000) as r:
        other = await r.member()
        client = await r.client()
        client.send(frame)
        await ends_with(client, code)
        await other.silence()


async def test_text_and_torn_messages(tmp_path):
    """Text, a continuation of nothing, a second beginning, and parts that are too much together: refused."""
    async with relay(tmp_path, frame=50_000, room=200_000) as r:
        for sends, code in (
            ([(WSMsgType.TEXT, b"hello", True)], 1),
            ([(WSMsgType.CONTINUATION, b"x", True)], 1),
            ([(WSMsgType.BINARY, b"x", False), (WSMsgType.BINARY, b"x", True)], 1),
            ([(WSMsgType.BINARY, b"", False), (WSMsgType.CONTINUATION, b"", False)], 1),
            (
                [(WSMsgType.BINARY, bytes(30_000), False), (WSMsgType.CONTINUATION, bytes(30_000), True)],
                5,
            ),
        ):
            client = await r.client()
            for kind, content, last in sends:
                client.transport.send(kind, content, fin=last)
            await ends_with(client, code)


async def test_a_frame_far_too_large_is_not_read(tmp_path):
    """What is announced as far larger than a frame ends the connection by WebSocket code 1009."""
    async with relay(tmp_path, frame=50_000, room=200_000) as r:
        client = await r.client()
        client.send(bytes(5_000_000))
        await client.take("GONE")
        assert client.code in (1009, None)  # None: the system dropped it with what was still on its way
        await until(lambda: not r.relay.connections)
        await (await r.client()).silence()


async def test_hello_comes_first(tmp_path):
    """Another first frame, another version, or no frame at all ends the connection."""
    async with relay(tmp_path) as r:
        client = await r.client(hello=False)
        client.ask()
        await ends_with(client, 1)
        client = await r.client(hello=False)
        client.hello(2)
        await ends_with(client, 2)
        client = await r.client(hello=False)
        client.post(sealed())
        await ends_with(client, 1)
    async with relay(tmp_path, hello=0.2) as r:
        await ends_with(await r.client(hello=False), 1)


async def test_a_wrong_token_is_refused(tmp_path):
    """Who has another token than the room's learns nothing of it and hears nothing; the socket stays of use."""
    async with relay(tmp_path) as r:
        one = await r.member()
        await one.keep(sealed())
        stranger = await r.client()
        stranger.ask(token=b"x" * 32)
        heard = await stranger.next("ERROR")
        assert heard[:4] == ("ERROR", 1, 0, 3)
        stranger.post(sealed(), ref=9)
        assert (await stranger.next("ERROR"))[1:4] == (1, 9, 4)
        stranger.cast(sealed())
        assert (await stranger.next("ERROR"))[3] == 4
        await one.silence()
        assert (await stranger.join(room=b"x" * 16))[0] == "JOINED"


async def test_not_joined(tmp_path):
    """Frames for a channel that has no room are refused by their ref; so are those sent before JOINED."""
    async with relay(tmp_path) as r:
        client = await r.client()
        client.post(sealed(), ref=1)
        client.part(sealed(), 1, bytes(16), ref=2)
        client.cast(sealed())
        client.leave()
        for ref in (1, 2, 0, 0):
            assert (await client.next("ERROR"))[1:4] == (1, ref, 4)
        client.ask()
        client.post(sealed(), ref=5)
        assert (await client.next("ERROR"))[1:4] == (1, 5, 4)
        await client.next("JOINED")


async def test_joining_and_leaving_at_once(tmp_path):
    """LEAVE before JOINED undoes the JOIN, and the channel is free again."""
    async with relay(tmp_path) as r:
        client = await r.client()
        for _ in range(50):
            client.ask()
            client.leave()
        client.ask()
        assert await client.next() == ("JOINED", 1, 0, 0, 0)
        await client.take("CURRENT")
        assert client.heard.empty()
        assert r.relay.connections and len(r.relay.rooms.by_key) == 1
        (peer,) = r.relay.peers._known.values()
        assert peer.rooms == 1


async def test_a_channel_and_a_room_are_used_once(tmp_path):
    """A second JOIN on a channel ends the connection; the same room on a second channel is refused."""
    async with relay(tmp_path) as r:
        client = await r.member()
        client.ask(channel=2)
        assert (await client.next("ERROR"))[1:4] == (2, 0, 1)
        client.ask(channel=1, room=b"x" * 16)
        heard = await client.take("GONE")
        assert heard[-2][1:4] == (1, 0, 1)


async def test_a_full_room(tmp_path):
    """What does not fit a room is refused with code 6 and its ref; what fits still goes in."""
    async with relay(tmp_path, frame=50_000, room=100_000) as r:
        client = await r.member()
        assert await client.keep(sealed(size=49_000), sealed(size=40_000)) == [1, 2]
        client.post(sealed(size=20_000), ref=7)
        assert (await client.next("ERROR"))[1:4] == (1, 7, 6)
        assert await client.keep(sealed(size=5_000)) == [3]


async def test_a_full_relay(tmp_path):
    """What does not fit the relay is refused with code 6, in any room."""
    async with relay(tmp_path, frame=50_000, room=100_000, store=300_000, tidy=3600.0) as r:
        codes = set()
        for channel in range(8):
            client = await r.client()
            await client.join(channel=1, room=bytes([channel]) * 16)
            await client.take("CURRENT")
            client.post(sealed(size=49_000))
            heard = await client.next()
            codes.add(heard[3] if heard[0] == "ERROR" else 0)
        assert codes == {0, 6}


async def test_too_many_rooms(tmp_path):
    """An address may join so many rooms; leaving one makes room for another."""
    async with relay(tmp_path, peer_rooms=3) as r:
        one, two = await r.client(), await r.client()
        for channel, client in enumerate((one, one, two)):
            await client.join(channel=channel, room=bytes([channel]) * 16)
            await client.take("CURRENT")
        two.ask(channel=7, room=b"x" * 16)
        assert (await two.next("ERROR"))[1:4] == (7, 0, 7)
        one.leave(0)
        await one.silence()
        assert (await two.join(channel=7, room=b"x" * 16))[0] == "JOINED"
        await one.close()
        await until(lambda: list(r.relay.peers._known.values())[0].rooms == 2)


async def test_too_many_rooms_on_the_relay(tmp_path):
    """All addresses together may have so many rooms open; one that is open already can be joined."""
    async with relay(tmp_path, rooms=2) as r:
        client, other = await r.client(), await r.client()
        for channel in range(2):
            await client.join(channel=channel, room=bytes([channel]) * 16)
            await client.take("CURRENT")
        other.ask(channel=7, room=b"x" * 16)
        assert (await other.next("ERROR"))[1:4] == (7, 0, 7)
        assert (await other.join(channel=7, room=b"\1" * 16))[3] == 1


@pytest.mark.parametrize("limit", ["connections", "peer_connections"])
async def test_too_many_connections(tmp_path, limit):
    """One connection more than the relay, or than one address, may have is sent away with code 8."""
    async with relay(tmp_path, **{limit: 2}) as r:
        one, _ = await r.client(), await r.client()
        await ends_with(await r.client(hello=False), 8)
        await one.close()
        await until(lambda: len(r.relay.connections) == 1)
        await (await r.client()).silence()


async def test_too_many_members(tmp_path):
    """A room takes so many members; the next is refused with code 8 on its channel, and keeps its socket."""
    async with relay(tmp_path, members=2) as r:
        await r.member(), await r.member()
        client = await r.client()
        client.ask()
        assert (await client.next("ERROR"))[1:4] == (1, 0, 8)
        await client.silence()


async def test_a_flood_is_cut_off(tmp_path):
    """Frames that come much faster than the rate end the connection with code 9; others are served meanwhile."""
    async with relay(tmp_path, frames_per_second=100.0, frames_burst=100.0) as r:
        client = await r.client()
        for n in range(2_000):
            client.send(struct.pack(">BI", 7, n))
        await ends_with(client, 9)
        assert r.relay.metrics.counts["frames_in_total"] < 2_000


@pytest.mark.parametrize("kind", [WSMsgType.PING, WSMsgType.PONG], ids=["ping", "pong"])
async def test_a_flood_of_pings(tmp_path, kind):
    """WebSocket's own small frames count too."""
    async with relay(tmp_path, frames_per_second=10.0, frames_burst=100.0) as r:
        client = await r.client()
        for _ in range(3_000):
            client.transport.send(kind, b"")
        await ends_with(client, 9)


async def test_who_is_a_little_fast_is_read_more_slowly(tmp_path):
    """Above the rate nothing is refused: the relay reads more slowly, and everything is kept, in order."""
    async with relay(tmp_path, frames_per_second=400.0, frames_burst=200.0) as r:
        client = await r.member()
        numbers = []
        for n in range(400):
            client.post(sealed(), n)
            if n % 20 == 19:
                numbers += [(await client.next("STORED"))[3] for _ in range(20)]
        assert numbers == list(range(1, 401))


async def test_a_slow_reader_is_cut_off_and_resumes(tmp_path):
    """Who leaves unread what waits for it hears code 10 at the end of it, comes back, and misses nothing."""
    async with relay(tmp_path, stalled=0.2, grace=30.0, tidy=0.02) as r:
        writer, reader = await r.member(), await r.member()
        await writer.next("OTHERS")
        reader.transport.underlying_transport.pause_reading()
        kept = [sealed(str(n), 50_000) for n in range(200)]
        for n, envelope in enumerate(kept):
            writer.post(envelope, n)
        stored = []
        while len(stored) < 200:  # the reader's end may be told in between
            stored += [each[3] for each in [await writer.next()] if each[0] == "STORED"]
        assert stored == list(range(1, 201))
        await until(lambda: r.relay.metrics.errors[10] == 1, "the reader's end")
        waiting = max(connection.buffered for connection in r.relay.connections)
        assert waiting < 2_000_000
        reader.transport.underlying_transport.resume_reading()
        heard = await reader.take("GONE")
        got = [(each[2], each[4]) for each in heard if each[0] == "ENVELOPE"]
        assert heard[-2][:4] == ("ERROR", 0xFFFF, 0, 10)
        assert 0 < len(got) < 200
        back = await r.member(cursor=(got[-1][0], tag(got[-1][1])))
        assert back.joined[4] == 0
        rest = [(each[2], each[4]) for each in back.backlog if each[0] == "ENVELOPE"]
        assert got + rest == list(enumerate(kept, 1))


async def test_a_reader_that_falls_behind_gets_everything(tmp_path):
    """Who reads slowly but reads is not cut off: the rest comes from the disk in order, acknowledgements too."""
    async with relay(tmp_path) as r:
        writer, reader = await r.member(), await r.member()
        await writer.next("OTHERS")
        reader.transport.underlying_transport.pause_reading()
        for n in range(200):
            writer.post(sealed(size=50_000), n)
        await until(lambda: r.relay.metrics.counts["fell_behind_total"], "falling behind")
        reader.post(sealed(), ref=77)
        await until(lambda: r.relay.metrics.counts["envelopes_stored_total"] == 201)
        assert max(connection.buffered for connection in r.relay.connections) < 2_000_000
        reader.transport.underlying_transport.resume_reading()
        heard = await reader.take("CURRENT")
        numbers = [each[3] if each[0] == "STORED" else each[2] for each in heard]
        assert numbers == [*range(1, 202), 201]
        assert [each[2] for each in heard if each[0] == "STORED"] == [77]


async def test_slow_readers_together_are_bounded(tmp_path):
    """When what waits for all slow readers is too much, those that make it so are cut off."""
    async with relay(tmp_path, buffers=2_000_000, buffer=2_000_000, grace=0.1) as r:
        writer = await r.member()
        for _ in range(8):
            (await r.member()).transport.underlying_transport.pause_reading()
        await writer.silence_but_others()
        for n in range(200):
            writer.post(sealed(size=50_000), n)
        for _ in range(200):
            while (await writer.next())[0] != "STORED":
                pass
        await until(lambda: r.relay.metrics.errors[10] >= 4)
        assert sum(each.buffered for each in r.relay.connections.slow) <= 2_000_000


async def test_who_closes_without_reading_is_gone_soon(tmp_path):
    """A client that says it is leaving, and leaves unread what waits for it, does not keep its place."""
    async with relay(tmp_path, grace=0.1) as r:
        writer, reader = await r.member(), await r.member()
        await writer.next("OTHERS")
        reader.transport.underlying_transport.pause_reading()
        for n in range(200):
            writer.post(sealed(size=50_000), n)
        await until(lambda: r.relay.connections.slow, "the reader being slow")
        reader.transport.send_close()
        await until(lambda: len(r.relay.connections) == 1, "the reader's end")
        heard = await writer.take("OTHERS")
        assert heard[-1] == ("OTHERS", 1, 0)


async def test_a_burst_of_casts_reaches_a_reader_that_reads(tmp_path):
    """Casts that pile up behind a slow commit go out in pieces, and cut nobody off who reads."""
    async with relay(tmp_path, unsaved=16 << 20) as r:
        writer, reader = await r.member(), await r.member()
        commit = r.relay._disk.commit
        gate = threading.Event()

        def slow(works, now):
            assert gate.wait(seconds(20))
            # The reader shares the relay's loop, and needs its turns to read.
            while r.relay.connections.slow:
                time.sleep(0.001)
            return commit(works, now)

        r.relay._disk.commit = slow
        writer.post(sealed())
        for _ in range(100):
            writer.cast(sealed(size=100_000))
        await writer.silence_but_others()
        gate.set()
        assert [(await reader.next())[0] for _ in range(101)] == ["ENVELOPE"] + ["CAST"] * 100


def memory(pid):
    """Return the resident memory of a program, in bytes."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
async def test_memory_stays_bounded_under_a_flood(tmp_path, capsys):
    """Eight clients post large envelopes as fast as the socket takes them and read nothing: memory stays small."""
    command = await in_thread(
        lambda: Command(tmp_path, "--max-rate", "100000", "--max-byte-rate", "1G", "--log", "error")
    )
    clients = [await connect(command.port) for _ in range(8)]
    for client in clients:
        await client.join()
        await client.take("CURRENT")
    start = memory(command.program.pid)
    for client in clients:
        client.transport.underlying_transport.pause_reading()
    sent, most = 0, start
    frame = struct.pack(">BHI", 4, 1, 1) + os.urandom(100_000)
    end = asyncio.get_running_loop().time() + 4
    # Where the disk is slow, four seconds are too few to send what is a flood.
    while sent < 400_000_000 and (asyncio.get_running_loop().time() < end or sent <= 20_000_000):
        for client in clients:
            if client.transport.underlying_transport.get_write_buffer_size() < 1_000_000:
                client.send(frame)
                sent += len(frame)
        await asyncio.sleep(0)
        most = max(most, memory(command.program.pid))
    for client in clients:
        client.transport.disconnect(graceful=False)
    command.kill()
    with capsys.disabled():
        print(
            f"\nrelay's memory: {start / 1e6:.0f} MB before, {most / 1e6:.0f} MB at most, "
            f"while 8 clients posted {sent / 1e6:.0f} MB and read nothing"
        )
    assert sent > 20_000_000
    assert most - start < 300_000_000


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=120),
            st.builds(lambda kind, rest: bytes([kind]) + rest, st.integers(1, 7), st.binary(max_size=120)),
            st.sampled_from([2, 3, 4, 5, 6, 7]).map(
                lambda kind: {
                    2: struct.pack(">BH16s32sQ16s", 2, 1, ROOM, bytes(32), 0, bytes(16)),
                    3: struct.pack(">BH", 3, 1),
                    4: struct.pack(">BHI", 4, 1, 1) + bytes(40),
                    5: struct.pack(">BHI8sHHQ16s", 5, 1, 1, bytes(8), 0, 1, 1, bytes(16)) + bytes(40),
                    6: struct.pack(">BH", 6, 1) + bytes(40),
                    7: struct.pack(">BI", 7, 1),
                }[kind]
            ),
        ),
        max_size=12,
    )
)
async def test_any_frames_leave_the_relay_whole(tmp_path, sent):
    """Whatever a client sends, fitting together or not: the relay answers or cuts it off, and serves the next."""
    async with relay(tmp_path) as r:
        client = await r.client()
        for frame in sent:
            client.send(frame)
        client.send(b"\xff")
        await client.take("GONE")
        after = await r.client()
        await after.silence()
        assert "Traceback" not in r.said.getvalue()
        assert len(r.relay.connections) == 1
        await until(lambda: r.relay.rooms.by_key == {}, "no room")
        assert r.relay.space.unsaved == 0
