"""The standard library that the demos' Pyodide starts with: Pyodide's own, compiled.

Pyodide ships it as source, and compiles what it imports at every start: three quarters of the time that a page of
PyScript takes to come up (docs/decisions/0011). It is made once for each version of Pyodide.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from build.archive import write_zip
from build.inputs import hash_files
from build.node import run_node
from build.places import CACHE, ROOT

PROGRAMS = ("compile.mjs", "compile_stdlib.py", "pyodide_node.mjs", "app_python.py")


def app_stdlib() -> Path:
    """Return the zip, made where there is none for this Pyodide. Raises BuildError where a pass fails."""
    key = hash_files([ROOT / "package-lock.json", *(ROOT / "build" / name for name in PROGRAMS)])
    kept = CACHE / "stdlib" / f"{key}.zip"
    if kept.is_file():
        return kept
    print("Compiling the demos' standard library …", flush=True)
    shutil.rmtree(kept.parent, ignore_errors=True)
    work = CACHE / "stdlib-work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    run_node(ROOT / "build" / "compile.mjs", str(work), "compile_stdlib.py")
    tree = work / "stdlib"
    files = [path for path in tree.rglob("*") if path.is_file()]
    half = work / "half.zip"
    # Deflated: apps' hosts need not compress anything.
    write_zip(half, ((path.relative_to(tree).as_posix(), path.read_bytes()) for path in files))
    kept.parent.mkdir(parents=True)
    half.rename(kept)
    shutil.rmtree(work)
    return kept
