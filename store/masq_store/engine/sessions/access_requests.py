"""Apps that ask for access, each under a random nonce that its frame and the window about it share."""

from __future__ import annotations

import asyncio
from typing import Protocol

from masq.errors import ProtocolError
from masq_store.core.profile.claims import AppClaims

FILING_SECONDS = 10
"""How long a window waits for the request that it was opened for: the app's frame may still be on its way."""

MAX_OVER = 10_000
"""Ended requests that are remembered, so that their windows need not wait, and nobody else takes their nonces."""


class Asking(Protocol):
    """An app's session, or a partition that asks for its app."""

    origin: str
    nonce: str
    app: AppClaims

    @property
    def space(self) -> object:
        """The app's space while it may be used, else None."""

    def deny(self, how: str) -> None:
        """Tell who asks that the person does not want it: "refused"; "closed", where the window gave no answer."""


class Requests:
    """The pending requests for access, by their nonces, and those that have ended lately."""

    def __init__(self) -> None:
        self._asking: dict[str, Asking] = {}
        self._refused: set[str] = set()  # nonces of those that were answered since a window last asked
        self._filed = asyncio.Event()  # set, and replaced, whenever a request has been filed
        self._over: dict[
            str, str
        ] = {}  # nonces of requests that have ended and their origins, the oldest first
        self._put_away: dict[str, str] = {}  # the same of those that may be asked anew

    def check(self, nonce: str, origin: str) -> None:
        """Raise ProtocolError where an app asks under a nonce that is another one's, or was."""
        asking = self._asking.get(nonce)
        first = asking.origin if asking else self._over.get(nonce) or self._put_away.get(nonce) or origin
        if first != origin:  # or the person would approve another app than the one shown
            raise ProtocolError("this nonce is another app's")

    def file(self, session: Asking) -> None:
        """Note that a session's app may be asked about."""
        self._asking[session.nonce] = session
        self._filed.set()
        self._filed = asyncio.Event()

    def refuse(self, nonce: str) -> None:
        """Note that the person has said no. That is final: their window, which closes then, says nothing more."""
        if nonce in self._asking:
            self._refused.add(nonce)

    def ask(self, nonce: str) -> None:
        """Note that a window asks the person, perhaps once more."""
        self._refused.discard(nonce)

    def refused(self, nonce: str) -> bool:
        """Whether the person has said no since a window last asked."""
        return nonce in self._refused

    def end(self, session: Asking) -> None:
        """Note that a session has gone."""
        if self._asking.get(session.nonce) is session:
            self._refused.discard(session.nonce)
            del self._asking[session.nonce]
            _remember(self._over, session)

    def put_away(self, session: Asking) -> None:
        """Note that the window about a partition has closed; its app may ask anew, under the same nonce."""
        if self._asking.get(session.nonce) is session:
            self._refused.discard(session.nonce)
            del self._asking[session.nonce]
            _remember(self._put_away, session)

    def session(self, nonce: str) -> Asking | None:
        """Return the session that asks under `nonce` now."""
        return self._asking.get(nonce)

    async def wait(self, nonce: str, seconds: float = FILING_SECONDS) -> Asking | None:
        """Return the session that asks under `nonce`, or None where nobody does, or nobody does any more.

        `masq.register` opens the window before its frame has filed the request, so this waits for it a little.
        """
        try:
            async with asyncio.timeout(min(seconds, FILING_SECONDS)):
                while nonce not in self._asking and nonce not in self._over:
                    await self._filed.wait()
        except TimeoutError:
            return None
        return self._asking.get(nonce)


def _remember(ended: dict[str, str], session: Asking) -> None:
    ended.pop(session.nonce, None)
    ended[session.nonce] = session.origin
    if len(ended) > MAX_OVER:
        del ended[next(iter(ended))]
