"""An app's session: from its port's arrival to its end, whichever profile is open, and from one engine to the next.

It takes the app's messages; `calls` has what is done with them, `methods` what an app may call, `outbox` what goes
back. The hot path has no `await`: a read is answered in the call that brings the message, a write takes effect there
and is acknowledged by the writer once it is durable. All that an app can send, or leave unread, has a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from masq import messages
from masq.errors import Disconnected, MasqError, NotRegistered, ProtocolError, to_wire
from masq_store.core.profile.claims import AppClaims
from masq_store.engine.ports import Port
from masq_store.engine.sessions.access import Access
from masq_store.engine.sessions.calls import MESSAGE_COST, Calls
from masq_store.engine.sessions.hand_over import State
from masq_store.engine.sessions.host import SessionHost
from masq_store.engine.sessions.methods import METHODS, WATCHING, denied, methods_within
from masq_store.engine.sessions.reading import LongText
from masq_store.engine.sessions.status import Status, Strip
from masq_store.engine.sessions.watches import Watches
from masq_store.engine.storage.writer import FromDevices

MAX_RECEIVED_CHARACTERS = 1 << 22
"""A message of an app may be this long; a longer one ends the session."""

MAX_WAITING_CHARACTERS = 1 << 24
"""What may wait to be read, in all; an app that sends more ends its session."""

MAX_EARLY_CHARACTERS = 1 << 16
"""What a stranger has sent before it was known to be one is read if it is no more, as `MESSAGE_COST` counts."""

MAX_READ_CHARACTERS = 64
"""Its answer is no longer: it is looked for in no other message."""

CLOSED_SECONDS = 2
"""How much later the word of the store's window may come than that it has closed."""


