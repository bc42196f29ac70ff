"""What a run says of itself in the end: seconds by engine and phase, the slowest tests, and figures that tests told."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest
from browser import phases
from browser.engines import SURROUNDINGS

SLOWEST = 10
OVER_SECONDS = 20.0
"""A browser test that takes longer says why in its mark `slow`."""

PYTHON = "no browser"
FIGURE = "figure"


class Summary:
    """A plugin of pytest. It sees the reports of all workers."""

    def __init__(self) -> None:
        self._tests: Counter[str] = Counter()  # by engine
        self._seconds: defaultdict[str, Counter[str]] = defaultdict(Counter)  # engine: phase: seconds
        self._took: Counter[str] = Counter()  # by test
        self._unexplained: set[str] = set()
        self._figures: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Put into the report what only the process knows in which the test ran."""
        report = yield
        facts = {
            "engine": engine_of(item),
            "phases": phases.taken(),
            "slow": item.get_closest_marker("slow") is not None,
        }
        report.user_properties.append(("masq", facts))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a report up."""
        facts = dict(report.user_properties).get("masq")
        if facts is None:  # of a worker that ended
            return
        engine = facts["engine"]
        self._took[report.nodeid] += report.duration
        spent = self._seconds[engine]
        for name, seconds in facts["phases"].items():
            spent[name] += seconds
        rest = report.duration - sum(facts["phases"].values())
        spent["the test" if report.when == "call" else "set-up and teardown"] += rest
        if report.when == "teardown":
            self._tests[engine] += 1
            self._figures += [text for name, text in report.user_properties if name == FIGURE]
            if engine != PYTHON and not facts["slow"]:
                self._unexplained.add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print it."""
        write = terminalreporter.write_line
        terminalreporter.section("where the seconds went, of all workers together")
        columns = ("the test", *phases.PHASES, "set-up and teardown")
        write(f"{'':<12}{'tests':>7}{'in all':>9}" + "".join(f"{name:>{len(name) + 2}}" for name in columns))
        for engine, spent in self._seconds.items():
            cells = "".join(f"{spent[name]:>{len(name) + 2}.0f}" for name in columns)
            write(f"{engine:<12}{self._tests[engine]:>7}{sum(spent.values()):>9.0f}{cells}")
        terminalreporter.section(f"the {SLOWEST} slowest")
        for test, seconds in self._took.most_common(SLOWEST):
            write(f"{seconds:6.1f} s  {test}")
        over = [test for test in self._unexplained if self._took[test] > OVER_SECONDS]
        for test in sorted(over):
            write(f"over {OVER_SECONDS:.0f} s, and no mark `slow` says why: {test}")
        if self._figures:
            terminalreporter.section("figures")
            for text in self._figures:
                write(text)


def engine_of(item: pytest.Item) -> str:
    """Return the engine that a test runs in, or that it runs in none."""
    from conftest import surroundings_of

    name = surroundings_of(item)
    return SURROUNDINGS[name].engine if name else PYTHON
