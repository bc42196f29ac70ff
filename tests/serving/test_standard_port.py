"""`serve.py` on the port that an address does not name, where browsers send a Host without one."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import seconds

from build.server import SiteServer
from masq_store.core.profile.relay_address import check_relay_address


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SiteServer]:
    """A server over a small made-up dist/, with the relay that it tells of."""
    for name, content in {
        "store/store.json": "{}",
        "index/index.html": "index",
        "counter/main.py": "http://store.localhost:8000",
    }.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
    server = SiteServer(tmp_path)
    server.relay = "wss://localhost:444"
    server.start()
    yield server
    server.stop()


def asked(server: SiteServer, host: str, path: str) -> str:
    """Return what a browser gets that sends this Host."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=seconds(10))
    connection.request("GET", path, headers={"Host": host})
    body = connection.getresponse().read().decode()
    connection.close()
    return body


@pytest.mark.parametrize(
    ("host", "relay"),
    [
        ("store.localhost", "wss://localhost:444"),
        ("store.localhost:8000", "wss://localhost:444"),
        ("store.box.lan", "wss://store.box.lan:444"),
        ("Store.Box.LAN:8443", "wss://store.box.lan:444"),
        ("store", "wss://store:444"),
        ("store.mylocalhost", "wss://store.mylocalhost:444"),
        ("store.localhost.example", "wss://store.localhost.example:444"),
        ("store.box.lan:x", "wss://localhost:444"),
    ],
)
def test_the_relay_is_named_as_the_store_was(server: SiteServer, host: str, relay: str) -> None:
    """With and without a port, the store's page is told of a relay at the name that it came from itself."""
    told = json.loads(asked(server, host, "/store.json"))["relay"]
    assert check_relay_address(told) == told == relay


@pytest.mark.parametrize("rest", ["localhost", "localhost:8000", "box.lan", "box.lan:8443"])
def test_demos_name_the_store_as_they_were(server: SiteServer, rest: str) -> None:
    """A demo's address of the store has a port exactly where its own has one."""
    assert asked(server, f"counter.{rest}", "/main.py") == f"http://store.{rest}"


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_the_terminal_names_it_without_the_port(server: SiteServer, scheme: str, port: int) -> None:
    """On the standard port of its scheme the printed addresses are those that a browser shows."""
    server.scheme, server.port = scheme, port
    assert server.url("store") == f"{scheme}://store.localhost"
    server.port = 523 - port
    assert server.url() == f"{scheme}://localhost:{523 - port}"
