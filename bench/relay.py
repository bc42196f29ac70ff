#!/usr/bin/env python3
"""Measure the relay beside a bare forwarder on Node's ws, under the same load. Takes about half a minute.

    python3 bench/relay.py [--rounds N] [--seconds S] [--smoke | --record]

The relay checks tokens, counts quotas and flushes every envelope to disk before it passes it on; the forwarder does
none of that. Ten rooms, four members each, envelopes of 256 bytes; each member has 16 of them on the way.

A delivery is one envelope that reached one other member. What is compared is deliveries for each second of processor
time that the server used, all its threads together: that is what one core gives, and other programs on the machine
hardly change it. Deliveries by the clock are shown beside it; there the load's own Python is often the slower half.

It reports, and exits with 0 whatever it finds. With --smoke it does one round, and fails where a row is missing or ten
times worse than in bench/recorded.json, which --record writes.
"""

import argparse
import asyncio
import os
import struct
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

ROOMS, MEMBERS, SIZE, WINDOW = 10, 4, 256, 16
WARM_UP_SECONDS = 0.5
QUOTAS = (
    "--max-rate",
    "1000000",
    "--max-byte-rate",
    "1G",
    "--max-room",
    "4G",
    "--max-store",
    "8G",
    "--max-day-peer",
    "8G",
)


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure the relay beside a bare forwarder on Node's ws.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, each with both servers")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of load for a server in a round")
    from bench.recorded import finish, parse

    options = parse(parser, rounds=1, seconds=1.0)
    from build.environment import enter

    enter(__file__, ("build", "relay"))
    if not Path("/proc/self/stat").exists():
        sys.exit("This needs /proc, to read how much processor time a server has used.")
    from build.node import install_packages
    from build.places import CACHE, BuildError

    CACHE.mkdir(exist_ok=True)
    try:
        install_packages(dev=True)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return finish("relay", options, lambda: measured(options))


def measured(options: argparse.Namespace) -> list:
    """Load both servers in each round, and return the table's lines."""
    from bench.server import forwarder
    from bench.table import of_relay

    forwarded, relayed = kinds()
    ours, theirs = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="masq-bench-", dir=ROOT / ".cache") as folder:
            relay = [sys.executable, "-m", "masq_relay", "--port", "0", "--data", folder, *QUOTAS]
            ours.append(rates(relay, relayed, options.seconds))
        theirs.append(rates(forwarder(), forwarded, options.seconds))
    return of_relay(ours, theirs)


def rates(command: list[str], kind: type, seconds: float) -> dict[str, float]:
    """Start a server, load it, end it. Returns deliveries for a second of its processor time, and by the clock."""
    import uvloop

    from bench.server import running
    from bench.table import CLOCK, CORE

    with running(command) as (address, pid), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        got, used, passed = runner.run(load(address, kind, pid, seconds))
    if not (got and used):
        sys.exit(f"{' '.join(command)} delivered nothing.")
    return {CORE: got / used, CLOCK: got / passed}


async def load(address: str, kind: type, pid: int, seconds: float) -> tuple[int, float, float]:
    """Keep WINDOW envelopes of every member on the way for so long.

    Returns the deliveries, the seconds of processor time, and the seconds by the clock.
    """
    from picows import ws_connect

    rooms = []
    for number in range(ROOMS):
        room: list = []
        for member in range(MEMBERS):
            ears = kind(room, member)
            transport, _ = await ws_connect(lambda ears=ears: ears, f"{address}/{number}")
            ears.begin(transport, number)
            await asyncio.wait_for(ears.ready.wait(), 20)
            room.append(ears)
        rooms.append(room)
    members = [ears for room in rooms for ears in room]
    for ears in members:
        for _ in range(WINDOW):
            ears.post()
    await asyncio.sleep(WARM_UP_SECONDS)
    got, used, at = sum(ears.got for ears in members), processor_seconds(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    got = sum(ears.got for ears in members) - got
    used, at = processor_seconds(pid) - used, time.perf_counter() - at
    for ears in members:
        ears.transport.disconnect(graceful=False)
    if refusal := next(filter(None, (ears.refusal for ears in members)), ""):
        sys.exit(f"The relay says: {refusal}")
    return got, used, at


def processor_seconds(pid: int) -> float:
    """Return the processor time that a program has used, in user and system mode, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kinds() -> tuple[type, type]:
    """Return the two kinds of member; picows is there only once the environment was entered."""
    from picows import WSListener, WSMsgType

    class Forwarded(WSListener):
        """A member of a room of the forwarder: its message is the envelope."""

        header = b""
        skip = 0

        def __init__(self, room: list, member: int) -> None:
            self.room = room
            self.member = member
            self.next = (member + 1) % MEMBERS
            self.got = 0
            self.refusal = ""
            self.ready = asyncio.Event()

        def begin(self, transport, number: int) -> None:
            """Join; the path has said which room."""
            self.transport = transport
            self.message = self.header + bytes([self.member]) + os.urandom(SIZE - 1)
            self.ready.set()

        def post(self) -> None:
            """Send one envelope."""
            self.transport.send(WSMsgType.BINARY, self.message)

        def on_ws_frame(self, transport, frame) -> None:
            """Count an envelope; the member before this one sends its next when its own has arrived here."""
            self.count(frame.get_payload_as_bytes())

        def count(self, content: bytes) -> None:
            """Count an envelope."""
            self.got += 1
            sender = content[self.skip]
            if (sender + 1) % MEMBERS == self.member:
                self.room[sender].post()

    class Relayed(Forwarded):
        """A member of a room of the relay: it has said HELLO and JOIN, and is told that its envelopes are stored."""

        header = struct.pack(">BHI", 4, 1, 1)
        skip = 19

        def begin(self, transport, number: int) -> None:
            """Join by token."""
            super().begin(transport, number)
            self.ready.clear()
            transport.send(WSMsgType.BINARY, b"\x01\x01")
            room = bytes([number + 1]) * 16
            transport.send(WSMsgType.BINARY, struct.pack(">BH16s32sQ16s", 2, 1, room, room * 2, 0, bytes(16)))

        def on_ws_frame(self, transport, frame) -> None:
            """Count an envelope, and pass over the rest."""
            content = frame.get_payload_as_bytes()
            if content[0] == 0x85:
                self.count(content)
            elif content[0] == 0x83:
                self.ready.set()
            elif content[0] == 0x8F:
                self.refusal = content[9:].decode()
                self.ready.set()

    return Forwarded, Relayed


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Masq needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])
    sys.exit(main())
