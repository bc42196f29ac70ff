"""The `Network` port over picows, for devices without a browser."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from masq_store.core.errors import RelayUnreachable
from masq_store.core.relay.frames import LARGEST_FRAME

OPEN_SECONDS = 10.0
"""Time-out: until a connection must stand."""

CLOSE_SECONDS = 5.0
"""How long a connection that is being closed may take for what was sent before."""


class NativeNetwork:
    """A `Network` on CPython. Nothing tells it when the network is back, so `on_online` calls nobody.

    `tls`: which certificates to trust, where it is not those that the system trusts.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls

    async def open(
        self, url: str, receive: Callable[[bytes], None], closed: Callable[[str], None]
    ) -> NativeSocket:
        """Connect to the relay at `url`. Raises RelayUnreachable, after ten seconds at the latest."""
        # What it would say there is in the error already.
        logging.getLogger("picows").setLevel(logging.CRITICAL)
        socket = NativeSocket(receive, closed)
        try:
            await asyncio.wait_for(
                ws_connect(
                    lambda: socket,
                    url,
                    ssl_context=self._tls if url.startswith("wss:") else None,
                    websocket_handshake_timeout=OPEN_SECONDS,  # ends what is given up, too
                    max_frame_size=LARGEST_FRAME,
                    max_redirects=0,
                ),
                OPEN_SECONDS,
            )
        except TimeoutError:
            raise RelayUnreachable("it does not answer") from None
        except (OSError, WSError, ValueError) as error:
            raise RelayUnreachable(_reason(error)) from error
        return socket

    def on_online(self, call: Callable[[], None]) -> None:
        """Do nothing: there is no such event here."""


class NativeSocket(WSListener):
    """A `Socket` over one connection of picows."""

    def __init__(self, receive: Callable[[bytes], None], closed: Callable[[str], None]) -> None:
        self._receive = receive
        self._closed = closed
        self._over = False
        self._reason = "the connection broke"
        self._fragments: bytearray | None = None
        self._transport: WSTransport

    @property
    def waiting(self) -> int:
        """Bytes that the system has not taken yet."""
        return 0 if self._over else int(self._transport.underlying_transport.get_write_buffer_size())

    def send(self, frame: bytes) -> None:
        """Send one frame."""
        if not self._over and not self._transport.is_disconnected:
            self._transport.send(WSMsgType.BINARY, frame)

    def close(self) -> None:
        """End the connection."""
        if self._over:
            return
        transport = self._transport
        transport.send_close()
        transport.disconnect()
        loop = asyncio.get_running_loop()
        # Whoever does not read us must not keep the connection open.
        loop.call_later(CLOSE_SECONDS, transport.disconnect, False)
        self._over = True
        loop.call_soon(self._closed, "this device ended the connection")

    # From picows.

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a WebSocket frame; a message may come in several."""
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            self._reason = "it ended the connection"
            transport.send_close()
            transport.disconnect()
        elif self._over or kind in (WSMsgType.PING, WSMsgType.PONG):  # picows answers a PING
            return
        elif kind == WSMsgType.BINARY and frame.fin:
            self._receive(frame.get_payload_as_bytes())
        else:
            self._fragment(kind, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """End."""
        if not self._over:
            self._over = True
            self._closed(self._reason)

    def _fragment(self, kind: WSMsgType, frame: WSFrame) -> None:
        if kind == WSMsgType.TEXT:
            self._receive(b"")
            return
        if kind == WSMsgType.BINARY:
            self._fragments = bytearray()
        if self._fragments is None:
            return  # the rest of a text
        self._fragments += frame.get_payload_as_memoryview()
        if len(self._fragments) > LARGEST_FRAME:
            self._transport.disconnect(False)
        elif frame.fin:
            message, self._fragments = bytes(self._fragments), None
            self._receive(message)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted on this device"
    if isinstance(error, WSError):
        return "what answers there is no relay"
    if isinstance(error, ValueError):
        return "its address is not one"
    return "it does not answer"
