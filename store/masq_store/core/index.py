"""Which key each numbered change wrote: an index that finds what another replica lacks."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from operator import itemgetter

_number = itemgetter(0)


class NumberIndex:
    """For each replica, its numbers in order, with the key that each wrote.

    Changes that were overwritten stay in until the index is made anew: the reader checks what it finds.
    """

    def __init__(self, entries: Iterable[tuple[str, int, str]]) -> None:
        found: dict[str, set[tuple[int, str]]] = {}
        for replica, number, key in entries:
            found.setdefault(replica, set()).add((number, key))
        self._keys = {replica: sorted(numbered) for replica, numbered in found.items()}
        self.size = sum(map(len, self._keys.values()))
        """Entries held, overwritten ones included."""

    def add(self, replica: str, number: int, key: str) -> None:
        """Note that a change wrote a key; the same change twice counts once."""
        numbered = self._keys.setdefault(replica, [])
        if not numbered or number > numbered[-1][0]:
            numbered.append((number, key))
        else:
            at = bisect_right(numbered, (number, key))
            if at and numbered[at - 1] == (number, key):
                return
            insort(numbered, (number, key))
        self.size += 1

    def above(self, vector: dict[str, int]) -> Iterator[tuple[str, int, str]]:
        """Yield (replica, number, key) of everything numbered above `vector`, by replica and number."""
        for replica in sorted(self._keys):
            numbered = self._keys[replica]
            for number, key in numbered[bisect_right(numbered, vector.get(replica, 0), key=_number) :]:
                yield replica, number, key
