"""An index of changes by replica and number: it finds the delta that another replica lacks."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from operator import itemgetter

_number = itemgetter(0)


class NumberIndex:
    """An index of changes: of each replica its numbers in order, with the key that each wrote.

    Changes that were overwritten stay in until `prune`: the reader checks what it finds. `floor`: only changes
    above this version vector are in the index; it answers nobody who asks from below.
    """

    def __init__(
        self, entries: Iterable[tuple[str, int, str]] = (), floor: dict[str, int] | None = None
    ) -> None:
        found: dict[str, set[tuple[int, str]]] = {}
        for replica, number, key in entries:
            found.setdefault(replica, set()).add((number, key))
        self._keys = {replica: sorted(numbered) for replica, numbered in found.items()}
        self.floor = dict(floor or {})
        self.size = sum(map(len, self._keys.values()))
        """Entries held, overwritten ones included."""

    def reaches(self, vector: dict[str, int]) -> bool:
        """Say whether everything numbered above `vector` is in the index."""
        get = vector.get
        return all(get(replica, 0) >= number for replica, number in self.floor.items())

    def add(self, replica: str, number: int, key: str) -> None:
        """Note that a change wrote a key; the same change twice counts once."""
        if number <= self.floor.get(replica, 0):
            return
        numbered = self._keys.setdefault(replica, [])
        if not numbered or number > numbered[-1][0]:
            numbered.append((number, key))
        else:
            at = bisect_right(numbered, (number, key))
            if at and numbered[at - 1] == (number, key):
                return
            insort(numbered, (number, key))
        self.size += 1

    def above(self, vector: dict[str, int]) -> list[str]:
        """Return the keys, each once, that changes numbered above `vector` have written."""
        found: dict[str, None] = {}
        for replica, numbered in self._keys.items():
            first = bisect_right(numbered, vector.get(replica, 0), key=_number)
            found.update((key, None) for _, key in numbered[first:])
        return list(found)

    def prune(self, stands: Callable[[str, int, str], bool]) -> None:
        """Drop the changes of which `stands(replica, number, key)` says that they were overwritten."""
        for replica, numbered in self._keys.items():
            self._keys[replica] = [entry for entry in numbered if stands(replica, *entry)]
        self.size = sum(map(len, self._keys.values()))

    def forget(self, keys: Iterable[str]) -> None:
        """Drop what is noted of keys that are not there any more."""
        gone = set(keys)
        if gone:
            self.prune(lambda replica, number, key: key not in gone)
