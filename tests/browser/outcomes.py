"""Notes for each test that is marked `engines` how it went in which surroundings, for tests/matrix.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browser.engines import SURROUNDINGS, surroundings_of
from browser.expectations import EXPECTATIONS
from browser.words import CRASHED

YES, NO = "yes", "no"
OUTCOME = "masq-outcome"


class Outcomes:
    """A plugin of pytest. Several runs of one test, with other parameters, are one outcome.

    Where several processes run tests, each says in its reports what it has seen, and one of them writes the file.

    Args:
        target: the file that is written at the end, if any such test was run.
        written: whether this process is the one that writes.
    """

    def __init__(self, target: Path, *, written: bool) -> None:
        self._target = target
        self._written = written
        self._started: dict[str, str] = {}
        self._met: dict[str, set[str]] = {}
        self._versions: dict[str, str] = {}
        self._tests: dict[str, dict[str, str]] = {}

    def differs(self, item: pytest.Item, surroundings: str, name: str) -> bool:
        """Tell whether this expectation holds in the surroundings, and note that the test met it."""
        found = surroundings in surroundings_of(*EXPECTATIONS[name].where)
        if found:
            self._met.setdefault(item.nodeid, set()).add(name)
        return found

    def started(self, driver: Any, surroundings: str) -> None:
        """Note the version of a browser."""
        said = driver.capabilities
        version = said.get("browserVersion") or said.get("version", "")
        self._started[SURROUNDINGS[surroundings].engine] = version

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Put an outcome into the report."""
        report = yield
        marked = item.get_closest_marker("engines") and hasattr(item, "callspec")
        crashed = call.excinfo is not None and CRASHED in str(call.excinfo.value)
        if marked and not crashed and (report.when == "call" or report.failed):
            outcome = {
                "test": f"{item.path.name}::{item.originalname}",  # type: ignore[attr-defined]
                "surroundings": item.callspec.params["surroundings"],
                "met": sorted(self._met.get(item.nodeid, ())),
                "versions": self._started,
            }
            report.user_properties.append((OUTCOME, outcome))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome that a report brings."""
        for name, outcome in report.user_properties:
            if name == OUTCOME:
                self._versions |= outcome["versions"]
                columns = self._tests.setdefault(outcome["test"], {})
                where = outcome["surroundings"]
                columns[where] = _together(columns.get(where, YES), outcome["met"], passed=report.passed)

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        if self._written and self._tests:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._target.write_text(json.dumps({"versions": self._versions, "tests": self._tests}))


def _together(before: str, met: list[str], *, passed: bool) -> str:
    """Return the outcome of several runs: what was known, and one more, in which these expectations were met."""
    if not passed or before == NO:
        return NO
    return " ".join(sorted({*met, *before.split()} - {YES})) or YES
