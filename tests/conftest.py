"""What tests share: the built site behind a server of this run's own, and browsers that end with their test."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asynchronous
import hypothesis
import patience
import pytest
from browser import engines
from browser.outcomes import Outcomes
from browser.pool import Pool
from browser.words import CRASHED
from summary import FIGURE, Summary

from build.places import CACHE, DIST, ROOT
from build.server import SiteServer

# A machine that is busy for a moment says nothing of the code: no example is timed. Speed is bench/'s. And no line is
# traced to explain a failure that may come: that takes a tenth of the time where none does.
hypothesis.settings.register_profile(
    "masq",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    phases=[phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain],
)
hypothesis.settings.load_profile("masq")

DEFAULT = "chromium-allowed"
"""The surroundings of a test that is not marked `engines`."""

OUTCOMES = pytest.StashKey[Outcomes]()
BROWSERS = pytest.StashKey[list[list[Any]]]()
"""The browsers of a test, by the fixtures that gave them."""


CRASHED_ONCE = pytest.mark.flaky(reruns=1, only_rerun=[CRASHED])
"""A test in which a browser's process crashed, and no other, is run once more, and told of.

For tests in browsers alone: to ask whether a test is to be run again takes 40 ms beside other processes
(pytest-rerunfailures asks over a socket, in two small writes).
"""


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


@pytest.fixture(scope="session")
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    """The browsers that tests share."""
    running = Pool(request.config.stash[OUTCOMES].started)
    yield running
    running.close()


@pytest.fixture
def browser(request: pytest.FixtureRequest, surroundings: str, pool: Pool) -> Iterator[Callable[..., Any]]:
    """Give browsers: `browser()`, each of them a device. Other tests had them before, at other origins.

    What restarts, kills or sets up a browser, or looks at all that runs in one, takes `own_browser`.
    """
    taken: list[Any] = []

    def take(name: str = surroundings) -> Any:
        taken.append(pool.take(name))
        return taken[-1]

    yield from _with_pictures(request, take, taken)
    for driver in taken:
        if has_failed(request.node) or driver.crashes():
            pool.end(driver)
        else:
            pool.give_back(driver)


@pytest.fixture
def own_browser(
    request: pytest.FixtureRequest, surroundings: str, pool: Pool
) -> Iterator[Callable[..., Any]]:
    """Start browsers for this test alone: `own_browser(profile=…)`, `own_browser("firefox")`. They end with it."""
    pool.keep_to(surroundings)
    started: list[Any] = []

    def start(name: str = surroundings, **options: Any) -> Any:
        started.append(engines.start(name, **options))
        request.config.stash[OUTCOMES].started(started[-1], name)
        return started[-1]

    yield from _with_pictures(request, start, started)
    for driver in started:
        engines.end(driver)


def _with_pictures(
    request: pytest.FixtureRequest, give: Callable[..., Any], given: list[Any]
) -> Iterator[Callable[..., Any]]:
    """Let the test have its browsers. If it fails, take a picture of each of their windows."""
    there = request.node.stash.setdefault(BROWSERS, [])
    there.append(given)
    yield give
    if has_failed(request.node):
        for number, driver in enumerate(given):
            picture(driver, f"{request.node.name}-{there.index(given)}-{number}")


def has_failed(item: pytest.Item) -> bool:
    """Say whether a test has failed, or what it stands on."""
    return bool(getattr(item, "has_failed", False))


@pytest.fixture
def differs(request: pytest.FixtureRequest, surroundings: str) -> Callable[[str], bool]:
    """Tell whether one of browser/expectations.py holds here; docs/browsers.md will say so."""
    return lambda name: request.config.stash[OUTCOMES].differs(request.node, surroundings, name)


def picture(driver: Any, name: str) -> None:
    """Leave a picture of each window of a browser; print what it shows, and what its console said last."""
    folder = CACHE / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    safe = re.sub(r"[^\w.-]+", "_", name)
    try:
        for number, window in enumerate(driver.window_handles):
            driver.switch_to.window(window)
            driver.save_screenshot(str(folder / f"{safe}-{number}.png"))
            print(f"window {number}: {driver.current_url}")
            print(driver.execute_script("return document.body?.innerText.slice(0, 2000)"))
        for entry in driver.console()[-30:]:
            print(f"console {entry['level']}: {entry['message'][:500]}")
    except Exception as error:  # a picture is a courtesy: what failed is the test
        print(f"no picture of {safe}: {error}")
        if hasattr(driver, "errors"):
            print("its standard error ended with:", *driver.errors()[-20:], sep="\n")


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Have the run's summary tell a figure: `figure("first value in py: 311 ms")`."""
    return lambda text: request.node.user_properties.append((FIGURE, text))


