"""A relay on loopback for tests, and a client that reads the wire with a reader of its own."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from patience import seconds
from picows import WSListener, WSMsgType, ws_connect

from masq_relay.disk.file import open_disk
from masq_relay.event_log import EventLog
from masq_relay.limits import Limits
from masq_relay.relay import Relay

ROOT = Path(__file__).resolve().parents[2]
ROOM, TOKEN = b"the room of test", b"a token of thirty-two bytes here"
BEGINNING = (0, bytes(16))
PATIENCE = seconds(20)  # seconds until a test gives up waiting; nothing waits this long when all is well


def tag(envelope: bytes) -> bytes:
    """Return an envelope's tag."""
    return envelope[-16:]


def sealed(text: str = "", size: int = 64) -> bytes:
    """Return something like an envelope: words that a test knows, then bytes that never come again."""
    words = text.encode()
    return words + os.urandom(max(size - len(words), 32))


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        """Return the time in milliseconds."""
        return self.ms


class Said(io.StringIO):
    """What the relay says in its log."""

    lost = 0


class Running:
    """A relay under test."""

    def __init__(self, relay: Relay, port: int, said: io.StringIO) -> None:
        self.relay = relay
        self.port = port
        self.said = said
        self.clients: list[Client] = []

    async def client(self, *, hello: bool = True, headers: Sequence[tuple[str, str]] = ()) -> Client:
        """Connect a client, and say HELLO."""
        client = await connect(self.port, hello=hello, headers=headers)
        self.clients.append(client)
        return client

    async def member(
        self,
        cursor: tuple[int, bytes] = BEGINNING,
        headers: Sequence[tuple[str, str]] = (),
        **choice: object,
    ) -> Client:
        """Connect a client, let it join the room on channel 1 and read to CURRENT."""
        client = await self.client(headers=headers)
        client.joined = await client.join(cursor=cursor, **choice)
        client.backlog = await client.take("CURRENT")
        return client


@asynccontextmanager
async def relay(
    folder: Path,
    clock: Callable[[], int] | None = None,
    *,
    port: int = 0,
    elapsed: Callable[[], int] | None = None,
    behind_proxy: bool = False,
    start: Mapping[str, object] | None = None,
    **limits: object,
):
    """Run a relay in this very event loop.

    `elapsed`: the milliseconds that it ages by; `start`: more of what Relay.start takes; `limits`: fields of Limits.
    """
    said = Said()
    choice = Limits(**{"tidy": 0.05, "grace": 2.0, **limits})
    extra: dict = {"behind_proxy": behind_proxy, **({"clock_ms": clock} if clock else {})}
    extra |= {"elapsed": lambda: elapsed() / 1000} if elapsed else {}
    found = Relay(*open_disk(folder), choice, EventLog("debug", said), folder=folder, **extra)
    asked = {"hosts": "127.0.0.1", "port": port, **(start or {})}
    running = Running(found, await found.start(**asked), said)
    try:
        yield running
    finally:
        await found.stop()


