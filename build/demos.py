"""The demos: each folder of `demo/`, with PyScript and both Pythons beside it so that nothing comes from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from build.compress import link
from build.inputs import files_under, hash_files
from build.offline import write_service_worker
from build.places import DEFAULT_STORE, NODE_MODULES, ROOT

TEXT = {".html", ".py", ".js", ".mjs", ".json", ".toml", ".css", ".md"}
"""Files in which the store's address is put in place."""

PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "pyodide-lock.json")
MICROPYTHON = ("micropython.mjs", "micropython.wasm")


def demo_names() -> list[str]:
    """Return the names of the demos: the folders of `demo/` with a page."""
    return sorted(page.parent.name for page in (ROOT / "demo").glob("*/index.html"))


def make_demo(name: str, target: Path, store: str, stdlib: Path) -> None:
    """Fill `target` with the demo `name`, which looks for the store at the address `store`.

    `stdlib`: the zip of the standard library that its Pyodide starts with.
    """
    source = ROOT / "demo" / name
    for path in files_under(source):
        content = path.read_bytes()
        if path.suffix in TEXT:
            content = content.replace(DEFAULT_STORE.encode(), store.encode())
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    page = (target / "index.html").read_text("utf-8")
    if "pyscript/" in page:
        add_pyscript(target / "pyscript", stdlib)
        names = [path.relative_to(target).as_posix() for path in files_under(target)]
        client = dict.fromkeys(re.findall(r'"(https?://[^"]+\.whl)"', page), hash_files([ROOT / "client"]))
        # Not `whole`: serve.py puts the store's address into these files.
        write_service_worker(
            target / "service-worker.js", names, family=f"masq-{name}", whole=False, elsewhere=client
        )


def add_pyscript(target: Path, stdlib: Path) -> None:
    """Put PyScript's core, Pyodide with this standard library, and MicroPython into `target`, without source maps."""
    core = NODE_MODULES / "@pyscript" / "core" / "dist"
    for path in core.iterdir():
        if path.suffix in (".js", ".css"):
            link(path, target / path.name)
    for name in PYODIDE:
        link(NODE_MODULES / "pyodide" / name, target / "pyodide" / name)
    link(stdlib, target / "pyodide" / "python_stdlib.zip")
    for name in MICROPYTHON:
        link(
            NODE_MODULES / "@micropython" / "micropython-webassembly-pyscript" / name,
            target / "micropython" / name,
        )
