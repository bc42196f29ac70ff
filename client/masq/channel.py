"""Channel: the client's RPC. Calls go out, replies and changes come in, over anything that carries text.

When calls travel:

- Nothing is on its way to the store: at the end of the current synchronous run, so that all calls of that run
  share one message and none waits for a timer.
- A message from the store is being read (it has just resumed who waited): at its end.
- Something is on its way already: at the end of the event loop's tick, so that two thousand gathered calls
  make a handful of messages.

One watchdog for each channel gives every call an end. Messages, order and limits: docs/protocol.md.
"""

import asyncio
import sys

from masq.errors import ConnectionTimeout, Disconnected, InvalidValue, MasqError, ProtocolError, from_wire
from masq.messages import PROTOCOL, dumps, loads

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MICROPYTHON = sys.implementation.name == "micropython"
if not TYPE_CHECKING and MICROPYTHON:
    from masq.reply_micropython import Reply, outside_tasks
else:
    from masq.reply import Reply, outside_tasks

__all__ = ["Channel", "Reply"]

READS = ("get", "get_many", "has", "keys", "items", "status", "ping")
"""Methods that change nothing: they are sent again when their answer was lost."""

MAX_MESSAGE_CHARACTERS = 1 << 18  # a full message is sent at once; one call may be longer
MAX_CALL_CHARACTERS = (1 << 22) - 64  # what the store takes in one message, less what stands around the call
MAX_UNANSWERED_CHARACTERS = 1 << 22  # back-pressure: beyond it calls wait here; the store keeps only so much
WATCHDOG_LOOKS = 4  # polls in one time-out: a machine that slept has missed but one
HEAD = '{"masq":' + str(PROTOCOL) + ',"calls":['


