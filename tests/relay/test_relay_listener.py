"""How the relay listens: sockets before they are connections, who may ask for what, what is taken up while it runs."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import ssl
import sys
import time

import pytest
from asynchronous import until
from patience import seconds
from relay_rig import Command, certificate, connect, in_thread, relay, sealed

from masq_relay.certificate import BadCertificate
from masq_relay.certificate_renewal import certificate as served
from masq_relay.disk import file
from masq_relay.disk.file import FILE, UnusableData, open_disk

pytestmark = pytest.mark.real_time

PROXIED = "X-Forwarded-For"


def half_request(port):
    """Return a socket that has begun to ask and says no more."""
    found = socket.create_connection(("127.0.0.1", port))
    found.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-a: ")
    return found


def ended(found):
    """Tell whether the other side has closed a socket."""
    found.setblocking(False)
    try:
        return found.recv(10) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


async def answer(port, path="/", **headers):
    """Return (status, body) of a plain request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = {
        "Host": f"127.0.0.1:{port}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
    said = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), seconds(20))
    body = b"" if b"101" in said[:20] else await asyncio.wait_for(reader.read(), seconds(20))
    writer.close()
    return int(said.split()[1]), body.decode()


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec_WebSocket_Version": "13",
}


@pytest.mark.parametrize("limit", ["peer_arriving", "arriving"])
async def test_sockets_that_say_nothing_are_few(tmp_path, limit):
    """Of sockets that are no connections yet the oldest go, of an address as of all; who says what it wants is in."""
    async with relay(tmp_path, **{limit: 4}) as r:
        member = await r.member()
        idle = [half_request(r.port) for _ in range(12)]
        await until(lambda: r.relay.metrics.counts["turned_away_total"] == 8, "the oldest eight's end")
        await until(lambda: [ended(each) for each in idle] == [True] * 8 + [False] * 4, "their sockets' end")
        assert r.relay.gauges()["arriving"] == 4
        await (await r.client()).silence()
        assert await member.keep(sealed()) == [1]
        for each in idle:
            each.close()
        await until(lambda: r.relay.gauges()["arriving"] == 0)


async def test_sockets_beyond_the_connections_of_an_address(tmp_path):
    """Who has all its connections, and as many that were refused and stay, gets no further socket."""
    async with relay(tmp_path, peer_connections=2, peer_arriving=3, grace=30.0) as r:
        clients = [await r.client(), await r.client()]
        refused = []
        for _ in range(3):
            refused.append(await r.client(hello=False))
            refused[-1].transport.underlying_transport.pause_reading()
        more = [half_request(r.port) for _ in range(6)]
        await until(lambda: all(map(ended, more)), "their end")
        for each in more:
            each.close()
        for each in clients:
            await each.silence()
        for each in refused:
            each.transport.underlying_transport.abort()
        await until(lambda: len(r.relay.connections) == 2, "the end of those that were refused")


async def test_a_silent_socket_ends_with_tls_too(tmp_path):
    """Who never begins TLS has as long as who never asks."""
    file = certificate(tmp_path)
    start = {"certificate": served(str(file), None)}
    async with relay(tmp_path / "data", start=start, hello=0.3) as r:
        began = time.monotonic()
        silent = socket.create_connection(("127.0.0.1", r.port))
        await until(lambda: ended(silent), "its end")
        assert time.monotonic() - began < seconds(10)
        await until(lambda: r.relay.gauges()["arriving"] == 0)
        silent.close()


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of open files")
async def test_out_of_files(tmp_path):
    """A relay that gets no more sockets tries again now and then, serves who is in, and then who has waited."""
    import resource

    async with relay(tmp_path) as r:
        member = await r.member()
        waiting = socket.socket()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        next_file = os.dup(0)
        os.close(next_file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_file, hard))
        try:
            waiting.connect(("127.0.0.1", r.port))
            await until(lambda: r.relay.metrics.counts["accepts_failed_total"], "the first failure")
            for _ in range(50):
                await member.keep(sealed())
            assert r.relay.metrics.counts["accepts_failed_total"] < 20
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting.settimeout(seconds(20))
        assert (await in_thread(lambda: waiting.recv(100))).startswith(b"HTTP/1.1 200")
        waiting.close()
        lines = [json.loads(line) for line in r.said.getvalue().splitlines()]
        assert [each["reason"] for each in lines if each["event"] == "no more sockets"][0] == "EMFILE"


