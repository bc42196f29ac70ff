"""An app's session: what an app's messages do to its space.

The hot path has no `await`: a read is answered in the call that brings the message, a write takes effect there
and is acknowledged by the writer once it is durable. What takes longer goes on in turns (`turns`). All that an app
can send, or leave unread, has a bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Protocol

from masq import messages
from masq.errors import Disconnected, MasqError, NotRegistered, ProtocolError, to_wire
from masq_store.core.space.space import Applied
from masq_store.engine.ports import Port
from masq_store.engine.sessions.answers import AROUND_BYTES, MAX_MESSAGE_BYTES, parts, size
from masq_store.engine.sessions.reading import WINDOW_CHARACTERS, Held, LongText, Reading, check_call
from masq_store.engine.sessions.turns import Share, Turns
from masq_store.engine.sessions.watches import Watches, quoted
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.writer import FromDevices, Writer

MAX_RECEIVED_CHARACTERS = 1 << 22
"""A message of an app may be this long; a longer one ends the session."""

MAX_WAITING_CHARACTERS = 1 << 24
"""What may wait to be read, in all; an app that sends more ends its session."""

MESSAGE_COST = 1 << 10
"""What a message counts for beside its characters: reading one costs, however short it is."""

MAX_STRANGER_CHARACTERS = 1 << 10
"""A longer message of an app that the person has not allowed is not read, only refused."""

MAX_EARLY_CHARACTERS = 1 << 16
"""What a stranger has sent before it was known to be one is read if it is no more, as `MESSAGE_COST` counts."""

MANY = 256
"""A list of more entries is worked on in parts, and so are this many calls' worth of entries of an answer."""

PART_ENTRIES = 64
"""Entries of such a part."""

MAX_UNREAD_CHARACTERS = 1 << 24
"""What an app has not read; at more nothing is done for it until it has."""

MARK_EVERY_CHARACTERS = 1 << 20
"""How often it is asked whether it has."""

MAX_READ_CHARACTERS = 64
"""Its answer is no longer: it is looked for in no other message."""

KEYS_AT_ONCE = 64
"""So many keys become JSON together. With every byte of the longest keys escaped they still fit into a message."""

MAX_WATCHES = 1_000
"""Watches that one session may hold."""

CLOSED_SECONDS = 2
"""How much later the word of the store's window may come than that it has closed."""

Work = Generator[None, None, str | None]
"""A call that is done in parts: it stops after each, and returns what it gives; None: that comes later."""

Method = Callable[..., "str | Work | None"]
Entries = list[tuple[str, str | None]]


class Keeper(Protocol):
    """Whose space a session works on: a profile, or a copy in a partition."""

    def release(self, origin: str) -> None:
        """Take the app's space back from one that had it in use."""


class LockTime(Protocol):
    """When the store locks by itself."""

    @property
    def limited(self) -> bool:
        """Whether it does."""

    def used(self, origin: str) -> bool:
        """Note that somebody uses an app; False where what it works on has rested for too long, and locks now."""


class House(Protocol):
    """What a session needs of the engine that it belongs to: the store's, or a partition's."""

    now_ms: Callable[[], int]
    writer: Writer
    turns: Turns

    @property
    def rest(self) -> LockTime:
        """When the store locks."""

    def status(self, origin: str) -> dict[str, Any]:
        """Return what an app may know."""

    def severed(self, session: AppSession, closed: bool) -> None:
        """The app's page has opened the store's window and cannot reach it, as far as it sees.

        `closed`: it could before, so the window has closed.
        """

    def detach(self, session: AppSession) -> None:
        """Forget a session: it has ended."""


