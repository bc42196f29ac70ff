"""The one port: WebSockets, and beside them two addresses for those who run the relay."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING

from picows import (
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from masq_relay.connection import Connection
from masq_relay.peers import forwarded

if TYPE_CHECKING:
    from masq_relay.relay import Relay

SLACK = 64 * 1024
"""A frame too large by less than this gets an ERROR; one that is larger is not even read."""

PING_SECONDS = 30.0
"""An idle connection is asked whether it is there; browsers answer by themselves."""

BACKLOG = 1024


async def open_door(relay: Relay, host: str, port: int, tls: ssl.SSLContext | None) -> asyncio.Server:
    """Listen. Raises OSError."""
    # picows names addresses in its own log; ours has marks instead.
    logging.getLogger("picows").setLevel(logging.CRITICAL)

    def answer(request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener | None:
        path = request.path.split(b"?")[0]
        if path == b"/healthz":
            return (
                _text(200, "ok\n")
                if relay.disk_ok and not relay.stopping
                else _text(503, "the disk failed\n")
            )
        if path == b"/metrics":
            return _text(200, relay.metrics.text(relay.gauges()), "text/plain; version=0.0.4; charset=utf-8")
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            return _text(426, "This is a relay of Masq; it speaks WebSocket.\n")
        return Connection(relay, forwarded(request.headers) if relay.behind_proxy else None)

    return await ws_create_server(
        answer,
        host,
        port,
        ssl=tls,
        backlog=BACKLOG,
        enable_auto_ping=True,
        auto_ping_idle_timeout=PING_SECONDS,
        auto_ping_reply_timeout=PING_SECONDS,
        enable_auto_pong=False,  # a flood of pings would be answered into memory
        max_frame_size=relay.limits.frame + SLACK,
        websocket_handshake_timeout=relay.limits.hello,
    )


def _text(status: int, words: str, kind: str = "text/plain; charset=utf-8") -> WSUpgradeResponseWithListener:
    body = words.encode()
    headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    if status == 200:
        response = WSUpgradeResponse.create_ok_response(body, headers)
    else:
        response = WSUpgradeResponse.create_error_response(status, body, headers)
    return WSUpgradeResponseWithListener(response, None)
