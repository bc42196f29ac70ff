"""`python3 serve.py` as a person starts it: a program of its own, with its relay."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from build.places import ROOT


class Served:
    """The sites and the relay of one `serve.py`, on free ports."""

    def __init__(self, relay_data: Path, *arguments: str) -> None:
        command = [sys.executable, str(ROOT / "serve.py"), "--no-build", "--port", "0", "--relay-port", "0"]
        self._program = subprocess.Popen(
            [*command, "--relay-data", str(relay_data), *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.addresses: dict[str, str] = {}
        assert self._program.stdout is not None
        for line in self._program.stdout:
            if found := re.match(r"\s+(\S+://\S+)\s+(\S.*)", line):
                self.addresses[found[2].strip()] = found[1]
            if "start here" in line:
                break
        self.store = self.addresses["the store"]
        self.relay = self.addresses.get("the relay, where devices meet", "")

    def demo(self, name: str) -> str:
        """Return the address of a demo."""
        return self.addresses[f"demo: {name}"]

    def stop(self) -> None:
        """End it, as Ctrl-C does."""
        self._program.send_signal(signal.SIGINT)
        self._program.wait(30)
        if self._program.stdout is not None:
            self._program.stdout.close()
