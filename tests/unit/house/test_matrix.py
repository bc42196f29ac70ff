"""docs/browsers.md: the table is what its outcomes and the tests make of it, and nothing in it is open."""

from __future__ import annotations

import json

import matrix
from browser.expectations import EXPECTATIONS

KEPT = json.loads(matrix.KEPT.read_text("utf-8"))


def test_the_table_is_made_of_the_outcomes() -> None:
    """docs/browsers.md is what the generator makes of docs/browsers.json and the tests: `python3 tests/matrix.py`."""
    assert matrix.TABLE.read_text("utf-8") == matrix.table(KEPT, list(matrix.marked()))


def test_every_marked_test_has_its_outcomes() -> None:
    """Each test that is marked `engines` has one outcome for each of its surroundings, and none is "no"."""
    expected = {f"{test.file}::{test.name}": test.surroundings for test in matrix.marked()}
    assert expected
    assert {test: list(outcomes) for test, outcomes in KEPT["tests"].items()} == expected
    known = {matrix.YES, *EXPECTATIONS}
    outcomes = {
        word for each in KEPT["tests"].values() for outcome in each.values() for word in outcome.split()
    }
    assert outcomes <= known


def test_every_expectation_was_met() -> None:
    """What is said to be otherwise has been shown so by a test, wherever it is said to be."""
    for name, expectation in EXPECTATIONS.items():
        shown = {
            where
            for outcomes in KEPT["tests"].values()
            for where, outcome in outcomes.items()
            if name in outcome.split()
        }
        assert shown == set(matrix.surroundings_of(*expectation.where)), name


def test_last_outcomes_are_taken_over() -> None:
    """New outcomes replace old ones, those of tests that were not run stay, and what is no more goes."""
    there = matrix.Test("a.py", "About.", "test_a", "It holds.", ["firefox", "webkit"])
    old = {
        "versions": {"webkit": "1"},
        "tests": {"a.py::test_a": {"firefox": "no", "webkit": "yes"}, "gone": {}},
    }
    last = {"versions": {"firefox": "2"}, "tests": {"a.py::test_a": {"firefox": "yes"}}}
    assert matrix.differences(old, last) == ["a.py::test_a in firefox: yes, not no"]
    assert matrix.taken_over(old, last, [there]) == {
        "versions": {"firefox": "2", "webkit": "1"},
        "tests": {"a.py::test_a": {"firefox": "yes", "webkit": "yes"}},
    }
    row = matrix.table(matrix.taken_over(old, last, [there]), [there]).splitlines()
    assert "| It holds. | – | – | yes | yes |" in row
