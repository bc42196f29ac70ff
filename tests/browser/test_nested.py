"""Where an app may stand: inside another page, on another port, below a path."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from browser.conftest import SameSite
from browser.sites import serve
from browser.steps import (
    button_state,
    click,
    connect_test_app,
    find,
    finished,
    is_shown,
    outcome_of,
    popup,
    py,
    start,
    text,
    until,
)
from browser.test_frames import EMBED
from conftest import Site

from build.server import SiteServer

CONNECT = "global store\nstore = await masq.connect(STORE, name='Test app', button='#connect')"


def nest(driver: Any, outer: str, inner: str) -> None:
    """Open `outer`, put the page `inner` into it, and go in there."""
    driver.get(outer)
    driver.run(EMBED, inner)
    enter(driver)


def enter(driver: Any) -> None:
    """Go into the page that `nest` has put there."""
    driver.switch_to.frame(driver.find_element("css selector", "iframe[name=embedded]"))


@pytest.mark.slow("the app in three pages, each with a Python of its partition")
@pytest.mark.engines
def test_an_app_inside_a_page_of_another_origin(
    browser: Callable[..., Any], site: Site, differs: Callable[[str], bool]
) -> None:
    """What it was allowed elsewhere is not there. A word of its person's, after a warning, brings it its data."""
    driver = browser()
    connect_test_app(driver, site.url("app"))
    py(driver, "await store.set('kept', 'at home')")
    if differs("the-worker-ends-with-its-pages"):  # the store hears of it at the next click
        until(lambda: text(driver, "#connect").startswith("Sync now"), "the button to offer it")
        driver.find_element("css selector", "#connect").click()
        with popup(driver):
            pass  # it asks nothing
        until(lambda: py(driver, "return store.status.waiting") == 0, "the store to have it")
    nest(driver, site.url("other"), site.url("app"))
    assert outcome_of(driver, "await masq.connect(STORE, name='Test app')")["error"] == "NotRegistered"
    start(driver, "connect", CONNECT)
    until(
        lambda: (
            driver.find_element("css selector", "#connect").get_dom_attribute("data-masq-state") == "connect"
        ),
        "the Connect button",
    )
    click(driver, "#connect")
    with popup(driver):
        assert find(driver, "#app-origin").text == site.url("app")
        assert "inside another page" in find(driver, "#framed").text
        click(driver, "#allow")
    enter(driver)
    assert "error" not in finished(driver, "connect")
    assert py(driver, "return [await store.get('kept'), store.status.access]") == ["at home", "partitioned"]
    # It comes back by itself in there, and nowhere else.
    driver.refresh()
    driver.run(EMBED, site.url("app"))
    enter(driver)
    again = "store = await masq.connect(STORE, name='Test app')\nreturn await store.get('kept')"
    assert outcome_of(driver, again) == {"result": "at home"}
    nest(driver, site.url("third"), site.url("app"))
    assert outcome_of(driver, again)["error"] == "NotRegistered"


@pytest.mark.engines
def test_an_app_inside_a_page_of_its_own(browser: Callable[..., Any], site: Site) -> None:
    """A page of the app's own origin around it changes nothing: no question is asked again."""
    driver = browser()
    connect_test_app(driver, site.url("app"))
    access = py(driver, "return [await store.increment('n'), store.status.access]")[1]
    nest(driver, site.url("app"), site.url("app"))
    py(driver, "global store\nstore = await masq.connect(STORE, name='Test app')")
    assert py(driver, "return [await store.increment('n'), store.status.access]") == [2, access]


@pytest.mark.slow("the app in three pages, each with a Python of its partition")
@pytest.mark.engines
def test_ports_are_apart_and_paths_are_not(
    browser: Callable[..., Any], own_site: Site, request: pytest.FixtureRequest
) -> None:
    """An app below a path is the app of its origin; one on another port of the same host is another app."""
    dist = own_site.server.dist
    shutil.copytree(dist / "app", dist / "app" / "below" / "a-path")
    elsewhere = serve(dist, SameSite)
    elsewhere.store = own_site.store  # type: ignore[attr-defined]
    request.addfinalizer(elsewhere.stop)
    driver = browser()
    connect_test_app(driver, own_site.url("app"))
    py(driver, "await store.set('where', 'here')")
    driver.get(own_site.url("app") + "/below/a-path/")
    py(driver, "global store\nstore = await masq.connect(STORE, name='Test app')")
    assert py(driver, "return await store.get('where')") == "here"
    driver.get(f"http://app.localhost:{elsewhere.port}")
    assert outcome_of(driver, "await masq.connect(STORE, name='Test app')")["error"] == "NotRegistered"
    connect_test_app(driver, f"http://app.localhost:{elsewhere.port}", "On another port")
    assert py(driver, "return await store.items()") == {}
    driver.get(own_site.store)
    assert find(driver, f'#apps [data-origin="{own_site.url("app")}"]')
    assert find(driver, f'#apps [data-origin="http://app.localhost:{elsewhere.port}"]')
    assert not is_shown(driver, "#error")


@pytest.mark.slow("the app in three pages, one of them with a Python of its partition")
@pytest.mark.engines
def test_an_app_inside_a_page_on_the_stores_own_host(
    browser: Callable[..., Any], site: Site, beside: SiteServer
) -> None:
    """Who is above it decides, not which storage is in reach: the store is not shared with it there either."""
    driver = browser()
    app, around = (f"http://{name}.store.localhost:{beside.port}" for name in ("app", "around"))
    connect_test_app(driver, app)
    py(driver, "await store.set('kept', 'at home')")
    nest(driver, around, app)
    again = "global store\nstore = await masq.connect(STORE, name='Test app')\nreturn store.status.access"
    assert outcome_of(driver, again)["error"] == "NotRegistered"
    start(driver, "connect", CONNECT)
    until(lambda: button_state(driver) == "connect", "the Connect button")
    click(driver, "#connect")
    with popup(driver):
        assert "inside another page" in find(driver, "#framed").text
        click(driver, "#allow")
    enter(driver)
    assert "error" not in finished(driver, "connect")
    assert py(driver, "return store.status.access") == "partitioned"
    # A page of the app's own does not take that copy for one that is to be handed back to the store.
    driver.get(app)
    assert "error" not in outcome_of(driver, again)
    nest(driver, around, app)
    assert outcome_of(driver, again) == {"result": "partitioned"}
