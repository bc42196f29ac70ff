"""The three browser engines that Masq is tested in, what each needs to be installed, and the surroundings of a test.

Standard library only until a browser is started: tests/run.py asks here before anything else is there.
"""

from __future__ import annotations

import ctypes.util
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from browser.phases import END, START, phase

SILENT_SECONDS = 30
"""How much longer than a wait in its page a driver may take to answer."""

CHROMIUM, FIREFOX, WEBKIT = ENGINES = ("chromium", "firefox", "webkit")


class Surroundings(NamedTuple):
    """What a test can run in: an engine, and whether it is told to let frames of other sites have their cookies."""

    engine: str
    third_party_cookies: bool


SURROUNDINGS = {
    "chromium-allowed": Surroundings(CHROMIUM, True),
    "chromium-blocked": Surroundings(CHROMIUM, False),
    "firefox": Surroundings(FIREFOX, True),
    "webkit": Surroundings(WEBKIT, False),
}
"""Firefox and WebKit are set as people get them: frames of other sites keep their data in a partition."""

GROUPS = {
    "each": ("chromium-allowed", "firefox", "webkit"),  # each engine once, as people get it
    "apart": ("chromium-blocked", "firefox", "webkit"),  # an app of another site has a copy of its own
}


def surroundings_of(*names: str) -> list[str]:
    """Return the surroundings meant by names of theirs, of engines or of groups; all of them without a name."""
    unknown = set(names) - set(SURROUNDINGS) - set(ENGINES) - set(GROUPS)
    assert not unknown, f"no surroundings are called {unknown}"
    meant = {*names, *(member for name in names for member in GROUPS.get(name, ()))}
    return [name for name, (engine, _) in SURROUNDINGS.items() if not names or {name, engine} & meant]


class Need(NamedTuple):
    """What an engine consists of."""

    title: str
    programs: tuple[tuple[str, ...], ...]  # of each of these, one must be there
    libraries: tuple[str, ...]
    packages: tuple[str, ...]  # Debian's


NEEDS = {
    CHROMIUM: Need(
        "Chromium and chromedriver of the same version",
        (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)),
        (),
        ("chromium", "chromium-driver"),
    ),
    FIREFOX: Need("Firefox", (("firefox-esr", "firefox"),), (), ("firefox-esr",)),
    WEBKIT: Need(
        "WebKitGTK 4.1, its WebKitWebDriver and Xvfb",
        (("WebKitWebDriver",), ("Xvfb",)),
        ("webkit2gtk-4.1",),
        ("webkit2gtk-driver", "libwebkit2gtk-4.1-0", "xvfb"),
    ),
}


def lacking(engine: str) -> str:
    """Return a sentence that says what to install for this engine; "" where it can be started."""
    need = NEEDS[engine]
    programs = all(any(map(shutil.which, names)) for names in need.programs)
    if programs and all(map(ctypes.util.find_library, need.libraries)):
        return ""
    return (
        f"The tests in {engine} need {need.title}. On Debian: sudo apt install {' '.join(need.packages)}. "
        "Elsewhere put the programs on PATH."
    )


def start(name: str, **options: Any) -> Any:
    """Start a browser of these surroundings. Raises RuntimeError with a sentence where it is not installed."""
    engine, allowed = SURROUNDINGS[name]
    if sentence := lacking(engine):
        raise RuntimeError(sentence)
    options.setdefault("third_party_cookies", allowed)
    options.setdefault("optimizing", False)
    with phase(START), _answers_in_time():
        if engine == FIREFOX:
            from browser.firefox import Firefox

            return Firefox(**options)
        if engine == WEBKIT:
            from browser.webkit import WebKit

            return WebKit(**options)
        from browser.harness import Browser

        return Browser(**options)


@contextmanager
def _answers_in_time() -> Iterator[None]:
    """Have the drivers that are made here fail where they are silent for longer than any wait: else for ever."""
    from browser.waiting import PATIENCE_SECONDS

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_SECONDS + SILENT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def end(driver: Any) -> None:
    """End a browser, also one that its test has killed, or that has crashed."""
    try:
        with phase(END):
            driver.quit()
    except Exception as error:
        print(f"a browser was gone: {type(error).__name__}")
