"""Runs inside Pyodide at build time: compiles the project, and the part of the standard library that it uses.

Reads /build/code (sources) and /build/job.json {"entries": […], "extras": […], "skip": […]}.
Writes /build/code-pyc and /build/stdlib-pyc (trees for the two zips) and /build/imports.json (what the snapshot holds).
"""

import ast
import importlib
import json
import marshal
import sys
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

WORK = Path("/build")
CODE = WORK / "code"
BROWSER_ONLY = {
    "js",
    "pyodide",
    "pyodide_js",
    "pyscript",
    "_pyodide",
    "_pyodide_core",
    "micropython",
    "jsffi",
}
job = json.loads((WORK / "job.json").read_text())


def compiled(source, name):
    """Return the .pyc of `source`: no docstrings, no asserts, and no time or path of the building machine."""
    whole = name.startswith(("pyodide/", "_pyodide/"))  # Pyodide's own docstrings are copied at run time
    code = compile(source, name, "exec", dont_inherit=True, optimize=0 if whole else 2)
    return MAGIC_NUMBER + bytes(12) + marshal.dumps(code)


def write(folder, name, content):
    """Write one file of a zip's tree."""
    path = WORK / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def module_name(path):
    """Return the dotted name of a source file below /build/code."""
    parts = list(path.relative_to(CODE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(path):
    """Yield the absolute names of every import statement of a file, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module


sys.path.insert(0, str(CODE))
ours = sorted(CODE.glob("masq_store/**/*.py"))
wanted = [
    module_name(path) for path in ours if not any(module_name(path).startswith(skip) for skip in job["skip"])
]
for name in [*job["entries"], *wanted]:
    importlib.import_module(name)
loaded = [module_name(path) for path in sorted(CODE.rglob("*.py")) if module_name(path) in sys.modules]

late = {name for path in CODE.rglob("*.py") if module_name(path) in loaded for name in imported_names(path)}
late = {name for name in late if name.split(".")[0] not in BROWSER_ONLY}
project_late = {
    name
    for path in ours
    if module_name(path) in loaded
    for name in imported_names(path)
    if name.split(".")[0] not in BROWSER_ONLY
}
for name in sorted(project_late):
    importlib.import_module(name)
in_snapshot = [*wanted, *sorted(project_late - set(wanted)), *job["late"]]
for name in sorted(late | set(job["extras"])):
    try:
        importlib.import_module(name)
    except ImportError:  # an optional import of a third-party package, for another platform
        continue

stdlib = next(Path(entry) for entry in sys.path if entry.endswith(".zip"))
names = {name.replace(".", "/") for name in sys.modules}
with zipfile.ZipFile(stdlib) as archive:
    for name in archive.namelist():
        if not name.endswith(".py"):
            continue
        module = name[:-3].removesuffix("/__init__")
        if module in names or module.split("/")[0] in ("pyodide", "_pyodide") or "sysconfigdata" in module:
            write("stdlib-pyc", name + "c", compiled(archive.read(name), name))
for path in CODE.rglob("*"):
    if path.is_file():
        name = path.relative_to(CODE).as_posix()
        if path.suffix == ".py":
            write("code-pyc", name + "c", compiled(path.read_bytes(), name))
        else:
            write("code-pyc", name, path.read_bytes())
(WORK / "imports.json").write_text(json.dumps(in_snapshot))
