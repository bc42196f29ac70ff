"""Snapshots: they trim the log once they are durable, and stand for it afterwards."""

import struct

import pytest
from relay_rig import Clock, envelopes, relay, sealed, tag

pytestmark = pytest.mark.real_time


def parts(heard):
    """Return (part, of, number, envelope) of the SNAPSHOT frames."""
    return [each[2:] for each in heard if each[0] == "SNAPSHOT"]


async def test_a_snapshot_stands_for_the_log(tmp_path):
    """After a snapshot up to 6 of 8 a new device gets its parts, then 7 and 8; its bytes come back unchanged."""
    async with relay(tmp_path) as r:
        writer = await r.member()
        kept = [sealed() for _ in range(8)]
        await writer.keep(*kept[:3])
        await writer.keep(*kept[3:])  # the snapshot ends in the middle of what one commit wrote
        pieces = [sealed(size=70_000) for _ in range(5)]
        for n, piece in enumerate(pieces):
            writer.part(piece, 6, tag(kept[5]), part=n, of=5, ref=50 + n)
        assert [await writer.next() for _ in pieces] == [("STORED", 1, 50 + n, 6) for n in range(5)]
        expected = [(n, 5, 6, piece) for n, piece in enumerate(pieces)]
        new = await r.member()
        assert new.joined == ("JOINED", 1, 8, 1, 0)
        assert parts(new.backlog) == expected
        assert envelopes(new.backlog) == list(enumerate(kept, 1))[6:]
        assert [each[0] for each in new.backlog] == ["SNAPSHOT"] * 5 + ["ENVELOPE"] * 2 + ["CURRENT"]
        await writer.take("OTHERS")
        assert await writer.keep(sealed()) == [9]
    async with relay(tmp_path) as r:
        again = await r.member()
        assert parts(again.backlog) == expected
        assert [number for number, _ in envelopes(again.backlog)] == [7, 8, 9]


async def test_cursors_after_a_trim(tmp_path):
    """A cursor at or after the snapshot's end goes on; one before it is reset and begins with the snapshot."""
    async with relay(tmp_path) as r:
        writer = await r.member()
        kept = [sealed() for _ in range(4)]
        await writer.keep(*kept)
        piece = sealed()
        writer.part(piece, 3, tag(kept[2]))
        await writer.next("STORED")
        for number, reset, snapshot, log in ((4, 0, [], []), (3, 0, [], [4]), (2, 1, [piece], [4])):
            client = await r.member(cursor=(number, tag(kept[number - 1])))
            assert client.joined[4] == reset
            assert [each[-1] for each in parts(client.backlog)] == snapshot
            assert [each for each, _ in envelopes(client.backlog)] == log


async def test_the_whole_log_can_be_trimmed(tmp_path):
    """A snapshot up to the head leaves no envelope, and numbers go on where they were, after a restart too."""
    async with relay(tmp_path, tidy=3600.0) as r:
        writer = await r.member()
        kept = [sealed() for _ in range(3)]
        await writer.keep(*kept[:2])
        await writer.keep(kept[2])
        writer.part(sealed(), 3, tag(kept[2]))
        await writer.next("STORED")
        await r.relay.janitor.tidy()
    async with relay(tmp_path) as r:
        client = await r.member(cursor=(3, tag(kept[2])))
        assert client.joined == ("JOINED", 1, 3, 0, 0)
        assert client.backlog == [("CURRENT", 1, 3)]
        assert await client.keep(sealed()) == [4]
        new = await r.member()
        assert (len(parts(new.backlog)), [n for n, _ in envelopes(new.backlog)]) == (1, [4])


async def test_trimmed_only_once_durable(tmp_path):
    """Until the last part is on disk the log is whole, whatever has come of the snapshot; a restart forgets that."""
    kept = [sealed() for _ in range(4)]
    everything = list(enumerate(kept, 1))
    async with relay(tmp_path) as r:
        writer = await r.member()
        await writer.keep(*kept)
        for n in range(2):
            writer.part(sealed(), 4, tag(kept[3]), part=n, of=3, ref=n)
            await writer.next("STORED")
        assert envelopes((await r.member()).backlog) == everything
    async with relay(tmp_path) as r:
        reader = await r.member()
        assert (parts(reader.backlog), envelopes(reader.backlog)) == ([], everything)
        writer = await r.member()
        writer.part(sealed(), 4, tag(kept[3]), part=2, of=3)
        assert (await writer.next("ERROR"))[3] == 13
        commit = r.relay._disk.commit
        r.relay._disk.commit = lambda works, now: commit([*works, None], now)  # fails after all was written
        writer.part(sealed(), 4, tag(kept[3]))
        assert (await writer.next("ERROR"))[3] == 12
        r.relay._disk.commit = commit
        assert envelopes((await r.member()).backlog) == everything
        await writer.take("OTHERS")
        writer.part(sealed(), 4, tag(kept[3]))
        await writer.next("STORED")
        assert envelopes((await r.member()).backlog) == []


