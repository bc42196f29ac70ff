#!/usr/bin/env python3
"""Measure Masq beside its peers on this machine, and print one table of ratios. Takes under four minutes.

    python3 bench/run.py [--rounds N] [--restarts N] [--json FILE] [--smoke | --record]

Makes what it needs as tests/run.py does. Exits with 0 whatever the ratios are: it reports. With --smoke it does one
round, and fails where a row is missing or ten times worse than in bench/recorded.json, which --record writes.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not bench/, whose file names are nobody else's business
sys.path.insert(1, str(ROOT / "tests"))

SECONDS = 150  # for the rounds; setting up and ending browsers comes on top


def main() -> int:
    """Prepare, measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure Masq beside its peers.")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of calls")
    parser.add_argument("--restarts", type=int, default=5, help="rounds of browser starts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write medians and samples there too")
    from bench.recorded import finish, parse

    options = parse(parser, rounds=1, restarts=1)
    from build.environment import enter

    enter(__file__, ("build", "relay", "test"))
    from build.node import install_packages
    from build.places import BuildError
    from build.whole import make_dist
    from tests.run import prepare_browser

    prepare_browser("chromium")
    try:
        install_packages(dev=True)  # cross-storage
        make_dist()
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return finish("run", options, lambda: measured(options))


def measured(options: argparse.Namespace) -> list:
    """Measure, and return the table's lines."""
    from bench.pages import serve
    from bench.rounds import measure
    from bench.table import of_browser

    with tempfile.TemporaryDirectory(prefix="masq-bench-") as folder:
        server = serve(Path(folder))
        try:
            samples = measure(server, options.rounds, options.restarts, SECONDS, cold=options.smoke)
        finally:
            server.stop()
    table = of_browser(samples)
    if options.json:
        found = {"lines": [line._asdict() for line in table], "samples_ms": samples}
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return table


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Masq needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])
    sys.exit(main())