async def test_the_counts_are_for_this_machine(tmp_path):
    """/metrics is refused to what a proxy passes on and to names that point here; a port of its own has it alone."""
    async with relay(tmp_path) as r:
        assert (await answer(r.port, "/metrics"))[0] == 200
        assert (await answer(r.port, "/metrics", Host="localhost"))[0] == 200
        assert (await answer(r.port, "/metrics", Host="rebound.evil.example"))[0] == 403
        assert (await answer(r.port, "/metrics", X_Forwarded_For="192.0.2.7"))[0] == 403
        assert (await answer(r.port, "/healthz", Host="relay.example"))[0] == 200
    async with relay(tmp_path, start={"metrics_port": 0}) as r:
        apart = r.relay.metrics_port
        assert (await answer(r.port, "/metrics"))[0] == 403
        assert (await answer(apart, "/metrics", Host="rebound.evil.example"))[0] == 403
        status, text = await answer(apart, "/metrics")
        assert (status, "masq_relay_connections_total" in text) == (200, True)
        assert (await answer(apart, "/healthz"))[0] == 200
        assert (await answer(apart, "/", **UPGRADE))[0] == 404


async def test_pages_that_may_connect(tmp_path):
    """On this machine alone, pages of this machine may connect; behind a proxy all; where some are named, those."""

    async def asked(r, origin, **more):
        headers = {**UPGRADE, **more, **({"Origin": origin} if origin else {})}
        return (await answer(r.port, **headers))[0]

    async def scene():
        async with relay(tmp_path) as r:
            for origin in (
                None,
                "http://localhost:8000",
                "http://store.localhost:8000",
                "http://127.0.0.1:1",
                "http://[::1]:1",
            ):
                assert await asked(r, origin) == 101
            for origin in (
                "https://evil.example",
                "null",
                "http://localhost.evil.example",
                "http://[",
                "https://notlocalhost",
            ):
                assert await asked(r, origin) == 403
        async with relay(tmp_path, start={"origins": ["https://store.example"]}) as r:
            assert await asked(r, "https://store.example") == 101
            assert await asked(r, "https://evil.example") == 403
        async with relay(tmp_path, behind_proxy=True) as r:
            assert await asked(r, "https://any.example", X_Forwarded_For="192.0.2.7") == 101

    await scene()


async def test_peers_behind_a_proxy(tmp_path):
    """The last address of the last line is who counts, with a port or not; who is not named is refused, and said so."""
    async with relay(tmp_path, behind_proxy=True, peer_connections=2) as r:
        for lines in (
            [(PROXIED, "9.9.9.1"), (PROXIED, "203.0.113.7")],
            [(PROXIED, "9.9.9.2"), (PROXIED, "203.0.113.7:4711")],
        ):
            await (await r.client(headers=lines)).silence()
        third = await r.client(hello=False, headers=[(PROXIED, "9.9.9.3, 203.0.113.7")])
        assert (await third.take("GONE"))[-2][3] == 8
        await (await r.client(headers=[(PROXIED, "203.0.113.8")])).silence()
        for number in (1, 2):
            await (await r.client(headers=[(PROXIED, f"2001:db8:0:{number}::1")])).silence()
        fourth = await r.client(hello=False, headers=[(PROXIED, "2001:db8:0:ff::1")])
        assert (await fourth.take("GONE"))[-2][3] == 8
        assert (await answer(r.port, **UPGRADE))[0] == 400
        assert (await answer(r.port, **UPGRADE, X_Forwarded_For="unknown"))[0] == 400
        assert r.said.getvalue().count("proxy names no address") == 2
        assert len(r.relay.peers) == 3