@pytest.mark.parametrize(
    ("number", "end", "why"),
    [(2, b"x" * 16, "another tag"), (9, b"x" * 16, "beyond the head"), (0, bytes(16), "the beginning")],
)
async def test_a_snapshot_of_what_is_not_there_is_refused(tmp_path, number, end, why):
    """A snapshot must end with an envelope of this log; the log stays as it was."""
    async with relay(tmp_path) as r:
        writer = await r.member()
        await writer.keep(sealed(), sealed(), sealed())
        for part in range(2):
            writer.part(sealed(), number, end, part=part, of=2, ref=7 + part)
        for ref in (7, 8):
            assert (await writer.next("ERROR"))[1:4] == (1, ref, 13), why
        assert len(envelopes((await r.member()).backlog)) == 3


async def test_parts_must_be_in_order_and_of_one_kind(tmp_path):
    """A part left out, repeated, or with another total ends the attempt; a whole new one works."""
    async with relay(tmp_path) as r:
        writer = await r.member()
        end = sealed()
        await writer.keep(sealed(), end)
        for second, of in ((2, 3), (0, 3), (1, 2)):
            writer.part(sealed(), 2, tag(end), part=0, of=3)
            await writer.next("STORED")
            writer.part(sealed(), 2, tag(end), part=second, of=of, name=b"snapshot")
            if second == 0:  # begins again, which is allowed
                await writer.next("STORED")
                continue
            assert (await writer.next("ERROR"))[3] == 13
        writer.part(sealed(), 2, tag(end), part=0, of=2)
        writer.part(sealed(), 2, tag(end), part=1, of=2)
        assert [(await writer.next())[0] for _ in range(2)] == ["STORED", "STORED"]


async def test_the_newer_snapshot_wins(tmp_path):
    """An older or equal snapshot than the one that is there is refused; a newer one replaces it, parts and all."""
    async with relay(tmp_path, tidy=3600.0) as r:
        writer = await r.member()
        kept = [sealed() for _ in range(5)]
        await writer.keep(*kept)
        first, second = [sealed("one"), sealed("two")], sealed("three")
        for n, piece in enumerate(first):
            writer.part(piece, 3, tag(kept[2]), part=n, of=2)
            await writer.next("STORED")
        for number in (2, 3):
            writer.part(sealed(), number, tag(kept[number - 1]))
            assert (await writer.next("ERROR"))[3] == 13
        writer.part(second, 5, tag(kept[4]))
        await writer.next("STORED")
        assert parts((await r.member()).backlog) == [(0, 1, 5, second)]
        await r.relay.janitor.tidy()
        kept_parts = r.relay._reading._sql.execute("SELECT content FROM part").fetchall()
        assert kept_parts == [(second,)]


async def test_two_who_write_a_snapshot_at_once(tmp_path):
    """The first goes on, the second is refused; when the first leaves or falls silent, the second may."""
    clock = Clock()
    async with relay(tmp_path, elapsed=clock, snapshot=60.0) as r:
        one, two = await r.member(), await r.member()
        await one.next("OTHERS")
        end = sealed()
        await one.keep(end)
        await two.next("ENVELOPE")
        one.part(sealed(), 1, tag(end), part=0, of=2)
        await one.next("STORED")
        two.part(sealed(), 1, tag(end), part=0, of=2, name=b"<second>")
        assert (await two.next("ERROR"))[3] == 13
        clock.ms += 61_000
        two.part(sealed(), 1, tag(end), part=0, of=2, name=b"<second>")
        await two.next("STORED")
        one.part(sealed(), 1, tag(end), part=1, of=2)
        assert (await one.next("ERROR"))[3] == 13
        await two.close()
        await one.next("OTHERS")
        one.part(sealed(), 1, tag(end))
        await one.next("STORED")
        assert len(parts((await r.member()).backlog)) == 1


