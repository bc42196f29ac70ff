"""Frames: a message counts only from the expected window and origin, and a page without an origin gets nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.devtools import DevTools
from browser.sites import serve
from browser.steps import connect_test_app, finished, outcome_of, py, start, until
from conftest import Site

from build.server import Handler

EMBED = """
    const frame = document.createElement("iframe");
    Object.assign(frame, { src: args[0], name: "embedded" });
    document.body.append(frame);
    await new Promise((done) => (frame.onload = done));
"""

TELL = """
    const meddler = document.querySelector("iframe[name=embedded]").contentWindow;
    const done = new Promise((tell) => addEventListener("message", function hear({ source, data }) {
        if (source !== meddler || data.done !== args[0]) return;
        removeEventListener("message", hear);
        tell(data.heard);
    }));
    meddler.postMessage(args[0], "*");
    return await done;
"""


def opened(driver: Any, url: str) -> Any:
    """Open a page and return its browser."""
    driver.get(url)
    return driver


def test_a_store_that_leads_elsewhere(browser: Callable[..., Any], site: Site) -> None:
    """A frame that ends on another origin raises ProtocolError, which names the origin expected and the one found."""
    driver = opened(browser(), site.url("app"))
    hostile, stranger = site.url("hostile"), site.url("stranger")
    outcome = outcome_of(driver, f"await masq.connect({hostile + '/away'!r}, name='App', timeout=20)")
    assert outcome["error"] == "ProtocolError"
    assert hostile in outcome["sentence"] and stranger in outcome["sentence"]
    assert driver.run("return document.querySelectorAll('iframe').length") == 0


@pytest.mark.engines("each")
def test_a_frame_that_is_replaced(fresh_app: Any, site: Site) -> None:
    """Once the frame shows another origin that speaks, the session ends with ProtocolError, its watches too."""
    start(fresh_app, "watch", "async for change in store.watch(): pass")
    py(fresh_app, "await store.set('a', 1)")
    fresh_app.execute_script(
        "document.querySelector('iframe').src = arguments[0]", site.url("hostile") + "/posing.html"
    )
    ended = finished(fresh_app, "watch")
    assert ended["error"] == "ProtocolError"
    assert site.store in ended["sentence"] and site.url("hostile") in ended["sentence"]
    assert outcome_of(fresh_app, "await store.get('a')")["error"] == "ProtocolError"
    assert py(fresh_app, "return store.status.state") == "closed"


@pytest.mark.engines("each")
def test_messages_of_another_window_are_ignored(app: Any, app_site: Site) -> None:
    """A window beside the store's frame that speaks as the frame changes nothing for the app."""
    py(app, "await store.set('a', 1)")
    app.run(EMBED, app_site.url("hostile") + "/meddler.html")
    app.run(TELL, "to app")
    assert py(app, "return [await store.increment('a'), store.status.state]") == [2, "ready"]
    # Nor while it connects. What the meddler says to the app comes before its word that it has said it.
    silent = app_site.url("hostile") + "/silent"
    connecting = f"masq.connect({silent!r}, name='App', timeout=300)"
    py(app, f"global again\nimport asyncio\nagain = asyncio.ensure_future({connecting})")
    until(lambda: app.run("return document.querySelectorAll('iframe').length") == 3, "the silent frame")
    app.run(TELL, "to app")
    assert py(app, "done = again.done(); again.cancel(); return done") is False
    until(lambda: app.run("return document.querySelectorAll('iframe').length") == 2, "the silent frame to go")


@pytest.mark.engines("each")
def test_another_window_cannot_attach(fresh_app: Any, site: Site) -> None:
    """The store's frame takes a port from the page that embeds it only: what another window posts is not heard."""
    fresh_app.run(EMBED, site.url("hostile") + "/meddler.html")
    fresh_app.run(TELL, "to frames")
    # The app's own message, posted after them, goes the same way. When it is answered, they would have been.
    hears = """
        const { port1, port2 } = new MessageChannel();
        const status = new Promise((told) => (port1.onmessage = ({ data }) => told(JSON.parse(data).status.state)));
        const attach = { nonce: "1".repeat(32), name: "Late", description: "", icon: null };
        document.querySelector("iframe[name^=masq-]").contentWindow.postMessage(
            JSON.stringify({ masq: 1, attach }), args[0], [port2]);
        return await status;
    """
    assert fresh_app.run(hears, site.store) == "ready"
    assert fresh_app.run(TELL, "anything") == []


