"""Two browsers, each a device of its own, at the relay of `python3 serve.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.devices import confirm, invite, look, names, take
from browser.serving import Served
from browser.steps import allow, click, find, is_shown, make_profile, text, until, wait_text
from selenium.webdriver.common.by import By


@pytest.fixture(scope="module")
def served(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The sites and the relay, as `python3 serve.py` serves them."""
    running = Served(tmp_path_factory.mktemp("relay"))
    yield running
    running.stop()


def connect(driver: Any) -> None:
    """Connect the counter: by a question where the person has not allowed it yet, else it is connected by itself."""
    until(
        lambda: (
            is_shown(driver, "#plus")
            and driver.find_element(By.CSS_SELECTOR, "#plus").is_enabled()
            or driver.find_element(By.CSS_SELECTOR, "#connect").get_attribute("data-masq-state") == "connect"
        ),
        "the counter to know where it stands",
    )
    if not driver.find_element(By.CSS_SELECTOR, "#plus").is_enabled():
        allow(driver)
    until(lambda: driver.find_element(By.CSS_SELECTOR, "#plus").is_enabled(), "the counter to be connected")


def test_the_six_steps_of_the_whitepaper(served: Served, browser: Callable[..., Any]) -> None:
    """A counter on device 1, a link to device 2, the same value there, and changes flow both ways."""
    one, two = browser(), browser()
    # 1. Device 1 opens the store, and enables pairing.
    one.get(served.store)
    make_profile(one, "Ann")
    find(one, "#apps")
    link = invite(one, served.store)
    look(one, "steps-1-invite")
    store_tab = one.current_window_handle
    # 2. and 3. The counter asks for permission on device 1, and counts.
    one.new_tab(served.demo("counter"))
    counter_tab = one.current_window_handle
    connect(one)
    for _ in range(3):
        click(one, "#plus")
    wait_text(one, "#count", "3")
    look(one, "steps-3-counter")
    # 4. Device 2 opens the link, and shows six digits that are typed on device 1.
    two.get(link)
    find(two, ".code#pair-code")
    look(two, "steps-4-digits")
    one.switch_to.window(store_tab)
    find(one, "input#pair-code")
    look(one, "steps-4-type")
    confirm(one, two)
    find(two, "#device-name")
    look(two, "steps-4-take")
    take(two, "Telephone")
    look(two, "steps-4-taken")
    until(lambda: names(one) == ["Chromium on Linux", "Telephone"], "device 1 to list both")
    look(one, "steps-4-devices")
    two.get(f"{served.store}/#/devices")
    until(lambda: names(two) == ["Telephone", "Chromium on Linux"], "device 2 to list both")
    look(two, "steps-4-devices-2")
    # 5. and 6. The counter on device 2 shows the same, and changes flow both ways.
    two.get(served.demo("counter"))
    connect(two)
    wait_text(two, "#count", "3")
    one.switch_to.window(counter_tab)
    click(two, "#plus")
    wait_text(two, "#count", "4")
    wait_text(one, "#count", "4")
    click(one, "#minus")
    wait_text(one, "#count", "3")
    wait_text(two, "#count", "3")
    look(two, "steps-6-counter")
    for driver in (one, two):
        assert driver.policy_errors() == []
        assert [e["message"] for e in driver.console() if e["level"] == "SEVERE"] == []
        assert text(driver, "#message")
