"""Browsers that many tests share: each finds one as if it had just been started.

A test's sites are at origins that no test had before (browser/sites.py). So there is nothing to clear but windows and
what the console has said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from browser import engines
from browser.phases import END, phase

if TYPE_CHECKING:
    from browser.connected import ConnectedApp

TESTS_EACH = 60
"""After so many tests a browser is ended: what it keeps of their sites takes memory."""


class Pool:
    """The running browsers of one process. They are of one kind at a time, so that few run beside each other.

    Args:
        started: called with each browser that is started, and the name of its surroundings.
    """

    def __init__(self, started: Callable[[Any, str], None]) -> None:
        self._started = started
        self._surroundings = ""
        self._idle: list[Any] = []
        self._served: dict[Any, int] = {}
        self.connected: ConnectedApp | None = None
        """The app that tests share, in a browser of the same surroundings."""

    def take(self, surroundings: str) -> Any:
        """Return a browser with one empty window. Whoever takes it gives it back, or ends it."""
        self.keep_to(surroundings)
        if self._idle:
            return self._idle.pop()
        driver = engines.start(surroundings)
        self._started(driver, surroundings)
        self._served[driver] = 0
        return driver

    def keep_to(self, surroundings: str) -> None:
        """End what runs in other surroundings."""
        if surroundings != self._surroundings:
            self.close()
            self._surroundings = surroundings

    def give_back(self, driver: Any) -> None:
        """Have the browser serve another test, if it can still be brought back to how it began."""
        self._served[driver] += 1
        if self._served[driver] < TESTS_EACH:
            try:
                with phase(END):
                    driver.begin_anew()
            except Exception as error:  # it has crashed, or hangs: the next test gets another one
                print(f"a browser is of no use any more: {type(error).__name__}: {error}")
            else:
                self._idle.append(driver)
                return
        self.end(driver)

    def end(self, driver: Any) -> None:
        """End a browser that no test shall have after this one."""
        del self._served[driver]
        engines.end(driver)

    def drop_app(self) -> None:
        """End the app that tests share, and its browser: the next test gets another one."""
        if self.connected:
            self.connected.site.server.stop()
            self.end(self.connected.driver)
        self.connected = None

    def close(self) -> None:
        """End those that nobody has."""
        self.drop_app()
        while self._idle:
            self.end(self._idle.pop())
