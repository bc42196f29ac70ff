"""What tests ask of a browser, in few words; the same for every engine."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from browser import processes
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement

T = TypeVar("T")

PATIENCE_SECONDS = 100.0
"""How long a wait lasts by default: two cold starts of Python on a busy machine may take half a minute."""

CRASHED = "tab crashed"
"""What a driver says where Chromium's renderer has ended by itself; pyproject.toml has such a test run once more."""

UNKNOWN = "Unrecognized Content-Security-Policy directive"
"""What WebKit says of a directive that it does not know: nothing was blocked."""


def wait_for(condition: Callable[[], T], timeout: float = PATIENCE_SECONDS, what: str = "") -> T:
    """Return what `condition` gives once that is true. Raises TimeoutError after `timeout` seconds.

    An exception of the driver (an element that is not there yet, a page that changes) counts as not yet. That the page
    has crashed does not: it will never be there, and the test's failure must say so.
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
            if CRASHED in str(error):
                raise
            last = error
        if time.monotonic() > end:
            raise TimeoutError(
                f"Waited {timeout:g} s for {what or getattr(condition, '__name__', condition)}: {last!r}"
            )
        time.sleep(0.02)


class Words(WebDriver):
    """The words that a started browser understands. Whoever has them gives itself a `profile`, and says its `pid`.

    Selenium's own names (`get`, `refresh`, `window_handles`, `switch_to`, `save_screenshot` …) are there too.
    """

    engine: str
    """What this engine is called in tests: "chromium", "firefox", "webkit"."""

    def place(self, profile: Path | None) -> None:
        """Keep the browser's data in `profile`, for restarts; where None in a fresh folder, dropped in the end."""
        self._own_profile = profile is None
        self.profile = profile or Path(tempfile.mkdtemp(prefix=f"masq-{self.engine}-"))
        self.profile.mkdir(parents=True, exist_ok=True)

    def drop_place(self) -> None:
        """Drop the folder, if it was made here."""
        if self._own_profile:
            shutil.rmtree(self.profile, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The browser's process id."""
        raise NotImplementedError

    def end_now(self) -> None:
        """End the browser's process as a power cut would: SIGKILL, nothing is written any more."""
        processes.kill_all(self.pid)

    def crashes(self) -> list[Path]:
        """Return what the browser has kept of each process of its own that has crashed, if it keeps that."""
        return []

    def console(self) -> list[dict[str, Any]]:
        """Return everything the console has said so far: dicts with `level`, `message`, `source`."""
        raise NotImplementedError

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
            " (error) => done([false, `${error} ${(error && error.stack) || ''}`]));"
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

    def policy_errors(self) -> list[str]:
        """Return the console's complaints about a content security policy."""
        signs = ("Content Security Policy", "Content-Security-Policy")
        return [
            entry["message"]
            for entry in self.console()
            if any(sign in entry["message"] for sign in signs) and not entry["message"].startswith(UNKNOWN)
        ]

    def _where(self) -> str:
        try:
            return self.current_url
        except WebDriverException:
            return "a page that is gone"
