"""The table: medians, ratios to the peers, and the targets of the design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

Medians = Mapping[str, float]


class Line(NamedTuple):
    """One line of the table.

    `ms`: median in milliseconds. `peer`: what it is compared with, "" for nothing. `ratio`: how many times the
    peer's milliseconds (or, of rates, the peer's rate). `target`: in words. `met`: None where there is no target.
    """

    figure: str
    ms: float
    peer: str
    ratio: float | None
    target: str
    met: bool | None


def lines(samples: Mapping[str, Sequence[float]]) -> list[Line]:
    """Return the table for these samples of milliseconds."""
    m = {name: median(values) for name, values in samples.items()}
    return [
        *_boots(m),
        _within("second tab: first get", m["second tab"], 50),
        _within("second app: first get", m["second app, small"], 50),
        _at_most(m, "get in turn", "echo in turn", 3),
        _at_most(m, "get in turn", "cross-storage get in turn", 1),
        _rate("get at once", m["get at once"], 20_000),
        _at_most(m, "get at once", "echo at once", 1),
        _at_most(m, "set in turn", "put in turn", 2.5),
        _times_faster(m, "set at once", "put in turn", 10),
        _within("open 10,000 keys more", m["second app, big"] - m["second app, small"], 200),
        _at_most(m, "js get in turn, big", "js get in turn, small", 1.1),
        _at_most(m, "js set in turn, big", "js set in turn, small", 1.1),
        *(
            _alone(m, name)
            for name in ("echo in turn", "echo at once", "cross-storage get in turn", "put in turn")
        ),
    ]


def _boots(m: Medians) -> list[Line]:
    return [
        _at_most(m, "ready from snapshot", "stock boot", 1 / 3),
        _ratio(m, "ready from plain", "stock boot"),
        _ratio(m, "snapshot boot", "stock boot"),
        _ratio(m, "plain boot", "stock boot"),
        _alone(m, "stock boot"),
    ]


def _alone(m: Medians, name: str) -> Line:
    return Line(name, m[name], "", None, "", None)


def _ratio(m: Medians, name: str, peer: str) -> Line:
    return Line(name, m[name], peer, m[name] / m[peer], "", None)


def _at_most(m: Medians, name: str, peer: str, target: float) -> Line:
    ratio = m[name] / m[peer]
    return Line(name, m[name], peer, ratio, f"≤ {target:.2g} ×", ratio <= target)


def _times_faster(m: Medians, name: str, peer: str, target: float) -> Line:
    ratio = m[peer] / m[name]
    return Line(name, m[name], f"{peer}, rate", ratio, f"≥ {target:g} × the rate", ratio >= target)


def _within(figure: str, ms: float, target: float) -> Line:
    return Line(figure, ms, "", None, f"≤ {target:g} ms", ms <= target)


def _rate(figure: str, ms: float, target: float) -> Line:
    return Line(figure, ms, f"{1000 / ms:,.0f}/s", None, f"≥ {target:,.0f}/s", 1000 / ms >= target)


def text(table: Sequence[Line]) -> str:
    """Return the table as text in columns."""
    rows = [("figure", "median", "beside", "ratio", "target", "")]
    for figure, ms, peer, ratio, target, met in table:
        mark = {True: "met", False: "NOT MET", None: ""}[met]
        rows.append((figure, f"{ms:.3f} ms", peer, "" if ratio is None else f"{ratio:.2f}", target, mark))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in (1, 3) else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
