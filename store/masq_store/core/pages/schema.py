"""The schema between the store's pages and the engine: the shape of each answer, as it is in JSON.

The engine makes these (`engine/pages`), the pages read them (`ui`). What is called `..._ms` is a time in milliseconds
since 1970, `clock_off_ms` a difference of two. `Wire` is an error as `masq.errors.to_wire` writes it.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Wire = list[Any]

Event = list[str]
"""A notification of the engine to a page.

["overview"]: the overview has changed · ["data", origin]: so have the entries of an app that the page has looked at ·
["pairing"]: the page's pairing or link has come further · ["renewing", done, of]: so much is sealed anew ·
["busy"]: a call of the page takes long
"""

SyncState = Literal["off", "offline", "catching-up", "live"]
"""How far data is in step with the relay. "off": this device does not keep it in step, or uses no relay."""

LinkState = Literal["connecting", "waiting", "answered", "asking", "done", "ended"]
"""How far a link is that joins an app's page and the store's window."""

PairingState = Literal[
    "connecting", "waiting", "answered", "ask-code", "given", "show-code", "ask-take", "agreed", "copying", "done",
    "ended",
]  # fmt: skip
"""How far two devices are with their pairing."""

# The overview: what every page may show ---------------------------------------------------------------------


class CurrentProfile(TypedDict):
    """The profile in use.

    `failed`: why it cannot be opened; `passphrase`: it has one; `lock_minutes`: after so long without use it locks, 0:
    never.
    """

    id: str
    name: str
    locked: bool
    failed: Wire | None
    passphrase: bool
    stays_unlocked: bool
    lock_minutes: int


class ListedProfile(TypedDict):
    """A profile of this device. `passphrase`: it has one."""

    id: str
    name: str
    active: bool
    passphrase: bool


class AppSyncStatus(TypedDict):
    """One app's data and the relay. `waiting`: changes that it has not got yet; `devices`: how many hold the data."""

    on: bool
    state: SyncState
    waiting: int
    last_ms: int | None
    devices: int


class ListedApp(TypedDict):
    """An app that the person has allowed. `bytes`: of its entries; `tabs`: pages of it that are open."""

    origin: str
    name: str
    description: str
    icon: str | None
    approved_ms: int
    used_ms: int
    keys: int
    bytes: int
    tabs: int
    sync: AppSyncStatus


class KeptApp(TypedDict):
    """The data that a withdrawn app has left."""

    origin: str
    name: str
    icon: str | None
    keys: int
    bytes: int


class TrashedApp(TypedDict):
    """Data that another device has erased, here until `until_ms`; `id`: of its space. None: could not be counted."""

    id: str
    origin: str
    name: str
    keys: int | None
    bytes: int | None
    ms: int
    until_ms: int


class BackupReminder(TypedDict):
    """The reminder: when the profile was last backed up whole, and whether it is time."""

    due: bool
    last_ms: int | None


class RelayInUse(TypedDict):
    """The relay at `url`, "" for none. `default`: the store's choice; `own`: the person's; `problem`: what is wrong."""

    url: str
    default: str
    own: str | None
    problem: Wire | None


class Copying(TypedDict):
    """The progress of a profile that is being copied here: changes `done`, `of` so many."""

    done: int
    of: int


class SyncStatus(TypedDict):
    """A whole profile and the relay.

    `last_ms`: when this device last had all that the relay has; `waiting`: changes that it has not got yet; `refused`,
    `repeated`, `differed`: what was wrong with what came; `clock_off_ms`: by how much this device's clock is ahead.
    """

    state: SyncState
    relay: RelayInUse
    last_ms: int | None
    waiting: int
    refused: int
    repeated: int
    differed: int
    copying: Copying | None
    clock_off_ms: int | None


class ListedDevice(TypedDict):
    """A device that holds the profile. `this`: the one in use; `clock_off_ms`: by how much its clock is ahead."""

    id: str
    name: str
    this: bool
    added_ms: int
    seen_ms: int | None
    online: bool
    clock_off_ms: int | None


class CopyRecord(TypedDict):
    """A partition's copy of one app's data. `app`: its origin; `device`: where it is; `here`: in this very browser."""

    id: str
    name: str
    app: str
    device: str | None
    here: bool
    added_ms: int


class ListedCopy(CopyRecord):
    """`unheard`: it cannot hear what was decided last, for its roster has no room for a word of it."""

    unheard: bool


class RemovedDevice(TypedDict):
    """Another device has removed this one from a profile, which is called `profile`.

    `state`: "erased", the profile is, and it is to be read once; "ask", what is to become of it; "kept", by the word
    of its person. `until_ms`: when it is erased if nobody says anything, None for never.
    """

    profile: str
    state: Literal["erased", "ask", "kept"]
    until_ms: int | None


class Overview(TypedDict):
    """What every page of the store may show. `keeps_keys`: see `Crypto.keeps_keys`; `persistent`: so is the storage."""

    profile: CurrentProfile | None
    profiles: list[ListedProfile]
    apps: list[ListedApp]
    kept: list[KeptApp]
    backup: BackupReminder
    sync: SyncStatus
    devices: list[ListedDevice]
    copies: list[ListedCopy]
    removed: RemovedDevice | None
    trash: list[TrashedApp]
    keeps_keys: str
    persistent: bool
    version: str
    build: int


# What single pages ask for ----------------------------------------------------------------------------------


class FoundEntries(TypedDict):
    """Some entries of an app: [key, packed value] each, and whether there are `more`."""

    entries: list[tuple[str, Any]]
    more: bool


class OtherData(TypedDict):
    """A partition's data of an app that is not the data in use; None: it cannot say.

    `newer`: than what the store has; else the store has erased it. `keys`: its entries; `waiting`: its changes that
    are nowhere else; `here`: the store's entries.
    """

    newer: bool
    keys: int | None
    waiting: int | None
    here: int


class AccessRequest(TypedDict):
    """An app that asks for access. `registered`: it is allowed already; `apart`: it asks from a partition; `linked`:
    over a link that was pasted.
    """

    origin: str
    name: str
    description: str
    icon: str | None
    registered: bool
    apart: bool
    linked: bool
    other: OtherData | None


class LinkProgress(TypedDict):
    """A link for an app's page. `link`: as long as it can be used; `until_ms`: how long it is good."""

    state: LinkState
    link: str | None
    until_ms: int | None
    error: Wire | None


class PairingProgress(TypedDict):
    """A pairing of two devices. `role`: "old", it has the profile, or "new".

    `link`: as long as it can be used; `code`: six digits to be shown; `again`: what was typed was no six digits;
    `profile`: its name; `device`: the other one's name, and `name` this one's.
    """

    role: Literal["old", "new"]
    state: PairingState
    link: str | None
    until_ms: int | None
    code: str | None
    again: bool
    profile: str | None
    device: str | None
    name: str
    error: Wire | None


class OfferedFile(TypedDict):
    """A file to fetch piece by piece; `size` in bytes."""

    id: str
    size: int
    pieces: int


class BackedUpApp(TypedDict):
    """An app in a backup."""

    origin: str
    name: str
    keys: int


class FoundBackup(TypedDict):
    """A backup of the profile called `name`. `whole`: of all its apps; `same`: of the profile that is open."""

    name: str
    made_ms: int
    whole: bool
    same: bool
    apps: list[BackedUpApp]


class RestoredBackup(TypedDict):
    """The result of a restore, each app by its origin: see `engine.profile.backup.Restored`."""

    merged: list[str]
    skipped: list[str]
    moved: list[str]
