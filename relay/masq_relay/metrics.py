"""The relay's metrics, as text that Prometheus reads. No room, no address, no content is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

WORDS = {
    "connections_total": "Connections accepted.",
    "turned_away_total": "Sockets that were closed because too many had not become connections.",
    "accepts_failed_total": "Times that the system gave no socket for who was waiting.",
    "frames_in_total": "Frames read from clients.",
    "bytes_in_total": "Bytes of those frames.",
    "envelopes_stored_total": "Envelopes that were put on disk.",
    "bytes_stored_total": "Bytes of those envelopes.",
    "deliveries_total": "Envelopes and casts sent to members that were there when they came.",
    "replayed_total": "Envelopes and parts of snapshots sent to members from the disk.",
    "bytes_out_total": "Bytes of both.",
    "commits_total": "Transactions committed.",
    "commit_seconds_total": "Time from handing a transaction over to hearing that it is on disk.",
    "commits_failed_total": "Transactions that the disk refused.",
    "rooms_failed_total": "Rooms whose part of a transaction failed while others' was kept.",
    "snapshots_total": "Snapshots that became whole, each trimming a log.",
    "rooms_expired_total": "Rooms forgotten because nobody joined them for the retention.",
    "rooms_made_way_total": "Rooms of one address each that were forgotten because the disk was nearly full.",
    "fell_behind_total": "Members that went on from the disk because they read too slowly to be sent what came.",
    "casts_dropped_total": "Casts not sent to members that read too slowly.",
}
GAUGES = {
    "log_lines_lost": "Lines of the log that could not be written, or were too many, since the start.",
    "connections": "Connections now.",
    "arriving": "Sockets that have not become connections yet.",
    "held_bytes": "Bytes that connections have taken to read large frames into.",
    "peers": "Addresses with a connection, or with one a moment ago.",
    "rooms_open": "Rooms that somebody has joined now.",
    "rooms_stored": "Rooms on disk.",
    "disk_bytes": "Bytes that the database uses.",
    "unsaved_bytes": "Bytes that were posted and are not on disk yet.",
    "waiting_bytes": "Bytes that wait for connections that read too slowly.",
    "disk_ok": "1 unless the last transaction failed.",
}


class Metrics:
    """Counts events by name, and errors by code."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(WORDS, 0)  # a Counter is slower, and each frame is counted
        self.errors: Counter[int] = Counter()
        self.seconds = 0.0

    def delivered(self, deliveries: int, size: int) -> None:
        """Count what was sent on: envelopes and casts, and bytes of all."""
        self.counts["deliveries_total"] += deliveries
        self.counts["bytes_out_total"] += size

    def text(self, gauges: Mapping[str, float]) -> str:
        """Return everything in Prometheus's text format, version 0.0.4."""
        lines: list[str] = []
        for name, words in WORDS.items():
            value = self.seconds if name == "commit_seconds_total" else self.counts[name]
            lines += _metric(name, words, "counter", [("", value)])
        for name, words in GAUGES.items():
            lines += _metric(name, words, "gauge", [("", gauges[name])])
        errors = [(f'{{code="{code}"}}', count) for code, count in sorted(self.errors.items())]
        lines += _metric("errors_total", "ERROR frames sent, by code.", "counter", errors)
        return "\n".join(lines) + "\n"


def _metric(
    name: str, words: str, kind: str, values: list[tuple[str, int]] | list[tuple[str, float]]
) -> list[str]:
    name = f"masq_relay_{name}"
    return [
        f"# HELP {name} {words}",
        f"# TYPE {name} {kind}",
        *(f"{name}{labels} {value:.6f}".rstrip("0").rstrip(".") for labels, value in values),
    ]
