"""picows' WebSocket keeps the contract of the Network port; and what only CPython can be shown."""

from __future__ import annotations

import asyncio
import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import network
import pytest
import relay_rig
from asynchronous import until
from free_ports import free_port
from patience import seconds
from picows import WSListener, WSMsgType, ws_create_server

from masq_store.core.errors import RelayUnreachable
from masq_store.native import websocket
from masq_store.native.websocket import NativeNetwork

pytestmark = pytest.mark.real_time(loop=asyncio.new_event_loop)


def nobody() -> str:
    """Return an address on this machine where nobody listens."""
    return f"ws://127.0.0.1:{free_port()}/"


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a web server; yields its address as that of a relay."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"ws://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


async def test_a_redirection_is_not_followed(tmp_path):
    """A server that sends us on to another address is no relay, as in a browser."""
    async with relay_rig.relay(tmp_path) as running:

        class Elsewhere(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(302)
                self.send_header("Location", f"ws://127.0.0.1:{running.port}/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        with serving(Elsewhere) as url, pytest.raises(RelayUnreachable):
            await NativeNetwork().open(url, print, print)


@pytest.fixture
def page() -> Iterator[str]:
    """The address of a web server that knows no WebSocket."""
    with serving(http.server.BaseHTTPRequestHandler) as url:
        yield url


network.PATIENCE = seconds(network.PATIENCE)  # not in that file: it runs inside pages, too


async def make_network():
    """Return CPython's network."""
    return NativeNetwork()


@pytest.mark.parametrize("rule", network.CONTRACT, ids=lambda rule: rule.__name__)
async def test_native_keeps_the_network_contract(rule, tmp_path, page):
    """Each rule of the network contract holds for picows."""
    async with relay_rig.relay(tmp_path) as running:
        await rule(make_network, f"ws://127.0.0.1:{running.port}/", nobody(), page)
        await until(lambda: not running.relay.connections, "the last connection's end")


class Odd(WSListener):
    """A server that sends what a relay never would, as soon as it is spoken to."""

    def __init__(self, say):
        self.say = say

    def on_ws_frame(self, transport, frame):
        """Answer."""
        if frame.msg_type == WSMsgType.BINARY:
            self.say(transport)


def fragments(transport):
    """Send a message in three pieces, with a ping between them, and one in a single piece."""
    transport.send(WSMsgType.BINARY, b"one ", fin=False)
    transport.send_ping(b"?")
    transport.send(WSMsgType.CONTINUATION, b"and ", fin=False)
    transport.send(WSMsgType.CONTINUATION, b"all")
    transport.send(WSMsgType.BINARY, b"next")


def texts(transport):
    """Send a text, a text in two pieces, and bytes."""
    transport.send(WSMsgType.TEXT, b"text")
    transport.send(WSMsgType.TEXT, b"te", fin=False)
    transport.send(WSMsgType.CONTINUATION, b"xt")
    transport.send(WSMsgType.BINARY, b"bytes")


@pytest.mark.parametrize(
    ("say", "heard"),
    [(fragments, [b"one and all", b"next"]), (texts, [b"", b"", b"bytes"])],
    ids=lambda case: getattr(case, "__name__", ""),
)
async def test_messages_in_pieces_and_text(say, heard):
    """A message comes whole however it was cut, and text comes as what is no frame."""
    server = await ws_create_server(lambda request: Odd(say), "127.0.0.1", 0)
    got, reasons = [], []
    address = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    found = await NativeNetwork().open(address, got.append, reasons.append)
    found.send(b"go")
    await until(lambda: len(got) == len(heard))
    assert got == heard
    found.close()
    await until(lambda: reasons)
    server.close()


async def test_a_relay_that_does_not_read(monkeypatch):
    """What nobody reads keeps no closed connection open: the rest is dropped after a while."""
    monkeypatch.setattr(websocket, "CLOSE_SECONDS", 0.0)
    sent, taken, gone = 64 << 20, [0], asyncio.Event()

    class Lazy(WSListener):
        def on_ws_connected(self, transport):
            self.under = transport.underlying_transport
            self.under.pause_reading()
            listeners.append(self)

        def on_ws_frame(self, transport, frame):
            taken[0] += frame.payload_size

        def on_ws_disconnected(self, transport):
            gone.set()

    listeners = []
    server = await ws_create_server(lambda request: Lazy(), "127.0.0.1", 0, max_frame_size=1 << 21)
    reasons = []
    address = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    found = await NativeNetwork().open(address, print, reasons.append)
    await until(lambda: listeners)
    for _ in range(64):
        found.send(bytes(1 << 20))
    assert found.waiting > 0
    found.close()
    await until(lambda: reasons)
    await asyncio.sleep(0)
    listeners[0].under.resume_reading()
    await gone.wait()
    assert taken[0] < sent
    server.close()


async def test_a_machine_that_says_nothing(monkeypatch):
    """Who takes a connection and never answers is given up after a while, and left."""
    monkeypatch.setattr(websocket, "OPEN_SECONDS", 0.05)
    left = asyncio.Event()

    async def silent(reader, writer):
        with suppress(asyncio.CancelledError):  # the end of the test
            await reader.read()
            left.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    address = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with pytest.raises(RelayUnreachable) as caught:
        await NativeNetwork().open(address, print, print)
    assert caught.value.fields["reason"] == "it does not answer"
    await until(left.is_set)
    server.close()


async def test_certificates(tmp_path):
    """Over wss a relay whose certificate is trusted is reached; another one is not, and the reason is said."""
    file = relay_rig.certificate(tmp_path)
    command = relay_rig.Command(tmp_path / "data", "--certfile", str(file))
    try:
        url = f"wss://localhost:{command.port}/"
        trusting = NativeNetwork(ssl.create_default_context(cafile=str(file)))
        found, ears = await network.connect(trusting, url)
        found.close()
        await until(lambda: ears.reasons)
        with pytest.raises(RelayUnreachable, match="certificate"):
            await NativeNetwork().open(url, print, print)
    finally:
        command.kill()


async def test_what_is_no_address():
    """An address that picows cannot read raises RelayUnreachable too."""
    for address in ("", "ws://", "http://127.0.0.1/", "ws://127.0.0.1:99999/", "ws://no such host/"):
        with pytest.raises(RelayUnreachable):
            await NativeNetwork().open(address, print, print)
