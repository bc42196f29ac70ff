"""The `Backend` port over IndexedDB, and the object store that keeps the device key."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from masq.errors import Disconnected, QuotaExceeded, StorageUnavailable
from masq_store.core.errors import Superseded

DATABASE = "masq"
VERSION = 1
RECORDS = "records"
KEYS = "keys"
GENERATION = 0
"""Key in `RECORDS` of the number of the engine that may write. A number: no scan or drop of strings meets it."""

LAST = "\U0010ffff"


class IndexedDB:
    """One database. Its readwrite transactions finish in the order in which they were begun."""

    def __init__(self, js_database: Any) -> None:
        from pyodide.ffi import create_proxy

        self._database = js_database
        self._generation: int | None = None
        self._writing: deque[_Write] = deque()
        # Three proxies for all transactions there will be: making one for each costs more than the write.
        self._on_complete = create_proxy(self._complete)
        self._on_abort = create_proxy(self._abort)
        self._on_check = create_proxy(self._check)
        self._options = _object(durability="relaxed")

    @classmethod
    async def open(cls, name: str = DATABASE) -> IndexedDB:
        """Open the database, made if need be. Raises StorageUnavailable."""
        import js
        from pyodide.ffi import create_once_callable, create_proxy

        request = js.indexedDB.open(name, VERSION)

        def upgrade(event: Any) -> None:
            for store in (RECORDS, KEYS):
                request.result.createObjectStore(store)

        upgrading = create_once_callable(upgrade)
        request.onupgradeneeded = upgrading
        try:
            database = await _result(request)
        except _Failed as failed:
            raise StorageUnavailable(
                f"IndexedDB does not open ({failed.name})", "site data (cookies) for the store"
            ) from None
        # Another tab's newer version wants to upgrade: let it, our next write then says so.
        database.onversionchange = create_proxy(lambda event: database.close())
        return cls(database)

    async def read(self, key: str) -> bytes | None:
        """Return the bytes under `key`, or None."""
        found = await _result(self._read_store().get(key))
        return None if found is None else found.to_bytes()  # an empty one counts as false

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return every (key, bytes) whose key starts with `prefix`, ordered by key."""
        import js

        store = self._read_store()
        everything = js.IDBKeyRange.bound(prefix, prefix + LAST)
        # Both requests before the first wait: the transaction ends when nothing is pending.
        keys, values = store.getAllKeys(everything), store.getAll(everything)
        found_keys, found_values = await asyncio.gather(_result(keys), _result(values))
        return [(key, value.to_bytes()) for key, value in zip(found_keys.to_py(), found_values, strict=True)]

    async def write(self, puts: Sequence[tuple[str, bytes]], drops: Sequence[tuple[str, str]] = ()) -> None:
        """Write a batch, all or nothing, and return once its transaction is complete."""
        import js
        from pyodide.ffi import JsException, to_js

        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            transaction = self._database.transaction(RECORDS, "readwrite", self._options)
        except JsException as error:
            raise Disconnected(f"the store's database has been closed ({error.name})") from None
        transaction.oncomplete = self._on_complete
        transaction.onabort = self._on_abort
        self._writing.append(_Write(done, transaction))
        try:
            store = transaction.objectStore(RECORDS)
            if self._generation is not None:
                store.get(GENERATION).onsuccess = self._on_check
            for first, end in drops:
                store.delete(js.IDBKeyRange.bound(first, end, False, True))
            for key, content in puts:
                store.put(to_js(content), key)
        except Exception:
            transaction.abort()  # what was issued would be written by itself: half a batch
        await done

    async def claim(self) -> int:
        """Take the next engine generation: what earlier claimants write is refused from now on."""
        from pyodide.ffi import JsException, create_once_callable

        try:
            transaction = self._database.transaction(RECORDS, "readwrite", _object(durability="strict"))
        except JsException as error:
            raise Disconnected(f"the store's database has been closed ({error.name})") from None
        store = transaction.objectStore(RECORDS)
        claimed: list[int] = []

        def take(event: Any) -> None:
            claimed.append(int(event.target.result or 0) + 1)
            store.put(claimed[0], GENERATION)

        store.get(GENERATION).onsuccess = create_once_callable(take)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        transaction.oncomplete = self._on_complete
        transaction.onabort = self._on_abort
        self._writing.append(_Write(done, transaction))
        await done
        self._generation = claimed[0]
        return claimed[0]

    async def close(self) -> None:
        """Close the database."""
        self._database.close()

    def keys(self) -> KeyStore:
        """Return the place for keys that cannot be turned into bytes."""
        return KeyStore(self._database)

    def _read_store(self) -> Any:
        from pyodide.ffi import JsException

        try:
            return self._database.transaction(RECORDS, "readonly").objectStore(RECORDS)
        except JsException as error:
            raise Disconnected(f"the store's database has been closed ({error.name})") from None

    # Transactions on one object store complete or abort in order, so the first write in the row is meant.

    def _check(self, event: Any) -> None:
        if event.target.result != self._generation:
            self._writing[0].superseded = True
            event.target.transaction.abort()

    def _complete(self, event: Any) -> None:
        done = self._writing.popleft().done
        if not done.done():
            done.set_result(None)

    def _abort(self, event: Any) -> None:
        write = self._writing.popleft()
        if write.done.done():
            return
        cause = event.target.error
        name = cause.name if cause else ""
        if write.superseded:
            write.done.set_exception(Superseded())
        elif name == "QuotaExceededError":
            write.done.set_exception(QuotaExceeded("the browser's storage is full"))
        else:
            write.done.set_exception(Disconnected(f"the browser did not write to its disk ({name})"))


class KeyStore:
    """Keeps CryptoKey objects, where the browser can store them."""

    def __init__(self, js_database: Any) -> None:
        self._database = js_database

    async def get(self, name: str) -> Any:
        """Return the key called `name`, or None."""
        return await _result(self._database.transaction(KEYS).objectStore(KEYS).get(name)) or None

    async def put(self, name: str, key: Any) -> Any:
        """Store `key` and return what reading it back gives; None where the browser cannot."""
        from pyodide.ffi import JsException

        try:
            await _result(self._database.transaction(KEYS, "readwrite").objectStore(KEYS).put(key, name))
        except (JsException, _Failed):  # DataCloneError at once, or from the request
            return None
        return await self.get(name)


class _Write:
    """A readwrite transaction that has not ended."""

    __slots__ = ("done", "superseded", "transaction")

    def __init__(self, done: asyncio.Future[None], transaction: Any) -> None:
        self.done = done
        self.transaction = transaction
        self.superseded = False


class _Failed(Exception):
    """An IndexedDB request failed; `name` is its DOMException's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _result(request: Any) -> asyncio.Future[Any]:
    """Return what an IDBRequest gives, as a future."""
    from pyodide.ffi import create_proxy

    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def succeed(event: Any) -> None:
        drop()
        if not future.done():
            future.set_result(request.result)

    def fail(event: Any) -> None:
        drop()
        event.preventDefault()
        if not future.done():
            future.set_exception(_Failed(request.error.name))

    def drop() -> None:
        request.onsuccess = request.onerror = None
        succeeding.destroy()
        failing.destroy()

    succeeding, failing = create_proxy(succeed), create_proxy(fail)
    request.onsuccess, request.onerror = succeeding, failing
    return future


def _object(**members: Any) -> Any:
    import js
    from pyodide.ffi import to_js

    return to_js(members, dict_converter=js.Object.fromEntries)
