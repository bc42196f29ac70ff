"""The home space's schema for a profile's devices: the names of its keys, and what stands under them.

| key | value | written by |
| --- | --- | --- |
| `device/<id>` | `{"name", "identity", "added_ms"}`; `identity`: its public key in hexadecimal | any device |
| the same, of a partition | `{"app", "in"}` too: its app's origin, the device in whose browser it is | that device |
| and where it took the place of others | `{"before"}` too: their ids; they may be at work still | that device |
| `seen/<id>` | `{"ms", "clock_off_ms"}`; the latter: its clock minus the relay's, or null | the device itself |
| `removed/<id>` | `{"ms"}`, of a partition `{"ms", "app", "in"}` too | the device that removes it |
| `quiet/<id>/<origin>` | `true`: that device does not sync that app | the device itself |
| `roster/<origin>` | `true`: a partition of that app is or was a device, so the app has a roster | any device |
| `relay` | `{"url"}`, "" for none; absent: the store's own choice | any device |

A device's id is made of its public key, so that whoever is given the key knows the id too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NotRequired, TypedDict

from masq import messages
from masq.errors import MasqError
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.primitives import Primitives
from masq_store.core.profile.claims import MAX_NAME, check_device_name
from masq_store.core.profile.relay_address import check_relay_address

DEVICE, SEEN, REMOVED, QUIET = "device/", "seen/", "removed/", "quiet/"
RELAY = "relay"

REMOVED_MS = 30 * 24 * 3600 * 1000
"""How long a device that was removed waits for its person's word before it erases what it has."""

TOGETHER_MS = 24 * 3600 * 1000
"""Devices that were removed within so long of each other were removed together."""

MOST_BEFORE = 8
"""Partitions that another one remembers to have taken the place of: the latest."""

ROSTER = "roster/"


@dataclass(frozen=True, slots=True)
class Identity:
    """A device of a profile. `id`: 16 hexadecimal characters; `public`: its X25519 key, 32 bytes."""

    id: str
    public: bytes


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the home space lists it; times in milliseconds since 1970, None where they are not known."""

    id: str
    name: str
    added_ms: int
    seen_ms: int | None
    clock_off_ms: int | None
    app: str | None = None
    """Of a partition: the origin of the app whose data it holds, and no other's."""
    host: str | None = None
    """Of a partition: the device in whose browser it is."""


class DeviceEntry(TypedDict):
    """What stands under `device/<id>`; the table above says what it means."""

    name: str
    identity: str
    added_ms: int


_OfPartition = TypedDict("_OfPartition", {"app": str, "in": str, "before": NotRequired[list[str]]})


class PartitionEntry(DeviceEntry, _OfPartition):
    """The entry of a partition, which stands under the same key."""


async def draw_identity(crypto: Primitives) -> tuple[Identity, bytes]:
    """Return a new identity, and its private key, which never leaves the device."""
    private = crypto.random(key_schedule.X25519_BYTES)
    return await identity_of(crypto, await crypto.x25519_public(private)), private


async def identity_of(crypto: Primitives, public: bytes) -> Identity:
    """Return the identity that a public key stands for."""
    hashed = await crypto.sha256(key_schedule.device_id_data(public))
    return Identity(hashed[: key_schedule.DEVICE_ID_BYTES].hex(), public)


def device_value(name: str, identity: Identity, added_ms: int) -> DeviceEntry:
    """Return what stands under `device/<id>`."""
    return {"name": name, "identity": identity.public.hex(), "added_ms": added_ms}


def partition_value(
    name: str, identity: Identity, added_ms: int, app: str, host: str, before: Iterable[str] = ()
) -> PartitionEntry:
    """Return what stands under `device/<id>` for a partition of the browser of device `host`.

    `before`: the ids of those whose place it takes, the latest last.
    """
    public, replaced = identity.public.hex(), [each for each in dict.fromkeys(before) if each != identity.id]
    value: PartitionEntry = {"name": name, "identity": public, "added_ms": added_ms, "app": app, "in": host}
    if replaced:
        value["before"] = replaced[-MOST_BEFORE:]
    return value


