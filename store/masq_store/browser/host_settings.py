"""The settings that the store's host serves beside it, and this browser's default name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from masq import messages
from masq.errors import MasqError
from masq_store.core.profile import device_name as names
from masq_store.core.profile.relay_address import check_relay_address
from masq_store.engine.ports import Backend
from masq_store.engine.storage import disk_keys

SAYS = "../store.json"
"""Beside the store's page, seen from the worker's script."""


def device_name() -> str:
    """Return what this browser is called until its person says otherwise, such as "Chromium on Linux"."""
    import js

    data = getattr(js.navigator, "userAgentData", None)
    brands = [str(one.brand) for one in data.brands] if data else []
    return names.device_name(str(js.navigator.userAgent), brands, str(data.platform) if data else "")


async def tell_relay(backend: Backend, tell: Callable[[str], None]) -> None:
    """Call `tell` with the relay that the store's host names, "" for none.

    First with what it said last, for the times without a network; then, if it says something else now, with that.
    """
    kept = await backend.read(disk_keys.DEFAULT_RELAY)
    if kept is not None:
        tell(kept.decode())
    said = await _asked()
    if said is not None and said.encode() != kept:
        tell(said)
        with suppress(MasqError):  # a full disk: then it is asked again
            await backend.write([(disk_keys.DEFAULT_RELAY, said.encode())])


async def _asked() -> str | None:
    """Return what the host says, None where it cannot be asked or says nothing that can be."""
    import js
    from pyodide.ffi import JsException

    try:
        response = await js.fetch(js.URL.new(SAYS, js.self.location.href))
        if not response.ok:
            return None
        said: Any = messages.loads(await response.text())
        address = said["relay"]
        return check_relay_address(address) if address else ""
    except (JsException, MasqError, TypeError, LookupError):
        return None
