"""What the benchmark's browsers load: the built store, and beside it the bench's own pages on other sites."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from build.places import DIST, NODE_MODULES, ROOT
from build.server import SiteServer

PAGES = ROOT / "bench" / "site"
APPS = ("bench", "big", "small")
"""Three apps, so three spaces: the one that is measured, one of many keys, one of few."""

PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
CROSS_STORAGE = ("client.js", "hub.js")


def serve(folder: Path) -> SiteServer:
    """Lay the sites out in the empty `folder` and serve them on a free port."""
    shutil.copytree(DIST / "store", folder / "store", copy_function=_link)
    app = next(path.name for path in (DIST / "store").glob("app-*") if path.is_dir())
    for page in (PAGES / "store").iterdir():
        (folder / "store" / page.name).write_text(page.read_text("utf-8").replace("{{app}}", app))
    for name in APPS:
        shutil.copytree(PAGES / "bench", folder / name)
        _link_all(PYODIDE, NODE_MODULES / "pyodide", folder / name / "pyodide")
    shutil.copytree(PAGES / "peer", folder / "peer")
    for name in ("bench", "big", "small", "peer"):
        _link_all(CROSS_STORAGE, NODE_MODULES / "cross-storage" / "dist", folder / name / "cross-storage")
    server = SiteServer(folder)
    server.start()
    return server


def _link_all(names: tuple[str, ...], source: Path, target: Path) -> None:
    target.mkdir()
    for name in names:
        _link(str(source / name), str(target / name))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
