"""The store's site: pages, the boot scripts under one hashed name, Python's pieces, and the client for apps."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from build.archive import write_zip
from build.compress import link
from build.headers import headers_file, meta_policy
from build.inputs import files_under, hash_bytes, hash_files
from build.offline import SOURCE as SERVICE_WORKER
from build.offline import write_service_worker
from build.places import CACHE, NODE_MODULES, ROOT, VERSION, BuildError
from build.runtime import Runtime

PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
TEXT = {".html", ".webmanifest", ".txt"}

FRAME = ("/frame.js", "/connect.js")
"""The scripts of the hidden frame."""

ICONS = {
    "icons/icon-192.png": ("icons/logo.svg", 192),
    "icons/icon-512.png": ("icons/logo.svg", 512),
    "icons/maskable-512.png": ("icons/maskable.svg", 512),
    "icons/apple-touch.png": ("icons/maskable.svg", 180),
}
"""Icons for systems that show no SVG: what each is drawn from, and how wide it is, in pixels."""


def build_time() -> int:
    """Return this build's number: Unix seconds, and above that of every build made here before.

    SOURCE_DATE_EPOCH, where it is set, is taken as it is.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    if fixed:
        return int(fixed)
    kept = CACHE / "last-build"
    last = int(kept.read_text() or 0) if kept.is_file() else 0
    number = max(int(time.time()), last + 1)
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(str(number))
    return number


def make_store(target: Path, runtime: Runtime) -> None:
    """Fill `target` with everything the store's host serves."""
    site = ROOT / "store" / "site"
    number = build_time()
    pyodide = NODE_MODULES / "pyodide"
    python = f"py-{hash_files([ROOT / 'package-lock.json'], runtime.key)}"
    snapshot, code = f"snapshot-{runtime.key}.bin", f"code-{runtime.key}.zip"
    for name in PYODIDE:
        link(pyodide / name, target / python / name)
    link(runtime.stdlib, target / python / "stdlib.zip")
    link(runtime.late, target / python / "late.zip")
    link(runtime.snapshot, target / snapshot)
    link(runtime.code, target / code)

    facts = {
        "build": number,
        "version": VERSION,
        "runtime": f"../{python}/",
        "snapshot": f"../{snapshot}",
        "code": f"../{code}",
        **{name: runtime.facts[name] for name in ("size", "runs", "same", "hash")},
        "lock": {
            "info": json.loads((pyodide / "pyodide-lock.json").read_text("utf-8"))["info"],
            "packages": {},
        },
    }
    parts = {"build.js": f"export default {json.dumps(facts)};\n".encode()}
    for path in files_under(site):
        if path.suffix not in TEXT and path != SERVICE_WORKER:
            parts[path.relative_to(site).as_posix()] = path.read_bytes()
    for name, (drawing, width) in ICONS.items():
        parts[name] = _draw(parts[drawing], width)
    app = "app-" + hash_bytes(
        b"".join(f"{name}\0{len(text)}\0".encode() + text for name, text in sorted(parts.items()))
    )
    for name, content in parts.items():
        _write(target / app / name, content)

    # Names that hold no hash: read again each time, and naming the hashed ones.
    words = {"{{app}}": app, "{{version}}": VERSION, "{{build}}": str(number)}
    for path in files_under(site):
        if path.suffix in TEXT:
            text = path.read_text("utf-8")
            words["{{policy}}"] = meta_policy("/" + path.relative_to(site).as_posix())
            for word, value in words.items():
                text = text.replace(word, value)
            _write(target / path.relative_to(site), text.encode())
    # Which relay the store's devices meet at, unless their person chooses another: for whoever hosts it to fill in.
    _write(target / "store.json", json.dumps({"relay": ""}).encode())
    add_service_workers(target, [app, python, snapshot, code])
    _make_client(target / "client")
    names = [path.name + ("/" if path.is_dir() else "") for path in target.iterdir()]
    (target / "_headers").write_text(headers_file(names), "utf-8")


def add_service_workers(target: Path, hashed: list[str]) -> None:
    """Write what keeps the store's files for its own pages, and the frame's few in the partition of each app's site.

    Args:
        target: the store's folder, complete but for what apps import.
        hashed: the names in it that carry a hash, of this build alone.
    """
    pages = [path for path in target.iterdir() if path.suffix in TEXT]
    files = [*pages, *(path for name in hashed for path in files_under(target / name))]
    names = [path.relative_to(target).as_posix() for path in files if path.suffix not in (".br", ".gz")]
    write_service_worker(target / "service-worker.js", names, family="masq-store")
    frame = [name for name in names if name == "frame.html" or name.endswith(FRAME)]
    write_service_worker(target / "frame-worker.js", frame, family="masq-frame")


def _draw(svg: bytes, width: int) -> bytes:
    """Return the drawing as a PNG of that many pixels."""
    import resvg_py

    drawn = resvg_py.svg_to_bytes(svg_string=svg.decode(), width=width, height=width, skip_system_fonts=True)
    return bytes(drawn)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _make_client(target: Path) -> None:
    """Write what apps import: plain files, and a wheel that PyScript's `files` unpacks."""
    source = ROOT / "client"
    modules = {
        path.relative_to(source).as_posix(): path.read_bytes() for path in files_under(source / "masq")
    }
    if "masq/__init__.py" not in modules:
        raise BuildError("The client is missing: the build needs client/masq/__init__.py.")
    for name, content in modules.items():
        _write(target / name, content)
    info = f"masq-{VERSION}.dist-info"
    metadata = {
        f"{info}/METADATA": f"Metadata-Version: 2.4\nName: masq\nVersion: {VERSION}\nLicense-Expression: Apache-2.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: masq\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    entries = [*modules.items(), *((name, text.encode()) for name, text in metadata.items())]
    record = "".join(f"{name},{_digest(content)},{len(content)}\n" for name, content in sorted(entries))
    entries.append((f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode()))
    # The name that apps write has no tags, which installers would want: both names hold the same bytes.
    write_zip(target / f"masq-{VERSION}.whl", entries)
    link(target / f"masq-{VERSION}.whl", target / f"masq-{VERSION}-py3-none-any.whl")


def _digest(content: bytes) -> str:
    import base64
    import hashlib

    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
