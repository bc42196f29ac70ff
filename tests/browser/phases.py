"""Where a browser test's seconds go: in which phase each of them was spent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

START, APP, STORE, CONSENT, END = "browser start", "app's Python", "store's Python", "consent", "browser end"
PHASES = (START, APP, STORE, CONSENT, END)

spent: dict[str, float] = {}
"""Seconds of each phase in the test that runs now."""

_inside = False


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Count the time in here for this phase; a phase within another is the outer one's."""
    global _inside
    if _inside:
        yield
        return
    _inside = True
    began = time.monotonic()
    try:
        yield
    finally:
        _inside = False
        spent[name] = spent.get(name, 0.0) + time.monotonic() - began


def taken() -> dict[str, float]:
    """Return what was spent since this was called last."""
    found = dict(spent)
    spent.clear()
    return found
