"""The store's worker changes under a working app: a newer build, or a death. Nothing acknowledged is lost."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from browser.devtools import DevTools
from browser.steps import click, connect_test_app, find, outcome_of, py, start, until
from conftest import Site

from build.site import add_service_workers

WRITE_ON = """
global writing, acknowledged, failed
writing, acknowledged, failed = True, [], []
while writing:
    for n in range(10):
        number = len(acknowledged) + len(failed)
        try:
            await store.set(f"w/{number:06}", number)
            acknowledged.append(number)
        except masq.Disconnected:
            failed.append(number)
    try:
        total = await store.increment("total")
    except masq.Disconnected:
        pass
return len(acknowledged)
"""
"""Writes as fast as it can until told to stop, and keeps count of what was acknowledged."""

WATCH_ON = """
global seen
seen = {}
async with store.watch("w/") as changes:
    async for change in changes:
        seen[change.key] = change.value
"""

ALL_THERE = """
there = await store.items("w/")
return [number for number in acknowledged if there.get(f"w/{number:06}") != number]
"""


def newer_build(store: Path) -> str:
    """Put a build that is newer by one in place of the one in `store`; both folders stay. Returns its folder's name."""
    index = store / "index.html"
    old = re.search(r"app-[0-9a-f]{16}", index.read_text("utf-8"))
    assert old
    new = f"app-{(int(old[0][4:], 16) + 1) % 16**16:016x}"
    shutil.copytree(store / old[0], store / new)
    facts = store / new / "build.js"
    text = facts.read_text("utf-8")
    facts.unlink()  # a link into dist/: replaced, not written through
    facts.write_text(re.sub(r'"build": (\d+)', lambda found: f'"build": {int(found[1]) + 1}', text), "utf-8")
    point_to(store, old[0], new)
    return new


def point_to(store: Path, old: str, new: str) -> None:
    """Publish another build: let the store's pages load it, and its service workers keep it."""
    for page in [path for path in store.iterdir() if path.suffix in (".html", ".webmanifest")]:
        text = page.read_text("utf-8").replace(old, new)
        for variant in store.glob(page.name + "*"):
            variant.unlink()
        page.write_text(text, "utf-8")
    for variant in [*store.glob("service-worker.js*"), *store.glob("frame-worker.js*")]:
        variant.unlink()
    hashed = [
        path.name
        for path in store.iterdir()
        if re.match(r"(py|code|snapshot)-[^.]*(\.zip|\.bin)?$", path.name)
    ]
    add_service_workers(store, [new, *hashed])


def stop_writing(driver: Any) -> None:
    """Let `WRITE_ON` come to its end."""
    py(driver, "global writing\nwriting = False")
    outcome = until(lambda: driver.execute_script("return later.write"), "the writer to stop")
    assert "error" not in outcome, outcome


def wait_for_writes(driver: Any, more: int) -> None:
    """Wait until `more` further writes have been acknowledged."""
    enough = py(driver, "return len(acknowledged)") + more
    until(lambda: py(driver, "return len(acknowledged)") >= enough, f"{more} more writes")


def begin(driver: Any) -> None:
    """Let the connected app write and watch without end."""
    start(driver, "watch", WATCH_ON)
    start(driver, "write", WRITE_ON)
    until(
        lambda: py(driver, "return 'acknowledged' in globals() and len(acknowledged) > 20"),
        "the first writes",
    )


def test_a_newer_build_takes_over(own_browser: Callable[..., Any], own_site: Site) -> None:
    """A newer build takes over while an app writes: no write fails or is lost, watchers go on, the old worker ends."""
    driver = own_browser()
    connect_test_app(driver, own_site.url("app"))
    begin(driver)
    tab = driver.current_window_handle
    with DevTools(driver) as tools:
        (before,) = tools.workers()
        new = newer_build(own_site.server.dist / "store")
        page = driver.new_tab(own_site.store)
        find(driver, "#apps [data-origin]")
        until(lambda: [new in worker["url"] for worker in tools.workers()] == [True], "the old worker to end")
        driver.switch_to.window(tab)
        wait_for_writes(driver, 50)
        stop_writing(driver)
        assert py(driver, "return failed") == []
        assert py(driver, ALL_THERE) == []
        until(
            lambda: py(driver, "return len(seen) == len(acknowledged)"),
            "the watcher to have seen every write",
        )
        assert py(driver, "return store.status.state") == "ready"
        assert before["url"] not in [worker["url"] for worker in tools.workers()]
        # The store's page counts the tab that was handed over, and can still withdraw it.
        driver.switch_to.window(page)
        click(driver, "#apps [data-origin] a")
        click(driver, "#withdraw")
        click(driver, "#withdraw-confirm")
        driver.switch_to.window(tab)
        until(lambda: py(driver, "return store.status.state") == "closed", "the withdrawal to arrive")
        assert outcome_of(driver, "await store.get('total')")["error"] == "NotRegistered"


