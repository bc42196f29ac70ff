"""Where the browser keeps the store's data from apps' pages: what a partition holds, and what becomes of it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.meeting import Meeting
from browser.steps import (
    answer,
    connect_test_app,
    find,
    finished,
    make_profile,
    outcome_of,
    popup,
    py,
    start,
    text,
    until,
)
from browser.test_at_rest import DUMP
from conftest import Site

DATABASE = "masq-partition"

WIPE = """
const opened = await new Promise((done, fail) => {
    const asked = indexedDB.open("masq-partition");
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
});
await new Promise((done, fail) => {
    const change = opened.transaction(["records", "keys"], "readwrite");
    change.objectStore("records").clear();
    change.objectStore("keys").clear();
    change.oncomplete = done;
    change.onabort = () => fail(change.error);
});
opened.close();
sessionStorage.clear();
localStorage.clear();
"""


@pytest.fixture
def meeting(dist: Path, tmp_path: Path) -> Iterator[Meeting]:
    """Sites and a relay for one test."""
    running = Meeting(dist, tmp_path / "meeting")
    yield running
    running.stop()


def in_frame(driver: Any, script: str) -> Any:
    """Run an async script in the store's hidden frame, in the app's page."""
    driver.switch_to.frame(driver.find_element("css selector", "iframe[name^=masq-]"))
    try:
        return driver.run(script)
    finally:
        driver.switch_to.default_content()


def digest(driver: Any) -> str:
    """Return the SHA-256 of everything that the test app can read."""
    items = py(driver, "return await store.items()")
    return hashlib.sha256(json.dumps(items, sort_keys=True).encode()).hexdigest()


def state(driver: Any) -> str:
    """Return what the app's button shows."""
    return driver.find_element("css selector", "#connect").get_dom_attribute("data-masq-state") or ""


def connecting(driver: Any, url: str) -> None:
    """Open the test app, which asks for its store by its button."""
    driver.get(url)
    start(
        driver,
        "connect",
        "global store\nstore = await masq.connect(STORE, name='Test app', button='#connect')",
    )
    until(lambda: state(driver) not in ("connecting", ""), "the button to know")


def one_click(driver: Any) -> None:
    """Press Connect; the window asks nothing, and closes by itself."""
    driver.find_element("css selector", "#connect").click()
    asked = []
    with popup(driver):
        answer(driver, asked)
    assert asked == [], "the window should not have asked"
    assert "error" not in finished(driver, "connect")


@pytest.mark.slow("two apps, each with a Python of its partition")
@pytest.mark.engines("apart")
def test_the_partition_holds_one_apps_space_only(
    own_browser: Callable[..., Any], site: Site, tmp_path: Path
) -> None:
    """What stands in the partition's storage names no other app, and no key, value or name in clear; nor a profile."""
    driver = own_browser(profile=tmp_path)
    driver.get(site.store)
    make_profile(driver, "Ann Secret", "hunter2 words", stay_unlocked=True)
    find(driver, "#apps")
    for name, value in (("other", "secret-value-of-the-other"), ("app", "secret-value-of-the-app")):
        connect_test_app(driver, site.url(name), f"Secret {name}")
        py(driver, f"await store.set('secret-key', '{value}')")
        assert py(driver, "return store.status.access") == "partitioned"
    assert py(driver, "return await store.get('secret-key')") == "secret-value-of-the-app"
    found = in_frame(driver, DUMP.replace('"masq"', f'"{DATABASE}"'))
    kept = {key: base64.b64decode(content) for key, content in found.items()}
    copies = [key for key in kept if key.startswith("records/copy/")]
    assert len(copies) == 1, copies
    spaces = {key.split("/")[3] for key in kept if key.startswith("records/space/")}
    assert len(spaces) == 2, "the app's data and its roster"
    for secret in (
        b"secret-key", b"secret-value", b"Secret app", b"Secret other", b"other.localhost",
        b"Ann Secret", b"hunter2",
    ):  # fmt: skip
        for form in (secret, base64.b64encode(secret)[:-2], secret.hex().encode()):
            assert not any(form in key.encode() or form in content for key, content in kept.items()), form
    # The store's own database is not to be seen from here at all.
    assert "masq" not in in_frame(driver, "return (await indexedDB.databases()).map(({ name }) => name)")


@pytest.mark.slow("two browsers one after the other")
@pytest.mark.engines("apart")
def test_a_wiped_partition_comes_back_in_one_click(
    own_browser: Callable[..., Any], meeting: Meeting, tmp_path: Path
) -> None:
    """The browser has cleared what it kept for the app's page: Connect brings all of it back, and asks nothing."""
    driver = own_browser(profile=tmp_path)
    connect_test_app(driver, meeting.url("app"))
    py(driver, "await store.update({f'key {n}': n for n in range(1000)})\nawait store.increment('count', 7)")
    before = digest(driver)
    until(
        lambda: py(driver, "return [store.status.sync, store.status.waiting]") == ["live", 0],
        "the relay to have it",
    )
    in_frame(driver, WIPE)
    driver.quit()
    again = own_browser(profile=tmp_path)
    connecting(again, meeting.url("app"))
    assert state(again) == "connect"
    one_click(again)
    until(lambda: digest(again) == before, "all of it to be back")
    assert py(again, "return await store.increment('count')") == 8
    again.new_tab(f"{meeting.store}/#/devices")
    until(lambda: text(again, "#copies .name") == "Test app in this browser", "the copy in the list")
    assert len(again.find_elements("css selector", "#copies [data-copy]")) == 1


