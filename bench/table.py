"""The tables of the three programs: medians, ratios to the peers, and the targets.

Each line has a ratio but those of the peers themselves: what is compared with nothing else is compared with something
of the same run that a slow machine slows alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import NamedTuple

Medians = Mapping[str, float]

PEERS = ("echo in turn", "echo at once", "cross-storage get in turn", "put in turn")
CORE, CLOCK = "deliveries a core-second", "deliveries a second"


class Line(NamedTuple):
    """One line of a table.

    `median`: milliseconds where `unit` is "ms", or so many "/s". `peer`: what it is compared with, "" for nothing.
    `ratio`: how many times the peer's milliseconds, or of rates how many times the peer's rate. `target`: in words.
    `met`: None where there is no target.
    """

    figure: str
    median: float
    unit: str
    peer: str
    ratio: float | None
    target: str = ""
    met: bool | None = None

    @property
    def name(self) -> str:
        """What tells this line from the others of its table."""
        return f"{self.figure}, beside {self.peer}" if self.peer else self.figure

    @property
    def more_is_better(self) -> bool:
        """Whether a smaller ratio is the worse one."""
        return self.unit == "/s"


def of_browser(samples: Mapping[str, Sequence[float]]) -> list[Line]:
    """Return the table of run.py for these samples of milliseconds."""
    m = {name: median(values) for name, values in samples.items()}
    small, big = m["second app, small"], m["second app, big"]
    known, new = ((name, m[name]) for name in ("bare frame, known site", "bare frame, new site"))
    return [
        _at_most(m, "ready from snapshot", "stock boot", 1 / 3),
        _ratio(m, "ready from plain", "stock boot"),
        _ratio(m, "snapshot boot", "stock boot"),
        _ratio(m, "plain boot", "stock boot"),
        _alone(m, "stock boot"),
        _within("second tab: first get", m["second tab"], *known, 50),
        _within("second app: first get", small, *new, 50),
        _at_most(m, "get in turn", "echo in turn", 2),
        _at_most(m, "get in turn", "cross-storage get in turn", 1 / 5),
        _per_second(m, "get at once", "echo in turn", 100_000),
        _at_most(m, "get at once", "echo at once", 0.3),
        _at_most(m, "set in turn", "put in turn", 2.5),
        _times_the_rate(m, "set at once", "put in turn", 10),
        # A difference of two times may come out below zero; the quotient of the same two does not.
        _within("open 10,000 keys more", big - small, "few keys", small, 200)._replace(ratio=big / small),
        _at_most(m, "js get in turn, big", "js get in turn, small", 1.1),
        _at_most(m, "js set in turn, big", "js set in turn, small", 1.1),
        *(_alone(m, name) for name in (*PEERS, known[0], new[0])),
    ]


def of_devices(samples: Mapping[str, Sequence[float]], many: int) -> list[Line]:
    """Return the table of devices.py for these samples of milliseconds; `many` changes were caught up with."""
    change, bare = ([median(took), _last_hundredth(took)] for took in (samples["change"], samples["bare"]))
    caught, sent = median(samples["caught up"]), median(samples["sent bare"])
    messages = f"{many:,} bare messages"
    return [
        _within("change → watch, p50", change[0], "bare message, p50", bare[0], 6),
        _within("change → watch, p99", change[1], "bare message, p99", bare[1], 20),
        _within(f"catch up {many:,} changes", caught, messages, sent, many / 40),
        Line("bare message, p50", bare[0], "ms", "", None),
        Line("bare message, p99", bare[1], "ms", "", None),
        Line(messages, sent, "ms", "", None),
    ]


def of_relay(relay: Sequence[Medians], forwarder: Sequence[Medians]) -> list[Line]:
    """Return the table of relay.py for the rates of its rounds, each with both servers."""
    table = []
    for figure, target in ((CORE, 2.0), (CLOCK, None)):
        rate = median(one[figure] for one in relay)
        ratio = median(one[figure] / peer[figure] for one, peer in zip(relay, forwarder, strict=True))
        line = Line(figure, rate, "/s", "forwarder", ratio)
        table.append(line if target is None else _judged(line, f"≥ {target:g} ×", ratio >= target))
    return table + [
        Line(f"forwarder: {figure}", median(one[figure] for one in forwarder), "/s", "", None)
        for figure in (CORE, CLOCK)
    ]


def _last_hundredth(values: Sequence[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


def _alone(m: Medians, name: str) -> Line:
    return Line(name, m[name], "ms", "", None)


def _ratio(m: Medians, name: str, peer: str) -> Line:
    return Line(name, m[name], "ms", peer, m[name] / m[peer])


def _at_most(m: Medians, name: str, peer: str, target: float) -> Line:
    return _judged(_ratio(m, name, peer), f"≤ {target:.2g} ×", m[name] / m[peer] <= target)


def _times_the_rate(m: Medians, name: str, peer: str, target: float) -> Line:
    ratio = m[peer] / m[name]
    return Line(name, 1000 / m[name], "/s", f"{peer}, rate", ratio, f"≥ {target:g} ×", ratio >= target)


def _per_second(m: Medians, name: str, peer: str, target: float) -> Line:
    rate, ratio = 1000 / m[name], m[peer] / m[name]
    return Line(name, rate, "/s", f"{peer}, rate", ratio, f"≥ {target:,.0f}/s", rate >= target)


def _within(figure: str, ms: float, peer: str, peer_ms: float, target: float) -> Line:
    return Line(figure, ms, "ms", peer, ms / peer_ms, f"≤ {target:g} ms", ms <= target)


def _judged(line: Line, target: str, met: bool) -> Line:
    return line._replace(target=target, met=met)


def text(table: Sequence[Line]) -> str:
    """Return the table as text in columns."""
    rows = [("figure", "median", "beside", "ratio", "target", "")]
    for line in table:
        shown = f"{line.median:.3f} ms" if line.unit == "ms" else f"{line.median:,.0f}/s"
        ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
        mark = {True: "met", False: "NOT MET", None: ""}[line.met]
        rows.append((line.figure, shown, line.peer, ratio, line.target, mark))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in (1, 3) else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
