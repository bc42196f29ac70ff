"""Asynchronous access to the disk: a thread that writes, one that reads, and whether the disk still does both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from masq_relay.disk.reading import Reading
from masq_relay.disk.serial_thread import SerialThread
from masq_relay.disk.writing import Disk
from masq_relay.event_log import EventLog


class DiskAccess:
    """An open disk and its two threads. Jobs for `write` use `disk`, those for `read` use `reading`, and no others."""

    def __init__(self, disk: Disk, reading: Reading, event_log: EventLog) -> None:
        loop = asyncio.get_running_loop()
        self.disk = disk
        self.reading = reading
        self.write = SerialThread("masq-relay-write", loop)
        self.read = SerialThread("masq-relay-read", loop)
        self.ok = True
        """Whether the last thing that was asked of the disk went well."""
        self.lost = asyncio.Event()
        """Set when the data directory was taken away under the relay: it cannot keep anything any more."""
        self._event_log = event_log

    def note(self, doing: str, job: Callable[[], object]) -> None:
        """Write something that nobody waits for. `doing`: what the log says where it fails."""
        self.write.do(job, partial(self._noted, doing))

    def _noted(self, doing: str, _: object, failure: Exception | None) -> None:
        if failure is not None:
            self.failed(doing, failure)

    def failed(self, doing: str, failure: Exception | None) -> None:
        """Note that the disk failed, until a commit goes through again."""
        self.ok = False
        self._event_log.write(
            "error", "disk failed", doing=doing, failure=str(failure), kind=type(failure).__name__
        )

    def directory_gone(self) -> None:
        """Note that the data directory was taken away."""
        self._event_log.write("error", "data directory is gone")
        self.ok = False
        self.lost.set()

    def close(self) -> None:
        """Finish what was asked, and let the file go. Waits for it."""
        self.write.end()
        self.read.end()
        self.reading.close()
        self.disk.close()
