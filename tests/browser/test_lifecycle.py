"""What befalls pages, frames and workers in a browser's day: sessions go on or say that they ended; none hangs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser.steps import connect_test_app, finished, py, start
from conftest import Site

SPEAK_AS_A_PAGE = """
    const folder = /app-[0-9a-f]{16}/.exec(await (await fetch(`${storeAddress}/frame.html`)).text())[0];
    const { connect, hold, ours, own, pack } = await import(`${storeAddress}/${folder}/connect.js`);
    const [port] = await connect(own, ours, () => {});
    const id = crypto.randomUUID();
    await hold(navigator.locks, `masq-page-${id}`);
    port.postMessage(pack({ page: { id } }));
    window.endTheWorker = () => port.postMessage(pack({ end: 1 }));
"""
"""What any script of the store's origin can do, and nobody else: speak to the worker as one of the store's pages."""

AFTER = (0, 1, 300, 700)
"""So many writes have been acknowledged when the worker ends."""

IN_FLIGHT = 200
"""Writes that are out at a time: if all were, they might be on disk in one go, and there would be no middle."""

WRITE = """
import js
global outcomes
outcomes = {}

def note(number):
    def take(reply):
        error = reply.exception()
        outcomes[number] = "acknowledged" if error is None else type(error).__name__
        if error is None and list(outcomes.values()).count("acknowledged") == AFTER:
            js.endTheWorker()
    return take

for number in range(1000):
    both = {f"a/{number:03}": number, f"b/{number:03}": number}
    store.update(both).add_done_callback(note(number))
    if number == 0 == AFTER:
        js.endTheWorker()
    while number - len(outcomes) >= IN_FLIGHT - 1:
        await asyncio.sleep(0)
while len(outcomes) < 1000:
    await asyncio.sleep(0)
"""

JUDGE = """
there = await store.items()
whole = {number for number in range(1000) if f"a/{number:03}" in there}
assert whole == {number for number in range(1000) if f"b/{number:03}" in there}, "half a write"
assert all(there[key] == int(key[2:]) for key in there), "what nobody wrote"
told = {kind: {n for n in outcomes if outcomes[n] == kind} for kind in set(outcomes.values())}
acknowledged = told.pop("acknowledged", set())
raised = told.pop("Disconnected", set())
return {
    "acknowledged": len(acknowledged), "missing": sorted(acknowledged - whole),
    "raised": len(raised), "there all the same": len(raised & whole), "else": {k: len(told[k]) for k in told},
}
"""


@pytest.mark.engines("each")
@pytest.mark.slow("a thousand writes, four times")
def test_the_worker_ends_amid_a_thousand_writes(
    browser: Callable[..., Any], inside: Site, figure: Callable[[str], None]
) -> None:
    """The worker ends after so many of 1,000 writes: each has raised Disconnected or is there, whole; none hangs."""
    driver = browser()
    connect_test_app(driver, f"{inside.store}/near/")
    for after in AFTER:
        end_amid_writes(driver, after, figure)


def end_amid_writes(driver: Any, after: int, figure: Callable[[str], None]) -> None:
    """Let the worker end after so many of 1,000 writes of the connected app, and judge what has become of them."""
    py(driver, "await store.clear()")
    driver.run(SPEAK_AS_A_PAGE)
    start(driver, "write", WRITE.replace("AFTER", str(after)).replace("IN_FLIGHT", str(IN_FLIGHT)))
    assert "error" not in finished(driver, "write")
    found = py(driver, JUDGE)
    figure(f"{driver.engine}, the worker ended after {after} writes: {found}")
    assert found["missing"] == [] and found["else"] == {}
    assert found["acknowledged"] + found["raised"] == 1000
    assert found["acknowledged"] >= after and found["raised"] > 0
    assert py(driver, "return [await store.increment('n'), store.status.state]") == [1, "ready"]
    # A session that begins now finds the same.
    there = py(driver, "return await store.items()")
    driver.refresh()
    start(driver, "again", "global store\nstore = await masq.connect(STORE, name='Test app')")
    assert "error" not in finished(driver, "again")
    assert py(driver, "return await store.items()") == there