class AppSession(Calls):
    """One connection of one app, whose origin the frame has verified.

    `nonce`: it asks the person under that. `app`: what it says of itself. What the session has to say to others than
    the app goes by the functions `on_…`, which the engine and the worker set.
    """

    def __init__(self, engine: SessionHost, port: Port, origin: str, nonce: str, app: AppClaims) -> None:
        super().__init__(engine, port, origin)
        self.nonce = nonce
        self.app = app
        self.told: Status = {}  # the status that the app knows
        self.on_ticket: Callable[[str | None], None] = lambda ticket: None  # has the frame keep it
        self.on_strip: Callable[[Strip | None], None] = lambda state: None  # has the frame show it
        self.on_reading: Callable[[], None] = lambda: None  # has the frame tell the app that it goes on
        # Has the frame answer a stranger's calls with this error, and keep them away from here; None: no longer.
        self.on_refused: Callable[[list[Any] | None], None] = lambda error: None
        self.on_end: Callable[[], None] = lambda: None  # has the engine forget it
        self._seen: dict[str, int] | None = None  # what the session had seen under the engine before
        self._shown: list[str] | None = None  # the keys of the profile before, which the app may still show
        port.listen(self.receive)

    def open(self, access: Access, status: Status) -> None:
        """Let the app work on a space."""
        self._leave()
        self.access = access
        self._method = methods_within(access.rights).get
        self.share = self._turns.share(self.origin)
        access.space.listeners.append(self._changed)
        if not access.rights.issuperset(WATCHING):
            self._end_watches(denied(WATCHING, access.rights))
        self._refusal = None
        self._locks = False
        self.on_refused(None)
        self.tell_status(status)
        seen, self._seen = self._seen, None
        shown, self._shown = self._shown, None
        if shown is not None:
            self._note(list(dict.fromkeys(shown + self.core.keys(""))), None)
        elif seen is not None and self.watches:  # others may have written since the engine before let go
            changes = access.space.core.changes_since(seen)
            self._changed(list(dict.fromkeys(change.key for change in changes)), None)
        self._go_on()

    def leave(self) -> None:
        """Let go of the space: its profile closes. What the app says waits for `open` or `refuse`.

        Watches go on: if the app may use the next profile, they tell what is different there.
        """
        if self.access is not None:
            self._shown = self.core.keys("") + self.watches.news if self.watches else None
            self._leave()

    def refuse(self, refusal: MasqError, status: Status) -> None:
        """Answer everything with `refusal` from now on; watches end with it."""
        self._leave()
        stranger = isinstance(refusal, NotRegistered)
        new = self._refusal is None and not (self._calls or self._steps)
        unread = stranger and new and self._queued > MAX_EARLY_CHARACTERS
        self._refusal = refusal
        self._locks = False
        self._shown = None
        self._end_watches(refusal)
        self.tell_status(status)
        if unread:  # what came before it was known that this is a stranger
            self._queue.clear()
            self._queued = 0
            self._post({"error": to_wire(refusal)})
        self.on_refused(to_wire(refusal) if stranger else None)
        if stranger:  # its frame has the port, and does not pass on what was read
            self._read = self._sent
            self._marks.clear()
        self._go_on()

    def go_on(self) -> None:
        """Answer what came when it was time to lock: the person is there after all, and it does not lock."""
        self._locks = False
        self._go_on()

    def fail(self, error: MasqError) -> None:
        """Tell the app that its data cannot be opened, and refuse everything because of that."""
        self._post({"error": to_wire(error)})
        self.refuse(error, {"state": "unregistered"})

    def tell_status(self, status: Status) -> None:
        """Send the app its status."""
        self.told = status
        self._post({"status": status})

    def deny(self, how: str) -> None:
        """Tell the app that it waits in vain: "refused"; "closed", where the window closed without an answer."""
        self.tell_status({**self.status(), "denied": how})

    def pause(self) -> None:
        """Do nothing more: what the app says from now on is handed over too."""
        self._paused = True

    def hand_over(self) -> tuple[Port, State]:
        """Stop, and return the port with what another engine needs to go on with it."""
        seen = dict(self.access.space.core.vector) if self.access else self._seen
        self._leave()
        self.closed = True
        if self._reading and not self._reading.over:
            self._queue.appendleft(self._reading.rest())
        calls = [self._long] if self._long else []
        calls += self._calls[::-1]
        if calls:
            self._queue.appendleft(messages.dumps({"masq": messages.PROTOCOL, "calls": calls}))
        # What was not told yet is told with all the rest.
        untold = self.watches.news if self.watches.behind else None
        return self._port, {
            "origin": self.origin,
            "app": {"nonce": self.nonce, **self.app._asdict()},
            "watches": self.watches.items(),
            "seen": seen,
            "shown": self._shown if untold is None else untold + (self._shown or []),
            "early": [text if isinstance(text, str) else text.piece(0, len(text)) for text in self._queue],
        }

    def resume(
        self,
        watches: list[tuple[int, str]],
        seen: dict[str, int] | None = None,
        early: Sequence[str] = (),
        shown: list[str] | None = None,
    ) -> None:
        """Go on where the session was under another engine: the values of `hand_over`'s state."""
        self.watches = Watches(watches)
        self._seen = seen
        self._shown = shown
        self._queue.extendleft(reversed(early))
        self._queued = sum(len(text) + MESSAGE_COST for text in self._queue)

    def close(self) -> None:
        """End the session: the app's page has gone, or only the frame in it, and then it hears of that."""
        if not self.closed:
            self.closed = True
            self._post({"error": to_wire(Disconnected("the store's frame has gone"))})
            self._leave()
            self._port.close()

    def receive(self, text: str | LongText) -> None:
        """Take one message from the app."""
        size = len(text)
        if self.closed or (
            size <= MAX_READ_CHARACTERS
            and isinstance(text, str)
            and '"read"' in text
            and self._has_read(text)
        ):
            return
        if size > MAX_RECEIVED_CHARACTERS:
            self._end(ProtocolError(f"a message was longer than {MAX_RECEIVED_CHARACTERS:,} characters"))
            return
        if self.access is not None and not self._paused:
            policy = self._engine.auto_lock
            if policy.limited and not policy.used(self.access.ref.origin):
                self._locks = True  # now, and this is answered then
        if not (self._queue or self._calls or self._steps or self.watches.behind or self._waits):
            until = self._turns.begin(self.share)
            if until is not None:  # the usual case: at once, with nothing put down in between
                try:
                    self._open_message(text)
                    if len(self._calls) == 1:
                        self._do(self._calls.pop())
                    if self._calls or self._steps or self.watches.behind:
                        self._work(until)
                    else:
                        self.flush()
                        self.writer.begin()
                finally:
                    self._turns.end(self.share)
                    if (self._calls or self._steps or self.watches.behind) and self.more:
                        self._turns.wait(self)
                return
        self._queue.append(text)
        self._queued += size + MESSAGE_COST
        if self._queued > MAX_WAITING_CHARACTERS:
            self._end(ProtocolError("more was sent than can wait to be answered"))
            return
        self._go_on()

    def _has_read(self, text: str) -> bool:
        """Note what the app says it has read, if it does; it is not kept waiting behind what it asks for."""
        try:
            message = messages.loads(text)
        except MasqError:
            return False
        number = message.get("read") if isinstance(message, dict) else None
        if type(number) is not int or "calls" in message:
            return False
        self._note_read(number)
        self._go_on()
        return True

    def _end(self, error: MasqError) -> None:
        """End the session, as nothing good comes from this app any more."""
        self._post({"closed": to_wire(error)})
        self.closed = True
        self._queue.clear()
        self._calls = []
        self._leave()
        self._steps.clear()
        self._port.close()
        self.on_end()

    def _end_watches(self, error: MasqError) -> None:
        ended = [[watch, to_wire(error)] for watch, _ in self.watches.items()]
        self.watches = Watches()
        if ended:
            self._post({"ended": ended})

    def _changed(self, keys: list[str], source: object) -> None:
        """Hear from the space that keys of it have changed."""
        if self.watches and self.access is not None:
            self._note(self.access.seen(keys), source)

    def _note(self, keys: list[str], source: object) -> None:
        """Have the watches tell of these keys, which are named as the app names them."""
        if self.watches and not self.closed:
            from_devices = isinstance(source, FromDevices)
            self.watches.note(keys, "self" if source is self else "device" if from_devices else "tab")
            self._go_on()

    def _leave(self) -> None:
        self._begin_anew()
        if self.access is not None:
            access, self.access = self.access, None
            access.space.listeners.remove(self._changed)
            self._method = METHODS.get
            self.share = self._turns.share("")
            access.release()
