"""Chromium for tests: started with everything that matters said out loud, and asked in few words."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from browser import processes
from browser.waiting import PATIENCE_SECONDS
from browser.words import Words, wait_for
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from build.places import CACHE

__all__ = ["Browser", "wait_for"]

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-US",
    "--window-size=1100,900",
)

HEAP_PROFILER = "HeapProfilerReporting"
"""Chromium's heap profiler, which it turns on by itself in some of its starts (docs/decisions/0010)."""

NOBODY_TYPES = "WebUIOmniboxPopup,WebUIOmniboxAimPopup"
"""What Chromium gets ready in each window, with a process of its own, for whoever types into the address bar. A second
of the processor's time each."""

EVERY_START = "nonstable-probability/1.0/stable-probability/1.0"
SAMPLES = "renderer-sampling-rate-bytes/1000/sampling-rate/1000"

NO_OPTIMIZING = "--js-flags=--liftoff-only"
"""WebAssembly is compiled once, quickly. Else V8 compiles again, and better, what runs often: of a test that takes
seconds this is half of the processor's time."""

ALLOW, BLOCK = 1, 2
"""What a content setting says."""


class Browser(Words, webdriver.Chrome):
    """A Chromium with a profile folder of its own.

    Args:
        third_party_cookies: whether a frame of another site may get the storage handle. Always said: builds differ.
        profile: folder to keep the browser's data in, for restarts; a fresh one, dropped in the end, where None.
        refuse_storage: refuse every page cookies and whatever else it might keep, as a person can.
        popup_blocker: leave the blocker on, as people have it; the driver turns it off otherwise.
        dark: ask pages for their dark look.
        heap_profiler: have Chromium look at the stacks that allocate, and often; it does not at all otherwise.
        optimizing: let it optimize WebAssembly, as people's does; tests are quicker without.
        flags: further command-line flags.
        preferences: further preferences of the profile.
    """

    engine = "chromium"

    def __init__(
        self,
        *,
        third_party_cookies: bool,
        profile: Path | None = None,
        refuse_storage: bool = False,
        popup_blocker: bool = False,
        dark: bool = False,
        heap_profiler: bool = False,
        optimizing: bool = True,
        flags: tuple[str, ...] = (),
        preferences: dict[str, Any] | None = None,
    ) -> None:
        self.place(profile)
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={self.profile}", *flags):
            options.add_argument(flag)
        if heap_profiler:
            options.add_argument(f"--enable-features={HEAP_PROFILER}:{EVERY_START}/{SAMPLES}")
        unwanted = (NOBODY_TYPES,) if heap_profiler else (NOBODY_TYPES, HEAP_PROFILER)
        options.add_argument(f"--disable-features={','.join(unwanted)}")
        if not optimizing:
            options.add_argument(NO_OPTIMIZING)
        if dark:
            options.add_argument("--force-dark-mode")
        options.add_experimental_option(
            "prefs",
            {
                "profile.cookie_controls_mode": 0 if third_party_cookies else 1,
                "profile.default_content_setting_values.cookies": BLOCK if refuse_storage else ALLOW,
                "profile.exit_type": "Normal",
                **(preferences or {}),
            },
        )
        if popup_blocker:
            options.add_experimental_option("excludeSwitches", ["disable-popup-blocking"])
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # Both paths are given: else Selenium asks the network for a driver.
        binary = next(
            filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
        )
        if binary:
            options.binary_location = binary
        self._log: list[dict[str, Any]] = []
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (as long as the browser)
        (CACHE / "crashes").mkdir(parents=True, exist_ok=True)
        self._dumps = Path(tempfile.mkdtemp(dir=CACHE / "crashes"))
        driver = shutil.which("chromedriver") or "chromedriver"
        service = Service(
            driver, log_output=self._errors, env={**os.environ, "BREAKPAD_DUMP_LOCATION": str(self._dumps)}
        )
        super().__init__(options=options, service=service)
        self.set_script_timeout(PATIENCE_SECONDS)
        self.set_page_load_timeout(PATIENCE_SECONDS)

    @property
    def pid(self) -> int:
        """The browser's process id."""
        return processes.find(f"--user-data-dir={self.profile}", without=(b"--type=", b"--port="))

    def kill(self) -> None:
        """End the browser as a power cut would: SIGKILL, nothing is written any more. Then the driver goes too."""
        self.end_now()
        self.service.stop()
        for name in ("SingletonLock", "SingletonSocket", "SingletonCookie"):
            (self.profile / name).unlink(missing_ok=True)

    def quit(self) -> None:
        """End the browser in order, and drop its profile folder if it was made here."""
        try:
            super().quit()
        finally:
            self.drop_place()
            if not self.crashes():
                shutil.rmtree(self._dumps, ignore_errors=True)

    def crashes(self) -> list[Path]:
        """Return a minidump of each process of the browser that has crashed; they stay in `.cache/crashes`."""
        return list(self._dumps.glob("*/*.dmp"))

    def errors(self) -> list[str]:
        """Return the lines of the browser's processes on their standard error: why one crashed, say."""
        self._errors.seek(0)
        return [line for line in self._errors.read().splitlines() if "dbus" not in line.lower()]

    def console(self) -> list[dict[str, Any]]:
        """Return everything the console has said so far: dicts with `level`, `message`, `source`."""
        self._log += self.get_log("browser")
        return self._log

    def forget_console(self) -> None:
        """Have `console` begin anew."""
        self.get_log("browser")
        self._log.clear()
