"""Chromium for tests: started with everything that matters said out loud, and asked in few words."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

T = TypeVar("T")

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

PATIENCE_SECONDS = 30.0
"""How long a wait lasts by default: a cold start of Python on a busy machine takes a few seconds."""


def wait_for(condition: Callable[[], T], timeout: float = PATIENCE_SECONDS, what: str = "") -> T:
    """Return what `condition` gives once that is true. Raises TimeoutError after `timeout` seconds.

    An exception of the driver (an element that is not there yet, a page that changes) counts as not yet.
    """
    end = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            result = condition()
            if result:
                return result
            last = result
        except WebDriverException as error:
            last = error
        if time.monotonic() > end:
            raise TimeoutError(
                f"Waited {timeout:g} s for {what or getattr(condition, '__name__', condition)}: {last!r}"
            )
        time.sleep(0.02)


class Browser(webdriver.Chrome):
    """A Chromium with a profile folder of its own.

    Args:
        third_party_cookies: whether a frame of another site may get the storage handle. Always said: builds differ.
        profile: folder to keep the browser's data in, for restarts; a fresh one, dropped in the end, where None.
        popup_blocker: leave the blocker on, as people have it; the driver turns it off otherwise.
        dark: ask pages for their dark look.
        flags: further command-line flags.
        preferences: further preferences of the profile.
    """

    def __init__(
        self,
        *,
        third_party_cookies: bool,
        profile: Path | None = None,
        popup_blocker: bool = False,
        dark: bool = False,
        flags: tuple[str, ...] = (),
        preferences: dict[str, Any] | None = None,
    ) -> None:
        self._own_profile = profile is None
        self.profile = profile or Path(tempfile.mkdtemp(prefix="masq-chromium-"))
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={self.profile}", *flags):
            options.add_argument(flag)
        if dark:
            options.add_argument("--force-dark-mode")
        options.add_experimental_option(
            "prefs",
            {
                "profile.cookie_controls_mode": 0 if third_party_cookies else 1,
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
        super().__init__(options=options, service=Service(shutil.which("chromedriver") or "chromedriver"))
        self.set_script_timeout(PATIENCE_SECONDS)
        self.set_page_load_timeout(PATIENCE_SECONDS)

    @property
    def pid(self) -> int:
        """The browser's process id."""
        return (
            int(self.capabilities["goog:processID"])
            if "goog:processID" in self.capabilities
            else self._find_pid()
        )

    def _find_pid(self) -> int:
        """Find the browser among the driver's children, by the profile folder in its command line (Linux)."""
        wanted = f"--user-data-dir={self.profile}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if wanted in words and not any(word.startswith((b"--type=", b"--port=")) for word in words):
                return int(folder.name)
        raise ProcessLookupError(f"no browser runs with {self.profile}")

    def kill(self) -> None:
        """End the browser as a power cut would: SIGKILL, nothing is written any more. Then the driver goes too."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), 10, "the browser to be gone")
        self.service.stop()
        for name in ("SingletonLock", "SingletonSocket", "SingletonCookie"):
            (self.profile / name).unlink(missing_ok=True)

    def quit(self) -> None:
        """End the browser in order, and drop its profile folder if it was made here."""
        try:
            super().quit()
        finally:
            if self._own_profile:
                shutil.rmtree(self.profile, ignore_errors=True)

    def find(self, selector: str) -> WebElement:
        """Return the element, waiting until it is there and visible."""

        def visible() -> WebElement | None:
            element = self.find_element(By.CSS_SELECTOR, selector)
            return element if element.is_displayed() else None

        element = wait_for(visible, what=f"{selector} on {self._where()}")
        assert element is not None
        return element

    def click(self, selector: str) -> None:
        """Click the element once it is visible and takes clicks, as a person would: with an activation."""

        def clicked() -> bool:
            self.find_element(By.CSS_SELECTOR, selector).click()
            return True

        wait_for(clicked, what=f"a click on {selector} of {self._where()}")

    def text(self, selector: str) -> str:
        """Return the element's visible text, or "" where there is none."""
        found = self.find_elements(By.CSS_SELECTOR, selector)
        return found[0].text if found else ""

    def wait_text(self, selector: str, expected: str, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until the element's text is `expected`."""
        try:
            wait_for(lambda: self.text(selector) == expected, timeout)
        except TimeoutError:
            assert self.text(selector) == expected, f"{selector} on {self._where()} after {timeout:g} s"

    def run(self, body: str, *arguments: Any) -> Any:
        """Run the body of an async JavaScript function in the page and return its result; what it throws is raised.

        `arguments` are there as `args`.
        """
        script = (
            "const args = [...arguments], done = args.pop();"
            f"(async () => {{ {body} }})().then((value) => done([true, value]),"
            " (error) => done([false, String(error && error.stack || error)]));"
        )
        fine, value = self.execute_async_script(script, *arguments)
        if not fine:
            raise AssertionError(value)
        return value

    def new_tab(self, url: str) -> str:
        """Open `url` in a new tab, go there and return its name."""
        self.switch_to.new_window("tab")
        self.get(url)
        return self.current_window_handle

    def wait_window(self, known: set[str] | list[str], timeout: float = PATIENCE_SECONDS) -> str:
        """Wait for a window that is not among `known`, go there and return its name."""
        fresh = wait_for(
            lambda: [name for name in self.window_handles if name not in known], timeout, "a new window"
        )
        self.switch_to.window(fresh[0])
        return fresh[0]

    def console(self) -> list[dict[str, Any]]:
        """Return everything the console has said so far: dicts with `level`, `message`, `source`."""
        self._log += self.get_log("browser")
        return self._log

    def policy_errors(self) -> list[str]:
        """Return the console's complaints about a content security policy."""
        signs = ("Content Security Policy", "Content-Security-Policy")
        return [
            entry["message"] for entry in self.console() if any(sign in entry["message"] for sign in signs)
        ]

    def _where(self) -> str:
        try:
            return self.current_url
        except WebDriverException:
            return "a page that is gone"


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
