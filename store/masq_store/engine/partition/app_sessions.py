"""The sessions of a site's apps in its partition, and what each of them is told of its app's copy."""

from __future__ import annotations

from collections.abc import Callable

from masq.errors import Locked, MasqError, NotRegistered, StorageUnavailable
from masq_store.core.errors import StorageFailed, UnreadableData
from masq_store.core.space.space_ref import SpaceRef
from masq_store.engine.partition.app_copy import Copy
from masq_store.engine.partition.services import Services
from masq_store.engine.sessions.access import Access
from masq_store.engine.sessions.app_session import AppSession
from masq_store.engine.sessions.status import Status


class Sessions:
    """The apps' sessions of one partition."""

    def __init__(self, services: Services) -> None:
        self.here: set[AppSession] = set()
        self.on_met: Callable[[AppSession], None] = lambda session: None
        """Called when a page has met the store: it has its copy, or the store has granted it anew."""
        self.on_live: Callable[[AppSession], None] = lambda session: None
        """Called when the copy of a page that works on it is found in step."""
        self._services = services

    def of(self, origin: str) -> list[AppSession]:
        """Return an app's sessions."""
        return [session for session in self.here if session.origin == origin]

    def tell(self, session: AppSession, copy: Copy | None, status: Status) -> None:
        """Bring a session to what its app may do now. `copy`: the app's, if it is open; `status`: as it is by now."""
        if session.closed:
            return
        if status["state"] != "ready" and session.told == status:
            return
        if copy is None or status["state"] != "ready":
            refusal = Locked() if status["state"] == "locked" else NotRegistered(session.origin)
            session.refuse(refusal, status)
        elif session.space is None:
            ref = SpaceRef("app", session.origin, copy.secrets.grant.generation)
            session.open(Access(ref, copy.data), status)
            session.on_ticket(copy.ticket)
            self.on_met(session)
        else:
            if copy.state == "live":
                self.on_live(session)
            if session.told != status:
                session.tell_status(status)

    def refuse(self, origin: str) -> None:
        """End an app's sessions: the person has taken its data back."""
        for session in self.of(origin):
            session.refuse(NotRegistered(origin), {"state": "unregistered"})
            session.on_ticket(None)

    def reading(self, origin: str) -> None:
        """Have an app that waits for its first word hear that its large copy is being read."""
        for session in self.of(origin):
            if not session.told:
                try:
                    session.on_reading()
                except Exception as error:  # theirs alone: the app's other windows wait for the same data
                    self._services.tasks.report(error)

    def failed(self, origin: str, error: MasqError) -> None:
        """Tell an app's pages that its copy cannot be opened."""
        if isinstance(error, StorageFailed):
            self._services.writer.heed(error)  # they stay waiting for the engine after this one
            return
        damaged = isinstance(error, UnreadableData)
        for session in self.of(origin):
            if session.space is None:
                session.fail(StorageUnavailable(error.sentence) if damaged else error)
