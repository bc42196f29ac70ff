"""The home space's schema for a profile's apps and its backups: the names of its keys, and what stands under them.

| key | value |
| --- | --- |
| `app/<origin>` | a `Registration`: what the app says of itself, and what the person has decided |
| `used/<origin>` | when the app was last opened, in milliseconds since 1970 |
| `backup` | `{"made_ms", "later_ms"}`: when the profile was last backed up whole; until when nobody is to be asked |

`used/` stands apart from the registration: it is written without anybody having decided anything, on any device, and
must not undo what another device has decided about the app in the meantime.

Any device writes here: another version, one with a defect, one that was removed. So this is the only door to these
keys, and what cannot be read counts as not there: it must not stop a store, nor hide what stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict, TypeGuard

from masq import messages
from masq.errors import MasqError
from masq_store.core.profile import claims

APP, USED, BACKUP = "app/", "used/", "backup"

MAX_GENERATION = 2**48
"""Of an app's spaces. Far more than anybody erases, and far from the end of the eight bytes that hold it."""


class Registration(TypedDict):
    """An app as the home space lists it; times in milliseconds since 1970. A later version may have put more in.

    `name`, `description`, `icon`: as `claims.check_app` returns them. `approved`: may it keep its data? `generation`:
    which of its spaces is in use; erasing its data begins the next.
    """

    name: str
    description: str
    icon: str | None
    approved: bool
    approved_ms: int
    used_ms: int
    generation: int


def registrations(items: Iterable[tuple[str, str]]) -> dict[str, Registration]:
    """Return the apps among a home space's (key, text) by origin, withdrawn ones included."""
    found = {key[len(APP) :]: text for key, text in items if key.startswith(APP)}
    read = ((origin, read_registration(origin, text)) for origin, text in found.items())
    return {origin: app for origin, app in read if app is not None}


def read_registration(origin: str, text: str | None) -> Registration | None:
    """Return what stands under `app/<origin>`; None where nothing does, or nothing that can be read."""
    entry = messages.decode(text) if text is not None else None
    try:
        claims.check_origin(origin)
        return entry if _is_registration(entry) else None
    except MasqError:
        return None


def read_generation(text: str | None) -> int:
    """Return the generation that stands under `app/<origin>`, whatever else does there; 0 where it says none."""
    entry = messages.decode(text) if text is not None else None
    generation = entry.get("generation") if isinstance(entry, dict) else None
    return generation if _is_generation(generation) else 0


def read_used(text: str | None) -> int:
    """Return what stands under `used/<origin>`, 0 where nothing does that can be read."""
    used_ms = messages.decode(text) if text is not None else None
    return used_ms if _is_count(used_ms) else 0


def read_backup_note(text: str | None) -> dict[str, int]:
    """Return what stands under `backup`, as far as it can be read."""
    note = messages.decode(text) if text is not None else None
    return {name: at for name, at in note.items() if _is_count(at)} if isinstance(note, dict) else {}


def _is_registration(entry: Any) -> TypeGuard[Registration]:
    """Say whether this is one. Raises ProtocolError for what no app may say of itself."""
    if not isinstance(entry, dict) or not Registration.__required_keys__ <= entry.keys():
        return False
    said = (entry["name"], entry["description"], entry["icon"])
    return (
        claims.check_app(*said) == said
        and type(entry["approved"]) is bool
        and _is_count(entry["approved_ms"])
        and _is_count(entry["used_ms"])
        and _is_generation(entry["generation"])
    )


def _is_generation(found: Any) -> TypeGuard[int]:
    return _is_count(found) and found <= MAX_GENERATION


def _is_count(found: Any) -> TypeGuard[int]:
    return type(found) is int and 0 <= found <= messages.EXACT
