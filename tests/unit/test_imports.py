"""Who may import whom, read from the sources themselves; and how much JavaScript the store's site may hold."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENT, STORE, RELAY, SITE = ROOT / "client", ROOT / "store", ROOT / "relay", ROOT / "store" / "site"

BROWSER = {"js", "pyodide", "pyodide_js", "pyscript", "polyscript", "jsffi", "_pyodide"}
TOUCH_BROWSER = ("masq.window", "masq.far_window", "masq.ffi", "masq_store.browser", "masq_store.ui")
"""The only modules that may import what a browser's Python brings."""

PURE = {
    "__future__", "abc", "base64", "binascii", "bisect", "collections", "dataclasses", "enum", "functools",
    "hashlib", "heapq", "hmac", "itertools", "json", "math", "operator", "re", "string", "struct", "types",
    "typing", "unicodedata", "urllib",
}  # fmt: skip
"""The standard library's parts that do no I/O, keep no clock and draw no random numbers."""

THIRD_PARTY = {
    "masq_store.ui": {"jinja2", "markupsafe", "segno"},
    "masq_store.native": {"cryptography", "picows"},
    "masq_relay": {"aiofastnet", "picows", "uvloop"},
}
RELAY_PURE = ("masq_relay.frames", "masq_relay.limits", "masq_relay.rates", "masq_relay.sheets")
"""The relay's parts that read what strangers send, or count: no I/O, no clock."""

BASE = {"masq.messages", "masq.errors", "masq_store.core"}
LAYERS: dict[str, set[str]] = {
    "masq": set(),
    "masq_store.core": BASE,
    "masq_store.engine": BASE | {"masq_store.engine"},
    "masq_store.native": BASE | {"masq_store.engine", "masq_store.native", "masq.rpc", "masq.store"},
    "masq_store.backup": BASE | {"masq_store.engine", "masq_store.native", "masq_store.backup"},
    "masq_store.ui": BASE | {"masq_store.engine", "masq_store.ui", "masq.rpc"},
    "masq_relay": {"masq_relay"},
    "masq_store.browser": BASE | {"masq_store.engine", "masq_store.ui", "masq_store.browser", "masq.rpc"},
}
"""What of ours each part may import. `masq` may import itself only, and so may `masq_relay`."""

MAX_LINES, MAX_COLUMNS = 250, 100


def layer_of(module: str) -> str:
    """Return the part of the project that a module belongs to."""
    top = module.split(".")[0]
    return top if top in ("masq", "masq_relay") else ".".join(module.split(".")[:2])


def imports(source: str, module: str, is_package: bool) -> Iterator[tuple[str, bool, int]]:
    """Yield (absolute name, whether at module level, line) of every import in `source`."""
    tree = ast.parse(source)
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        outer = id(node) not in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, outer, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            for alias in node.names:
                # `from masq import errors` names a module; `from json import dumps` does not, and does no harm here.
                yield f"{base}.{alias.name}", outer, node.lineno


def starts(name: str, prefix: str) -> bool:
    """Tell whether `name` is `prefix` or lies in it."""
    return name == prefix or name.startswith(prefix + ".")


def broken_rules(source: str, module: str, is_package: bool = False) -> list[str]:
    """Return a sentence for each import of `source` that the rules forbid."""
    found = []
    layer = layer_of(module)
    for name, outer, line in imports(source, module, is_package):
        top = name.split(".")[0]
        where = f"{module}:{line}: {name}"
        if top in BROWSER:
            if not any(starts(module, prefix) for prefix in TOUCH_BROWSER):
                found.append(f"{where} belongs to the browser")
            elif outer and module.startswith("masq_store"):
                found.append(f"{where} is imported at module level: the memory snapshot would fail")
        elif top == "masq" and layer == "masq":
            continue
        elif layer == "masq_store":
            found.append(f"{where} is not for the package itself, which says what it is and no more")
        elif top in ("masq", "masq_store", "masq_relay"):
            if not any(starts(name, allowed) for allowed in LAYERS.get(layer, ())):
                found.append(f"{where} is not for {layer}")
        elif (layer == "masq_store.core" or module in RELAY_PURE) and top not in PURE:
            found.append(f"{where} is not pure")
        elif layer == "masq_store.engine" and top in ("time", "random", "secrets", "socket", "threading"):
            found.append(f"{where} comes in through a port")
        elif top not in sys.stdlib_module_names and top not in THIRD_PARTY.get(layer, ()) and layer != "masq":
            found.append(f"{where} is not among this part's packages")
    return found


