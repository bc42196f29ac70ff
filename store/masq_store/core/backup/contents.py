"""The codec of a backup's contents, before they are sealed.

The contents are records of a byte for their kind and a body:

    MANIFEST   JSON: the profile's name, whose backup it is, and when it was made
    SPACE      JSON: whose space follows, and its version vector; the home space is the first
    ROWS       registers of that space, as in a checkpoint; as many records as SPACE says
    END        JSON: how many spaces there were

Nothing in a backup is believed because it could be opened: texts must be canonical, apps must have an origin
that can be one, and so on, as if an app had sent them. A backup can come from somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypedDict

from masq import messages
from masq.errors import MasqError
from masq.messages import JsonObject
from masq_store.core.crypto.key_schedule import ID_BYTES, SECRET_BYTES
from masq_store.core.errors import BackupError, DamagedBackup, NewerBackup, NewerData
from masq_store.core.profile import claims
from masq_store.core.profile.registrations import Registration, registrations
from masq_store.core.space import codec
from masq_store.core.space.register import Change, Row, effective_text, row_change
from masq_store.core.space.row_rules import check_rows

FORMAT = 1
"""The version of the contents; the version of the file's layout is beside it, in `container`."""

MANIFEST, SPACE, ROWS, END = 1, 2, 3, 4

SLICE_ROWS = 4096  # registers in one record
SLICE_BYTES = 256 * 1024  # characters of keys and texts in one record, unless a single register has more

_SECRET = re.compile(f"[0-9a-f]{{{2 * SECRET_BYTES}}}")
_MARK = re.compile(f"[0-9a-f]{{{2 * ID_BYTES}}}")
_REPLICA = re.compile("[0-9a-f]{16}")


class SavedSpace(NamedTuple):
    """A space as it was: its rows, and the version vector that they stand for.

    `origin`: whose data it is, None for the home space; `generation`: the app's, 0 for the home space.
    """

    origin: str | None
    generation: int
    vector: dict[str, int]
    rows: list[Row]

    def changes(self) -> list[Change]:
        """Return the rows as changes, ready for `Space.merge`."""
        return [row_change(row) for row in self.rows]

    def items(self) -> list[tuple[str, str]]:
        """Return (key, canonical text) of the keys that exist, ordered by code point."""
        found = [(row[0], effective_text(row[5], row[6])) for row in self.rows]
        return sorted((key, text) for key, text in found if text is not None)

    @property
    def bytes(self) -> int:
        """Size of the keys that exist and their texts, in bytes of UTF-8."""
        return sum(len(key.encode()) + len(text.encode()) for key, text in self.items())


class Manifest(NamedTuple):
    """A backup's manifest: what it says about itself.

    `name`: the profile's; `mark`: 32 hexadecimal characters that all backups of one profile share;
    `home_secret`: the profile's, None in a backup of one app; `made_ms`: milliseconds since 1970.
    """

    name: str
    mark: str
    home_secret: bytes | None
    made_ms: int

    @property
    def whole(self) -> bool:
        """Whether this is a backup of the whole profile."""
        return self.home_secret is not None


class ExportedApp(TypedDict):
    """An app in plain JSON. `entries`: its values by key, with the tags of `masq.messages`."""

    name: str
    approved: bool
    entries: JsonObject


class Export(TypedDict):
    """A backup in plain JSON: the profile's name, when it was made in milliseconds since 1970, its apps by origin."""

    masq: str
    format: int
    profile: str
    made_ms: int
    apps: dict[str, ExportedApp]


class Backup(NamedTuple):
    """A backup, opened and checked. `home`: the home space, or of it the one app's registration."""

    manifest: Manifest
    home: SavedSpace
    spaces: dict[str, SavedSpace]
    """Each app's space by origin."""

    def apps(self) -> dict[str, Registration]:
        """Return each registration, withdrawn ones included, by origin."""
        return registrations(self.home.items())

    def plain(self) -> Export:
        """Return names and values as a structure for plain JSON; the tags are those of `masq.messages`."""
        apps: dict[str, ExportedApp] = {}
        for origin, app in self.apps().items():
            entries = {key: messages.loads(text) for key, text in self.spaces[origin].items()}
            apps[origin] = {"name": app["name"], "approved": app["approved"], "entries": entries}
        manifest = self.manifest
        return {
            "masq": "export",
            "format": 1,
            "profile": manifest.name,
            "made_ms": manifest.made_ms,
            "apps": apps,
        }


