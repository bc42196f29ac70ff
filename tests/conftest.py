"""What tests share: the built site behind a server of this run's own, and browsers that end with their test."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from build.places import CACHE, DIST, ROOT
from build.server import SiteServer


class Site:
    """The addresses of what the tests' server serves."""

    def __init__(self, server: SiteServer) -> None:
        self.server = server
        self.store = server.url("store")
        self.counter = server.url("counter")
        self.tasks = server.url("tasks")
        self.index = server.url()

    def url(self, name: str) -> str:
        """Return the address of another folder beside the store's."""
        return self.server.url(name)


@pytest.fixture(scope="session")
def dist() -> Path:
    """The built `dist/`, which must be there: tests/run.py builds it."""
    if not (DIST / "store").is_dir():
        pytest.fail("dist/ is missing: run the tests with python3 tests/run.py")
    return DIST


@pytest.fixture(scope="session")
def site(dist: Path) -> Iterator[Site]:
    """A server over dist/ on a free port; demos find their store there."""
    server = SiteServer(dist, folders={"apps": ROOT / "tests" / "browser" / "apps"})
    server.start()
    yield Site(server)
    server.stop()


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Start browsers: `browser(third_party_cookies=True)`. They end, and are pictured on failure, with the test."""
    from browser.harness import Browser

    started: list[Browser] = []

    def start(**options: Any) -> Browser:
        options.setdefault("third_party_cookies", True)
        started.append(Browser(**options))
        return started[-1]

    yield start
    failed = getattr(request.node, "failed_call", False)
    for number, driver in enumerate(started):
        if failed:
            _picture(driver, f"{request.node.name}-{number}")
        try:
            driver.quit()
        except Exception as error:  # killed by its test, or crashed: there is nothing to end any more
            print(f"browser {number} was gone: {type(error).__name__}")


def _picture(driver: Any, name: str) -> None:
    folder = CACHE / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    safe = re.sub(r"[^\w.-]+", "_", name)
    try:
        for number, window in enumerate(driver.window_handles):
            driver.switch_to.window(window)
            driver.save_screenshot(str(folder / f"{safe}-{number}.png"))
            print(f"window {number}: {driver.current_url}")
        for entry in driver.console()[-30:]:
            print(f"console {entry['level']}: {entry['message'][:500]}")
    except Exception as error:  # a picture is a courtesy: what failed is the test
        print(f"no picture of {safe}: {type(error).__name__}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remember on the test whether its body failed, for the pictures."""
    report = yield
    if report.when == "call":
        item.failed_call = report.failed  # type: ignore[attr-defined]
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/browser and what starts a browser, so that it can be left out."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()) or "/tests/browser/" in item.path.as_posix():
            item.add_marker("browser")
