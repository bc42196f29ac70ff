"""The ratios that a full run found last, in recorded.json, and whether a short run is far from them.

Ratios, and no times: the machine that recorded them was another one, or was less busy.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.table import Line, text

KEPT = Path(__file__).with_name("recorded.json")

FAR = 10
"""So many times worse is a defect on any machine; one round on a busy one is three or four times off by itself."""

Ratios = Mapping[str, float | None]
"""By a line's name; None for a peer, which is compared with nothing."""


def parse(parser: ArgumentParser, **smoke: int | float) -> Namespace:
    """Return the program's options, with `--smoke` and `--record` added; `smoke` is what a short run counts to."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--smoke",
        action="store_true",
        help=f"one round; fails where a row is missing, or {FAR} times worse than recorded",
    )
    choice.add_argument(
        "--record", action="store_true", help="keep the ratios of this full run in bench/recorded.json"
    )
    options = parser.parse_args()
    if options.record and any(getattr(options, name) != parser.get_default(name) for name in smoke):
        parser.error("--record keeps a full run: leave the counts as they are")
    if options.smoke:
        vars(options).update(smoke)
    return options


def finish(program: str, options: Namespace, measure: Callable[[], list[Line]]) -> int:
    """Measure and print the table, then do what `--smoke` or `--record` ask for; returns the exit status."""
    began = time.monotonic()
    table = measure()
    print(text(table), flush=True)
    if options.record:
        _record(program, table)
    if not options.smoke:
        return 0
    kept = kept_ratios(program)
    found = faults(program, kept, table)
    if found and not any(_odd(kept, table)):
        # A hiccup of the machine in one short round says nothing of the code: it must be so twice.
        print(f"Once more, for this was not as recorded: {' '.join(found)}", flush=True)
        found = faults(program, kept, better(table, measure()))
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    print(
        f"bench/{program}.py --smoke: {'failed' if found else 'as recorded'}, {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return 1 if found else 0


def kept_ratios(program: str) -> Ratios:
    """Return what is recorded of a program; nothing where it never was."""
    kept: dict[str, Ratios] = json.loads(KEPT.read_text("utf-8")) if KEPT.is_file() else {}
    return kept.get(program, {})


def faults(program: str, kept: Ratios, table: Sequence[Line]) -> list[str]:
    """Return a sentence for each row that only one of the two has, and for each that is far worse than recorded."""
    anew = f"python3 bench/{program}.py --record"
    if not kept:
        return [f"Nothing is recorded of bench/{program}.py. Record it: {anew}"]
    gone, new = _odd(kept, table)
    said = [f"Row missing: “{name}” is recorded. If it went on purpose, record anew: {anew}" for name in gone]
    said += [f"Row not recorded: “{name}”. If it came on purpose, record anew: {anew}" for name in new]
    for line in table:
        was, now = kept.get(line.name), line.ratio
        if was is None or now is None:
            continue
        # Asked this way round, what is no number at all is a fault, too.
        if not (now * FAR > was if line.more_is_better else now < was * FAR):
            said.append(f"{FAR} times worse: “{line.name}” has the ratio {now:.3g}, recorded was {was:.3g}.")
    return said


def better(one: Sequence[Line], other: Sequence[Line]) -> list[Line]:
    """Return of two tables with the same rows the better line of each."""
    return [
        max(pair, key=lambda line: (line.ratio or 0) * (1 if line.more_is_better else -1))
        for pair in zip(one, other, strict=True)
    ]


def _odd(kept: Ratios, table: Sequence[Line]) -> tuple[list[str], list[str]]:
    """Return the rows that were recorded and are not there, and the reverse; a row without its ratio is not there."""

    def only(these: Ratios, those: Ratios) -> list[str]:
        return [
            name
            for name, ratio in these.items()
            if name not in those or (ratio is not None and those[name] is None)
        ]

    return only(kept, _ratios(table)), only(_ratios(table), kept)


def _ratios(table: Sequence[Line]) -> Ratios:
    return {line.name: line.ratio for line in table}


def _record(program: str, table: Sequence[Line]) -> None:
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.is_file() else {}
    kept[program] = {
        name: None if ratio is None else float(f"{ratio:.3g}") for name, ratio in _ratios(table).items()
    }
    KEPT.write_text(json.dumps(dict(sorted(kept.items())), indent=1, ensure_ascii=False) + "\n", "utf-8")
