"""The command line of `masq-relay`: read, checked whole, and refused with a sentence before anything is opened."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from masq_relay.certificate import BadCertificate
from masq_relay.certificate_renewal import Certificate, certificate
from masq_relay.event_log import LEVELS
from masq_relay.limits import GIB, KIB, MIB, Limits

UNITS = {"": 1, "k": KIB, "m": MIB, "g": GIB, "t": GIB << 10}
SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "": 1}

SMALLEST_FRAME, LARGEST_FRAME = 4 * KIB, 64 * MIB
SHORTEST_RETENTION, LONGEST_RETENTION = 60, 0xFFFFFFFF  # WELCOME has four bytes for it


class BadSettings(Exception):
    """The relay cannot be started like this; the sentence says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """The options of the command line, checked."""

    hosts: tuple[str, ...]
    port: int
    metrics_port: int | None
    data: Path
    limits: Limits
    certificate: Certificate | None
    origins: tuple[str, ...]
    behind_proxy: bool
    log: str
    end_with_stdin: bool


def _bytes(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,15})\s*([kmgt]?)i?b?", text.strip().lower())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write 4096, 64k, 256M or 2G")
    return int(found[1]) * UNITS[found[2]]


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,10})\s*([smhd]?)", text.strip().lower())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time: write 3600, 90m, 12h or 30d")
    return int(found[1]) * SPANS[found[2]]


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Return the parser; every default is in `Limits`."""
    usual = Limits()
    found = argparse.ArgumentParser(
        prog="masq-relay",
        description="Pass sealed envelopes between the devices of Masq's users, and keep them for those that are away.",
    )
    add = found.add_argument
    add(
        "--host",
        action="append",
        help="address to listen on; may be given several times (default: 127.0.0.1, this machine only)",
    )
    add("--port", type=int, default=8001, help="port to listen on; 0 takes a free one (default: 8001)")
    add(
        "--metrics-port",
        type=int,
        help="port for /metrics, for this machine only; without it, it is at the relay's port, for this machine only",
    )
    add("--data", type=Path, default=Path("relay-data"), help="folder for what is kept (default: relay-data)")
    add(
        "--retention",
        type=_seconds,
        default=usual.retention,
        help="how long a room is kept that nobody joins (default: 90d)",
    )
    add("--certfile", help="PEM file with a certificate, for wss")
    add("--keyfile", help="PEM file with its key, where that is a file of its own")
    add(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="pages of this origin may connect, and of others not; may be given several times "
        "(default: any, and this machine's own where the relay listens on this machine only)",
    )
    add("--behind-proxy", action="store_true", help="count peers by the last address in X-Forwarded-For")
    add(
        "--log", choices=LEVELS, default="info", help="what to log, as JSON on standard error (default: info)"
    )
    add(
        "--end-with-stdin",
        action="store_true",
        help="stop when standard input ends: for programs that start a relay of their own",
    )
    _add_quotas(found, usual)
    return found


def _add_quotas(found: argparse.ArgumentParser, usual: Limits) -> None:
    for option, kind, value, words in (
        ("frame", _bytes, usual.frame, "bytes of a frame"),
        ("room", _bytes, usual.room, "bytes that a room keeps"),
        ("store", _bytes, usual.store, "bytes that all rooms keep together"),
        (
            "day-peer",
            _bytes,
            usual.day_peer,
            "bytes that one address adds in a day, and an eighth of --max-store",
        ),
        ("new-rooms-peer", _count, usual.new_rooms_peer, "rooms that one address makes in a day"),
        ("connections", _count, usual.connections, "connections"),
        ("connections-peer", _count, usual.peer_connections, "connections of one address"),
        ("rooms", _count, usual.rooms, "rooms joined at a time"),
        ("rooms-peer", _count, usual.peer_rooms, "rooms that one address has joined at a time"),
        ("members", _count, usual.members, "connections in one room"),
        ("rate", _count, int(usual.frames_per_second), "frames a second of one address, in the long run"),
        ("byte-rate", _bytes, int(usual.bytes_per_second), "bytes a second of one address, in the long run"),
        ("buffer", _bytes, usual.buffer, "bytes that wait for one slow reader"),
        ("buffers", _bytes, usual.buffers, "bytes that wait for all slow readers together"),
    ):
        found.add_argument(
            f"--max-{option}",
            type=kind,
            default=value,
            metavar="N",
            help=f"at most so many {words} (default: {_short(value, kind)})",
        )


def read(arguments: Sequence[str] | None = None) -> Settings:
    """Read the command line. Raises BadSettings, and SystemExit where argparse has said enough."""
    asked = parser().parse_args(arguments)
    usual = Limits()
    rate, byte_rate = float(asked.max_rate), float(asked.max_byte_rate)
    limits = Limits(
        frame=asked.max_frame,
        room=asked.max_room,
        store=asked.max_store,
        day_peer=max(1, min(asked.max_day_peer, asked.max_store // 8)),
        new_rooms_peer=asked.max_new_rooms_peer,
        connections=asked.max_connections,
        peer_connections=asked.max_connections_peer,
        rooms=asked.max_rooms,
        peer_rooms=asked.max_rooms_peer,
        members=asked.max_members,
        frames_per_second=rate,
        frames_burst=rate * usual.frames_burst / usual.frames_per_second,
        bytes_per_second=byte_rate,
        bytes_burst=max(byte_rate * usual.bytes_burst / usual.bytes_per_second, float(asked.max_frame)),
        out_per_second=byte_rate * usual.out_per_second / usual.bytes_per_second,
        out_burst=max(byte_rate * usual.out_burst / usual.bytes_per_second, 2.0 * asked.max_frame),
        held=max(usual.held, 4 * asked.max_frame),
        peer_held=max(usual.peer_held, 2 * asked.max_frame),
        buffer=asked.max_buffer,
        buffers=asked.max_buffers,
        unsaved=max(usual.unsaved, 2 * asked.max_frame),
        retention=asked.retention,
    )
    _check(asked, limits)
    return Settings(
        tuple(asked.host or ["127.0.0.1"]),
        asked.port,
        asked.metrics_port,
        asked.data,
        limits,
        _certificate(asked.certfile, asked.keyfile),
        tuple(asked.allow_origin),
        asked.behind_proxy,
        asked.log,
        asked.end_with_stdin,
    )


def _check(asked: argparse.Namespace, limits: Limits) -> None:
    if not 0 <= asked.port <= 65535:
        raise BadSettings(f"{asked.port} is not a port: give --port a number from 0 to 65535.")
    if asked.metrics_port is not None and not 0 <= asked.metrics_port <= 65535:
        raise BadSettings(
            f"{asked.metrics_port} is not a port: give --metrics-port a number from 0 to 65535."
        )
    for origin in asked.allow_origin:
        _check_origin(origin)
    if asked.host and not all(asked.host):
        raise BadSettings("--host is empty: give an address, such as 127.0.0.1, or 0.0.0.0 for all.")
    if not SMALLEST_FRAME <= limits.frame <= LARGEST_FRAME:
        raise BadSettings(
            "--max-frame is between 4k and 64M: smaller ones hold no change, larger ones too much memory."
        )
    if limits.room < 2 * limits.frame:
        raise BadSettings(
            "--max-room is at least twice --max-frame, or a room could not take a frame and a snapshot."
        )
    if limits.store < limits.room:
        raise BadSettings("--max-store is at least --max-room: it holds all rooms.")
    if limits.buffer < 2 * limits.frame:
        raise BadSettings(
            "--max-buffer is at least twice --max-frame, or a single frame could cut a reader off."
        )
    if limits.buffers < limits.buffer:
        raise BadSettings("--max-buffers is at least --max-buffer: it is for all readers.")
    if limits.members < 2:
        raise BadSettings("--max-members is at least 2: a room is where two devices meet.")
    if not SHORTEST_RETENTION <= limits.retention <= LONGEST_RETENTION:
        raise BadSettings("--retention is at least a minute, and at most 136 years.")
    if asked.data.exists() and not asked.data.is_dir():
        raise BadSettings(f"--data {asked.data} is a file; give a folder.")


def _check_origin(origin: str) -> None:
    try:
        parts = urlsplit(origin)
        whole = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.path and not parts.query
        )
        whole = whole and origin == origin.lower() and parts.port != {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        whole = False
    if not whole:
        raise BadSettings(
            f"--allow-origin {origin} is no origin as browsers write it: https://store.example, or with a port that "
            "is not the usual one, in small letters and without a slash at the end."
        )


def _certificate(certfile: str | None, keyfile: str | None) -> Certificate | None:
    try:
        return certificate(certfile, keyfile)
    except BadCertificate as error:
        raise BadSettings(str(error)) from error


def _short(value: int, kind: object) -> str:
    if kind is _bytes:
        for letter, unit in (("G", GIB), ("M", MIB), ("k", KIB)):
            if value % unit == 0:
                return f"{value // unit}{letter}"
    return str(value)
