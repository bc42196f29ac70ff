"""An app in MicroPython may keep as much as any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import much
from browser.sites import serve
from conftest import Site


@pytest.fixture
def apps(built: Path, dist: Path, tmp_path: Path) -> Iterator[Site]:
    """The built site, with the app beside it."""
    much.make_app(dist, tmp_path / "much", 500, 8)
    server = serve(built, folders={"much": tmp_path / "much"})
    yield Site(server)
    server.stop()


@pytest.mark.engines("each")
@pytest.mark.slow("MicroPython writes four megabytes and reads them three times")
def test_micropython_reads_whatever_there_is(
    browser: Callable[..., Any], apps: Site, figure: Callable[[str], None]
) -> None:
    """4 MB come by `items`, `get_many` and the beginning of a watch, and the largest bytes go there and back."""
    driver = browser()
    found = much.measure(driver, apps.url("much"))
    figure(f"4 MB in mpy in {driver.engine}: " + ", ".join(f"{what} {ms} ms" for what, ms in found.items()))
