"""The relay that `serve.py` starts beside the sites: a program of its own, which ends with it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import threading
from typing import IO

from build.environment import environment_python
from build.places import CACHE, DEFAULT_PORT, ROOT

STOP_SECONDS = 15.0


class RelayFailed(Exception):
    """The relay could not be started; the sentence says why and what to do."""


class LocalRelay:
    """A relay on this machine.

    Args:
        arguments: serve.py's, of which `host`, `certfile`, `keyfile`, `relay_port` and `relay_data` count.
        site_port: the port of the sites; the relay takes the next one unless it is told otherwise, so that its
            address stays the same from one start to the next: devices remember it.

    Raises RelayFailed.
    """

    def __init__(self, arguments: argparse.Namespace, site_port: int) -> None:
        port = arguments.relay_port if arguments.relay_port is not None else site_port + 1
        command = [_python(), "-m", "masq_relay", "--host", arguments.host, "--port", str(port)]
        command += [
            "--data",
            arguments.relay_data or default_data(site_port),
            "--log",
            "warning",
            "--end-with-stdin",
        ]
        for option in ("certfile", "keyfile"):
            if getattr(arguments, option) is not None:
                command += [f"--{option}", getattr(arguments, option)]
        parts = [str(ROOT / "relay"), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._program = subprocess.Popen(
            command,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(parts)),
            stdin=subprocess.PIPE,  # it stops when this ends, so it ends with serve.py however that ends
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            # Not in the terminal's group: Ctrl-C comes to serve.py, which stops the relay in its turn.
            start_new_session=True,
        )
        assert self._program.stdout is not None and self._program.stderr is not None
        line = self._program.stdout.readline()  # it says where it listens, or ends after a sentence on stderr
        if not line:
            said = self._program.communicate()[1].strip()
            raise RelayFailed(f"{_in_our_words(said)} Or leave the relay out with --no-relay.")
        # What it logs goes where ours goes.
        threading.Thread(target=_pass_on, args=(self._program.stderr,), daemon=True).start()
        bound = line.strip().rsplit(":", 1)[1]
        self.url = f"{'ws' if arguments.certfile is None else 'wss'}://localhost:{bound}"
        """Its address, as a page on this machine can use it."""

    def stop(self) -> None:
        """Stop it; what it was given is kept."""
        assert self._program.stdin is not None
        self._program.stdin.close()
        try:
            self._program.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._program.kill()
            self._program.wait()
        if self._program.stdout is not None:
            self._program.stdout.close()


def default_data(site_port: int) -> str:
    """Return the folder of the relay beside sites at this port: the store at another one is another store."""
    return str(CACHE / ("relay" if site_port == DEFAULT_PORT else f"relay-{site_port}"))


def _in_our_words(said: str) -> str:
    """Return the relay's refusal with the options as `serve.py` calls them."""
    for theirs, ours in (("--port", "--relay-port"), ("--data", "--relay-data")):
        said = said.replace(theirs, ours)
    return said.replace("masq-relay:", "The relay did not start.", 1)


def _pass_on(lines: IO[str]) -> None:
    with lines:
        for line in lines:
            print(line, end="", file=sys.stderr, flush=True)


def _python() -> str:
    """Return the Python that has the relay's packages. Raises RelayFailed where none has."""
    if importlib.util.find_spec("picows"):
        return sys.executable
    # With --no-build serve.py stays in the Python that it was started with.
    if environment_python().exists():
        return str(environment_python())
    raise RelayFailed(
        "The relay's packages are not installed: leave out --no-build once, or give --no-relay."
    )
