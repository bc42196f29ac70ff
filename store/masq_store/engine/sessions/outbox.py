"""The outbox to an app, with back-pressure: messages, replies that gather for one, and how much is unread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from masq import messages
from masq.errors import MasqError, to_wire
from masq.messages import JsonObject
from masq_store.engine.ports import Port
from masq_store.engine.sessions.answers import AROUND_BYTES, MAX_MESSAGE_BYTES, size

MAX_UNREAD_CHARACTERS = 1 << 24
"""Back-pressure: what an app has not read; at more nothing is done for it until it has."""

MARK_EVERY_CHARACTERS = 1 << 20
"""How much is sent between two marks, each of which the app sends back once it has read so far."""


class Outbox:
    """The sending half of a session."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._replies: list[str] = []
        self._replies_size = 0  # bytes
        self._sent = 0  # characters
        self._read = 0  # how many of them the app has read, as far as is known
        self._marks: deque[tuple[int, int]] = deque()  # what it was asked: a number, and what was sent before
        self._marked = 0  # the newest such number
        self._mark_at = MARK_EVERY_CHARACTERS  # when it is asked next

    def reply(self, text: str) -> None:
        """Add a reply, as JSON, to those that are sent together."""
        needed = size(text) + 1
        if self._replies_size + needed > MAX_MESSAGE_BYTES - AROUND_BYTES:
            self.flush()
        self._replies.append(text)
        self._replies_size += needed

    def reply_list(self, number: int, made: Iterable[tuple[str, bool]]) -> None:
        """Answer a call with a list, given as `answers.parts` makes it."""
        for part, more in made:
            self.reply(f"[{number},[{part}],true]" if more else f"[{number},[{part}]]")

    def reply_error(self, number: int, error: MasqError) -> None:
        """Answer a call with an error."""
        self.reply(f"[{number},null,{messages.dumps(to_wire(error))}]")

    def flush(self) -> None:
        """Send the replies that have gathered, in one message."""
        if self._replies:
            replies, self._replies, self._replies_size = self._replies, [], 0
            self._send('{"masq":1,"replies":[' + ",".join(replies) + "]}")

    def _post(self, message: JsonObject) -> None:
        self._send(messages.dumps({"masq": messages.PROTOCOL, **message}))

    def _send(self, text: str) -> None:
        self._port.post(text)
        self._sent += len(text)
        if self._sent > self._mark_at:
            self._marked += 1
            self._marks.append((self._marked, self._sent))
            self._mark_at = self._sent + MARK_EVERY_CHARACTERS
            self._port.post(messages.dumps({"masq": messages.PROTOCOL, "mark": self._marked}))

    def _note_read(self, number: int) -> None:
        """The app has read all that was sent before the mark of this number."""
        while self._marks and self._marks[0][0] <= number:
            self._read = self._marks.popleft()[1]
