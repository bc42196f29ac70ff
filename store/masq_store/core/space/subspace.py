"""A subspace: the keys of a space that begin with a prefix, named without it."""

from __future__ import annotations

from collections.abc import Iterable

from masq.errors import InvalidKey
from masq.messages import MAX_KEY_BYTES
from masq_store.core.space.space import Applied, Space

MAX_PREFIX_BYTES = MAX_KEY_BYTES // 2
"""The longest prefix, in UTF-8."""

MAX_NAME_BYTES = MAX_KEY_BYTES - MAX_PREFIX_BYTES
"""The longest key that is written in a subspace, in UTF-8. It does not depend on the prefix, or it would tell how long
that is."""


class Subspace:
    """Reads and writes a space as if it held nothing but the keys that begin with `prefix`.

    All keys are given and returned without the prefix; the key that is the prefix itself is not seen. Only
    `Applied` is the space's own, with whole keys. The methods are those of `Space`.
    """

    __slots__ = ("_space", "prefix")

    def __init__(self, space: Space, prefix: str) -> None:
        """Raises ValueError where the prefix is longer than MAX_PREFIX_BYTES."""
        if len(prefix.encode()) > MAX_PREFIX_BYTES:
            raise ValueError(f"a prefix has at most {MAX_PREFIX_BYTES} bytes")
        self.prefix = prefix
        self._space = space

    def relative(self, keys: Iterable[str]) -> list[str]:
        """Return those of the space's keys that are in here, without the prefix."""
        prefix, cut = self.prefix, len(self.prefix)
        return [key[cut:] for key in keys if len(key) > cut and key.startswith(prefix)]

    def text(self, key: str) -> str | None:
        """Return the canonical text of the key's value, or None where it has none."""
        return self._space.text(self.prefix + key)

    def has(self, key: str) -> bool:
        """Say whether the key has a value."""
        return self._space.has(self.prefix + key)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that exist and start with `prefix`, ordered by code point."""
        return self.relative(self._space.keys(self.prefix + prefix))

    def items(self, prefix: str = "") -> list[tuple[str, str]]:
        """Return (key, text) of the keys that exist and start with `prefix`, ordered by code point."""
        cut = len(self.prefix)
        return [(key[cut:], text) for key, text in self._space.items(self.prefix + prefix) if len(key) > cut]

    def write(self, entries: Iterable[tuple[str, str | None]], now_ms: int) -> Applied:
        """Set or delete keys. Raises InvalidKey where one that is set is longer than MAX_NAME_BYTES."""
        wanted = list(entries)
        for key, text in wanted:
            if text is not None:
                _check(key)
        return self._space.write([(self.prefix + key, text) for key, text in wanted], now_ms)

    def replace(self, entries: Iterable[tuple[str, str]], now_ms: int) -> Applied:
        """Make what is in here exactly these entries. Like `write` in everything else."""
        wanted = dict(entries)
        gone = [(key, None) for key in self.keys() if key not in wanted]
        return self.write([*wanted.items(), *gone], now_ms)

    def clear(self, prefix: str, now_ms: int) -> Applied:
        """Delete every key that starts with `prefix`."""
        return self.write([(key, None) for key in self.keys(prefix)], now_ms)

    def increment(self, key: str, by: int, now_ms: int) -> Applied:
        """Add `by` to the int under `key`. Raises InvalidKey as `write` does."""
        _check(key)
        return self._space.increment(self.prefix + key, by, now_ms)


def _check(key: str) -> None:
    size = len(key.encode())
    if size > MAX_NAME_BYTES:
        raise InvalidKey(f"it takes {size} bytes, and {MAX_NAME_BYTES} are allowed here", key)
