"""The main story in every engine, with the store's data within the reach of apps' pages and kept apart from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.devices import look
from browser.serving import Served
from browser.steps import (
    allow,
    click,
    connect_counter,
    find,
    is_counting,
    is_shown,
    text,
    until,
    wait_text,
)
from conftest import DEFAULT


@pytest.mark.slow("the whole story, with two demos")
@pytest.mark.quick
@pytest.mark.engines
def test_the_main_story(
    served: Served, own_browser: Callable[..., Any], surroundings: str, tmp_path: Path
) -> None:
    """An app is connected, counts, is reloaded, is live in two tabs, sees no other app's data, and is withdrawn."""
    driver = own_browser(profile=tmp_path, optimizing=surroundings == DEFAULT)  # as people's, once
    counter, tasks = served.demo("counter"), served.demo("tasks")
    driver.get(counter)
    allow(driver)
    for _ in range(3):
        click(driver, "#plus")
    wait_text(driver, "#count", "3")
    look(driver, f"story-{surroundings}-counter")
    driver.refresh()
    wait_text(driver, "#count", "3")
    until(lambda: is_counting(driver), "the counter to be connected again, without a click")
    one = driver.current_window_handle
    two = driver.new_tab(counter)
    wait_text(driver, "#count", "3")
    click(driver, "#plus")
    wait_text(driver, "#count", "4")
    driver.switch_to.window(one)
    wait_text(driver, "#count", "4")
    driver.switch_to.window(two)
    driver.get(tasks)
    allow(driver)  # by a question of its own
    until(lambda: is_shown(driver, "form input"), "the list of tasks")
    assert not driver.find_elements("css selector", "#tasks li")
    driver.get(served.store)
    until(lambda: f"{counter}" in text(driver, "#apps") and tasks in text(driver, "#apps"), "both apps")
    until(
        lambda: "1 entry" in find(driver, f'#apps [data-origin="{counter}"]').text, "what the counter keeps"
    )
    look(driver, f"story-{surroundings}-store")
    click(driver, f'#apps [data-origin="{counter}"] a')
    click(driver, "#withdraw")
    click(driver, "#withdraw-confirm")
    until(lambda: counter not in text(driver, "#apps"), "the counter to be gone")
    driver.switch_to.window(one)
    until(lambda: not is_counting(driver), "the open counter to end")
    until(lambda: "not approved" in text(driver, "#message"), "the counter to say why")
    connect_counter(driver)  # the person changes their mind: the data were kept
    wait_text(driver, "#count", "4")
    assert driver.policy_errors() == []


@pytest.mark.slow("two browsers one after the other, and a demo")
@pytest.mark.engines
def test_the_number_is_there_after_a_restart(
    served: Served, own_browser: Callable[..., Any], differs: Callable[[str], bool], tmp_path: Path
) -> None:
    """A browser that was closed shows the same number again, without a click."""
    first = own_browser(profile=tmp_path)
    first.get(served.demo("counter"))
    allow(first)
    click(first, "#plus")
    wait_text(first, "#count", "1")
    first.new_tab(served.store)
    entry = f'#apps [data-origin="{served.demo("counter")}"]'
    until(lambda: "1 entry" in text(first, entry), "the store to have it")
    first.quit()
    second = own_browser(profile=tmp_path)
    second.get(served.demo("counter"))
    if differs("the-partition-ends-with-the-browser"):
        connect_counter(second)
    wait_text(second, "#count", "1")
    assert second.policy_errors() == []
