"""Web Locks: one engine at a time, and who is still alive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from masq.errors import StorageUnavailable


class Held:
    """A lock that is held until `release`, or until this worker or page ends."""

    def __init__(self, let_go: Any) -> None:
        self._let_go = let_go

    def release(self) -> None:
        """Give the lock to whoever is next."""
        self._let_go()


async def acquire(
    name: str, *, wait: bool = True, steal: bool = False, stolen: Callable[[], None] = lambda: None
) -> Held | None:
    """Take the lock called `name`; without `wait`, return None where somebody else has it.

    `steal` takes it from whoever has it. `stolen` is called if that happens to us after we got it.
    """
    import asyncio

    import js
    from pyodide.ffi import create_once_callable, to_js

    granted: asyncio.Future[Held | None] = asyncio.get_running_loop().create_future()

    def on_grant(lock: Any) -> Any:
        if not lock:
            granted.set_result(None)
            return None
        until = js.Promise.withResolvers()
        granted.set_result(Held(until.resolve))
        return until.promise

    options: dict[str, bool] = {}
    if steal:
        options["steal"] = True
    elif not wait:
        options["ifAvailable"] = True
    js_options = to_js(options, dict_converter=js.Object.fromEntries)
    request = js.navigator.locks.request(name, js_options, create_once_callable(on_grant))

    def on_refusal(error: Any) -> None:
        if granted.done():
            stolen()
        else:
            granted.set_exception(StorageUnavailable(f"it grants no locks ({error.name})"))

    request.catch(create_once_callable(on_refusal))
    return await granted


def released(name: str) -> Awaitable[Any]:
    """Return once nobody holds the lock called `name`: its holder has gone."""
    import js
    from pyodide.ffi import create_once_callable

    promise: Awaitable[Any] = js.navigator.locks.request(name, create_once_callable(lambda lock: None))
    return promise
