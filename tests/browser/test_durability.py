"""What was acknowledged is there after the browser was killed, and how long a large space takes to open is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.steps import connect_test_app, find, finished, py, start
from conftest import Site

KEYS = 10_000

WRITE = f"""
acknowledged = []

async def write(number):
    await store.set('key/%05d' % number, ('%05d ' % number) * 33 + 'ab')
    acknowledged.append(number)

await asyncio.gather(*[write(number) for number in range({KEYS})])
return acknowledged
"""
"""Each value takes 200 bytes: 33 × 6 + 2."""

TIMES = """
import js
global store
began = js.performance.now() / 1000
store = await masq.connect(STORE, name='Test app')
await store.get('key/00000')
opened = js.performance.now() / 1000 - began
reads = 300
began = js.performance.now() / 1000
for number in range(reads):
    await store.get('key/%05d' % (number * 33))
return [opened, (js.performance.now() / 1000 - began) / reads]
"""


@pytest.mark.slow("10,000 keys, in two browsers one after the other")
def test_ten_thousand_keys_survive_a_kill(
    own_browser: Callable[..., Any], site: Site, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """10,000 keys of 200 bytes, acknowledged, are all there after SIGKILL; times beside an empty space's."""
    first = own_browser(profile=tmp_path)
    connect_test_app(first, site.url("third"))
    connect_test_app(first, site.url("pyodide-too"))  # the empty space to compare with
    connect_test_app(first, site.url("pyodide"))
    acknowledged = py(first, WRITE)
    first.kill()
    assert sorted(acknowledged) == list(range(KEYS))

    second = own_browser(profile=tmp_path)
    connect_test_app(second, site.url("third"))  # starts the worker: the openings below are of a space alone
    times = {}
    for name in ("pyodide-too", "pyodide"):
        second.new_tab(site.url(name))
        py(second, "return 1")  # the app's own Python is up
        times[name] = py(second, TIMES)
    found = py(second, "return await store.items('key/')")
    assert found == {f"key/{n:05d}": f"{n:05d} " * 33 + "ab" for n in range(KEYS)}
    for name, keys in {"pyodide-too": "none", "pyodide": "10,000"}.items():
        opened, get = times[name]
        figure(f"a space of {keys} keys: opened in {opened * 1000:.0f} ms, a get in {get * 1e6:.0f} µs")


def test_killed_while_writing(own_browser: Callable[..., Any], site: Site, tmp_path: Path) -> None:
    """Killed in the middle of writing: every acknowledged write is there, and each batch is there whole or not."""
    first = own_browser(profile=tmp_path)
    connect_test_app(first, site.url("app"))
    first.execute_script(
        "window.start('writing', arguments[0])",
        "global done\ndone = 0\nwhile True:\n    await store.update({'a': done + 1, 'b': done + 1})\n    done += 1",
    )
    acknowledged = 0
    while acknowledged < 200:
        acknowledged = py(first, "return done")
    first.kill()
    second = own_browser(profile=tmp_path)
    connect_test_app(second, site.url("app"))
    values = py(second, "return await store.get_many(['a', 'b'])")
    assert values["a"] == values["b"] >= acknowledged


def test_a_value_that_the_browser_has_lost(
    own_browser: Callable[..., Any], site: Site, tmp_path: Path
) -> None:
    """Where Chromium has lost the file of a large value, that one app hears of damage, and all others go on."""
    first = own_browser(profile=tmp_path)
    connect_test_app(first, site.url("other"))
    py(first, "await store.set('small', 1)")
    connect_test_app(first, site.url("app"))
    py(first, "await store.set('large', 'masq ' * 50_000)")  # Chromium keeps what is over 64 KiB in a file
    first.quit()
    files = [file for file in tmp_path.rglob("*.indexeddb.blob/**/*") if file.is_file()]
    assert files
    for file in files:
        file.unlink()

    second = own_browser(profile=tmp_path)
    second.get(site.url("app"))
    start(second, "connect", "await masq.connect(STORE, name='Test app')")
    refused = finished(second, "connect")
    assert refused["error"] == "StorageUnavailable"
    assert "Damaged: something that the browser cannot read any more" in refused["sentence"]
    connect_test_app(second, site.url("other"))
    assert py(second, "return await store.get('small')") == 1
    second.new_tab(site.store)
    listed = find(second, "#apps").text
    assert listed.count("Test app") == 2
