"""The `Backend` port over IndexedDB, and the object store that keeps the device key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from masq.errors import QuotaExceeded, StorageUnavailable
from masq_store.browser.ports.promises import Promises
from masq_store.browser.ports.reused_array import Scratch
from masq_store.core.errors import DamagedData, StorageFailed, Superseded

DATABASE = "masq"
VERSION = 1
RECORDS = "records"
KEYS = "keys"
GENERATION = 0  # known to bridge.js too
"""Key in `RECORDS` of the number of the engine that may write. A number: no scan or drop of strings meets it."""

LAST = "\U0010ffff"

PASSING = ("UnknownError", "AbortError", "TimeoutError")
"""Names of what can keep a database from opening for a moment: the disk's faults, as the IndexedDB spec names them."""

SECOND_LOOK_SECONDS = 0.5
"""Seconds after which a value that could not be read is read once more, before it counts as lost."""

Found = TypeVar("Found")


class IndexedDB:
    """A `Backend` over one database."""

    def __init__(self, js_database: Any) -> None:
        self._database = js_database
        self._generation: int | None = None
        self._promises = Promises()
        self._content = Scratch()
        self._no_drops = _array()
        self._lost: set[str] = set()  # keys of what the browser could not read at a second look either

    @classmethod
    async def open(cls, name: str = DATABASE) -> IndexedDB:
        """Open the database, made if need be.

        Raises StorageUnavailable, and StorageFailed where the browser may open it a moment later.
        """
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
            if failed.name in PASSING:
                raise StorageFailed(f"IndexedDB does not open ({failed.name})") from None
            full = failed.name == "QuotaExceededError"
            setting = "free some of this device's disk" if full else "site data (cookies) for the store"
            raise StorageUnavailable(f"IndexedDB does not open ({failed.name})", setting) from None
        # Another tab's newer version wants to upgrade: let it, our next write then says so.
        database.onversionchange = create_proxy(lambda event: database.close())
        return cls(database)

    async def read(self, key: str) -> bytes | None:
        """Return the bytes under `key`, or None.

        Raises StorageFailed, and DamagedData where the browser has lost this value alone.
        """

        async def look() -> Any:
            return await _result(_readable(self._database, RECORDS).get(key))

        found = await self._steadily(key, look)
        return None if found is None else found.to_bytes()  # an empty one counts as false

    async def scan(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return every (key, bytes) whose key starts with `prefix`, ordered by key. Raises as `read` does."""
        import js

        everything = js.IDBKeyRange.bound(prefix, prefix + LAST)

        async def look() -> Any:
            store = _readable(self._database, RECORDS)
            # Both requests before the first wait: the transaction ends when nothing is pending.
            return await asyncio.gather(
                _result(store.getAllKeys(everything)), _result(store.getAll(everything))
            )

        keys, values = await self._steadily(prefix, look)
        return [(key, value.to_bytes()) for key, value in zip(keys.to_py(), values, strict=True)]

    async def write(self, puts: Sequence[tuple[str, bytes]], drops: Sequence[tuple[str, str]] = ()) -> None:
        """Write a batch, all or nothing, and return once its transaction is complete."""
        from pyodide.ffi import JsException, to_js

        # The bytes are copied when JavaScript puts them: one array will do for one, not for several.
        filled = self._content.filled if len(puts) == 1 else to_js
        listed = [part for key, content in puts for part in (key, filled(content))]
        ranges = _array(drops) if drops else self._no_drops
        promises = self._promises
        try:
            reason = await promises.call(
                promises.bridge, "write", self._database, self._generation, ranges, *listed
            )
        except JsException as error:
            raise StorageFailed(f"the store's database has been closed ({error.name})") from None
        if reason == "Superseded":
            raise Superseded()
        if reason == "QuotaExceededError":
            raise QuotaExceeded("the browser's storage is full", kind="device")
        if reason:
            raise StorageFailed(f"the browser did not write to its disk ({reason})")

    async def flush(self) -> None:
        """Return once the browser says that what was written before is on the disk itself. Raises as `write` does."""
        generation = await self._note(lambda found: found)
        if self._generation is not None and generation != self._generation:
            raise Superseded()

    async def claim(self) -> int:
        """Take the next engine generation: what earlier claimants write is refused from now on."""
        self._generation = await self._note(lambda found: found + 1)
        return self._generation

    async def _note(self, change: Callable[[int], int]) -> int:
        """Change the engine generation in a strict transaction, which all before it are on the disk with; return it."""
        from pyodide.ffi import JsException, create_once_callable

        try:
            transaction = self._database.transaction(RECORDS, "readwrite", _object(durability="strict"))
        except JsException as error:
            raise StorageFailed(f"the store's database has been closed ({error.name})") from None
        store = transaction.objectStore(RECORDS)
        noted: list[int] = []

        def take(event: Any) -> None:
            noted.append(change(int(event.target.result or 0)))
            store.put(
                noted[0], GENERATION
            )  # also where it stays: a transaction without a write flushes nothing

        store.get(GENERATION).onsuccess = create_once_callable(take)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def abort(event: Any) -> None:
            why = transaction.error.name if transaction.error else "AbortError"
            full = why == "QuotaExceededError"
            done.set_exception(
                QuotaExceeded("the browser's storage is full", kind="device")
                if full
                else StorageFailed(f"the browser did not write to its disk ({why})")
            )

        transaction.oncomplete = create_once_callable(lambda event: done.set_result(None))
        transaction.onabort = create_once_callable(abort)
        await done
        return noted[0]

    async def destroy(self) -> None:
        """Close the database, and delete it."""
        import js

        name = str(self._database.name)
        self._database.close()
        await _result(js.indexedDB.deleteDatabase(name))

    async def close(self) -> None:
        """Close the database."""
        self._database.close()

    async def _steadily(self, key: str, look: Callable[[], Awaitable[Found]]) -> Found:
        """Return what `look` reads at `key`, at a second look if need be.

        Chromium and Firefox keep large values in files of their own, and where such a file is lost that value
        alone is: https://github.com/w3c/IndexedDB/issues/423. It must not pass for the whole storage's end.
        """
        try:
            return await look()
        except _Failed as failed:
            await _probe(self._database, failed)
        if key not in self._lost:
            await asyncio.sleep(SECOND_LOOK_SECONDS)
        try:
            return await look()
        except _Failed as failed:
            self._lost.add(key)
            raise _lost(failed) from None

    def keys(self) -> KeyStore:
        """Return the place for keys that cannot be turned into bytes."""
        return KeyStore(self._database)


class KeyStore:
    """Keeps CryptoKey objects, where the browser can store them."""

    def __init__(self, js_database: Any) -> None:
        self._database = js_database

    async def get(self, name: str) -> Any:
        """Return the key called `name`, or None. Raises as `IndexedDB.read` does."""
        try:
            return await _result(_readable(self._database, KEYS).get(name)) or None
        except _Failed as failed:
            await _probe(self._database, failed)
            raise _lost(failed) from None

    async def put(self, name: str, key: Any) -> Any:
        """Store `key` and return what reading it back gives; None where the browser cannot."""
        from pyodide.ffi import JsException

        try:
            await _result(self._database.transaction(KEYS, "readwrite").objectStore(KEYS).put(key, name))
        except (JsException, _Failed):  # DataCloneError at once, or from the request
            return None
        return await self.get(name)


class _Failed(Exception):
    """An IndexedDB request failed; `name` is its DOMException's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _readable(js_database: Any, name: str) -> Any:
    """Return an object store to read from. Raises StorageFailed where the database has been closed."""
    from pyodide.ffi import JsException

    try:
        return js_database.transaction(name, "readonly").objectStore(name)
    except JsException as error:
        raise StorageFailed(f"the store's database has been closed ({error.name})") from None


async def _probe(js_database: Any, failed: _Failed) -> None:
    """Return if the database gives anything at all, though something could not be read. Raises StorageFailed."""
    try:
        await _result(_readable(js_database, RECORDS).get(GENERATION))
    except _Failed:
        raise StorageFailed(f"the browser did not read its disk ({failed.name})") from None


def _lost(failed: _Failed) -> DamagedData:
    return DamagedData(f"something that the browser cannot read any more ({failed.name})")


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


def _array(items: Sequence[Any] = ()) -> Any:
    from pyodide.ffi import to_js

    return to_js(list(items))


def _object(**members: Any) -> Any:
    import js
    from pyodide.ffi import to_js

    return to_js(members, dict_converter=js.Object.fromEntries)
