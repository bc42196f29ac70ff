#!/usr/bin/env python3
"""Run random histories of the sync core: python3 tests/histories.py 10000 [--seed N] [--lies]

Each has a seed of its own. One that fails is printed with it, as short as it could be made.
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("client", "store", "tests/rig")]

BLOCK = 100


def main() -> int:
    """Run them; returns 1 where one failed."""
    from sync_history import run_many

    parser = argparse.ArgumentParser(description="Run random histories of the sync core.")
    parser.add_argument("count", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of the first one; the others follow it (0)")
    parser.add_argument("--lies", action="store_true", help="with a member that lies")
    choice = parser.parse_args()
    end = choice.seed + choice.count
    began = time.monotonic()
    met: dict[str, int] = {}
    for seed in range(choice.seed, end, BLOCK):
        try:
            found = run_many(range(seed, min(end, seed + BLOCK)), choice.lies)
        except AssertionError as failure:
            print(failure)
            return 1
        for what, times in found.items():
            met[what] = met.get(what, 0) + times
        if sys.stdout.isatty():
            print(f"\r{min(end, seed + BLOCK) - choice.seed} of {choice.count}", end="\r", flush=True)
    print(f"{choice.count} histories ended well, in {time.monotonic() - began:.0f} s. They met:")
    for what, times in sorted(met.items(), key=lambda item: -item[1]):
        print(f"{times:9} {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
