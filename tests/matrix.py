#!/usr/bin/env python3
"""Bring docs/browsers.md up to date: what works in which browser, as the tests that were run last have shown it.

python3 tests/matrix.py            takes over the outcomes of the last tests/run.py, and writes the table
python3 tests/matrix.py --check    writes nothing; fails where an outcome is another one than the table says

The outcomes are kept in docs/browsers.json. Tests that were not run keep what stands there.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser.engines import SURROUNDINGS, surroundings_of  # noqa: E402
from browser.expectations import EXPECTATIONS  # noqa: E402

TESTS = ROOT / "tests" / "browser"
KEPT = ROOT / "docs" / "browsers.json"
TABLE = ROOT / "docs" / "browsers.md"
LAST = ROOT / ".cache" / "matrix.json"
YES = "yes"

HEAD = """\
# What works in which browser

Each row is a test, and says what holds. "yes": the test has shown it. A number: it is otherwise there, as the
sentence of that number says below; the test has shown that. "–": not tried there, for it makes no sense, or one
setting of Chromium stands for both. This page is written by `python3 tests/matrix.py` from the outcomes of the tests.

Chromium is tested with third-party cookies allowed and with third-party cookies blocked. Firefox and WebKit are set
as people get them. In Chromium with third-party cookies allowed, apps share the store's own storage; in the others
each app's site has a copy of its own, which the window of the Connect button sets up.

"""


class Test(NamedTuple):
    """A test that is marked `engines`."""

    file: str
    about: str  # the file's first sentence
    name: str
    sentence: str
    surroundings: list[str]


def constants(module: ast.Module) -> dict[str, Any]:
    """Return the names of a module that stand for something written out."""
    found = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with suppress(ValueError):
                found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def marked() -> Iterator[Test]:
    """Read the tests that are marked `engines` from their sources, in order."""
    for path in sorted(TESTS.glob("test_*.py")):
        module = ast.parse(path.read_text("utf-8"))
        about = (ast.get_docstring(module) or "").split("\n")[0]
        for node in module.body:
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                call = mark if isinstance(mark, ast.Call) else None
                if ast.unparse(call.func if call else mark) == "pytest.mark.engines":
                    arguments = ", ".join(map(ast.unparse, call.args)) if call else ""
                    names = eval(f"[{arguments}]", constants(module))
                    sentence = " ".join((ast.get_docstring(node) or "").split())
                    yield Test(path.name, about, node.name, sentence, surroundings_of(*names))


def taken_over(kept: dict[str, Any], last: dict[str, Any], tests: list[Test]) -> dict[str, Any]:
    """Return what is kept, with the last outcomes put in; without tests and surroundings that are no more."""
    outcomes: dict[str, dict[str, str]] = {}
    for test in tests:
        key = f"{test.file}::{test.name}"
        known = {**kept["tests"].get(key, {}), **last["tests"].get(key, {})}
        outcomes[key] = {name: known[name] for name in test.surroundings if name in known}
    versions = {**kept["versions"], **last["versions"]}
    return {"versions": dict(sorted(versions.items())), "tests": outcomes}


def table(kept: dict[str, Any], tests: list[Test]) -> str:
    """Return docs/browsers.md."""
    numbers = {name: number for number, name in enumerate(EXPECTATIONS, 1)}
    versions = ", ".join(f"{engine} {version}" for engine, version in kept["versions"].items())
    lines = [f"{HEAD}Last run in: {versions}."]
    about = ""
    for test in tests:
        if test.about != about:
            about = test.about
            lines += [
                "",
                f"## {about.rstrip('.')}",
                "",
                f"| | {' | '.join(SURROUNDINGS)} |",
                "|---" * 5 + "|",
            ]
        outcomes = kept["tests"].get(f"{test.file}::{test.name}", {})
        cells = [
            _cell(outcomes.get(name, "?"), numbers) if name in test.surroundings else "–"
            for name in SURROUNDINGS
        ]
        lines.append(f"| {test.sentence} | {' | '.join(cells)} |")
    lines += ["", "## What is otherwise", ""]
    for name, number in numbers.items():
        where = ", ".join(surroundings_of(*EXPECTATIONS[name].where))
        lines.append(f"{number}. ({where}) {EXPECTATIONS[name].sentence}")
    return "\n".join(lines) + "\n"


def _cell(outcome: str, numbers: dict[str, int]) -> str:
    return " ".join(f"({numbers[name]})" if name in numbers else name for name in outcome.split())


def differences(kept: dict[str, Any], last: dict[str, Any]) -> list[str]:
    """Return a line for each outcome of the last run that is not the one that is kept."""
    return [
        f"{test} in {name}: {outcome}, not {kept['tests'].get(test, {}).get(name)}"
        for test, outcomes in last["tests"].items()
        for name, outcome in outcomes.items()
        if kept["tests"].get(test, {}).get(name) != outcome
    ]


def main() -> int:
    """Do it; returns 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(description="Bring docs/browsers.md up to date.")
    parser.add_argument("--check", action="store_true", help="only compare the last run with what is kept")
    choice = parser.parse_args()
    nothing: dict[str, Any] = {"versions": {}, "tests": {}}
    last = json.loads(LAST.read_text("utf-8")) if LAST.is_file() else nothing
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.is_file() else nothing
    if choice.check:
        found = differences(kept, last)
        print("\n".join(found) or f"{len(last['tests'])} tests went as docs/browsers.md says")
        return 1 if found else 0
    tests = list(marked())
    kept = taken_over(kept, last, tests)
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    TABLE.write_text(table(kept, tests), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
