"""Back: a page that the browser kept aside is shown again, and what its person does at once is done.

Chromium and WebKit keep an app's page. Firefox keeps none that holds a lock or waits for one, which the store's frame
does: there the page is loaded anew, and connects as any other.
"""

from __future__ import annotations

from typing import Any

import pytest
from browser.steps import finished, outcome_of, py, until
from conftest import Site

AT_ONCE = """
const call = "return [await store.increment('count'), await store.get('before')]";
addEventListener("pageshow", ({ persisted }) => persisted && start("at once", call));
window.kept = true;
"""

# Chromium's driver runs a script again where the page went away before it had its answer: by then it is back.
BACK = "location.href === arguments[0] || history.back()"

LOADED = "return performance.getEntriesByType('navigation')[0].loadEventEnd > 0"

LEAVE = "delete later['at once']; location.href = arguments[0]"


@pytest.mark.engines("chromium-allowed", "webkit")
@pytest.mark.slow("away and back twice")
def test_what_is_called_at_once_after_back_is_answered(fresh_app: Any, site: Site) -> None:
    """Calls that the app makes as it is shown again are carried out once, and the session goes on."""
    here = fresh_app.current_url
    py(fresh_app, "await store.set('before', 1)")
    fresh_app.execute_script(AT_ONCE)
    for times in (1, 2):
        # A page that a script leaves before it is loaded whole is replaced: nothing leads back to it.
        until(lambda: fresh_app.execute_script(LOADED), "the load event")
        fresh_app.execute_script(LEAVE, site.url("other") + "/client.json")
        until(lambda: fresh_app.current_url != here, "the other page")
        fresh_app.execute_script(BACK, here)
        until(lambda: fresh_app.current_url == here, "the app's page")
        assert until(lambda: fresh_app.execute_script("return window.kept"), "the page that was kept")
        assert finished(fresh_app, "at once")["result"] == [times, 1]
        assert outcome_of(fresh_app, "return await store.get('count')") == {"result": times}
