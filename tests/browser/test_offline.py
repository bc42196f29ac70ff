"""Without a network: what was opened once opens again and works on. A newer build is offered, and kept whole or not."""

from __future__ import annotations

import contextlib
import functools
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.devtools import DevTools
from browser.sites import at_new_origin, copy_of
from browser.steps import click, connect_test_app, find, let_in, py, text, until, wait_text
from browser.test_hand_over import (
    ALL_THERE,
    begin,
    newer_build,
    stop_writing,
    wait_for_writes,
)
from browser.test_hosting import Plain, Server
from conftest import Site

from build.server import SiteServer


class Plug(SiteServer):
    """A server that can be cut off as a whole: what is open breaks, and nothing can be opened."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self._open: set[socket.socket] = set()
        self._answering = threading.Event()
        self._answering.set()
        super().__init__(*arguments, **more)

    def finish_request(self, request: socket.socket, client_address: object) -> None:
        """Answer a connection, which `cut` can break."""
        self._open.add(request)
        self._answering.wait()
        try:
            super().finish_request(request, client_address)
        finally:
            self._open.discard(request)

    def cut(self) -> None:
        """Take the network away."""
        self._answering.set()
        self.stop()
        self._break()

    def stall(self) -> None:
        """Take connections from now on, and answer none of them."""
        self._answering.clear()
        self._break()

    def _break(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # the other side was quicker
                connection.shutdown(socket.SHUT_RDWR)


class Network:
    """The built site, and the plug of its network."""

    def __init__(self, dist: Path) -> None:
        self.dist = dist
        self.server = at_new_origin(lambda port: Plug(dist, port=port))
        self.site = Site(self.server)
        self.server.start()

    def off(self, driver: Any) -> None:
        """Pull the plug, and empty the cache that every browser has: what is kept is what counts."""
        driver.execute_cdp_cmd("Network.clearBrowserCache", {})
        self.server.cut()

    def on(self) -> None:
        """Put it in again: the same addresses."""
        self.server = Plug(self.dist, port=self.server.port)
        self.server.start()


@pytest.fixture
def network(dist: Path, tmp_path: Path) -> Iterator[Network]:
    """The built site on a network that can be switched off and on."""
    network = Network(copy_of(dist, tmp_path / "dist", whole=True))
    yield network
    network.server.cut()


SETTLED = """
    const settled = async (worker) => {
        while (worker && !["activated", "redundant"].includes(worker.state)) {
            await new Promise((done) => worker.addEventListener("statechange", done, { once: true }));
        }
    };
    const registration = await navigator.serviceWorker.ready;
"""

KEPT = f"""{SETTLED}
    for (const worker of [registration.installing, registration.waiting, registration.active]) await settled(worker);
    return await caches.keys();
"""


def wait_kept(driver: Any) -> list[str]:
    """Wait until the page, or frame, that we are in is kept whole; returns the names of its caches."""
    return list(driver.run(KEPT))


def in_frame(driver: Any) -> None:
    """Go into the store's frame of an app's page."""
    driver.switch_to.frame(find_frame(driver))


def find_frame(driver: Any) -> Any:
    """Return the store's frame of an app's page; it is hidden."""
    return until(lambda: driver.find_elements("css selector", "iframe[name^=masq-]"), "the store's frame")[0]


def is_off(driver: Any, address: str) -> bool:
    """Say whether a file of the site that nobody keeps cannot be had."""
    script = "return await fetch(args[0], { cache: 'no-store' }).then(() => false, () => true)"
    return bool(driver.run(script, address))


def count_once(driver: Any, network: Network) -> None:
    """Open the counter for the first time, allow it, count to one, and wait until everything is kept."""
    driver.get(network.site.counter)
    let_in(driver)
    click(driver, "#plus")
    wait_text(driver, "#count", "1")
    wait_kept(driver)
    in_frame(driver)
    wait_kept(driver)
    driver.switch_to.default_content()
    home = driver.current_window_handle
    driver.new_tab(network.site.store)
    find(driver, "#apps [data-origin]")
    wait_kept(driver)
    driver.close()
    driver.switch_to.window(home)


def look_again(driver: Any) -> None:
    """Let the page believe that it has just been shown again."""
    driver.execute_script("document.dispatchEvent(new Event('visibilitychange'))")


def build_shown(driver: Any) -> str:
    """Return the name of the build that the store's page has started."""
    source = driver.find_element("css selector", "script[src$='/boot.js']").get_attribute("src")
    found = re.search(r"app-[0-9a-f]{16}", str(source))
    assert found
    return found[0]


