"""The relay's log: what was acknowledged is there, and what is not there any more is said to be gone."""

import asyncio
import shutil
import sqlite3
import time

import pytest
from asynchronous import until
from patience import seconds
from relay_rig import BEGINNING, Clock, Command, connect, envelopes, in_thread, relay, sealed, tag

from masq_relay.disk.file import FILE

pytestmark = pytest.mark.real_time

DAY_MS = 86_400_000


async def test_a_cursor_in_the_log_resumes(tmp_path):
    """Every number of the log, with its tag, is a place to go on from; the beginning too."""
    async with relay(tmp_path) as r:
        writer = await r.member()
        kept = []
        for size in (
            1,
            3,
            2,
        ):  # several commits, so that a cursor stands at and within what one commit wrote
            more = [sealed() for _ in range(size)]
            await writer.keep(*more)
            kept += more
        for number in range(len(kept) + 1):
            cursor = (number, tag(kept[number - 1])) if number else BEGINNING
            client = await r.member(cursor=cursor)
            assert client.joined[4] == 0
            assert envelopes(client.backlog) == list(enumerate(kept, 1))[number:]


@pytest.mark.parametrize("cursor", [(2, b"x" * 16), (9, b"x" * 16), (2**64 - 1, bytes(16)), (0, b"x" * 16)])
async def test_a_cursor_that_is_not_in_the_log_is_reset(tmp_path, cursor):
    """A number with another tag, and a number beyond the head, are answered with reset and the whole log."""
    async with relay(tmp_path) as r:
        kept = [sealed() for _ in range(3)]
        await (await r.member()).keep(*kept)
        client = await r.member(cursor=cursor)
        assert client.joined[4] == 1
        assert envelopes(client.backlog) == list(enumerate(kept, 1))


async def test_the_data_directory_was_deleted(tmp_path):
    """A relay that has lost everything says reset, and the room begins anew."""
    folder = tmp_path / "data"
    last = sealed()
    async with relay(folder) as r:
        await (await r.member()).keep(sealed(), last)
    shutil.rmtree(folder)
    async with relay(folder) as r:
        client = await r.member(cursor=(2, tag(last)))
        assert client.joined == ("JOINED", 1, 0, 0, 1)
        assert envelopes(client.backlog) == []
        assert await client.keep(last) == [1]


async def test_the_log_was_rolled_back_and_has_grown_past_the_cursor(tmp_path):
    """An older copy of the log that others have posted into has the cursor's number, but not its tag: reset."""
    folder, copy = tmp_path / "data", tmp_path / "copy"
    early = [sealed() for _ in range(3)]
    lost = [sealed() for _ in range(3)]
    other = [sealed() for _ in range(5)]
    async with relay(folder) as r:
        await (await r.member()).keep(*early)
    shutil.copytree(folder, copy)
    async with relay(folder) as r:
        await (await r.member(cursor=(3, tag(early[-1])))).keep(*lost)
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    async with relay(folder) as r:
        short = await r.member(cursor=(6, tag(lost[-1])))
        assert short.joined == ("JOINED", 1, 3, 0, 1)
        await (await r.member(cursor=(3, tag(early[-1])))).keep(*other)
        client = await r.member(cursor=(6, tag(lost[-1])))
        assert client.joined[2::2] == (8, 1)
        assert envelopes(client.backlog) == list(enumerate(early + other, 1))
        unharmed = await r.member(cursor=(3, tag(early[-1])))
        assert unharmed.joined[4] == 0


async def test_killed_under_load_every_acknowledged_envelope_is_there(tmp_path):
    """SIGKILL while three clients post as fast as they can, three times: what was STORED is in its place."""
    acknowledged: dict[int, bytes] = {}
    for _ in range(3):
        command = await in_thread(lambda: Command(tmp_path))
        before = len(acknowledged)
        clients = []
        for _ in range(3):
            client = await connect(command.port)
            await client.join()
            await client.take("CURRENT")
            clients.append(client)

        async def load(client):
            sent = {}
            ref = 0
            while not client.gone.is_set():
                for _ in range(20):
                    ref += 1
                    sent[ref] = sealed()
                    client.post(sent[ref], ref)
                await asyncio.sleep(0)
                while not client.heard.empty():
                    heard = client.heard.get_nowait()
                    if heard[0] == "STORED":
                        acknowledged[heard[3]] = sent.pop(heard[2])

        tasks = [asyncio.ensure_future(load(client)) for client in clients]
        await until(lambda before=before: len(acknowledged) > before + 500, "500 acknowledgements")
        command.kill()
        await asyncio.wait_for(asyncio.gather(*tasks), seconds(20))
    command = await in_thread(lambda: Command(tmp_path))
    client = await connect(command.port)
    assert (await client.join())[4] == 0
    log = dict(envelopes(await client.take("CURRENT")))
    assert list(log) == list(range(1, len(log) + 1))
    missing = [number for number, envelope in acknowledged.items() if log.get(number) != envelope]
    assert (len(acknowledged) > 1500, missing) == (True, [])
    await client.close()
    assert (await in_thread(command.end))[0] == 0


