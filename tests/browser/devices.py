"""What a person does with several devices, in steps that the browser tests share."""

from __future__ import annotations

from typing import Any

from browser.steps import click, connect_test_app, find, make_profile, until
from selenium.webdriver.common.by import By

from build.places import CACHE

SHOTS = CACHE / "screenshots"

OWN_NAME = {"chromium": "Chromium on Linux", "firefox": "Firefox on Linux", "webkit": "Safari on Linux"}
"""What a browser is called until its person says otherwise."""

REMARKS = (
    "RSLoader",  # Firefox, of its own settings, which it cannot fetch on a closed network
    "document.requestStorageAccess() may only be requested",  # Firefox: how it says that it gives no handle
    "Unrecognized Content-Security-Policy directive 'manifest-src'",  # WebKitGTK does not know it
)
"""What engines call an error, and is none."""

ALL_SENT = "Everything here is on the relay"
"""How the store's pages begin to say it."""


def severe(driver: Any) -> list[str]:
    """Return the errors that the console has shown, without `REMARKS`."""
    said = [entry["message"] for entry in driver.console() if entry["level"] == "SEVERE"]
    return [message for message in said if not any(remark in message for remark in REMARKS)]


def look(driver: Any, name: str) -> None:
    """Leave a picture of the page, for people to look at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    driver.save_screenshot(str(SHOTS / f"{name}.png"))


def invite(driver: Any, store: str) -> str:
    """Press "Add a device" on the page of devices, and return the link that it shows."""
    driver.get(f"{store}/#/devices")
    click(driver, "#add-device")
    return link_of(driver)


def link_of(driver: Any) -> str:
    """Return the link that the page shows."""
    return str(until(lambda: find(driver, "#pair-link").get_attribute("value"), "the link"))


def confirm(old: Any, new: Any) -> None:
    """Type on the old device the six digits that the new one shows."""
    type_digits(old, find(new, ".code#pair-code").text)


def type_digits(old: Any, digits: str) -> None:
    """Type six digits on the old device."""
    find(old, "input#pair-code").send_keys(digits)
    click(old, "#pair-confirm")


def take(new: Any, name: str, passphrase: str = "") -> None:
    """Agree on the new device to take the profile."""
    field = find(new, "#device-name")
    assert field.get_attribute("value") == OWN_NAME[new.engine]
    field.clear()
    field.send_keys(name)
    if passphrase:
        find(new, "#passphrase").send_keys(passphrase)
        find(new, "#passphrase-repeat").send_keys(passphrase)
    click(new, "#pair-confirm")
    find(new, "#taken")


def names(driver: Any) -> list[str]:
    """Return the names in the list of devices, in its order."""
    return [name.text for name in driver.find_elements(By.CSS_SELECTOR, "#devices [data-device] .name")]


def pair(old: Any, new: Any, store: str, *, profile: str = "Ann", name: str = "Telephone") -> None:
    """Make a profile on one device, and bring it to another; both are at pages of the store afterwards."""
    old.get(store)
    make_profile(old, profile)
    find(old, "#apps")
    add(old, new, store, name)


def add(old: Any, new: Any, store: str, name: str, passphrase: str = "") -> None:
    """Bring the old device's profile to another one."""
    new.get(invite(old, store))
    confirm(old, new)
    take(new, name, passphrase)
    until(lambda: name in names(old), f"{name} to be listed")


def wait_sent(driver: Any, store: str) -> None:
    """Wait on the store's page of devices until the relay has everything."""
    driver.get(f"{store}/#/devices")
    until(lambda: find(driver, "#sync-state").text.startswith(ALL_SENT), "everything to be on the relay")


def arrive(driver: Any, store: str, url: str) -> None:
    """Connect the test app on a device that hears from another one that it is allowed."""
    driver.get(store)
    until(lambda: driver.find_elements(By.CSS_SELECTOR, "#apps [data-origin]"), "the app to be known")
    connect_test_app(driver, url)
