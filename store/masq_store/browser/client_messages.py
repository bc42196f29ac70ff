"""The control messages between the worker and its frames and pages, on their ports, beside what apps and pages call.

They may be of different builds. store/site/frame.js has the frame's end, `page` the page's.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from masq.messages import JsonObject
from masq_store.engine.sessions.hand_over import Attach, State


class Page(TypedDict):
    """A page of the store that opens."""

    id: str
    """It holds the Web Lock `masq-alive-<id>`."""
    at: str
    """What its address has behind `#`."""
    ticket: NotRequired[str | None]
    """As for `Attach`."""


class Enrol(TypedDict, total=False):
    """The port between a partition and the store comes along; of the partition's end it is said whose it is."""

    origin: str
    app: object
    """The app says so itself: it may be anything."""


class FromClient(TypedDict, total=False):
    """A message of a frame or page has one of these; one with none of them is a page's call."""

    attach: Attach
    page: Page
    enrol: Enrol
    paste: object
    """The link that the person has put into the strip."""
    severed: object
    """A stranger's page cannot reach the store's window; true: but could."""
    left: int
    """It goes on at the worker that it was sent to."""


class ToClient(TypedDict, total=False):
    """A message to one has one of these, but for a strip, with which it is told that there is one."""

    moved: str
    """The address of the worker to go to."""
    sessions: list[State | Attach]
    """With it: of each port that comes along."""
    ticket: str | None
    """What it shows to the next worker."""
    tell: JsonObject
    """For its app, or its pages."""
    strip: str
    """What to show in the app's page, as HTML."""
    refused: list[Any]
    """The error for a stranger's calls; the app's port comes along."""
    admitted: int
    """That port is asked for again."""
    closes: bool
    """A newer window is open about the same request."""
