"""The sessions of all apps that are here, in the store's engine as in a partition's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from masq.errors import Locked, MasqError, NotRegistered, StorageUnavailable
from masq_store.core.errors import StorageFailed, UnreadableData
from masq_store.engine.ports import Port
from masq_store.engine.sessions.app_session import AppSession
from masq_store.engine.sessions.hand_over import State
from masq_store.engine.sessions.status import Status
from masq_store.engine.tasks import Tasks


class Sessions:
    """The table of sessions: who begins, ends and is handed over, and what an app's sessions hear together."""

    def __init__(self, tasks: Tasks) -> None:
        self.paused = False
        """Whether the engine stops: what apps say waits for `hand_over`."""
        self._tasks = tasks
        self._here: set[AppSession] = set()

    def __iter__(self) -> Iterator[AppSession]:
        return iter(list(self._here))  # some may come or go meanwhile

    def __len__(self) -> int:
        return len(self._here)

    def __contains__(self, session: AppSession) -> bool:
        return session in self._here

    def add(self, session: AppSession) -> None:
        """Take up a session that begins."""
        self._here.add(session)
        if self.paused:
            session.pause()

    def end(self, session: AppSession) -> None:
        """Close a session and forget it."""
        session.close()
        self._here.discard(session)

    def pause(self) -> None:
        """Do nothing more: what apps say from now on is handed over too."""
        self.paused = True
        for session in self._here:
            session.pause()

    def hand_over(self) -> list[tuple[AppSession, Port, State]]:
        """Give every app's port back, with its session's state, once the engine has stopped.

        No `await` may stand between this and the ports' going: what an app says in between would be lost.
        """
        return [(session, *session.hand_over()) for session in self._here]

    def of(self, origin: str) -> list[AppSession]:
        """Return an app's sessions."""
        return [session for session in self._here if session.origin == origin]

    def tabs(self, origin: str) -> int:
        """Return how many sessions an app has, but for those that have ended by themselves."""
        return sum(not session.closed for session in self.of(origin))

    def refuse(self, origin: str) -> None:
        """End an app's sessions: the person has taken its data back, or it goes on with a later generation."""
        for session in self.of(origin):
            session.refuse(NotRegistered(origin), {"state": "unregistered"})
            session.on_ticket(None)

    def reading(self, sessions: Iterable[AppSession]) -> None:
        """Have those that wait for their first word hear that a large space is being read."""
        for session in sessions:
            if not session.told:
                try:
                    session.on_reading()
                except Exception as error:  # theirs alone: the others wait for the same data
                    self._tasks.report(error)

    def failed(self, sessions: Iterable[AppSession], error: MasqError) -> None:
        """Tell those that have no space yet that it cannot be opened: damaged, of a newer version, or no room."""
        if isinstance(error, StorageFailed):
            self._tasks.report(error)  # they stay waiting for the engine after this one
            return
        damaged = isinstance(error, UnreadableData)
        for session in sessions:
            if session.space is None:
                session.fail(StorageUnavailable(error.sentence) if damaged else error)


def turn_away(session: AppSession, status: Status) -> None:
    """Refuse what an app asks for, which has nothing to work on: its data is locked, or not for it."""
    locked = status["state"] == "locked"
    session.refuse(Locked() if locked else NotRegistered(session.origin), status)
