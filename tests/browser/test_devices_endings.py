"""How pairing ends in browsers when it does not end well: both sides say so, and no half profile stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.devices import add, confirm, invite, link_of, names, pair, take, type_digits
from browser.meeting import Meeting
from browser.steps import click, find, is_shown, make_profile, text, until
from browser.test_at_rest import dump

OF_PROFILES = ("profile/", "space/", "active")
"""What the names of a profile's records begin with."""


def says(driver: Any, gist: str) -> None:
    """Wait until the page's error has these words in it."""
    until(lambda: gist in text(driver, "#error"), f"an error that says {gist!r}")


def holds_nothing(driver: Any, store: str) -> None:
    """Check that there is no profile, nor any part of one, in a browser."""
    driver.get(f"{store}/")
    find(driver, "#create-profile")
    assert kept(driver) == []


def kept(driver: Any) -> list[str]:
    """Return what of profiles is in a browser's storage; the driver must be on the store's page."""
    return [key for key in dump(driver) if key.startswith(tuple(f"records/{of}" for of in OF_PROFILES))]


def open_link(driver: Any, link: str) -> None:
    """Open a link that adds a device, also where the store's page is open already."""
    driver.get("about:blank")
    driver.get(link)


@pytest.mark.slow("two devices, and three pairings")
def test_wrong_digits_a_no_and_a_used_link(browser: Callable[..., Any], meeting: Meeting) -> None:
    """Other digits, a no, and a link that was used: each ends both sides with a sentence, and leaves nothing."""
    old, new = browser(), browser()
    old.get(meeting.store)
    make_profile(old)
    find(old, "#apps")
    link = invite(old, meeting.store)
    open_link(new, link)
    shown = find(new, ".code#pair-code").text.replace(" ", "")
    type_digits(old, f"{(int(shown) + 1) % 1_000_000:06}")
    says(old, "six digits were not those")
    says(new, "six digits were not those")
    open_link(new, link)
    until(lambda: is_shown(new, "#error"), "a word on the used link")
    holds_nothing(new, meeting.store)
    open_link(new, invite(old, meeting.store))
    confirm(old, new)
    find(new, "#device-name")
    click(new, "#pair-refuse")
    says(old, "ended on the other device")
    holds_nothing(new, meeting.store)
    old.get(f"{meeting.store}/#/devices")
    old.refresh()
    until(lambda: names(old) == ["Chromium on Linux"], "the old one to list itself alone")
    assert [e["message"] for e in old.console() + new.console() if e["level"] == "SEVERE"] == []


@pytest.mark.slow("two devices, and one is started again")
def test_browsers_that_end_midway(own_browser: Callable[..., Any], meeting: Meeting, tmp_path: Path) -> None:
    """A browser killed in the middle keeps no half profile, the other side gets out, and a new link works."""
    old, new = own_browser(), own_browser(profile=tmp_path)
    old.get(meeting.store)
    make_profile(old)
    find(old, "#apps")
    open_link(new, invite(old, meeting.store))
    find(new, ".code#pair-code")
    new.kill()
    find(old, "input#pair-code")
    click(old, "#pair-refuse")
    until(lambda: is_shown(old, "#add-device"), "the old one's way out")
    new = own_browser(profile=tmp_path)
    holds_nothing(new, meeting.store)
    add(old, new, meeting.store, "Telephone")
    assert names(old) == ["Chromium on Linux", "Telephone"]


@pytest.mark.slow("three devices")
def test_two_invitations_at_once(browser: Callable[..., Any], meeting: Meeting) -> None:
    """Two tabs of the old device add two others at the same time."""
    old, one, two = browser(), browser(), browser()
    old.get(meeting.store)
    make_profile(old)
    find(old, "#apps")
    first = old.current_window_handle
    links = [invite(old, meeting.store)]
    second = old.new_tab(f"{meeting.store}/#/devices")
    click(old, "#add-device")
    links.append(link_of(old))
    assert links[0] != links[1]
    open_link(one, links[0])
    open_link(two, links[1])
    confirm(old, two)
    old.switch_to.window(first)
    confirm(old, one)
    take(one, "Telephone")
    take(two, "Tablet")
    for window in (first, second):
        old.switch_to.window(window)
        until(lambda: sorted(names(old)) == ["Chromium on Linux", "Tablet", "Telephone"], "all three")


def test_a_removed_device_asks_before_it_erases_its_copy(
    browser: Callable[..., Any], meeting: Meeting
) -> None:
    """Removed on one device, the other says so, keeps all, and by its person's word holds nothing of it any more."""
    old, new = browser(), browser()
    pair(old, new, meeting.store)
    new.get(f"{meeting.store}/")
    find(new, "#apps")
    row = next(
        row for row in old.find_elements("css selector", "#devices [data-device]") if "Telephone" in row.text
    )
    name = row.get_attribute("data-device")
    click(old, f"#open-remove-device-{name}")
    click(old, "#remove-device")
    until(lambda: names(old) == ["Chromium on Linux"], "the list without it")
    until(lambda: is_shown(new, "#keep-removed"), "the question")
    assert kept(new) != []
    click(new, "#open-erase-removed")
    click(new, "#erase-removed")
    find(new, "#create-profile")
    holds_nothing(new, meeting.store)
