"""The relay that `serve.py` starts: where it listens, and that it ends with it."""

import argparse
import os
import signal
import subprocess
import sys
import time

import pytest
from free_ports import free_port
from relay_rig import PATIENCE, ROOT, healthy

from build.relay import LocalRelay, RelayFailed


def asked(folder, **choice):
    """Return the arguments of serve.py that count."""
    usual = {
        "host": "127.0.0.1",
        "certfile": None,
        "keyfile": None,
        "relay_port": 0,
        "relay_data": str(folder),
    }
    return argparse.Namespace(**usual | choice)


def test_it_takes_the_port_after_the_sites(tmp_path):
    """The relay's address is fixed by serve.py's port, it answers there, and nowhere after it was stopped."""
    port = free_port()
    relay = LocalRelay(asked(tmp_path, relay_port=None), port - 1)
    try:
        assert relay.url == f"ws://localhost:{port}"
        assert healthy(port)
    finally:
        relay.stop()
    assert not healthy(port)


def test_a_port_in_use_is_said(tmp_path):
    """A relay that cannot start ends serve.py with a sentence that names the two ways out."""
    relay = LocalRelay(asked(tmp_path / "a"), 0)
    port = int(relay.url.rsplit(":", 1)[1])
    try:
        with pytest.raises(RelayFailed, match="--relay-port.*--no-relay"):
            LocalRelay(asked(tmp_path / "b", relay_port=port), 0)
    finally:
        relay.stop()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_it_ends_even_when_serve_is_killed(tmp_path):
    """Killing the program that started it leaves no relay behind."""
    code = f"""
import argparse, sys, time
sys.path.insert(0, {str(ROOT)!r})
from build.relay import LocalRelay
print(LocalRelay(argparse.Namespace(**{vars(asked(tmp_path))!r}), 0).url, flush=True)
time.sleep(60)
"""
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    port = int(program.stdout.readline().rsplit(":", 1)[1])
    assert healthy(port)
    program.kill()
    program.communicate()
    end = time.monotonic() + PATIENCE
    while healthy(port):
        assert time.monotonic() < end
        time.sleep(0.02)
