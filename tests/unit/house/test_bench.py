"""bench/: what a short run is held against, and that the three programs are alike where they should be."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest
from patience import seconds

from bench import recorded, table

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = ("devices", "relay", "run")

TIME = table.Line("get", 0.2, "ms", "echo", 2.0)
RATE = table.Line("get at once", 80_000.0, "/s", "echo, rate", 9.0)
PEER = table.Line("echo", 0.1, "ms", "", None)
TABLE = [TIME, RATE, PEER]
KEPT = {"get, beside echo": 2.0, "get at once, beside echo, rate": 9.0, "echo": None}

SMOKE = Namespace(smoke=True, record=False)
RECORD = Namespace(smoke=False, record=True)


def with_ratio(line: table.Line, ratio: float | None) -> list[table.Line]:
    """Return the table with another ratio in one of its lines."""
    return [one._replace(ratio=ratio) if one is line else one for one in TABLE]


def invented() -> dict[str, list[table.Line]]:
    """Return each program's table, as its full run prints it, of samples that are all alike."""
    # Every word of table.py that may be a sample's name: a list of them here would be one more to forget.
    names = set(re.findall(r'"([a-z][\w ,-]+)"', (ROOT / "bench" / "table.py").read_text("utf-8")))
    rates = [dict.fromkeys((table.CORE, table.CLOCK), 1.0)]
    return {
        "devices": table.of_devices({name: [1.0, 1.0] for name in names}, 10_000),
        "relay": table.of_relay(rates, rates),
        "run": table.of_browser({name: [1.0] for name in names}),
    }


def test_the_programs_know_the_same_options() -> None:
    """Each of the three programs starts, and knows --rounds, --smoke and --record."""
    for program in PROGRAMS:
        shown = subprocess.run(
            [sys.executable, str(ROOT / "bench" / f"{program}.py"), "--help"],
            env=dict(os.environ, MASQ_PYTHON="here"),
            capture_output=True,
            text=True,
            timeout=seconds(60),
        )
        assert (shown.returncode, shown.stderr) == (0, "")
        assert {"--rounds", "--smoke", "--record"} <= set(re.findall(r"--\w+", shown.stdout)), program


def test_every_row_is_recorded_and_no_other() -> None:
    """bench/recorded.json has the rows of the three tables, and a ratio for each but the peers' own."""
    tables = invented()
    assert tuple(sorted(tables)) == PROGRAMS
    for program, lines in tables.items():
        kept = recorded.kept_ratios(program)
        assert {line.name: line.ratio is None for line in lines} == {
            name: ratio is None for name, ratio in kept.items()
        }, f"record anew: python3 bench/{program}.py --record"
        assert len(kept) == len(lines)
        assert all(ratio is None or ratio > 0 for ratio in kept.values())


def test_a_line_without_a_ratio_is_a_peer() -> None:
    """Whatever has a target has a ratio, too: its time alone would say something of the machine."""
    for lines in invented().values():
        assert [line.name for line in lines if line.target and line.ratio is None] == []


def test_what_is_near_the_record_has_no_fault() -> None:
    """A ratio that is nine times worse, or better, is no fault: one round is far off by itself."""
    assert recorded.faults("run", KEPT, TABLE) == []
    for line, ratios in ((TIME, (18.0, 0.01, -1.0)), (RATE, (1.0, 1000.0))):
        for ratio in ratios:
            assert recorded.faults("run", KEPT, with_ratio(line, ratio)) == []


@pytest.mark.parametrize(("line", "ratio"), [(TIME, 20.5), (RATE, 0.85), (TIME, math.nan), (RATE, math.nan)])
def test_ten_times_worse_is_a_fault(line: table.Line, ratio: float) -> None:
    """A time's ratio that is ten times as large is a fault, and so is a rate's that is a tenth, or no number."""
    (fault,) = recorded.faults("run", KEPT, with_ratio(line, ratio))
    assert f"“{line.name}”" in fault and "10 times worse" in fault


def test_a_row_that_is_missing_is_a_fault() -> None:
    """A row that was recorded and is not measured is a fault, whose sentence says how to record."""
    (fault,) = recorded.faults("run", KEPT, [TIME, PEER])
    assert f"missing: “{RATE.name}”" in fault and "python3 bench/run.py --record" in fault
    (fault,) = recorded.faults("run", KEPT, with_ratio(RATE, None))
    assert f"missing: “{RATE.name}”" in fault


def test_a_row_that_is_not_recorded_is_a_fault() -> None:
    """A row that is measured and was never recorded is a fault, whose sentence says how to record."""
    (fault,) = recorded.faults("run", {name: KEPT[name] for name in (TIME.name, PEER.name)}, TABLE)
    assert f"not recorded: “{RATE.name}”" in fault and "python3 bench/run.py --record" in fault
    (fault,) = recorded.faults("relay", {}, TABLE)
    assert "python3 bench/relay.py --record" in fault


def test_the_better_of_two_rounds() -> None:
    """Of two rounds each row's better one counts: the smaller ratio of times, the larger one of rates."""
    worse = [TIME._replace(ratio=30.0), RATE._replace(ratio=0.1), PEER]
    assert recorded.better(TABLE, worse) == recorded.better(worse, TABLE) == TABLE


def test_smoke_measures_again_before_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A short run fails where it is ten times worse than what a full run has recorded, and that twice."""
    monkeypatch.setattr(recorded, "KEPT", tmp_path / "recorded.json")
    assert recorded.finish("run", RECORD, lambda: TABLE) == 0
    assert recorded.finish("relay", RECORD, lambda: [RATE]) == 0
    assert recorded.kept_ratios("run") == KEPT
    worse = with_ratio(TIME, 20.5)
    for rounds, status in (([TABLE], 0), ([worse, TABLE], 0), ([worse, worse], 1), ([[TIME, PEER]], 1)):
        capsys.readouterr()
        assert recorded.finish("run", SMOKE, iter(rounds).__next__) == status
        assert bool(capsys.readouterr().err) == bool(status)


def test_counts_of_a_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """--smoke counts to what the program says, and --record refuses to keep less than a full run."""

    def parsed(*arguments: str) -> Namespace:
        parser = ArgumentParser()
        parser.add_argument("--rounds", type=int, default=5)
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        return recorded.parse(parser, rounds=1)

    assert [parsed(*words).rounds for words in ((), ("--rounds", "2"), ("--smoke",), ("--record",))] == [
        5,
        2,
        1,
        5,
    ]
    for refused in (("--record", "--rounds", "2"), ("--record", "--smoke")):
        with pytest.raises(SystemExit):
            parsed(*refused)
