"""The store's pages as they are built, in a browser, over an engine made of Python: what only a browser can show."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.harness import Browser, wait_for
from browser.pool import Pool
from browser.readable import faults
from browser.sites import serve
from conftest import BROWSERS, DEFAULT, Site, has_failed, picture
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from build.places import ROOT

APP = "#/app/http%3A%2F%2Fcounter.localhost%3A8000"
RIG = ROOT / "tests" / "browser" / "site" / "pages" / "rig.js"
EVERY_PAGE = [
    ("empty", "", ()),
    ("empty", "#/restore", ()),
    ("locked", "", ()),
    ("", "", ("[id^=open-erase]",)),
    ("", APP, ("[data-focus='edit k003']", "#open-add", "#withdraw")),
    ("passphrase", "#/settings", ("#open-rename", "[id^=open-delete]", "#open-change-passphrase")),
    ("", "#/settings", ("#open-add-passphrase",)),
    ("", "#/backup", ()),
    ("", "#/new-profile", ()),
    ("", "#connect=00", ()),
    ("", "#/nowhere", ()),
    ("", "#/devices", ("[id^=open-rename-device]", "[id^=open-remove-device]")),
    ("trouble", "#/devices", ()),
    ("alone", "#/devices", ()),
    ("apart", "#/devices", ("[id^=open-remove-copy]",)),
    ("apart,alone", "#/devices", ()),
    ("apart,alone", APP, ("[id^=open-remove-copy]", "#withdraw")),
    ("apart,alone", "#connect=00", ()),
    ("apart,behind", "#connect=00", ("#allow",)),
    ("apart,other", "#connect=00", ()),
    ("apart,damaged", "#connect=00", ("#allow",)),
    ("", "#/devices", ("#add-device", "step:connecting", "step:ask-code", "step:given", "step:ended")),
    ("empty", "#/pair", ("#pair-join",)),
    (
        "",
        "#pair=AAAAAAAAAAAAAAAAAAAAAA",
        ("step:show-code", "step:ask-take", "step:copying", "step:done", "step:ended"),
    ),
    ("trash", "", ("[id^=open-erase-trash]",)),
    ("removed", "", ("#open-erase-removed",)),
    ("removed,locked", "", ()),
    ("removed,kept", "", ()),
]
"""(scene, address, what to press one after the other): each page, and each form and question on it.

"step:…" is no press: the engine says that the pairing has come so far.
"""


@pytest.fixture(scope="module")
def made(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the built pages over an engine made of Python."""
    folder = tmp_path_factory.mktemp("pages") / "dist"
    target = folder / "pages"
    shutil.copytree(dist / "store", target, ignore=shutil.ignore_patterns("*.br", "*.gz"))
    next(target.glob("app-*")).rename(target / "app")
    app = next((dist / "store").glob("app-*")).name
    index = (target / "index.html").read_text("utf-8")
    (target / "index.html").write_text(index.replace(f"{app}/boot.js", "rig.js").replace(app, "app"), "utf-8")
    shutil.copy(RIG, target)
    shutil.copy(ROOT / "tests" / "rig" / "ui_rig.py", target)
    (folder / "index").mkdir()
    return folder


@pytest.fixture
def pages(made: Path) -> Iterator[str]:
    """The address of the pages."""
    server = serve(made)
    yield Site(server).url("pages")
    server.stop()


@pytest.fixture(scope="module")
def kept(pool: Pool, made: Path) -> Iterator[tuple[list[Browser], str]]:
    """The browser that `visited` gives, if there is one, and the address of its pages."""
    server = serve(made)
    kept: list[Browser] = []
    yield kept, Site(server).url("pages")
    server.stop()
    for driver in kept:
        pool.end(driver)


@pytest.fixture
def visited(
    request: pytest.FixtureRequest, pool: Pool, kept: tuple[list[Browser], str]
) -> Iterator[tuple[Browser, str]]:
    """A browser that shows the pages, for tests that come to a scene in the same page (`come`); and their address."""
    drivers, url = kept
    if not drivers:
        drivers.append(pool.take(DEFAULT))
    request.node.stash.setdefault(BROWSERS, []).append(list(drivers))
    yield drivers[0], url
    if has_failed(request.node):  # whatever it was, the next test finds another browser
        picture(drivers[0], f"{request.node.name}-visited")
        pool.end(drivers.pop())


