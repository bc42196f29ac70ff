"""What needs no socket: a test in these folders that opens one fails."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from writer_starts import pytest_generate_tests, writer_start  # noqa: F401 (for the tests)

try:
    from uvloop import Loop
except ImportError:  # there is none for Windows
    Loop = None


@pytest.fixture(scope="module", autouse=True)
def no_socket() -> Iterator[None]:
    """Refuse to bind or connect. Not on Windows, where an event loop's own pair of sockets is made so."""
    with pytest.MonkeyPatch.context() as patch:
        if sys.platform != "win32":
            for name in ("bind", "connect", "connect_ex", "sendto"):
                patch.setattr(socket.socket, name, _refused)
            for name in ("create_server", "create_connection", "create_datagram_endpoint") if Loop else ():
                patch.setattr(Loop, name, _refused)  # it does these without Python's sockets
        yield


def _refused(*arguments: Any, **options: Any) -> None:
    pytest.fail("A test below tests/unit opens a socket: it belongs into tests/relay, device or serving.")