class BrowserCrashed(Exception):
    """A test failed in whose browser a process has crashed: a frame's or a worker's, which no driver tells of."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """Say so where a browser's process has crashed during a test that fails: what it saw may have come of that."""
    try:
        return (yield)
    except Exception as error:
        drivers = [driver for given in item.stash.get(BROWSERS, []) for driver in given]
        dumps = [str(dump) for driver in drivers for dump in driver.crashes()]
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
    """Add what tests/run.py passes on."""
    choices = [*engines.ENGINES, "all"]
    parser.addoption(
        "--browser", choices=choices, default="all", help="run tests in this browser engine only"
    )
    parser.addoption(
        "--quick",
        action="store_true",
        help="of the tests in browsers only those marked `quick`, in one setting",
    )
    parser.addoption(
        "--again", type=int, default=1, metavar="N", help="run each test N times, and none a second time"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Note how tests go in which surroundings, and how long they take. Run the async ones. Time this machine."""
    patience.factor()  # the processes that run tests get it from here
    config.stash[OUTCOMES] = Outcomes(CACHE / "matrix.json", written=not hasattr(config, "workerinput"))
    config.pluginmanager.register(config.stash[OUTCOMES])
    config.pluginmanager.register(Summary())
    config.pluginmanager.register(asynchronous)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `engines` in all surroundings, or in those that the marker names."""
    if marker := metafunc.definition.get_closest_marker("engines"):
        metafunc.parametrize("surroundings", engines.surroundings_of(*marker.args), indirect=True)
    if (times := metafunc.config.option.again) > 1:
        metafunc.fixturenames.append("turn")
        metafunc.parametrize("turn", range(1, times + 1))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what starts a browser, leave out what was not asked for, and put the rest in order.

    Tests without a browser come first: they are quick, and find most. Those in the same surroundings stand together, so
    that they find a browser which runs already. Of each the slow ones begin, and with --quick of all: at the end one
    process would wait for another.
    """
    for item in items:
        if {"browser", "own_browser"} & set(getattr(item, "fixturenames", ())) or (
            "/tests/browser/" in item.path.as_posix()
        ):
            item.add_marker("browser")
            if config.option.again == 1:
                item.add_marker(CRASHED_ONCE)
    away = {item for item in items if not _asked_for(config, item)}
    config.hook.pytest_deselected(items=list(away))
    names = ["", *engines.SURROUNDINGS]

    def place(item: pytest.Item) -> tuple[int, int]:
        where, soon = names.index(surroundings_of(item)), item.get_closest_marker("slow") is None
        return (soon, where) if config.option.quick else (where, soon)

    items[:] = sorted((item for item in items if item not in away), key=place)


def _asked_for(config: pytest.Config, item: pytest.Item) -> bool:
    name = surroundings_of(item)
    if config.option.quick and item.get_closest_marker("whole"):
        return False
    if not name:
        return True
    if config.option.quick and not (item.get_closest_marker("quick") and name == DEFAULT):
        return False
    return config.option.browser in ("all", engines.SURROUNDINGS[name].engine)


def surroundings_of(item: pytest.Item) -> str:
    """Return the surroundings that a test runs in, "" where it needs no browser."""
    if item.get_closest_marker("browser") is None:
        return ""
    return str(item.callspec.params.get("surroundings", DEFAULT)) if hasattr(item, "callspec") else DEFAULT
