"""Access: how the store is reached, and what an app hears where the browser keeps it away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.steps import allow, finished, outcome_of, py, start
from conftest import Site

from build.places import DEFAULT_STORE
from build.server import Handler, SiteServer


def state(driver: Any) -> str:
    """Return the state that the Connect button shows."""
    return str(driver.find_element("css selector", "#connect").get_attribute("data-masq-state"))


def test_blocked_third_party_cookies(browser: Callable[..., Any], site: Site) -> None:
    """With third-party cookies blocked: StorageUnavailable, within a second or so, naming the setting to change."""
    driver = browser(third_party_cookies=False)
    driver.get(site.url("app"))
    py(driver, "return 1")  # the app's own Python is up: from here on it is the store that is waited for
    for button in ("None", "'#connect'"):
        began = time.monotonic()
        outcome = outcome_of(driver, f"await masq.connect(STORE, name='Test app', button={button})")
        assert time.monotonic() - began < 2
        assert outcome["error"] == "StorageUnavailable"
        assert (
            "cookies" in outcome["fields"]["setting"] and outcome["fields"]["setting"] in outcome["sentence"]
        )
        assert driver.run("return document.querySelectorAll('iframe').length") == 0
    assert state(driver) == "failed"
    assert driver.find_element("css selector", "#connect").is_enabled()
    assert driver.find_element("css selector", "#connect").text == "Connect"


def test_a_browser_without_shared_workers(browser: Callable[..., Any], site: Site) -> None:
    """Where there is no SharedWorker the app hears StorageUnavailable, and the store's page says so in words."""
    driver = browser(flags=("--disable-blink-features=SharedWorker", "--disable-shared-workers"))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.SharedWorker"})
    driver.get(site.url("other"))
    outcome = outcome_of(driver, "await masq.connect(STORE, name='Test app')")
    assert outcome["error"] == "StorageUnavailable" and outcome["fields"]["setting"]
    driver.get(site.store)
    assert "current one" in driver.find_element("css selector", "main").text


class SameSite(Handler):
    """The test app whatever the host's name, with the address of a store that another port serves."""

    def _site(self) -> str:
        return "app"

    def _with_address(self, text: bytes) -> bytes:
        return text.replace(DEFAULT_STORE.encode(), self.server.store.encode())  # type: ignore[attr-defined]


@pytest.fixture
def beside(site: Site) -> Iterator[SiteServer]:
    """A server on another port, for an app of the store's own site."""
    server = SiteServer(site.server.dist)
    server.RequestHandlerClass = SameSite
    server.store = site.store  # type: ignore[attr-defined]
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("host", ["store.localhost", "app.store.localhost"])
@pytest.mark.parametrize("cookies", [True, False], ids=["allowed", "blocked"])
def test_an_app_of_the_stores_own_site(
    browser: Callable[..., Any], site: Site, beside: SiteServer, host: str, cookies: bool, tmp_path: Path
) -> None:
    """An app on another port, or below the store's name, works, also where third-party cookies are blocked."""
    driver = browser(third_party_cookies=cookies)
    address = f"http://{host}:{beside.port}"
    driver.get(address)
    start(
        driver,
        "connect",
        "global store\nstore = await masq.connect(STORE, name='Near app', button='#connect')",
    )
    allow(driver)
    assert "error" not in finished(driver, "connect")
    assert py(driver, "return [await store.increment('n'), store.status.access]") == [1, "shared"]
    # The same store as its own page's: the app is in its list.
    driver.new_tab(site.store)
    from browser.steps import find

    assert "Near app" in find(driver, f'#apps [data-origin="{address}"]').text