@pytest.mark.engines("each")
def test_no_app_speaks_as_a_page_of_the_store(app: Any, app_site: Site) -> None:
    """An app cannot reach the store's worker itself, nor have its frame open a page's session."""
    worker = app.run(
        "const page = await (await fetch(args[0] + '/client/masq/__init__.py')).text(); return page.length > 0",
        app_site.store,
    )
    assert worker
    from browser.test_bad_input import codes_in, open_wire

    open_wire(app, app_site)
    pages = [
        ["overview"],
        ["app", app_site.url("pyodide")],
        ["withdraw", app_site.url("pyodide")],
        ["answer", "0" * 32, True],
        ["create_profile", "Eve", "", True],
        ["entries", app_site.url("pyodide"), "", "", 10],
        ["request", "0" * 32],
    ]
    for words in pages:
        sent = json.dumps({"masq": 1, "calls": [[1, *words]]})
        assert codes_in(app.run("return await window.wire.ask(args[0])", sent)) == ["ProtocolError"], words
    for said in ({"page": {"id": "1"}}, {"attach": {"origin": app_site.store}}, {"worker": "1"}):
        assert (
            codes_in(app.run("return await window.wire.ask(args[0])", json.dumps({"masq": 1, **said}))) == []
        ), said
    refused = app.run(
        """
        try {
            const worker = new SharedWorker(args[0] + "/worker.js", { name: "masq", type: "module" });
            return await new Promise((done) => {
                worker.onerror = () => done("refused");
                worker.port.onmessage = () => done("reached");
            });
        } catch (error) { return error.name === "SecurityError" ? "refused" : error.name; }
        """,
        app_site.store,
    )
    assert refused == "refused"
    assert py(app, "return store.status.state") == "ready"


def test_the_frame_alone_does_nothing(own_browser: Callable[..., Any], site: Site) -> None:
    """Opened as a page of its own, frame.html takes no port and starts no worker."""
    driver = opened(own_browser(), site.store + "/frame.html")
    heard = driver.run("""
        const { port1, port2 } = new MessageChannel();
        const heard = [];
        port1.onmessage = ({ data }) => heard.push(data);
        const attach = { nonce: "0".repeat(32), name: "Alone", description: "", icon: null };
        window.postMessage(JSON.stringify({ masq: 1, attach }), location.origin, [port2]);
        // What it would ask the browser for first, asked behind it.
        await document.requestStorageAccess({ indexedDB: true, SharedWorker: true, locks: true });
        await navigator.locks.request("after", () => {});
        return [heard, (await navigator.locks.query()).held.length];
    """)
    assert heard == [[], 0]
    with DevTools(driver) as tools:
        assert tools.workers() == []


@pytest.mark.engines("each")
def test_the_stores_page_is_not_framed(browser: Callable[..., Any], site: Site) -> None:
    """The store's own page shows nothing inside another page: its answer forbids frames."""
    driver = opened(browser(), site.url("hostile") + "/meddler.html")
    driver.run(EMBED, site.store + "/")
    driver.switch_to.frame(driver.find_element("css selector", "iframe[name=embedded]"))
    assert driver.find_elements("css selector", "#page, #apps, #create-profile") == []
    driver.switch_to.default_content()
    until(lambda: any("frame-ancestors" in said for said in driver.policy_errors()), "the browser to say why")


class Opaque(Handler):
    """Serves the test app as a page without an origin of its own, which may load its own files all the same."""

    def _send(self, status: int, headers: dict[str, str], body: bytes | None) -> None:
        if self._site() == "app":
            headers |= {
                "Content-Security-Policy": "sandbox allow-scripts",
                "Access-Control-Allow-Origin": "*",
            }
        super()._send(status, headers, body)


