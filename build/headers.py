"""The headers of every answer: one table, read by `serve.py` and written to `_headers` for the hosts that read that.

A content security policy must match one rule only: two policies are both in force, and the stricter words win.
"""

from __future__ import annotations

import re

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self' wss: ws://localhost:* ws://*.localhost:*; base-uri 'none'; form-action 'none'"
)
"""For whatever runs on the store's origin. `wasm-unsafe-eval` compiles WebAssembly; it does not allow eval."""

PAGE_POLICY = f"{POLICY}; style-src 'self'; img-src 'self' data:; manifest-src 'self'; frame-ancestors 'none'"
"""For the store's own page, which nothing may frame."""

FRAME_POLICY = f"{POLICY}; style-src 'self'"
"""For the hidden frame, which shows a strip where an app's page and the store's window cannot speak."""

FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"

EVERYWHERE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

STORE = {
    **EVERYWHERE,
    "Cross-Origin-Embedder-Policy": "require-corp",  # so that an isolated app may embed the frame
    "Cross-Origin-Resource-Policy": "cross-origin",
}

HASHED = re.compile(r"^/[a-z]+-[0-9a-f]{16}(/|\.)")
"""Names that carry the hash of what they hold: they never change."""

POLICIES = {"/": PAGE_POLICY, "/index.html": PAGE_POLICY, "/frame.html": FRAME_POLICY}


def store_headers(path: str) -> dict[str, str]:
    """Return the headers of the store's answer for `path`, which starts with a slash."""
    hashed = HASHED.match(path) is not None
    headers = {
        **STORE,
        "Content-Security-Policy": POLICIES.get(path, POLICY),
        "Cache-Control": FOREVER if hashed else ASK_AGAIN,
    }
    # To any origin: the client, and the frame's scripts, which a sandboxed page's frame asks for as nobody, to say no.
    if path.startswith(("/client/", "/app-")):
        headers["Access-Control-Allow-Origin"] = "*"
    return headers


def meta_policy(path: str) -> str:
    """Return the policy that the page at `path` carries itself, for hosts that send no headers.

    The same words as in the header, for both are in force; browsers take no `frame-ancestors` from a page.
    """
    return store_headers(path)["Content-Security-Policy"].partition("; frame-ancestors")[0]


def app_headers(path: str) -> dict[str, str]:
    """Return the headers of a demo's or the index's answer for `path`."""
    # The store's window learns from the browser which app has opened it, where the two pages cannot speak.
    return {**EVERYWHERE, "Referrer-Policy": "strict-origin", "Cache-Control": ASK_AGAIN}


def headers_file(names: list[str]) -> str:
    """Return the text of the store's `_headers`, given the names at the top of its folder."""
    lines = ["/*", *(f"  {name}: {value}" for name, value in STORE.items())]
    paths = ["/"]
    for name in sorted(names):
        paths.append(f"/{name.removesuffix('/')}/*" if name.endswith("/") else f"/{name}")
    for path in paths:
        own = {name: value for name, value in store_headers(path).items() if name not in STORE}
        lines += [path, *(f"  {name}: {value}" for name, value in own.items())]
    return "\n".join(lines) + "\n"
