"""The engine's tests run once for each way in which its writer can start on this Python."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from masq_store.engine.storage import writer

HERE = Path(__file__).parent
STORE = HERE.parents[1] / "store"

STARTS = {"plain": writer.start_soon}
if hasattr(writer, "start_now"):  # what browsers use, and CPython from 3.12 on
    STARTS["eager"] = writer.start_now


@pytest.fixture(scope="module", autouse=True)
def writer_start(request: pytest.FixtureRequest) -> Iterator[str]:
    """How the writer starts in this test; in a module that never comes near it, as it does by itself."""
    name = getattr(request, "param", "")
    with pytest.MonkeyPatch.context() as patch:
        if name:
            patch.setattr(writer, "start", STARTS[name])
        yield name


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what imports the writer, by whatever way round, with each start where there is more than one."""
    if len(STARTS) > 1 and _reaches(metafunc.definition.path, STORE / "masq_store/engine/storage/writer.py"):
        metafunc.parametrize("writer_start", list(STARTS), indirect=True, scope="module")


@cache
def _reaches(path: Path, wanted: Path) -> bool:
    seen, found = set(), {path}
    while found:
        seen |= found
        found = {each for path in found for each in _imported(path)} - seen
    return wanted in seen


@cache
def _imported(path: Path) -> frozenset[Path]:
    """Return the files of the store and of these tests that a file imports, anywhere in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    files = [root / (name.replace(".", "/") + ".py") for name in names for root in (HERE, STORE)]
    return frozenset(file for file in files if file.is_file())
