"""The content security policy: strict on every answer, and never in the way of the story."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any

import pytest
from browser.devtools import DevTools
from browser.steps import allow, click, find, let_in, text, until, wait_text
from conftest import Site

EVERYWHERE = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self' wss: ws://localhost:* ws://*.localhost:*; base-uri 'none'; form-action 'none'"
)
FRAME = EVERYWHERE + "; style-src 'self'"
PAGE = EVERYWHERE + "; style-src 'self'; img-src 'self' data:; manifest-src 'self'; frame-ancestors 'none'"


def answer(site: Site, path: str) -> tuple[int, Any]:
    """Return status and headers of the store's answer; not every system knows names below localhost."""
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port)
    connection.request("GET", path, headers={"Host": f"store.localhost:{site.server.port}"})
    response = connection.getresponse()
    connection.close()
    return response.status, response.headers


def test_every_file_of_the_store_carries_the_headers(whole_site: Site) -> None:
    """Each file that the store's host serves has the policy and the headers of its kind, the missing one too."""
    root = whole_site.server.dist / "store"
    paths = ["", *(path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file())]
    paths = [path for path in paths if not path.endswith((".br", ".gz")) and not path.startswith("_headers")]
    assert len(paths) > 20
    for path in paths:
        status, headers = answer(whole_site, f"/{path}")
        assert status == 200, path
        policy = {"": PAGE, "index.html": PAGE, "frame.html": FRAME}.get(path, EVERYWHERE)
        assert headers["Content-Security-Policy"] == policy, path
        assert "unsafe-eval" not in policy.replace("wasm-unsafe-eval", "") and "unsafe-inline" not in policy
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp", path
        assert headers["Cross-Origin-Resource-Policy"] == "cross-origin", path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert headers["Cross-Origin-Opener-Policy"] is None, path  # it would cut the popup from its opener
        shared = headers["Access-Control-Allow-Origin"]
        assert shared == ("*" if path.startswith(("client/", "app-")) else None), path
    status, headers = answer(whole_site, "/no-such-file.js")
    assert status == 404 and headers["Content-Security-Policy"] == EVERYWHERE


@pytest.mark.slow("the whole story, with two demos")
def test_no_policy_error_in_the_whole_story(own_browser: Callable[..., Any], whole_site: Site) -> None:
    """Connect, allow, both demos, the list of apps, one app's page, withdrawal: no console names the policy."""
    driver = own_browser()
    complaints: list[str] = []
    with DevTools(driver) as tools:
        driver.get(whole_site.counter)
        allow(driver)
        click(driver, "#plus")
        wait_text(driver, "#count", "1")
        driver.get(whole_site.tasks)
        let_in(driver)
        driver.new_tab(whole_site.store)
        find(driver, f'#apps [data-origin="{whole_site.counter}"]')
        click(driver, f'#apps [data-origin="{whole_site.counter}"] a')
        until(lambda: "count" in text(driver, "#entries"), "the counter's data")
        click(driver, "#withdraw")
        click(driver, "#withdraw-confirm")
        find(driver, f'#apps [data-origin="{whole_site.tasks}"]')
        until(
            lambda: not driver.find_elements("css selector", f'#apps [data-origin="{whole_site.counter}"]'),
            "it to be gone",
        )
        for window in driver.window_handles:
            driver.switch_to.window(window)
            complaints += driver.policy_errors()
        (worker,) = tools.workers()
        complaints += [said for said in tools.said(worker) if "Content Security Policy" in said]
    assert complaints == []


def test_a_breach_would_be_seen(own_browser: Callable[..., Any], whole_site: Site) -> None:
    """What the policy forbids is stopped, in page and worker, and the tests' look at the console finds it."""
    driver = own_browser()
    driver.get(whole_site.store)
    find(driver, "#create-profile")
    outcome = driver.run(
        """
        const tried = {};
        const script = document.createElement("script");
        script.textContent = "globalThis.inline = true";
        document.body.append(script);
        tried.inline = globalThis.inline ?? "stopped";
        await fetch(args[0]).then(() => (tried.fetch = "done"), () => (tried.fetch = "stopped"));
        return tried;
    """,
        whole_site.counter,
    )
    assert outcome == {"inline": "stopped", "fetch": "stopped"}
    assert len(driver.policy_errors()) >= 2
    with DevTools(driver) as tools:
        (worker,) = tools.workers()
        stopped = tools.evaluate(worker, f"fetch('{whole_site.counter}').then(() => 'done', () => 'stopped')")
        assert stopped == "stopped"
        assert any("Content Security Policy" in said for said in tools.said(worker))
