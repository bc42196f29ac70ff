"""A model of a clock that is set ahead for a week: what two rules for its stamps do to a person's edits.

`believe`: a change with a stamp far ahead is merged like any other; the next edit of its key has a stamp above it.
`hold`: nobody takes a change more than a day ahead of its own clock before its time has come.

    python3 tests/rig/stamps_model.py    prints the table of docs/decisions/0012
"""

from __future__ import annotations

import random
from typing import NamedTuple

DAY = 24  # the model's time is in hours
DAYS = 40
WRONG_DAYS = 7  # from the beginning
DEVICES = 3
KEYS = 12
EDITS_A_DAY = 6  # of all devices together


class Edit(NamedTuple):
    """A value: its stamp's hour and place in that hour, and when it was really made, in an order that is unique."""

    stamp: int
    counter: int
    made: int


class Seen(NamedTuple):
    """Counted at each midnight, for each device that is online, and each key."""

    looks: int
    old: int
    """Not the newest edit that anybody could have had from the others by then."""
    apart: int
    """Not what another one shows that is online as well."""


def live(seed: int, days_ahead: int, hold: bool) -> Seen:
    """Let the devices live for `DAYS`. The first one's clock is `days_ahead` for `WRONG_DAYS`, then right."""
    chance = random.Random(seed)
    shown: list[dict[int, Edit]] = [{} for _ in range(DEVICES)]
    unposted: list[list[tuple[int, Edit]]] = [[] for _ in range(DEVICES)]
    log: list[tuple[int, Edit]] = []
    waiting: list[list[tuple[int, Edit]]] = [[] for _ in range(DEVICES)]  # read, and not taken
    read = [0] * DEVICES
    newest: dict[int, int] = {}
    online = [True] * DEVICES
    looks = old = apart = made = 0
    for hour in range(DAYS * DAY):
        clocks = [hour] * DEVICES
        if hour < WRONG_DAYS * DAY:
            clocks[0] += days_ahead * DAY
        for at in range(DEVICES):
            if chance.random() < 1 / 8:
                online[at] = chance.random() < 0.7
            if chance.random() < EDITS_A_DAY / DEVICES / DAY:
                made += 1
                key = chance.randrange(KEYS)
                before = shown[at].get(key, Edit(-1, 0, 0))
                ahead = before.stamp >= clocks[at]
                edit = Edit(before.stamp, before.counter + 1, made) if ahead else Edit(clocks[at], 0, made)
                shown[at][key] = edit
                unposted[at].append((key, edit))
        for at in range(DEVICES):
            if online[at]:
                log += unposted[at]
                newest |= {key: max(edit.made, newest.get(key, 0)) for key, edit in unposted[at]}
                unposted[at].clear()
        for at in range(DEVICES):
            if online[at]:
                heard, read[at] = waiting[at] + log[read[at] :], len(log)
                waiting[at] = []
                for key, edit in heard:
                    if hold and edit.stamp > clocks[at] + DAY:
                        waiting[at].append((key, edit))
                    else:
                        shown[at][key] = max(edit, shown[at].get(key, edit))
        if hour % DAY == DAY - 1:
            here = [shown[at] for at in range(DEVICES) if online[at]]
            for values in here:
                looks += KEYS
                old += sum(values[key].made < newest[key] if key in values else 1 for key in newest)
                apart += sum(any(values.get(key) != other.get(key) for other in here) for key in newest)
    return Seen(looks, old, apart)


def many(count: int, days_ahead: int, hold: bool) -> Seen:
    """Return the sum over so many lives."""
    lives = [live(seed, days_ahead, hold) for seed in range(count)]
    return Seen(*(sum(each) for each in zip(*lives, strict=True)))


def main() -> None:
    """Print a table: of all looks at a key, how many showed an older edit, and how many another than elsewhere."""
    for days in (0, 2, 14, 60, 365):
        for hold in (False, True):
            seen = many(1000, days, hold)
            old, apart = (f"{100 * part / seen.looks:.2f} %" for part in seen[1:])
            print(f"{days:4} days ahead, {'hold' if hold else 'believe':8} older {old:>8}  apart {apart:>8}")


if __name__ == "__main__":
    main()
