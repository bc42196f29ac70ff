"""Random histories of the sync core: made from a seed, run, and made short where they fail.

A history is a list of plain steps. Any part of one is a history too, because what a step's numbers mean is found
when it is taken; so what has nothing to do with a failure can be left out of it.
"""

from __future__ import annotations

import random
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

from sync_hostile_world import LIES, HostileWorld
from sync_world import DEVICES, MOST_DEVICES, Step, World

from masq_store.core.sync import machine, room_log

USUAL = {
    "write": 14, "clear": 2, "increment": 8, "add": 5, "commit": 8, "checkpoint": 2, "place": 2, "tick": 6, "skew": 2,
    "connect": 5, "carry": 8, "hear": 10, "act": 10, "talk": 30, "backup": 3, "hub_copy": 2,
}  # fmt: skip
"""How often each happens, in relation to the others."""

HARM = {
    "cut": 4, "fail": 2, "crash": 3, "copy": 1, "restore": 2, "hub_back": 1, "repeat": 2, "foreign": 1, "swallow": 2,
    "reorder": 3, "hide": 2, "spoil": 2, "refuse": 2, "slow": 3,
}  # fmt: skip
"""The same; each history has its own mixture of these."""

MOST_TRIED = 600
"""Histories that are tried in search of a shorter one."""


@contextmanager
def small_limits() -> Iterator[None]:
    """Make the core's bounds so small that short histories meet them."""
    with (
        mock.patch.object(machine, "PIECE_BYTES", 300),
        mock.patch.object(machine, "MOST_IN_FLIGHT", 4),
        mock.patch.object(machine, "SNAPSHOT_ENTRIES", 8),
        mock.patch.object(machine, "SNAPSHOT_BYTES", 1500),
        mock.patch.object(room_log, "SESSIONS", 8),
    ):
        yield


def make_history(seed: int, lies: bool = False) -> list[Step]:
    """Return the history of this seed. `lies`: a member says what no honest device would say."""
    chance = random.Random(seed)
    harm = HARM | LIES if lies else HARM
    weights = USUAL | {name: weight * chance.choice((0, 1, 1, 3)) for name, weight in harm.items()}
    few = chance.choice((2, 3, DEVICES, MOST_DEVICES))  # where few devices do much, it goes deep
    names = chance.choices(list(weights), list(weights.values()), k=chance.randrange(20, 140))
    return [(name, chance.randrange(few), chance.randrange(4096), chance.randrange(4096)) for name in names]


def run(seed: int, history: list[Step], lies: bool = False) -> Counter[str]:
    """Let a history happen, and check its end. Raises what a check raises; returns what was met."""
    world = HostileWorld(seed) if lies else World(seed)
    with small_limits():
        for step in history:
            world.take(step)
        world.end()
    return world.met


def run_many(seeds: range, lies: bool = False) -> Counter[str]:
    """Run the histories of these seeds. Raises AssertionError, with the seed and a short history; see `run`."""
    met: Counter[str] = Counter()
    for seed in seeds:
        history = make_history(seed, lies)
        try:
            met += run(seed, history, lies)
        except Exception:
            raise AssertionError(_describe(seed, history, lies)) from None
    return met


def shrink(history: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """Return a shorter history that fails as well."""
    size = max(1, len(history) // 2)
    tried = 0
    while True:
        at, shorter = 0, False
        while at < len(history) and tried < MOST_TRIED:
            less = history[:at] + history[at + size :]
            tried += 1
            if fails(less):
                history, shorter = less, True
            else:
                at += size
        if tried == MOST_TRIED or (size == 1 and not shorter):
            return history
        size = max(1, size // 2)


def _describe(seed: int, history: list[Step], lies: bool) -> str:
    short = shrink(history, lambda tried: _failure(seed, tried, lies) is not None)
    steps = "".join(f"    {step},\n" for step in short)
    return f"seed {seed}, {len(short)} of {len(history)} steps:\n{steps}{_failure(seed, short, lies)}"


def _failure(seed: int, history: list[Step], lies: bool) -> str | None:
    try:
        run(seed, history, lies)
    except Exception:
        return traceback.format_exc()
    return None
