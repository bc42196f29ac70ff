"""Access: how the store is reached, and what an app hears where the browser keeps it away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser.steps import connect_test_app, find, outcome_of, py, text, until
from conftest import Site

from build.server import SiteServer


def test_blocked_third_party_cookies(browser: Callable[..., Any], site: Site) -> None:
    """With third-party cookies blocked an app is a stranger in a partition of its own, and is told so at once."""
    driver = browser("chromium-blocked")
    driver.get(site.url("app"))
    py(driver, "return 1")  # the app's own Python is up: from here on it is the store that is waited for
    outcome = outcome_of(driver, "await masq.connect(STORE, name='Test app')")
    assert outcome["error"] == "NotRegistered"
    assert driver.run("return document.querySelectorAll('iframe').length") == 0


def test_a_browser_without_shared_workers(own_browser: Callable[..., Any], site: Site) -> None:
    """Where there is no SharedWorker the app hears StorageUnavailable, and the store's page says so in words."""
    driver = own_browser(flags=("--disable-blink-features=SharedWorker", "--disable-shared-workers"))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.SharedWorker"})
    driver.get(site.url("other"))
    outcome = outcome_of(driver, "await masq.connect(STORE, name='Test app')")
    assert outcome["error"] == "StorageUnavailable" and outcome["fields"]["setting"]
    driver.get(site.store)
    assert "current one" in driver.find_element("css selector", "main").text


def test_pages_without_https(own_browser: Callable[..., Any], site: Site) -> None:
    """An app or a store that came over plain http says at once that it needs https."""
    driver = own_browser(flags=("--host-resolver-rules=MAP *.plain.test 127.0.0.1",))
    driver.get(f"http://app.plain.test:{site.server.port}")
    outcome = outcome_of(driver, "await masq.connect(STORE, name='Test app')")
    assert outcome["error"] == "StorageUnavailable"
    assert outcome["fields"] == {"reason": "the app has no https", "setting": "its https address"}
    driver.get(f"http://store.plain.test:{site.server.port}")
    until(lambda: "https only" in text(driver, "main"), "the store's page to say so")


@pytest.mark.slow("in Firefox and WebKit a Python of its partition, and the store's page")
@pytest.mark.engines
@pytest.mark.parametrize("host", ["store.localhost", "app.store.localhost"])
def test_an_app_of_the_stores_own_site(
    browser: Callable[..., Any], site: Site, beside: SiteServer, host: str, differs: Callable[[str], bool]
) -> None:
    """An app on another port, or below the store's name, reaches the store itself, even with such cookies blocked."""
    driver = browser()
    address = f"http://{host}:{beside.port}"
    connect_test_app(driver, address, "Near app")
    assert py(driver, "return [await store.increment('n'), store.status.access]") == [
        1,
        "partitioned" if differs("every-origin-is-apart") else "shared",
    ]
    # The same store as its own page's: the app is in its list.
    driver.new_tab(site.store)
    assert "Near app" in find(driver, f'#apps [data-origin="{address}"]').text