@pytest.mark.slow("three browsers one after the other")
@pytest.mark.engines("chromium-blocked")
def test_third_party_storage_is_allowed_later(
    own_browser: Callable[..., Any], site: Site, tmp_path: Path
) -> None:
    """A person allows it: the app goes over to the store itself, nothing is lost or doubled, the copy is gone."""
    first = own_browser(profile=tmp_path)
    connect_test_app(first, site.url("app"))
    py(first, "await store.update({f'key {n}': n for n in range(500)})\nawait store.increment('count', 5)")
    first.quit()
    alone = own_browser(profile=tmp_path)  # the copy opens by itself, and nothing of the store is there
    connecting(alone, site.url("app"))
    assert "error" not in finished(alone, "connect")
    py(alone, "await store.increment('count', 2)\nawait store.set('only here', True)")
    assert py(alone, "return [store.status.access, store.status.sync]") == ["partitioned", "off"]
    # Two at least: of what was written before, the window's end may have kept some from the store.
    until(lambda: text(alone, "#connect").startswith("Sync now ("), "the app to know what is only here")
    until(lambda: py(alone, "return store.status.waiting") >= 2, "both to be told")
    before = digest(alone)
    alone.quit()
    shared = own_browser("chromium-allowed", profile=tmp_path)
    connecting(shared, site.url("app"))
    assert "error" not in finished(shared, "connect")
    assert py(shared, "return store.status.access") == "shared"
    until(lambda: digest(shared) == before, "what the copy had to be in the store")
    assert py(shared, "return await store.get('count')") == 7
    until(lambda: in_frame(shared, "return (await indexedDB.databases()).length") == 0, "the copy to be gone")
    shared.new_tab(f"{site.store}/#/devices")
    find(shared, "#devices")
    until(lambda: not shared.find_elements("css selector", "#copies"), "no copy to be listed")
    shared.refresh()
    connecting(shared, site.url("app"))
    assert py(shared, "return await store.get('count')") == 7


@pytest.mark.slow("two browsers one after the other")
@pytest.mark.engines("apart")
def test_sync_now_without_a_relay(
    own_browser: Callable[..., Any], site: Site, differs: Callable[[str], bool], tmp_path: Path
) -> None:
    """Without a relay the button says how many changes are only here; a click brings copy and store in step."""
    driver = own_browser(profile=tmp_path)
    connect_test_app(driver, site.url("app"))
    py(driver, "await store.set('one', 1)")
    # Then no window of the store is open, nor its worker at work.
    if not differs("the-partition-ends-with-the-browser"):
        driver.quit()
        driver = own_browser(profile=tmp_path)
        connecting(driver, site.url("app"))
        assert "error" not in finished(driver, "connect")
    py(driver, "await store.set('two', 2)\nawait store.set('three', 3)")
    until(lambda: text(driver, "#connect").startswith("Sync now ("), "the button to offer it")
    until(lambda: py(driver, "return store.status.waiting") >= 2, "both to be told")
    driver.find_element("css selector", "#connect").click()
    with popup(driver):
        asked: list[str] = []
        answer(driver, asked)
    assert asked == []
    until(lambda: py(driver, "return store.status.waiting") == 0, "nothing to wait any more")
    driver.new_tab(site.store)
    entry = f'#apps [data-origin="{site.url("app")}"]'
    until(lambda: "3 entries" in text(driver, entry), "the store to have it")


@pytest.mark.slow("two browsers one after the other")
@pytest.mark.engines("apart")
def test_a_passphrase_that_does_not_stay_unlocked(
    own_browser: Callable[..., Any], meeting: Meeting, differs: Callable[[str], bool], tmp_path: Path
) -> None:
    """Reloaded, the copy is open; once the browser was closed only the passphrase opens it, and nothing is lost."""
    first = own_browser(profile=tmp_path)
    first.get(meeting.store)
    make_profile(first, "Ann", "hunter2 words", stay_unlocked=False)
    find(first, "#apps")
    first.switch_to.new_window(
        "tab"
    )  # the store stays open: else some browsers end its worker, which locks it
    connect_test_app(first, meeting.url("app"))
    py(first, "await store.set('diary', 'a thought')")
    connecting(first, meeting.url("app"))
    assert "error" not in finished(first, "connect")
    assert py(first, "return await store.get('diary')") == "a thought"
    until(
        lambda: py(first, "return [store.status.sync, store.status.waiting]") == ["live", 0],
        "the relay to have it",
    )
    first.quit()
    second = own_browser(profile=tmp_path)
    connecting(second, meeting.url("app"))
    lost = differs("the-partition-ends-with-the-browser")
    assert state(second) == ("connect" if lost else "locked")
    second.find_element("css selector", "#connect").click()
    with popup(second):
        find(second, "#passphrase").send_keys("hunter2 words")
        second.find_element("css selector", "#unlock").click()
    assert "error" not in finished(second, "connect")
    until(lambda: py(second, "return await store.get('diary')") is not None, "the data to be back")
    assert py(second, "return await store.get('diary')") == "a thought"


@pytest.mark.engines
def test_storage_that_is_refused_entirely(
    own_browser: Callable[..., Any], site: Site, differs: Callable[[str], bool]
) -> None:
    """A browser that lets no site keep anything: StorageUnavailable names the setting, at once."""
    driver = own_browser(refuse_storage=True)
    driver.get(site.url("app"))
    outcome = outcome_of(driver, "await masq.connect(STORE, name='Test app')")
    if differs("data-is-kept-without-cookies"):
        assert outcome["error"] == "NotRegistered"
        connect_test_app(driver, site.url("app"))
        assert py(driver, "return await store.increment('n')") == 1
        return
    assert outcome["error"] == "StorageUnavailable", outcome
    assert "site data" in outcome["sentence"] or "cookies" in outcome["sentence"]
