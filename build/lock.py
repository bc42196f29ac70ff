"""One at a time in one checkout: builds, and what sets it up. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from build.places import CACHE


def build_lock() -> AbstractContextManager[None]:
    """Hold the checkout's build lock, waiting for another build to end. A build that died holds nothing."""
    return lock("build", "Another build is at work here; waiting for it …")


@contextmanager
def lock(name: str, waiting: str) -> Iterator[None]:
    """Hold the checkout's lock of that name. Where another program has it, say `waiting`, and wait."""
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / f"{name}.lock", "a+b") as file:
        if os.name == "nt":
            import msvcrt

            while True:
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # it tries for ten seconds
                    break
                except OSError:
                    print(waiting, flush=True)
            yield
            return
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(waiting, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
