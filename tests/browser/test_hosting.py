"""dist/ on a host that knows nothing of Masq: a plain file server, no headers, below a path."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.sites import at_new_origin, copy_of, serve
from browser.steps import connect_test_app, find, outcome_of, py, text, until
from conftest import Site

from build.places import DEFAULT_STORE


class Plain(http.server.SimpleHTTPRequestHandler):
    """Python's own file server, which sends no header of ours and no compressed variant."""

    def end_headers(self) -> None:
        """The one thing that every static host for apps must give: the client is fetched across origins."""
        if self.path.startswith("/below/store/client/"):
            self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Keeps quiet about what a browser that ends has dropped."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@pytest.fixture
def plain(dist: Path, tmp_path: Path) -> Iterator[str]:
    """A plain file server with dist/ under /below; gives `http://{}:port/below`, with the host's name to fill in."""
    copy_of(dist, tmp_path / "below", whole=True)
    for path in (tmp_path / "below").rglob("_headers"):
        path.unlink()
    handler = functools.partial(Plain, directory=str(tmp_path))
    server = at_new_origin(lambda port: Server(("127.0.0.1", port), handler))
    port = server.server_address[1]
    app = tmp_path / "below" / "app" / "app.js"
    source = app.read_text("utf-8").replace(DEFAULT_STORE, f"http://store.localhost:{port}/below/store")
    app.unlink()
    app.write_text(source, "utf-8")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{{}}.localhost:{port}/below"
    server.shutdown()
    server.server_close()


def test_the_story_on_a_plain_host(browser: Callable[..., Any], plain: str) -> None:
    """Connect, count, reload, look into the store: all of it works below a path and without any header."""
    driver = browser()
    app = plain.format("app") + "/app/"
    connect_test_app(driver, app)
    assert py(driver, "for _ in range(3):\n    last = await store.increment('count')\nreturn last") == 3
    driver.refresh()
    connect_test_app(driver, app)
    assert py(driver, "return await store.get('count')") == 3
    driver.new_tab(plain.format("store") + "/store/")
    origin = plain.format("app").removesuffix("/below")
    find(driver, f'#apps [data-origin="{origin}"] a').click()
    until(lambda: "count" in text(driver, "#entries"), "the data")
    assert driver.execute_script("return document.documentElement.dataset.boot") == "snapshot"


def test_an_address_with_a_slash_or_without(browser: Callable[..., Any], plain: str) -> None:
    """The store's address may have a path, and end with a slash or not."""
    driver = browser()
    driver.get(plain.format("app") + "/app/")
    for end in ("", "/"):
        address = plain.format("store") + "/store" + end
        assert outcome_of(driver, f"await masq.connect({address!r}, name='App')")["error"] == "NotRegistered"


def test_the_page_refuses_to_be_framed_by_itself(browser: Callable[..., Any], plain: str) -> None:
    """Where the host sends no frame-ancestors, the page itself refuses to run inside another one."""
    driver = browser()
    driver.get(plain.format("app") + "/app/")
    driver.run(
        "const frame = document.createElement('iframe'); frame.src = args[0]; document.body.append(frame);",
        plain.format("store") + "/store/",
    )
    driver.switch_to.frame(find(driver, "iframe"))
    until(lambda: "does not open inside another page" in text(driver, "main"), "the refusal")
    assert driver.find_elements("css selector", "form, #create-profile, #apps") == []
    driver.switch_to.default_content()


def test_the_policy_is_in_the_pages_too(browser: Callable[..., Any], plain: str) -> None:
    """Without headers the pages' own <meta> forbids what it can: foreign connections, inline scripts, eval."""
    driver = browser()
    for page in ("/store/", "/store/frame.html"):
        driver.get(plain.format("store") + page)
        tried = driver.run(
            """
            const script = document.createElement("script");
            script.textContent = "globalThis.inline = true";
            document.body.append(script);
            const fetched = await fetch(args[0], { mode: "no-cors" }).then(() => "done", () => "stopped");
            return [globalThis.inline ?? "stopped", fetched];
            """,
            plain.format("app") + "/app/app.js",
        )
        assert tried == ["stopped", "stopped"], page


def test_a_site_that_was_copied_without_variants(
    browser: Callable[..., Any], dist: Path, tmp_path: Path
) -> None:
    """The compressed variants are an extra: without one of them the store starts all the same."""
    copy = copy_of(dist, tmp_path / "dist", whole=True)
    for pattern in ("*.br", "*.gz"):
        for path in copy.rglob(pattern):
            path.unlink()
    server = serve(copy)
    try:
        driver = browser()
        driver.get(Site(server).store)
        find(driver, "#create-profile")
    finally:
        server.stop()
        shutil.rmtree(copy)
