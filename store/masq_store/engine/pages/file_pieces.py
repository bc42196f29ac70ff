"""Files on their way between the engine and a page, in pieces: a message holds text, and a page shows progress."""

from __future__ import annotations

import base64
import binascii
import itertools
from typing import Any

from masq.errors import ProtocolError
from masq_store.core.backup.contents import Backup
from masq_store.core.pages.schema import OfferedFile

PIECE_BYTES = 1024 * 1024

MAX_FILE_BYTES = 1024 * 1024 * 1024
"""Far above any backup of spaces within their limits; memory ends sooner."""


class Files:
    """The files of one page, by a name that it was given."""

    def __init__(self) -> None:
        self._names = itertools.count(1)
        self._going: dict[str, bytes] = {}
        self._coming: dict[str, bytearray] = {}
        self._read: dict[str, Backup] = {}

    def offer(self, content: bytes) -> OfferedFile:
        """Take a file for the page to fetch; return its id, its size in bytes, and how many pieces it has."""
        name = str(next(self._names))
        self._going[name] = content
        return {"id": name, "size": len(content), "pieces": -(-len(content) // PIECE_BYTES)}

    def piece(self, name: Any, number: Any) -> str:
        """Return piece `number` of a file on offer, the first being 0, as base64."""
        content = self._going.get(name)
        if content is None or type(number) is not int or not 0 <= number * PIECE_BYTES < len(content):
            raise ProtocolError("there is no such piece")
        return base64.b64encode(content[number * PIECE_BYTES : (number + 1) * PIECE_BYTES]).decode()

    def begin(self) -> str:
        """Return the name of a file that the page is going to send."""
        name = str(next(self._names))
        self._coming[name] = bytearray()
        return name

    def add(self, name: Any, piece: Any) -> None:
        """Take the next piece of a file, as base64."""
        try:
            content = base64.b64decode(piece, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise ProtocolError("the piece is not base64") from None
        if name not in self._coming or len(self._coming[name]) + len(content) > MAX_FILE_BYTES:
            raise ProtocolError("the file was not begun, or is too large")
        self._coming[name] += content

    def content(self, name: Any) -> bytes:
        """Return a file that the page has sent."""
        if name not in self._coming:
            raise ProtocolError("the file was not begun")
        return bytes(self._coming[name])

    def keep(self, name: str, backup: Backup) -> None:
        """Keep what was read from a file that the page has sent, until it is dropped."""
        self._read[name] = backup

    def backup(self, name: Any) -> Backup:
        """Return what `keep` was given."""
        if name not in self._read:
            raise ProtocolError("the file was not read, or the store was locked since; choose it again")
        return self._read[name]

    def forget_read(self) -> None:
        """Forget what was read from backups, in clear: the profile was locked."""
        self._read.clear()

    def drop(self, name: Any) -> None:
        """Forget a file."""
        self._going.pop(name, None)
        self._coming.pop(name, None)
        self._read.pop(name, None)
