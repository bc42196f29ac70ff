"""The processes of a browser, as Linux tells of them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from browser.waiting import looks


def find(*words: str, without: tuple[bytes, ...] = ()) -> int:
    """Return the process whose command line has all of `words`, and no word that begins with one of `without`."""
    wanted = {word.encode() for word in words}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted <= set(found) and not any(word.startswith(without) for word in found if without):
            return int(folder.name)
    raise ProcessLookupError(f"nothing runs with {words}")


def kill_all(pid: int) -> None:
    """End a process and those that it started, by SIGKILL, and return when none of them runs any more."""
    family = _family(pid)
    for one in family:
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for _ in looks():
        if not any(map(_runs, family)):
            return
    raise TimeoutError(f"processes {family} do not end")


def _family(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if words := _stat(int(folder.name)):
            parents[int(folder.name)] = int(words[1])
    family = [pid]
    for one in family:  # it grows while it is read
        family += [child for child, parent in parents.items() if parent == one]
    return family


def _runs(pid: int) -> bool:
    words = _stat(pid)
    return bool(words) and words[0] != "Z"


def _stat(pid: int) -> list[str]:
    """Return what Linux says of a process from its state on; [] where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
