"""A tap on the way to a relay: it passes bytes on, keeps what devices sent, and can be shut."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Tap:
    """A server on loopback in front of the relay at `port`; `url` is its address, for the devices."""

    def __init__(self, port: int) -> None:
        self.relay_port = port
        self.heads: list[bytes] = []
        """What came before the first frame of each connection."""
        self.sent: list[bytes] = []
        """Every WebSocket message that devices have sent, unmasked, in the order of its arrival."""
        self.shut = False
        """While this holds nobody gets through."""
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://localhost:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and let nobody in until `open`."""
        self.shut = True
        with self._lock:
            cut = list(self._open)
        for end in cut:
            _shut(end)

    def open(self) -> None:
        """Let devices through again."""
        self.shut = False

    def close(self) -> None:
        """End it."""
        self.cut()
        _shut(self._server)
        self._server.close()

    def posts(self) -> list[bytes]:
        """Return the envelopes that devices have posted so far."""
        return [message[7:] for message in list(self.sent) if message[:1] == b"\x04"]

    def _serve(self) -> None:
        while True:
            try:
                device, _ = self._server.accept()
            except OSError:
                return
            try:
                relay = None if self.shut else socket.create_connection(("127.0.0.1", self.relay_port), 5)
            except OSError:  # the relay is away
                relay = None
            if relay is None:
                device.close()
                continue
            relay.settimeout(None)
            with self._lock:
                self._open |= {device, relay}
            threading.Thread(target=self._listen, args=(device, relay), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(relay, device, None), daemon=True).start()

    def _listen(self, device: socket.socket, relay: socket.socket) -> None:
        reader = Reader(self.heads, self.sent)
        self._pass_on(device, relay, reader)

    def _pass_on(self, source: socket.socket, target: socket.socket, reader: Reader | None) -> None:
        try:
            while some := source.recv(1 << 16):
                if reader is not None:
                    reader.read(some)
                target.sendall(some)
        except OSError:
            pass
        finally:
            _shut(target)
            _shut(source)
            source.close()
            with self._lock:
                self._open.discard(source)


class Reader:
    """Reads a device's side of one connection: its request, and then its WebSocket messages (RFC 6455)."""

    def __init__(self, heads: list[bytes], sent: list[bytes]) -> None:
        self._heads = heads
        self._sent = sent
        self._buffer = b""
        self._begun = False
        self._message = b""

    def read(self, some: bytes) -> None:
        """Take bytes as they come."""
        self._buffer += some
        if not self._begun:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._heads.append(head)
            self._begun, self._buffer = True, rest
        while self._frame():
            pass

    def _frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        final, kind = buffer[0] & 0x80, buffer[0] & 0x0F
        assert not buffer[0] & 0x40, "compressed: what is in it would not be seen"
        size, at = buffer[1] & 0x7F, 2
        if size > 125:
            long = 2 if size == 126 else 8
            if len(buffer) < at + long:
                return False
            size, at = int.from_bytes(buffer[at : at + long], "big"), at + long
        if len(buffer) < at + 4 + size:
            return False
        mask, content = buffer[at : at + 4], buffer[at + 4 : at + 4 + size]
        self._buffer = buffer[at + 4 + size :]
        if kind < 8:  # a ping or a goodbye is no message
            self._message += _unmasked(mask, content)
            if final:
                self._sent.append(self._message)
                self._message = b""
        return True


def _unmasked(mask: bytes, content: bytes) -> bytes:
    key = int.from_bytes((mask * (len(content) // 4 + 1))[: len(content)], "big")
    return (int.from_bytes(content, "big") ^ key).to_bytes(len(content), "big")


def _shut(end: socket.socket) -> None:
    with suppress(OSError):  # it is already
        end.shutdown(socket.SHUT_RDWR)
