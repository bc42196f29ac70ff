"""The pages of a partition whose apps cut their windows off: they are given the store's window by a link instead.

What a page's frame shows of that is a state: `ask` (for the link), `look` (for the window), `wait` (for the person's
answer there) or `end`, with the error that tells why; None: nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from weakref import WeakSet

from masq.errors import MasqError, to_wire
from masq_store.core.enrolment.link_machine import NOT_NOW
from masq_store.core.errors import PairingGone, PairingUsedTwice
from masq_store.core.pairing.machine import LINK_MS
from masq_store.engine.partition.link_request import LinkRequest
from masq_store.engine.partition.open_copies import OpenCopies
from masq_store.engine.partition.services import Services
from masq_store.engine.partition.store_requests import StoreRequests
from masq_store.engine.sessions.app_session import CLOSED_SECONDS, AppSession
from masq_store.engine.sessions.status import Strip
from masq_store.engine.sessions.table import Sessions

STRIP_SECONDS = LINK_MS / 1000
"""How long a link is asked for: a window that was open then shows none any more that could be used."""


class PastedLinks:
    """Shows the strip for a link in frames whose pages cannot reach the store's window, and takes what is pasted."""

    def __init__(
        self, services: Services, sessions: Sessions, copies: OpenCopies, requests: StoreRequests
    ) -> None:
        self._services, self._copies, self._requests = services, copies, requests
        copies.on_met = self.end
        copies.on_live = self.needless
        self._shown: dict[AppSession, Strip] = {}
        self._used: dict[AppSession, LinkRequest] = {}
        self._lines: dict[bytes, LinkRequest] = {}  # by the room that they are in
        self._reached: WeakSet[AppSession] = WeakSet()  # those whose windows reach them
        self._timers: dict[AppSession, asyncio.TimerHandle] = {}  # of those that wait for a window, or a link

    def begin(self, session: AppSession) -> None:
        """Ask for the link, unless the page meets the store without it."""
        # A window that has reached the page, and reads as closed, is closed: that is how each sync ends.
        if session not in self._reached and not self._requests.meets(session):
            self._show(session, {"state": "ask"})
            self._start_timer(session, STRIP_SECONDS, self._unanswered)

    def closed(self, session: AppSession) -> None:
        """The page's window was in its reach, and has closed; if it has not said anything, that is the answer."""
        self.end(session)
        self._start_timer(session, CLOSED_SECONDS, self._without_window)

    def _without_window(self, session: AppSession) -> None:
        self._stop_timer(session)
        if session in self._reached:  # by way of which its end was told
            self._reached.discard(session)
        elif not self._requests.meets(session):
            self._copies.tell_no(session, "closed")

    def _unanswered(self, session: AppSession) -> None:
        self._stop_timer(session)
        if session not in self._used and session in self._shown:
            self._put_off(session)

    def _start_timer(self, session: AppSession, seconds: float, call: Callable[[AppSession], None]) -> None:
        self._stop_timer(session)
        self._timers[session] = asyncio.get_running_loop().call_later(seconds, call, session)

    def _stop_timer(self, session: AppSession) -> None:
        if session in self._timers:
            self._timers.pop(session).cancel()

    def reached(self, session: AppSession) -> None:
        """A window has reached the page: no link is needed, now or later."""
        self._reached.add(session)
        self.end(session)

    def end(self, session: AppSession) -> None:
        """Ask no more: the page has met the store, or is gone."""
        self._stop_timer(session)
        if session in self._used:
            line = self._used.pop(session)
            line.told = lambda: None  # how it ends is shown no more
            line.close()
        if self._shown.pop(session, None) is not None and not session.closed:
            session.on_strip(None)

    def stop(self) -> None:
        """Give up the links in use: this worker ends. The next one takes the next link."""
        for session in list(self._timers):
            self._stop_timer(session)
        for session, line in self._used.items():
            line.told = lambda: None
            self._show(session, {"state": "end", "error": to_wire(PairingGone())})

    def needless(self, session: AppSession) -> None:
        """The copy is in step without a link: ask for none, unless one is in use."""
        if session not in self._used:
            self.end(session)

    async def paste(self, session: AppSession, text: object) -> None:
        """Take what the person has pasted; `NOT_NOW` where they want to be asked no more."""
        if text == NOT_NOW:
            self._put_off(session)
            return
        # The strip may be one that the worker before has shown.
        if session not in self._shown and self._requests.meets(session):
            return
        try:
            line = await LinkRequest.take(self._services, text, session.nonce)
            present = self._lines.get(line.room)
            if present is not None and present.over:
                raise PairingUsedTwice()
        except MasqError as error:
            self._show(session, {"state": "end", "error": to_wire(error)})
            return
        if present is not None:  # pasted a second time
            return
        self._lines[line.room] = self._used[session] = line
        line.told = partial(self._follow, session, line)
        line.left = lambda: self._lines.pop(line.room, None)
        self._show(session, {"state": "look"})
        self._requests.ask(line, session.origin, session.nonce, session.app)

    def _put_off(self, session: AppSession) -> None:
        """Hide the strip, whatever it shows; to an app that waits that is a window closed without an answer."""
        self._shown.setdefault(session, {})  # one that the worker before has shown is unknown here
        self.end(session)
        self._copies.tell_no(session, "closed")

    def _follow(self, session: AppSession, line: LinkRequest) -> None:
        if line.error is not None:
            self._show(session, {"state": "end", "error": to_wire(line.error)})
        else:
            self._show(session, {"state": "wait" if line.asking else "look"})

    def _show(self, session: AppSession, state: Strip) -> None:
        if not session.closed and self._shown.get(session, {}) != state:
            self._shown[session] = state
            session.on_strip(state)
