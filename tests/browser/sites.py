"""The built site with test apps beside it, on ports that no other server of this run had.

A new port is a new origin: for a browser that has run many tests already, everything at it is as in one that was just
started. It has stored nothing, runs no worker, and has allowed no app.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from free_ports import new_ports

from build.places import ROOT
from build.server import Handler, SiteServer

APPS = ROOT / "tests" / "browser" / "site"

Server = TypeVar("Server")


def at_new_origin(make: Callable[[int], Server]) -> Server:
    """Return what `make(port)` makes of a port that nobody had in this run."""
    for port in new_ports:
        with contextlib.suppress(OSError):  # somebody else's
            return make(port)
    raise RuntimeError("no port is left for another server")


def serve(dist: Path, handler: type[Handler] = Handler, **options: Any) -> SiteServer:
    """Start a server over `dist` at new origins; the caller stops it."""
    server = at_new_origin(lambda port: SiteServer(dist, port=port, **options))
    server.RequestHandlerClass = handler
    server.start()
    return server


PACKED = ("*.br", "*.gz")
KEEPERS = ("service-worker.js", "frame-worker.js")
"""What a browser runs to keep a site's files for when there is no network."""


def copy_of(dist: Path, target: Path, *, whole: bool = False) -> Path:
    """Return a copy of `dist` in which tests may change files: links for what is large, never written through.

    To unpack the files and to keep them takes a browser longer, at each new origin, than to start Python. Where a test
    is not about that they come as they are, and the service workers keep nothing. `whole`: as on a host.

    Beside store and demos it has the test apps `app`, `other` and `third` in MicroPython, `pyodide` and `pyodide-too`
    in Pyodide, and the pages of `hostile` and `stranger`. Below the store it has `answer/`, which stands for the
    store's window.
    """
    if whole:
        shutil.copytree(dist, target, copy_function=link)
    else:
        copy_lightly(dist, target)
    for name in ("app", "other", "third"):
        _make_app(target / name, "micropython")
        _add_micropython(dist, target / name)
    for name in ("pyodide", "pyodide-too"):
        _make_app(target / name, "pyodide")
        _add_pyodide(target / "store", target / name)
    for name in ("hostile", "stranger"):
        shutil.copytree(APPS / "hostile", target / name)
    _add_answer(target / "store")
    return target


def copy_lightly(site: Path, target: Path) -> None:
    """Copy a folder of sites, or one site, unpacked, and with service workers that keep nothing."""
    shutil.copytree(site, target, copy_function=link, ignore=shutil.ignore_patterns(*PACKED))
    for keeper in [path for name in KEEPERS for path in target.rglob(name)]:
        keeper.unlink()  # a link
        keeper.write_text("// Keeps nothing.\n", "utf-8")


def _make_app(app: Path, python: str) -> None:
    """Make a test app that starts by the script of this name."""
    shutil.copytree(APPS / "app", app)
    (app / "start.js").write_text(f'export {{ start }} from "./{python}.js";\n', "utf-8")


def _add_micropython(dist: Path, app: Path) -> None:
    """Give an app MicroPython as the demos have it, and the client's files."""
    shutil.copytree(dist / "counter" / "pyscript" / "micropython", app / "micropython", copy_function=link)
    files = {file.name: file.read_text("utf-8") for file in (dist / "store" / "client" / "masq").glob("*.py")}
    (app / "client.json").write_text(json.dumps(files), "utf-8")


def _add_pyodide(store: Path, app: Path) -> None:
    """Have an app start Python as the store does, from the snapshot: in a third of the time.

    People's apps start Pyodide or PyScript as these come. The demos do, and the pages of test_kinds.py.
    """
    for pattern in ("app-*", "py-*", "snapshot-*", "code-*"):
        for part in store.glob(pattern):
            if part.is_dir():
                shutil.copytree(part, app / "python" / part.name, copy_function=link)
            else:
                (app / "python").mkdir(exist_ok=True)
                link(str(part), str(app / "python" / part.name))
    boot = next((app / "python").glob("app-*/python.js")).relative_to(app).as_posix()
    (app / "python.js").write_text(f'export {{ startPython }} from "./{boot}";\n', "utf-8")


def _add_answer(store: Path) -> None:
    """Add the page that answers in the place of the store's window. It asks for the store's worker as that does."""
    shutil.copytree(APPS / "answer", store / "answer")
    script = store / "answer" / "answer.js"
    connect = next(store.glob("app-*/connect.js")).relative_to(store).as_posix()
    script.write_text(script.read_text("utf-8").replace("./connect.js", f"../{connect}"), "utf-8")


def link(source: str, target: str) -> None:
    """Put the same file there, by a link where the file system has them."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
