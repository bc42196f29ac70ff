"""Python for the store's pages: a standard library trimmed to what is used, the project's code, and a memory snapshot.

Two passes, because compiling source inflates the heap and a snapshot of an inflated heap cannot be restored:
the first compiles everything to .pyc inside Pyodide, the second boots from those and takes the snapshot.
Their products are kept in .cache/ under the hash of what they were made from.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import time
from pathlib import Path
from typing import NamedTuple

from build import catalogues
from build.archive import write_zip
from build.inputs import hash_files
from build.node import run_node
from build.places import CACHE, ROOT, BuildError

ENTRIES = ("masq_store.browser.worker", "masq_store.browser.page")
"""The modules that the store's worker and pages start with."""

SKIP = ("masq_store.native", "masq_store.backup")
"""Modules that never run in a browser."""

PACKAGES = ("jinja2", "markupsafe", "segno")
"""What travels with the store besides its own packages, as pyproject.toml pins it."""

LATE = ("jinja2.debug", "traceback", "linecache", "random")
"""Modules that others import only when something happens; files are not in a snapshot, so they are imported before."""

EXTRAS = (
    *(
        "encodings." + name
        for name in ("utf_8", "ascii", "latin_1", "cp437", "unicode_escape", "raw_unicode_escape")
    ),
    *(
        "encodings.idna",
        "encodings.utf_16",
        "_pylong",
        "_strptime",
        "calendar",
        "inspect",
        "logging",
        "pprint",
    ),
    *("secrets", "shutil", "tempfile", "tokenize", "uuid", "zipfile", "pyodide.code"),
)
"""Standard modules that the zip holds beyond what the snapshot has loaded, for late imports and for the plain boot."""

HEAP_LIMIT = 30 * 2**20 + 64 * 2**10
"""Bytes. Pyodide's first heap is 30 MiB; a snapshot of a larger one cannot be restored (`offset is out of bounds`)."""


class Runtime(NamedTuple):
    """The finished pieces, as files in the cache."""

    key: str
    """Hash of everything they were made from."""
    stdlib: Path
    """Every standard module that the store uses, for the plain boot."""
    late: Path
    """Those of them that are not in the snapshot."""
    code: Path
    snapshot: Path
    facts: dict[str, object]
    """Of the snapshot: `size` in bytes once unfolded, the `runs` that the file holds, what is the `same` in a new
    WebAssembly module ([where it belongs, from where, to where] each, bytes), and the `hash` of it all."""


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise BuildError(
            f"{name} is missing: run python3 serve.py once, which installs what the build needs."
        )
    return Path(spec.origin).parent


def _sources() -> list[tuple[Path, str]]:
    folders = [(ROOT / "client" / "masq", "masq"), (ROOT / "store" / "masq_store", "masq_store")]
    for entry in ENTRIES:
        path = ROOT / "store" / Path(*entry.split(".")).with_suffix(".py")
        if not path.is_file():
            raise BuildError(f"{entry} is missing: the build needs {path.relative_to(ROOT)}.")
    return [*folders, *((_package(name), name) for name in PACKAGES)]


def _stage(folder: Path) -> None:
    for source, name in _sources():
        shutil.copytree(
            source,
            folder / "code" / name,
            ignore=shutil.ignore_patterns(
                "__pycache__", "*.pyc", "*.so", "*.pyd", "*.c", "*.pyi", "py.typed", "cli.py", "*.po"
            ),
        )
    for path in catalogues.files():
        target = (folder / "code" / path.relative_to(ROOT / "store")).with_suffix(".mo")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(catalogues.compiled(path))
    job = {"entries": ENTRIES, "skip": SKIP, "extras": EXTRAS, "late": LATE}
    (folder / "job.json").write_text(json.dumps(job))


def _zip_tree(tree: Path, target: Path, *, compress: bool) -> None:
    files = (path for path in tree.rglob("*") if path.is_file())
    write_zip(
        target, ((path.relative_to(tree).as_posix(), path.read_bytes()) for path in files), compress=compress
    )


def _zip_late(tree: Path, target: Path, loaded: list[str]) -> None:
    """Write the zip that a restore brings: the standard modules that the snapshot does not hold."""
    entries = []
    for path in tree.rglob("*.pyc"):
        name = path.relative_to(tree).as_posix()
        if name.removesuffix(".pyc").removesuffix("/__init__").replace("/", ".") not in loaded:
            entries.append((name, path.read_bytes()))
    write_zip(target, entries, compress=False)


def make_runtime() -> Runtime:
    """Return the pieces, made anew only where something they are made of has changed.

    Raises BuildError where a pass fails or the heap has outgrown its first 30 MiB.
    """
    build_folder = ROOT / "build"
    scripts = [
        build_folder / name
        for name in (
            "pyodide_node.mjs",
            "compile.mjs",
            "in_pyodide.py",
            "snapshot.mjs",
            "runtime.py",
            "catalogues.py",
        )
    ]
    sources = [ROOT / "client" / "masq", ROOT / "store" / "masq_store"]
    key = hash_files([*sources, *scripts, ROOT / "package-lock.json", ROOT / "pyproject.toml"])
    kept = CACHE / "runtime" / key
    if not (kept / "made.json").is_file():
        _make(kept)
    facts = json.loads((kept / "made.json").read_text())
    return Runtime(
        key, kept / "stdlib.zip", kept / "late.zip", kept / "code.zip", kept / "snapshot.bin", facts
    )


def _make(kept: Path) -> None:
    for old in sorted(kept.parent.glob("*"), key=lambda path: path.stat().st_mtime)[:-3]:
        shutil.rmtree(old, ignore_errors=True)
    work = CACHE / "runtime-work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    started = time.monotonic()
    print("Compiling Python for the browser …", flush=True)
    _stage(work)
    run_node(ROOT / "build" / "compile.mjs", str(work), "in_pyodide.py")
    # Stored, not deflated: the .br beside the file compresses better, and reading it at boot is quicker.
    _zip_tree(work / "stdlib-pyc", work / "stdlib.zip", compress=False)
    _zip_tree(work / "code-pyc", work / "code.zip", compress=False)
    print("Taking the memory snapshot …", flush=True)
    facts = json.loads(run_node(ROOT / "build" / "snapshot.mjs", str(work)).strip().splitlines()[-1])
    _zip_late(work / "stdlib-pyc", work / "late.zip", facts.pop("loaded"))
    if facts["heap"] > HEAP_LIMIT or facts["size"] > HEAP_LIMIT:
        raise BuildError(
            f"The heap grew to {facts['heap']:,} bytes while the store was imported; a snapshot can hold "
            f"{HEAP_LIMIT:,}. Import less at module level, or less altogether."
        )
    for name in ("code", "code-pyc", "stdlib-pyc"):
        shutil.rmtree(work / name)
    (work / "made.json").write_text(json.dumps(facts))
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    work.rename(kept)
    print(f"  snapshot {facts['size']:,} bytes, made in {time.monotonic() - started:.1f} s", flush=True)
