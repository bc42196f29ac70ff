"""The connections to the store's engine just now: sessions of apps, and the store's own pages."""

from __future__ import annotations

from typing import Protocol

from masq_store.engine.sessions.table import Sessions
from masq_store.engine.tasks import Tasks


class Page(Protocol):
    """One open page of the store. `nonce`: of the request that it was opened for, "" for none."""

    nonce: str
    closed: bool

    def tell(self, event: list[str]) -> None:
        """Send the page an event."""

    def tell_ticket(self, ticket: str | None) -> None:
        """Have the page keep a ticket, or none any more."""

    def forget_space(self, origin: str) -> None:
        """Let go of an app's space, if the page was looking at its data."""

    def forget_spaces(self) -> None:
        """Let go of all that the page was looking at."""


class Connected:
    """The table of sessions of apps and of pages that are open in this browser."""

    def __init__(self, tasks: Tasks) -> None:
        self.apps = Sessions(tasks)
        self.pages: set[Page] = set()

    def tell_pages(self, event: list[str]) -> None:
        """Send every page of the store an event."""
        for page in self.pages:
            page.tell(event)

    def tell_ticket(self, ticket: str | None) -> None:
        """Have every page, and every frame of an app in use, keep a ticket, or none any more."""
        for page in self.pages:
            page.tell_ticket(ticket)
        for session in self.apps:
            if session.space or ticket is None:
                session.on_ticket(ticket)
