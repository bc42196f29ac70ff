"""Ports that no other server of this run had, and that the system gives to nobody who asks for any.

One that is asked of the system and let go again is given to somebody else soon: to a connection of another test, too.
"""

from __future__ import annotations

import itertools
import os
import socket

FIRST_PORT, PORTS_EACH = 12_000, 4_000
"""Below those that Linux gives to whoever asks for any (32,768 and up), above those that browsers refuse."""

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_first = FIRST_PORT + _worker * PORTS_EACH
new_ports = iter(range(_first, _first + PORTS_EACH))
"""Those of this process, each once; another server of the machine may have one."""


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    return next(filter(_free, new_ports))


def free_pair() -> int:
    """Return one whose next one is free, too."""
    return next(first for first, second in itertools.pairwise(new_ports) if _free(first) and _free(second))


def _free(port: int) -> bool:
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
