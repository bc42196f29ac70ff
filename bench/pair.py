"""Two browsers that are paired, with the test app connected on both."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser.conftest import copy_of
from browser.harness import Browser
from browser.steps import click, connect_test_app, find, finished, make_profile, py, start, until

from build.places import DIST
from build.relay import LocalRelay
from build.server import SiteServer

NOW = "import js\nnow = lambda: js.performance.timeOrigin + js.performance.now()\n"


class Pair:
    """Device `one` writes, device `two` watches."""

    def __init__(self, one: Browser, two: Browser, store: str) -> None:
        self.one, self.two, self.store = one, two, store
        self._round = 0

    def changes(self, count: int) -> list[float]:
        """Send changes one after the other; return how long each took from `set` to `watch`, in milliseconds."""
        start(
            self.two,
            "watching",
            f"{NOW}seen = []\n"
            "async with store.watch('live/') as changes:\n"
            "    async for change in changes:\n"
            "        seen.append(now() - change.value)\n"
            f"        if len(seen) >= {count + 20}:\n"
            "            return seen",
        )
        py(self.one, "import asyncio\nawait asyncio.sleep(0.5)")
        for _ in range(count + 20):
            py(self.one, f"{NOW}await store.set('live/k', now())\nimport asyncio\nawait asyncio.sleep(0.03)")
        return list(finished(self.two, "watching")["result"])[20:]  # the first ones warm up

    def catch_up(self, count: int) -> float:
        """Let one write while the other does not sync; return how long it takes to get all, in milliseconds."""
        self._round += 1
        app, last = self.two.current_window_handle, f"many/{self._round}/last"
        self.two.switch_to.new_window("tab")
        self.two.get(f"{self.store}/#/app/{_quoted(py_origin(self.two, app))}")
        page = self.two.current_window_handle
        click(self.two, "#sync-on")
        until(lambda: not find(self.two, "#sync-on").is_selected(), "the sync to be off")
        py(
            self.one,
            f"values = {{f'many/{self._round}/{{n}}': n for n in range({count - 1})}}\n"
            f"await store.update(values)\nawait store.set('{last}', 1)",
        )
        py(self.one, "import asyncio\nwhile store.status.sync != 'live':\n    await asyncio.sleep(0.1)")
        self.two.switch_to.window(app)
        start(
            self.two,
            f"caught {self._round}",
            f"{NOW}async with store.watch('{last}') as changes:\n"
            "    async for change in changes:\n"
            "        return now()",
        )
        self.two.switch_to.window(page)
        began = self.two.run(
            "document.querySelector('#sync-on').click(); return performance.timeOrigin + performance.now()"
        )
        self.two.switch_to.window(app)
        ended = finished(self.two, f"caught {self._round}")["result"]
        self.two.switch_to.window(page)
        self.two.close()
        self.two.switch_to.window(app)
        return float(ended - began)


def py_origin(driver: Any, window: str) -> str:
    """Return the origin of the page in a window."""
    here = driver.current_window_handle
    driver.switch_to.window(window)
    origin = str(driver.execute_script("return location.origin"))
    driver.switch_to.window(here)
    return origin


def _quoted(origin: str) -> str:
    from urllib.parse import quote

    return quote(origin, safe="!'()*-._~")


@contextmanager
def two_devices(folder: Path) -> Iterator[Pair]:
    """Start what two devices need, pair them, and connect the app on both; the watching one sees the other's sets."""
    server = SiteServer(copy_of(DIST, folder / "dist"))
    server.start()
    wishes = Namespace(
        host="127.0.0.1", certfile=None, keyfile=None, relay_port=0, relay_data=str(folder / "relay")
    )
    relay = LocalRelay(wishes, server.port)
    server.relay = relay.url
    one, two = Browser(third_party_cookies=True), Browser(third_party_cookies=True)
    try:
        store = server.url("store")
        one.get(store)
        make_profile(one)
        find(one, "#apps")
        connect_test_app(one, server.url("app"))
        home = one.current_window_handle
        one.new_tab(f"{store}/#/devices")
        click(one, "#add-device")
        two.get(str(until(lambda: find(one, "#pair-link").get_attribute("value"), "the link")))
        find(one, "input#pair-code").send_keys(find(two, ".code#pair-code").text)
        click(one, "#pair-confirm")
        click(two, "#pair-confirm")
        find(two, "#taken")
        one.switch_to.window(home)
        connect_test_app(two, server.url("app"))
        for driver in (one, two):
            py(driver, "import asyncio\nwhile store.status.sync != 'live':\n    await asyncio.sleep(0.1)")
        yield Pair(one, two, store)
    finally:
        for driver in (one, two):
            driver.quit()
        relay.stop()
        server.stop()
