"""Devices meet in a room of the relay: together, one after the other, and after an absence."""

import struct

import pytest
from picows import WSMsgType
from relay_rig import BEGINNING, ROOM, envelopes, relay, sealed, tag

pytestmark = pytest.mark.real_time


async def test_two_clients_meet(tmp_path):
    """What one posts, the other gets with its number; the sender gets the number as an acknowledgement."""
    async with relay(tmp_path) as r:
        one = await r.member()
        two = await r.member()
        assert one.joined == ("JOINED", 1, 0, 0, 0)
        assert two.joined == ("JOINED", 1, 0, 1, 0)
        assert await one.next() == ("OTHERS", 1, 1)
        first, second = sealed(), sealed()
        one.post(first, ref=7)
        assert await one.next() == ("STORED", 1, 7, 1)
        assert (await two.next("ENVELOPE"))[2::2] == (1, first)
        two.post(second, ref=3)
        assert (await one.next("ENVELOPE"))[2::2] == (2, second)
        assert await two.next() == ("STORED", 1, 3, 2)


async def test_welcome_says_what_holds_here(tmp_path):
    """WELCOME names the version, the limits, the retention and the relay's time."""
    async with relay(tmp_path, lambda: 1_234, frame=50_000, room=200_000, retention=3600) as r:
        client = await r.client()
        assert client.welcome == ("WELCOME", 1, 50_000, 200_000, 3600, 1_234)


async def test_never_online_together(tmp_path):
    """One posts and goes; the other comes, reads, posts and goes; the first comes back and reads that."""
    first, second = sealed(), sealed()
    async with relay(tmp_path) as r:
        one = await r.member()
        await one.keep(first)
        await one.close()
        two = await r.member()
        assert envelopes(two.backlog) == [(1, first)]
        await two.keep(second)
        await two.close()
        back = await r.member(cursor=(1, tag(first)))
        assert back.joined == ("JOINED", 1, 2, 0, 0)
        assert envelopes(back.backlog) == [(2, second)]
        assert back.backlog[-1] == ("CURRENT", 1, 2)


async def test_a_restart_changes_nothing(tmp_path):
    """A relay that was stopped and started again goes on with the same log and the same token."""
    kept = [sealed(str(n)) for n in range(5)]
    async with relay(tmp_path) as r:
        await (await r.member()).keep(*kept)
    async with relay(tmp_path) as r:
        stranger = await r.client()
        stranger.ask(token=bytes(32))
        assert (await stranger.next("ERROR"))[3] == 3
        client = await r.member(cursor=(2, tag(kept[1])))
        assert envelopes(client.backlog) == list(enumerate(kept, 1))[2:]
        assert await client.keep(sealed()) == [6]


async def test_all_members_hear_one_order(tmp_path):
    """Four who post at once get the same numbers for the same envelopes, own ones included, in rising order."""
    async with relay(tmp_path) as r:
        clients = [await r.member() for _ in range(4)]
        sent = {(c, ref): sealed(f"{c} {ref}") for c in range(4) for ref in range(1, 101)}
        for (c, ref), envelope in sent.items():
            clients[c].post(envelope, ref)
        logs = []
        for c, client in enumerate(clients):
            log = {}
            while len(log) < 400:
                heard = await client.next()
                if heard[0] == "STORED":
                    number, envelope = heard[3], sent[c, heard[2]]
                elif heard[0] == "ENVELOPE":
                    number, envelope = heard[2], heard[4]
                else:
                    continue
                assert number == len(log) + 1
                log[number] = envelope
            logs.append(log)
        assert logs[0] == logs[1] == logs[2] == logs[3]
        assert sorted(logs[0].values()) == sorted(sent.values())


async def test_casts_reach_who_is_there(tmp_path):
    """A cast goes to the others now, after what was posted before it, and is not kept."""
    async with relay(tmp_path) as r:
        one, two = await r.member(), await r.member()
        await one.next("OTHERS")
        before, cast, after = sealed(), sealed(), sealed()
        one.post(before)
        one.cast(cast)
        one.post(after)
        assert [(await two.next())[0] for _ in range(3)] == ["ENVELOPE", "CAST", "ENVELOPE"]
        assert [(await one.next())[0] for _ in range(2)] == ["STORED", "STORED"]
        await one.silence()
        two.cast(cast)
        assert await one.next() == ("CAST", 1, cast)
        three = await r.member()
        assert [each[0] for each in three.backlog] == ["ENVELOPE", "ENVELOPE", "CURRENT"]


