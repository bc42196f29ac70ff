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


class Outcomes:
    """A plugin of pytest. Several runs of one test, with other parameters, are one outcome.

    Args:
        target: the file that is written at the end, if any such test was run.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.versions: dict[str, str] = {}
        """Version of each engine that was started."""
        self._tests: dict[str, dict[str, str]] = {}
        self._met: dict[str, set[str]] = {}

    def differs(self, item: pytest.Item, surroundings: str, name: str) -> bool:
        """Tell whether this expectation holds in the surroundings, and note that the test met it."""
        found = surroundings in surroundings_of(*EXPECTATIONS[name].where)
        if found:
            self._met.setdefault(item.nodeid, set()).add(name)
        return found

    def started(self, driver: Any, surroundings: str) -> None:
        """Note the version of a browser."""
        said = driver.capabilities
        self.versions[SURROUNDINGS[surroundings].engine] = said.get("browserVersion") or said.get(
            "version", ""
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Note an outcome."""
        report = yield
        marked = item.get_closest_marker("engines") and hasattr(item, "callspec")
        crashed = call.excinfo is not None and CRASHED in str(call.excinfo.value)
        if marked and not crashed and (report.when == "call" or report.failed):
            self._note(item, item.callspec.params["surroundings"], bool(report.passed))
        return report

    def _note(self, item: pytest.Item, surroundings: str, passed: bool) -> None:
        test = f"{item.path.name}::{item.originalname}"  # type: ignore[attr-defined]
        columns = self._tests.setdefault(test, {})
        before = columns.get(surroundings, YES)
        if not passed or before == NO:
            columns[surroundings] = NO
            return
        met = self._met.get(item.nodeid, set()) | (set() if before == YES else set(before.split()))
        columns[surroundings] = " ".join(sorted(met)) or YES

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        if self._tests:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._target.write_text(json.dumps({"versions": self.versions, "tests": self._tests}))
