"""What one address can take of the disk: little, and it makes way. Old, small rooms and snapshots never starve."""

import pytest
from asynchronous import until
from relay_rig import Clock, by, envelopes, relay, sealed, tag

from masq_relay.disk.age import WEEK_MS
from masq_relay.disk.file import open_disk
from masq_relay.disk.records import Alone
from masq_relay.rooms import allowance

pytestmark = pytest.mark.real_time

DAY_MS = 86_400_000


async def fill(client, count, size, channel=1, first=1):
    """Post `count` envelopes one after the other; return how many were kept, and the codes of those that were not."""
    kept, codes = 0, set()
    for ref in range(first, first + count):
        client.post(sealed(size=size), ref, channel)
        heard = await client.next()
        while heard[0] == "OTHERS":
            heard = await client.next()
        if heard[0] == "GONE":
            break
        kept += heard[0] == "STORED"
        codes |= {heard[3]} if heard[0] == "ERROR" else set()
    return kept, codes


async def test_a_day_of_an_address(tmp_path):
    """An address adds so much in a day, a quarter of it where it is alone; others, and small rooms, are not its day."""
    async with relay(tmp_path, behind_proxy=True, day_peer=1_000_000) as r:
        hog = await r.member(headers=by(1), room=b"a" * 16)
        kept, codes = await fill(hog, 30, 20_000)
        assert 10 <= kept <= 13 and codes == {9}
        other = await r.member(headers=by(2), room=b"b" * 16)
        assert await fill(other, 10, 20_000) == (10, set())
        small = await r.member(headers=by(1), room=b"c" * 16)
        assert await fill(small, 10, 1_000) == (10, set())
        assert (await fill(small, 10, 2_000, first=20))[1] == {9}


async def test_an_address_that_is_not_alone(tmp_path):
    """In rooms that another address has joined an address adds four times as much, and no more."""
    async with relay(tmp_path, behind_proxy=True, day_peer=1_000_000) as r:
        one = await r.member(headers=by(1))
        await r.member(headers=by(2))
        kept, codes = await fill(one, 60, 20_000)
        assert 48 <= kept <= 51 and codes == {9}


async def test_a_snapshot_in_the_place_of_the_log(tmp_path):
    """A snapshot as large as the log that it ends counts for nobody's day; a larger one does."""
    async with relay(tmp_path, day_peer=800_000) as r:
        client = await r.member()
        last = b""
        for ref in range(1, 8):
            last = sealed(size=30_000)
            client.post(last, ref)
            heard = await client.next()
            if heard[0] == "ERROR":
                break
            end = (heard[3], tag(last))
        assert heard[3] == 9
        client.part(sealed(size=40_000), *end, ref=50)
        assert (await client.next("STORED"))[2] == 50
        client.part(sealed(size=300_000), end[0], end[1], part=0, of=2, ref=51, name=b"another!")
        assert (await client.next("ERROR"))[2:4] in ((51, 9), (51, 13))


async def test_rooms_in_a_day(tmp_path):
    """An address makes so many rooms in a day; those that are there are open to it, and others make theirs."""
    async with relay(tmp_path, behind_proxy=True, new_rooms_peer=3) as r:
        client = await r.client(headers=by(1))
        kept = []
        for channel in range(1, 6):
            await client.join(channel=channel, room=bytes([channel]) * 16)
            await client.take("CURRENT")
            kept.append(await fill(client, 2, 64, channel))
        assert kept == [(2, set())] * 3 + [(0, {9})] * 2
        other = await r.member(headers=by(2), room=b"x" * 16)
        assert await fill(other, 1, 64) == (1, set())


async def test_who_has_taken_most_makes_way(tmp_path):
    """On a disk that is nearly full rooms of the address with most go, though it is in them; others stay."""
    limits = {"store": 6_000_000, "room": 3_000_000, "tidy": 3600.0, "grace": 0.1}
    async with relay(tmp_path, behind_proxy=True, **limits) as r:
        shared = await r.member(headers=by(1), room=b"s" * 16)
        await r.member(headers=by(2), room=b"s" * 16)
        assert await fill(shared, 10, 50_000) == (10, set())
        single = await r.member(headers=by(3), room=b"1" * 16)
        last = sealed(size=50_000)
        await single.keep(sealed(size=50_000), last)
        hogs = []
        while not r.relay.metrics.counts["rooms_made_way_total"]:
            assert len(hogs) < 50
            hogs.append(await r.member(headers=by(4), room=bytes([0x80 + len(hogs)]) * 16))
            await fill(hogs[-1], 8, 100_000)
        await until(lambda: any(hog.gone.is_set() for hog in hogs), "the end of who was in it")
        await until(lambda: r.relay.gauges()["disk_bytes"] < 5_200_000, "the room that was made")
        assert await fill(single, 3, 50_000, first=10) == (3, set())
        assert await fill(shared, 3, 50_000, first=20) == (3, set())
        back = await r.member(headers=by(3), room=b"1" * 16)
        assert envelopes(back.backlog)[1] == (2, last)
        assert b"\x80" * 16 in r.relay.rooms.by_key  # its oldest rooms are the last to go
        assert '"rooms made way"' in r.said.getvalue()


