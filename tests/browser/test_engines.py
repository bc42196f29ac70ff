"""The store in each engine: its own pages, an app that sees its storage, and devices of different engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.steps import connect_test_app, find, finished, make_profile, py, start, until
from browser.words import CRASHED
from conftest import Site
from selenium.common.exceptions import WebDriverException


@pytest.mark.engines
def test_the_store_boots_from_its_snapshot(browser: Callable[..., Any], site: Site) -> None:
    """Page and profile are there, from the memory snapshot, and nothing of it breaks the policy or says an error."""
    driver = browser()
    driver.get(site.store)
    make_profile(driver, "Ann", "correct horse")
    find(driver, "#apps")
    assert driver.run("return document.documentElement.dataset.boot") == "snapshot"
    assert driver.policy_errors() == []
    said = [entry["message"] for entry in driver.console() if "Python boots plainly" in entry["message"]]
    assert said == []


COUNT = """
numbers = []
for _ in range(3):
    numbers.append(await store.increment('n'))
"""


def connected(driver: Any) -> None:
    """Connect the test app, which has been allowed before, and leave its Store in the global `store`."""
    start(driver, "again", "global store\nstore = await masq.connect(STORE, name='Test app')")
    ended = finished(driver, "again")
    assert "error" not in ended, ended["sentence"]


@pytest.mark.slow("two browsers one after the other")
@pytest.mark.engines
def test_count_reload_restart(own_browser: Callable[..., Any], inside: Site, tmp_path: Path) -> None:
    """What an app counted is there after a reload, in another tab, and after the browser was restarted."""
    first = own_browser(profile=tmp_path)
    connect_test_app(first, f"{inside.store}/near/")
    assert py(first, COUNT + "return numbers") == [1, 2, 3]
    first.refresh()
    connected(first)
    assert py(first, "return [await store.get('n'), store.status.access]") == [3, "shared"]
    tab = first.current_window_handle
    first.new_tab(f"{inside.store}/near/")
    connected(first)
    start(first, "watch", "async for change in store.watch('n'):\n    return [change.value, change.source]")
    py(first, "await store.get('n')")  # the watch has been asked for before
    other = first.current_window_handle
    first.switch_to.window(tab)
    assert py(first, "return await store.increment('n')") == 4
    first.switch_to.window(other)
    assert finished(first, "watch")["result"] == [4, "tab"]
    first.new_tab(inside.store)
    assert "Test app" in find(first, f'#apps [data-origin="{inside.store}"]').text
    first.quit()
    second = own_browser(profile=tmp_path)
    second.get(f"{inside.store}/near/")
    connected(second)
    assert py(second, "return await store.increment('n')") == 5
    assert second.policy_errors() == []


@pytest.mark.slow("two browsers one after the other")
@pytest.mark.engines
def test_a_killed_browser_loses_nothing(
    own_browser: Callable[..., Any], inside: Site, tmp_path: Path
) -> None:
    """What the app was told is kept is there after SIGKILL."""
    first = own_browser(profile=tmp_path)
    connect_test_app(first, f"{inside.store}/near/")
    told = py(first, COUNT + "return numbers[-1]")
    first.kill()
    second = own_browser(profile=tmp_path)
    second.get(f"{inside.store}/near/")
    connected(second)
    assert py(second, "return await store.get('n')") == told


@pytest.mark.engines
def test_an_unlocked_profile_stays_so_over_a_reload(
    browser: Callable[..., Any], site: Site, differs: Callable[[str], bool]
) -> None:
    """A profile with a passphrase is still open when its only page has been reloaded, by the same worker."""
    driver = browser()
    driver.get(site.store)
    make_profile(driver, "Ann", "correct horse")
    find(driver, "#apps")
    before = worker_of(driver)
    driver.refresh()
    until(lambda: driver.find_elements("css selector", "#apps, #unlock"), "the page to be back")
    find(driver, "#apps")
    assert (worker_of(driver) == before) != differs("the-worker-ends-with-its-pages")


def worker_of(driver: Any) -> str:
    """Return the id of the one worker of the store's origin, seen from its page."""
    held = """
        const { held, pending } = await navigator.locks.query();
        // Pages hold such a lock, too. Many may queue for a worker's; for a page's, the worker alone does.
        const queued = pending.filter(({ mode }) => mode === "shared").map(({ name }) => name);
        return held.map(({ name }) => name).filter((name) => queued.includes(name));
    """

    def look() -> list[str] | None:
        found = {name for name in driver.run(held) if name.startswith("masq-alive-")}
        return list(found) if len(found) == 1 else None

    return str(until(look, "one worker to be alive")[0])


@pytest.mark.browser
def test_a_crash_is_told_of_at_once(own_browser: Callable[..., Any]) -> None:
    """A wait in a page that has crashed ends with that word and not with its time, and the crash leaves a dump."""
    driver = own_browser()
    with pytest.raises(WebDriverException, match=CRASHED):
        driver.get("chrome://crash")
    with pytest.raises(WebDriverException, match=CRASHED):
        driver.find("#anything")
    for dump in until(driver.crashes, "a dump"):
        dump.unlink(missing_ok=True)  # nobody needs to read that one