class Channel:
    """One connection to the store: numbers calls, batches them, matches their replies, and times them out.

    `post(text)` sends one message. `later(function)` runs it at the end of the current synchronous run (a
    microtask in browsers). `timeout`: seconds of silence after which calls raise ConnectionTimeout.

    Set these to hear what nobody asked for: `on_status(dict)`, `on_changes(watch_id, changes)`,
    `on_ended(watch_id, error)`, `on_event(list)`, `on_fault(error)` (the store's messages make no sense),
    `on_refusal(error)` (the store could not use what we sent),
    `on_read(direct)` (a message was read; `direct`: waiters may run now), `on_idle()` (no call is under way).
    They must not raise.
    """

    def __init__(
        self,
        post: "Callable[[str], object]",
        later: "Callable[[Callable[[], None]], object]",
        timeout: float = 30.0,
        loop: "asyncio.AbstractEventLoop | None" = None,
    ) -> None:
        self.post = post
        self.later = later
        self.timeout = timeout
        self.error: BaseException | None = None  # why no more calls are taken
        self.held = False  # calls wait here until `lost` brings another port: this one leads nowhere
        self.on_status: Callable[[dict[str, Any]], object] = _ignore
        self.on_changes: Callable[[int, list[Any]], object] = _ignore
        self.on_ended: Callable[[int, MasqError], object] = _ignore
        self.on_event: Callable[[list[Any]], object] = _ignore
        self.on_fault: Callable[[MasqError], object] = _ignore
        self.on_refusal: Callable[[MasqError], object] = _ignore
        self.on_read: Callable[[bool], object] = _ignore
        self.on_idle: Callable[[], object] | None = None
        self._loop = loop
        self._number = 0
        self._filed: list[str] = []  # texts of calls that are not sent yet
        self._filed_size = 0
        self._sent_size = 0  # characters of calls that were sent and are not answered yet
        self._waiting: dict[int, tuple[Reply, Callable[[Any], Any] | None, str]] = {}
        self._parts: dict[int, list[Any]] = {}  # beginnings of long answers
        self._due = False  # a flush is on its way
        self._reading = False  # a message of the store is being read
        self._heard = 0  # messages of the store so far
        self._watchdog: asyncio.Task[None] | None = None

    # Calls

    def call(self, method: str, *args: "Any") -> "Reply":
        """Queue a call for the next message, and return the Reply that will hold its raw result."""
        return self.file(method, ",".join([dumps(argument) for argument in args]))

    def file(
        self, method: str, arguments: str = "", convert: "Callable[[Any], Any] | None" = None, number: int = 0
    ) -> "Reply":
        """Queue a call whose arguments are JSON already; `convert` makes the result from the raw one.

        `number`: one from `next_number()`, for who must know it before the answer. Raises InvalidValue for a call
        that is too long for a message.
        """
        if len(arguments) > MAX_CALL_CHARACTERS:
            raise InvalidValue(
                "one call may take " + str(MAX_CALL_CHARACTERS) + " characters, and this one takes "
                "" + str(len(arguments)) + "; make several of it"
            )
        if self._loop is None:
            self._loop = asyncio.get_event_loop()
        reply = Reply(self._loop)
        if self.error is not None:
            reply.fail(self.error)
            return reply
        if not number:
            self._number = number = self._number + 1
        text = '[%d,"%s",%s]' % (number, method, arguments) if arguments else '[%d,"%s"]' % (number, method)
        self._waiting[number] = (reply, convert, text)
        self._filed.append(text)
        self._filed_size += len(text)
        if self._filed_size > MAX_MESSAGE_CHARACTERS:
            self.flush()
        elif not self._due and not self._reading:
            self._due = True
            if MICROPYTHON or len(self._waiting) == len(self._filed):
                self.later(self._flush_due)
            else:
                self._loop.call_soon(self._flush_due)
        return reply

    def refuse(self, error: BaseException) -> "Reply":
        """Return the Reply of a call that cannot be filed: awaiting it raises `error`."""
        reply = Reply(self._loop or asyncio.get_event_loop())
        reply.fail(error)
        return reply

    def next_number(self) -> int:
        """Take the next call number, which is also the watch's when the call is `watch`."""
        self._number += 1
        return self._number

    def flush(self) -> None:
        """Send the queued calls now; those over MAX_UNANSWERED_CHARACTERS wait until there are answers."""
        filed = self._filed
        if not filed or self.held or self._sent_size > MAX_UNANSWERED_CHARACTERS:
            return
        self._filed = []
        size, self._filed_size = self._filed_size, 0
        if size > MAX_MESSAGE_CHARACTERS and len(filed) > 1:
            self._send_some(filed)
        else:
            self._sent_size += size
            self.post(HEAD + ",".join(filed) + "]}")
        if self._watchdog is None:
            self._watchdog = (self._loop or asyncio).create_task(self._watch_silence())

    def _send_some(self, filed: "list[str]") -> None:
        """Send calls in messages of at most MAX_MESSAGE_CHARACTERS, as many as may be on their way."""
        at = 0
        while at < len(filed) and self._sent_size <= MAX_UNANSWERED_CHARACTERS:
            first, size = at, 0
            while at < len(filed) and (at == first or size + len(filed[at]) <= MAX_MESSAGE_CHARACTERS):
                size += len(filed[at])
                at += 1
            self._sent_size += size
            self.post(HEAD + ",".join(filed[first:at]) + "]}")
        self._filed = filed[at:]
        self._filed_size = sum([len(text) for text in self._filed])

    def _flush_due(self) -> None:
        self._due = False
        self.flush()

    @property
    def outstanding(self) -> int:
        """The number of calls without an answer."""
        return len(self._waiting)

    # Messages from the store

    def receive(self, text: "Any") -> None:
        """Read one message of the store, wake who waited for it, and send what they call in turn."""
        self._heard += 1
        answered: list[tuple[Reply, bool, Any]] = []
        try:
            message = loads(text)
            if not isinstance(message, dict) or message.get("masq") != PROTOCOL:
                raise ProtocolError(_not_ours(message))
            # Everything is read before anybody wakes, so that who wakes sees the newest state.
            self._read(message, answered)
        except MasqError as fault:
            self._end(fault, answered)
            return
        except (TypeError, ValueError, KeyError, IndexError, AttributeError):
            self._end(ProtocolError("a message of the store is malformed"), answered)
            return
        except MemoryError:
            self.overwhelmed(answered)
            return
        if message.get("error") is not None:
            self._refused(from_wire(message["error"]))
        self._wake(answered)
        if message.get("closed") is not None:
            self._end(from_wire(message["closed"]))
        if self._filed:
            self.flush()
        if self.on_idle is not None and not self._waiting:
            self.on_idle()

    def _read(self, message: "dict[str, Any]", answered: "list[tuple[Reply, bool, Any]]") -> None:
        """Pass on what a message says, and list the calls that it answers. Raises whatever a wrong form leads to."""
        for watches, changes in message.get("changes") or ():
            for watch in watches if isinstance(watches, list) else (watches,):
                self.on_changes(watch, changes)
        for watch, error in message.get("ended") or ():
            self.on_ended(watch, from_wire(error))
        status = message.get("status")
        if status is not None:
            if not isinstance(status, dict):
                raise ProtocolError("its status is not an object")
            self.on_status(status)
        self._read_replies(message.get("replies") or (), answered)
        for event in message.get("events") or ():
            self.on_event(event)
        mark = message.get("mark")
        if mark is not None:
            self.post('{"masq":%d,"read":%d}' % (PROTOCOL, mark))

    def _refused(self, refusal: MasqError) -> None:
        """The store could not read a message, and cannot say which calls were in it."""
        unsent = set(self._filed)
        self._fail_waiting(refusal, [n for n in self._waiting if self._waiting[n][2] not in unsent])
        self.on_refusal(refusal)

    def _wake(self, answered: "list[tuple[Reply, bool, Any]]") -> None:
        """Wake those whose calls were answered; what they call in turn is filed, and sent together."""
        direct = outside_tasks(self._loop)
        self._reading = True
        try:
            for reply, failed, result in answered:
                if failed:
                    reply.fail(result, direct)
                else:
                    reply.succeed(result, direct)
            self.on_read(direct)
        finally:
            self._reading = False

    def _read_replies(self, replies: "Any", answered: "list[tuple[Reply, bool, Any]]") -> None:
        for entry in replies:
            number = entry[0]
            if len(entry) == 3 and entry[2] is True:  # a part of a long list; more follows
                if number in self._waiting:
                    self._parts.setdefault(number, []).extend(entry[1])
                continue
            part = self._parts.pop(number, None)
            if len(entry) == 2:
                failed, result = False, entry[1] if part is None else part + entry[1]
            else:
                failed, result = True, from_wire(entry[2])
            waiting = self._waiting.get(number)
            if waiting is None:
                continue  # timed out or cancelled before
            if not failed and waiting[1] is not None:
                try:
                    result = waiting[1](result)
                except MasqError as error:
                    failed, result = True, error
                except (TypeError, ValueError, KeyError, IndexError):
                    failed, result = True, ProtocolError("the store's answer has an unknown form")
            del self._waiting[number]
            self._sent_size -= len(waiting[2])
            answered.append((waiting[0], failed, result))

    # Ends

    def lost(self, post: "Callable[[str], object]") -> None:
        """Go on over another port: the store that had this one is gone.

        Reads are sent again. Writes that were sent raise Disconnected, because nobody knows their outcome.
        Watches must be opened again by their owner.
        """
        self.post = post
        self.held = False
        unsent = set(self._filed)
        again = []
        unknown = []
        for number in sorted(self._waiting):
            text = self._waiting[number][2]
            method = text.split('"', 2)[1]
            if method in READS or (text in unsent and method != "watch"):
                again.append(text)
            else:
                unknown.append(number)
        self._filed, self._filed_size = again, sum(map(len, again))
        self._parts = {}  # the answers come anew
        self._fail_waiting(Disconnected("the store's worker ended"), unknown)
        self._sent_size = 0
        self.flush()

    def overwhelmed(self, answered: "list[tuple[Reply, bool, Any]] | tuple[()]" = ()) -> None:
        """End it because what the store has sent does not fit into this page's memory, whatever it was."""
        self._end(Disconnected("this page has no memory left for what the store has sent"), answered)

    def _end(self, fault: MasqError, answered: "list[tuple[Reply, bool, Any]] | tuple[()]" = ()) -> None:
        """A store that talks nonsense may have lost an answer or a change: nothing it says counts any more."""
        self.on_fault(fault)
        self.fail(fault)
        for reply, _, _ in answered:  # in the very message that cannot be read to its end
            reply.fail(fault)

    def fail(self, error: BaseException) -> None:
        """Take no more calls: those under way and all later ones raise `error`."""
        if self.error is None:
            self.error = error
        self._filed = []
        self._fail_waiting(error, list(self._waiting))
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.cancel()

    def _fail_waiting(self, error: BaseException, numbers: "list[int]") -> None:
        unsent = set(self._filed)
        for number in numbers:
            waiting = self._waiting.pop(number, None)
            self._parts.pop(number, None)
            if waiting is not None:
                text = waiting[2]
                if text in unsent:
                    self._filed.remove(text)  # or it would be carried out, and has failed
                    self._filed_size -= len(text)
                else:
                    self._sent_size -= len(text)
                waiting[0].fail(error)  # through the loop: a task may be running
        if self.on_idle is not None and not self._waiting:
            self.on_idle()

    async def _watch_silence(self) -> None:
        """End calls that were sent before a silence of `timeout` seconds began. Runs while calls are out."""
        heard, this = self._heard, self._watchdog
        marks = [self._number]  # the newest call at each look since something was heard
        while self._waiting:
            await asyncio.sleep(self.timeout / WATCHDOG_LOOKS)
            if self._heard != heard:
                heard = self._heard
                marks = []
            marks.append(self._number)
            if len(marks) > WATCHDOG_LOOKS:
                oldest = marks.pop(0)
                overdue = [number for number in self._waiting if number <= oldest]
                # The channel may end by this, and in MicroPython a task cannot cancel itself.
                self._watchdog = None
                self._fail_waiting(ConnectionTimeout(self.timeout, "the store's answer"), overdue)
                self._watchdog = this
        self._watchdog = None


def _ignore(*_whatever: "Any") -> None:
    pass


def _not_ours(message: "Any") -> str:
    if isinstance(message, dict) and "masq" in message:
        return (
            "the store speaks version " + str(message["masq"]) + " of the protocol, this app " + str(PROTOCOL)
        )
    return "a message from the store is not one of Masq's"
