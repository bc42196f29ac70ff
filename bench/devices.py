#!/usr/bin/env python3
"""Measure sync: two browsers, a relay, and a change on its way from an app on one to an app on the other.

    python3 bench/devices.py [--rounds N] [--changes N] [--many N] [--smoke | --record]

Prints how long a change takes, and how long catching up with many; beside them a bare message between the same pages
through a forwarder on Node's ws, and as many of them. It reports, and exits with 0 whatever it finds. With --smoke it
catches up once, and fails where a row is missing or ten times worse than in bench/recorded.json, which --record writes.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)
sys.path.insert(1, str(ROOT / "tests"))


def main() -> int:
    """Prepare, measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure how quickly two browsers get each other's changes.")
    parser.add_argument("--rounds", type=int, default=3, help="times to catch up")
    parser.add_argument("--changes", type=int, default=300, help="changes sent one after the other")
    parser.add_argument("--many", type=int, default=10_000, help="changes to catch up with")
    from bench.recorded import finish, parse

    options = parse(parser, rounds=1, changes=40, many=10_000)
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
    return finish("devices", options, lambda: measured(options))


def measured(options: argparse.Namespace) -> list:
    """Measure, and return the table's lines."""
    from bench.pair import two_devices
    from bench.table import of_devices

    with tempfile.TemporaryDirectory(prefix="masq-bench-") as folder, two_devices(Path(folder)) as pair:
        samples = pair.changes(options.changes)
        for _ in range(options.rounds):
            for name, took in pair.catch_up(options.many).items():
                samples.setdefault(name, []).append(took)
    return of_devices(samples, options.many)


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Masq needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])
    sys.exit(main())
