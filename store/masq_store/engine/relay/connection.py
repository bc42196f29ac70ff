"""One connection to a relay, from the attempt to its end: the handshake, the heartbeat, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from masq_store.core.errors import RelayUnreachable
from masq_store.core.relay import frames
from masq_store.core.relay.frames import BadRelayFrame, Code, OfRoom, Welcome
from masq_store.engine.ports import Network, Socket

WELCOME_SECONDS = 10.0
"""The handshake's time-out: until a relay must have answered HELLO."""

SILENCE_SECONDS = 20.0
"""The heartbeat: after so long without a word the relay is sent PING."""

ANSWER_SECONDS = 20.0
"""The heartbeat's time-out: how long it may take to answer."""

QUICK_ANSWER_SECONDS = 5.0
"""The same where the network has just changed, so that the old connection is probably gone."""

LATER = 4
"""Failures to count at least where coming back at once would not help: then the wait is seconds."""

NOT_SOON = 8
"""The same where nothing will change for a good while."""

_ENDS = {
    Code.BAD_FRAME: ("it did not understand this device", LATER),
    Code.VERSION: ("it speaks another version of the protocol", NOT_SOON),
    Code.FRAME_TOO_LARGE: ("a message was too large for it", LATER),
    Code.TOO_MANY_CONNECTIONS: ("it has as many connections as it takes", LATER),
    Code.TOO_FAST: ("it was sent too much at once", LATER),
    Code.TOO_SLOW: ("this device did not read fast enough", 1),
    Code.STOPPING: ("it is stopping", 1),
    Code.DISK_FAILED: ("its disk failed", LATER),
}
"""Why a connection ended, by the code of the error that ended it; and how many failures to count at least."""

_ALWAYS = {Code.VERSION, Code.FRAME_TOO_LARGE, Code.TOO_SLOW, Code.STOPPING}
"""Codes that end the connection, whatever channel they came on."""


class End(NamedTuple):
    """Why a connection ended; `failures`: how many to count at least before the next."""

    problem: RelayUnreachable
    failures: int = 1


class RelayConnection:
    """A connection: it is opened by `live`, which returns when it has ended.

    Args:
        hear: gets WELCOME, and then all that concerns a room. It does not raise.
        ended: called at the very moment of the end, before `live` returns.
    """

    def __init__(
        self, network: Network, url: str, hear: Callable[[Welcome | OfRoom], None], ended: Callable[[], None]
    ) -> None:
        self.malformed = False
        """Whether it ended because of a frame that was none."""
        self._network = network
        self._url = url
        self._hear = hear
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[End] = self._loop.create_future()
        self._socket: Socket | None = None
        self._welcome = False
        self._heard = 0.0
        self._asked: float | None = None  # when, and nothing was heard since
        self._within = WELCOME_SECONDS
        self._left = 0
        self._pings = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Bytes that were sent and have not been handed to the network yet."""
        return self._socket.waiting if self._socket is not None else 0

    async def live(self) -> End:
        """Connect, and return once the connection has ended or could not be made."""
        try:
            await self._open()
            return await self._end
        finally:  # cancelled, too
            self.end("this device ended the connection")
            if self._socket is not None:
                self._socket.close()

    def send(self, frame: bytes) -> None:
        """Send a frame."""
        if self._socket is not None:
            self._socket.send(frame)

    def end(self, reason: str, failures: int = 1) -> None:
        """End the connection. `reason`: in words; `failures`: see End."""
        if self._end.done():
            return
        self._end.set_result(End(RelayUnreachable(reason), failures))
        if self._timer is not None:
            self._timer.cancel()
        self._ended()

    def check(self) -> None:
        """Send a relay that has said WELCOME a heartbeat now: the network has just changed."""
        self._ask(QUICK_ANSWER_SECONDS)

    async def _open(self) -> None:
        try:
            self._socket = await self._network.open(self._url, self._receive, self._closed)
        except RelayUnreachable as error:
            self.end(error.fields["reason"])
        except Exception as error:  # the network's own failure must not end all trying
            self._loop.call_exception_handler({"message": "a network failed", "exception": error})
            self.end("this device's network failed")
        else:
            self._socket.send(frames.hello())
            self._asked = self._loop.time()
            self._look_again(WELCOME_SECONDS)

    def _closed(self, reason: str) -> None:
        self.end(reason)

    def _receive(self, frame: bytes) -> None:
        if self._end.done():
            return
        self._heard, self._asked = self._loop.time(), None
        try:
            said = frames.parse(frame)
        except BadRelayFrame as error:
            self.refuse(str(error))
            return
        if isinstance(said, frames.Error) and self._is_the_end(said):
            self._end_by(said)
        elif isinstance(said, frames.Welcome):
            self._greet(said)
        elif not self._welcome:
            self.refuse("it came before WELCOME")
        elif not isinstance(said, frames.Pong):
            self._hear(said)

    def refuse(self, what: str) -> None:
        """End the connection because of a frame that the relay should not have sent; `what` is wrong with it."""
        self.malformed = self.malformed or not self._end.done()
        self.end(f"it sent what this device does not understand ({what})", LATER)

    def _greet(self, welcome: Welcome) -> None:
        if self._welcome:
            self.refuse("WELCOME came twice")
        elif welcome.version != frames.VERSION:
            self.end(*_ENDS[Code.VERSION])
        else:
            self._welcome = True
            self._hear(welcome)

    def _is_the_end(self, error: frames.Error) -> bool:
        if error.channel == frames.CONNECTION or not self._welcome or error.code in _ALWAYS:
            return True
        return error.ref == 0 and (error.code == Code.TOO_FAST or not is_known(error.code))

    def _end_by(self, error: frames.Error) -> None:
        self.end(
            *_ENDS.get(Code(error.code) if is_known(error.code) else Code.STOPPING, _ENDS[Code.STOPPING])
        )

    # Silence.

    def _ask(self, within: float) -> None:
        self._pings = self._pings % 0xFFFF_FFFF + 1
        self.send(frames.ping(self._pings))
        self._asked, self._within = self._loop.time(), within
        self._look_again(within)

    def _look_again(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._end.done():
            self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        assert self._socket is not None
        now, left = self._loop.time(), self._socket.waiting
        if left < self._left:  # what was sent is getting through, so the answer waits behind it
            self._heard = now
            if self._asked is not None:
                self._asked = now
        self._left = left
        if self._asked is not None:
            rest = self._asked + self._within - now
            if rest <= 0:
                self.end("it does not answer")
        else:
            rest = self._heard + SILENCE_SECONDS - now
            if rest <= 0:
                self._ask(ANSWER_SECONDS)
                return
        self._look_again(max(rest, 0.001))


def is_known(code: int) -> bool:
    """Tell whether this version of the protocol has that error."""
    return Code.BAD_FRAME <= code <= Code.SNAPSHOT_REFUSED
