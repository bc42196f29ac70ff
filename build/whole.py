"""A whole build: `dist/` from the sources, in a new folder that takes the old one's place when it is complete."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from build.app_python import app_stdlib
from build.compress import compress_tree, forget_old_variants
from build.demos import demo_names, make_demo
from build.inputs import build_inputs
from build.lock import build_lock
from build.node import install_packages
from build.places import CACHE, DEFAULT_STORE, DIST
from build.runtime import make_runtime
from build.site import make_store

STAMP = ".masq-build.json"
"""What a finished `dist/` was made from."""


def is_fresh(dist: Path = DIST, *, release: bool = False, store: str = DEFAULT_STORE) -> bool:
    """Tell whether `dist` was made from the sources as they are now. A release serves where a plain build would."""
    try:
        stamp = json.loads((dist / STAMP).read_text())
    except (OSError, ValueError):
        return False
    return (
        stamp.get("inputs") == build_inputs()
        and stamp.get("store") == store
        and (stamp.get("release") is True or not release)
    )


def make_dist(
    dist: Path = DIST, *, release: bool = False, store: str = DEFAULT_STORE, force: bool = False
) -> bool:
    """Make `dist` where it is not fresh. Returns whether anything was made.

    Args:
        dist: the folder to make.
        release: compress as well as can be, which takes a minute longer.
        store: the store's address, for the demos.
        force: make it even if nothing has changed.

    Raises:
        BuildError: a sentence for the person who builds.
    """
    with build_lock():
        if not force and is_fresh(dist, release=release, store=store):
            return False
        started = time.monotonic()
        inputs = build_inputs()
        install_packages()
        runtime = make_runtime()
        stdlib = app_stdlib()
        print("Laying out the site …", flush=True)
        new = CACHE / "dist-new"
        shutil.rmtree(new, ignore_errors=True)
        make_store(new / "store", runtime)
        for name in demo_names():
            make_demo(name, new / name, store, stdlib)
        print("Compressing as well as can be (a minute) …" if release else "Compressing …", flush=True)
        compress_tree(new, release=release)
        made = sorted(path.name for path in new.iterdir())
        stamp = {"inputs": inputs, "store": store, "release": release, "made": made}
        (new / STAMP).write_text(json.dumps(stamp))
        _take_place(new, dist)
        forget_old_variants()
        print(f"Built {_shown(dist)} in {time.monotonic() - started:.1f} s.", flush=True)
        return True


def _shown(dist: Path) -> str:
    return f"{os.path.relpath(dist)}/"


def _take_place(new: Path, dist: Path) -> None:
    """Put the new `dist` in place of the old one. What somebody else has put into that one comes along."""
    old = CACHE / "dist-old"
    shutil.rmtree(old, ignore_errors=True)
    dist.parent.mkdir(parents=True, exist_ok=True)
    if dist.exists():
        dist.rename(old)
    new.rename(dist)
    for theirs in _not_ours(old):
        if (dist / theirs.name).exists():
            print(
                f"{_shown(dist)}{theirs.name} was not made by the build, and is replaced by what is.",
                flush=True,
            )
        else:
            theirs.rename(dist / theirs.name)
            print(f"Kept {_shown(dist)}{theirs.name}, which the build has not made.", flush=True)
    shutil.rmtree(old, ignore_errors=True)


def _not_ours(dist: Path) -> list[Path]:
    """Return what stands in `dist` and no build has made."""
    try:
        stamp = json.loads((dist / STAMP).read_text())
        made = {STAMP, *stamp["made"]}
    except (OSError, ValueError, LookupError, TypeError):  # a build of before this was noted, or none at all
        return []
    return sorted(path for path in dist.iterdir() if path.name not in made)


def first_load(dist: Path = DIST) -> dict[str, dict[str, int]]:
    """Return {name: {"raw", "br", "gz"}} in bytes for what the store's first boot from the snapshot loads."""
    store = dist / "store"
    names = [
        *("index.html", "frame.html"),
        *(path for pattern in ("app-*/*", "py-*/*", "snapshot-*.bin") for path in store.glob(pattern)),
    ]
    sizes = {}
    for path in (store / name for name in names):
        if (
            not path.is_file() or path.suffix in (".br", ".gz") or path.name == "stdlib.zip"
        ):  # that is for the plain boot
            continue
        raw = path.stat().st_size
        row = {"raw": raw}
        for kind in ("br", "gz"):
            variant = path.with_name(f"{path.name}.{kind}")
            row[kind] = variant.stat().st_size if variant.is_file() else raw
        sizes[path.relative_to(store).as_posix()] = row
    return sizes
