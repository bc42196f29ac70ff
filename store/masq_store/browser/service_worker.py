"""The service worker, for the store's page without a network; and the poll for a newer build."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any

LOOK_EVERY_SECONDS = 3600
"""The polling interval: how often an open page asks for a newer build, besides each time that it is shown again."""

BUILD = re.compile(r"app-[0-9a-f]{16}/boot\.js")
"""How a page names the build that it starts."""


async def keep(offer: Callable[[], None]) -> None:
    """Have the browser keep the store's files, and call `offer` once when a newer build has been published.

    Call it when the page is up: it is not meant to slow its start. Where there are no service workers, in a
    private window say, nothing is kept and a newer build is offered all the same.
    """
    import js
    from pyodide.ffi import create_proxy

    registration = await _register()
    shown = asyncio.Event()

    def look(_event: Any) -> None:
        if not js.document.hidden:
            shown.set()

    js.document.addEventListener("visibilitychange", create_proxy(look))
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(shown.wait(), LOOK_EVERY_SECONDS)
        shown.clear()
        # Without a network both fail: the next time may fare better.
        with contextlib.suppress(Exception):
            if await _is_older():
                break
        with contextlib.suppress(Exception):
            await registration.update()
    offer()
    with contextlib.suppress(Exception):
        await registration.update()


async def _register() -> Any:
    """Return the registration of the service worker, or None where the browser has none or refuses."""
    import js

    with contextlib.suppress(Exception):
        return await js.navigator.serviceWorker.register("service-worker.js")
    return None


async def _is_older() -> bool:
    """Say whether the host, or what is kept of it, has another build than this page is of."""
    import js

    answer = await js.fetch("./", cache="no-cache")
    found = BUILD.search(await answer.text())
    here = js.document.querySelector("script[src$='/boot.js']").getAttribute("src")
    return found is not None and found[0] not in here
