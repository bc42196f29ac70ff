"""A WebSocket server of a measurement's own: the relay, or the bare forwarder that things are compared with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Timer

from build.node import node
from build.places import ROOT

START_SECONDS = 30.0
"""In which a server must have said where it listens."""


def forwarder() -> list[str]:
    """Return the command of the forwarder on Node's ws; build.node.install_packages(dev=True) has got that."""
    return [node(), str(ROOT / "bench" / "forwarder.mjs")]


@contextmanager
def running(command: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Start a server, give its address and its process id, and end it. Raises RuntimeError where it does not start."""
    server = subprocess.Popen(
        command, cwd=ROOT, env=dict(os.environ, PYTHONPATH=str(ROOT / "relay")), stdout=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    late = Timer(START_SECONDS, server.kill)
    late.start()
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        late.cancel()
        if not line.strip():
            raise RuntimeError(f"{' '.join(command)} has ended, or did not say where it listens.")
        yield line.split()[-1], server.pid
    finally:
        late.cancel()
        server.kill()
        server.communicate()
