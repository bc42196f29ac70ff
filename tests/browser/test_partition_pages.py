"""Where the browser keeps apps apart from the store: what its person sees of that, from the question to the removal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from browser.devices import look, severe
from browser.readable import WIDTHS, faults, resize, show_theme
from browser.steps import answer, click, find, is_counting, make_profile, popup, text, until
from conftest import Site

SAID = {
    "copy": "Counter in this browser",
    "apart": "This browser keeps Counter's data apart from your store.",
    "alone": "Without a relay the copy meets the others only while the store's window is open: "
    "click Sync now in the app.",
    "holders": "No other device has it.",
    "remove": "Remove Counter in this browser?",
    "removed": "Counter in this browser was removed.",
    "question": "May this app keep its data in your store?",
}
"""In French: tests/unit/ui/test_ui_devices.py, and how it fits into the pages in test_pages.py."""


def state(driver: Any) -> str:
    """Return what the app's button shows."""
    return driver.find_element("css selector", "#connect").get_dom_attribute("data-masq-state") or ""


def read(driver: Any, axe: str, name: str, at: str = "h1") -> None:
    """Leave pictures of the store's page, wide and narrow, light and dark, and see that everybody can read it.

    `at`: the element that stands in the middle of the pictures.
    """
    for theme in ("light", "dark"):
        show_theme(driver, theme)
        for width in WIDTHS:
            resize(driver, width)
            driver.execute_script(
                "document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", at
            )
            look(driver, f"apart-{name}-{theme}-{width}")
    assert faults(driver, axe) == []
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    show_theme(driver, "light")


@pytest.mark.slow("pictures and axe-core's rules of each page; the browser is started again")
def test_from_the_question_to_the_removal(
    own_browser: Callable[..., Any], site: Site, axe: str, tmp_path: Path
) -> None:
    """The window asks and says what is special; app and store then tell where the data is, and what waits."""
    first = own_browser("chromium-blocked", profile=tmp_path)
    first.get(site.store)
    make_profile(first, "Ann")
    find(first, "#apps")
    # The question.
    first.get(site.counter)
    until(lambda: state(first) == "connect", "the Connect button")
    click(first, "#connect")
    with popup(first):
        find(first, "#allow")
        assert text(first, ".context") == SAID["question"]
        assert SAID["alone"] in text(first, "#apart")
        read(first, axe, "question")
        click(first, "#allow")
    until(lambda: is_counting(first), "the counter to be connected")
    first.quit()
    # No window of the store is open, nor is its worker at work: what is counted now is nowhere else.
    driver = own_browser("chromium-blocked", profile=tmp_path)
    driver.get(site.counter)
    until(lambda: is_counting(driver), "the counter to open by itself")
    assert text(driver, "#connect") == "Sync now" and state(driver) == "apart"
    assert text(driver, "#sync") == "Kept on this device."
    for _ in range(3):
        click(driver, "#plus")
    until(lambda: text(driver, "#connect") == "Sync now (3)", "the button to say what waits")
    assert text(driver, "#sync") == "Changes that only this browser has: 3. Press Sync now."
    for theme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": theme}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        for width in WIDTHS:
            resize(driver, width)
            look(driver, f"apart-counter-{theme}-{width}")
        assert faults(driver, axe, (theme,)) == []
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    # Sync now: a window that asks nothing.
    click(driver, "#connect")
    asked: list[str] = []
    with popup(driver):
        answer(driver, asked)
    assert asked == []
    until(
        lambda: text(driver, "#sync") != "Changes that only this browser has: 3. Press Sync now.",
        "less to wait",
    )
    counter = driver.current_window_handle
    # The app's page in the store.
    driver.new_tab(f"{site.store}/#/app/{quote(site.counter, safe='')}")
    until(lambda: "3" in text(driver, "#entries"), "what was counted to be in the store")
    assert SAID["holders"] in text(driver, "#app-sync-state")
    assert text(driver, "#apart") == f"{SAID['apart']} {SAID['alone']}"
    assert text(driver, "#copies .name") == SAID["copy"]
    read(driver, axe, "app", "#apart")
    # The list of devices, and the copy's removal.
    driver.get(f"{site.store}/#/devices")
    until(lambda: len(driver.find_elements("css selector", "#devices > li")) == 1, "the list of devices")
    assert text(driver, "#copies .name") == SAID["copy"]
    read(driver, axe, "devices", "#copies")
    click(driver, "[id^=open-remove-copy]")
    until(lambda: text(driver, "#remove-copy-question") == SAID["remove"], "the question by name")
    read(driver, axe, "remove", "#remove-copy")
    click(driver, "#remove-copy")
    until(lambda: text(driver, "#notice").startswith(SAID["removed"]), "the word about it")
    assert not driver.find_elements("css selector", "#copies")
    assert severe(driver) == []
    # The app hears of it, for the store is open; its button asks again.
    driver.switch_to.window(counter)
    until(lambda: state(driver) == "connect", "the app to be a stranger")
    click(driver, "#connect")
    with popup(driver):
        answer(driver, asked)
    assert asked == ["#allow"]
    until(lambda: is_counting(driver) and text(driver, "#count") == "3", "all of it to be back")