async def test_nobody_is_sent_what_is_not_on_disk(tmp_path):
    """An envelope that the disk does not take reaches nobody; its sender hears code 12, and later ones go through."""
    async with relay(tmp_path) as r:
        one, two = await r.member(), await r.member()
        await one.next("OTHERS")
        await one.keep(sealed())
        await two.next("ENVELOPE")
        commit = r.relay._disk.commit

        def full(works, now):
            for work in works:
                work.envelopes.append(None)  # fails in the middle, after others were written
            return commit(works, now)

        r.relay._disk.commit = full
        one.post(sealed(), ref=5)
        assert (await one.next("ERROR"))[1:4] == (1, 5, 12)
        await two.silence()
        assert not r.relay.access.ok
        r.relay._disk.commit = commit
        assert await one.keep(sealed()) == [2]
        assert (await two.next("ENVELOPE"))[2] == 2
        assert r.relay.access.ok


async def test_idle_rooms_expire(tmp_path):
    """A room that nobody joins for the retention is forgotten; one that somebody is in, or came back to, is not."""
    clock = Clock()
    async with relay(tmp_path, elapsed=clock, retention=10 * 86_400, tidy=3600.0) as r:
        last = sealed()
        idle = await r.member()
        await idle.keep(sealed(), last)
        await idle.close()
        stays, visited = await r.client(), await r.client()
        for client, channel in ((stays, 2), (visited, 3)):
            await client.join(channel=channel, room=bytes([channel]) * 16)
            await client.take("CURRENT")
            await client.keep(last, channel=channel)
        await visited.close()
        for day in range(9):
            clock.ms += DAY_MS
            await r.relay.janitor.tidy()
            if day == 5:
                client = await r.client()
                assert (await client.join(channel=3, room=b"\3" * 16))[2] == 1
                await client.close()
        clock.ms += DAY_MS + 1
        await r.relay.janitor.tidy()
        assert r.relay.metrics.counts["rooms_expired_total"] == 1
        client = await r.member(cursor=(2, tag(last)), token=b"another token" + bytes(19))
        assert client.joined == ("JOINED", 1, 0, 0, 1)
        for channel in (2, 3):
            assert (await client.join(channel=channel, room=bytes([channel]) * 16, cursor=(1, tag(last))))[
                2::2
            ] == (1, 0)
            await client.take("CURRENT")


async def test_what_expired_leaves_the_disk(tmp_path):
    """An expired room's bytes are swept, and the file shrinks."""
    clock = Clock()
    async with relay(tmp_path, elapsed=clock, retention=60, tidy=3600.0) as r:
        client = await r.member()
        await client.keep(*[sealed(size=50_000) for _ in range(100)])
        await client.close()
        await r.relay.janitor.tidy()
        full = r.relay.gauges()["disk_bytes"]
        assert full > 5_000_000
        clock.ms += 61_000
        await r.relay.janitor.tidy()
        await r.relay.janitor.tidy()
        assert r.relay.gauges()["disk_bytes"] < full / 10
        assert r.relay.gauges()["rooms_stored"] == 0


def test_a_data_directory_that_vanishes_is_noticed(tmp_path):
    """A relay whose folder is deleted while it runs says so and ends with status 1, so that it is started anew."""
    command = Command(tmp_path / "data")
    shutil.rmtree(tmp_path / "data")
    assert command.program.wait(timeout=seconds(30)) == 1
    assert "data directory is gone" in command.program.communicate()[1]


async def test_the_disk_shows_no_token(tmp_path):
    """The relay keeps a hash of the access token, not the token."""
    token = b"<a token that is easy to find>.."
    async with relay(tmp_path) as r:
        client = await r.client()
        await client.join(token=token)
        await client.take("CURRENT")
        await client.keep(sealed("<an envelope>"))
        held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"<an envelope>" in held
        assert token not in held


async def test_commits_are_grouped(tmp_path):
    """Many envelopes that come together cost few commits."""
    async with relay(tmp_path) as r:
        client = await r.member()
        began = r.relay.metrics.counts["commits_total"]
        await client.keep(*[sealed() for _ in range(2000)])
        assert r.relay.metrics.counts["commits_total"] - began < 400


async def test_every_commit_is_flushed(tmp_path):
    """SQLite is told to write ahead and to flush with every commit."""
    async with relay(tmp_path) as r:
        sql = r.relay._disk._sql
        assert sql.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert sql.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


async def test_the_event_loop_does_not_wait_for_the_disk(tmp_path):
    """While a commit takes its time, pings are answered and other envelopes gather for the next one."""
    async with relay(tmp_path) as r:
        client = await r.member()
        commit = r.relay._disk.commit
        gate = asyncio.Event()

        def slow(works, now):
            end = time.monotonic() + seconds(20)
            while not gate.is_set() and time.monotonic() < end:
                time.sleep(0.002)
            return commit(works, now)

        r.relay._disk.commit = slow
        client.post(sealed(), ref=1)
        await client.silence()
        client.post(sealed(), ref=2)
        client.post(sealed(), ref=3)
        await client.silence()
        gate.set()
        assert [await client.next() for _ in range(3)] == [("STORED", 1, n, n) for n in (1, 2, 3)]


async def test_a_damaged_log_is_said_and_not_sent(tmp_path):
    """A batch that the disk gives back damaged ends the reader's connection with code 12."""
    async with relay(tmp_path) as r:
        await (await r.member()).keep(sealed())
    with sqlite3.connect(tmp_path / FILE) as sql:
        sql.execute("UPDATE sheet SET content = substr(content, 1, 20)")
    async with relay(tmp_path) as r:
        client = await r.client()
        client.ask()
        heard = await client.take("ERROR")
        assert heard[-1][3] == 12
        assert envelopes(heard) == []
