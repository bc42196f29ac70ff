"""The `Backend` port over localStorage: for the little that a page must know before Python is up.

Theme, language, whom to greet. Bytes stand there in Base64 under `masq:<key>`. It exists in pages only, and
browsers give it about 5 MiB in all; this takes at most 4.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from masq.errors import Disconnected, QuotaExceeded, StorageUnavailable
from masq_store.core.errors import Superseded

PREFIX = "masq:"
GENERATION = "masq-generation"
MAX_CHARACTERS = 4 * 1024 * 1024


class LocalStorage:
    """One origin's localStorage."""

    def __init__(self, prefix: str = PREFIX) -> None:
        import js

        storage = getattr(js, "localStorage", None)
        if storage is None:
            raise StorageUnavailable("this page has no localStorage", "site data (cookies) for the store")
        self._storage: Any = storage
        self._prefix = prefix
        self._generation: int | None = None
        self._closed = False

    async def read(self, key: str) -> bytes | None:
        """Return the bytes under `key`, or None."""
        return self._get(key)

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return every (key, bytes) whose key starts with `prefix`, ordered by key."""
        found = []
        for key in self._keys():
            content = self._get(key) if key.startswith(prefix) else None
            if content is not None:
                found.append((key, content))
        return found

    async def write(self, puts: Sequence[tuple[str, bytes]], drops: Sequence[tuple[str, str]] = ()) -> None:
        """Write a batch, all or nothing: what was there is put back where the batch does not fit."""
        self._check_open()
        if self._generation is not None and self._claimed() != self._generation:
            raise Superseded()
        before: dict[str, bytes | None] = {
            key: self._get(key) for key in self._keys() if any(first <= key < end for first, end in drops)
        }
        before.update({key: self._get(key) for key, _ in puts})
        try:
            for key in before:
                self._put(key, None)
            for key, content in puts:
                self._put(key, content)
            if self._size() > MAX_CHARACTERS:
                raise QuotaExceeded("the browser's storage for pages is full", MAX_CHARACTERS, "device")
        except Exception as error:
            for key in before:
                self._put(key, None)
            for key, old in before.items():
                self._put(key, old)
            if isinstance(error, QuotaExceeded):
                raise
            raise QuotaExceeded("the browser's storage for pages is full", MAX_CHARACTERS, "device") from None

    async def flush(self) -> None:
        """Return once what was written before is as safe as it can be: when it goes to the disk is the browser's."""
        self._check_open()

    async def claim(self) -> int:
        """Take the next generation: what earlier claimants write is refused from now on."""
        self._check_open()
        self._generation = self._claimed() + 1
        self._storage.setItem(GENERATION, str(self._generation))
        return self._generation

    async def close(self) -> None:
        """Let the storage go."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise Disconnected("the store's storage has been closed")

    def _claimed(self) -> int:
        return int(self._storage.getItem(GENERATION) or 0)

    def _keys(self) -> list[str]:
        self._check_open()
        names = [str(self._storage.key(i)) for i in range(self._storage.length)]
        return sorted(name[len(self._prefix) :] for name in names if name.startswith(self._prefix))

    def _size(self) -> int:
        return sum(len(key) + len(self._storage.getItem(self._prefix + key)) for key in self._keys())

    def _get(self, key: str) -> bytes | None:
        self._check_open()
        text = self._storage.getItem(self._prefix + key)
        return base64.b64decode(text) if isinstance(text, str) else None

    def _put(self, key: str, content: bytes | None) -> None:
        if content is None:
            self._storage.removeItem(self._prefix + key)
        else:
            self._storage.setItem(self._prefix + key, base64.b64encode(content).decode())
