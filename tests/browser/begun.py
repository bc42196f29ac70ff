"""A profile folder of a Firefox that was started once. From a copy of it the next one starts in half the time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from build.lock import build_lock
from build.places import CACHE

NOT_COPIED = (
    "lock",
    ".parentlock",
    "cache2",
    "crashes",
    "minidumps",
    "sessionstore*",
    "MarionetteActivePort",
    "*.log",
)
"""What belongs to the one that ran there."""


def begin(profile: Path, binary: str, run: Callable[[Path], None]) -> None:
    """Fill an empty profile folder as a first start of `binary` does. `run` starts and ends it in a folder."""
    facts = os.stat(os.path.realpath(binary))
    begun = CACHE / f"firefox-{facts.st_mtime_ns:x}-{facts.st_size:x}"
    with build_lock():
        if not begun.is_dir():
            unfinished = begun.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            (unfinished / "begun").touch()  # not empty: the start in it is a start like any other
            run(unfinished)
            unfinished.rename(begun)
    shutil.copytree(begun, profile, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
