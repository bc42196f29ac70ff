"""An app's roster: the small space beside its data in which the devices of the profile tell the app's partitions what
these must know. The app cannot reach it, and a partition only reads it.

| key | value |
| --- | --- |
| `app` | `{"approved", "generation", "relay", "devices"}`, see `Facts` |
| `removed/<id>` | `{"ms"}`: that partition is to erase its copy |
| `locks/<id>` | `{"stay", "minutes"}`, see `Locks`: as the person has set it in that partition's browser |
"""

from __future__ import annotations

from typing import Any, NamedTuple

from masq import messages
from masq.errors import MasqError
from masq_store.core.access import MAX_LOCK_MINUTES
from masq_store.core.relay_address import check_relay_address

APP, REMOVED, LOCKS = "app", "removed/", "locks/"


class Facts(NamedTuple):
    """What stands under `app`.

    `approved`: may the app keep its data? `generation`: which of its spaces is in use. `relay`: where its devices
    meet, "" for nowhere. `devices`: how many hold its data.
    """

    approved: bool
    generation: int
    relay: str
    devices: int


class Locks(NamedTuple):
    """What stands under `locks/<id>`.

    `stay`: may the copy open by itself after a restart? `minutes`: after how many of rest it locks; 0: never.
    """

    stay: bool
    minutes: int


def read_locks(text: str | None) -> Locks | None:
    """Return when a copy locks; None where a roster does not say, or nothing that can be read."""
    try:
        entry: Any = messages.decode(text) if text is not None else None
        stay, minutes = (entry[name] for name in Locks._fields)
    except (MasqError, TypeError, LookupError):
        return None
    fine = type(stay) is bool and type(minutes) is int and 0 <= minutes <= MAX_LOCK_MINUTES
    return Locks(stay, minutes) if fine else None


def read_facts(text: str | None) -> Facts | None:
    """Return what a roster says; None where it says nothing, or nothing that can be read."""
    try:
        entry: Any = messages.decode(text) if text is not None else None
        approved, generation, relay, devices = (entry[name] for name in Facts._fields)
        if relay:
            check_relay_address(relay)
    except (MasqError, TypeError, LookupError):
        return None
    if type(approved) is not bool or type(generation) is not int or type(devices) is not int:
        return None
    return Facts(approved, generation, relay, max(1, devices)) if isinstance(relay, str) else None
