"""Who may import whom, in no circle, read from the sources; and how much JavaScript the store's site may hold."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import house
import pytest
from sources import ROOT, SITE, modules

BROWSER = {"js", "pyodide", "pyodide_js", "pyscript", "polyscript", "jsffi", "_pyodide"}
TOUCH_BROWSER = ("masq.frame", "masq.worker_frame", "masq.ffi", "masq_store.browser", "masq_store.ui")
"""The only modules that may import what a browser's Python brings."""

PURE = {
    "__future__", "abc", "base64", "binascii", "bisect", "collections", "dataclasses", "enum", "functools",
    "hashlib", "heapq", "hmac", "itertools", "json", "math", "operator", "re", "string", "struct", "types",
    "typing", "unicodedata", "urllib",
}  # fmt: skip
"""The standard library's parts that do no I/O, keep no clock and draw no random numbers."""

THROUGH_PORTS = {"time", "random", "secrets", "socket", "threading"}
"""What the engine has from its ports."""

THIRD_PARTY = {
    "masq_store.ui.html": {"jinja2", "markupsafe", "segno"},
    "masq_store.native": {"cryptography", "picows"},
    "masq_relay": {"aiofastnet", "picows", "uvloop"},
}
RELAY_PURE = ("masq_relay.frames", "masq_relay.limits", "masq_relay.token_bucket", "masq_relay.disk.batches")
"""The relay's parts that read what strangers send, or count: no I/O, no clock."""

RELAY_FOLDERS = {
    "disk": "event_log frames",
    "sockets": "event_log frames limits metrics token_bucket",
    "rooms": "disk sockets event_log frames limits metrics",
}
"""What of the relay each of its folders may import, beside itself."""

BASE = {"masq.messages", "masq.errors", "masq_store.core.errors"}
FOLDERS = {
    "core.crypto": "core.space",
    "core.space": "",
    "core.profile": "core.crypto",
    "core.storage": "core.crypto core.space",
    "core.sync": "core.crypto core.space",
    "core.relay": "",
    "core.pairing": "core.crypto core.profile",
    "core.enrolment": "core.crypto core.pairing core.profile core.space",
    "core.backup": "core.crypto core.profile core.space",
    "core.pages": "",
    "engine.ports": "core.crypto",
    "engine.tasks": "",
    "engine.throttle": "",
    "engine.trace": "",
    "engine.storage": "engine.ports engine.trace core.crypto core.space core.storage",
    "engine.relay": "engine.ports engine.trace core.profile core.relay",
    "engine.sync": "engine.ports engine.relay engine.storage engine.trace core.crypto core.relay core.space core.sync",
    "engine.profile": "engine.ports engine.storage core.backup core.crypto core.profile core.space core.storage",
    "engine.pairing": "engine.relay engine.trace core.crypto core.pairing core.relay",
    "engine.sessions": "engine.ports engine.storage engine.tasks core.profile core.space",
    "engine.enrolment": "engine.pairing engine.ports engine.storage core.enrolment core.space core.sync",
    "engine.partition": "engine.enrolment engine.pairing engine.ports engine.profile engine.relay "
    "engine.sessions engine.storage engine.sync engine.tasks engine.throttle core",
    "engine.store": "engine.enrolment engine.pairing engine.ports engine.profile engine.relay engine.sessions "
    "engine.storage engine.sync engine.tasks engine.throttle engine.trace core",
    "engine.pages": "engine.ports engine.profile engine.sessions engine.storage engine.store core",
    "engine.engine": "engine.pages engine.ports engine.profile engine.relay engine.sessions engine.storage "
    "engine.store engine.tasks engine.trace core",
    "ui.text": "core.pages",
    "ui.html": "ui.text core.enrolment core.pages core.profile",
    "ui.window": "ui.html ui.text core.pages",
    "ui.pages": "ui.html ui.text ui.window core.pages core.pairing core.profile",
    "ui.app": "ui.html ui.pages ui.text ui.window core.pages",
    "browser.ports": "masq.channel core.relay",
    "browser": "masq.channel core engine ui",
    "native": "masq.channel masq.store core engine",
    "backup": "core engine native",
}
"""What of ours each folder of the store may import, beside itself and `BASE`."""


def _full(names: str) -> set[str]:
    return {name if name.startswith("masq.") else f"masq_store.{name}" for name in names.split()}


LAYERS: dict[str, set[str]] = {
    "masq": set(),
    "masq_relay": {"masq_relay"},
    **{
        f"masq_relay.{name}": {f"masq_relay.{each}" for each in (name, *others.split())}
        for name, others in RELAY_FOLDERS.items()
    },
    **{f"masq_store.{name}": BASE for name in ("core", "engine", "ui")},  # what stands there in no folder
    **{f"masq_store.{name}": BASE | _full(f"{name} {others}") for name, others in FOLDERS.items()},
}
"""What of ours each part may import. `masq` may import itself only, and so may `masq_relay`."""