async def test_others_are_counted(tmp_path):
    """Who comes and goes is told to the others as a number; leaving by LEAVE and by closing are the same."""
    async with relay(tmp_path) as r:
        one = await r.member()
        two, three = await r.member(), await r.member()
        assert [await one.next() for _ in range(2)] == [("OTHERS", 1, 1), ("OTHERS", 1, 2)]
        assert three.joined[3] == 2
        two.leave()
        assert await one.next() == ("OTHERS", 1, 1)
        await three.close()
        assert await one.next() == ("OTHERS", 1, 0)
        assert await two.next() == ("OTHERS", 1, 2)
        await two.silence()


async def test_one_socket_for_many_rooms(tmp_path):
    """Rooms on one socket are apart: each has its own numbers, and a channel can be used again after LEAVE."""
    async with relay(tmp_path) as r:
        client, other = await r.client(), await r.client()
        rooms = {channel: bytes([channel]) * 16 for channel in range(5)}
        for channel, room in rooms.items():
            await client.join(channel=channel, room=room)
            await client.take("CURRENT")
            assert await client.keep(sealed(), sealed(), channel=channel) == [1, 2]
        await other.join(channel=9, room=rooms[3])
        heard = await other.take("CURRENT")
        assert [number for number, _ in envelopes(heard)] == [1, 2]
        assert await client.next() == ("OTHERS", 3, 1)
        other.post(sealed(), channel=9)
        assert (await client.next("ENVELOPE"))[1:3] == (3, 3)
        client.leave(3)
        client.post(sealed(), channel=3, ref=8)
        assert (await client.next("ERROR"))[1:4] == (3, 8, 4)
        assert await client.join(channel=3, room=b"another room oft") == ("JOINED", 3, 0, 0, 0)


async def test_a_large_message_may_come_in_parts(tmp_path):
    """Browsers cut a large message into WebSocket fragments; the relay puts it together again."""
    async with relay(tmp_path) as r:
        one, two = await r.member(), await r.member()
        envelope = sealed(size=300_000)
        frame = struct.pack(">BHI", 4, 1, 5) + envelope
        one.transport.send(WSMsgType.BINARY, frame[:100_000], fin=False)
        one.transport.send_ping(b"in between")
        one.transport.send(WSMsgType.CONTINUATION, frame[100_000:200_000], fin=False)
        one.transport.send(WSMsgType.CONTINUATION, frame[200_000:])
        assert (await one.take("STORED"))[-1] == ("STORED", 1, 5, 1)
        assert (await two.next("ENVELOPE"))[4] == envelope


async def test_a_long_log_comes_whole(tmp_path):
    """A log of many pages arrives complete and in order, while others go on posting into it."""
    async with relay(tmp_path) as r:
        writer = await r.member()
        kept = [sealed(str(n), 1000) for n in range(1500)]
        await writer.keep(*kept)
        reader = await r.client()
        await reader.join()
        late = [sealed(f"late {n}", 1000) for n in range(300)]
        for n, envelope in enumerate(late):
            writer.post(envelope, n)
        heard = []
        while len(heard) < 1800:
            each = await reader.next()
            if each[0] == "ENVELOPE":
                heard.append((each[2], each[4]))
        assert heard == list(enumerate(kept + late, 1))


async def test_a_room_nobody_posted_in_leaves_no_trace(tmp_path):
    """A room is on disk from its first envelope on; one that was only used for casts is not."""
    async with relay(tmp_path) as r:
        one, two = await r.member(), await r.member()
        one.cast(sealed())
        await two.next("CAST")
        await one.close()
        await two.close()
        found = await r.relay.access.read.ask(lambda: r.relay._reading.find(ROOM, *BEGINNING))
        assert found == (None, True)
        assert r.relay.rooms.by_key == {}
