"""The services that all parts of the store's engine share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from masq_store.engine.ports import Backend, Crypto
from masq_store.engine.profile.vault import Vault
from masq_store.engine.relay.relays import Relays
from masq_store.engine.storage.writer import Writer
from masq_store.engine.store.connected import Connected
from masq_store.engine.tasks import Tasks
from masq_store.engine.trace import Trace


@dataclass(frozen=True, slots=True)
class Services:
    """The leaves of the store's engine: none of them knows who uses it.

    now_ms: the device's clock. relays: None where there is no network. tasks: run in the background, and end with the
    engine. device_name: what this device is called until the person says otherwise. trace: of what happens lately.
    """

    backend: Backend
    crypto: Crypto
    now_ms: Callable[[], int]
    writer: Writer
    vault: Vault
    relays: Relays | None
    tasks: Tasks
    connected: Connected
    device_name: str
    trace: Trace