@pytest.mark.parametrize("how", ["part 0 again and again", "a part now and then"])
async def test_the_place_for_a_snapshot_is_held_by_nobody_for_ever(tmp_path, how):
    """Who begins anew comes no further, and who goes on without end has a quarter of an hour; then others may write."""
    clock = Clock()
    async with relay(tmp_path, elapsed=clock, snapshot=60.0, snapshot_whole=900.0) as r:
        one, two = await r.member(), await r.member()
        await one.next("OTHERS")
        end = sealed()
        await one.keep(end)
        await two.next("ENVELOPE")
        again = how == "part 0 again and again"
        seconds, steps = (25_000, 3) if again else (50_000, 18)
        for step in range(steps):
            part, name = (0, b"<set %03d>" % step) if again else (step, b"<first->")
            one.part(sealed(), 1, tag(end), part=part, of=1000, name=name[:8])
            await one.next("STORED")
            two.part(sealed(), 1, tag(end), name=b"<second>")
            assert (await two.next("ERROR"))[3] == 13
            clock.ms += seconds
        two.part(sealed(), 1, tag(end), name=b"<second>")
        await two.next("STORED")


async def test_a_snapshot_that_is_whole_outlives_its_writer(tmp_path):
    """A writer that goes right after its last part leaves a whole snapshot or none, and a log that fits it."""
    async with relay(tmp_path) as r:
        for _ in range(20):
            writer = await r.member()
            end = sealed()
            (number,) = await writer.keep(end)
            writer.part(sealed(), number, tag(end), part=0, of=2)
            writer.part(sealed(), number, tag(end), part=1, of=2)
            await writer.close()
            reader = await r.member()
            numbers = [each[2] for each in parts(reader.backlog)][-1:] or [0]
            assert [n for n, _ in envelopes(reader.backlog)] == list(range(numbers[0] + 1, number + 1))
            await reader.close()


async def test_a_snapshot_makes_room(tmp_path):
    """A full room takes posts again after a snapshot, which may itself be as large as a room."""
    async with relay(tmp_path, room=50_000, frame=20_000) as r:
        writer = await r.member()
        ref, numbers, end = 0, 0, b""
        while True:
            ref += 1
            envelope = sealed(size=5_000)
            writer.post(envelope, ref)
            heard = await writer.next()
            if heard[0] == "ERROR":
                break
            numbers, end = heard[3], envelope
        assert heard[1:4] == (1, ref, 6)
        writer.part(sealed(size=15_000), numbers, tag(end), part=0, of=2)
        writer.part(sealed(size=15_000), numbers, tag(end), part=1, of=2)
        assert [(await writer.next())[0] for _ in range(2)] == ["STORED", "STORED"]
        assert await writer.keep(sealed(size=5_000)) == [numbers + 1]
        for part in range(4):
            writer.part(sealed(size=15_000), numbers + 1, bytes(16), part=part, of=9, ref=part)
        codes = [(await writer.next())[3] for _ in range(4)]
        assert codes[-1] in (6, 13)


async def test_a_reader_whom_the_log_leaves_behind_gets_the_snapshot(tmp_path):
    """A member that has not read on when the log is trimmed gets the snapshot in its place, then what follows."""
    async with relay(tmp_path, stalled=60.0) as r:
        writer = await r.member()
        kept = [sealed(str(n), 20_000) for n in range(400)]
        await writer.keep(*kept)
        reader = await r.client()
        reader.transport.underlying_transport.pause_reading()
        reader.ask()
        while len(r.relay.connections.slow) < 1:
            await writer.silence_but_others()
        writer.part(sealed("S"), 390, tag(kept[389]))
        await writer.take("STORED")
        reader.transport.underlying_transport.resume_reading()
        heard = await reader.take("CURRENT")
        numbers = [each[4 if each[0] == "SNAPSHOT" else 2] for each in heard[1:-1]]
        place = [each[0] for each in heard].index("SNAPSHOT") - 1
        assert numbers == [*range(1, place + 1), 390, *range(391, 401)]
        assert place < 390


async def test_parts_count_from_zero(tmp_path):
    """Part 3 of 3 is no frame at all."""
    async with relay(tmp_path) as r:
        writer = await r.member()
        writer.send(struct.pack(">BHI8sHHQ16s", 5, 1, 1, b"snapshot", 3, 3, 1, bytes(16)) + sealed())
        assert (await writer.next("ERROR"))[3] == 1
