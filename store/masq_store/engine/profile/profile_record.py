"""A profile's record on the disk, as JSON: its name, what opens it, and what this device knows of itself in it.

Any build may have written it: an earlier one left out what is `NotRequired` here.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from masq_store.engine.profile.wrapping import Sealed, SealedByPassphrase


class Removal(TypedDict):
    """Another device has removed this one from a profile.

    `ms`: when this device learned of it; `until_ms`: when the profile is erased here, None for never; both in
    milliseconds since 1970. `kept`: the person here has said that it stays.
    """

    ms: int
    until_ms: int | None
    kept: bool


class Arrival(TypedDict, total=False):
    """Settings chosen at the pairing that are not in the home space yet: this device's name, the relay if any."""

    name: str
    relay: str | None


class SealedIdentity(TypedDict):
    """This device in the profile: its id, its public key in hexadecimal, and the private one."""

    id: str
    public: str
    private: Sealed


class ProfileRecord(TypedDict):
    """The record of a profile; `created_ms` in milliseconds since 1970.

    `passphrase`, `device`: the root key as what opens the profile has it; None: that does not open it.
    """

    layout: int
    id: str
    name: str
    created_ms: int
    passphrase: SealedByPassphrase | None
    device: Sealed | None
    home: Sealed
    """The home secret."""
    identity: NotRequired[SealedIdentity]
    lock_minutes: NotRequired[int]
    """After how many minutes of rest it locks; 0: never."""
    lock_turn: NotRequired[int]
    """How often the person has locked it on this device."""
    arrival: NotRequired[Arrival]
    removed: NotRequired[Removal]
