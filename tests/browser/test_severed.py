"""Apps that cut the store's window off, where the browser keeps the store from their pages: a link joins the two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.devices import look
from browser.meeting import Meeting
from browser.steps import click, find, finished, make_profile, py, start, text, until
from selenium.webdriver.common.by import By

from build.server import Handler

CONNECT = "global store\nstore = await masq.connect(STORE, name='Severed app', button='#connect')"
FRAME = "iframe[name^=masq-]"
LOOKS = """
window.looks = 0;
const { open } = window;
window.open = (...where) => {
  const opened = open(...where);
  setInterval(() => window.looks += opened.closed ? 0 : Object.keys(opened).length === 0, 500);
  return opened;
};
"""
"""Looks as often as the app does whether the window that it opens shows another origin, and counts how often it did."""


class Severing(Handler):
    """Serves the test apps as pages that cut the windows off which they open; `third` hides its address, too."""

    def _send(self, status: int, headers: dict[str, str], body: bytes | None) -> None:
        if self._site() in ("app", "other", "third"):
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if self._site() == "third":
            headers["Referrer-Policy"] = "no-referrer"
        super()._send(status, headers, body)


class Silent(Handler):
    """Serves the store's window without its program: it shows the store's address and comes no further."""

    def _send(self, status: int, headers: dict[str, str], body: bytes | None) -> None:
        if self._site() == "store" and self.path.partition("?")[0] == "/" and body is not None:
            body = b"<!doctype html><title>On its way</title>"
            headers = {"Content-Type": "text/html", "Content-Length": str(len(body))}
        super()._send(status, headers, body)


@pytest.fixture
def severing(dist: Path, tmp_path: Path) -> Iterator[Meeting]:
    """Sites and a relay for one test, whose test apps are severed."""
    running = Meeting(dist, tmp_path / "meeting")
    running.server.RequestHandlerClass = Severing
    yield running
    running.stop()


def state(driver: Any) -> str:
    """Return the state that the app's button shows."""
    return str(driver.find_element(By.CSS_SELECTOR, "#connect").get_dom_attribute("data-masq-state"))


def clicked(driver: Any, app: str) -> tuple[str, str]:
    """Open an app, and its button's window. Returns the names of both windows."""
    driver.get(app)
    start(driver, "connect", CONNECT)
    until(lambda: state(driver) == "connect", "the Connect button")
    home = driver.current_window_handle
    click(driver, "#connect")
    window = driver.wait_window([home])
    until(lambda: "#connect=" in driver.current_url, "the store's page")
    assert driver.run("return window.opener") is None
    return home, window


def link_in(driver: Any) -> str:
    """Return the link that the store's window shows."""
    return str(find(driver, "#app-link").get_attribute("value"))


def paste(driver: Any, text: str) -> None:
    """Put a text into the strip of the store's frame, in the app's page, and send it."""
    until(lambda: driver.find_element(By.CSS_SELECTOR, FRAME).is_displayed(), "the strip")
    driver.switch_to.frame(driver.find_element(By.CSS_SELECTOR, FRAME))
    try:
        click(driver, "#link")  # in WebKit a frame of another site gets the focus from a person only
        field = driver.find_element(By.CSS_SELECTOR, "#link")
        field.clear()
        field.send_keys(text)
        click(driver, "button")
    finally:
        driver.switch_to.default_content()


def strip(driver: Any) -> str:
    """Return what the strip says now, "" where there is none."""
    frame = driver.find_element(By.CSS_SELECTOR, FRAME)
    if not frame.is_displayed():
        return ""
    driver.switch_to.frame(frame)
    try:
        return text(driver, "form")
    finally:
        driver.switch_to.default_content()


@pytest.mark.slow("the app asks by a link and is connected anew")
@pytest.mark.engines("apart")
def test_a_severed_app_is_connected_by_a_link(browser: Callable[..., Any], severing: Meeting) -> None:
    """The window shows a link, the strip takes it, the person allows; then the app works, and again after a reload."""
    driver = browser()
    home, window = clicked(driver, severing.url("app"))
    link = link_in(driver)
    assert "#enrol=" in link
    driver.switch_to.window(home)
    # The app's page cannot read the strip.
    reads = "try { return String(document.querySelector(args[0]).contentDocument) } catch (error) { return error.name }"
    assert driver.run(reads, FRAME) in ("null", "SecurityError")
    paste(driver, "nonsense")
    until(lambda: "not the link" in strip(driver), "the strip to say that it is no link")
    paste(driver, link)
    until(lambda: "Go on in the store's window" in strip(driver), "the strip to send the person back")
    driver.switch_to.window(window)
    make_profile(driver)
    assert find(driver, "#app-origin").text.replace("\n", "") == severing.url("app")
    click(driver, "#allow")
    until(lambda: window not in driver.window_handles, "the window to close")
    driver.switch_to.window(home)
    assert "error" not in finished(driver, "connect")
    assert py(driver, "return [await store.increment('n'), store.status.access]") == [1, "partitioned"]
    assert not driver.find_element(By.CSS_SELECTOR, FRAME).is_displayed()
    until(lambda: py(driver, "return store.status.sync") == "live", "the copy to meet the store at the relay")
    # The store itself has it, by the relay, and lists the copy.
    driver.new_tab(severing.store)
    click(driver, f'#apps [data-origin="{severing.url("app")}"] a')
    until(lambda: "n" in text(driver, "#entries"), "the app's data in the store")
    driver.get(severing.store + "/#/devices")
    find(driver, "[data-copy], [data-device]")
    driver.close()
    driver.switch_to.window(home)
    driver.refresh()
    start(driver, "connect", CONNECT)
    assert "error" not in finished(driver, "connect")
    assert py(driver, "return await store.get('n')") == 1


