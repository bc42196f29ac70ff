#!/usr/bin/env python3
"""Print how long an app in PyScript's MicroPython takes to read much: 5,000 values of 1 KB, and the largest bytes.

    python3 bench/micropython.py [--values N] [--browser chromium|firefox|webkit]

Makes what it needs as tests/run.py does. The times are milliseconds of this machine, one run in each browser.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not bench/, whose file names are nobody else's business
sys.path.insert(1, str(ROOT / "tests"))


def main() -> int:
    """Prepare, measure and print; returns the exit status."""
    from browser import engines

    parser = argparse.ArgumentParser(description="Measure what MicroPython takes to read much.")
    parser.add_argument("--values", type=int, default=5_000, help="values of a kilobyte")
    parser.add_argument("--browser", choices=[*engines.ENGINES, "all"], default="all")
    options = parser.parse_args()
    from build.environment import enter

    enter(__file__, ("build", "relay", "test"))
    from build.node import install_packages
    from build.whole import make_dist

    install_packages(dev=True)
    make_dist()
    for name in engines.surroundings_of("each"):
        if options.browser in ("all", engines.SURROUNDINGS[name].engine):
            print(f"{name}: {measured(name, options.values)}", flush=True)
    return 0


def measured(surroundings: str, values: int) -> str:
    """Return the figures of one browser in words."""
    from browser import engines, much
    from browser.sites import copy_of, serve

    from build.places import DIST
    from tests.run import prepare_browser

    prepare_browser(engines.SURROUNDINGS[surroundings].engine)
    with tempfile.TemporaryDirectory(prefix="masq-bench-") as folder:
        much.make_app(DIST, Path(folder) / "much", values, 1)
        built = copy_of(DIST, Path(folder) / "site")
        server = serve(built, folders={"much": Path(folder) / "much"})
        driver = engines.start(surroundings, optimizing=True)
        try:
            found = much.measure(driver, server.url("much"))
        finally:
            engines.end(driver)
            server.stop()
    return ", ".join(f"{what} {ms:,} ms" for what, ms in found.items())


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Masq needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])
    sys.exit(main())