def come(driver: Browser, pages: str, scene: str, address: str, wanted: str) -> None:
    """As `show`, in the page that is there already, if it is: Python starts once."""
    if not driver.execute_script("return !!window.come"):
        show(driver, pages)
    driver.execute_script("localStorage.setItem('masq/language', arguments[0])", wanted)
    driver.run("await come(...args)", scene, address)


def show(driver: Browser, pages: str, scene: str = "", address: str = "", wanted: str = "en") -> None:
    """Open the page at `address` in a `scene`, in a language."""
    driver.get(f"{pages}/app/style.css")  # another page of the site, so that the next one is loaded anew
    driver.execute_script("localStorage.setItem('masq/language', arguments[0])", wanted)
    driver.get(f"{pages}/?{scene}{address}")
    wait_for(lambda: driver.execute_script("return document.documentElement.dataset.ready"), 60, "the page")


def py(driver: Browser, code: str) -> Any:
    """Return what an expression is in the page's Python, which must be a str, number or bool."""
    return driver.run("return await window.py(args[0])", code)


def come_to(driver: Browser, step: str) -> None:
    """Let the pairing come to a step, and wait until the page shows it."""
    known = {"code": "012345", "profile": "Ann", "error": ["X", "It was ended.", {}]}
    py(driver, f"engine.pairs({step!r}, **{known!r})")
    driver.find(f"[data-step={step}]")
    wait_for(lambda: focus(driver) not in ("BODY", ""), what="the focus on the new step")


def focus(driver: Browser) -> str:
    """Return the id or data-focus of the element that has the focus, or its name."""
    return str(
        driver.execute_script("const a = document.activeElement; return a.id || a.dataset.focus || a.tagName")
    )


@pytest.mark.browser
def test_what_is_typed_survives_live_changes(browser: Any, pages: str) -> None:
    """While entries change, the field stays the same element, with its text, its caret and the focus."""
    driver = browser()
    show(driver, pages, "", APP)
    driver.find("[data-focus='edit k003']").click()
    wait_for(lambda: focus(driver) == "entry-value", what="the focus in the field")
    driver.find("#entry-value").send_keys(" typed")
    driver.execute_script("window.field = document.activeElement; field.setSelectionRange(2, 4)")
    py(driver, "engine.stored.update(a=1, k000='live', k003=5); shown.told(['data', ORIGIN])")
    wait_for(lambda: "live" in driver.text("#entries"), what="the change")
    assert driver.execute_script(
        "const f = document.querySelector('#entry-value');"
        "return f === field && f === document.activeElement && f.selectionStart === 2 && f.value.includes('typed')"
    )
    assert driver.text("#changed-meanwhile").startswith("Meanwhile the value has become 5.")


@pytest.mark.browser
def test_the_wait_after_a_wrong_passphrase_counts_down(browser: Any, pages: str) -> None:
    """The seconds are in the sentence, what was typed stays, and the button works again when they are over.

    Each is said for a second only, and a busy machine may let one go by: test_ui_settings.py counts them all.
    """
    driver = browser()
    show(driver, pages, "locked")
    assert focus(driver) == "passphrase"
    driver.execute_script(
        """
        window.said = [];  // [seconds, whether the button was off], at each change
        const seconds = () => /again in (\\d+) second/.exec(document.querySelector("#wait")?.textContent)?.[1];
        const off = () => document.querySelector("#unlock")?.getAttribute("aria-disabled") === "true";
        const note = () => seconds() && said.push([Number(seconds()), off()]);
        new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
        """
    )
    driver.find("#passphrase").send_keys("wrong", Keys.ENTER)
    wait_for(lambda: driver.execute_script("return said.length"), what="the wait")
    wait_for(lambda: not driver.find("#unlock").get_attribute("aria-disabled"), what="the end of the wait")
    said = driver.execute_script("return said")
    assert said == sorted(said, reverse=True) and said[0] == [3, True] and all(off for _, off in said)
    assert "again in" not in driver.text("main")
    assert driver.find("#passphrase").get_attribute("value") == "wrong" and focus(driver) == "passphrase"
    driver.find("#passphrase").clear()
    driver.find("#passphrase").send_keys("right", Keys.ENTER)
    wait_for(lambda: driver.find("#apps") and focus(driver) == "H1", what="the apps")


