"""What tests share: the built site behind a server of this run's own, and browsers that end with their test."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from browser import engines
from browser.outcomes import Outcomes
from browser.words import CRASHED

from build.places import CACHE, DIST, ROOT
from build.server import SiteServer

# A machine that is busy for a moment says nothing of the code: no example is timed. Speed is bench/'s.
hypothesis.settings.register_profile(
    "masq", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("masq")

DEFAULT = "chromium-allowed"
"""The surroundings of a test that is not marked `engines`."""

OUTCOMES = pytest.StashKey[Outcomes]()
BROWSERS = pytest.StashKey[list[Any]]()


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
def surroundings(request: pytest.FixtureRequest) -> str:
    """What `browser` starts: Chromium with third-party cookies, or in turn each that the test's mark means."""
    return str(getattr(request, "param", DEFAULT))


@pytest.fixture
def browser(request: pytest.FixtureRequest, surroundings: str) -> Iterator[Callable[..., Any]]:
    """Start browsers: `browser(profile=…)`, `browser("firefox")`. They end with the test, pictured if it fails."""
    started: list[Any] = []
    request.node.stash[BROWSERS] = started

    def start(name: str = surroundings, **options: Any) -> Any:
        started.append(engines.start(name, **options))
        request.config.stash[OUTCOMES].started(started[-1], name)
        return started[-1]

    yield start
    failed = getattr(request.node, "has_failed", False)
    for number, driver in enumerate(started):
        if failed:
            _picture(driver, f"{request.node.name}-{number}")
        try:
            driver.quit()
        except Exception as error:  # killed by its test, or crashed: there is nothing to end any more
            print(f"browser {number} was gone: {type(error).__name__}")


@pytest.fixture
def differs(request: pytest.FixtureRequest, surroundings: str) -> Callable[[str], bool]:
    """Tell whether one of browser/expectations.py holds here; docs/browsers.md will say so."""
    return lambda name: request.config.stash[OUTCOMES].differs(request.node, surroundings, name)


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
        print(f"no picture of {safe}: {error}")
        if hasattr(driver, "errors"):
            print("its standard error ended with:", *driver.errors()[-20:], sep="\n")


class BrowserCrashed(Exception):
    """A test failed in whose browser a process has crashed: a frame's or a worker's, which no driver tells of."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """Say so where a browser's process has crashed during a test that fails: what it saw may have come of that."""
    try:
        return (yield)
    except Exception as error:
        dumps = [str(dump) for driver in item.stash.get(BROWSERS, []) for dump in driver.crashes()]
        if dumps:
            raise BrowserCrashed(f"{CRASHED}; dumps: {', '.join(dumps)}") from error
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remember on the test whether it failed, or what it stands on did, for the pictures."""
    report = yield
    if report.when != "teardown" and report.failed:
        item.has_failed = True  # type: ignore[attr-defined]
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--browser`, which tests/run.py passes on."""
    choices = [*engines.ENGINES, "all"]
    parser.addoption(
        "--browser", choices=choices, default="all", help="run tests in this browser engine only"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Note how tests go in which surroundings."""
    config.stash[OUTCOMES] = Outcomes(CACHE / "matrix.json")
    config.pluginmanager.register(config.stash[OUTCOMES])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `engines` in all surroundings, or in those that the marker names."""
    if marker := metafunc.definition.get_closest_marker("engines"):
        metafunc.parametrize("surroundings", engines.surroundings_of(*marker.args), indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what starts a browser, and leave out what another engine than the chosen one is needed for."""
    chosen, away = config.getoption("browser"), []
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()) or "/tests/browser/" in item.path.as_posix():
            item.add_marker("browser")
            name = item.callspec.params.get("surroundings", DEFAULT) if hasattr(item, "callspec") else DEFAULT
            if chosen not in ("all", engines.SURROUNDINGS[name].engine):
                away.append(item)
    if away:
        config.hook.pytest_deselected(items=away)
        items[:] = [item for item in items if item not in set(away)]
