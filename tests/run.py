#!/usr/bin/env python3
"""Run every test, on a machine that has nothing but Python 3.11+. Arguments go through to pytest.

Makes the virtual environment, gets Chromium and its driver from the system where it may, builds dist/, runs pytest.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> int:
    """Prepare and test; returns pytest's exit status."""
    from build.environment import enter

    enter(__file__, ("build", "relay", "test"))
    from build.node import install_packages
    from build.places import BuildError
    from build.whole import make_dist

    prepare_browser()
    try:
        install_packages(dev=True)
        make_dist()
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return subprocess.call([sys.executable, "-m", "pytest", *sys.argv[1:]], cwd=ROOT)


def have_browser() -> bool:
    """Tell whether a Chromium and its driver can be started."""
    return any(map(shutil.which, BROWSERS)) and shutil.which("chromedriver") is not None


def prepare_browser() -> None:
    """Get Chromium and its driver through apt-get, or say what to install."""
    if have_browser():
        return
    apt = shutil.which("apt-get")
    if apt and hasattr(os, "geteuid") and os.geteuid() == 0:
        print("Installing Chromium and its driver …", flush=True)
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for command in (
            ["update"],
            ["install", "-y", "--no-install-recommends", "chromium", "chromium-driver"],
        ):
            done = subprocess.run(
                [apt, "-qq", *command], env=environment, stdin=subprocess.DEVNULL, capture_output=True
            )
        if have_browser():
            return
        print(done.stderr.decode(errors="replace")[-500:], file=sys.stderr)
    sys.exit(
        "The browser tests need Chromium and chromedriver of the same version. On Debian: "
        "sudo apt install chromium chromium-driver. Elsewhere put both on PATH; or leave them out: "
        "python3 -m pytest -m 'not browser'."
    )


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Masq needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])
    sys.exit(main())
