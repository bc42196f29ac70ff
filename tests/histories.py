#!/usr/bin/env python3
"""Run seeded random histories of the sync core: python3 tests/histories.py 10000 [--seed N]

Each is checked at its end; one that fails is printed with its seed, and as short as it could be made.
"""

import argparse
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for folder in ("client", "store", "tests/unit"):
    sys.path.insert(0, str(ROOT / folder))

from sync_world import make_history, run, shrink, small_limits  # noqa: E402


def main() -> int:
    """Run them; returns 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, help="how many histories")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first one; the next has the next")
    parser.add_argument("--go-on", action="store_true")
    choice = parser.parse_args()
    counts: Counter[str] = Counter()
    began = time.monotonic()
    failed = []
    with small_limits():
        for seed in range(choice.seed, choice.seed + choice.count):
            try:
                counts += run(seed, make_history(seed))
            except Exception as e:
                if choice.go_on:
                    failed.append(seed)
                    print(seed, repr(e)[:150])
                    continue
                print(describe(seed))
                return 1
    print(time.monotonic() - began, counts, failed)
    return 0


def describe(seed):
    def fails(history):
        try:
            run(seed, history)
        except Exception:
            return True
        return False

    history = shrink(make_history(seed), fails)
    try:
        run(seed, history)
        raise AssertionError
    except Exception:
        return f"seed {seed}\n" + "\n".join(map(repr, history)) + "\n" + traceback.format_exc()


if __name__ == "__main__":
    sys.exit(main())
