"""What an app is told of itself and its person's profile, as docs/protocol.md has it."""

from __future__ import annotations

from typing import Literal, TypedDict


class Status(TypedDict, total=False):
    """How it stands. A stranger is told `state` and `denied` alone, and so is an app whose profile is locked."""

    state: Literal["ready", "locked", "unregistered"]
    denied: str
    """What the person has answered: "refused"; "closed", where the window closed without an answer."""
    access: Literal["shared", "partitioned"]
    profile: str
    """Its name."""
    sync: str
    """One of "live", "catching-up", "offline" and "off"."""
    devices: int
    """How many hold the app's data."""
    persistent: bool
    """Whether the browser promised to keep it."""
    waiting: int
    """How many changes are nowhere but in a partition's copy."""
