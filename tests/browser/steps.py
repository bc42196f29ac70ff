"""What a person does, in steps that the browser tests share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from browser.phases import APP, CONSENT, STORE, phase
from browser.waiting import PATIENCE_SECONDS, looks
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    NoSuchWindowException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Return the first true result of `condition`; fails naming `what` after `seconds`."""
    for _ in looks(seconds):
        try:
            result = condition()
        except (NoSuchElementException, StaleElementReferenceException):
            continue
        if result:
            return result
    raise AssertionError(f"waited {seconds:.0f} s for {what}")


def find(driver: Any, selector: str) -> Any:
    """Return the element once it is there and shown."""
    return until(lambda: driver.shown(selector), f"{selector} at {driver.current_url}")


def is_shown(driver: Any, selector: str) -> bool:
    """Say whether the element is there and shown now."""
    return driver.shown(selector) is not None


def click(driver: Any, selector: str) -> None:
    """Click the element once it can be clicked."""

    def press() -> bool:
        element = driver.shown(selector)
        if element is None or not element.is_enabled():
            return False
        try:
            if element.get_dom_attribute("data-held") is not None:
                return False  # the window has to stand still first
            element.click()
        except NoSuchWindowException:
            pass  # it has closed by that very click
        except (ElementClickInterceptedException, ElementNotInteractableException):
            return False
        return True

    until(press, f"a click on {selector}")


def text(driver: Any, selector: str) -> str:
    """Return the text of the element, "" where it is not there."""
    return str(driver.text(selector))


def wait_text(driver: Any, selector: str, wanted: str) -> None:
    """Wait until the element's text is `wanted`."""
    until(lambda: text(driver, selector) == wanted, f"{selector} to say {wanted!r}")


@contextmanager
def popup(driver: Any, *, closes: bool = True) -> Iterator[None]:
    """Be in the window that opens; on leaving wait until it has closed, and be back where we were."""
    home = driver.current_window_handle
    known = set(driver.window_handles) - {home}

    def opened() -> Any:
        return next(
            (
                handle
                for handle in driver.window_handles
                if handle != home and _is_popup(driver, handle, known)
            ),
            None,
        )

    handle = until(opened, "the store's window")
    driver.switch_to.window(handle)
    yield
    if closes:
        until(lambda: handle not in driver.window_handles, "the store's window to close")
    driver.switch_to.window(home)


def _is_popup(driver: Any, handle: str, known: set[str]) -> bool:
    here = driver.current_window_handle
    try:
        driver.switch_to.window(handle)
        return "#connect=" in driver.current_url
    except NoSuchWindowException:
        return False
    finally:
        driver.switch_to.window(here)


def make_profile(driver: Any, name: str = "Ann", passphrase: str = "", stay_unlocked: bool = False) -> None:
    """Fill in the form that makes a profile."""
    find(driver, "#profile-name").send_keys(name)
    if passphrase:
        find(driver, "#passphrase").send_keys(passphrase)
        find(driver, "#passphrase-repeat").send_keys(passphrase)
        box = find(driver, "#stay-unlocked")
        if box.is_selected() != stay_unlocked:
            box.click()
    click(driver, "#create-profile")


ANSWERED = """
    const open = window.open;
    window.open = (url, ...how) => open.call(window, url.replace("/#", "/answer/#"), ...how);
"""
"""Has the page open the few lines that answer in the place of the store's window."""


def allow(driver: Any, *, connect: str = "#connect") -> None:
    """Press the app's Connect button and allow it in the store's window, with a profile made if there is none."""
    until(
        lambda: (
            driver.find_element(By.CSS_SELECTOR, connect).get_dom_attribute("data-masq-state")
            in ("connect", "locked")
        ),
        "the Connect button",
    )
    click(driver, connect)
    with popup(driver):
        answer(driver)


def let_in(driver: Any, *, connect: str = "#connect") -> None:
    """As `allow`, where a test is not about the store's window: a few lines stand for it (site/answer)."""
    until(lambda: button_state(driver) == "connect", "the Connect button")
    before = len(driver.window_handles)
    driver.execute_script(ANSWERED)
    click(driver, connect)
    until(lambda: button_state(driver) in ("connected", "closed"), "the app to have been connected")
    until(lambda: len(driver.window_handles) == before, "the window to close")


