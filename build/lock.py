"""One build at a time in one checkout."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from build.places import CACHE


@contextmanager
def build_lock() -> Iterator[None]:
    """Hold the checkout's build lock, waiting for another build to end. A build that died holds nothing."""
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / "build.lock", "a+b") as file:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            yield
            return
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another build is at work here; waiting for it …", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
