"""A profile with a passphrase that does not stay unlocked: what keeps it open. What locks it: test_consent.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.devtools import DevTools
from browser.steps import (
    click,
    connect_test_app,
    find,
    finished,
    is_shown,
    make_profile,
    outcome_of,
    py,
    start,
    until,
)
from browser.test_hand_over import newer_build
from conftest import Site

WORDS = "correct horse"

STATES = """
states = []
async for status in store.watch_status():
    states.append(status.state)
return states
"""
"""What the app hears of itself until it closes the store."""


def locked_when_closed(driver: Any, site: Site) -> str:
    """Make Ann's profile under a passphrase in a tab of the store, and return the tab's name."""
    driver.get(site.store)
    make_profile(driver, "Ann", WORDS, stay_unlocked=False)
    find(driver, "#apps")
    return str(driver.current_window_handle)


def test_a_reload_does_not_lock(own_browser: Callable[..., Any], site: Site) -> None:
    """The store's only page, reloaded, shows the apps; so it does when the worker died meanwhile."""
    driver = own_browser()
    locked_when_closed(driver, site)
    driver.refresh()
    until(lambda: is_shown(driver, "#apps") or is_shown(driver, "#unlock"), "the store's page")
    assert not is_shown(driver, "#unlock")
    with DevTools(driver) as tools:
        (worker,) = tools.workers()
        driver.execute_script("window.before = true")
        tools.call("Target.closeTarget", targetId=worker["targetId"])
        until(lambda: driver.execute_script("return !window.before"), "the page to start anew")
    until(lambda: is_shown(driver, "#apps") or is_shown(driver, "#unlock"), "the store's page")
    assert not is_shown(driver, "#unlock")


def test_a_dead_worker_does_not_lock_an_app(own_browser: Callable[..., Any], site: Site) -> None:
    """The worker dies with only an app's tab open: the app goes on without being told Locked."""
    driver = own_browser()
    store = locked_when_closed(driver, site)
    driver.new_tab(site.url("app"))
    connect_test_app(driver, site.url("app"))
    py(driver, "await store.set('a', 1)")
    start(driver, "states", STATES)
    app = driver.current_window_handle
    driver.switch_to.window(store)
    driver.close()
    driver.switch_to.window(app)
    with DevTools(driver) as tools:
        (worker,) = tools.workers()
        tools.call("Target.closeTarget", targetId=worker["targetId"])
    until(lambda: outcome_of(driver, "return await store.get('a')").get("result") == 1, "the next worker")
    py(driver, "await store.close()")
    assert "locked" not in finished(driver, "states")["result"]


def test_a_newer_build_does_not_lock(own_browser: Callable[..., Any], own_site: Site) -> None:
    """A newer build takes over an app of a profile that is open only for now: the app notices nothing."""
    driver = own_browser()
    locked_when_closed(driver, own_site)
    driver.new_tab(own_site.url("app"))
    connect_test_app(driver, own_site.url("app"))
    start(driver, "states", STATES)
    app = driver.current_window_handle
    with DevTools(driver) as tools:
        new = newer_build(own_site.server.dist / "store")
        driver.new_tab(own_site.store)
        until(lambda: [new in worker["url"] for worker in tools.workers()] == [True], "the old worker to end")
    until(lambda: is_shown(driver, "#apps") or is_shown(driver, "#unlock"), "the store's page")
    assert not is_shown(driver, "#unlock")
    driver.switch_to.window(app)
    assert py(driver, "await store.set('a', 2)\nreturn await store.get('a')") == 2
    py(driver, "await store.close()")
    assert finished(driver, "states")["result"] in (["ready"], ["ready", "closed"], ["closed"], [])


def unlocks(driver: Any, words: str) -> bool:
    """Try a passphrase on the store's page, and say whether it was the right one."""
    field = find(driver, "#passphrase")
    field.clear()
    field.send_keys(words)
    earlier = driver.find_elements("css selector", "#error")
    click(driver, "#unlock")

    def answered() -> bool:
        errors = [error for error in driver.find_elements("css selector", "#error") if error not in earlier]
        return bool(errors) or is_shown(driver, "#apps")

    until(answered, "an answer")
    return is_shown(driver, "#apps")


@pytest.mark.slow("five browsers one after the other")
def test_killed_while_the_passphrase_changes(
    own_browser: Callable[..., Any], site: Site, tmp_path: Path
) -> None:
    """The browser dies at several moments of a change: the old or the new passphrase opens the store each time."""
    opened = []
    present = WORDS
    for number, seconds in enumerate((0.0, 0.06, 0.12, 0.25, 1.0)):
        driver = own_browser(profile=tmp_path)
        driver.get(site.store)
        if number == 0:
            make_profile(driver, "Ann", WORDS, stay_unlocked=False)
        else:
            # What the change before was killed at is not known: one of the two opens it.
            present = next(words for words in (f"words {number - 1}", present) if unlocks(driver, words))
            opened.append(present)
        find(driver, "#apps")
        driver.get(site.store + "/#/settings")
        click(driver, "#open-change-passphrase")
        for field, words in (
            ("#passphrase", present),
            ("#passphrase-new", f"words {number}"),
            ("#passphrase-repeat", f"words {number}"),
        ):
            find(driver, field).send_keys(words)
        click(driver, "#save-passphrase")
        time.sleep(seconds)  # not a wait: the moment at which the browser dies
        driver.kill()
    assert len(opened) == 4
    print(f"opened by {opened}")
