"""A reload of the only tab: the worker lives on, and with it the writes that were posted."""

from __future__ import annotations

from typing import Any

import pytest
from browser.devtools import DevTools
from browser.steps import connect_test_app, py, until

POST = """
import js
def note(reply):
    # In the page's own storage, which outlives it.
    if reply.exception() is None:
        js.localStorage.setItem("acknowledged", str(int(js.localStorage.getItem("acknowledged") or 0) + 1))
        if WHEN == "first acknowledged":
            js.location.reload()
for n in range(300):
    store.set(f"w/{n:03}", n).add_done_callback(note)
    if n % 20 == 19:
        await asyncio.sleep(0)  # so that it takes many messages
if WHEN == "posted":
    js.location.reload()
"""


@pytest.mark.parametrize("when", ["posted", "first acknowledged"])
def test_a_reload_while_writes_are_under_way(own_app: Any, when: str) -> None:
    """300 writes, and the only tab reloads meanwhile: each that was acknowledged is there, in the same worker."""
    with DevTools(own_app) as tools:
        (before,) = tools.workers()
        address = own_app.current_url
        own_app.execute_script("py(arguments[0])", POST.replace("WHEN", repr(when)))
        until(
            lambda: (
                own_app.execute_script("return performance.getEntriesByType('navigation')[0].type")
                == "reload"
            ),
            "the reload",
        )
        acknowledged = int(own_app.execute_script("return localStorage.acknowledged ?? 0"))
        connect_test_app(own_app, address)
        there = py(own_app, "return await store.items('w/')")
        (after,) = tools.workers()
    print(f"300 writes posted, {acknowledged} acknowledged before the reload, {len(there)} there")
    assert after["targetId"] == before["targetId"]
    # Calls are carried out in order, so what is there is a beginning; it holds at least what was acknowledged.
    assert there == {f"w/{n:03}": n for n in range(len(there))}
    assert len(there) >= acknowledged
    if when == "posted":
        assert len(there) == 300  # the worker had them, and outlived the page


def test_the_worker_goes_on_between_pages(own_app: Any, site: Any) -> None:
    """The only tab goes elsewhere and comes back: the same worker answers, without starting anew."""
    py(own_app, "await store.set('a', 1)")
    with DevTools(own_app) as tools:
        (before,) = tools.workers()
        own_app.get("about:blank")
        connect_test_app(own_app, site.url("app"))
        assert py(own_app, "return await store.get('a')") == 1
        assert [worker["targetId"] for worker in tools.workers()] == [before["targetId"]]
