"""`masq-relay` as a program: what it refuses to start with, what it says, how it ends."""

import asyncio
import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from patience import seconds
from relay_rig import (
    PATIENCE,
    ROOM,
    ROOT,
    TOKEN,
    Command,
    certificate,
    connect,
    envelopes,
    in_thread,
    sealed,
    tag,
)

from masq_relay.disk.file import FILE, open_disk
from masq_relay.settings import BadSettings, parser, read
from masq_relay.sockets.peers import forwarded, network
from masq_relay.token_bucket import Bucket

pytestmark = pytest.mark.real_time


def ask(port, path):
    """Return (status, body) of a plain HTTP GET."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def refused(*arguments):
    """Start the program, which must not start; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "masq_relay", *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "relay"), "PATH": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds(60),
    )
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "not a port"),
        (["--host", ""], "--host is empty"),
        (["--host", "127.0.0.1", "--host", ""], "--host is empty"),
        (["--metrics-port", "70000"], "give --metrics-port"),
        (["--allow-origin", "store.example"], "no origin as browsers"),
        (["--allow-origin", "https://store.example/"], "no origin as browsers"),
        (["--allow-origin", "https://store.example:443"], "no origin as browsers"),
        (["--certfile", str(Path(__file__).parent)], "a folder"),
        (["--max-frame", "1k"], "--max-frame is between"),
        (["--max-room", "1M"], "--max-room is at least twice"),
        (["--max-store", "1M"], "--max-store is at least"),
        (["--max-buffer", "1M"], "--max-buffer is at least twice"),
        (["--max-buffers", "2M"], "--max-buffers is at least"),
        (["--max-members", "1"], "--max-members is at least 2"),
        (["--retention", "5s"], "--retention is at least a minute"),
        (["--keyfile", "key.pem"], "--keyfile goes with --certfile"),
        (["--certfile", "/nowhere.pem"], "does not exist"),
        (["--certfile", __file__], "holds no certificate"),
        (["--data", __file__], "is a file"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_bad_settings(arguments, words):
    """Each is refused with a sentence that names the option."""
    with pytest.raises(BadSettings, match=words):
        read(arguments)


@pytest.mark.parametrize("arguments", [["--max-frame", "much"], ["--retention", "soon"], ["--max-rate", "0"]])
def test_values_that_are_none(arguments, capsys):
    """A size, time or number that is none is refused, and the sentence shows what one looks like."""
    with pytest.raises(SystemExit):
        read(arguments)
    assert arguments[1] in capsys.readouterr().err


def test_settings_are_taken():
    """What the command line says is what holds, in bytes and seconds."""
    sizes = ["--max-frame", "64k", "--max-room", "2M"]
    settings = read(
        [
            "--host",
            "::1",
            "--host",
            "127.0.0.1",
            "--port",
            "9",
            "--retention",
            "30d",
            "--max-rate",
            "10",
            *sizes,
        ]
    )
    limits = settings.limits
    assert (settings.hosts, settings.port) == (("::1", "127.0.0.1"), 9)
    assert read([]).hosts == ("127.0.0.1",)
    assert (limits.frame, limits.room, limits.retention) == (65536, 2 << 20, 30 * 86400)
    assert (limits.frames_per_second, limits.frames_burst) == (10.0, 50.0)


def test_the_program_refuses_with_a_sentence(tmp_path):
    """Bad options, a port in use, another program's file, a newer relay's, and another relay's folder: status 2."""
    assert "masq-relay: --max-members" in refused("--max-members", "1", "--data", str(tmp_path / "a"))
    command = Command(tmp_path / "b")
    try:
        assert "is in use" in refused("--port", str(command.port), "--data", str(tmp_path / "c"))
        assert "Another relay uses" in refused("--port", "0", "--data", str(tmp_path / "b"))
    finally:
        assert command.end()[0] == 0
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / FILE).write_bytes(b"no database at all, but long enough to be read as one" * 100)
    assert "cannot be used" in refused("--port", "0", "--data", str(tmp_path / "d"))
    one, two = open_disk(tmp_path / "e")
    one._sql.execute("PRAGMA user_version = 99")
    one.close(), two.close()
    assert "newer relay" in refused("--port", "0", "--data", str(tmp_path / "e"))


async def test_health_and_metrics(tmp_path):
    """Both are answered over plain HTTP on the relay's port; anything else there is told what this is."""
    command = await in_thread(lambda: Command(tmp_path))
    assert command.line == f"masq-relay listens on ws://127.0.0.1:{command.port}"
    client = await connect(command.port)
    await client.join()
    await client.take("CURRENT")
    await client.keep(sealed(), sealed())
    client.post(b"", ref=1)
    await client.take("GONE")
    assert await in_thread(lambda: ask(command.port, "/healthz")) == (200, "ok\n")
    status, text = await in_thread(lambda: ask(command.port, "/metrics"))
    assert status == 200
    assert (await in_thread(lambda: ask(command.port, "/")))[0] == 426
    await in_thread(command.end)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    values = dict(line.rsplit(" ", 1) for line in lines)
    assert values["masq_relay_envelopes_stored_total"] == "2"
    assert values["masq_relay_connections_total"] == "1"
    assert values['masq_relay_errors_total{code="1"}'] == "1"
    assert values["masq_relay_disk_ok"] == "1"
    for line in text.splitlines():
        assert line.startswith(("# HELP masq_relay_", "# TYPE masq_relay_", "masq_relay_"))


