"""The layout of the `Backend`: one place for the names of its keys."""

from __future__ import annotations

SCHEMA = "schema"
"""The version of this layout."""

ACTIVE = "active"
"""The id of the profile in use."""

REMOVED = "removed"
"""The names of profiles that other devices have taken from this one, until the person has read of it."""

DEFAULT_RELAY = "default-relay"
"""The relay that the store's host has named last."""

PARTITION = "partition"
"""What a partition calls itself: 16 random bytes."""

COPIES = "copy/"
PROFILES = "profile/"
APPROVALS = "approvals/"
TICKETS = "ticket/"


def profile(profile_id: str) -> str:
    """Return the key of a profile's own record: its name and its wrapped keys."""
    return PROFILES + profile_id


def copy(enrolment: str) -> str:
    """Return the key of a partition's record of one enrolment."""
    return COPIES + enrolment


def approvals(profile_id: str) -> str:
    """Return the key of the origins that a profile has approved, readable while it is locked."""
    return APPROVALS + profile_id


def ticket(profile_id: str) -> str:
    """Return the key of a profile's root key wrapped under the ticket that its pages hold."""
    return TICKETS + profile_id


def leftovers(profile_id: str) -> str:
    """Return the key of the spaces whose erasing has begun."""
    return f"leftovers/{profile_id}"


def trash(profile_id: str, space_id: str) -> str:
    """Return the key of what is known of a space that is in the trash."""
    return f"trash/{profile_id}/{space_id}"


def trashes(profile_id: str) -> tuple[str, str]:
    """Return the range of all that is known of what a profile has in the trash."""
    return f"trash/{profile_id}/", f"trash/{profile_id}0"  # "0" follows "/"


def journal(profile_id: str, space_id: str) -> str:
    """Return the prefix of a space's journal."""
    return f"space/{profile_id}/{space_id}/journal/"


def checkpoint(profile_id: str, space_id: str) -> str:
    """Return the prefix of a space's checkpoint."""
    return f"space/{profile_id}/{space_id}/checkpoint/"


def place(profile_id: str, space_id: str) -> str:
    """Return the key of how far a space's room was read."""
    return f"space/{profile_id}/{space_id}/place"


def met(profile_id: str, space_id: str) -> str:
    """Return the key of what the store had of a partition's copy when they last met."""
    return f"space/{profile_id}/{space_id}/met"


def space(profile_id: str, space_id: str) -> tuple[str, str]:
    """Return the range of everything that a space holds."""
    return f"space/{profile_id}/{space_id}/", f"space/{profile_id}/{space_id}0"  # "0" follows "/"


def spaces(profile_id: str) -> tuple[str, str]:
    """Return the range of everything that a profile's spaces hold."""
    return f"space/{profile_id}/", f"space/{profile_id}0"  # "0" follows "/"


def numbered(prefix: str, number: int) -> str:
    """Return the key of record `number`; keys of one prefix sort as their numbers do."""
    return f"{prefix}{number:016x}"


def whole(prefix: str) -> tuple[str, str]:
    """Return the range of all numbered keys under `prefix`."""
    return prefix, prefix + "g"  # one past every hexadecimal digit
