"""The overview that the store's pages show: of the profiles, of the apps, and whether it is time for a backup."""

from __future__ import annotations

from masq.errors import NotRegistered, to_wire
from masq_store.core.pages.schema import (
    BackupReminder,
    CurrentProfile,
    KeptApp,
    ListedApp,
    Overview,
    RemovedDevice,
    TrashedApp,
)
from masq_store.core.profile.registrations import Registration
from masq_store.engine.profile.profile import Profile
from masq_store.engine.store.parts import Parts

DAY_MS = 24 * 3600 * 1000

SETTLED_MS = DAY_MS
"""An app that has been in use for so long holds something that would be missed."""

MUCH = 100
"""As do so many entries, however new."""

BACKUP_LASTS_MS = 30 * DAY_MS
"""After so long a backup has become old, if the store was used since."""


async def overview(parts: Parts) -> Overview:
    """Return what every page of the store may show."""
    async with parts.active.changing:  # nothing is shown of a profile that is just going
        apps: list[ListedApp] = []
        kept: list[KeptApp] = []
        profile = parts.active.profile
        if profile:
            for origin, app in profile.apps().items():
                about = await _describe(parts, profile, origin, app)
                if app["approved"]:
                    apps.append(about)
                elif about["keys"]:
                    kept.append(
                        {
                            "origin": origin,
                            "name": about["name"],
                            "icon": about["icon"],
                            "keys": about["keys"],
                            "bytes": about["bytes"],
                        }
                    )
        return {
            "profile": _active(parts),
            "profiles": [
                {
                    "id": record["id"],
                    "name": record["name"],
                    "active": record is parts.services.vault.active,
                    "passphrase": bool(record["passphrase"]),
                }
                for record in parts.services.vault.profiles()
            ],
            "apps": sorted(apps, key=lambda app: -app["used_ms"]),
            "kept": sorted(kept, key=lambda app: app["name"]),
            "backup": _backup(parts, profile, apps),
            "sync": parts.sync.describe(),
            "devices": parts.devices.describe(),
            "copies": [
                {**copy, "unheard": parts.rosters.unheard(copy["id"], copy["app"])}
                for copy in parts.devices.describe_copies()
            ],
            "removed": _removed(parts),
            "trash": _trash(profile) if profile else [],
            "keeps_keys": await parts.services.crypto.keeps_keys(),
            "persistent": parts.access.persistent,
            "version": parts.version,
            "build": parts.build,
        }


async def describe(parts: Parts, origin: str) -> ListedApp:
    """Return what the pages show of one app. Raises NotRegistered or Locked."""
    profile = parts.active.get()
    app = profile.app(origin)
    if app is None:
        raise NotRegistered(origin)
    return await _describe(parts, profile, origin, app)


async def _describe(parts: Parts, profile: Profile, origin: str, app: Registration) -> ListedApp:
    size = await profile.size(origin)
    return {
        "origin": origin,
        "name": app["name"],
        "description": app["description"],
        "icon": app["icon"],
        "approved_ms": app["approved_ms"],
        "used_ms": app["used_ms"],
        "keys": size["keys"],
        "bytes": size["bytes"],
        "tabs": parts.services.connected.apps.tabs(origin),
        "sync": parts.sync.describe_app(origin),
    }


def _active(parts: Parts) -> CurrentProfile | None:
    record = parts.services.vault.active
    if record is None:
        return None
    return {
        "id": record["id"],
        "name": record["name"],
        "locked": parts.active.profile is None,
        "failed": to_wire(parts.active.failure) if parts.active.failure else None,
        "passphrase": parts.services.vault.has_passphrase,
        "stays_unlocked": parts.services.vault.stays_unlocked,
        "lock_minutes": parts.services.vault.lock_minutes,
    }


def _trash(profile: Profile) -> list[TrashedApp]:
    """Return what other devices have erased and is still here."""
    return [
        {
            "id": each.id,
            "origin": each.origin,
            "name": each.name,
            "keys": each.keys,
            "bytes": each.bytes,
            "ms": each.ms,
            "until_ms": each.until_ms,
        }
        for each in profile.trash.listed()
    ]


def _removed(parts: Parts) -> RemovedDevice | None:
    """Say that another device has removed this one: from a profile that is erased by now, or from the active one.

    `state`: "erased", and to be read once; "ask", what is to become of it; or "kept", by the word of its person.
    """
    vault, removal = parts.services.vault, parts.services.vault.removal
    if vault.removed is not None:
        return {"profile": vault.removed, "state": "erased", "until_ms": None}
    if removal is None and not parts.devices.held:
        return None
    assert vault.active is not None
    return {
        "profile": vault.active["name"],
        "state": "kept" if removal and removal["kept"] else "ask",
        "until_ms": removal["until_ms"] if removal else None,
    }


def _backup(parts: Parts, profile: Profile | None, apps: list[ListedApp]) -> BackupReminder:
    """Say when the last backup was made, and whether it is time: there is something to lose, and only here."""
    note = profile.backup_note() if profile else {}
    now, made = parts.services.now_ms(), note.get("made_ms")
    if made is None:
        settled = any(app["keys"] and now - app["approved_ms"] >= SETTLED_MS for app in apps)
        due = settled or sum(app["keys"] for app in apps) >= MUCH
    else:
        due = now - made >= BACKUP_LASTS_MS and any(app["used_ms"] > made for app in apps)
    return {"due": due and now >= note.get("later_ms", 0), "last_ms": made}
