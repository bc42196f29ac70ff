"""The main story, as a person lives it: connect, count, come back, look into the store, withdraw."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from browser.steps import (
    click,
    connect_test_app,
    find,
    finished,
    let_in,
    make_profile,
    outcome_of,
    py,
    start,
    text,
    until,
    wait_text,
)
from conftest import Site


def counted(driver: Any, number: int) -> None:
    """Wait until the counter shows `number`."""
    wait_text(driver, "#count", str(number))


@pytest.mark.engines
def test_the_store_opened_first(browser: Callable[..., Any], site: Site) -> None:
    """A store that is opened by itself, in a browser that never saw it, asks for a name and then shows its list."""
    driver = browser()
    driver.get(site.store)
    make_profile(driver)
    find(driver, "#apps")
    driver.refresh()
    find(driver, "#apps")


def test_apps_are_apart(browser: Callable[..., Any], site: Site) -> None:
    """Two apps of different origins use the same keys and see nothing of each other."""
    driver = browser()
    connect_test_app(driver, site.url("app"), "First")
    py(driver, "await store.update({'secret': 'of the first', 'count': 1})")
    driver.switch_to.new_window("tab")
    connect_test_app(driver, site.url("other"), "Second")
    assert py(driver, "return [await store.keys(), await store.get('secret')]") == [[], None]
    py(driver, "await store.set('secret', 'of the second')")
    driver.switch_to.window(driver.window_handles[0])
    assert py(driver, "return await store.items()") == {"secret": "of the first", "count": 1}


def test_tasks_demo(browser: Callable[..., Any], site: Site) -> None:
    """The tasks demo keeps what was typed over a reload, and its data are its own."""
    driver = browser()
    driver.get(site.tasks)
    let_in(driver)
    field = until(
        lambda: [
            f
            for f in driver.find_elements("css selector", "form input")
            if f.is_enabled() and f.is_displayed()
        ],
        "the field",
    )[0]
    field.send_keys("Water the plants\n")
    until(lambda: "Water the plants" in driver.find_element("css selector", "main, body").text, "the task")
    driver.refresh()
    until(
        lambda: "Water the plants" in driver.find_element("css selector", "main, body").text, "the task again"
    )
    driver.get(site.counter)
    let_in(driver)
    counted(driver, 0)


def test_the_store_shows_apps_and_withdraws(browser: Callable[..., Any], site: Site) -> None:
    """The store lists the app and its data, live; withdrawing ends its open tabs, and NotRegistered is next."""
    driver = browser()
    origin = site.url("app")
    connect_test_app(driver, origin)
    py(driver, "await store.set('greeting', 'hello there')")
    start(driver, "watch", "async for change in store.watch('never'): pass")
    start(
        driver,
        "status",
        "async for status in store.watch_status():\n    if status.state == 'closed': return status.state",
    )
    tab = driver.current_window_handle
    store = driver.new_tab(site.store)
    assert text(driver, f'#apps [data-origin="{origin}"]') or find(driver, f'#apps [data-origin="{origin}"]')
    assert "Test app" in find(driver, f'#apps [data-origin="{origin}"]').text
    click(driver, f'#apps [data-origin="{origin}"] a, a#apps [data-origin="{origin}"]')
    until(lambda: "hello there" in text(driver, "#entries"), "the data")
    driver.switch_to.window(tab)
    py(driver, "await store.set('later', 'live in the store')")
    driver.switch_to.window(store)
    until(lambda: "live in the store" in text(driver, "#entries"), "the new value")
    click(driver, "#withdraw")
    click(driver, "#withdraw-confirm")
    until(
        lambda: not driver.find_elements("css selector", f'#apps [data-origin="{origin}"]'),
        "the app to be gone",
    )
    driver.switch_to.window(tab)
    assert finished(driver, "status")["result"] == "closed"
    assert finished(driver, "watch")["error"] == "NotRegistered"
    for call in ("get('greeting')", "set('greeting', 1)", "keys()", "increment('n')"):
        assert outcome_of(driver, f"return await store.{call}")["error"] == "NotRegistered"
    driver.refresh()
    assert outcome_of(driver, "await masq.connect(STORE, name='Test app')")["error"] == "NotRegistered"
    connect_test_app(driver, origin)
    assert py(driver, "return await store.get('greeting')") == "hello there"


def test_a_second_tab_needs_no_new_python(app: Any, app_site: Site) -> None:
    """A second tab is served by the worker that is running: both see one engine's increments in order."""
    first = app.current_window_handle
    app.new_tab(app_site.url("pyodide"))
    py(app, "global store\nstore = await masq.connect(STORE, name='Test app')")
    numbers = json.loads(json.dumps(py(app, "return [await store.increment('n') for _ in range(5)]")))
    app.switch_to.window(first)
    numbers += py(app, "return [await store.increment('n') for _ in range(5)]")
    assert numbers == list(range(1, 11))
