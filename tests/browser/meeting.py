"""The sites with the test apps, and a relay with a tap in front of it, where devices of these tests meet."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from browser.sites import copy_of, serve
from browser.tap import Tap
from conftest import Site

from build.relay import LocalRelay


class Meeting(Site):
    """Store, demos and test apps on one port; `tap` lies between the devices and the relay.

    `kept`: the folder of what the relay keeps.
    """

    def __init__(self, dist: Path, folder: Path) -> None:
        super().__init__(serve(copy_of(dist, folder / "dist")))
        self.kept = folder / "relay"
        self._relay: LocalRelay | None = None
        self.start_relay()
        self.tap = Tap(self.relay_port)
        self.server.relay = self.tap.url

    @property
    def relay_port(self) -> int:
        """Where the relay itself listens."""
        assert self._relay is not None
        return int(self._relay.url.rpartition(":")[2])

    def start_relay(self) -> None:
        """Start the relay; once it was stopped, with what it had kept, and at another port."""
        options: dict[str, Any] = {"certfile": None, "keyfile": None, "relay_port": 0}
        arguments = argparse.Namespace(host="127.0.0.1", relay_data=str(self.kept), **options)
        self._relay = LocalRelay(arguments, 0)

    def stop_relay(self) -> None:
        """Stop the relay; what it was given it keeps."""
        if self._relay is not None:
            self._relay.stop()
        self._relay = None

    def restart_relay(self) -> None:
        """Start the relay again, behind the tap's same address."""
        self.start_relay()
        self.tap.relay_port = self.relay_port

    def stop(self) -> None:
        """End all of it."""
        self.tap.close()
        self.stop_relay()
        self.server.stop()
