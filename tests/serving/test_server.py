"""What `serve.py` answers, over real sockets."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from patience import seconds

from build.headers import FRAME_POLICY, PAGE_POLICY, POLICY, headers_file, store_headers
from build.server import SiteServer

Ask = Callable[..., tuple[http.client.HTTPResponse, bytes]]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """A server over a small made-up dist/, and a way to ask it."""
    files = {
        "store/index.html": b"<p>store</p>",
        "store/frame.html": b"<p>frame</p>",
        "store/py-0123456789abcdef/pyodide.asm.wasm": b"wasm" * 3000,
        "store/py-0123456789abcdef/pyodide.asm.wasm.br": b"small",
        "store/client/masq-0.1.0.whl": b"zip",
        "store/app-0123456789abcdef/frame.js": b"script",
        "counter/index.html": b"http://store.localhost:8000/client",
        "index/index.html": b"<p>index</p>",
        "index/links.html": b"http://counter.localhost:8000 http://a-b.localhost:8000/ localhost:80001",
        "secret.txt": b"secret",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    server = SiteServer(tmp_path)
    server.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=seconds(10))

    def send(
        site: str, path: str, method: str = "GET", **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        host = f"{site}.localhost:{server.port}" if site else f"localhost:{server.port}"
        connection.request(method, path, headers={"Host": host, **names})
        response = connection.getresponse()
        return response, response.read()

    yield send
    connection.close()
    server.stop()


def test_host_names_choose_the_folder(ask: Ask) -> None:
    """Each host name shows its own folder, this machine's own the index, and one of nobody nothing."""
    assert ask("store", "/")[1] == b"<p>store</p>"
    assert ask("", "/")[1] == b"<p>index</p>"
    assert ask("", "/", Host="127.0.0.1:80")[1] == b"<p>index</p>"
    for nobody in ("nobody", "nobody.store", "-"):
        for path in ("/", "/index.html", "/store.json"):
            response, body = ask(nobody, path)
            assert (response.status, body) == (404, b"There is no app of this name here.")


def test_demos_find_the_store_at_this_port(ask: Ask) -> None:
    """A demo's text names the store, and the start page each demo, where this server has them."""
    response, body = ask("counter", "/")
    port = response.headers["ETag"] and body.split(b":")[2].split(b"/")[0]
    assert body == b"http://store.localhost:" + port + b"/client"
    assert port != b"8000"
    _, body = ask("index", "/links.html")
    assert (
        body == b"http://counter.localhost:" + port + b" http://a-b.localhost:" + port + b"/ localhost:80001"
    )


def test_precompressed_variants(ask: Ask) -> None:
    """A browser that takes Brotli gets the variant under the file's own type; another one gets the file."""
    path = "/py-0123456789abcdef/pyodide.asm.wasm"
    response, body = ask("store", path, Accept_Encoding="gzip, br")
    assert (response.headers["Content-Encoding"], body) == ("br", b"small")
    assert response.headers["Content-Type"] == "application/wasm"
    assert response.headers["Vary"] == "Accept-Encoding"
    response, body = ask("store", path)
    assert (response.headers["Content-Encoding"], body) == (None, b"wasm" * 3000)


def test_caching(ask: Ask) -> None:
    """A hashed name is kept for ever; a page is asked for again each time, and costs nothing when it is the same."""
    response, _ = ask("store", "/py-0123456789abcdef/pyodide.asm.wasm")
    assert "immutable" in response.headers["Cache-Control"]
    response, _ = ask("store", "/")
    assert response.headers["Cache-Control"] == "no-cache"
    again, body = ask("store", "/", If_None_Match=response.headers["ETag"])
    assert (again.status, body) == (304, b"")


def test_head(ask: Ask) -> None:
    """HEAD answers as GET would, without a body, and the connection goes on."""
    response, body = ask("store", "/", "HEAD")
    assert (response.status, response.headers["Content-Length"], body) == (200, "12", b"")
    assert ask("store", "/")[1] == b"<p>store</p>"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/client",
        "/client/",
        "/.hidden",
        "/a%00b",
        "//secret.txt",
    ],
)
def test_nothing_else_is_shown(ask: Ask, path: str) -> None:
    """Neither what lies above the folder, nor a listing, nor a hidden file is shown."""
    response, body = ask("store", path)
    assert (response.status, response.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert b"secret" not in body


def test_headers_of_the_store(ask: Ask) -> None:
    """The page may not be framed, the frame may, both carry the policy, and the client may be fetched by any app."""
    page, frame = ask("store", "/")[0].headers, ask("store", "/frame.html")[0].headers
    assert page["Content-Security-Policy"] == PAGE_POLICY
    assert frame["Content-Security-Policy"] == FRAME_POLICY
    assert ask("store", "/client/masq-0.1.0.whl")[0].headers["Content-Security-Policy"] == POLICY
    assert "frame-ancestors" not in FRAME_POLICY
    for headers in (page, frame):
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Cross-Origin-Opener-Policy" not in headers
        assert "Access-Control-Allow-Origin" not in headers
    for path in ("/client/masq-0.1.0.whl", "/app-0123456789abcdef/frame.js"):
        assert ask("store", path)[0].headers["Access-Control-Allow-Origin"] == "*"


def test_policy_has_no_unsafe_words() -> None:
    """Neither policy allows eval, inline scripts or inline styles."""
    for policy in (POLICY, PAGE_POLICY):
        assert "'unsafe-eval'" not in policy
        assert "'unsafe-inline'" not in policy


def test_headers_file_says_what_the_server_says() -> None:
    """`_headers` gives a path the same headers as serve.py, and no path two policies."""
    text = headers_file(["index.html", "frame.html", "client/", "app-0123456789abcdef/"])
    rules: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("/"):
            rules[line] = current = {}
        else:
            name, _, value = line.strip().partition(": ")
            current[name] = value
    assert "Content-Security-Policy" not in rules["/*"]
    for path, rule in (
        ("/", "/"),
        ("/frame.html", "/frame.html"),
        ("/client/a.whl", "/client/*"),
        ("/app-0123456789abcdef/a.js", "/app-0123456789abcdef/*"),
    ):
        assert {**rules["/*"], **rules[rule]} == store_headers(path)
