#!/usr/bin/env python3
"""Measure sync: two browsers, a relay, and a change on its way from an app on one to an app on the other.

    python3 bench/devices.py [--changes N] [--many N]

Prints how long a change takes, and how long catching up with many. It reports, and exits with 0 whatever it finds.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)
sys.path.insert(1, str(ROOT / "tests"))


def main() -> int:
    """Prepare, measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure how quickly two browsers get each other's changes.")
    parser.add_argument("--changes", type=int, default=300, help="changes sent one after the other")
    parser.add_argument("--many", type=int, default=10_000, help="changes to catch up with")
    options = parser.parse_args()
    from build.environment import enter

    enter(__file__, ("build", "relay", "test"))
    from build.node import install_packages
    from build.places import BuildError
    from build.whole import make_dist
    from tests.run import prepare_browser

    prepare_browser("chromium")
    try:
        install_packages(dev=True)
        make_dist()
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    from bench.pair import two_devices

    with tempfile.TemporaryDirectory(prefix="masq-bench-") as folder, two_devices(Path(folder)) as pair:
        took = pair.changes(options.changes)
        cuts = quantiles(took, n=100)
        print(
            f"change → watch   p50 {median(took):6.1f} ms  (target 10)   p99 {cuts[98]:6.1f} ms  (target 30)"
        )
        caught = [pair.catch_up(options.many) for _ in range(3)]
        print(
            f"catch up {options.many:,} changes   {median(caught):6.0f} ms  (target {options.many / 20:.0f})"
        )
    return 0


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Masq needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])
    sys.exit(main())