async def test_old_rooms_and_snapshots_never_starve(tmp_path):
    """What is left of a full disk is for rooms of more than a week, for snapshots and for what is small."""
    elapsed = Clock()
    limits = {"store": 4_000_000, "room": 3_000_000, "tidy": 3600.0}
    async with relay(tmp_path, behind_proxy=True, elapsed=elapsed, **limits) as r:
        old = await r.member(headers=by(1), room=b"o" * 16)
        await old.keep(sealed(size=50_000))
        elapsed.ms += 8 * DAY_MS
        await r.member(headers=by(2), room=b"o" * 16)
        young = await r.member(headers=by(3), room=b"y" * 16)
        await r.member(headers=by(4), room=b"y" * 16)
        end = (0, b"")
        for ref in range(1, 60):
            envelope = sealed(size=100_000)
            young.post(envelope, ref)
            heard = await young.next()
            while heard[0] == "OTHERS":
                heard = await young.next()
            if heard[0] == "ERROR":
                break
            end = (heard[3], tag(envelope))
        assert heard[3] == 6
        alone = await r.member(headers=by(5), room=b"a" * 16)
        r.relay.space.added = int(limits["store"] * 0.92) - r.relay.space.measured
        assert await fill(alone, 1, 30_000) == (0, {6})
        assert await fill(alone, 3, 1_000, first=5) == (3, set())
        r.relay.space.added = int(limits["store"] * 0.96) - r.relay.space.measured
        assert await fill(alone, 1, 1_000, first=9) == (0, {6})
        assert await fill(young, 1, 30_000, first=70) == (0, {6})
        assert await fill(old, 2, 30_000, first=70) == (2, set())
        young.part(sealed(size=50_000), *end, ref=99)
        assert (await young.next("STORED"))[2] == 99


@pytest.mark.parametrize("how", ["another address", "a second week"])
async def test_a_room_is_somebodys(tmp_path, how):
    """A room stops being one address's when another joins it, or the same in a second week, also over a restart."""
    elapsed = Clock()
    async with relay(tmp_path, behind_proxy=True, elapsed=elapsed, tidy=3600.0) as r:
        client = await r.member(headers=by(1))
        await client.keep(sealed())
        await client.close()
    async with relay(tmp_path, behind_proxy=True, elapsed=elapsed, tidy=3600.0) as r:
        await (await r.member(headers=by(1))).close()
        await until(lambda: not r.relay.rooms.by_key)
        assert len(r.relay._disk.all_alone()) == 1
        elapsed.ms += WEEK_MS if how == "a second week" else 0
        await (await r.member(headers=by(2 if how == "another address" else 1))).close()
        await until(lambda: not r.relay.rooms.by_key)
    one, two = open_disk(tmp_path)
    assert one.all_alone() == []
    one.close(), two.close()


async def test_the_disk_names_no_address(tmp_path):
    """Nothing on disk is an address, or a mark that the same address has in every room."""
    async with relay(tmp_path, behind_proxy=True, tidy=3600.0) as r:
        client = await r.client(headers=by(77))
        for channel in (1, 2):
            await client.join(channel=channel, room=bytes([channel]) * 16, token=bytes([channel]) * 32)
            await client.take("CURRENT")
            await client.keep(sealed(), channel=channel)
        marks = [row[0] for row in r.relay._disk._sql.execute("SELECT alone FROM room").fetchall()]
        assert len(set(marks)) == 2 and all(len(mark) == 8 for mark in marks)
        held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"203.0.113.77" not in held


def alone(id, maker, size):
    """Return a room of one address."""
    return Alone(id, bytes([id]) * 16, maker, size)


def test_who_makes_way():
    """Always of the address that has most then, its newest room, until there is enough; many small rooms count too."""
    rooms = [alone(1, b"a", 900), alone(2, b"b", 5_000), alone(3, b"b", 3_000), alone(4, b"c", 4_000)]
    assert [each.id for each in allowance.rooms_that_make_way(rooms, 3_000)] == [3]
    assert [each.id for each in allowance.rooms_that_make_way(rooms, 9_000)] == [3, 2, 4]
    assert [each.id for each in allowance.rooms_that_make_way(rooms, 1 << 40)] == [3, 2, 4, 1]
    many = [*(alone(n, b"m", 48) for n in range(100)), alone(200, b"s", 20_000)]
    assert {each.maker for each in allowance.rooms_that_make_way(many, 9_000)} == {b"m"}
    assert allowance.rooms_that_make_way([], 9_000) == []
