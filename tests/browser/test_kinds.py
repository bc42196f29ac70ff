"""The kinds of app: the counter, written once, in each page of docs/apps.md; what each leaves behind and says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.kinds import ISOLATED, KINDS, WORKER_ALONE, Isolating, make_page, script_of
from browser.sites import serve
from browser.steps import allow, click, find, let_in, make_profile, popup, text, until, wait_text
from conftest import DEFAULT, Site

COUNT = 3


ASKS = """
import js
import masq
try:
    await masq.connect("http://store.localhost:8000", name="Asks")
except masq.MasqError as error:
    js.console.log("told " + error.code + ": " + str(error))
"""
"""A program that can do nothing but say what it was told."""

STARTS = """
from pyscript import PyWorker, window
PyWorker(
    "./away.py",
    type="micropython",
    version=window.location.origin + "/pyscript/micropython/micropython.mjs",
    config={"files": {"http://store.localhost:8000/client/masq-0.1.0.whl": "./*"}},
    **{"async": True},
)
"""
"""A program that starts another in a worker which no element of the page stands for."""

LEAVES = """
import asyncio
from pyscript import document
import masq

made = []
try:
    import pyodide.ffi as ffi
    create = ffi.create_proxy

    def create_proxy(function):
        made.append(create(function))
        return made[-1]

    ffi.create_proxy = create_proxy
except ImportError:
    pass  # MicroPython, which collects them itself


def alive():
    count = 0
    for proxy in made:
        try:
            proxy.name
        except AttributeError:
            count += 1
        except Exception:
            pass  # destroyed
    return count


document.title = "begins"
while document.title != "go":
    await asyncio.sleep(0.02)
store = await masq.connect("http://store.localhost:8000", name="Leaves", button="#connect")
async with store, store.watch() as changes:
    await store.set("a", 1)
    async for change in changes:
        break
for _ in range(200):
    if not alive():
        break
    await asyncio.sleep(0.02)
