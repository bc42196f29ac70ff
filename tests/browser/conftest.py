"""The site that browser tests run against: the built `dist/`, with test apps on origins of their own beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.connected import ConnectedApp
from browser.pool import Pool
from browser.serving import Served
from browser.sites import copy_of, serve
from conftest import BROWSERS, Site, has_failed, picture

from build.lock import build_lock
from build.node import install_packages
from build.places import DEFAULT_STORE, NODE_MODULES
from build.server import Handler, SiteServer


@pytest.fixture(scope="session")
def built(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of dist/, with the test apps beside the store: for all tests that change nothing in it."""
    return copy_of(dist, tmp_path_factory.mktemp("built") / "dist")


@pytest.fixture
def site(built: Path) -> Iterator[Site]:
    """The built site with the test apps `app`, `other`, `third` and `hostile`, at origins that no test had before."""
    server = serve(built)
    yield Site(server)
    server.stop()


@pytest.fixture
def whole_site(dist: Path, tmp_path: Path) -> Iterator[Site]:
    """As `own_site`, with the files packed, and with service workers: as on a host."""
    server = serve(copy_of(dist, tmp_path / "whole", whole=True))
    yield Site(server)
    server.stop()


@pytest.fixture
def own_site(dist: Path, tmp_path: Path) -> Iterator[Site]:
    """As `site`, of files that the test may change."""
    server = serve(copy_of(dist, tmp_path / "dist"))
    yield Site(server)
    server.stop()


@pytest.fixture(scope="session")
def served(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The sites and the relay, as `python3 serve.py` serves them."""
    running = Served(tmp_path_factory.mktemp("relay"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's source, installed as package-lock.json names it."""
    with build_lock():
        install_packages(dev=True)
    return (NODE_MODULES / "axe-core" / "axe.min.js").read_text("utf-8")


class SameSite(Handler):
    """The test app whatever the host's name, with the address of a store that another port serves."""

    def _site(self) -> str:
        return "app"

    def _with_address(self, text: bytes, names: str) -> bytes:
        return text.replace(DEFAULT_STORE.encode(), self.server.store.encode())  # type: ignore[attr-defined]


@pytest.fixture
def beside(site: Site) -> Iterator[SiteServer]:
    """A server on another port, for an app of the store's own site."""
    server = serve(site.server.dist, SameSite)
    server.store = site.store  # type: ignore[attr-defined]
    yield server
    server.stop()


class WithApp(Handler):
    """Shows the test app at the store's own origin, too, below `/near/`."""

    def do_GET(self) -> None:
        """Answer with a file; where it is of the app there, as at the app's own address."""
        if self._site() == "store" and self.path.startswith("/near/"):
            self.path = self.path.removeprefix("/near")
            self.headers.replace_header("Host", f"app.localhost:{self.server.port}")
        super().do_GET()


@pytest.fixture
def inside(site: Site) -> Iterator[Site]:
    """As `site`, with the test app at the store's own origin: in WebKit no other page sees the store's storage."""
    server = serve(site.server.dist, WithApp)
    yield Site(server)
    server.stop()


@pytest.fixture
def app(request: pytest.FixtureRequest, surroundings: str, pool: Pool, built: Path) -> Iterator[Any]:
    """A browser in which the test app is connected: its Store is the Python global `store`.

    Other tests have had the app, in the same page. Its space is empty, and nothing has gone wrong in it. A test that
    ends the session, or looks at how it began, takes `fresh_app`.
    """
    pool.keep_to(surroundings)
    if pool.connected is None:
        site = Site(serve(built))
        pool.connected = ConnectedApp(_connected(pool.take(surroundings), site, "pyodide"), site)
    request.node.stash.setdefault(BROWSERS, []).append([pool.connected.driver])
    yield pool.connected.driver
    if has_failed(request.node):
        picture(pool.connected.driver, f"{request.node.name}-app")
        pool.drop_app()
    elif not pool.connected.is_as_before():
        pool.drop_app()


@pytest.fixture
def app_site(app: Any, pool: Pool) -> Site:
    """The sites at which `app` is connected."""
    assert pool.connected is not None
    return pool.connected.site


@pytest.fixture
def fresh_app(browser: Callable[..., Any], site: Site) -> Any:
    """As `app`, connected for this test, at new origins."""
    return _connected(browser(), site)


@pytest.fixture
def own_app(own_browser: Callable[..., Any], site: Site) -> Any:
    """As `fresh_app`, in a browser that no other test has."""
    return _connected(own_browser(), site)


def _connected(driver: Any, site: Site, name: str = "app") -> Any:
    from browser.steps import connect_test_app

    connect_test_app(driver, site.url(name))
    return driver


@pytest.fixture
def meeting(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """As `own_site`, with a relay, and a tap in front of it: where devices of one test meet."""
    from browser.meeting import Meeting

    found = Meeting(dist, tmp_path_factory.mktemp("meeting"))
    yield found
    found.stop()
