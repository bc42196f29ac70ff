"""The relay: its parts put together, started, and stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from masq_relay.certificate_renewal import Certificate
from masq_relay.disk.access import DiskAccess
from masq_relay.disk.age import Age
from masq_relay.disk.reading import Reading
from masq_relay.disk.writing import Disk
from masq_relay.event_log import EventLog
from masq_relay.janitor import Janitor
from masq_relay.limits import Limits
from masq_relay.metrics import Metrics
from masq_relay.rooms.committer import Committer
from masq_relay.rooms.day_quota import DayQuota
from masq_relay.rooms.disk_space import DiskSpace
from masq_relay.rooms.hub import Hub
from masq_relay.rooms.incoming_snapshots import IncomingSnapshots
from masq_relay.rooms.open_rooms import OpenRooms
from masq_relay.rooms.replay import Replay
from masq_relay.rooms.session import ClientSession
from masq_relay.sockets.arrivals import Arrival, Arrivals
from masq_relay.sockets.connection import Connection, Connections
from masq_relay.sockets.listener import Listener, bind
from masq_relay.sockets.peers import Peers, is_loopback


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Relay:
    """The composition root of a relay over an open disk: puts its parts together, starts and stops them.

    Args:
        disk: what it keeps, and `reading`: the same to read from. They belong to the relay from here on.
        limits: quotas and bounds.
        event_log: where it says what happens.
        clock_ms: the time, in milliseconds since 1970, to tell devices; tests bring their own.
        elapsed: seconds since any moment, by a clock that nobody sets; all that gets older or waits goes by it.
        behind_proxy: whether X-Forwarded-For says who a peer is.
        folder: where the disk's file is, to notice that somebody has taken it away; None does not look.
    """

    def __init__(
        self,
        disk: Disk,
        reading: Reading,
        limits: Limits,
        event_log: EventLog,
        *,
        clock_ms: Callable[[], int] = now_ms,
        elapsed: Callable[[], float] = time.monotonic,
        behind_proxy: bool = False,
        folder: Path | None = None,
    ) -> None:
        self.limits = limits
        self.event_log = event_log
        self.metrics = Metrics()
        self.peers = Peers(limits)
        self._disk = disk
        self._reading = reading
        self._clock_ms = clock_ms
        self._elapsed = elapsed
        self._behind_proxy = behind_proxy
        self._folder = folder

    async def start(
        self,
        hosts: str | Sequence[str],
        port: int,
        certificate: Certificate | None = None,
        *,
        origins: Sequence[str] = (),
        metrics_port: int | None = None,
    ) -> int:
        """Listen at these addresses. Returns the port, which is a free one where `port` is 0.

        `origins`: pages that may connect. `metrics_port`: a port of this machine's own for the counts, which are
        then not at the other one.

        Raises OSError where it cannot.
        """
        hosts = [hosts] if isinstance(hosts, str) else list(hosts)
        self._certificate = certificate
        sockets = await bind(hosts, port)
        apart = [] if metrics_port is None else await bind(["127.0.0.1"], metrics_port)
        await self._put_together()
        self._tidying = asyncio.create_task(self.janitor.run())
        listener = Listener(
            self._connect,
            self.event_log,
            healthy=lambda: self.access.ok and not self.connections.stopping,
            counts=lambda: self.metrics.text(self.gauges()),
            behind_proxy=self._behind_proxy,
            local=all(is_loopback(str(each.getsockname()[0])) for each in sockets),
            origins=origins,
            metrics_apart=bool(apart),
        )
        for each in sockets:
            self._arrivals.listen(each, listener.answer)
        for each in apart:
            self._arrivals.listen(each, listener.answer_with_counts, plain=True)
        port = int(sockets[0].getsockname()[1])
        fields: dict[str, object] = {"host": hosts[0]} if len(hosts) == 1 else {"hosts": hosts}
        if apart:
            fields["metrics_port"] = self.metrics_port = int(apart[0].getsockname()[1])
        tls = certificate is not None
        self.event_log.write("info", "listening", **fields, port=port, tls=tls, rooms=self.space.rooms)
        return port

    async def _put_together(self) -> None:
        limits, metrics, event_log = self.limits, self.metrics, self.event_log
        self.access = access = DiskAccess(self._disk, self._reading, event_log)
        age = Age(await access.write.ask(self._disk.age_ms), self._elapsed)
        self.space = space = DiskSpace(limits, age)
        space.count(await access.write.ask(self._disk.size))
        self.rooms = rooms = OpenRooms(access, age, limits.retention)
        self.connections = Connections(self.peers, limits, metrics, event_log)
        day_quota = DayQuota(limits)
        self._committer = Committer(
            access, rooms, space, day_quota, age, limits, metrics, event_log, self._clock_ms
        )
        snapshots = IncomingSnapshots(access, limits, self._elapsed)
        self._hub = Hub(access, rooms, self._committer, space, day_quota, snapshots, age, limits, metrics)
        self._replay = Replay(access, metrics)
        self.janitor = Janitor(
            access, rooms, space, self.connections, age, limits, metrics, event_log,
            self._elapsed, self._certificate, self._folder,
        )  # fmt: skip
        self._arrivals = Arrivals(
            self.peers,
            limits,
            metrics,
            event_log,
            tls=None if self._certificate is None else self._certificate.context,
            behind_proxy=self._behind_proxy,
        )

    def _connect(self, arrival: Arrival, address: str) -> Connection:
        connection = Connection(self.connections, arrival, address)
        connection.serve(ClientSession(connection, self._hub, self._replay, self.limits, self._clock_ms))
        return connection

    def renew_certificate(self) -> None:
        """Take the certificate's files up as they are now, for connections from now on."""
        if self._certificate is not None:
            self._certificate.renew_and_log(self.event_log)

    async def stop(self) -> None:
        """Keep what has come, say to all that the relay is stopping, and end. Takes a few seconds at most."""
        self.connections.stopping = True
        self._arrivals.close()
        self._tidying.cancel()
        with suppress(asyncio.CancelledError):
            await self._tidying
        self.connections.pause_all()
        await self._committer.finish()
        await self.connections.end_all()
        self.janitor.note_age()
        self.access.close()
        self.event_log.write("info", "stopped")

    def gauges(self) -> dict[str, float]:
        """Return what /metrics shows beside the counts."""
        return {
            "log_lines_lost": self.event_log.lost,
            "connections": len(self.connections),
            "peers": len(self.peers),
            "arriving": self._arrivals.count,
            "held_bytes": self.connections.held,
            "rooms_open": len(self.rooms.by_key),
            "rooms_stored": self.space.rooms,
            "disk_bytes": self.space.measured + self.space.added,
            "unsaved_bytes": self.space.unsaved,
            "waiting_bytes": self.connections.waiting,
            "disk_ok": int(self.access.ok),
        }