@pytest.mark.browser
def test_files_go_in_and_out(own_browser: Any, pages: str, tmp_path: Path) -> None:
    """A backup and an export are saved byte for byte, and a chosen file reaches the engine byte for byte."""
    driver = own_browser()
    driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path / "saved")}
    )
    show(driver, pages, "", "#/backup")
    driver.find("#passphrase").send_keys("p")
    driver.find("#passphrase-repeat").send_keys("p", Keys.ENTER)
    driver.find("#saved")
    [saved] = wait_for(lambda: list((tmp_path / "saved").glob("masq-Ann-*.masq")), what="the file")
    assert saved.read_bytes() == bytes(range(256)) * 5000

    show(driver, pages, "", APP)
    driver.click("#export")
    [exported] = wait_for(lambda: list((tmp_path / "saved").glob("masq-Counter-*.json")), what="the export")
    assert json.loads(exported.read_text())["apps"]["http://counter.localhost:8000"]["entries"]["k004"] == 4

    large = tmp_path / "large.masq"
    large.write_bytes(os.urandom(1_300_000))
    show(driver, pages, "empty")
    driver.click("#have-backup")
    driver.find("#backup-file").send_keys(str(large))
    wait_for(lambda: driver.text("#file-hint") == "large.masq, 1.3 MB", what="the file's name")
    driver.find("#passphrase").send_keys("wrong")
    driver.click("#look")
    assert "does not open the backup" in driver.find("#error").text
    wait_for(lambda: focus(driver) == "passphrase", what="the focus on the passphrase")
    driver.find("#passphrase").clear()
    driver.find("#passphrase").send_keys("of the file", Keys.ENTER)
    driver.find("#found")

    sent = py(driver, "import hashlib; hashlib.sha256(engine.files['sent']).hexdigest()")
    assert sent == hashlib.sha256(large.read_bytes()).hexdigest()
    driver.click("#restore")
    assert driver.find("#restored").text.startswith("The data of 1 app was brought back.")


@pytest.mark.browser
def test_language_and_theme_hold_at_once_and_next_time(browser: Any, pages: str) -> None:
    """The choice changes the page, its lang and its theme, keeps the focus, and is there when it is loaded again."""
    driver = browser()
    show(driver, pages, "", "#/settings")
    Select(driver.find("#theme")).select_by_value("dark")
    Select(driver.find("#language")).select_by_value("fr")
    driver.wait_text("h1", "Réglages")
    assert focus(driver) == "language"
    look = "const r = document.documentElement; return [r.lang, r.dataset.theme, localStorage['masq/theme']]"
    assert driver.execute_script(look) == ["fr", "dark", "dark"]
    show(driver, pages, "", "", "fr")
    driver.wait_text("h1", "Vos applications")
    assert driver.execute_script(look) == ["fr", "dark", "dark"]


@pytest.mark.browser
def test_the_keyboard_alone_is_enough(browser: Any, pages: str) -> None:
    """Tab and Enter lead from the apps to a new passphrase; after each act the focus is where it is needed."""
    driver = browser()
    show(driver, pages)

    def tab_to(name: str) -> None:
        for _ in range(60):
            driver.switch_to.active_element.send_keys(Keys.TAB)
            if focus(driver) == name:
                outline = driver.execute_script(
                    "return getComputedStyle(document.activeElement).outlineStyle"
                )
                assert outline == "solid", f"the focus on {name} cannot be seen"
                return
        raise AssertionError(f"Tab does not lead to {name}")

    driver.execute_script("document.querySelector('a.mark').focus()")
    tab_to("to-settings")
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    driver.wait_text("h1", "Settings")
    tab_to("open-add-passphrase")
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    wait_for(lambda: focus(driver) == "passphrase-new", what="the first field")
    driver.switch_to.active_element.send_keys("new")
    tab_to("passphrase-repeat")
    driver.switch_to.active_element.send_keys("new", Keys.ENTER)
    wait_for(lambda: focus(driver) == "notice", what="the focus on what was done")
    assert driver.text("#notice") == "Your store has a passphrase now." and driver.find("#lock")