async def test_a_proxy_that_nobody_spoke_of(tmp_path):
    """A relay that is not told of the proxy before it says once that all its users count as one."""
    async with relay(tmp_path) as r:
        for number in range(3):
            await (await r.client(headers=[(PROXIED, f"192.0.2.{number}")])).silence()
        assert r.said.getvalue().count("no --behind-proxy") == 1
        assert len(r.relay.peers) == 1


def has_ipv6():
    """Tell whether this machine has an IPv6 address of its own."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as found:
        found.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6")
async def test_several_hosts(tmp_path):
    """A relay listens at each --host, all at one port; the line that it prints names them."""
    command = await in_thread(lambda: Command(tmp_path, "--host", "127.0.0.1", "--host", "::1"))
    port = command.port
    assert command.line == f"masq-relay listens on ws://127.0.0.1:{port} and ws://[::1]:{port}"
    await (await connect(port)).close()
    socket.create_connection(("::1", port)).close()
    assert (await in_thread(command.end))[0] == 0


def serial(port, file):
    """Return the bytes of the certificate that a relay shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as found, context.wrap_socket(found) as secured:
        return secured.getpeercert(binary_form=True)


async def test_a_certificate_that_is_renewed(tmp_path):
    """New files are taken up by who connects from then on; files that do not fit are said, and the old one stays."""
    file = certificate(tmp_path)
    start = {"certificate": served(str(file), None)}
    async with relay(tmp_path / "data", start=start) as r:
        tls = ssl.create_default_context(cafile=str(file))
        before = await connect(r.port, tls=tls)
        shown = [await in_thread(lambda: serial(r.port, file))]
        certificate(tmp_path)
        await until(lambda: '"certificate taken"' in r.said.getvalue(), "the new one")
        shown.append(await in_thread(lambda: serial(r.port, file)))
        content = file.read_bytes()
        file.write_bytes(content[: content.index(b"-----BEGIN PRIVATE")])
        await until(lambda: '"certificate not taken"' in r.said.getvalue(), "the refusal")
        shown.append(await in_thread(lambda: serial(r.port, file)))
        assert shown[0] != shown[1] == shown[2]
        await before.silence()
        assert r.said.getvalue().count("certificate not taken") == 1


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
def test_sighup(tmp_path):
    """SIGHUP takes the certificate's files up at once, and ends nothing, with a certificate or without."""
    file = certificate(tmp_path)
    secured, plain = Command(tmp_path / "a", "--certfile", str(file)), Command(tmp_path / "b")
    try:
        old = serial(secured.port, file)
        certificate(tmp_path)
        for command in (secured, plain):
            command.program.send_signal(signal.SIGHUP)
        end = time.monotonic() + seconds(20)
        while serial(secured.port, file) == old:
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        statuses = [command.end()[0] for command in (secured, plain)]
    assert statuses == [0, 0]


def test_a_key_with_a_passphrase_is_named(tmp_path):
    """A key that is locked is said to be, not that the certificate is none."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    file = certificate(tmp_path)
    locked = tmp_path / "key.pem"
    locked.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"a passphrase"),
        )
    )
    with pytest.raises(BadCertificate, match="locked with a passphrase"):
        served(str(file), str(locked))


def test_a_database_that_cannot_be_written(tmp_path, monkeypatch):
    """It is told at the start, with the way out, not by the first envelope that somebody posts."""
    one, two = open_disk(tmp_path)
    one.close(), two.close()
    path = tmp_path / FILE
    monkeypatch.setattr(
        file,
        "_connect",
        lambda _: sqlite3.connect(
            f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        ),
    )
    with pytest.raises(UnusableData, match="readonly.*make it writable"):
        open_disk(tmp_path)
