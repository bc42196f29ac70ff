"""A browser's profile folder that is copied and run twice, or put back to an earlier copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.devices import arrive, pair, wait_sent
from browser.meeting import Meeting
from browser.steps import connect_test_app, py, until


def counts(*drivers: Any) -> list[Any]:
    """Return what the app shows as its count on each device."""
    return [py(driver, "return await store.get('count')") for driver in drivers]


@pytest.mark.slow("five starts of a browser")
def test_a_copied_and_a_restored_folder(
    own_browser: Callable[..., Any], meeting: Meeting, tmp_path: Path
) -> None:
    """Both copies count at once, and yesterday's copy comes back: every device ends with each increment once."""
    mine, copied, kept = tmp_path / "mine", tmp_path / "copied", tmp_path / "kept"
    one, two = own_browser(profile=mine), own_browser()
    pair(one, two, meeting.store)
    connect_test_app(one, meeting.url("app"))
    py(one, "await store.increment('count', 1)")
    arrive(two, meeting.store, meeting.url("app"))
    wait_sent(one, meeting.store)
    one.quit()
    shutil.copytree(mine, copied, symlinks=True, ignore=shutil.ignore_patterns("Singleton*"))
    shutil.copytree(mine, kept, symlinks=True, ignore=shutil.ignore_patterns("Singleton*"))

    one, twin = own_browser(profile=mine), own_browser(profile=copied)
    for driver, by in ((one, 10), (twin, 100)):
        connect_test_app(driver, meeting.url("app"))
        py(driver, f"await store.increment('count', {by})\nawait store.set('by {by}', True)")
    until(lambda: counts(one, two, twin) == [111, 111, 111], "all to have counted each once")
    wait_sent(one, meeting.store)
    one.quit()
    twin.quit()

    one = own_browser(profile=kept)  # as it was before all that
    connect_test_app(one, meeting.url("app"))
    py(one, "await store.increment('count', 1000)")
    until(
        lambda: counts(one, two) == [1111, 1111], "what was forgotten to come back, and what is new to count"
    )
    assert py(one, "return sorted(await store.keys())") == ["by 10", "by 100", "count"]