@pytest.mark.engines("chromium-allowed")
def test_in_shared_mode_nothing_changes(browser: Callable[..., Any], severing: Meeting) -> None:
    """The same app where the frame reaches the store: the window asks at once, and no strip is ever shown."""
    driver = browser()
    home, window = clicked(driver, severing.url("app"))
    make_profile(driver)
    assert find(driver, "#app-origin").text.replace("\n", "") == severing.url("app")
    driver.switch_to.window(home)
    frame = driver.find_element(By.CSS_SELECTOR, FRAME)
    until(lambda: state(driver) == "waiting", "the button to wait")
    assert not frame.is_displayed()
    driver.switch_to.window(window)
    click(driver, "#allow")
    until(lambda: window not in driver.window_handles, "the window to close")
    driver.switch_to.window(home)
    assert "error" not in finished(driver, "connect")
    assert py(driver, "return [await store.increment('n'), store.status.access]") == [1, "shared"]
    assert not driver.find_element(By.CSS_SELECTOR, FRAME).is_displayed()


@pytest.mark.engines("chromium-blocked")
@pytest.mark.parametrize("reason", ["refused", "closed"])
def test_a_no_ends_both(browser: Callable[..., Any], severing: Meeting, reason: str) -> None:
    """Refused in the window, or closed before the answer: the app hears which, and the strip is gone."""
    driver = browser()
    home, window = clicked(driver, severing.url("app"))
    link = link_in(driver)
    driver.switch_to.window(home)
    paste(driver, link)
    until(lambda: "Go on in the store's window" in strip(driver), "the strip to send the person back")
    driver.switch_to.window(window)
    make_profile(driver)
    find(driver, "#app-origin")
    if reason == "refused":
        click(driver, "#deny")
    else:
        driver.close()
    until(lambda: window not in driver.window_handles, "the window to close")
    driver.switch_to.window(home)
    outcome = finished(driver, "connect")
    assert (outcome["error"], outcome["fields"]) == ("AccessDenied", {"reason": reason})
    assert driver.find_elements(By.CSS_SELECTOR, FRAME) == []


@pytest.mark.engines("apart")
def test_a_window_that_closes_before_it_has_loaded(browser: Callable[..., Any], severing: Meeting) -> None:
    """A page that does not cut its windows off knows that one has closed: its app is answered, no link is asked for."""
    severing.server.RequestHandlerClass = Silent
    driver = browser()
    driver.get(severing.url("app"))
    driver.run(LOOKS)
    start(driver, "connect", CONNECT)
    until(lambda: state(driver) == "connect", "the Connect button")
    home = driver.current_window_handle
    click(driver, "#connect")
    driver.wait_window([home])
    until(lambda: driver.title == "On its way", "the store's address")
    driver.switch_to.window(home)
    until(lambda: driver.run("return window.looks > 3"), "the app to see its window there twice")
    [window] = [handle for handle in driver.window_handles if handle != home]
    driver.switch_to.window(window)
    driver.close()
    driver.switch_to.window(home)
    assert finished(driver, "connect")["fields"] == {"reason": "closed"}
    assert not driver.find_elements(By.CSS_SELECTOR, FRAME)


@pytest.mark.engines("apart")
def test_the_strip_can_be_put_off(browser: Callable[..., Any], severing: Meeting) -> None:
    """Whose person has closed the window presses "Not now" in the strip: the app hears it, and can ask again."""
    driver = browser()
    home, _window = clicked(driver, severing.url("app"))
    driver.close()
    driver.switch_to.window(home)
    until(lambda: "Paste the link" in strip(driver), "the strip")
    look(driver, f"strip-{driver.engine}")
    driver.switch_to.frame(driver.find_element(By.CSS_SELECTOR, FRAME))
    click(driver, "[form=not-now]")
    driver.switch_to.default_content()
    outcome = finished(driver, "connect")
    assert (outcome["error"], outcome["fields"]) == ("AccessDenied", {"reason": "closed"})
    assert driver.find_elements(By.CSS_SELECTOR, FRAME) == []


@pytest.mark.slow("two apps, and a window of the store for each")
@pytest.mark.engines("chromium-blocked")
def test_where_there_is_no_link(browser: Callable[..., Any], severing: Meeting) -> None:
    """Without a relay the window says so and what to do; for an app that hides its address it makes none."""
    driver = browser()
    severing.server.relay = ""
    home, window = clicked(driver, severing.url("app"))
    until(lambda: "none is set" in text(driver, "#error"), "the window to say that there is no relay")
    assert "third-party cookies" in text(driver, "#error")
    driver.close()
    driver.switch_to.window(home)
    clicked(driver, severing.url("third"))
    until(lambda: "hides its address" in text(driver, "main"), "the window to say why it makes no link")
    assert driver.find_elements(By.CSS_SELECTOR, "#app-link") == []
