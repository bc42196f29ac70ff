"""Python boots on the store's origin: from the snapshot, and plainly where that fails; and what it costs."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.harness import wait_for
from browser.sites import at_new_origin, serve

BOOT = """
    const scripts = await (await fetch("./")).text();
    const app = scripts.match(/app-[0-9a-f]{16}/)[0];
    const { startPython } = await import(new URL(`./${app}/python.js`, location));
    const seen = [];
    const began = performance.now();
    const python = globalThis.python = await startPython((loaded, total) => seen.push([loaded, total]));
    return {
        how: globalThis.masqBoot.how,
        ms: performance.now() - began,
        sum: python.runPython("import json, asyncio; sum(json.loads('[1, 2, 3]'))"),
        random: python.runPython("import random; random.random()"),
        entry: typeof python.pyimport("masq_store.browser.worker").main,
        last: seen.at(-1) ?? null,
    };
"""
"""Boots Python in a page of the store that runs nothing of its own: one of the client's source files."""

ALLOCATE = """
    for (let i = 0; i < 200; i++) {
        await python.runPythonAsync("from js import document\\nfor _ in range(200): document.createElement('p')");
    }
"""
"""Has the browser allocate in calls of Python's, from stacks that are almost empty: where the profiler crashed it."""

QUIET = "client/masq/errors.py"


def boot(driver: Any, address: str, query: str = "") -> dict[str, Any]:
    """Boot Python in a quiet page below `address`; returns what BOOT returns."""
    driver.get(f"{address}/{QUIET}{query}")
    return driver.run(BOOT.replace('"./"', '"../../"').replace("`./", "`../../"))


def test_snapshot_and_plain(site: Any, browser: Callable[..., Any]) -> None:
    """Python boots from the snapshot, and plainly when asked to; both are whole, and both times are printed."""
    driver = browser()
    boot(driver, site.store)  # fills the browser's cache
    quick, plain = boot(driver, site.store), boot(driver, site.store, "?boot=plain")
    print(f"boot: snapshot {quick['ms']:.0f} ms, plain {plain['ms']:.0f} ms")
    for result, how in ((quick, "snapshot"), (plain, "plain")):
        assert (result["how"], result["sum"], result["entry"]) == (how, 6, "function")
    assert quick["last"][0] == quick["last"][1] > 1_000_000
    assert driver.policy_errors() == []


def test_random_differs_between_restores(site: Any, browser: Callable[..., Any]) -> None:
    """Two restores of one snapshot draw different random numbers."""
    driver = browser()
    assert boot(driver, site.store)["random"] != boot(driver, site.store)["random"]


def test_chromiums_heap_profiler_meets_no_strange_stack(site: Any, own_browser: Callable[..., Any]) -> None:
    """Where Chromium looks at the stacks of allocations, as it does for some people, Python boots all the same."""
    driver = own_browser(heap_profiler=True)
    assert boot(driver, site.store)["sum"] == 6
    driver.run(ALLOCATE)
    assert driver.crashes() == []


@pytest.fixture
def copy(dist: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the store's site whose snapshot a test may harm."""
    target = tmp_path / "dist" / "store"
    shutil.copytree(dist / "store", target)
    yield target


@pytest.mark.parametrize("harm", ["flipped", "short", "missing"])
def test_a_damaged_snapshot_falls_back(copy: Path, browser: Callable[..., Any], harm: str) -> None:
    """With a snapshot that is altered, cut short or gone, Python boots plainly and the console says so."""
    snapshot = next(copy.glob("snapshot-*.bin"))
    content = bytearray(snapshot.read_bytes())
    for variant in copy.glob("snapshot-*.bin*"):
        variant.unlink()
    if harm == "flipped":
        content[len(content) // 2] ^= 1
        snapshot.write_bytes(content)
    elif harm == "short":
        snapshot.write_bytes(content[:-100_000])
    server = serve(copy.parent)
    try:
        driver = browser()
        result = boot(driver, server.url("store"))
        assert (result["how"], result["sum"]) == ("plain", 6)
        assert any("boots plainly" in entry["message"] for entry in driver.console())
    finally:
        server.stop()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A plain file server: no headers of ours, no variants."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_plain_file_server_and_a_sub_path(dist: Path, browser: Callable[..., Any]) -> None:
    """Behind Python's own file server, below a path, Python boots from the snapshot all the same."""
    handler = functools.partial(QuietHandler, directory=str(dist))
    server = at_new_origin(lambda port: http.server.ThreadingHTTPServer(("127.0.0.1", port), handler))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        driver = browser()
        result = boot(driver, f"http://localhost:{server.server_address[1]}/store")
        assert (result["how"], result["sum"]) == ("snapshot", 6)
    finally:
        server.shutdown()
        server.server_close()


def test_the_theme_is_set_before_python(site: Any, own_browser: Callable[..., Any]) -> None:
    """The page has the chosen theme without Python; one that may keep nothing starts all the same, and is quiet."""
    driver = own_browser()
    driver.get(site.store + "/" + QUIET)
    driver.execute_script("localStorage['masq/theme'] = 'dark'")
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*pyodide.mjs"]})
    driver.get(site.store)
    wait_for(lambda: "could not start" in driver.text(".opening"), what="the page to give up on Python")
    assert driver.execute_script("return document.documentElement.dataset.theme") == "dark"
    driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    denied = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('', 'SecurityError') } })"
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": denied})
    said = len(driver.console())
    driver.get(site.store)
    driver.find("#create-profile")
    assert driver.execute_script("return document.documentElement.dataset.theme ?? ''") == ""
    assert [entry for entry in driver.console()[said:] if entry["level"] == "SEVERE"] == []
