"""Reading: the parser of an app's long message, which can stop after any call, and within a long list of one.

A message that takes long to parse keeps everybody waiting. So a long one is taken in windows, a few calls each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Any, Protocol

from masq import messages
from masq.errors import ProtocolError

WINDOW_CHARACTERS = 1 << 13
"""So much is looked at together. A message that is no longer is parsed at once."""

MAX_VALUE_CHARACTERS = 1 << 21
"""A value, or a call that has one, is parsed whole, and may be this long as it is written: some write each
character that is not ASCII, or any, as `\\u00e9`, and of the 256 KiB that a value may have it takes a byte or two."""

LOOK_EVERY = 64
"""Entries of a list that are read between two looks at the clock."""

HEAD = f'{{"masq":{messages.PROTOCOL},"calls":['
_S = r"[ \t\n\r]*"
_NUMBER = r"(0|[1-9][0-9]{0,15})"
_HEAD = re.compile(rf'{_S}\{{{_S}"masq"{_S}:{_S}{_NUMBER}{_S},{_S}"calls"{_S}:{_S}\[')
_LIST_CALL = re.compile(rf'\[{_S}{_NUMBER}{_S},{_S}"(update|replace|delete|get_many)"{_S},{_S}\[')
_SPACE = re.compile(_S)
_SPACES = ("", " ", "\t", "\n", "\r")


class LongText(Protocol):
    """A text that is kept elsewhere, and had in pieces."""

    def __len__(self) -> int:
        """Return how long it is, in units of its own."""

    def piece(self, start: int, end: int) -> str:
        """Return what stands between two places, in those units; in the middle of a character may be cut."""

    def units(self, text: str) -> int:
        """Return how many units a piece takes."""


class Held:
    """A text that is here already."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __len__(self) -> int:
        return len(self._text)

    def piece(self, start: int, end: int) -> str:
        """Return what stands between two places."""
        return self._text[start:end]

    def units(self, text: str) -> int:
        """Return how long a piece is."""
        return len(text)


class Reading:
    """One message as it is read. It begins with `HEAD`; what follows its calls is ignored."""

    def __init__(self, text: LongText) -> None:
        self._text = text
        self._window = ""
        self._from = 0  # where the window begins
        self._at = 0  # the place in it that is read next
        self._open: int | None = None  # where the long call begins that is being read
        self.over = False
        """Whether all its calls have come."""

    def rest(self) -> str:
        """Return the calls that have not come yet, as a message."""
        if self._window == "":
            return self._text.piece(0, len(self._text))
        here = self._from + self._text.units(self._window[: self._at])
        return HEAD + self._text.piece(here if self._open is None else self._open, len(self._text))

    def calls(self) -> Iterator[list[Any] | None]:
        """Yield each call, and None after a part of one. Raises ProtocolError where it cannot go on."""
        self._fill(WINDOW_CHARACTERS)
        head = _HEAD.match(self._window)
        if head is None:
            raise ProtocolError("a long message must begin with its version and its calls")
        if int(head[1]) != messages.PROTOCOL:
            raise ProtocolError(f"the store speaks version {messages.PROTOCOL} of the protocol")
        self._at = head.end()
        self._skip()
        self.over = self._window[self._at : self._at + 1] == "]"
        while not self.over:
            for call in self._in_window():
                check_call(call)
                yield call
            call = yield from self._value(in_parts=True)
            self.over = self._delimiter() == "]"
            self._open = None
            check_call(call)
            yield call

    def _in_window(self) -> Iterator[Any]:
        """Read values that stand whole in the window, each with a comma right behind it: what nearly all are."""
        window, at = self._window, self._at
        try:
            while True:
                value, end = _scan(window, at)
                if window[end] != ",":
                    break
                self._at = at = end + 1
                yield value
        except (StopIteration, ValueError, IndexError):
            pass  # `_value` finds out what is different there
        self._skip()

    def _value(self, in_parts: bool = False) -> Generator[None, None, Any]:
        """Read a value as far as what follows it, and return it."""
        size = WINDOW_CHARACTERS
        while True:
            window = self._window
            try:
                value, end = _scan(window, self._at)
                end = _past_space(window, end)
            except (StopIteration, ValueError):
                end = len(window)
            if end < len(window):  # else more of it may follow
                self._at = end
                return value
            if self._from + self._text.units(window) >= len(self._text):
                raise ProtocolError("a message is not JSON, or ends in the middle")
            if self._at == 0:
                size *= 2
                if size > MAX_VALUE_CHARACTERS:
                    raise ProtocolError(f"a value was longer than {MAX_VALUE_CHARACTERS:,} characters")
                if in_parts and (found := _LIST_CALL.match(window)):
                    return (yield from self._long_call(found))
            self._fill(size)
            yield None

    def _long_call(self, found: re.Match[str]) -> Generator[None, None, Any]:
        """Read a call from the beginning of the window on, entry by entry of its list."""
        entries: list[Any] = []
        self._open = self._from
        self._at = found.end()
        self._skip()
        ending = ","
        if self._window[self._at : self._at + 1] == "]":
            ending = self._delimiter()
        while ending == ",":
            for entry in self._in_window():
                entries.append(entry)
                if len(entries) % LOOK_EVERY == 0:
                    yield None
            entries.append((yield from self._value()))
            ending = self._delimiter()
        call = [int(found[1]), found[2], entries]
        while self._delimiter() == ",":
            call.append((yield from self._value()))
        return call

    def _delimiter(self) -> str:
        """Return the comma or bracket that comes next, and go past it and the space behind it."""
        self._skip()
        found = self._window[self._at : self._at + 1]
        if found not in (",", "]"):
            raise ProtocolError("a message is not JSON: a comma is missing")
        self._at += 1
        self._skip()
        return found

    def _skip(self) -> None:
        """Go to what is no space."""
        self._at = _past_space(self._window, self._at)
        if self._at == len(self._window):
            self._fill(WINDOW_CHARACTERS)
            self._at = _past_space(self._window, self._at)

    def _fill(self, size: int) -> None:
        """Let the window begin where it has been read to, and take so many characters."""
        self._from += self._text.units(self._window[: self._at])
        self._at = 0
        self._window = self._text.piece(self._from, self._from + size)
        messages.check_depth(self._window)


def calls_of(message: Any) -> list[list[Any]]:
    """Return the calls of a message that was parsed at once. Raises ProtocolError for anything else."""
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


def check_call(call: Any) -> None:
    """Raise ProtocolError unless this is [number, method, argument, …]."""
    if not (isinstance(call, list) and len(call) > 1 and type(call[0]) is int and isinstance(call[1], str)):
        raise ProtocolError("`calls` must be a list of [number, method, argument, …]")


def _past_space(text: str, at: int) -> int:
    if text[at : at + 1] not in _SPACES:
        return at
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _refuse(name: str) -> Any:
    raise ValueError(name + " is not JSON")


_scan: Any = json.JSONDecoder(parse_constant=_refuse).scan_once  # type: ignore[attr-defined]
