#!/usr/bin/env python3
"""Run every test, on a machine that has nothing but Python 3.11+. Other arguments go through to pytest.

    python3 tests/run.py                    everything, in Chromium, Firefox and WebKit
    python3 tests/run.py --quick            what needs no browser, and the main story in Chromium: every few minutes
    python3 tests/run.py --browser firefox  of the tests in browsers those in one engine: chromium, firefox or webkit
    python3 tests/run.py --again 20 NAME    the tests with NAME in their names, 20 times each: does one fail at times?
    python3 tests/run.py --python PATH      with another Python, in an environment of its own

Makes the virtual environment, gets the engines from the system where it may, builds dist/, and runs pytest with a
process for each core.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

MOST_PROCESSES = 4
"""Each has browsers of its own, which take a gigabyte."""


def main() -> int:
    """Prepare and test; returns pytest's exit status."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--browser", choices=["chromium", "firefox", "webkit", "all"], default="all")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--again", nargs=2, metavar=("N", "NAME"))
    parser.add_argument("--python", metavar="PATH")
    chosen, rest = parser.parse_known_args()
    if chosen.python:
        return under_another(chosen.python)
    from build.environment import enter

    enter(__file__, ("build", "relay", "test"))
    from browser.engines import CHROMIUM, ENGINES

    from build.node import install_packages
    from build.places import BuildError
    from build.whole import make_dist

    if chosen.quick:
        chosen.browser = CHROMIUM
    for engine in ENGINES if chosen.browser == "all" else (chosen.browser,):
        prepare_browser(engine)
    try:
        install_packages(dev=True)
        make_dist()
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    # What needs no browser waits a third of its time: for relays, and for programs that it starts.
    workers = processes(2 if chosen.quick else 0)
    command = [sys.executable, "-m", "pytest", "--browser", chosen.browser, *workers]
    command += ["--quick"] if chosen.quick else []
    command += ["--again", chosen.again[0], "-k", chosen.again[1]] if chosen.again else []
    # With bytecode kept, tests are there in half of the time, and so is each relay or server that they start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.call([*command, *rest], cwd=ROOT, env=environment)


def processes(more: int = 0) -> list[str]:
    """Return what has pytest use all cores: a process for each, and who has no more tests takes some of another.

    `more`: processes beyond the cores, for tests that wait.
    """
    number = more + min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2, MOST_PROCESSES
    )
    return ["-n", str(number), "--dist", "worksteal"]


def under_another(python: str) -> int:
    """Do what was asked for under another Python, in an environment beside this checkout's own."""
    program = shutil.which(python)
    if program is None:
        sys.exit(f"There is no Python at {python}.")
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([program, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    at = sys.argv.index("--python") if "--python" in sys.argv else None
    words = [word for word in sys.argv[1:] if not word.startswith("--python=")]
    if at is not None:
        del words[at - 1 : at + 1]
    environment = dict(os.environ, MASQ_VENV=f".venv-{version}")
    return subprocess.call([program, __file__, *words], env=environment)


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
