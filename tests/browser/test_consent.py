"""Consent: who was not asked learns nothing, and each answer reaches the app, within a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from browser.steps import (
    click,
    find,
    finished,
    is_shown,
    make_profile,
    outcome_of,
    popup,
    py,
    start,
    until,
)
from conftest import Site

from masq_store.core.enrolment.messages import SILENT_SECONDS

CONNECT = "global store\nstore = await masq.connect(STORE, name='Test app', button='#connect')"

STIRRED = """
    const allow = document.querySelector("#allow");
    dispatchEvent(new Event("resize"));
    allow.click();
    await new Promise((done) => setTimeout(done));
    return allow.getAttribute("aria-disabled");
"""

HELD = 'return document.querySelector("#allow").hasAttribute("data-held")'

MOVED = """
    const allow = document.querySelector("#allow");
    await new Promise((seen) => {
      new MutationObserver(seen).observe(allow, { attributeFilter: ["data-held"] });
      Object.defineProperty(window, "screenX", { configurable: true, get: () => 31 });
    });
    return allow.hasAttribute("data-held");
"""


def ask(driver: Any, site: Site) -> None:
    """Open the test app and let it wait for a click on its Connect button."""
    driver.get(site.url("app"))
    start(driver, "connect", CONNECT)
    until(
        lambda: (
            driver.find_element("css selector", "#connect").get_dom_attribute("data-masq-state") == "connect"
        ),
        "the button",
    )


def answered_within_a_second(driver: Any, since: float, opening: float, later: float = 0.0) -> dict[str, Any]:
    """Return what connect() ended with, which must not be later than a second, and `later`, after `since`.

    `opening`: seconds that the store's window took to come up in this very run. On a machine where that takes longer
    than a second, an answer may take as long.
    """
    outcome = finished(driver, "connect")
    assert outcome["at"] / 1000 - since < max(1.0, opening) + later
    return outcome


@pytest.mark.engines("each")
def test_not_registered_and_nothing_else(browser: Callable[..., Any], site: Site) -> None:
    """An app that was never approved hears NotRegistered, and the same words with and without a profile."""
    driver = browser()
    driver.get(site.url("other"))
    before = outcome_of(driver, "await masq.connect(STORE, name='Stranger')")
    assert before["error"] == "NotRegistered"
    ask(driver, site)
    click(driver, "#connect")
    with popup(driver):
        make_profile(driver)
        find(driver, "#allow")
        # A press in a window that moves, as in the middle of a double click, is none.
        assert driver.run(STIRRED) == "true"
        assert is_shown(driver, "#allow")
        # No event tells that a window moves; it is seen all the same, before anybody presses.
        until(lambda: not driver.run(HELD), "the window to stand still")
        assert driver.run(MOVED) is True
        click(driver, "#allow")
    assert "error" not in finished(driver, "connect")
    driver.get(site.url("other"))
    assert outcome_of(driver, "await masq.connect(STORE, name='Stranger')") == before


@pytest.mark.engines("each")
def test_refused(browser: Callable[..., Any], site: Site) -> None:
    """Do not allow: the app gets AccessDenied, refused, within a second."""
    driver = browser()
    ask(driver, site)
    clicked = time.time()
    click(driver, "#connect")
    with popup(driver):
        find(driver, "#create-profile")
        opening = time.time() - clicked
        make_profile(driver)
        find(driver, "#deny")
        pressed = time.time()
        click(driver, "#deny")
    outcome = answered_within_a_second(driver, pressed, opening)
    assert (outcome["error"], outcome["fields"]) == ("AccessDenied", {"reason": "refused"})
    assert outcome_of(driver, "await masq.connect(STORE, name='Test app')")["error"] == "NotRegistered"


@pytest.mark.slow("the window is closed twice; in WebKit the app waits a while before it believes it")
@pytest.mark.engines("each")
def test_closed(browser: Callable[..., Any], site: Site, differs: Callable[[str], bool]) -> None:
    """Closing the window, at the first form or at the question, gives AccessDenied, closed, within a second."""
    driver = browser()
    for profile_first in (False, True):
        ask(driver, site)
        clicked = time.time()
        click(driver, "#connect")
        with popup(driver):
            find(driver, "#create-profile")
            opening = time.time() - clicked
            if profile_first:
                make_profile(driver)
                find(driver, "#allow")
            closed = time.time()
            driver.close()
            driver.switch_to.window(driver.window_handles[0])
        # There the partition's worker hears no more of the store's, and believes it after a while.
        later = 2 * SILENT_SECONDS if differs("the-worker-ends-at-once") else 0
        outcome = answered_within_a_second(driver, closed, opening, later)
        assert (outcome["error"], outcome["fields"]) == ("AccessDenied", {"reason": "closed"})


@pytest.mark.engines("each")
def test_blocked(own_browser: Callable[..., Any], site: Site) -> None:
    """A window that the browser blocks gives PopupBlocked, within a second."""
    driver = own_browser(popup_blocker=True)
    driver.get(site.url("app"))
    start(driver, "connect", "await masq.register(STORE, name='Test app')")  # not from a click: blocked
    outcome = finished(driver, "connect")
    assert outcome["error"] == "PopupBlocked"
    loading = time.time()
    ask(driver, site)
    loading = time.time() - loading
    began = time.time()
    driver.execute_script("document.querySelector('#connect').click()")  # no person's click: blocked too
    assert answered_within_a_second(driver, began, loading)["error"] == "PopupBlocked"


REGISTER = """
from js import document
from pyodide.ffi import create_proxy
asked = asyncio.get_running_loop().create_future()
document.querySelector('#connect').onclick = create_proxy(
    lambda event: asked.set_result(masq.register(STORE, name='Registering app'))
)
document.title = 'listening'
store = await (await asked)
await store.set('k', 1)
return store.status.state
"""


@pytest.mark.engines("each")
def test_register_from_a_click(browser: Callable[..., Any], site: Site) -> None:
    """register(), called in a click, opens the window itself and returns the Store once it is allowed."""
    driver = browser()
    driver.get(site.url("pyodide"))
    start(driver, "connect", REGISTER)
    until(lambda: driver.title == "listening", "the app to listen")
    click(driver, "#connect")
    with popup(driver):
        make_profile(driver)
        click(driver, "#allow")
    assert finished(driver, "connect")["result"] == "ready"


@pytest.mark.engines("each")
def test_a_second_click_uses_the_same_window(browser: Callable[..., Any], site: Site) -> None:
    """Pressing Connect twice opens one window, and one answer is enough."""
    driver = browser()
    ask(driver, site)
    home = driver.current_window_handle
    click(driver, "#connect")
    with popup(driver, closes=False):
        find(driver, "#create-profile")
    click(driver, "#connect")
    assert len(driver.window_handles) == 2
    with popup(driver):
        make_profile(driver)
        click(driver, "#allow")
    assert "error" not in finished(driver, "connect")
    assert driver.window_handles == [home]


@pytest.mark.engines("each")
def test_the_question_names_the_origin_first(browser: Callable[..., Any], site: Site) -> None:
    """The window shows the origin, whatever the app calls itself, and shows its words as text."""
    driver = browser()
    driver.get(site.url("app"))
    start(
        driver,
        "connect",
        "await masq.connect(STORE, name='<b>Bank</b>', description='http://bank.example', button='#connect')",
    )
    until(
        lambda: (
            driver.find_element("css selector", "#connect").get_dom_attribute("data-masq-state") == "connect"
        ),
        "the button",
    )
    click(driver, "#connect")
    with popup(driver):
        make_profile(driver)
        assert find(driver, "#app-origin").text == site.url("app")
        body = driver.find_element("css selector", "body").text
        assert body.index(site.url("app")) < body.index("<b>Bank</b>")
        click(driver, "#deny")


@pytest.mark.slow("two browsers one after the other")
@pytest.mark.engines("each")
def test_locked_after_a_restart(
    own_browser: Callable[..., Any], site: Site, differs: Callable[[str], bool], tmp_path: Any
) -> None:
    """A passphrase that does not stay: Locked after a restart. Connect becomes Unlock, and brings the data back."""
    first = own_browser(profile=tmp_path)
    ask(first, site)
    click(first, "#connect")
    with popup(first):
        make_profile(first, passphrase="correct horse", stay_unlocked=False)
        click(first, "#allow")
    assert "error" not in finished(first, "connect")
    py(first, "await store.set('a', 1)")
    first.quit()
    second = own_browser(profile=tmp_path)
    second.get(site.url("other"))
    assert outcome_of(second, "await masq.connect(STORE, name='Stranger')")["error"] == "NotRegistered"
    second.get(site.url("app"))
    # Where nothing of the app is left in its partition, only the window knows that the profile is locked.
    gone = differs("the-partition-ends-with-the-browser")
    error, shown = ("NotRegistered", "connect") if gone else ("Locked", "locked")
    assert outcome_of(second, "await masq.connect(STORE, name='Test app')")["error"] == error
    start(second, "connect", CONNECT)
    until(
        lambda: second.find_element("css selector", "#connect").get_dom_attribute("data-masq-state") == shown,
        "the button",
    )
    assert gone or "nlock" in find(second, "#connect").text
    click(second, "#connect")
    with popup(second):
        find(second, "#passphrase").send_keys("wrong")
        click(second, "#unlock")
        until(lambda: is_shown(second, "#error"), "an error")
        find(second, "#passphrase").clear()
        find(second, "#passphrase").send_keys("correct horse")
        click(second, "#unlock")
    assert "error" not in finished(second, "connect")
    assert gone or py(second, "return await store.get('a')") == 1
