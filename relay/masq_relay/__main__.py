"""The command `masq-relay`: `masq-relay --help` lists its options, docs/relay.md tells how to run it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO

from masq_relay.disk.file import UnusableData, open_disk
from masq_relay.event_log import EventLog
from masq_relay.limits import Limits
from masq_relay.log_lines import LogLines
from masq_relay.relay import Relay
from masq_relay.settings import BadSettings, Settings, read

FILES_BESIDES = 48
"""Open files that are no sockets of clients: the database, its log, the listening sockets, Python's own."""

FEWEST_ARRIVING = 16
"""Sockets besides those of the connections that are needed to make any."""

SWITCH_SECONDS = 0.0005
"""How long the event loop may keep the thread that commits waiting for the interpreter (Python's default is 5 ms)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the relay until SIGTERM or SIGINT. Returns the exit status: 0 stopped, 1 failed, 2 refused to start."""
    try:
        settings = read(arguments)
        settings = replace(settings, limits=_allow_files(settings.limits))
        lock = _lock(settings)
    except (BadSettings, UnusableData) as error:
        print(f"masq-relay: {error}", file=sys.stderr)
        return 2
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        return _run(_serve(settings))
    except UnusableData as error:
        print(f"masq-relay: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"masq-relay: {_refusal(error, settings)}", file=sys.stderr)
        return 2
    finally:
        lock.close()


def _run(work: Coroutine[Any, Any, int]) -> int:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _serve(settings: Settings) -> int:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends it there
            loop.add_signal_handler(number, asked.set)
    if settings.end_with_stdin:
        threading.Thread(target=_watch_stdin, args=(loop, asked), daemon=True).start()
    disk, reading = open_disk(settings.data)
    lines = LogLines(sys.stderr)
    event_log = EventLog(settings.log, lines)
    for name in (
        "asyncio",
        "aiofastnet",
    ):  # what they write themselves would wait for standard error, in the loop
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
    loop.set_exception_handler(partial(_unexpected, event_log))
    relay = Relay(
        disk,
        reading,
        settings.limits,
        event_log,
        behind_proxy=settings.behind_proxy,
        folder=settings.data,
    )
    port = await relay.start(
        settings.hosts,
        settings.port,
        settings.certificate,
        origins=settings.origins,
        metrics_port=settings.metrics_port,
    )
    if hasattr(signal, "SIGHUP"):
        with suppress(NotImplementedError):
            loop.add_signal_handler(signal.SIGHUP, relay.renew_certificate)
    scheme = "wss" if settings.certificate else "ws"
    hosts = [f"[{host}]" if ":" in host else host for host in settings.hosts]
    with suppress(OSError, ValueError):  # whoever started it may not listen
        addresses = " and ".join(f"{scheme}://{host}:{port}" for host in hosts)
        print(f"masq-relay listens on {addresses}", flush=True)
    waits = [asyncio.ensure_future(asked.wait()), asyncio.ensure_future(relay.access.lost.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await relay.stop()
    lines.end()
    return 1 if relay.access.lost.is_set() else 0


def _unexpected(event_log: EventLog, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say what nobody caught; that a connection went away is nothing."""
    error = context.get("exception")
    kind = error if isinstance(error, type) else type(error)  # aiofastnet gives the class alone, now and then
    if not issubclass(kind, OSError):
        event_log.write("error", "unexpected", what=str(context.get("message")), kind=kind.__name__)


def _watch_stdin(loop: asyncio.AbstractEventLoop, asked: asyncio.Event) -> None:
    # Not sys.stdin: its lock would be held by this thread when the interpreter ends.
    while os.read(0, 4096):
        pass
    with suppress(RuntimeError):  # the loop may have ended by itself meanwhile
        loop.call_soon_threadsafe(asked.set)


def _lock(settings: Settings) -> BinaryIO:
    """Hold the data folder for this relay alone. Raises UnusableData where another one has it."""
    folder = settings.data
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = open(folder / "relay.lock", "a+b")  # noqa: SIM115 - it is held as long as the relay runs
    except OSError as error:
        raise UnusableData(
            f"The folder {folder} cannot be used ({error.strerror}): give another with --data."
        ) from error
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise UnusableData(
            f"Another relay uses the folder {folder}: stop it, or give this one another with --data."
        ) from error
    return file


def _allow_files(limits: Limits) -> Limits:
    """Let this program have as many open files as it may need, and return the limits that fit them.

    Raises BadSettings where the system does not allow enough.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return limits
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + limits.arriving + FILES_BESIDES
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        return limits
    if hard != resource.RLIM_INFINITY and hard < wanted:
        arriving = hard - limits.connections - FILES_BESIDES
        if arriving < FEWEST_ARRIVING:
            most = max(1, hard - FILES_BESIDES - FEWEST_ARRIVING)
            raise BadSettings(
                f"This system lets a program open {hard} files, and --max-connections needs "
                f"{limits.connections + FILES_BESIDES + FEWEST_ARRIVING}: "
                f"raise the limit (ulimit -n), or give --max-connections {most}."
            )
        limits = replace(limits, arriving=arriving, peer_arriving=min(limits.peer_arriving, arriving // 2))
        wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return limits


def _refusal(error: OSError, settings: Settings) -> str:
    port = settings.port
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use: stop what uses it, or give another with --port."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} may not be used by this user: give one above 1023 with --port."
    return f"Cannot listen on {' and '.join(settings.hosts)} port {port}: {error}"


if __name__ == "__main__":
    sys.exit(main())
