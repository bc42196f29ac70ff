"""The server behind `serve.py` and the tests: host names to folders of `dist/`. Standard library only."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from build.certificate import server_context
from build.headers import app_headers, store_headers
from build.places import DEFAULT_PORT

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".py": "text/x-python; charset=utf-8",
    ".toml": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".zip": "application/zip",
    ".whl": "application/zip",
}
REWRITTEN = {".html", ".py", ".js", ".json", ".toml"}
"""Files of demos that may name the store's address."""

HOST = re.compile(r"([a-z0-9.-]+)(?::[0-9]+)?")
"""What browsers send as Host; those that reach the standard port send none."""

REST_SECONDS = 60.0
"""An idle connection is closed after this long, so that its thread ends."""


class Answer(Exception):
    """Ends a request early with this status and sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class SiteServer(ThreadingHTTPServer):
    """Serves the folders of `dist` by host name: `store.localhost` gives dist/store, this machine's own dist/index.

    Below `localhost` other names give nothing.

    Args:
        dist: the built folder. Read at each request, so a new build is served at once.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        certfile: PEM file with certificate (and key), for https.
        keyfile: PEM file with the key, where it is not in `certfile`.
        folders: more names and what they show, besides the folders of `dist`; tests put their own apps there.
        before_page: called before a page is answered; may rebuild `dist`, and may return a sentence to show instead.

    Raises OSError where the port is taken, BadCertificate where `certfile` and `keyfile` cannot be used.
    """

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"
    request_queue_size = 128

    def __init__(
        self,
        dist: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        certfile: str | None = None,
        keyfile: str | None = None,
        before_page: Callable[[], str | None] | None = None,
        folders: dict[str, Path] | None = None,
    ) -> None:
        self.dist = dist
        self.folders = folders or {}
        self.before_page = before_page
        self.relay = ""
        """Address of the relay that store.json names; "": that of the file."""
        self.context = server_context(certfile, keyfile)
        self.scheme = "https" if self.context else "http"
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), Handler)
        self.port: int = self.server_address[1]

    def folder(self, name: str) -> Path | None:
        """Return the folder behind the first word of a host name, or None."""
        if name in self.folders:
            return self.folders[name]
        folder = self.dist / name
        return folder if re.fullmatch(r"[a-z][a-z0-9-]*", name) and folder.is_dir() else None

    def url(self, name: str = "") -> str:
        """Return the address of a folder of dist/ by its name; of the index without one."""
        standard = {"http": 80, "https": 443}[self.scheme]
        port = "" if self.port == standard else f":{self.port}"
        return f"{self.scheme}://{name + '.' if name else ''}localhost{port}"

    def finish_request(self, request: socket.socket, client_address: object) -> None:
        """Answer a connection, on its own thread; the TLS handshake happens here so that it cannot block others."""
        request.settimeout(REST_SECONDS)
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about connections that the other side dropped."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, ssl.SSLError)):
            super().handle_error(request, client_address)

    def start(self) -> None:
        """Serve on a thread of its own, until `stop`."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD from a folder, in the variant that the browser takes."""

    server: SiteServer
    protocol_version = "HTTP/1.1"
    server_version = "masq"
    sys_version = ""
    wbufsize = 64 * 1024  # headers and a small body leave in one packet
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer with a file."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer as GET would, without the body."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a page loads hundreds of files."""

    def _answer(self) -> None:
        try:
            if self.path == "/store.json" and self.server.relay and self._site() == "store":
                self._relay()
                return
            self._file(*self._locate())
        except Answer as answer:
            headers = store_headers("") if self._site() == "store" else {}
            headers |= {"Content-Type": TYPES[".txt"], "Cache-Control": "no-store"}
            self._send(answer.status, headers, answer.sentence.encode())

    def _site(self) -> str:
        """Return the name that the Host header asks for; "" for one below `localhost` that is nobody's."""
        host = self.headers.get("Host", "").split(":")[0].lower()
        name, _, rest = host.partition(".")
        if self.server.folder(name):
            return name
        return "" if rest.split(".")[-1] == "localhost" else "index"

    def _locate(self) -> tuple[str, str, Path]:
        path = unquote(urlsplit(self.path).path, errors="replace")
        parts = path.split("/")
        # Nothing above the folder, nothing hidden, and no other spelling of a name.
        if not path.startswith("/") or any(
            part.startswith(".") or "\\" in part or "\0" in part for part in parts
        ):
            raise Answer(404, "There is no such page here.")
        if path.endswith("/"):
            path += "index.html"
        if path.endswith(".html") and self.server.before_page:
            sentence = self.server.before_page()
            if sentence:
                raise Answer(500, sentence)
        site = self._site()
        if not site:
            raise Answer(404, "There is no app of this name here.")
        file = (self.server.folder(site) or self.server.dist / site) / path[1:]
        if not file.is_file():
            if file.is_dir():
                raise Answer(404, "There is no such page here; a folder's address ends with a slash.")
            raise Answer(404, "There is no such page here.")
        return site, path, file

    def _file(self, site: str, path: str, file: Path) -> None:
        headers = store_headers(path) if site == "store" else app_headers(path)
        headers["Content-Type"] = TYPES.get(file.suffix, "application/octet-stream")
        body: bytes | None = None
        if site != "store" and file.suffix in REWRITTEN and not path.startswith("/pyscript/"):
            body = self._with_address(
                file.read_bytes(), "[a-z][a-z0-9-]*" if file.suffix == ".html" else "store"
            )
            tag = hashlib.sha256(body).hexdigest()[:16]
        else:
            file = self._variant(file, headers)
            facts = file.stat()
            # The inode too: npm gives every file the same time, and two versions may have one size.
            tag = f"{facts.st_mtime_ns:x}-{facts.st_size:x}-{facts.st_ino:x}"
        headers["ETag"] = f'"{tag}"'
        if headers["ETag"] in self.headers.get("If-None-Match", ""):
            self._send(304, headers, None)
            return
        self._send(200, headers, file.read_bytes() if body is None else body)

    def _relay(self) -> None:
        """Tell the store's default relay, by the name under which this machine was asked for."""
        relay = self.server.relay
        host = HOST.fullmatch(self.headers.get("Host", "").lower())
        # The store's own name, for that one is in the certificate: the name above it may be missing there.
        if host and f".{host[1]}".rpartition(".")[2] != "localhost":
            relay = relay.replace("localhost", host[1])
        headers = store_headers("/store.json") | {"Content-Type": TYPES[".json"]}
        self._send(200, headers, json.dumps({"relay": relay}).encode())

    def _with_address(self, text: bytes, names: str) -> bytes:
        """Put addresses, as seen from here, in place of those that the demos' sources name.

        `names`: a pattern of the hosts' names: in a page of all, as links; elsewhere of the store alone.
        """
        host = self.headers.get("Host", "localhost").lower()
        if not HOST.fullmatch(host):
            raise Answer(400, "The Host header is not a name that a browser would send.")
        site, _, rest = host.partition(".")
        beside = rest if rest and self.server.folder(site) else host
        named = rf"http://({names})\.localhost:{DEFAULT_PORT}\b".encode()
        return re.sub(named, rf"{self.server.scheme}://\1.{beside}".encode(), text)

    def _variant(self, file: Path, headers: dict[str, str]) -> Path:
        """Return the smallest variant of `file` that the browser takes, and name it in `headers`."""
        takes = {word.split(";")[0].strip() for word in self.headers.get("Accept-Encoding", "").split(",")}
        for suffix, encoding in ((".br", "br"), (".gz", "gzip")):
            packed = file.with_name(file.name + suffix)
            if packed.is_file():
                headers["Vary"] = "Accept-Encoding"
                if encoding in takes:
                    headers["Content-Encoding"] = encoding
                    return packed
        return file

    def _send(self, status: int, headers: dict[str, str], body: bytes | None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body is not None and self.command != "HEAD":
            self.wfile.write(body)
