"""The site that browser tests run against: the built `dist/`, with test apps on origins of their own beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.serving import Served
from conftest import Site

from build.lock import build_lock
from build.node import install_packages
from build.places import DEFAULT_STORE, NODE_MODULES, ROOT
from build.server import Handler, SiteServer

APPS = ROOT / "tests" / "browser" / "site"
PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")


def copy_of(dist: Path, target: Path) -> Path:
    """Return a copy of `dist` in which tests may change files: links for what is large, never written through."""
    shutil.copytree(dist, target, copy_function=_link)
    for name in ("app", "other", "third"):
        shutil.copytree(APPS / "app", target / name)
        (target / name / "pyodide").mkdir()
        for file in PYODIDE:
            _link(str(NODE_MODULES / "pyodide" / file), str(target / name / "pyodide" / file))
    for name in ("hostile", "stranger"):
        shutil.copytree(APPS / "hostile", target / name)
    return target


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


@pytest.fixture(scope="session")
def site(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The built site with the test apps `app`, `other`, `third` and `hostile`, on a free port."""
    server = SiteServer(copy_of(dist, tmp_path_factory.mktemp("site") / "dist"))
    server.start()
    yield Site(server)
    server.stop()


@pytest.fixture
def own_site(dist: Path, tmp_path: Path) -> Iterator[Site]:
    """As `site`, but for one test, which may change its files."""
    server = SiteServer(copy_of(dist, tmp_path / "dist"))
    server.start()
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

    def _with_address(self, text: bytes) -> bytes:
        return text.replace(DEFAULT_STORE.encode(), self.server.store.encode())  # type: ignore[attr-defined]


@pytest.fixture
def beside(site: Site) -> Iterator[SiteServer]:
    """A server on another port, for an app of the store's own site."""
    server = SiteServer(site.server.dist)
    server.RequestHandlerClass = SameSite
    server.store = site.store  # type: ignore[attr-defined]
    server.start()
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
    server = SiteServer(site.server.dist)
    server.RequestHandlerClass = WithApp
    server.start()
    yield Site(server)
    server.stop()


@pytest.fixture
def app(browser: Callable[..., Any], site: Site) -> Any:
    """A browser in which the test app is connected: its Store is the Python global `store`."""
    from browser.steps import connect_test_app

    driver = browser()
    connect_test_app(driver, site.url("app"))
    return driver


@pytest.fixture
def meeting(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """As `own_site`, with a relay, and a tap in front of it: where devices of one test meet."""
    from browser.meeting import Meeting

    found = Meeting(dist, tmp_path_factory.mktemp("meeting"))
    yield found
    found.stop()
