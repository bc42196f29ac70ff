"""The schema of a hand-over: from the worker that ends, by way of a frame, to the next one.

That one may be of another build. So names and forms stay; a build that adds one reads a state without it, too.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class State(TypedDict):
    """A session's state, by which an engine goes on with a session of another one."""

    origin: str
    app: dict[str, str | None]
    """Its nonce, and what it says of itself: `name`, `description`, `icon`."""
    watches: list[tuple[int, str]]
    """The number and prefix of each."""
    seen: dict[str, int] | None
    """The version vector of the space as the app saw it."""
    shown: list[str] | None
    """Keys of which it may show something that is not so any more; None: `seen` tells."""
    early: list[str]
    """Messages that were not carried out."""


class Attach(TypedDict):
    """A frame's message with an app's port; of a session that was handed over it is the `State`, and more."""

    id: str
    """Of the frame: it holds the Web Lock `masq-alive-<id>`."""
    origin: str
    app: object
    """The app says so itself: it may be anything."""
    ticket: NotRequired[str | None]
    """Of the engine before; see `Engine.attach`."""
    again: NotRequired[int]
    """The port is one that the frame was given back."""
    watches: NotRequired[list[tuple[int, str]]]
    seen: NotRequired[dict[str, int] | None]
    shown: NotRequired[list[str] | None]
    early: NotRequired[list[str]]
