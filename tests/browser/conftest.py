"""The site that browser tests run against: the built `dist/`, with test apps on origins of their own beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Site

from build.places import NODE_MODULES, ROOT
from build.server import SiteServer

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