def test_an_older_page_finds_the_newer_worker(own_browser: Callable[..., Any], own_site: Site) -> None:
    """Pages and frames of an older build are sent on to the newer worker: none is stuck, and none loads for ever."""
    driver = own_browser()
    connect_test_app(driver, own_site.url("app"))
    py(driver, "await store.set('a', 1)")
    store = own_site.server.dist / "store"
    old = re.search(r"app-[0-9a-f]{16}", (store / "index.html").read_text("utf-8"))
    assert old
    tab = driver.current_window_handle
    new = newer_build(store)
    driver.new_tab(own_site.store)
    find(driver, "#apps [data-origin]")
    point_to(store, new, old[0])  # a host that goes back to the older build, say
    driver.new_tab(own_site.url("app"))
    connect_test_app(driver, own_site.url("app"))
    assert py(driver, "return await store.get('a')") == 1
    py(driver, "await store.set('a', 2)")
    driver.new_tab(own_site.store)
    find(driver, "#apps [data-origin]")
    driver.execute_script("window.stayed = true")
    driver.switch_to.window(tab)
    assert py(driver, "return await store.get('a')") == 2
    with DevTools(driver) as tools:
        running: list[dict[str, Any]] = []

        def only_the_newer() -> bool:
            running[:] = tools.workers()
            return [new in worker["url"] for worker in running] == [True]

        try:
            until(only_the_newer, "one worker, the newer one")
        finally:
            print(f"older {old[0]}, newer {new}, running {running}")  # shown where this fails
    driver.switch_to.window(driver.window_handles[-1])
    assert driver.execute_script("return window.stayed") is True


def test_builds_that_start_together_agree_on_the_newer(
    own_browser: Callable[..., Any], own_site: Site
) -> None:
    """Workers of two builds that start at the same moment agree on the newer one, and the other ends."""
    driver = own_browser()
    store = own_site.server.dist / "store"
    for variant in ("index.html", "index.html.br", "index.html.gz"):
        if (store / variant).exists():
            shutil.copy(store / variant, store / variant.replace("index", "older"))
    new = newer_build(store)
    driver.get(own_site.url("app"))
    for pages in (["/", "/older.html"], ["/older.html", "/"]):
        home = driver.current_window_handle
        driver.execute_script(
            "for (const page of arguments[1]) window.open(arguments[0] + page)", own_site.store, pages
        )
        until(lambda: len(driver.window_handles) == 3, "both pages")
        with DevTools(driver) as tools:
            for tab in set(driver.window_handles) - {home}:
                driver.switch_to.window(tab)
                find(driver, "#profile-name")
            until(
                lambda: [new in worker["url"] for worker in tools.workers()] == [True],
                "one worker, the newer one",
            )
            for tab in set(driver.window_handles) - {home}:
                driver.switch_to.window(tab)
                find(driver, "#profile-name")
                driver.close()
            driver.switch_to.window(home)
            (worker,) = tools.workers()
            tools.call("Target.closeTarget", targetId=worker["targetId"])
            until(lambda: not tools.workers(), "the worker to end")


def test_a_dead_worker_is_replaced(own_app: Any) -> None:
    """The worker dies while an app works: reads go on, a write raises Disconnected or is there, watchers go on."""
    py(own_app, "await store.update({'gone': 1, 'kept': 'as it was'})")
    begin(own_app)
    with DevTools(own_app) as tools:
        for _ in range(2):
            (worker,) = tools.workers()
            tools.call("Target.closeTarget", targetId=worker["targetId"])
            until(
                lambda old=worker: [each for each in tools.workers() if each["targetId"] != old["targetId"]],
                "the next worker",
            )
            wait_for_writes(own_app, 50)
    stop_writing(own_app)
    assert py(own_app, ALL_THERE) == []
    lost = py(own_app, "return len(failed)")
    assert lost <= 4  # at most the ones in flight
    until(
        lambda: py(own_app, "return set(seen) >= {f'w/{number:06}' for number in acknowledged}"),
        "the watcher to catch up",
    )
    assert py(own_app, "return [store.status.state, await store.get('kept')]") == ["ready", "as it was"]


def test_calls_in_flight_when_the_worker_dies(own_app: Any) -> None:
    """Of calls that are out when the worker dies, reads get their answer and no write is lost silently."""
    py(own_app, "await store.set('kept', 'as it was')")
    with DevTools(own_app) as tools:
        (worker,) = tools.workers()
        # It dies with the calls in its queue: it stands still first. Not in a debugger: to one that is attached
        # when a worker ends, the next worker is attached as well, and waits for it before it starts.
        session = tools.attach(worker)
        tools.call("Runtime.evaluate", session, expression="setTimeout(() => { for (;;); })")
        tools.call("Target.detachFromTarget", sessionId=session)
        start(own_app, "read", "return await store.get('kept')")
        start(own_app, "write", "await store.set('late', 1)")
        start(own_app, "count", "return await store.increment('n')")
        until(lambda: py(own_app, "return store._channel.outstanding") == 3, "the calls to be sent")
        tools.call("Target.closeTarget", targetId=worker["targetId"])
    for name in ("read", "write", "count"):
        until(lambda name=name: own_app.execute_script("return later[arguments[0]]", name), f"{name} to end")
    assert own_app.execute_script("return later.read.result") == "as it was", own_app.execute_script(
        "return later.read"
    )
    for name, key in (("write", "late"), ("count", "n")):
        outcome = own_app.execute_script("return later[arguments[0]]", name)
        assert outcome.get("error", "Disconnected") == "Disconnected", outcome
        if "error" not in outcome:
            assert py(own_app, f"return await store.get({key!r})") == 1
