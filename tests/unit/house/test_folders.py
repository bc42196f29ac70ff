"""Where tests stand: what the folder promises holds, and its document names it."""

from __future__ import annotations

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
