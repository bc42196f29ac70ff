"""Two browsers that are paired, with the test app connected on both, and beside Masq a bare WebSocket."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from browser.harness import Browser
from browser.sites import copy_of
from browser.steps import click, connect_test_app, find, finished, make_profile, py, start, until

from bench.server import forwarder, running
from build.places import DIST
from build.relay import LocalRelay
from build.server import SiteServer

NOW = "import js\nnow = lambda: js.performance.timeOrigin + js.performance.now()\n"

WARM_UP = 20
"""Changes that do not count, before those that do."""

BARE_A_CHANGE = 3
"""Bare messages after each change: enough that the slowest hundredth of them is not one alone."""

MESSAGE_BYTES = 200
"""Of a bare message; those of the other benchmark's values."""

SOCKET = """
globalThis.bare = new WebSocket(args[0]);
bare.binaryType = "arraybuffer";
await new Promise((done, fail) => Object.assign(bare, { onopen: done, onerror: fail }));
"""
# What begins with 1 asks for an answer, which comes once everything before it has arrived.
ANSWER = "bare.onmessage = ({ data }) => new Uint8Array(data)[0] && bare.send(data);"
ASK = """
const [count, size] = args;
const message = new Uint8Array(size);
const answered = new Promise((done) => (bare.onmessage = done));
const began = performance.now();
for (let n = 1; n < count; n++) bare.send(message);
message[0] = 1;
bare.send(message);
await answered;
return performance.now() - began;
"""


class Pair:
    """Device `one` writes, device `two` watches; `forwarder` passes bare messages on between their apps' pages."""

    def __init__(self, one: Browser, two: Browser, store: str, forwarder: str) -> None:
        self.one, self.two, self.store = one, two, store
        self._round = 0
        one.run(SOCKET, forwarder)
        two.run(SOCKET + ANSWER, forwarder)

    def changes(self, count: int) -> dict[str, list[float]]:
        """Send changes one after the other, and after each some bare messages there and back.

        Returns how long a "change" took from `set` to `watch`, and a "bare" message one way, in milliseconds.
        """
        start(
            self.two,
            "watching",
            f"{NOW}seen = []\n"
            "async with store.watch('live/') as changes:\n"
            "    async for change in changes:\n"
            "        seen.append(now() - change.value)\n"
            f"        if len(seen) >= {count + WARM_UP}:\n"
            "            return seen",
        )
        py(self.one, "import asyncio\nawait asyncio.sleep(0.5)")
        bare = []
        for number in range(
            count + WARM_UP
        ):  # each with a key of its own: a slow reader gets the latest of one
            py(
                self.one,
                f"{NOW}await store.set('live/{number}', now())\nimport asyncio\nawait asyncio.sleep(0.03)",
            )
            bare += [self._send_bare(1) / 2 for _ in range(BARE_A_CHANGE)]
        seen = finished(self.two, "watching")
        assert "error" not in seen, seen
        return {"change": seen["result"][WARM_UP:], "bare": bare[WARM_UP * BARE_A_CHANGE :]}

    def catch_up(self, count: int) -> dict[str, float]:
        """Let one write while the other does not sync; then send as many bare messages.

        Returns how long it took until all were "caught up" with, and until all "sent bare" were there, in milliseconds.
        """
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
        there = py(self.two, f"return len(await store.keys('many/{self._round}/'))")
        assert there == count, f"{there:,} of {count:,} changes have arrived"
        return {"caught up": float(ended - began), "sent bare": self._send_bare(count)}

    def _send_bare(self, count: int) -> float:
        """Return the milliseconds that bare messages take from one to two, and an answer to the last one back."""
        return float(self.one.run(ASK, count, MESSAGE_BYTES))


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
    with ExitStack() as ends:
        server = SiteServer(copy_of(DIST, folder / "dist", whole=True))
        server.start()
        ends.callback(server.stop)
        wishes = Namespace(
            host="127.0.0.1", certfile=None, keyfile=None, relay_port=0, relay_data=str(folder / "relay")
        )
        relay = LocalRelay(wishes, server.port)
        ends.callback(relay.stop)
        server.relay = relay.url
        bare, _ = ends.enter_context(running(forwarder()))
        one, two = _browser(ends), _browser(ends)
        store = server.url("store")
        one.get(store)
        make_profile(one)
        find(one, "#apps")
        connect_test_app(one, server.url("pyodide"))
        home = one.current_window_handle
        one.new_tab(f"{store}/#/devices")
        click(one, "#add-device")
        two.get(str(until(lambda: find(one, "#pair-link").get_attribute("value"), "the link")))
        find(one, "input#pair-code").send_keys(find(two, ".code#pair-code").text)
        click(one, "#pair-confirm")
        click(two, "#pair-confirm")
        find(two, "#taken")
        one.switch_to.window(home)
        connect_test_app(two, server.url("pyodide"))
        for driver in (one, two):
            py(driver, "import asyncio\nwhile store.status.sync != 'live':\n    await asyncio.sleep(0.1)")
        yield Pair(one, two, store, bare)


def _browser(ends: ExitStack) -> Browser:
    driver = Browser(third_party_cookies=True)
    ends.callback(driver.quit)
    return driver
