"""The status that an app is told of itself and its person's profile, as docs/protocol.md has it."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Status(TypedDict, total=False):
    """An app's status. A stranger is told `state` and `denied` alone, and so is an app whose profile is locked."""

    state: Literal["ready", "locked", "unregistered"]
    denied: str
    """The person's answer: "refused"; "closed", where the window closed without one."""
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


class Strip(TypedDict, total=False):
    """What the frame shows in an app's page that cannot reach the store's window; empty where that is not known."""

    state: Literal["ask", "look", "wait", "end"]
    """The link is asked for; its store is looked for; the store asks the person; it came to nothing."""
    error: list[Any]
    """Why, as it goes over the wire."""