def before(entry: Any) -> list[str]:
    """Return the ids of the partitions whose place one took, by what stands under its `device/<id>`."""
    found = entry.get("before") if isinstance(entry, dict) else None
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def quiet_key(device: str, origin: str) -> str:
    """Return the key that says that a device does not sync an app."""
    return f"{QUIET}{device}/{origin}"


def of_device(device: str, names: Iterable[str]) -> list[str]:
    """Return those keys that go with the device: all that it has said of itself."""
    own = (DEVICE + device, SEEN + device)
    return [name for name in names if name in own or name.startswith(f"{QUIET}{device}/")]


def listed(items: Iterable[tuple[str, str]]) -> list[Device]:
    """Return the devices among a home space's (key, text), the oldest first.

    A removed one is none, also where it has written its entry again since. An entry that cannot be read, of
    whatever version, does not hide the others. Of full devices that are called the same the later ones have a number
    behind their name: two that are paired in one hour by browsers of one make both call themselves alike.
    """
    found = {key: text for key, text in items if key.startswith((DEVICE, SEEN, REMOVED))}
    devices = []
    for key, text in found.items():
        name = key[len(DEVICE) :]
        if key.startswith(DEVICE) and REMOVED + name not in found:
            devices.append(read_device(name, text, found.get(SEEN + name)))
    there = [device for device in devices if device is not None]
    return _distinct(sorted(there, key=lambda device: (device.added_ms, device.id)))


def _distinct(devices: Iterable[Device]) -> list[Device]:
    taken: set[str] = set()
    found = []
    for device in devices:
        name, number = device.name, 2
        while device.app is None and name in taken:
            end = f" {number}"
            name, number = device.name[: MAX_NAME - len(end)] + end, number + 1
        if device.app is None:
            taken.add(name)
        found.append(replace(device, name=name))
    return found


def removed_alone(items: Iterable[tuple[str, str]], own: str) -> bool:
    """Say whether it was this one device that was taken off the list, by (key, text) of the home space.

    A lost device is taken off by one that stays. Whoever takes all off, or several in a day, may as well be one that
    should not be there any more. And each device finds this out by itself: where two erased themselves by one word,
    nobody would be left who could say that it was false. So neither does.
    """
    found = dict(items)
    mine = _removed_ms(found.get(REMOVED + own))
    others = (
        _removed_ms(text)
        for key, text in found.items()
        if key.startswith(REMOVED) and key != REMOVED + own and not _is_partition(text)
    )
    alone = all(abs(ms - mine) > TOGETHER_MS for ms in others)
    return alone and any(device.app is None and device.id != own for device in listed(found.items()))


def read_device(id: str, text: str | None, seen: str | None = None) -> Device | None:
    """Return what stands under `device/<id>`, and `seen/<id>`; None where nothing does, or nothing that can be read."""
    try:
        entry: Any = messages.decode(text) if text is not None else None
        return Device(
            id,
            check_device_name(entry["name"]),
            _number(entry["added_ms"]) or 0,
            *read_seen(seen),
            _text(entry.get("app")),
            _text(entry.get("in")),
        )
    except (MasqError, LookupError, TypeError, AttributeError):
        return None


def read_seen(text: str | None) -> tuple[int | None, int | None]:
    """Return what stands under `seen/<id>`: when, and how far the clock was off; None where it does not say."""
    entry = messages.decode(text) if text is not None else None
    if not isinstance(entry, dict):
        return None, None
    return _number(entry.get("ms")), _number(entry.get("clock_off_ms"))


def read_relay(text: str | None) -> str | None:
    """Return what stands under `relay`: an address, "" for no relay; None where nothing does that can be read."""
    entry = messages.decode(text) if text is not None else None
    url = entry.get("url") if isinstance(entry, dict) else None
    try:
        return check_relay_address(url) if url != "" else ""
    except MasqError:
        return None


def _removed_ms(text: str | None) -> int:
    entry = messages.decode(text) if text is not None else None
    return (_number(entry.get("ms")) or 0) if isinstance(entry, dict) else 0


def _is_partition(text: str) -> bool:
    entry = messages.decode(text)
    return isinstance(entry, dict) and _text(entry.get("app")) is not None


def _text(found: Any) -> str | None:
    return found if isinstance(found, str) else None


def _number(found: Any) -> int | None:
    return found if type(found) is int and abs(found) <= messages.EXACT else None
