"""Two browsers, each a device of its own, at the relay of `python3 serve.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser.devices import OWN_NAME, confirm, invite, look, names, severe, take
from browser.serving import Served
from browser.steps import click, connect_counter, find, make_profile, text, until, wait_text


@pytest.mark.slow("two devices, six steps")
@pytest.mark.engines
def test_the_six_steps_of_the_whitepaper(
    served: Served, own_browser: Callable[..., Any], surroundings: str
) -> None:
    """A counter on device 1, a link to device 2, the same value there, and changes flow both ways."""
    one, two = own_browser(), own_browser()
    own = OWN_NAME[one.engine]
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
    connect_counter(one)
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
    until(lambda: names(one) == [own, "Telephone"], "device 1 to list both")
    look(one, "steps-4-devices")
    two.get(f"{served.store}/#/devices")
    until(lambda: names(two) == ["Telephone", own], "device 2 to list both")
    look(two, "steps-4-devices-2")
    # 5. and 6. The counter on device 2 shows the same, and changes flow both ways.
    two.get(served.demo("counter"))
    connect_counter(two)
    wait_text(two, "#count", "3")
    one.switch_to.window(counter_tab)
    click(two, "#plus")
    wait_text(two, "#count", "4")
    wait_text(one, "#count", "4")
    click(one, "#minus")
    wait_text(one, "#count", "3")
    wait_text(two, "#count", "3")
    look(two, "steps-6-counter")
    with_whom = "your other devices" if surroundings == "chromium-allowed" else "your store"
    for driver in (one, two):
        wait_text(driver, "#sync", f"In step with {with_whom}.")
        assert driver.policy_errors() == []
        assert severe(driver) == []
        assert text(driver, "#message")
