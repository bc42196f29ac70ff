"""Two devices that are never there at the same time meet by what the relay keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.devices import arrive, pair, wait_sent
from browser.meeting import Meeting
from browser.steps import connect_test_app, py, until


@pytest.mark.slow("four starts of a browser")
def test_never_there_together(own_browser: Callable[..., Any], meeting: Meeting, tmp_path: Path) -> None:
    """One edits and leaves, the other comes, finds it, edits and leaves; the first one comes back and finds that."""
    first, second = tmp_path / "first", tmp_path / "second"
    one, two = own_browser(profile=first), own_browser(profile=second)
    pair(one, two, meeting.store)
    two.quit()
    connect_test_app(one, meeting.url("app"))
    py(one, "await store.set('said', 'by the first')\nawait store.increment('count', 2)")
    wait_sent(one, meeting.store)
    one.quit()

    two = own_browser(profile=second)
    arrive(two, meeting.store, meeting.url("app"))
    until(lambda: py(two, "return await store.get('said')") == "by the first", "what the first one has said")
    assert py(two, "return await store.get('count')") == 2
    py(two, "await store.set('said', 'by the second')\nawait store.increment('count', 3)")
    wait_sent(two, meeting.store)
    two.quit()

    one = own_browser(profile=first)
    connect_test_app(one, meeting.url("app"))
    until(
        lambda: py(one, "return await store.get('said')") == "by the second", "what the second one has said"
    )
    assert py(one, "return await store.get('count')") == 5
