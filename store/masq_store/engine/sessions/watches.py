"""An app's watches, and what they have not been told yet.

What changed is kept by key, not by value, and told in pieces: an app that does not read costs a name for each key,
and hears the newest state of each when it goes on.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import Any, Literal

from masq_store.engine.sessions.answers import AROUND_BYTES, MAX_MESSAGE_BYTES, size

LOOK_EVERY = 16
"""Keys between two looks at the clock."""

Source = Literal["self", "tab", "device"]
"""Whose doing a change was: that of the app's own tab, of another one, or of another device."""


class Watches:
    """Watches by number, each of the keys that begin with its prefix; those of one prefix stand together."""

    def __init__(self, watches: Iterable[tuple[int, str]] = ()) -> None:
        self._prefixes: dict[int, str] = {}
        self._numbers: dict[str, list[int]] = {}  # by prefix
        self._lengths: list[int] = []  # of the prefixes, each once, the shortest first
        self._news: dict[str, Source] = {}  # keys that have changed, and who did it last
        self._beginnings: deque[tuple[int, str]] = deque()  # a watch, and the last key that it was told
        self.behind = False  # whether there is something to tell; read often
        for number, prefix in watches:
            self.add(number, prefix)

    def __len__(self) -> int:
        return len(self._prefixes)

    def items(self) -> list[tuple[int, str]]:
        """Return each watch with its prefix."""
        return list(self._prefixes.items())

    @property
    def news(self) -> list[str]:
        """The keys whose change was not told yet."""
        return list(self._news)

    def add(self, number: int, prefix: str) -> None:
        """Open a watch."""
        self._prefixes[number] = prefix
        self._numbers.setdefault(prefix, []).append(number)
        self._measure()

    def begin(self, number: int) -> None:
        """Have a watch told what is there."""
        self._beginnings.append((number, ""))
        self.behind = True

    def drop(self, number: int) -> None:
        """Close a watch, if there is one of that number."""
        prefix = self._prefixes.pop(number, None)
        if prefix is not None:
            self._numbers[prefix].remove(number)
            if not self._numbers[prefix]:
                del self._numbers[prefix]
                self._measure()
            self._beginnings = deque(entry for entry in self._beginnings if entry[0] != number)
            self.behind = bool(self._news or self._beginnings)

    def note(self, keys: Iterable[str], source: Source) -> None:
        """Keep that these keys have changed, and whose doing it was."""
        self._news.update(dict.fromkeys(keys, source))
        self.behind = bool(self._news or self._beginnings)

    def piece(self, core: Any, clock: Callable[[], float], until: float) -> str:
        """Return what comes next of what there is to tell, as in `changes` of the protocol; "" where that is nothing.

        It ends when it is long enough, or soon after the clock shows `until`. `core`: the space.
        """
        piece = _Piece(core, clock, until)
        if self._beginnings:
            number, last = self._beginnings.popleft()
            keys = core.keys(self._prefixes[number])
            head = str(number)
            for at in range(bisect_right(keys, last), len(keys)):
                if piece.full or not piece.add(head, keys[at], "self"):
                    self._beginnings.appendleft((number, last))
                    break
                last = keys[at]
        else:
            told = 0
            matched: tuple[str, ...] = ()
            head = ""
            for key, source in self._news.items():
                if (matching := self._matching(key)) != matched:
                    matched, head = matching, self._head(matching)
                if piece.full or not piece.add(head, key, source):
                    break
                told += 1
            for key in list(islice(self._news, told)):
                del self._news[key]
        self.behind = bool(self._news or self._beginnings)
        return piece.text()

    def _matching(self, key: str) -> tuple[str, ...]:
        """Return the prefixes of `key` that are watched. Costs their lengths, not their number."""
        numbers, most = self._numbers, len(key)
        return tuple([key[:n] for n in self._lengths if n <= most and key[:n] in numbers])

    def _head(self, prefixes: tuple[str, ...]) -> str:
        """Return the watches of these prefixes as the protocol names them."""
        numbers = list(chain.from_iterable(self._numbers[prefix] for prefix in prefixes))
        if len(numbers) == 1:
            return str(numbers[0])
        return "[" + ",".join(map(str, numbers)) + "]" if numbers else ""

    def _measure(self) -> None:
        self._lengths = sorted({len(prefix) for prefix in self._numbers})


class _Piece:
    """A message of changes in the making; those that follow one another and are for the same watches share a list."""

    def __init__(self, core: Any, clock: Callable[[], float], until: float) -> None:
        self._core, self._clock, self._until = core, clock, until
        self._parts: list[tuple[str, list[str]]] = []
        self._head = ""
        self._size = 0  # bytes
        self._seen = 0  # keys
        self.full = False

    def add(self, head: str, key: str, source: Source) -> bool:
        """Tell how `key` stands to the watches named by `head`; "": to none. False where there is no room for it."""
        if head:
            text = self._core.text(key)
            entry = f'[{quoted(key)},"{source}"]' if text is None else f'[{quoted(key)},"{source}",{text}]'
            needed = size(entry) + 1 + (0 if head == self._head else len(head) + 6)
            if self._parts and self._size + needed > MAX_MESSAGE_BYTES - AROUND_BYTES:
                self.full = True
                return False
            if head != self._head:
                self._head = head
                self._parts.append((head, []))
            self._parts[-1][1].append(entry)
            self._size += needed
        self._seen += 1
        self.full = self._seen % LOOK_EVERY == 0 and self._clock() > self._until
        return True

    def text(self) -> str:
        """Return it, "" where it is empty."""
        return ",".join([f"[{head},[{','.join(entries)}]]" for head, entries in self._parts])


def quoted(key: str) -> str:
    """Return a key as JSON."""
    return json.dumps(key, ensure_ascii=False)