MAX_LINES, MAX_COLUMNS = 250, 100


def layer_of(module: str) -> str:
    """Return the part of the project that a module belongs to."""
    return max((layer for layer in LAYERS if starts(module, layer)), key=len, default=module)


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
    allowed = LAYERS.get(layer, set())
    packages = {top for place, tops in THIRD_PARTY.items() if starts(module, place) for top in tops}
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
            if not any(starts(name, each) for each in allowed):
                found.append(f"{where} is not for {layer}")
        elif (starts(module, "masq_store.core") or module in RELAY_PURE) and top not in PURE:
            found.append(f"{where} is not pure")
        elif starts(module, "masq_store.engine") and top in THROUGH_PORTS:
            found.append(f"{where} comes in through a port")
        elif top not in sys.stdlib_module_names and top not in packages and layer != "masq":
            found.append(f"{where} is not among this part's packages")
    return found


def test_there_are_sources_to_read() -> None:
    """The rules are checked on real files: every part of the project is among them."""
    names = {layer_of(name) for _, name in modules()}
    assert set(LAYERS) <= names


@pytest.mark.parametrize(("path", "module"), modules(), ids=[name for _, name in modules()])
def test_imports(path: Path, module: str) -> None:
    """No module imports what its place does not allow."""
    assert broken_rules(path.read_text("utf-8"), module, path.name == "__init__.py") == []


def test_no_circle_of_imports() -> None:
    """No two files import each other in a circle, for type checkers neither."""
    packages = ("client/masq", "store/masq_store", "relay/masq_relay")
    files = [module for package in packages for module in house.modules_of(ROOT, package)]
    circles = [each for each in house.components(house.imports(files, for_checkers=True)) if len(each) > 1]
    assert circles == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("masq.store", "import masq_store.core.space.space"),
        ("masq.channel", "def f():\n    from js import window"),
        ("masq_store.core.space.space", "import asyncio"),
        ("masq_store.core.space.space", "import time"),
        ("masq_store.core.space.space", "from .. import engine"),
        ("masq_store.core.space.space", "from masq import channel"),
        ("masq_store.core.space.space", "def f():\n    import js"),
        ("masq_store.engine.storage.registry", "from masq_store.browser import worker"),
        ("masq_store.engine.storage.registry", "from ...native.sqlite import SQLite"),
        ("masq_store.engine.storage.registry", "import random"),
        ("masq_store.browser.worker", "from js import self"),
        ("masq_store.browser.worker", "class A:\n    import pyodide.ffi"),
        ("masq_store.ui.html.views", "import requests"),
        ("masq_store.native.sqlite", "from masq_store.ui.html import views"),
        ("masq_store.engine.profile.backup", "from masq_store.backup import __main__"),
        ("masq_store.backup.__main__", "import cryptography"),
        ("masq_store", "import masq_store.engine"),
        ("masq_store.core.space.space", "from masq_store.core.crypto import padding"),
        ("masq_store.engine.partition.app_copy", "from masq_store.engine.store import rosters"),
        ("masq_store.engine.store.rosters", "from masq_store.engine.partition import app_copy"),
        ("masq_store.engine.relay.link", "from masq_store.engine import storage"),
        ("masq_store.engine.registry", "from masq_store.engine.storage import writer"),
        ("masq_store.ui.text.formatting", "from masq_store.ui.html import views"),
        ("masq_store.ui.pages.apps", "import jinja2"),
        ("masq_relay.rooms.room", "from masq import messages"),
        ("masq_relay.rooms.room", "import masq_store.core.crypto.key_schedule"),
        ("masq_relay.rooms.room", "import js"),
        ("masq_relay.rooms.room", "import requests"),
        ("masq_relay.frames", "import time"),
        ("masq_relay.disk.writing", "from masq_relay.rooms import hub"),
        ("masq_relay.sockets.connection", "from masq_relay.rooms.session import ClientSession"),
        ("masq_relay.rooms.hub", "from masq_relay.relay import Relay"),
    ],
)
def test_a_broken_rule_is_found(module: str, source: str) -> None:
    """Each rule can fail: a source made up to break it is reported."""
    assert len(broken_rules(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("masq.frame", "import js"),
        ("masq_store.browser.worker", "def f():\n    import js\n    from pyodide.ffi import to_js"),
        (
            "masq_store.core.space.space",
            "from masq.errors import QuotaExceeded\nfrom .clock import Stamp\nimport bisect",
        ),
        ("masq_store.engine.storage.registry", "import asyncio\nfrom masq_store.core import space"),
        ("masq_store.ui.html.views", "import jinja2\nfrom masq_store.ui.text import formatting"),
        ("masq_relay.sockets.listener", "import asyncio\nimport picows\nfrom masq_relay import frames"),
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
