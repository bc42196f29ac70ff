"""Where tests stand: what the folder promises holds, and its document names it."""

from __future__ import annotations

import ast
import asyncio
import socket
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
TEXT = (TESTS.parent / "docs" / "testing.md").read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="there an event loop binds sockets itself")
def test_below_unit_a_socket_is_refused() -> None:
    """It can neither listen nor connect, with Python's event loop or the relay's."""
    import uvloop  # there is none for Windows

    with socket.socket() as found:
        for refused in (found.bind, found.connect, found.connect_ex):
            with pytest.raises(pytest.fail.Exception, match="opens a socket"):
                refused(("127.0.0.1", 0))
    for loop in (asyncio.SelectorEventLoop, uvloop.new_event_loop):

        async def listen() -> None:
            await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)

        refusal = pytest.raises(pytest.fail.Exception, match="opens a socket")
        with asyncio.Runner(loop_factory=loop) as runner, refusal:
            runner.run(listen())


def test_each_folder_of_tests_is_described() -> None:
    """docs/testing.md says what each one is for; and below unit each test is in a room of its own."""
    folders = {path.parent.relative_to(TESTS).parts[0] for path in TESTS.glob("*/**/test_*.py")}
    assert [name for name in sorted(folders) if f"| `tests/{name}" not in TEXT] == []
    assert [*(TESTS / "unit").glob("test_*.py"), *TESTS.glob("test_*.py")] == []


def test_no_test_imports_another() -> None:
    """But for those in browsers: what several test files need stands in a rig, and each can be run by itself."""
    files = list(TESTS.glob("**/test_*.py"))
    names = {path.stem for path in files}
    found = [
        f"{path.relative_to(TESTS)} imports {name}"
        for path in files
        if "browser" not in path.relative_to(TESTS).parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in imported(node)
        if name.rpartition(".")[2] in names
    ]
    assert found == []


def imported(node: ast.AST) -> list[str]:
    """Return the modules that an import names."""
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
