"""Real proxies before the relay, set up as docs/relay.md says: whom they name is who counts."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from asynchronous import until
from free_ports import free_port
from patience import seconds
from picows import ws_connect
from relay_rig import Client, _Ears, in_thread, relay, sealed

pytestmark = pytest.mark.real_time

TEXT = (Path(__file__).parents[2] / "docs" / "relay.md").read_text(encoding="utf-8")
NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {documented}
    }}
}}
"""
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 2m
    timeout http-request 10s
frontend world
    bind 127.0.0.1:{port}
    default_backend relay
{documented}
"""


def program(name):
    """Return the path of an installed program, or None."""
    return shutil.which(
        name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    )


@contextlib.contextmanager
def running(name, folder, relay_port):
    """Run a proxy in front of the relay; give its port."""
    (documented,) = re.findall(rf"^```{name}\n(.*?)^```", TEXT, flags=re.M | re.S)
    assert documented.count("127.0.0.1:8001") == 1
    port = free_port()
    text = (NGINX if name == "nginx" else HAPROXY).format(
        user="user root;" if os.geteuid() == 0 else "",
        folder=folder,
        port=port,
        documented=documented.replace("127.0.0.1:8001", f"127.0.0.1:{relay_port}"),
    )
    file = folder / f"{name}.conf"
    file.write_text(text, encoding="utf-8")
    command = (
        [program(name), "-c", str(file), "-e", "stderr"]
        if name == "nginx"
        else [program(name), "-db", "-f", str(file)]
    )
    proxy = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield port
    finally:
        proxy.terminate()
        said = proxy.communicate(timeout=seconds(20))[1]
        assert "emerg" not in said and "ALERT" not in said.replace("exited with code", ""), said


async def connected(port, address, **headers):
    """Connect from an address of this machine, with what the client claims to be."""
    client = Client()
    lines = [("X-Forwarded-For", each) for each in headers.get("claims", ())]
    await ws_connect(
        lambda: _Ears(client), f"ws://127.0.0.1:{port}/", extra_headers=lines, local_addr=(address, 0)
    )
    client.hello()
    return client


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs 127.0.0.2 to be this machine")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(each, marks=pytest.mark.skipif(not program(each), reason=f"{each} is not installed"))
        for each in ("nginx", "haproxy")
    ],
)
async def test_behind_a_real_proxy(tmp_path, name):
    """Users of a proxy count each for themselves whatever they claim, large envelopes pass, and the counts do not."""
    async with relay(tmp_path / "data", behind_proxy=True, peer_connections=2) as r:
        with running(name, tmp_path, r.port) as port:

            def listens():
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    return True

            await until(listens, f"{name} listening")
            ours = [await connected(port, "127.0.0.1", claims=[f"9.9.9.{n}"]) for n in range(2)]
            for each in ours:
                await each.next("WELCOME")
            for claims in ([], ["127.0.0.2"], ["127.0.0.2", "203.0.113.1"]):
                third = await connected(port, "127.0.0.1", claims=claims)
                assert (await third.take("GONE"))[-2][3] == 8
            other = await connected(port, "127.0.0.2", claims=["127.0.0.1"])
            await other.next("WELCOME")
            for each in (ours[0], other):
                each.ask()
                await each.take("CURRENT")
            envelope = sealed(size=600_000)
            assert await other.keep(envelope) == [1]
            assert (await ours[0].take("ENVELOPE"))[-1][4] == envelope
            assert sorted(r.relay.peers._known) == ["127.0.0.1", "127.0.0.2"]
            with socket.create_connection(("127.0.0.1", port)) as found:
                found.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert b" 403 " in (await in_thread(lambda: found.recv(100)))
            for each in (*ours, other):
                each.transport.disconnect(graceful=False)
            await until(lambda: not r.relay.connections)
