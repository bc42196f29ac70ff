#!/usr/bin/env python3
"""Run every test, on a machine that has nothing but Python 3.11+. Arguments go through to pytest.

`--browser chromium|firefox|webkit|all` says in which engines; all by default. Makes the virtual environment, gets the
engines from the system where it may, builds dist/, runs pytest.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


def main() -> int:
    """Prepare and test; returns pytest's exit status."""
    from build.environment import enter

    enter(__file__, ("build", "relay", "test"))
    from browser.engines import ENGINES

    from build.node import install_packages
    from build.places import BuildError
    from build.whole import make_dist

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--browser", choices=[*ENGINES, "all"], default="all")
    chosen, rest = parser.parse_known_args()
    for engine in ENGINES if chosen.browser == "all" else (chosen.browser,):
        prepare_browser(engine)
    try:
        install_packages(dev=True)
        make_dist()
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "pytest", "--browser", chosen.browser, *rest]
    return subprocess.call(command, cwd=ROOT)


def prepare_browser(engine: str) -> None:
    """Get an engine and its driver through apt-get, or say what to install."""
    from browser.engines import NEEDS, lacking

    if not lacking(engine):
        return
    apt = shutil.which("apt-get")
    if apt and hasattr(os, "geteuid") and os.geteuid() == 0:
        print(f"Installing {NEEDS[engine].title} …", flush=True)
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for command in (["update"], ["install", "-y", "--no-install-recommends", *NEEDS[engine].packages]):
            done = subprocess.run(
                [apt, "-qq", *command], env=environment, stdin=subprocess.DEVNULL, capture_output=True
            )
        if not lacking(engine):
            return
        print(done.stderr.decode(errors="replace")[-500:], file=sys.stderr)
    others = [name for name in NEEDS if name != engine and not lacking(name)]
    sys.exit(
        f"{lacking(engine)} Or leave it out: "
        + (
            f"python3 tests/run.py --browser {others[0]}."
            if others
            else "python3 -m pytest -m 'not browser'."
        )
    )


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Masq needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])
    sys.exit(main())