def encode_manifest(manifest: Manifest) -> bytes:
    """Return a backup's first record."""
    secret = manifest.home_secret.hex() if manifest.home_secret is not None else None
    return _encode(
        MANIFEST,
        {
            "format": FORMAT,
            "name": manifest.name,
            "mark": manifest.mark,
            "home_secret": secret,
            "made_ms": manifest.made_ms,
        },
    )


def encode_space(space: SavedSpace) -> Iterator[bytes]:
    """Yield the records of one space, each made when it is asked for."""
    slices = list(_slices(sorted(space.rows)))
    head = {"origin": space.origin, "generation": space.generation, "vector": space.vector}
    yield _encode(SPACE, {**head, "slices": len(slices)})
    for rows in slices:
        yield bytes((ROWS,)) + codec.encode_checkpoint(rows)


def encode_end(spaces: int) -> bytes:
    """Return a backup's last record."""
    return _encode(END, {"spaces": spaces})


def decode(contents: Sequence[bytes]) -> Backup:
    """Return the backup that these records make up. Raises DamagedBackup and NewerBackup."""
    try:
        return _decode(contents)
    except BackupError:
        raise
    except NewerData as newer:
        raise NewerBackup(newer.fields["found"], newer.fields["known"]) from newer
    except (MasqError, ValueError, TypeError, LookupError) as error:
        raise DamagedBackup("what it holds") from error


def _decode(contents: Sequence[bytes]) -> Backup:
    manifest = _manifest(_json(contents[0], MANIFEST))
    spaces: list[SavedSpace] = []
    at = 1
    while contents[at][:1] == bytes((SPACE,)):
        head = _json(contents[at], SPACE)
        last = at + _count(head["slices"])
        rows: list[Row] = []
        for content in contents[at + 1 : last + 1]:
            _check(content[:1] == bytes((ROWS,)))
            rows += codec.decode_checkpoint(content[1:])[0]
        spaces.append(_space(head, rows))
        at = last + 1
    _check(at == len(contents) - 1 and _json(contents[at], END)["spaces"] == len(spaces) > 0)
    home, *others = spaces
    backup = Backup(manifest, home, {space.origin or "": space for space in others})
    _check(home.origin is None and home.generation == 0 and len(backup.spaces) == len(others))
    _check_apps(backup)
    return backup


def _manifest(head: JsonObject) -> Manifest:
    if _count(head["format"]) > FORMAT:
        raise NewerBackup(head["format"], FORMAT)
    _check(head["format"] > 0 and _MARK.fullmatch(head["mark"]) is not None)
    _check(claims.check_profile_name(head["name"]) == head["name"])
    secret = head["home_secret"]
    if secret is not None:
        _check(_SECRET.fullmatch(secret) is not None)
        secret = bytes.fromhex(secret)
    return Manifest(head["name"], head["mark"], secret, _count(head["made_ms"]))


def _space(head: JsonObject, rows: list[Row]) -> SavedSpace:
    _check(head["origin"] is None or isinstance(head["origin"], str))
    _check(type(head["vector"]) is dict and all(map(_REPLICA.fullmatch, head["vector"])))
    vector = {replica: _count(number) for replica, number in head["vector"].items()}
    _check(len({row[0] for row in rows}) == len(rows))
    check_rows(rows)
    return SavedSpace(head["origin"], _count(head["generation"]), vector, rows)


def _check_apps(backup: Backup) -> None:
    """Check that every app has a space and a registration that fit each other."""
    apps = backup.apps()
    _check(list(apps) == sorted(backup.spaces) and (backup.manifest.whole or len(apps) == 1))
    for origin, app in apps.items():
        _check(backup.spaces[origin].generation == app["generation"])


def _slices(rows: list[Row]) -> Iterator[list[Row]]:
    found: list[Row] = []
    size = 0
    for row in rows:
        cost = len(row[0]) + len(row[5] or "")
        if found and (len(found) >= SLICE_ROWS or size + cost > SLICE_BYTES):
            yield found
            found, size = [], 0
        found.append(row)
        size += cost
    if found:
        yield found


def _encode(kind: int, structure: JsonObject) -> bytes:
    return bytes((kind,)) + messages.dumps(structure).encode()


def _json(content: bytes, kind: int) -> JsonObject:
    _check(content[:1] == bytes((kind,)))
    structure = messages.loads(content[1:].decode())
    _check(isinstance(structure, dict))
    found: JsonObject = structure
    return found


def _count(number: Any) -> int:
    _check(type(number) is int and 0 <= number <= messages.EXACT)
    count: int = number
    return count


def _check(holds: bool) -> None:
    if not holds:
        raise ValueError("not what was encoded")
