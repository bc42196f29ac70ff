"""The measurements: every row in every round, so that what slows the machine slows all rows alike."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser.harness import Browser
from browser.steps import click, find, is_shown, make_profile, popup, until

from bench.pages import APPS
from build.server import SiteServer

Samples = dict[str, list[float]]
"""Milliseconds, by the name of what was measured."""

CALLS = {
    "echo in turn": 100,
    "echo at once": 2000,
    "cross-storage get in turn": 100,
    "put in turn": 50,
    "get in turn": 100,
    "get at once": 2000,
    "set in turn": 50,
    "set at once": 1000,
}
"""How often a round does each row of bench.js."""

IN_BOTH = {"js get in turn": 100, "js set in turn": 50}
"""Rows measured in the space of many keys and in that of few."""

MANY_KEYS = 10_000

SETTLE_SECONDS = 0.7
"""What a browser that has just been started gets to finish its own work."""


def measure(server: SiteServer, rounds: int, restarts: int, seconds: float, *, cold: bool = False) -> Samples:
    """Return the samples of all rounds. After `seconds` no further round begins, but of each kind one counts.

    `cold`: count the first round of starts, too, in which the browser keeps no compiled code yet.

    Raises AssertionError or a driver's exception where something does not work.
    """
    end = time.monotonic() + seconds
    samples: Samples = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="masq-bench-", ignore_cleanup_errors=True) as folder:
        profile = Path(folder)
        with _browser(profile) as driver:
            tabs = {name: _allowed(driver, server.url(name)) for name in APPS}
            driver.switch_to.window(tabs["big"])
            driver.run("await bench.fill(args[0])", MANY_KEYS)
            driver.switch_to.window(tabs["bench"])
            driver.run("await bench.prepare()")
            for number in range(-1, rounds):
                one = _calls(driver, tabs)
                if number < 0:  # it warms up
                    continue
                _add(samples, one)
                if time.monotonic() > end - seconds / 2:
                    break
        for number in range(0 if cold else -1, restarts):
            one = _starts(profile, server)
            if number < 0:
                continue
            _add(samples, one)
            if time.monotonic() > end:
                break
    return samples


def _calls(driver: Browser, tabs: dict[str, str]) -> dict[str, float]:
    driver.switch_to.window(tabs["bench"])
    one = {row: _row(driver, row, count) for row, count in CALLS.items()}
    driver.run("await bench.check(args[0])", CALLS["set at once"])
    one["second tab"] = driver.run("return await bench.firstGet()")
    one["bare frame, known site"] = driver.run("return await bench.firstEcho()")
    for name in ("big", "small"):
        driver.switch_to.window(tabs[name])
        for row, count in IN_BOTH.items():
            one[f"{row}, {name}"] = _row(driver, row, count)
    return one


def _row(driver: Browser, row: str, count: int) -> float:
    return float(driver.run("return await bench.measure(...args)", row, count))


def _starts(profile: Path, server: SiteServer) -> dict[str, float]:
    """Measure what happens in browsers that have just been started, with a warm HTTP cache."""
    one = {}
    with _browser(profile) as driver:
        _open(driver, server.url("bench"))
        one["stock boot"] = driver.run("return await bench.stockBoot()")
    for how, query in (("snapshot", ""), ("plain", "?boot=plain")):
        with _browser(profile) as driver:
            driver.get(server.url("peer") + "/hub.html")
            time.sleep(SETTLE_SECONDS)
            driver.get(f"{server.url('store')}/boot-time.html{query}")
            booted = until(lambda: driver.execute_script("return globalThis.booted"), "Python")  # noqa: B023
            assert booted["how"] == how, booted
            one[f"{how} boot"] = booted["ms"]
        with _browser(profile) as driver:
            _open(driver, server.url("bench"))
            one[f"ready from {how}"] = driver.run("return await bench.firstGet(args[0])", query)
            if how == "snapshot":  # and the worker goes on: other apps, whose spaces are not open yet
                for name in ("small", "big"):
                    driver.switch_to.new_window("tab")
                    _open(driver, server.url(name))
                    one[f"second app, {name}"] = driver.run("return await bench.firstGet()")
                    if name == "small":
                        one["bare frame, new site"] = driver.run("return await bench.firstEcho()")
    return one


@contextmanager
def _browser(profile: Path) -> Iterator[Browser]:
    driver = Browser(third_party_cookies=True, profile=profile)
    try:
        yield driver
    finally:
        driver.quit()


def _open(driver: Browser, url: str) -> None:
    driver.get(url)
    time.sleep(SETTLE_SECONDS)
    until(lambda: driver.execute_script("return !!globalThis.bench"), "the bench's page")


def _allowed(driver: Browser, url: str) -> str:
    """Open an app in a tab, allow it as a person would, and return the tab."""
    driver.switch_to.new_window("tab")
    tab = driver.current_window_handle
    _open(driver, url)
    driver.execute_script("globalThis.connected = bench.connect()")
    until(lambda: driver.execute_script("return !!document.querySelector('#connect').onclick"), "the frame")
    click(driver, "#connect")
    with popup(driver):
        until(lambda: is_shown(driver, "#allow") or is_shown(driver, "#create-profile"), "a question")
        if is_shown(driver, "#create-profile"):
            make_profile(driver)
        find(driver, "#allow")
        click(driver, "#allow")
    driver.run("await connected")
    return tab


def _add(samples: Samples, one: dict[str, Any]) -> None:
    for name, milliseconds in one.items():
        samples[name].append(float(milliseconds))
