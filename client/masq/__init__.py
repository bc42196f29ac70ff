"""Masq: an app's data, kept on the user's own devices.

    import masq

    store = await masq.connect("https://store.example", name="Counter", button="#connect")
    count = await store.get("count", 0)
    await store.increment("count")
    async for change in store.watch("count"):
        show(change.value)

It runs in PyScript (`py` and `mpy`) and in bare Pyodide. Errors: see masq.errors.
"""

from masq.errors import (
    AccessDenied,
    ConnectionTimeout,
    Disconnected,
    InvalidKey,
    InvalidValue,
    Locked,
    MasqError,
    NotRegistered,
    PopupBlocked,
    ProtocolError,
    QuotaExceeded,
    StorageUnavailable,
)
from masq.joining import connect, register
from masq.status import Status
from masq.store import Store
from masq.watch import Change

__version__ = "0.1.0"
__all__ = [
    "AccessDenied",
    "Change",
    "ConnectionTimeout",
    "Disconnected",
    "InvalidKey",
    "InvalidValue",
    "Locked",
    "MasqError",
    "NotRegistered",
    "PopupBlocked",
    "ProtocolError",
    "QuotaExceeded",
    "Status",
    "StorageUnavailable",
    "Store",
    "connect",
    "register",
]