class AppSession:
    """One connection of one app, whose origin the frame has verified."""

    def __init__(self, engine: House, port: Port, origin: str, nonce: str, app: dict[str, Any]) -> None:
        self.origin = origin
        self.nonce = nonce
        self.app = app
        self.closed = False
        self.told: dict[str, Any] = {}  # the status that the app knows
        self.on_ticket: Callable[[str | None], None] = lambda ticket: None  # has the frame keep it
        self.on_strip: Callable[[dict[str, Any] | None], None] = lambda state: None  # has the frame show it
        self.on_reading: Callable[[], None] = lambda: None  # has the frame tell the app that it goes on
        # Has the frame answer a stranger's calls with this error, and keep them away from here; None: no longer.
        self.on_refused: Callable[[list[Any] | None], None] = lambda error: None
        self._engine = engine
        self._port = port
        self._profile: Keeper | None = None  # whose space it is
        self._space: OpenSpace | None = None
        self._refusal: MasqError | None = None
        self._turns = engine.turns
        self._queue: deque[str | LongText] = deque()  # messages to be read
        self._queued = 0  # what they count for
        self._calls: list[Any] = []  # of the message that was read last, the next one at the end
        self._steps: list[Iterator[None]] = []  # what is done in parts; the last is to be done first
        self._reading: Reading | None = None  # the long message that is being read
        self._long: list[Any] | None = None  # the call that is being done in parts; nothing of it is seen yet
        self._paused = False
        self._locks = False  # it was found to be time to lock
        self._seen: dict[str, int] | None = None  # what the session had seen under the engine before
        self._shown: list[str] | None = None  # the keys of the profile before, which the app may still show
        self._replies: list[str] = []
        self._replies_size = 0  # bytes
        self._watches = Watches()
        self._sent = 0  # characters
        self._read = 0  # how many of them the app has read, as far as is known
        self._marks: deque[tuple[int, int]] = deque()  # what it was asked: a number, and what was sent before
        self._marked = 0  # the newest such number
        self._mark_at = MARK_EVERY_CHARACTERS  # when it is asked next
        self._share = self._turns.share("")
        port.listen(self.receive)

    @property
    def space(self) -> OpenSpace | None:
        """The app's space while the app may use it."""
        return self._space

    @property
    def share(self) -> Share:
        """Its app's share of the engine's time; all strangers together have one."""
        return self._share

    def open(self, profile: Keeper, space: OpenSpace, status: dict[str, Any]) -> None:
        """Let the app work on `space`, which is `profile`'s."""
        if self._space is not space:
            self._leave()
            self._profile, self._space = profile, space
            self._share = self._turns.share(self.origin)
            space.listeners.append(self._changed)
        self._refusal = None
        self._locks = False
        self.on_refused(None)
        self.tell_status(status)
        seen, self._seen = self._seen, None
        shown, self._shown = self._shown, None
        if shown is not None:
            self._changed(list(dict.fromkeys(shown + space.core.keys(""))), None)
        elif seen is not None and self._watches:  # others may have written since the engine before let go
            self._changed(list(dict.fromkeys(change.key for change in space.core.changes_since(seen))), None)
        self._go_on()

    def leave(self) -> None:
        """Let go of the space: its profile closes. What the app says waits for `open` or `refuse`.

        Watches go on: if the app may use the next profile, they tell what is different there.
        """
        if self._space is not None:
            self._shown = self._space.core.keys("") + self._watches.news if self._watches else None
            self._leave()

    def refuse(self, refusal: MasqError, status: dict[str, Any]) -> None:
        """Answer everything with `refusal` from now on; watches end with it."""
        self._leave()
        stranger = isinstance(refusal, NotRegistered)
        new = self._refusal is None and not (self._calls or self._steps)
        unread = stranger and new and self._queued > MAX_EARLY_CHARACTERS
        self._refusal = refusal
        self._locks = False
        self._shown = None
        ended = [[watch, to_wire(refusal)] for watch, _ in self._watches.items()]
        self._watches = Watches()
        if ended:
            self._post({"ended": ended})
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

    def tell_status(self, status: dict[str, Any]) -> None:
        """Send the app its status."""
        self.told = status
        self._post({"status": status})

    def pause(self) -> None:
        """Do nothing more: what the app says from now on is handed over too."""
        self._paused = True

    def hand_over(self) -> tuple[Port, dict[str, Any]]:
        """Stop, and return the port with what another engine needs to go on with it."""
        seen = dict(self._space.core.vector) if self._space else self._seen
        self._leave()
        self.closed = True
        if self._reading and not self._reading.over:
            self._queue.appendleft(self._reading.rest())
        calls = [self._long] if self._long else []
        calls += self._calls[::-1]
        if calls:
            self._queue.appendleft(messages.dumps({"masq": messages.PROTOCOL, "calls": calls}))
        # What was not told yet is told with all the rest.
        untold = self._watches.news if self._watches.behind else None
        return self._port, {
            "origin": self.origin,
            "app": {"nonce": self.nonce, **self.app},
            "watches": self._watches.items(),
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
        self._watches = Watches(watches)
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
        if self._space is not None and not self._paused:
            rest = self._engine.rest
            if rest.limited and not rest.used(self.origin):
                self._locks = True  # now, and this is answered then
        if not (self._queue or self._calls or self._steps or self._watches.behind or self._waits):
            until = self._turns.begin(self._share)
            if until is not None:  # the usual case: at once, with nothing put down in between
                try:
                    self._open_message(text)
                    if len(self._calls) == 1:
                        self._do(self._calls.pop())
                    if self._calls or self._steps or self._watches.behind:
                        self._work(until)
                    else:
                        self.flush()
                        self._engine.writer.begin()
                finally:
                    self._turns.end(self._share)
                    if (self._calls or self._steps or self._watches.behind) and self.more:
                        self._turns.wait(self)
                return
        self._queue.append(text)
        self._queued += size + MESSAGE_COST
        if self._queued > MAX_WAITING_CHARACTERS:
            self._end(ProtocolError("more was sent than can wait to be answered"))
            return
        self._go_on()

    def take_turn(self, until: float) -> None:
        """Tell what has changed and carry out what was asked, in order, until the clock shows `until`."""
        if not self._waits:
            self._work(until)

    @property
    def more(self) -> bool:
        """Whether there is something to do that can be done just now."""
        return bool(self._queue or self._calls or self._steps or self._watches.behind) and not self._waits

    def _work(self, until: float) -> None:
        clock = self._turns.clock
        quick = 0
        while True:
            # Not in the middle of a long call: its answer shows what was there when it began.
            if self._watches.behind and self._long is None and self._space is not None:
                self.flush()  # whoever opened a watch hears that first
                changes = self._watches.piece(self._core, clock, until)
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
            self._engine.writer.begin_soon()
        else:
            self._engine.writer.begin()

    def flush(self) -> None:
        """Send the replies that have gathered, in one message."""
        if self._replies:
            replies, self._replies, self._replies_size = self._replies, [], 0
            self._send('{"masq":1,"replies":[' + ",".join(replies) + "]}")

    @property
    def _waits(self) -> bool:
        """Whether nothing can be done for the app just now."""
        return (
            self.closed
            or self._paused
            or self._locks
            or (self._space is None and self._refusal is None)
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
            self._calls = _calls(messages.loads(text))
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

    def _has_read(self, text: str) -> bool:
        """Note what the app says it has read, if it does; it is not kept waiting behind what it asks for."""
        try:
            message = messages.loads(text)
        except MasqError:
            return False
        number = message.get("read") if isinstance(message, dict) else None
        if type(number) is not int or "calls" in message:
            return False
        while self._marks and self._marks[0][0] <= number:
            self._read = self._marks.popleft()[1]
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
        self._engine.detach(self)

    # Calls -------------------------------------------------------------------------------------------------

    def _do(self, call: list[Any]) -> None:
        number = call[0]
        try:
            if self._space is None and call[1] not in FOR_STRANGERS:
                raise self._refusal or Disconnected("the session has ended")
            method = METHODS.get(call[1])
            if method is None:
                raise ProtocolError(f"the store knows no method {str(call[1])[:64]!r}")
            result = method(self, number, *call[2:])
            if isinstance(result, str):
                self._reply(f"[{number},{result}]")
            elif result is not None:
                self._long = call
                self._steps.append(self._in_parts(number, result))
        except MasqError as error:
            self._fail(number, error)
        except TypeError as error:
            if not _from_call(error):
                raise
            self._fail(number, ProtocolError(f"{call[1]} was called with arguments it does not take"))

    def _in_parts(self, number: int, work: Work) -> Iterator[None]:
        """Do a call that takes long, part by part."""
        try:
            result = yield from work
            if result is not None:
                self._reply(f"[{number},{result}]")
        except MasqError as error:
            self._fail(number, error)
        finally:
            self._long = None

    def _anew(self, call: list[Any]) -> Iterator[None]:
        """Do a call from its beginning: the space that it was begun on is not the app's any more."""
        self._long = None
        self._do(call)
        yield

    def _reply(self, text: str) -> None:
        needed = size(text) + 1
        if self._replies_size + needed > MAX_MESSAGE_BYTES - AROUND_BYTES:
            self.flush()
        self._replies.append(text)
        self._replies_size += needed

    def _reply_list(self, number: int, entries: Iterable[str]) -> None:
        """Answer with a list of these entries, in parts where a message cannot hold it."""
        for part, more in parts(entries):
            self._reply(f"[{number},[{part}],true]" if more else f"[{number},[{part}]]")

    def _fail(self, number: int, error: MasqError) -> None:
        self._reply(f"[{number},null,{messages.dumps(to_wire(error))}]")

    def _get(self, number: int, key: str) -> str:
        messages.check_key(key)
        text = self._core.text(key)
        return "[]" if text is None else f"[{text}]"

    def _get_many(self, number: int, keys: list[str]) -> str | Work | None:
        return _at_once(self._found(number, _list(keys)), keys)

    def _found(self, number: int, keys: list[str]) -> Work:
        yield from _check_keys(keys)
        text = self._core.text
        # Looked up in one go: what an answer shows was there at one moment.
        found = [(key, value) for key, value in zip(keys, map(text, keys), strict=True) if value is not None]
        return (yield from self._answer(number, found))

    def _answer(self, number: int, items: list[tuple[str, str]]) -> Work:
        """Answer with these keys and texts; nothing of it is sent before all of it is there."""
        texts: list[str] = []
        for some in _few(items):
            texts += [f"[{quoted(key)},{text}]" for key, text in some]
            yield
        made = []
        for part in parts(texts):
            made.append(part)
            yield
        for text, more in made:
            self._reply(f"[{number},[{text}],true]" if more else f"[{number},[{text}]]")
        return None

    def _has(self, number: int, key: str) -> str:
        messages.check_key(key)
        return "true" if self._core.has(key) else "false"

    def _keys(self, number: int, prefix: str) -> None:
        messages.check_prefix(prefix)
        keys = self._core.keys(prefix)
        some = (keys[at : at + KEYS_AT_ONCE] for at in range(0, len(keys), KEYS_AT_ONCE))
        self._reply_list(number, (messages.dumps(few)[1:-1] for few in some))

    def _items(self, number: int, prefix: str) -> str | Work | None:
        messages.check_prefix(prefix)
        items = self._core.items(prefix)
        return _at_once(self._answer(number, items), items)

    def _set(self, number: int, key: str, packed: Any) -> None:
        self._write(number, _entries([(key, packed)]))

    def _update(self, number: int, pairs: list[Any]) -> str | Work | None:
        return _at_once(self._checked(pairs, lambda entries: self._write(number, entries)), pairs)

    def _replace(self, number: int, pairs: list[Any]) -> str | Work | None:
        def replace(entries: Entries) -> None:
            core, now = self._core, self._engine.now_ms()
            self._add(number, lambda: core.replace(entries, now), _nothing)

        return _at_once(self._checked(pairs, replace), pairs)

    def _checked(self, pairs: list[Any], write: Callable[[Entries], None]) -> Work:
        """Check all pairs; then write them, in one go."""
        entries: Entries = []
        for part in _few(_list(pairs)):
            entries += _entries(part)
            yield
        write(entries)
        return None

    def _delete(self, number: int, keys: list[str]) -> str | Work | None:
        return _at_once(self._delete_all(number, _list(keys)), keys)

    def _delete_all(self, number: int, keys: list[str]) -> Work:
        yield from _check_keys(keys)
        entries: Entries = [(key, None) for key in dict.fromkeys(keys)]
        core, now = self._core, self._engine.now_ms()
        self._add(number, lambda: core.write(entries, now), _count)
        return None

    def _clear(self, number: int, prefix: str) -> None:
        messages.check_prefix(prefix)
        core, now = self._core, self._engine.now_ms()
        self._add(number, lambda: core.clear(prefix, now), _count)

    def _increment(self, number: int, key: str, packed: Any) -> None:
        messages.check_key(key)
        by = messages.unpack(packed)
        core, now = self._core, self._engine.now_ms()
        total = "0"

        def operation() -> Applied:
            nonlocal total
            applied: Applied = core.increment(key, by, now)
            total = core.text(key)  # now: by the time it is durable others may have counted on
            return applied

        self._add(number, operation, lambda applied: total)

    def _flush(self, number: int) -> None:
        core, now = self._core, self._engine.now_ms()

        def flushed(error: MasqError | None) -> None:
            if self.closed:
                return
            if error is None:
                self._reply(f"[{number},null]")
            else:
                self._fail(number, error)
            self.flush()

        def settle(applied: Applied | None, error: MasqError | None) -> None:
            if error is None:
                self._engine.writer.flushes.ask(flushed)
            else:
                self._fail(number, error)

        assert self._space is not None
        # A write of nothing: settled once all before it are.
        self._engine.writer.add(self._space, lambda: core.write([], now), settle, self)

    def _watch(self, number: int, prefix: str, initial: bool) -> None:
        messages.check_prefix(prefix)
        if len(self._watches) >= MAX_WATCHES:
            raise ProtocolError(f"a session may hold {MAX_WATCHES} watches; close some first")
        self._watches.add(number, prefix)
        self._reply(f"[{number},null]")
        if initial:
            self._watches.begin(number)

    def _unwatch(self, number: int, watch: int) -> str:
        if type(watch) is not int:
            raise ProtocolError("a watch is named by the number of the call that opened it")
        self._watches.drop(watch)
        return "null"

    def _status(self, number: int) -> str:
        return messages.dumps(self._engine.status(self.origin))

    def _severed(self, number: int, closed: bool = False) -> str:
        if type(closed) is not bool:
            raise ProtocolError("whether the window has closed is true or false")
        self._engine.severed(self, closed)
        return "null"

    def _ping(self, number: int) -> str:
        return "null"

    # Writes ------------------------------------------------------------------------------------------------

    def _write(self, number: int, entries: Entries) -> None:
        core, now = self._core, self._engine.now_ms()
        self._add(number, lambda: core.write(entries, now), _nothing)

    def _add(self, number: int, operation: Callable[[], Applied], result: Callable[[Applied], str]) -> None:
        def settle(applied: Applied | None, error: MasqError | None) -> None:
            if applied is None or error is not None:
                self._fail(number, error or Disconnected("the write was not done"))
            else:
                self._reply(f"[{number},{result(applied)}]")

        assert self._space is not None
        self._engine.writer.add(self._space, operation, settle, self)

    # Changes -----------------------------------------------------------------------------------------------

    def _changed(self, keys: list[str], source: object) -> None:
        if self._watches and not self.closed:
            from_devices = isinstance(source, FromDevices)
            self._watches.note(keys, "self" if source is self else "device" if from_devices else "tab")
            self._go_on()

    @property
    def _core(self) -> Any:
        assert self._space is not None
        return self._space.core

    def _leave(self) -> None:
        if self._long is not None:
            call = self._long
            self._steps[-1] = self._anew(call)
            self._long = call
        if self._space is not None and self._profile is not None:
            self._space.listeners.remove(self._changed)
            self._profile.release(self.origin)
            self._profile = self._space = None
            self._share = self._turns.share("")

    def _post(self, message: dict[str, Any]) -> None:
        self._send(messages.dumps({"masq": messages.PROTOCOL, **message}))

    def _send(self, text: str) -> None:
        self._port.post(text)
        self._sent += len(text)
        if self._sent > self._mark_at:
            self._marked += 1
            self._marks.append((self._marked, self._sent))
            self._mark_at = self._sent + MARK_EVERY_CHARACTERS
            self._port.post(messages.dumps({"masq": messages.PROTOCOL, "mark": self._marked}))


METHODS: dict[Any, Method] = {
    "get": AppSession._get,
    "get_many": AppSession._get_many,
    "has": AppSession._has,
    "keys": AppSession._keys,
    "items": AppSession._items,
    "set": AppSession._set,
    "update": AppSession._update,
    "replace": AppSession._replace,
    "delete": AppSession._delete,
    "clear": AppSession._clear,
    "increment": AppSession._increment,
    "flush": AppSession._flush,
    "watch": AppSession._watch,
    "unwatch": AppSession._unwatch,
    "status": AppSession._status,
    "ping": AppSession._ping,
    "severed": AppSession._severed,
}

QUICK = frozenset({"get", "has", "increment", "ping", "set", "severed", "unwatch"})
"""Methods of which several may be carried out between two looks at the clock. Between two long values there is one
all the same: they are read in parts."""

LOOK_EVERY = 8
"""So many."""

FOR_STRANGERS = ("severed",)
"""What an app may say that the person has not allowed."""


def _calls(message: Any) -> list[list[Any]]:
    """Return the calls of a message. Raises ProtocolError for anything else."""
    if not isinstance(message, dict) or "masq" not in message:
        raise ProtocolError("that is not a message of this protocol")
    if message["masq"] != messages.PROTOCOL:
        raise ProtocolError(f"the store speaks version {messages.PROTOCOL} of the protocol")
    calls = message.get("calls", [])
    if not isinstance(calls, list):
        raise ProtocolError("`calls` must be a list of [number, method, argument, …]")
    for call in calls:
        if type(call) is not list or len(call) < 2 or type(call[0]) is not int or type(call[1]) is not str:
            check_call(call)
    return calls


def _from_call(error: TypeError) -> bool:
    """Say whether the error comes from calling a method with the wrong number of arguments."""
    trace = error.__traceback__
    return trace is not None and trace.tb_next is None


def _list(argument: Any) -> list[Any]:
    if not isinstance(argument, list):
        raise ProtocolError("a list was expected")
    return argument


def _at_once(work: Work, entries: Any) -> str | Work | None:
    """Return what `work` gives if it has few entries, else the work: for it is to be done in parts."""
    if isinstance(entries, list) and len(entries) > MANY:
        return work
    try:
        while True:
            next(work)
    except StopIteration as done:
        result: str | None = done.value
        return result


def _few(entries: list[Any]) -> Iterator[list[Any]]:
    return (entries[at : at + PART_ENTRIES] for at in range(0, len(entries), PART_ENTRIES))


def _check_keys(keys: list[Any]) -> Generator[None, None, None]:
    for part in _few(keys):
        for key in part:
            messages.check_key(key)
        yield


def _entries(pairs: Sequence[Any]) -> Entries:
    """Return checked (key, canonical text) pairs; all are checked before any is used."""
    entries: Entries = []
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ProtocolError("a [key, value] pair was expected")
        messages.check_key(pair[0])
        entries.append((pair[0], messages.encode_packed(pair[1])))
    return entries


def _nothing(applied: Applied) -> str:
    return "null"


def _count(applied: Applied) -> str:
    return str(sum(1 for before in applied.touched.values() if before is not None))
