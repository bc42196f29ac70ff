"""The built site with test apps beside it, on ports that no other server of this run had.

A new port is a new origin: for a browser that has run many tests already, everything at it is as in one that was just
started. It has stored nothing, runs no worker, and has allowed no app.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from build.places import ROOT
from build.server import Handler, SiteServer

APPS = ROOT / "tests" / "browser" / "site"

Server = TypeVar("Server")

FIRST_PORT, PORTS_EACH = 12_000, 4_000
"""Below those that Linux gives to whoever asks for any (32,768 and up), above those that browsers refuse."""

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = itertools.count(FIRST_PORT + _worker * PORTS_EACH)


def at_new_origin(make: Callable[[int], Server]) -> Server:
    """Return what `make(port)` makes of a port that nobody had in this run."""
    for port in itertools.islice(_ports, PORTS_EACH):
        with contextlib.suppress(OSError):  # somebody else's
            return make(port)
    raise RuntimeError("no port is left for another server")


def serve(dist: Path, handler: type[Handler] = Handler, **options: Any) -> SiteServer:
    """Start a server over `dist` at new origins; the caller stops it."""
    server = at_new_origin(lambda port: SiteServer(dist, port=port, **options))
    server.RequestHandlerClass = handler
    server.start()
    return server


def copy_of(dist: Path, target: Path) -> Path:
    """Return a copy of `dist` in which tests may change files: links for what is large, never written through.

    Beside store and demos it has the test apps `app`, `other`, `third`, and the pages of `hostile` and `stranger`.
    """
    shutil.copytree(dist, target, copy_function=link)
    for name in ("app", "other", "third"):
        _make_app(dist / "store", target / name)
    for name in ("hostile", "stranger"):
        shutil.copytree(APPS / "hostile", target / name)
    return target


def _make_app(store: Path, app: Path) -> None:
    """Make a test app, which starts Python as the store does, from the snapshot: in a third of the time.

    People's apps start Pyodide or PyScript as these come. The demos do, and the pages of test_kinds.py.
    """
    shutil.copytree(APPS / "app", app)
    for pattern in ("app-*", "py-*", "snapshot-*", "code-*"):
        for part in store.glob(pattern):
            if part.is_dir():
                shutil.copytree(part, app / "python" / part.name, copy_function=link)
            else:
                (app / "python").mkdir(exist_ok=True)
                link(str(part), str(app / "python" / part.name))
    boot = next((app / "python").glob("app-*/python.js")).relative_to(app).as_posix()
    (app / "python.js").write_text(f'export {{ startPython }} from "./{boot}";\n', "utf-8")


def link(source: str, target: str) -> None:
    """Put the same file there, by a link where the file system has them."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
