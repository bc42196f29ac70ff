"""A tap on the way to a relay: every byte that devices send it, and what it keeps, searched for known texts."""

from __future__ import annotations

import asyncio
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Tap:
    """What went through. `port`: where devices connect."""

    def __init__(self) -> None:
        self.port = 0
        self.connections: list[bytearray] = []
        """For each connection all that the device sent, as it came over the wire."""

    def plain(self) -> bytes:
        """Return all that the relay received: the heads of the requests, then the messages, unmasked."""
        found = bytearray()
        for raw in self.connections:
            head, _, rest = bytes(raw).partition(b"\r\n\r\n")
            found += head + b"\n"
            for message in _messages(rest):
                found += message + b"\n"
        return bytes(found)


@asynccontextmanager
async def tap(port: int) -> AsyncIterator[Tap]:
    """Listen, and pass everything on to the relay at `port`."""
    found = Tap()
    flows: set[asyncio.Task[None]] = set()

    async def flow(reader, writer, kept) -> None:
        try:
            while content := await reader.read(65536):
                if kept is not None:
                    kept += content
                writer.write(content)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def connected(reader, writer) -> None:
        kept = bytearray()
        found.connections.append(kept)
        onward, back = await asyncio.open_connection("127.0.0.1", port)
        for work in (flow(reader, back, kept), flow(onward, writer, None)):
            flows.add(asyncio.ensure_future(work))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in flows:
            task.cancel()
        await asyncio.gather(*flows, return_exceptions=True)


def kept_by(folder: Path) -> bytes:
    """Return all that stands in a folder's files, and their names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"\n".join(str(path.relative_to(folder)).encode() + b"\n" + path.read_bytes() for path in files)


def found_in(content: bytes, text: str | bytes) -> list[str]:
    """Return the encodings in which a text stands in some bytes."""
    raw = text if isinstance(text, bytes) else text.encode()
    forms = {"bytes": [raw], "hex": [raw.hex().encode(), raw.hex().upper().encode()]}
    forms["base64"] = _base64(raw)
    if isinstance(text, str):
        forms["UTF-16"] = [text.encode("utf-16-le"), text.encode("utf-16-be")]
        if not text.isascii():
            forms["escaped"] = [text.encode("unicode_escape")]
        forms["base64 of UTF-16"] = [each for wide in forms["UTF-16"] for each in _base64(wide)]
    return [name for name, each in forms.items() if any(form in content for form in each)]


def _base64(raw: bytes) -> list[bytes]:
    """Return what of a text's base64 is the same whatever stands around it, at each of three places."""
    found = []
    for encode in (b64encode, urlsafe_b64encode):
        for before in range(3):
            encoded = encode(bytes(before) + raw).rstrip(b"=")
            start = (before * 8 + 5) // 6  # characters that what stands before has a part in
            end = (before + len(raw)) * 8 // 6
            found.append(encoded[start:end])
    return found


def _messages(stream: bytes) -> list[bytes]:
    """Return the payloads of a client's WebSocket frames (RFC 6455, section 5.2)."""
    found, at = [], 0
    while at + 6 <= len(stream):
        size, at = stream[at + 1] & 0x7F, at + 2
        wide = {126: 2, 127: 8}.get(size, 0)
        if wide:
            size, at = int.from_bytes(stream[at : at + wide], "big"), at + wide
        mask, at = stream[at : at + 4], at + 4
        content = stream[at : at + size]
        keys = int.from_bytes((mask * (size // 4 + 1))[: len(content)], "big")
        found.append((int.from_bytes(content, "big") ^ keys).to_bytes(len(content), "big"))
        at += size
    return found