@pytest.fixture
def opaque(built: Path) -> Iterator[Site]:
    """The built site, whose test app is sandboxed."""
    server = serve(built, Opaque)
    yield Site(server)
    server.stop()


@pytest.mark.engines("each")
def test_an_app_without_an_origin(
    browser: Callable[..., Any], opaque: Site, differs: Callable[[str], bool]
) -> None:
    """A sandboxed app, whose origin is opaque, gets ProtocolError at once: nothing could tell it from any other."""
    driver = opened(browser(), opaque.url("app"))
    outcome = outcome_of(driver, "await masq.connect(STORE, name='Nobody', timeout=20)")
    assert outcome["error"] == "ProtocolError" and "origin" in outcome["sentence"]
    assert outcome_of(driver, "await masq.register(STORE, name='Nobody')")["error"] == "ProtocolError"
    assert driver.run("return document.querySelectorAll('iframe').length") == 0
    # A client in another language, which does not look, is told by the frame.
    driver.run(
        """
    [window.told, window.loaded] = [[], false];
    const frame = document.createElement("iframe");
    frame.src = args[0] + "/frame.html";
    addEventListener("message", ({ source, data }) => source === frame.contentWindow && told.push(JSON.parse(data)));
    frame.onload = () => (loaded = true);
    document.body.append(frame);
    """,
        opaque.store,
    )
    if differs("a-sandboxed-frame-is-silent"):
        until(lambda: driver.run("return loaded"), "the frame")
        assert driver.run("return told") == []
        return
    told = until(
        lambda: [said for said in driver.run("return told") if said["frame"] == "unavailable"], "an answer"
    )
    assert (told[0]["reason"], told[0]["setting"]) == ("the app's page has no origin", "its sandbox")


DATA_PAGE = """
<script>
const frame = document.createElement("iframe");
frame.src = "STORE/frame.html";
addEventListener("message", ({ source, data }) => {
  if (source !== frame.contentWindow) return;
  parent.postMessage({ told: data }, "*");
  if (JSON.parse(data).frame !== "ready") return;
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => parent.postMessage({ told: data }, "*");
  const attach = { nonce: "0".repeat(32), name: "Nobody", description: "", icon: null };
  frame.contentWindow.postMessage(JSON.stringify({ masq: 1, attach }), "*", [port2]);
});
document.body.append(frame);
</script>
"""


def test_the_frame_refuses_a_page_without_an_origin(app: Any, app_site: Site) -> None:
    """A data: page, whose origin is "null", is refused by the store: a ProtocolError comes, and no status."""
    told = app.run(
        """
        const told = [];
        const refused = new Promise((done) => addEventListener("message", ({ data }) => {
            if (!data?.told) return;
            told.push(JSON.parse(data.told));
            if (told.at(-1).error || told.at(-1).status) done();
        }));
        const frame = document.createElement("iframe");
        frame.src = "data:text/html," + encodeURIComponent(args[0]);
        document.body.append(frame);
        await refused;
        return told;
        """,
        "<body>" + DATA_PAGE.replace("STORE", app_site.store),
    )
    assert told[0]["frame"] == "ready"
    assert all(message["frame"] == "progress" for message in told[1:-1])
    code, sentence, _ = told[-1]["error"]
    assert code == "ProtocolError" and "origin" in sentence


@pytest.mark.engines("each")
def test_a_connected_app_is_not_disturbed_by_other_stores(app: Any, app_site: Site) -> None:
    """A session with one store goes on while the same page fails to join another."""
    for name in ("silent", "away", "nonsense"):
        address = f"{app_site.url('hostile')}/{name}"
        outcome = outcome_of(app, f"await masq.connect({address!r}, name='App', timeout=0.8)\nreturn 1")
        assert outcome.get("error") in ("ConnectionTimeout", "ProtocolError") or name == "nonsense"
    assert py(app, "return await store.increment('n')") == 1
    connect_test_app(app, app_site.url("pyodide"))
    assert py(app, "return await store.get('n')") == 1
