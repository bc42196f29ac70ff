"""One room's trouble stays that room's, room numbers do not end, and nothing ages by the date."""

import sqlite3

import pytest
from asynchronous import until
from relay_rig import Clock, envelopes, relay, sealed

from masq_relay.disk import records, room_numbers
from masq_relay.disk.file import FILE, open_disk
from masq_relay.disk.room_numbers import LAST_ENVELOPE, LAST_ROOM

pytestmark = pytest.mark.real_time

DAY_MS = 86_400_000


def work(key, size=32):
    """Return what makes a room with one envelope."""
    return records.Work(key.ljust(16, b"."), b"T" * 32, None, 0, 0, [bytes(size)], [])


async def test_a_failed_room_takes_nothing_of_others_along(tmp_path):
    """Of rooms that are kept in one commit only the one that cannot be is refused; others' posts, parts, too."""
    async with relay(tmp_path, tidy=3600.0) as r:
        good, bad = await r.member(room=b"g" * 16), await r.member(room=b"b" * 16)
        last = sealed()
        assert await good.keep(sealed(), last) == [1, 2]
        commit = r.relay._disk.commit

        def broken(works, now):
            for each in works:
                if each.key == b"b" * 16:
                    each.envelopes.append(None)
            return commit(works, now)

        r.relay._disk.commit = broken
        for ref in range(3, 13):
            bad.post(sealed(), ref)
            good.post(sealed(), ref)
        good.part(sealed(), 2, last[-16:], ref=13)
        heard = [await good.next("STORED") for _ in range(11)]
        assert [each[2:] for each in heard] == [*((n, n) for n in range(3, 13)), (13, 2)]
        assert {(await bad.next("ERROR"))[3] for _ in range(10)} == {12}
        assert r.relay.access.ok
        assert '"room failed"' in r.said.getvalue()


def test_room_numbers_are_given_again(tmp_path):
    """When every number was given out once, those of rooms that are gone and swept come again, and no other."""
    one, two = open_disk(tmp_path)
    first = [one.commit([work(bytes([n]))], 0)[0].id for n in range(5)]
    assert first == [1, 2, 3, 4, 5]
    one._sql.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'room'", (LAST_ROOM - 1,))
    assert one.commit([work(b"\x10")], 0)[0].id == LAST_ROOM
    one.forget([2, 4])
    assert one.commit([work(b"\x11")], 0)[0].id == 6  # 2 and 4 have envelopes still
    while one.sweep():
        pass
    one._last_reused = LAST_ROOM
    assert [one.commit([work(bytes([n]))], 0)[0].id for n in (0x12, 0x13, 0x14)] == [2, 4, 7]
    one.close(), two.close()


async def test_all_numbers_in_use(tmp_path, monkeypatch):
    """A relay whose room numbers are all in use refuses the new room, and only that, by code 6; a log's end too."""
    monkeypatch.setattr(room_numbers, "LAST_ROOM", 1)
    async with relay(tmp_path) as r:
        good, new = await r.member(room=b"g" * 16), await r.member(room=b"n" * 16)
        assert await good.keep(sealed()) == [1]
        for ref in range(1, 6):
            new.post(sealed(), ref)
            good.post(sealed(), ref)
        assert [(await good.next("STORED"))[3] for _ in range(5)] == [2, 3, 4, 5, 6]
        assert {(await new.next("ERROR"))[3] for _ in range(5)} == {6}
        assert r.relay.access.ok
        r.relay.rooms.by_key[b"g" * 16].head = LAST_ENVELOPE
        good.post(sealed(), 9)
        assert (await good.next("ERROR"))[1:4] == (1, 9, 6)


@pytest.mark.parametrize("jump", [91 * DAY_MS, -91 * DAY_MS])
async def test_a_date_that_jumps_makes_nothing_older(tmp_path, jump):
    """A wrong date for a while, in a run or at the start of one, forgets no room; time that passes does."""
    date, elapsed = Clock(), Clock()
    kept = [sealed() for _ in range(3)]
    for _ in range(2):
        async with relay(tmp_path, date, elapsed=elapsed, tidy=3600.0) as r:
            member = await r.member()
            if not envelopes(member.backlog):
                await member.keep(*kept)
            await member.close()
            await until(lambda r=r: not r.relay.rooms.by_key)
            date.ms += jump
            await r.relay.janitor.tidy()
            member = await r.member()
            assert [each[1] for each in envelopes(member.backlog)] == kept
            await member.close()
            await until(lambda r=r: not r.relay.rooms.by_key)
    async with relay(tmp_path, date, elapsed=elapsed, tidy=3600.0) as r:
        for days, left in ((89, 1), (2, 0)):
            elapsed.ms += days * DAY_MS
            await r.relay.janitor.tidy()
            assert r.relay.gauges()["rooms_stored"] == left


async def test_age_adds_up_over_runs(tmp_path):
    """A room's age counts the time that relays ran, each run from where the one before stopped."""
    elapsed = Clock()
    for day in range(4):
        async with relay(tmp_path, elapsed=elapsed, retention=3 * 86_400, tidy=3600.0) as r:
            if day == 0:
                member = await r.member()
                await member.keep(sealed())
                await member.close()
                await until(lambda r=r: not r.relay.rooms.by_key)
            await r.relay.janitor.tidy()
            assert r.relay.gauges()["rooms_stored"] == 1
            elapsed.ms += DAY_MS - 1_000
        elapsed.ms += 50 * DAY_MS  # nobody was there to join
    async with relay(tmp_path, elapsed=elapsed, retention=3 * 86_400, tidy=3600.0) as r:
        await r.relay.janitor.tidy()
        assert r.relay.gauges()["rooms_stored"] == 0


def test_data_of_the_first_version_is_taken_over(tmp_path):
    """A file of version 1 opens with all its rooms, none of them nearer to its end than before."""
    one, two = open_disk(tmp_path)
    one.commit([work(b"a")], 0)
    one.close(), two.close()
    with sqlite3.connect(tmp_path / FILE) as sql:
        sql.executescript(
            "DROP TABLE age; DROP INDEX refuse_low; DROP INDEX room_alone; ALTER TABLE room DROP COLUMN made;"
            "ALTER TABLE room DROP COLUMN maker; ALTER TABLE room DROP COLUMN alone;"
            "UPDATE room SET touched = 1800000000000; PRAGMA user_version = 1"
        )
    sql.close()
    one, two = open_disk(tmp_path)
    kept, _ = two.find(b"a".ljust(16, b"."), 0, bytes(16))
    assert (kept.head, kept.touched, kept.made, kept.alone) == (1, one.age_ms(), 0, None)
    one.close(), two.close()


def test_many_rooms_that_are_gone_are_swept_soon(tmp_path):
    """One step sweeps the envelopes of many small rooms, so that a large trimmed log does not wait behind them."""
    one, two = open_disk(tmp_path)
    one.commit([work(n.to_bytes(2, "big")) for n in range(600)], 0)
    one.forget(list(range(1, 601)))
    steps = 0
    while one.sweep():
        steps += 1
    assert steps <= 4
    assert one._sql.execute("SELECT count(*) FROM sheet").fetchone() == (0,)
    one.close(), two.close()