@pytest.mark.browser
def test_a_links_secret_does_not_stay_in_the_address(browser: Any, pages: str) -> None:
    """Used at once, it is gone from the address and the history; the digits are read aloud with their heading."""
    driver = browser()
    show(driver, pages, "empty", "#pair=AAAAAAAAAAAAAAAAAAAAAA")
    driver.find("[data-step=connecting]")
    assert py(driver, "engine.called('join') == [('pair=AAAAAAAAAAAAAAAAAAAAAA',)]")
    assert driver.current_url.endswith("#/pair")
    come_to(driver, "show-code")
    heading = driver.switch_to.active_element
    assert heading.tag_name == "h1" and heading.get_attribute("aria-describedby") == "pair-code"
    assert driver.text("#pair-code") == "012 345"
    driver.click("#pair-refuse")
    driver.find("#pair-paste")
    assert py(driver, "len(engine.called('end_pairing'))") == 1


@pytest.mark.browser
def test_a_camera_reads_the_code(browser: Any, pages: str) -> None:
    """Where the browser reads codes, the picture is shown, what is found is used, and the camera goes off."""
    driver = browser()
    show(driver, pages, "empty")
    driver.execute_script(
        """
        window.seen = [];
        window.BarcodeDetector = class {
          static getSupportedFormats = async () => ["qr_code"];
          detect = async (video) => (video.videoWidth ? window.seen : []);
        };
        const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
        setInterval(() => canvas.getContext("2d").fillRect(0, 0, 320 * Math.random(), 9), 50);
        window.stream = canvas.captureStream(10);
        navigator.mediaDevices.getUserMedia = async () => window.stream;
        """
    )
    driver.click("#have-link")
    driver.click("#scan")
    wait_for(lambda: driver.find("#camera").get_property("videoWidth") == 320, what="the picture")
    driver.execute_script("seen = [{ rawValue: 'https://elsewhere.example' }]")
    wait_for(lambda: "another code" in driver.text("form"), what="the word about it")
    assert driver.find("#camera").get_property("videoWidth") == 320, "the picture stays"
    driver.execute_script("seen = [{ rawValue: 'https://store.example/#pair=AAAAAAAAAAAAAAAAAAAAAA' }]")
    driver.find("[data-step=connecting]")
    assert py(driver, "engine.called('join') == [('https://store.example/#pair=AAAAAAAAAAAAAAAAAAAAAA',)]")
    live = "return stream.getTracks().filter((track) => track.readyState === 'live').length"
    assert driver.execute_script(live) == 0


@pytest.mark.browser
@pytest.mark.parametrize("wanted", ["en", "fr"])
@pytest.mark.parametrize(("scene", "address", "presses"), EVERY_PAGE)
def test_no_page_violates_accessibility_or_scrolls_sideways(
    visited: tuple[Browser, str],
    axe: str,
    scene: str,
    address: str,
    presses: tuple[str, ...],
    wanted: str,
) -> None:
    """axe-core finds nothing in either theme, and at 360 pixels nothing sticks out, in both languages."""
    driver, pages = visited
    come(driver, pages, scene, address, wanted)
    for press in ("", *presses):
        if press.startswith("step:"):
            come_to(driver, press.removeprefix("step:"))
        elif press:
            driver.find(press).click()
            wait_for(lambda: focus(driver) not in ("BODY", ""), what="the focus in what opened")
        themes = ("light", "dark") if wanted == "en" else ("light",)
        assert (press, faults(driver, axe, themes)) == (press, [])
