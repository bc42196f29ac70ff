"""A line between a partition and the store: a local transport that keeps an app's data and its roster in step."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from masq import messages
from masq.errors import MasqError, ProtocolError
from masq.messages import JsonObject
from masq_store.core.enrolment.messages import ALIVE_SECONDS, DATA, ROSTER, SILENT_SECONDS
from masq_store.engine.enrolment.port_sync import SpaceLine
from masq_store.engine.ports import Port
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.writer import Writer

MEET_SECONDS = 10.0
"""How long a window stays open for a copy that makes no progress."""

LOOK_SECONDS = 0.05
"""The polling interval, in seconds, of whether both ends have the same."""


class PortLine:
    """One end of the port: its heartbeat, the order of what is said, and the spaces that are kept in step over it.

    first_word: seconds that the other end's first word may take; 0: no more than any other.
    """

    _said: Callable[[JsonObject], None]
    _gone: Callable[[], None]
    _changed: Callable[[], None]

    def __init__(self, port: Port, *, first_word: float = 0.0) -> None:
        self._port = port
        self._spaces: dict[str, SpaceLine] = {}
        self._turn = 0  # counts the grants: what is said of one's spaces must not reach another's
        self._early: list[tuple[str, bytes]] | None = None  # said before the spaces were open here
        self._loop = asyncio.get_running_loop()
        self._heard = False
        self._silences = 0
        self._patience = first_word or SILENT_SECONDS
        self._open = True
        self._timer: asyncio.TimerHandle | None = None

    def attach(
        self, *, said: Callable[[JsonObject], None], gone: Callable[[], None], changed: Callable[[], None]
    ) -> None:
        """Begin to speak and to listen.

        Args:
            said: called with each message that is not about the spaces.
            gone: called once, when the other end has been silent for too long, or talks nonsense.
            changed: told when what `together` and `waiting` say may have changed.
        """
        self._said, self._gone, self._changed = said, gone, changed
        self._timer = self._loop.call_later(ALIVE_SECONDS, self._beat)
        self._port.listen(self._receive)
        self.post(alive=True)  # the first word: from here on silence means that this end is gone

    def post(self, **message: Any) -> None:
        """Send a message."""
        if self._open:
            self._port.post(messages.dumps({"masq": messages.PROTOCOL, **message}))

    def sync(self, data: OpenSpace, roster: OpenSpace, writer: Writer) -> None:
        """Keep the two in step with the other end's from now on."""
        early = self._early or []
        self.leave_spaces()
        for name, space in ((DATA, data), (ROSTER, roster)):
            line = self._spaces[name] = SpaceLine(space, writer, self._sayer(name), self._changed)
            line.start()
        for name, content in early:
            self._hear(name, content)

    async def met(self) -> bool:
        """Return once both ends have the same on their disks, or it goes on no more; False: they have not.

        Raises what keeps this end from taking what the other one has.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(MEET_SECONDS) as limit:
                before = -1
                while self.syncing and not self.together and not self.problem:
                    now = sum(line.heard for line in self._spaces.values())
                    if now != before:  # it goes on: that may take as long as it needs
                        before = now
                        limit.reschedule(self._loop.time() + MEET_SECONDS)
                    await asyncio.sleep(LOOK_SECONDS)
        if self.problem:
            raise self.problem
        return self.together or not self.syncing

    def turn(self) -> None:
        """Let the spaces go, for those of a grant that is given now, or was just taken."""
        self.leave_spaces()
        self._turn += 1
        self._early = []

    def leave_spaces(self) -> None:
        """Let the spaces go. What is said of them from now on is not heard."""
        self._early = None
        self.leave_data()
        for line in self._spaces.values():
            line.stop()
        self._spaces = {}

    def leave_data(self) -> None:
        """Let the app's data go: nobody may use it any more. What the roster says is still heard at the other end."""
        if DATA in self._spaces:
            self._spaces.pop(DATA).stop()

    def close(self) -> None:
        """End. The other end will find it silent."""
        if self._open:
            self._open = False
            if self._timer is not None:
                self._timer.cancel()
            for line in self._spaces.values():  # what is known of the other end stays known
                line.stop()
            self._port.close()

    @property
    def open(self) -> bool:
        """Whether the other end is there, as far as is known."""
        return self._open

    @property
    def syncing(self) -> bool:
        """Whether the app's data is kept in step."""
        return self._open and DATA in self._spaces

    @property
    def together(self) -> bool:
        """Whether both ends have the same on their disks."""
        return self.syncing and all(line.together for line in self._spaces.values())

    @property
    def hearing(self) -> bool:
        """Whether the rosters of both ends are yet to become the same."""
        return self._open and ROSTER in self._spaces and not self._spaces[ROSTER].together

    @property
    def waiting(self) -> int:
        """How many changes of the app's data the other end lacks."""
        return self._spaces[DATA].waiting if DATA in self._spaces else 0

    @property
    def vector(self) -> dict[str, int] | None:
        """What of the app's data is on the other end's disk; None while that is not known."""
        return self._spaces[DATA].peer if DATA in self._spaces else None

    @property
    def problem(self) -> MasqError | None:
        """Why this end cannot take what the other sends."""
        return next((line.problem for line in self._spaces.values() if line.problem), None)

    def _sayer(self, name: str) -> Callable[[bytes], None]:
        turn = self._turn
        return lambda content: self.post(say=[name, base64.b64encode(content).decode()], turn=turn)

    def _receive(self, text: str) -> None:
        self._heard, self._patience = True, SILENT_SECONDS
        try:
            message = messages.loads(text)
            if not isinstance(message, dict) or message.get("masq") != messages.PROTOCOL:
                raise ProtocolError("a line carries messages of this protocol only")
            if "say" in message:
                name, content = message["say"]
                if message.get("turn", self._turn) == self._turn:  # an older build's end does not count
                    self._hear(name, base64.b64decode(content, validate=True))
            elif "alive" not in message:
                self._said(message)
        except (MasqError, TypeError, ValueError, binascii.Error):
            self._end()  # what an end says that cannot be read is said by another build: it is as if gone

    def _hear(self, name: Any, content: bytes) -> None:
        if name in self._spaces:
            self._spaces[name].hear(content)
        elif name in (DATA, ROSTER):
            if not self._spaces and self._early is not None:
                self._early.append((name, content))
        else:
            raise ProtocolError("a line has no such map")

    def _beat(self) -> None:
        """Send this end's heartbeat, or end the line where the other end's has been missing for too long.

        Counted in beats of this very clock: a machine that slept has missed as many here as there.
        """
        self._silences = 0 if self._heard else self._silences + 1
        self._heard = False
        if self._silences * ALIVE_SECONDS >= self._patience:
            self._end()
            return
        self.post(alive=True)
        self._timer = self._loop.call_later(ALIVE_SECONDS, self._beat)

    def _end(self) -> None:
        if self._open:
            self.close()
            self._gone()
