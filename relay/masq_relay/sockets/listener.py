"""The relay's HTTP: a request is answered with a WebSocket, its health, its counts, or why not."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from picows import WSListener, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener

from masq_relay.event_log import EventLog
from masq_relay.sockets.arrivals import BACKLOG, Arrival
from masq_relay.sockets.peers import forwarded, is_loopback

Answered = WSListener | WSUpgradeResponseWithListener

PASSED_ON = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
"""Headers of a request that came through a proxy."""


async def bind(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Return sockets that listen at every address of these hosts, on one port. Raises OSError."""
    loop = asyncio.get_running_loop()
    found: list[socket.socket] = []
    try:
        for host in hosts:
            refusal: OSError | None = None
            before = len(found)
            for family, _, _, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                try:
                    found.append(_bound(family, (address[0], port, *address[2:])))
                except OSError as error:
                    if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                        raise
                    refusal = error  # a name may have an address of a kind that this machine lacks
                else:
                    port = found[-1].getsockname()[1]
            if refusal is not None and len(found) == before:
                raise refusal
    except OSError:
        for each in found:
            each.close()
        raise
    return found


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with suppress(OSError, AttributeError):
                found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind(address)
        found.listen(BACKLOG)
        found.setblocking(False)
    except OSError:
        found.close()
        raise
    return found


class Listener:
    """Answers HTTP requests: those for a WebSocket by the handshake, or by why there is none.

    Args:
        connect: returns what listens to a WebSocket: for the socket that arrived, and the address of who is behind it.
        event_log: where it says what is odd.
        healthy: whether the relay keeps what it is given.
        counts: returns what /metrics shows.
        behind_proxy: whether X-Forwarded-For says who comes.
        local: whether all addresses are this machine's own.
        origins: pages that may connect, as origins; where any are given, and where all is local, no others may.
        metrics_apart: whether the counts have a port of their own.
    """

    def __init__(
        self,
        connect: Callable[[Arrival, str], WSListener],
        event_log: EventLog,
        *,
        healthy: Callable[[], bool],
        counts: Callable[[], str],
        behind_proxy: bool,
        local: bool,
        origins: Sequence[str],
        metrics_apart: bool,
    ) -> None:
        self._connect = connect
        self._event_log = event_log
        self._healthy = healthy
        self._counts = counts
        self._behind_proxy = behind_proxy
        self._origins = frozenset(origins)
        # Behind a proxy the world comes from this machine's own address.
        self._any_origin = not origins and (not local or behind_proxy)
        self._metrics_apart = metrics_apart
        self._warned = False

    def answer(self, arrival: Arrival, request: WSUpgradeRequest) -> Answered:
        """Return what a request at the relay's own port gets."""
        path = request.path.split(b"?")[0]
        if path == b"/healthz":
            return self._health()
        if path == b"/metrics":
            if self._metrics_apart or not _from_here(arrival, request):
                return _text(403, "The counts are shown to this machine only; see --metrics-port.\n")
            return self._metrics()
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            return _text(426, "This is a relay of Masq; it speaks WebSocket.\n")
        if not self._allowed(request.headers.get("Origin")):
            self._event_log.write("warning", "origin refused")
            return _text(403, "Pages of this origin may not use this relay; see --allow-origin.\n")
        address = arrival.address
        lines = request.headers.getall("X-Forwarded-For", [])
        if self._behind_proxy:
            named = forwarded(lines)
            if named is None:
                self._event_log.write("error", "proxy names no address")
                return _text(400, "The proxy before this relay does not say whom it speaks for.\n")
            address = named
        elif lines and not self._warned:
            self._warned = True
            self._event_log.write("warning", "a proxy, and no --behind-proxy: its users count as one")
        return self._connect(arrival, address)

    def answer_with_counts(self, arrival: Arrival, request: WSUpgradeRequest) -> Answered:
        """Return what a request at the port for the counts gets."""
        path = request.path.split(b"?")[0]
        if not _from_here(arrival, request):
            return _text(403, "The counts are shown to this machine only.\n")
        if path == b"/metrics":
            return self._metrics()
        return self._health() if path == b"/healthz" else _text(404, "Here are /metrics and /healthz.\n")

    def _allowed(self, origin: str | None) -> bool:
        if origin is None or self._any_origin:  # who is no browser can say what it likes
            return True
        if origin in self._origins:
            return True
        with suppress(ValueError):
            return is_loopback(urlsplit(origin).hostname or "")
        return False

    def _health(self) -> Answered:
        if self._healthy():
            return _text(200, "ok\n")
        return _text(503, "the disk failed\n")

    def _metrics(self) -> Answered:
        return _text(200, self._counts(), "text/plain; version=0.0.4; charset=utf-8")


def _from_here(arrival: Arrival, request: WSUpgradeRequest) -> bool:
    """Tell whether a request is this machine's own: not passed on, and not by a name that somebody pointed here."""
    if not is_loopback(arrival.address) or any(name in request.headers for name in PASSED_ON):
        return False
    with suppress(ValueError):
        return is_loopback(urlsplit(f"//{request.headers.get('Host', '')}").hostname or "")
    return False


def _text(status: int, words: str, kind: str = "text/plain; charset=utf-8") -> WSUpgradeResponseWithListener:
    body = words.encode()
    headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    if status == 200:
        response = WSUpgradeResponse.create_ok_response(body, headers)
    else:
        response = WSUpgradeResponse.create_error_response(status, body, headers)
    return WSUpgradeResponseWithListener(response, None)