document.querySelector("#message").textContent = str(len(made)) + " made, " + str(alive()) + " left"
document.title = "closed"
"""
"""A program that connects, closes, and counts the proxies that it has made on the way."""


@pytest.fixture(scope="module")
def made(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page of each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind in KINDS:
        make_page(dist, folder / kind, script_of(kind))
    make_page(
        dist,
        folder / "mpy-files",
        script_of("files").replace("py", "mpy", 1).replace("pyodide", "micropython"),
    )
    make_page(dist, folder / "isolated", script_of("py"))
    for kind in KINDS:
        make_page(dist, folder / f"{kind}-leaves", script_of(kind), LEAVES)
    for name, kind in {"asks": "worker", "asks-mpy": "mpy-worker"}.items():
        make_page(dist, folder / name, script_of(kind), ASKS)
    make_page(dist, folder / "asks-alone", WORKER_ALONE, ASKS)
    make_page(dist, folder / "isolated-asks", script_of("mpy"), STARTS)
    (folder / "isolated-asks" / "away.py").write_text(ASKS, "utf-8")
    return folder


@pytest.fixture
def kinds(built: Path, made: Path) -> Iterator[Site]:
    """The built site, with a page of each kind at an address of its own."""
    server = serve(built, Isolating, folders={page.name: page for page in made.iterdir()})
    yield Site(server)
    server.stop()


def state(driver: Any) -> str:
    """Return the state that the Connect button shows."""
    return str(driver.find_element("css selector", "#connect").get_dom_attribute("data-masq-state"))


def refused_and_allowed(driver: Any, *, found_again: bool) -> None:
    """Press Connect twice and say no, then press it once more and say yes, with a profile made on the way.

    There is one window of the store at a time, and its answer counts. `found_again`: it is the first press's.
    """
    until(lambda: state(driver) == "connect", "the Connect button")
    home = driver.current_window_handle
    click(driver, "#connect")
    first = driver.wait_window([home])
    find(driver, "#create-profile")
    driver.switch_to.window(home)
    click(driver, "#connect")
    until(
        lambda: len(driver.window_handles) == 2 and (first in driver.window_handles) == found_again,
        "one window of the store",
    )
    with popup(driver):
        make_profile(driver)
        click(driver, "#deny")
    until(lambda: "refused this app access" in text(driver, "#message"), "the sentence")
    assert driver.window_handles == [home]
    allow(driver)
    until(lambda: state(driver) == "connected", "the answer")
    assert driver.window_handles == [home]


def counts(driver: Any) -> float:
    """Count, and find the number again in the page loaded anew. Returns ms to its first value, files in the cache."""
    for _ in range(COUNT):
        click(driver, "#plus")
    wait_text(driver, "#count", str(COUNT))
    driver.refresh()
    wait_text(driver, "#count", str(COUNT))
    first = float(driver.execute_script("return shown"))
    click(driver, "#minus")  # and it still works
    wait_text(driver, "#count", str(COUNT - 1))
    return first


@pytest.mark.engines
@pytest.mark.parametrize("kind", ["py", "mpy"])
def test_the_counter_in_the_page(
    browser: Callable[..., Any], kinds: Site, kind: str, surroundings: str, figure: Callable[[str], None]
) -> None:
    """Connected, counted, reloaded, kept: with Pyodide and with MicroPython."""
    driver = browser()
    driver.get(kinds.url(kind))
    if surroundings == DEFAULT:
        refused_and_allowed(driver, found_again=True)
    else:
        let_in(driver)
    figure(f"first value in {kind} in {driver.engine}: {counts(driver):.0f} ms")


@pytest.mark.slow("Python starts six times in a page with workers")
@pytest.mark.parametrize("kind", ["worker", "mpy-worker", "pyodide", "files", "mpy-files", "isolated"])
def test_the_counter_in_other_kinds(
    browser: Callable[..., Any], kinds: Site, kind: str, figure: Callable[[str], None]
) -> None:
    """The same: in workers, in Pyodide alone, with the client as files, and in an isolated page.

    A page that is not isolated finds its window again; another's is replaced.
    """
    driver = browser()
    driver.get(kinds.url(kind))
    refused_and_allowed(driver, found_again=kind not in ISOLATED)
    figure(f"first value in {kind}: {counts(driver):.0f} ms")
    isolated = driver.execute_script(
        "return [crossOriginIsolated, !!document.querySelector('script[worker]')]"
    )
    assert isolated == [kind in ISOLATED, "worker" in kind]


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("asks", "Cross-Origin-Embedder-Policy: require-corp"),
        ("asks-mpy", "Cross-Origin-Opener-Policy: same-origin"),
        ("asks-alone", "without PyScript"),
        ("isolated-asks", "create_named_worker"),
    ],
)
def test_a_worker_without_a_page(browser: Callable[..., Any], kinds: Site, page: str, sentence: str) -> None:
    """StorageUnavailable says what is missing: headers, PyScript, or the script element."""
    driver = browser()
    driver.get(kinds.url(page))
    told = until(
        lambda: [entry["message"] for entry in driver.console() if "told " in entry["message"]], "an error"
    )
    assert "told StorageUnavailable: " in told[0] and sentence in told[0] and "To change that: " in told[0]
    assert driver.execute_script("return document.querySelectorAll('iframe').length") == 0


@pytest.mark.parametrize("kind", ["py", "mpy", "worker", "mpy-worker", "pyodide"])
def test_close_leaves_nothing(browser: Callable[..., Any], kinds: Site, kind: str) -> None:
    """After close() the page has no frame and no listener more than before, and no proxy lives on."""
    driver = browser()
    driver.get(kinds.url(f"{kind}-leaves"))
    until(lambda: driver.title == "begins", "the program")
    listening = "return listening.filter((what) => /^(message|click) /.test(what)).sort()"
    before = driver.execute_script(listening)
    driver.execute_script("document.title = 'go'")
    until(lambda: state(driver) == "connect", "the Connect button")
    assert len(driver.execute_script(listening)) == len(before) + 3  # window, port or worker, button
    let_in(driver)
    until(lambda: driver.title == "closed", "the end")
    assert driver.execute_script(listening) == before
    assert driver.execute_script("return document.querySelectorAll('iframe').length") == 0
    made, _, left = text(driver, "#message").partition(" made, ")
    assert left == "0 left"
    assert (int(made) > 0) == (kind in ("py", "pyodide", "worker"))  # MicroPython's cannot be seen
    # What is said now reaches nobody, and breaks nothing.
    driver.run("postMessage('anyone?', '*'); document.querySelector('#connect').click();")
    assert [entry for entry in driver.console() if entry["level"] == "SEVERE"] == []