def answer(driver: Any, asked_for: list[str] | None = None) -> None:
    """Allow the app in the store's window; where it needs no more than the window, that closes by itself.

    `asked_for` is given what the window asked.
    """
    window = driver.current_window_handle

    def asked() -> str:
        if window not in driver.window_handles:
            return "closed"
        return next((s for s in ("#allow", "#create-profile") if is_shown(driver, s)), "")

    try:
        first = until(asked, "the store's question")
        if first == "closed":
            return
        if asked_for is not None:
            asked_for.append(first)
        if first == "#create-profile":
            make_profile(driver)
        click(driver, "#allow")
    except NoSuchWindowException:
        return


def is_counting(driver: Any) -> bool:
    """Say whether the counter demo is connected."""
    return is_shown(driver, "#plus") and bool(driver.find_element(By.CSS_SELECTOR, "#plus").is_enabled())


def connect_counter(driver: Any) -> None:
    """Connect the counter: by a question where the person has not allowed it yet, else it is connected by itself.

    Where the browser keeps the store's data apart, it takes a click even if the profile has allowed the app already.
    """
    until(
        lambda: (
            is_counting(driver)
            or driver.find_element(By.CSS_SELECTOR, "#connect").get_dom_attribute("data-masq-state")
            == "connect"
        ),
        "the counter to know where it stands",
    )
    if not is_counting(driver):
        allow(driver)
    until(lambda: is_counting(driver), "the counter to be connected")


def py(driver: Any, code: str) -> Any:
    """Run the body of an async function in the test app's Python and return its result."""
    outcome = outcome_of(driver, code)
    assert "error" not in outcome, outcome
    return outcome["result"]


def outcome_of(driver: Any, code: str) -> dict[str, Any]:
    """Run the body of an async function; return {"result"} or {"error", "sentence", "fields"}."""
    return dict(
        driver.execute_async_script(
            "const [code, done] = arguments;"
            "const failed = (error) => done({ error: 'it did not run', sentence: String(error) });"
            "const go = () => window.py ? py(code).then(done, failed) : setTimeout(go, 20); go();",
            code,
        )
    )


def start(driver: Any, name: str, code: str) -> None:
    """Start the body of an async function in the test app under a name, for `finished`."""
    until(lambda: driver.execute_script("return !!window.start"), "the test app")
    driver.execute_script("window.start(arguments[0], arguments[1])", name, code)


def finished(driver: Any, name: str) -> dict[str, Any]:
    """Wait for what was started under `name`: {"result"} or {"error", …}, and `at` in ms since 1970."""
    return dict(until(lambda: driver.execute_script("return later[arguments[0]]", name), f"{name} to finish"))


def connect_test_app(driver: Any, url: str, name: str = "Test app") -> None:
    """Open the test app, have it allowed, and leave its Store in the global `store`.

    A profile is made if there is none. The store's window is not what this is about: a few lines answer in its place.
    """
    open_app(driver, url)
    before = len(driver.window_handles)
    start(
        driver,
        "connect",
        f"global store\nstore = await masq.connect(STORE, name={json.dumps(name)}, button='#connect')",
    )
    if reconnects(driver):
        return
    with phase(CONSENT):
        driver.execute_script("window.answered = true")
        click(driver, "#connect")
        assert "error" not in finished(driver, "connect")
        until(lambda: len(driver.window_handles) == before, "the window to close")
        driver.execute_script("window.answered = false")


def open_app(driver: Any, url: str) -> None:
    """Open a test app, and wait until its Python is up."""
    with phase(APP):
        driver.get(url)
        py(driver, "return 1")


def reconnects(driver: Any) -> bool:
    """Say whether the app may work already, without being allowed once more."""
    with phase(STORE):
        known = ("connect", "locked", "connected", "apart")
        shown = until(lambda: (state := button_state(driver)) in known and state, "the Connect button")
    return shown in ("connected", "apart")


def button_state(driver: Any) -> str:
    """Return what the app's Connect button shows: "connect", "connected", "locked", …"""
    return driver.find_element(By.CSS_SELECTOR, "#connect").get_dom_attribute("data-masq-state") or ""
