"""An app in PyScript's MicroPython that reads much: how long it takes to the first and to the last of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from browser.kinds import make_page, script_of
from browser.steps import let_in, text, until

PROGRAM = """
import gc, json, random, time
from pyscript import document
import masq

VALUES = {values}
FILL = "€" * (1000 * {kilobytes} // 3)
figures = {}


def note(name, since):
    figures[name] = time.ticks_diff(time.ticks_ms(), since)


async def measure(store):
    there = ["z/%05d" % n for n in range(VALUES)]
    for at in range(0, VALUES, 100):
        await store.update({key: key + FILL for key in there[at : at + 100]})

    began = time.ticks_ms()
    assert await store.keys("z/") == there
    note("keys", began)
    began = time.ticks_ms()
    found = await store.items("z/")
    note("items", began)
    assert sorted(found) == there and found[there[7]] == there[7] + FILL
    found = await store.get_many(there)
    assert sorted(found) == there
    found = None

    left = set(there)
    began = time.ticks_ms()
    async with store.watch("z/", initial=True) as changes:
        async for change in changes:
            if len(left) == VALUES:
                note("watch, first", began)
            left.remove(change.key)
            if not left:
                note("watch, last", began)
                break

    content = bytes([random.getrandbits(8) for _ in range(196596)])  # the largest there may be
    began = time.ticks_ms()
    await store.set("bytes", content)
    note("set of bytes", began)
    began = time.ticks_ms()
    assert await store.get("bytes") == content
    note("get of bytes", began)


try:
    store = await masq.connect("http://store.localhost:8000", name="Much", button="#connect")
    await measure(store)
except Exception as error:
    figures["failed"] = repr(error) + str(error)
document.querySelector("#message").textContent = json.dumps(figures)
"""


def make_app(dist: Path, target: Path, values: int, kilobytes: int) -> None:
    """Fill `target` with the app, which writes and reads so many values of so many kilobytes each."""
    program = PROGRAM.replace("{values}", str(values)).replace("{kilobytes}", str(kilobytes))
    make_page(dist, target, script_of("mpy"), program)


def measure(driver: Any, url: str) -> dict[str, int]:
    """Have it do so; return what took how many milliseconds, in the order in which it happened."""
    driver.get(url)
    let_in(driver)
    until(lambda: text(driver, "#message").startswith("{"), "the figures", 120)
    found: dict[str, int] = json.loads(text(driver, "#message"))
    assert "failed" not in found, found
    return found
