"""What tests ask of a browser, in few words; the same for every engine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from browser import processes
from browser.waiting import PATIENCE_SECONDS, looks
from selenium.common.exceptions import NoSuchWindowException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement

T = TypeVar("T")

CRASHED = "tab crashed"
"""What a driver says where Chromium's renderer has ended by itself; pyproject.toml has such a test run once more."""

UNKNOWN = "Unrecognized Content-Security-Policy directive"
"""What WebKit says of a directive that it does not know: nothing was blocked."""


def wait_for(condition: Callable[[], T], timeout: float = PATIENCE_SECONDS, what: str = "") -> T:
    """Return what `condition` gives once that is true. Raises TimeoutError after `timeout` seconds.

    An exception of the driver (an element that is not there yet, a page that changes) counts as not yet. That the page
    has crashed does not: it will never be there, and the test's failure must say so.
    """
    last: object = None
    for _ in looks(timeout):
        try:
            result = condition()
            if result:
                return result
            last = result
        except WebDriverException as error:
            if CRASHED in str(error):
                raise
            last = error
    raise TimeoutError(
        f"Waited {timeout:g} s for {what or getattr(condition, '__name__', condition)}: {last!r}"
    )


SHOWN = """
    const isShown = (one) => one.getClientRects().length && one.checkVisibility({ visibilityProperty: true });
"""
"""One question to the browser. The driver's own way to tell takes several, with scripts of 50 KB."""


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

    def begin_anew(self) -> None:
        """Be as after the start: one window, which is empty, and a console that has said nothing."""
        known = self.window_handles
        self.switch_to.window(known[0])  # for the one that we were in may have closed
        self.switch_to.new_window("tab")
        empty = self.current_window_handle
        for name in known:
            with suppress(NoSuchWindowException):  # a window of the store's that was just closing
                self.switch_to.window(name)
                self.close()
        self.switch_to.window(empty)
        self.forget_console()

    def console(self) -> list[dict[str, Any]]:
        """Return everything the console has said so far: dicts with `level`, `message`, `source`."""
        raise NotImplementedError

    def forget_console(self) -> None:
        """Have `console` begin anew."""
        raise NotImplementedError

    def find(self, selector: str) -> WebElement:
        """Return the element, waiting until it is there and visible."""

        element = wait_for(lambda: self.shown(selector), what=f"{selector} on {self._where()}")
        assert element is not None
        return element

    def shown(self, selector: str) -> WebElement | None:
        """Return the first element of these that is visible now."""
        find = "return [...document.querySelectorAll(arguments[0])].find(isShown) ?? null;"
        found: WebElement | None = self.execute_script(SHOWN + find, selector)
        return found

    def click(self, selector: str) -> None:
        """Click the element once it is visible and takes clicks, as a person would: with an activation."""

        def clicked() -> bool:
            element = self.find_element(By.CSS_SELECTOR, selector)
            if element.get_dom_attribute("data-held") is not None:
                return False  # the window has to stand still first
            element.click()
            return True

        wait_for(clicked, what=f"a click on {selector} of {self._where()}")

    def text(self, selector: str) -> str:
        """Return the element's visible text, or "" where there is none; spaces that keep words together are spaces."""
        read = "const one = document.querySelector(arguments[0]);"
        read += "return one && isShown(one) ? one.innerText.replaceAll('\\xa0', ' ').trim() : '';"
        return str(self.execute_script(SHOWN + read, selector))

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