class _Ears(WSListener):
    def __init__(self, client: Client) -> None:
        self.client = client

    def on_ws_connected(self, transport) -> None:
        self.client.transport = transport

    def on_ws_frame(self, transport, frame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.client.code = int(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.BINARY:
            self.client.heard.put_nowait(decode(frame.get_payload_as_bytes()))

    def on_ws_disconnected(self, transport) -> None:
        self.client.gone.set()
        self.client.heard.put_nowait(("GONE",))


async def connect(port: int, *, hello: bool = True, tls=None, headers=()) -> Client:
    """Connect to a relay on loopback."""
    client = Client()
    address = f"wss://localhost:{port}/" if tls else f"ws://127.0.0.1:{port}/"
    await ws_connect(lambda: _Ears(client), address, ssl_context=tls, extra_headers=headers)
    if hello:
        client.hello()
        client.welcome = await client.next("WELCOME")
    return client


class Client:
    """A socket that speaks the relay's frames."""

    def __init__(self) -> None:
        self.transport = None
        self.heard: asyncio.Queue = asyncio.Queue()
        self.gone = asyncio.Event()
        self.code: int | None = None

    def send(self, frame: bytes) -> None:
        """Send one frame."""
        self.transport.send(WSMsgType.BINARY, frame)

    async def next(self, kind: str | None = None) -> tuple:
        """Return what comes next; if `kind` is given, it must be of that kind."""
        heard = await asyncio.wait_for(self.heard.get(), PATIENCE)
        assert kind is None or heard[0] == kind, f"{heard[:6]} came, not {kind}"
        return heard

    async def take(self, last: str) -> list[tuple]:
        """Return all that comes before a frame of kind `last`, and that one."""
        found = []
        while not found or found[-1][0] != last:
            found.append(await self.next())
            assert found[-1][0] != "GONE" or last == "GONE", f"the relay went; it said {found[-3:]}"
        return found

    async def silence(self) -> None:
        """Check that nothing was on its way: a PING is answered, and before it comes nothing."""
        self.send(struct.pack(">BI", 7, 99))
        assert await self.next() == ("PONG", 99)

    async def silence_but_others(self) -> None:
        """Make a round trip, passing over news of who is there."""
        self.send(struct.pack(">BI", 7, 99))
        heard = await self.take("PONG")
        assert {each[0] for each in heard} <= {"OTHERS", "PONG"}

    def hello(self, version: int = 1) -> None:
        """Say HELLO."""
        self.send(bytes([1, version]))

    def ask(self, channel=1, room=ROOM, token=TOKEN, cursor=BEGINNING) -> None:
        """Send JOIN."""
        self.send(struct.pack(">BH16s32sQ16s", 2, channel, room, token, *cursor))

    async def join(self, **choice) -> tuple:
        """Send JOIN and return JOINED."""
        self.ask(**choice)
        return await self.next("JOINED")

    def leave(self, channel=1) -> None:
        """Send LEAVE."""
        self.send(struct.pack(">BH", 3, channel))

    def post(self, envelope: bytes, ref: int = 1, channel: int = 1) -> None:
        """Send POST."""
        self.send(struct.pack(">BHI", 4, channel, ref) + envelope)

    async def keep(self, *envelopes: bytes, channel: int = 1) -> list[int]:
        """Post these and return the numbers that they got."""
        for ref, envelope in enumerate(envelopes, 1):
            self.post(envelope, ref, channel)
        numbers = []
        while len(numbers) < len(envelopes):
            heard = await self.next()
            assert heard[0] in ("STORED", "ENVELOPE", "OTHERS"), heard
            if heard[0] == "STORED":
                assert heard[2] == len(numbers) + 1
                numbers.append(heard[3])
        return numbers

    def part(self, envelope, number, end_tag, part=0, of=1, ref=1, channel=1, name=b"snapshot") -> None:
        """Send a part of a snapshot."""
        self.send(struct.pack(">BHI8sHHQ16s", 5, channel, ref, name, part, of, number, end_tag) + envelope)

    def cast(self, envelope: bytes, channel: int = 1) -> None:
        """Send CAST."""
        self.send(struct.pack(">BH", 6, channel) + envelope)

    async def close(self) -> None:
        """Go, and wait until the relay has gone too."""
        self.transport.send_close()
        self.transport.disconnect()
        await self.gone.wait()


def decode(frame: bytes) -> tuple:
    """Return a relay's frame as (name, field, …)."""
    name, shape = SHAPES[frame[0]]
    size = struct.calcsize(shape)
    fields = struct.unpack_from(shape, frame)[1:]
    if name in ("ENVELOPE", "SNAPSHOT", "CAST"):
        return (name, *fields, frame[size:])
    if name == "ERROR":
        return (name, *fields, frame[size:].decode())
    assert len(frame) == size
    return (name, *fields)


SHAPES = {
    0x81: ("WELCOME", ">BBIQIQ"),
    0x82: ("JOINED", ">BHQHB"),
    0x83: ("CURRENT", ">BHQ"),
    0x84: ("STORED", ">BHIQ"),
    0x85: ("ENVELOPE", ">BHQQ"),
    0x86: ("SNAPSHOT", ">BHHHQ"),
    0x87: ("CAST", ">BH"),
    0x88: ("OTHERS", ">BHH"),
    0x89: ("PONG", ">BI"),
    0x8F: ("ERROR", ">BHIH"),
}


def envelopes(heard: list[tuple]) -> list[tuple[int, bytes]]:
    """Return (number, envelope) of the ENVELOPE frames."""
    return [(each[2], each[4]) for each in heard if each[0] == "ENVELOPE"]


class Command:
    """`masq-relay` as a program of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        environment = dict(os.environ, PYTHONPATH=str(ROOT / "relay"))
        self.program = subprocess.Popen(
            [sys.executable, "-m", "masq_relay", "--port", "0", "--data", str(folder), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.line = self.program.stdout.readline().strip()
        self.port = int(self.line.rsplit(":", 1)[-1]) if self.line else 0

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.program.kill()
        self.program.communicate()

    def end(self) -> tuple[int, str]:
        """Ask it to stop; return its status and what it said."""
        self.program.terminate()
        said = self.program.communicate(timeout=PATIENCE)[1]
        return self.program.returncode, said


def certificate(folder: Path) -> Path:
    """Write a certificate for this machine and its key into one file; return its path."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + secret)
    return file


async def in_thread(call: Callable[[], object]) -> Awaitable[object]:
    """Do something that blocks without holding the clients up."""
    return await asyncio.get_running_loop().run_in_executor(None, call)


def digest(content: bytes) -> str:
    """Return a short name for bytes, for messages of failed tests."""
    return hashlib.sha256(content).hexdigest()[:8]


def by(number):
    """Return the headers by which a proxy names one of many addresses."""
    return [("X-Forwarded-For", f"203.0.113.{number}")]


def healthy(port):
    """Tell whether a relay answers there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE) as answer:
            return answer.read() == b"ok\n"
    except OSError:
        return False
