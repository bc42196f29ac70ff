"""A log that cannot be written changes nothing else."""

import errno
import json
import os
import queue
import subprocess
import sys
import threading

import pytest
from asynchronous import until
from relay_rig import PATIENCE, ROOT, Clock, connect, in_thread, relay, sealed

from masq_relay.event_log import LINES_BURST, EventLog
from masq_relay.log_lines import MOST_WAITING, LogLines

pytestmark = pytest.mark.real_time


class Broken:
    """A stream that fails as a full disk, a pipe without a reader, or a closed file does."""

    lost = 0

    def __init__(self, error):
        self.error = error

    def write(self, line):
        """Fail."""
        raise self.error


FAILURES = [
    OSError(errno.ENOSPC, "no space"),
    BrokenPipeError(errno.EPIPE, "broken"),
    ValueError("closed"),
    MemoryError(),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
async def test_a_log_that_cannot_be_written(tmp_path, error):
    """Posts are answered while the disk fails, counts come back, members leave, and old rooms go as ever."""
    elapsed = Clock()
    async with relay(tmp_path, elapsed=elapsed, retention=60) as r:
        r.relay.event_log._out = Broken(error)
        client, idle = await r.member(), await r.member(room=b"i" * 16)
        await idle.keep(sealed())
        await idle.close()
        commit = r.relay._disk.commit

        def full(works, now):
            for work in works:
                work.envelopes.append(None)
            return commit(works, now)

        r.relay._disk.commit = full
        for ref in (1, 2, 3):
            client.post(sealed(), ref)
            assert (await client.next("ERROR"))[1:4] == (1, ref, 12)
        assert (r.relay.space.unsaved, r.relay.event_log.lost > 0) == (0, True)
        r.relay._disk.commit = commit
        assert await client.keep(sealed()) == [1]
        stranger = await r.client()
        stranger.send(b"\xff")
        await stranger.take("GONE")
        elapsed.ms += 61_000
        await until(lambda: r.relay.metrics.counts["rooms_expired_total"] == 1, "the idle room's end")
        await client.silence()


async def test_tidying_goes_on_after_any_failure(tmp_path):
    """Whatever one round of tidying raises, the next ones come."""
    async with relay(tmp_path) as r:
        size, rounds = r.relay._disk.size, []

        def odd():
            rounds.append(1)
            if len(rounds) < 3:
                raise PermissionError(errno.EACCES, "denied")
            return size()

        r.relay._disk.size = odd
        await until(lambda: len(rounds) > 4, "another round")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pipe that breaks")
@pytest.mark.parametrize("reader", ["gone", "asleep"])
async def test_a_program_whose_log_nobody_reads(tmp_path, reader):
    """A relay whose standard error is a broken pipe, or one that nobody empties, serves and stops as ever."""
    read, write = os.pipe()
    if reader == "gone":
        os.close(read)
    else:
        os.set_blocking(write, False)
        with open(write, "wb", buffering=0, closefd=False) as full:
            while full.write(bytes(4096)):
                pass
        os.set_blocking(write, True)
    command = [
        sys.executable,
        "-m",
        "masq_relay",
        "--port",
        "0",
        "--data",
        str(tmp_path),
        "--log",
        "debug",
    ]
    program = subprocess.Popen(
        command,
        env=dict(os.environ, PYTHONPATH=str(ROOT / "relay")),
        stdout=subprocess.PIPE,
        stderr=write,
        text=True,
    )
    os.close(write)
    port = int((await in_thread(program.stdout.readline)).strip().rsplit(":", 1)[1])
    for _ in range(3):
        client = await connect(port)
        client.send(b"\xff")
        await client.take("GONE")
    client = await connect(port)
    await client.join()
    await client.take("CURRENT")
    assert await client.keep(sealed()) == [1]
    program.terminate()
    assert await in_thread(lambda: program.wait(PATIENCE)) == 0
    program.stdout.close()
    if reader == "asleep":
        os.close(read)


def test_a_log_is_not_flooded():
    """Of more lines than a burst the rest is left out, and the next line says how many."""
    lines = []
    event_log = EventLog(
        "info", type("List", (), {"write": lambda self, line: lines.append(line), "lost": 0})()
    )
    for _ in range(int(LINES_BURST) + 500):
        event_log.write("warning", "cut off")
    assert len(lines) <= LINES_BURST + 20
    event_log._pace.give_back(1)
    event_log.write("warning", "cut off")
    assert json.loads(lines[-1])["left_out_before"] == event_log.lost > 400


@pytest.mark.parametrize("error", FAILURES[:3], ids=lambda error: type(error).__name__)
def test_lines_that_fail_later_are_counted(error):
    """A line that was taken, and could not be written by the thread that writes them, is among the lost ones."""
    lines = LogLines(Broken(error))
    event_log = EventLog("info", lines)
    event_log.write("warning", "cut off")
    lines.end()
    assert event_log.lost == 1


def test_lines_that_nobody_takes():
    """Lines wait for a slow reader up to a bound; then writing says so at once, and never waits."""
    gate, taken = threading.Event(), queue.Queue()

    class Slow:
        def write(self, line):
            gate.wait(PATIENCE)
            taken.put(line)

        def flush(self):
            pass

    lines = LogLines(Slow())
    with pytest.raises(LogLines.Full):
        for number in range(MOST_WAITING + 2):
            lines.write(str(number))
    gate.set()
    lines.end()
    assert taken.get(timeout=PATIENCE) == "0"
