"""A connected app that tests have one after the other, each with an empty space."""

from __future__ import annotations

from typing import Any, NamedTuple

from browser.devices import severe
from browser.steps import py
from conftest import Site

LEAVE_ONE_FRAME = """
    const frames = [...document.querySelectorAll("iframe")];
    for (const frame of frames.slice(1)) frame.remove();
    return frames.length > 0 && frames[0].name.startsWith("masq-");
"""

EMPTY = """
await store.clear()
return [store.status.state, await store.items()]
"""


class ConnectedApp(NamedTuple):
    """A browser that shows the connected test app, and the sites of it and its store."""

    driver: Any
    site: Site

    def is_as_before(self) -> bool:
        """Bring the app back to how a test finds it, and say whether that could be done."""
        driver = self.driver
        try:
            for extra in driver.window_handles[1:]:
                driver.switch_to.window(extra)
                driver.close()
            driver.switch_to.window(driver.window_handles[0])
            whole = bool(driver.run(LEAVE_ONE_FRAME)) and py(driver, EMPTY) == ["ready", {}]
            quiet = not severe(driver) and not driver.crashes()
            driver.forget_console()
        except Exception as error:  # the page is gone, or its session has ended
            print(f"the shared app is of no use any more: {type(error).__name__}: {error}")
            return False
        return whole and quiet
