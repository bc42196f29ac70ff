"""Service workers: what a page needs without a network, listed from what the build has made."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from build.headers import HASHED
from build.inputs import hash_bytes
from build.places import ROOT

SOURCE = ROOT / "store" / "site" / "service-worker.js"
"""What all of them do. The build puts above it what each of them keeps."""


def write_service_worker(
    target: Path,
    names: Iterable[str],
    *,
    family: str,
    whole: bool = True,
    elsewhere: Mapping[str, str] | None = None,
) -> None:
    """Write the service worker `target`, which keeps files of its own folder for when there is no network.

    It changes with any of them, and a browser that finds it changed fetches them all again.

    Args:
        target: the file to write.
        names: the files to keep, relative to its folder. `index.html` is kept as "./" too.
        family: what no other service worker of this origin calls its caches.
        whole: refuse an answer that differs from the file as it was built, so that files of two builds cannot
            mix. Not for files that the host changes.
        elsewhere: addresses of files to keep that another host serves, with leave for any origin; and for each a
            word that changes with what it holds.
    """
    # Each is asked for anew: what the browser has of it may be damaged, and is taken if the host says that it is not.
    asked = {"cache": "no-cache"}
    files: list[tuple[str, dict[str, str]]] = []
    digests = []
    changing = []
    for name in sorted(names):
        content = (target.parent / name).read_bytes()
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        digests.append(f"{name} {digest}")
        addresses = ["./", name] if name == "index.html" else [name]
        how = asked | ({"integrity": f"sha256-{digest}"} if whole else {})
        files += [(address, how) for address in addresses]
        changing += [] if HASHED.match(f"/{name}") else addresses
    for address, content_word in (elsewhere or {}).items():
        digests.append(f"{address} {content_word}")
        files.append((address, asked))
        changing.append(address)
    facts = {
        "family": f"{family} ",
        "name": f"{family} {hash_bytes(chr(10).join(digests).encode())}",
        "files": files,
        "changing": changing,
        "app": next((address.split("/")[0] for address, _ in files if address.startswith("app-")), ""),
    }
    lines = [f"const {name} = {json.dumps(value)};" for name, value in facts.items()]
    target.write_text("\n".join([*lines, SOURCE.read_text("utf-8")]), "utf-8")