@pytest.mark.slow("everything is kept, and two browsers one after the other")
def test_store_and_counter_work_without_a_network(
    own_browser: Callable[..., Any], network: Network, tmp_path: Path
) -> None:
    """With the network off the store shows its apps and the counter counts on; after a browser restart too."""
    driver = own_browser(profile=tmp_path / "profile")
    count_once(driver, network)
    network.off(driver)
    driver.refresh()
    assert is_off(driver, network.site.counter + "/nobody-keeps-this")
    wait_text(driver, "#count", "1")
    click(driver, "#plus")
    wait_text(driver, "#count", "2")
    driver.get(network.site.store)
    find(driver, f'#apps [data-origin="{network.site.counter}"]')
    driver.quit()

    driver = own_browser(profile=tmp_path / "profile")
    driver.get(network.site.counter)
    wait_text(driver, "#count", "2")
    click(driver, "#plus")
    wait_text(driver, "#count", "3")
    driver.new_tab(network.site.store)
    click(driver, f'#apps [data-origin="{network.site.counter}"] a')
    until(lambda: "count" in text(driver, "#entries"), "the data")
    assert driver.execute_script("return document.documentElement.dataset.boot") == "snapshot"
    network.on()
    driver.get(network.site.counter)
    wait_text(driver, "#count", "3")


def test_a_newer_build_is_offered(own_browser: Callable[..., Any], network: Network) -> None:
    """An open page of the store offers a newer build: used while an app writes, it loses no write, and it is kept."""
    driver = own_browser()
    connect_test_app(driver, network.site.url("app"))
    begin(driver)
    tab = driver.current_window_handle
    store = driver.new_tab(network.site.store)
    find(driver, "#apps [data-origin]")
    before = wait_kept(driver)
    old = build_shown(driver)
    assert not driver.find_elements("css selector", "#use-newer")
    with DevTools(driver) as tools:
        assert [old in worker["url"] for worker in tools.workers()] == [True]
        new = newer_build(network.dist / "store")
        look_again(driver)
        click(driver, "#use-newer")
        until(lambda: build_shown(driver) == new, "the newer build's page")
        find(driver, "#apps [data-origin]")
        until(lambda: [new in worker["url"] for worker in tools.workers()] == [True], "the old worker to end")
    driver.switch_to.window(tab)
    wait_for_writes(driver, 50)
    stop_writing(driver)
    assert py(driver, "return failed") == []
    assert py(driver, ALL_THERE) == []
    driver.switch_to.window(store)
    until(
        lambda: len(after := wait_kept(driver)) == 2 and after[0] == before[0], "the newer build to be kept"
    )
    network.off(driver)
    driver.refresh()
    find(driver, "#apps [data-origin]")
    assert build_shown(driver) == new
    assert not driver.find_elements("css selector", "#newer")


UPDATE = f"""{SETTLED}
    const found = new Promise((done) => (registration.onupdatefound = () => done(registration.installing)));
    registration.update().catch(() => {{}});
    const newer = await found;
    await settled(newer);
    return [newer.state, await caches.keys()];
"""


def test_half_of_a_build_is_not_kept(browser: Callable[..., Any], network: Network) -> None:
    """A newer build of which a file is missing, or another one, is not kept: without a network the old one works on."""
    driver = browser()
    driver.get(network.site.store)
    find(driver, "#create-profile")
    before = wait_kept(driver)
    old = build_shown(driver)
    new = newer_build(network.dist / "store")
    style = network.dist / "store" / new / "style.css"
    content = style.read_bytes()
    for harm in (None, content + b"\n"):
        style.unlink(missing_ok=True)
        for variant in style.parent.glob("style.css.*"):
            variant.unlink()
        if harm:
            style.write_bytes(harm)
        assert driver.run(UPDATE) == ["redundant", before]
    network.off(driver)
    driver.refresh()
    find(driver, "#create-profile")
    assert build_shown(driver) == old
    network.on()
    style.unlink()
    style.write_bytes(content)
    state, names = driver.run(UPDATE)
    assert (state, len(names), names[0]) == ("activated", 2, before[0])
    network.off(driver)
    driver.refresh()
    find(driver, "#create-profile")
    assert build_shown(driver) == new