def modules() -> list[tuple[Path, str]]:
    """Return every Python file of the client, the store and the relay with its module name."""
    found = []
    for root, package in ((CLIENT, "masq"), (STORE, "masq_store"), (RELAY, "masq_relay")):
        for path in sorted((root / package).rglob("*.py")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            found.append((path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts)))
    return found


def test_there_are_sources_to_read() -> None:
    """The rules are checked on real files: every part of the project is among them."""
    names = {layer_of(name) for _, name in modules()}
    assert set(LAYERS) <= names


@pytest.mark.parametrize(("path", "module"), modules(), ids=[name for _, name in modules()])
def test_imports(path: Path, module: str) -> None:
    """No module imports what its place does not allow."""
    assert broken_rules(path.read_text("utf-8"), module, path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("masq.store", "import masq_store.core.space"),
        ("masq.rpc", "def f():\n    from js import window"),
        ("masq_store.core.space", "import asyncio"),
        ("masq_store.core.space", "import time"),
        ("masq_store.core.space", "from .. import engine"),
        ("masq_store.core.space", "from masq import rpc"),
        ("masq_store.core.space", "def f():\n    import js"),
        ("masq_store.engine.registry", "from masq_store.browser import worker"),
        ("masq_store.engine.registry", "from ..native.memory import MemoryBackend"),
        ("masq_store.engine.registry", "import random"),
        ("masq_store.browser.worker", "from js import self"),
        ("masq_store.browser.worker", "class A:\n    import pyodide.ffi"),
        ("masq_store.ui.views", "import requests"),
        ("masq_store.native.memory", "from masq_store.ui import views"),
        ("masq_store.engine.backup", "from masq_store.backup import __main__"),
        ("masq_store.backup.__main__", "import cryptography"),
        ("masq_store", "import masq_store.engine"),
        ("masq_relay.rooms", "from masq import messages"),
        ("masq_relay.rooms", "import masq_store.core.keys"),
        ("masq_relay.rooms", "import js"),
        ("masq_relay.rooms", "import requests"),
        ("masq_relay.frames", "import time"),
    ],
)
def test_a_broken_rule_is_found(module: str, source: str) -> None:
    """Each rule can fail: a source made up to break it is reported."""
    assert len(broken_rules(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("masq.window", "import js"),
        ("masq_store.browser.worker", "def f():\n    import js\n    from pyodide.ffi import to_js"),
        (
            "masq_store.core.space",
            "from masq.errors import QuotaExceeded\nfrom .clock import Stamp\nimport bisect",
        ),
        ("masq_store.engine.registry", "import asyncio\nfrom masq_store.core import space"),
        ("masq_store.ui.views", "import jinja2\nfrom masq import rpc"),
        ("masq_relay.door", "import asyncio\nimport picows\nfrom masq_relay import frames"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    """The rules leave alone what the parts need."""
    assert broken_rules(source, module) == []


def test_javascript_is_small() -> None:
    """The store's site holds at most 250 lines of JavaScript, comments aside, of at most 100 characters each."""
    lines = [line for path in sorted(SITE.rglob("*.js")) for line in path.read_text("utf-8").splitlines()]
    code = [line for line in lines if line.strip() and not line.strip().startswith("//")]
    assert code, "no JavaScript was found"
    assert len(code) <= MAX_LINES
    assert [line for line in lines if len(line) > MAX_COLUMNS] == []