async def test_logs_show_no_contents_and_no_ids(tmp_path):
    """Every line of the log is JSON; no room, token, envelope or address is in it in any usual spelling."""
    command = await in_thread(lambda: Command(tmp_path, "--log", "debug"))
    envelope = sealed("<a known text>")
    client = await connect(command.port)
    await client.join()
    await client.take("CURRENT")
    await client.keep(envelope)
    client.ask(channel=2, token=bytes(32))
    client.send(b"\xffnonsense")
    await client.take("GONE")
    status, said = await in_thread(command.end)
    assert status == 0
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["event"] for event in events] == ["listening", "cut off", "stopped"]
    assert events[1]["code"] == 1
    for secret in (ROOM, TOKEN, envelope, b"<a known text>", tag(envelope)):
        for spelling in (secret.hex(), str(secret), repr(secret)[2:-1]):
            assert spelling not in said
    assert said.count("127.0.0.1") == 1  # where it listens
    assert events[0]["host"] == "127.0.0.1"


async def test_sigterm_stops_gracefully(tmp_path):
    """What was posted before is kept and acknowledged; all hear code 11; the program ends with status 0, soon."""
    command = await in_thread(lambda: Command(tmp_path))
    clients = []
    for _ in range(3):
        client = await connect(command.port)
        await client.join()
        await client.take("CURRENT")
        clients.append(client)
    for ref in range(500):
        clients[0].post(sealed(), ref)
    while (await clients[0].next())[0] != "STORED":
        pass
    began = time.monotonic()
    ending = asyncio.ensure_future(in_thread(command.end))
    stored = 1
    for client in clients:
        heard = await client.take("GONE")
        assert heard[-2][:4] == ("ERROR", 0xFFFF, 0, 11)
        assert client.code == 1001
        stored += sum(each[0] == "STORED" for each in heard)
    assert (await ending)[0] == 0
    assert time.monotonic() - began < seconds(15)
    command = await in_thread(lambda: Command(tmp_path))
    client = await connect(command.port)
    assert (await client.join())[2] >= stored
    await client.close()
    await in_thread(command.end)


def test_help_lists_every_option(capsys):
    """--help works, and docs/relay.md names each option."""
    with pytest.raises(SystemExit) as ended:
        read(["--help"])
    assert ended.value.code == 0
    assert "masq-relay" in capsys.readouterr().out
    text = (Path(__file__).parents[2] / "docs" / "relay.md").read_text(encoding="utf-8")
    options = [
        option for action in parser()._actions for option in action.option_strings if option[:2] == "--"
    ]
    assert [option for option in options if f"`{option}" not in text and option != "--help"] == []


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/56"),
        ("2001:db8:1:fe::1", "2001:db8:1::/56"),
        ("fe80::1%eth0", "fe80::/56"),
    ],
)
def test_what_counts_as_one_peer(address, name):
    """An IPv4 address is one peer, an IPv6 one counts with its network of 56 bits."""
    assert network(address) == name


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["203.0.113.9, 192.0.2.7"], "192.0.2.7"),
        (["192.0.2.8", "203.0.113.9,192.0.2.7"], "192.0.2.7"),
        (["203.0.113.9", " 192.0.2.7:4711 "], "192.0.2.7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["::ffff:192.0.2.7"], "::ffff:192.0.2.7"),
        ([], None),
        ([""], None),
        (["192.0.2.7,"], None),
        (["192.0.2.7", "unknown"], None),
        (["192.0.2.7:port"], None),
        (["[2001:db8::7]4711x"], None),
        (["_hidden"], None),
    ],
)
def test_the_proxy_names_the_peer(lines, address):
    """Of X-Forwarded-For the last address of the last line counts: what comes before is what the client claims."""
    assert forwarded(lines) == address


def test_a_bucket():
    """A bucket lets its burst through at once and its rate after that; debt is paid by waiting, and has an end."""
    bucket = Bucket(10.0, 20.0, 0.0)
    assert [bucket.take(10, 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert not bucket.overdrawn
    assert bucket.take(5, 1.0) == 0.5
    assert bucket.take(1000, 1.0) == 4.0
    assert bucket.overdrawn
    assert bucket.take(0, 5.0) == 0.0
    assert not bucket.full(5.0)
    assert bucket.full(7.0)
    assert bucket.take(0, 4.0) == 0.0  # a clock that went back takes nothing away


async def test_tls(tmp_path):
    """With a certificate the relay speaks wss: large envelopes pass both ways, and a backlog arrives whole."""
    file = certificate(tmp_path)
    command = await in_thread(lambda: Command(tmp_path / "data", "--certfile", str(file)))
    assert command.line.startswith("masq-relay listens on wss://")
    context = ssl.create_default_context(cafile=str(file))
    clients = [await connect(command.port, tls=context) for _ in range(2)]
    kept = [sealed(size=size) for size in (64, 100_000, 300_000)]
    await clients[0].join()
    await clients[0].take("CURRENT")
    await clients[0].keep(*kept)
    await clients[1].join()
    assert envelopes(await clients[1].take("CURRENT")) == list(enumerate(kept, 1))
    for client in clients:
        await client.close()
    assert (await in_thread(command.end))[0] == 0