@pytest.mark.slow("two builds are kept, and two browsers one after the other")
def test_an_app_last_opened_two_builds_ago(
    own_browser: Callable[..., Any], network: Network, tmp_path: Path
) -> None:
    """An app that was not opened since two newer builds came works without a network, with the newest one's worker."""
    driver = own_browser(profile=tmp_path / "profile")
    count_once(driver, network)
    driver.get(network.site.store)
    find(driver, "#apps [data-origin]")
    first, old = wait_kept(driver)[0], build_shown(driver)
    for _ in range(2):
        newer_build(network.dist / "store")
        assert driver.run(UPDATE)[0] == "activated"
    names = wait_kept(driver)
    assert len(names) == 2 and first not in names
    network.off(driver)
    driver.quit()
    driver = own_browser(profile=tmp_path / "profile")
    driver.get(network.site.counter)
    wait_text(driver, "#count", "1")
    click(driver, "#plus")
    wait_text(driver, "#count", "2")
    in_frame(driver)
    script = driver.run("return document.querySelector('script').src")
    assert old in script  # the frame is still the old one


def test_a_network_that_does_not_answer(own_browser: Callable[..., Any], network: Network) -> None:
    """Where connections stay without an answer, the store opens from what is kept, after a short wait."""
    driver = own_browser()
    driver.get(network.site.store)
    find(driver, "#create-profile")
    wait_kept(driver)
    driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    network.server.stall()
    driver.refresh()
    find(driver, "#create-profile")
    took = driver.execute_script("return performance.getEntriesByType('navigation')[0].responseStart")
    assert 2_500 < took < 20_000


def test_what_nobody_keeps_is_left_alone(browser: Callable[..., Any], network: Network) -> None:
    """Under the service worker other requests go to the host as ever: its refusals arrive, and no POST is answered."""
    driver = browser()
    driver.get(network.site.store)
    find(driver, "#create-profile")
    (name,) = wait_kept(driver)
    driver.refresh()
    find(driver, "#create-profile")
    tried = driver.run("""
        const status = (address, how) => fetch(address, how).then(({ status }) => status, () => "failed");
        return [navigator.serviceWorker.controller !== null, await status("no-such-file.js"),
            await status("client/masq/errors.py"), await status("./", { method: "POST" })];
    """)
    assert tried == [True, 404, 200, 501]
    kept = "return (await (await caches.open(args[0])).keys()).map(({ url }) => new URL(url).pathname)"
    assert [path for path in driver.run(kept, name) if path.startswith("/client/")] == []


def test_a_plain_host_below_a_path(own_browser: Callable[..., Any], dist: Path, tmp_path: Path) -> None:
    """On a host that sends no header of ours, below a path, the store is kept, and opens when that host is gone."""
    copy_of(dist, tmp_path / "below", whole=True)
    server = Server(("127.0.0.1", 0), functools.partial(Plain, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    driver = own_browser()
    address = f"http://store.localhost:{server.server_address[1]}/below/store/"
    try:
        driver.get(address)
        find(driver, "#create-profile")
        wait_kept(driver)
        driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    finally:
        server.shutdown()
        server.server_close()
    driver.get(address + "index.html")
    find(driver, "#create-profile")
    assert is_off(driver, address + "nobody-keeps-this")


def test_it_can_be_installed(own_browser: Callable[..., Any], network: Network) -> None:
    """Chromium finds the manifest without fault and would install the store; nothing is logged as an error."""
    driver = own_browser()
    driver.get(network.site.store)
    find(driver, "#create-profile")
    manifest = driver.execute_cdp_cmd("Page.getAppManifest", {})
    assert manifest["errors"] == []
    assert manifest["url"] == network.site.store + "/manifest.webmanifest"
    errors = driver.execute_cdp_cmd("Page.getInstallabilityErrors", {})["installabilityErrors"]
    assert errors == []
    wait_kept(driver)
    assert [entry for entry in driver.console() if entry["level"] == "SEVERE"] == []


def test_where_service_workers_are_refused(own_browser: Callable[..., Any], network: Network) -> None:
    """Where the browser refuses a service worker, the store works as it did, and no error is logged."""
    driver = own_browser()
    refuse = (
        "navigator.serviceWorker.register = () => Promise.reject(new DOMException('no', 'SecurityError'))"
    )
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": refuse})
    driver.get(network.site.counter)
    let_in(driver)
    click(driver, "#plus")
    wait_text(driver, "#count", "1")
    assert driver.run("return (await navigator.serviceWorker.getRegistrations()).length") == 0
    driver.get(network.site.store)
    find(driver, "#apps [data-origin]")
    newer_build(network.dist / "store")
    look_again(driver)
    find(driver, "#use-newer")
    assert [entry for entry in driver.console() if entry["level"] == "SEVERE"] == []
