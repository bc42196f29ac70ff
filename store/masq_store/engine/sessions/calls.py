"""The queue of an app's calls, carried out in turns: in the call that brings the message, or bit by bit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from masq import messages
from masq.errors import Disconnected, MasqError, NotRegistered, ProtocolError, to_wire
from masq_store.core.space.space import Space
from masq_store.core.space.subspace import Subspace
from masq_store.engine.ports import Port
from masq_store.engine.sessions.access import Access
from masq_store.engine.sessions.host import SessionHost
from masq_store.engine.sessions.methods import ARGUMENTS, FOR_STRANGERS, METHODS, QUICK, Work
from masq_store.engine.sessions.outbox import MAX_UNREAD_CHARACTERS, Outbox
from masq_store.engine.sessions.reading import WINDOW_CHARACTERS, Held, LongText, Reading, calls_of
from masq_store.engine.sessions.status import Status
from masq_store.engine.sessions.watches import Watches
from masq_store.engine.storage.open_space import OpenSpace

MESSAGE_COST = 1 << 10
"""What a message counts for beside its characters: reading one costs, however short it is."""

MAX_STRANGER_CHARACTERS = 1 << 10
"""A longer message of an app that the person has not allowed is not read, only refused."""

LOOK_EVERY = 8
"""So many `QUICK` calls are carried out between two looks at the clock."""


class Calls(Outbox):
    """The working half of a session; whoever puts a message into it lets it go on."""

    def __init__(self, engine: SessionHost, port: Port, origin: str) -> None:
        super().__init__(port)
        self.origin = origin
        self.closed = False
        self.watches = Watches()
        self.writer = engine.writer
        self.now_ms = engine.now_ms
        self.on_severed: Callable[[bool], None] = lambda closed: None  # the engine's
        self.access: Access | None = None
        """Which space the app may use, and how, while it may."""
        self.share = engine.turns.share("")
        """Its app's share of the engine's time; all strangers together have one."""
        self._engine = engine
        self._method = METHODS.get  # bound once, to what its access allows: this is the hot path
        self._turns = engine.turns
        self._refusal: MasqError | None = None
        self._queue: deque[str | LongText] = deque()  # messages to be read
        self._queued = 0  # what they count for
        self._calls: list[Any] = []  # of the message that was read last, the next one at the end
        self._steps: list[Iterator[None]] = []  # what is done in parts; the last is to be done first
        self._reading: Reading | None = None  # the long message that is being read
        self._long: list[Any] | None = None  # the call that is being done in parts; nothing of it is seen yet
        self._paused = False
        self._locks = False  # it was found to be time to lock

    @property
    def space(self) -> OpenSpace | None:
        """The space that the app may use, while it may."""
        return self.access.space if self.access is not None else None

    @property
    def core(self) -> Space | Subspace:
        """Its map in memory, as far as the app sees it."""
        assert self.access is not None
        return self.access.core

    def status(self) -> Status:
        """Return what the app may know."""
        return self._engine.status(self.origin)

    def take_turn(self, until: float) -> None:
        """Tell what has changed and carry out what was asked, in order, until the clock shows `until`."""
        if not self._waits:
            self._work(until)

    @property
    def more(self) -> bool:
        """Whether there is something to do that can be done just now."""
        return bool(self._queue or self._calls or self._steps or self.watches.behind) and not self._waits

    def _work(self, until: float) -> None:
        clock = self._turns.clock
        quick = 0
        while True:
            # Not in the middle of a long call: its answer shows what was there when it began.
            if self.watches.behind and self._long is None and self.access is not None:
                self.flush()  # whoever opened a watch hears that first
                changes = self.watches.piece(self.core, clock, until)
                if changes:
                    self._send('{"masq":1,"changes":[' + changes + "]}")
            elif self._steps:
                step = self._steps[-1]
                if next(step, self) is self:  # it has come to its end
                    self._steps.remove(step)
            elif self._calls:
                call = self._calls.pop()
                self._do(call)
                if call[1] in QUICK:
                    quick += 1
                    if quick % LOOK_EVERY or not self._calls:
                        continue
            elif self._queue:
                text = self._queue.popleft()
                self._queued -= len(text) + MESSAGE_COST
                self._open_message(text)
            else:
                break
            if clock() > until or self._sent - self._read > MAX_UNREAD_CHARACTERS:
                break
        self.flush()
        if self._calls or self._steps:
            self.writer.begin_soon()
        else:
            self.writer.begin()

    @property
    def _waits(self) -> bool:
        """Whether nothing can be done for the app just now."""
        return (
            self.closed
            or self._paused
            or self._locks
            or (self.access is None and self._refusal is None)
            or self._sent - self._read > MAX_UNREAD_CHARACTERS
        )

    def _go_on(self) -> None:
        if self.more:
            self._turns.take(self)

    def _open_message(self, text: str | LongText) -> None:
        if len(text) > MAX_STRANGER_CHARACTERS and isinstance(self._refusal, NotRegistered):
            self.flush()
            self._post({"error": to_wire(self._refusal)})
            return
        if len(text) > WINDOW_CHARACTERS or not isinstance(text, str):
            self._reading = Reading(Held(text) if isinstance(text, str) else text)
            self._steps.append(self._read_on(self._reading))
            return
        try:
            self._calls = calls_of(messages.loads(text))
        except MasqError as error:
            self.flush()
            self._post({"error": to_wire(error)})
        else:
            self._calls.reverse()

    def _read_on(self, reading: Reading) -> Iterator[None]:
        """Read a long message, and carry out its calls as they come."""
        quick = 0
        try:
            for call in reading.calls():
                if call is not None:
                    self._do(call)
                    if call[1] in QUICK:
                        quick += 1
                        if quick % LOOK_EVERY:
                            continue
                yield
        except MasqError as error:
            self.flush()  # or the app takes what was answered for failed
            self._post({"error": to_wire(error)})
        finally:
            self._reading = None

    def _do(self, call: list[Any]) -> None:
        number = call[0]
        try:
            if self.access is None and call[1] not in FOR_STRANGERS:
                raise self._refusal or Disconnected("the session has ended")
            method = self._method(call[1])
            if method is None:
                raise ProtocolError(f"the store knows no method {str(call[1])[:64]!r}")
            result = method(self, number, *call[2:])
            if isinstance(result, str):
                self.reply(f"[{number},{result}]")
            elif result is not None:
                self._long = call
                self._steps.append(self._in_parts(number, result))
        except MasqError as error:
            self.reply_error(number, error)
        except TypeError:
            if len(call) - 2 in ARGUMENTS[call[1]]:
                raise  # a defect of ours
            self.reply_error(number, ProtocolError(f"{call[1]} was called with arguments it does not take"))

    def _in_parts(self, number: int, work: Work) -> Iterator[None]:
        """Do a call that takes long, part by part."""
        try:
            result = yield from work
            if result is not None:
                self.reply(f"[{number},{result}]")
        except MasqError as error:
            self.reply_error(number, error)
        finally:
            self._long = None

    def _begin_anew(self) -> None:
        """Have the long call that is being done begun from its beginning: its space is the app's no more."""
        if self._long is not None:
            call = self._long
            self._steps[-1] = self._anew(call)
            self._long = call

    def _anew(self, call: list[Any]) -> Iterator[None]:
        """Do a call from its beginning: the space that it was begun on is not the app's any more."""
        self._long = None
        self._do(call)
        yield
