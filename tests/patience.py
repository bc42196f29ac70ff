"""Time-outs of tests, scaled to the machine: `seconds(20)` is 20 s where it is quiet and quick, and more elsewhere.

The factor is measured once a run, and handed on to workers and programs that tests start by MASQ_PATIENCE in the
environment, which also sets it by hand.
"""

from __future__ import annotations

import os
import time
from functools import cache

VARIABLE = "MASQ_PATIENCE"
LEAST, MOST = 1.0, 5.0  # more, and a wait in a browser would outlast pytest's own time-out
SLICES = 40
SLICE_SECONDS = 0.0021  # of `_work`, on a quiet machine of two cores at 2.5 GHz with CPython 3.11
LONGEST = 0.25  # seconds of measuring, where the machine is slower than that


def seconds(nominal: float) -> float:
    """Return after how many seconds a wait has failed that may take `nominal` ones on a quiet machine."""
    return nominal * factor()


@cache
def factor() -> float:
    """Return how much slower than the reference this machine is, from 1 to 5; measured at the first call."""
    try:
        found = float(os.environ[VARIABLE])
    except (KeyError, ValueError):
        found = measured()
    found = min(max(found, LEAST), MOST)
    os.environ[VARIABLE] = f"{found:.2f}"
    return found


def measured() -> float:
    """Return how many times the reference's time some work takes now, what else runs here included."""
    began = time.perf_counter()
    for done in range(1, SLICES + 1):  # noqa: B007 (used below)
        _work()
        spent = time.perf_counter() - began
        if spent > LONGEST:
            break
    return spent / (done * SLICE_SECONDS)


def _work() -> int:
    found = 0
    for number in range(20_000):
        found = (found * 31 + number) & 0xFFFFFFFF
    return found
