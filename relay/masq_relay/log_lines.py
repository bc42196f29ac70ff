"""Writes the log's lines to standard error, by a thread of its own, which may be slow or fail."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from typing import TextIO

MOST_WAITING = 1000
"""Lines that may wait for whoever reads the log. More are left out."""

END_SECONDS = 1.0


class LogLines:
    """A stream to write lines to. Writing never waits, and raises nothing but `Full`."""

    class Full(Exception):
        """Nobody takes the lines that wait already."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lines: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self.lost = 0
        """Lines that were taken and could not be written."""
        self._thread = threading.Thread(target=self._work, name="masq-relay-log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Let a line wait to be written. Raises Full."""
        try:
            self._lines.put_nowait(line)
        except queue.Full as error:
            raise LogLines.Full from error

    def end(self) -> None:
        """Write what waits, as far as that goes in a second."""
        with suppress(queue.Full):
            self._lines.put_nowait(None)
            self._thread.join(END_SECONDS)

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._out.write(line)
                self._out.flush()
            except (OSError, ValueError):  # a full disk, a pipe that nobody reads any more, a closed file
                self.lost += 1
