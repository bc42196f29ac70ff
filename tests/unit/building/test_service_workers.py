"""The service workers that the build writes: what they list, and when they change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from build.offline import SOURCE, write_service_worker
from build.site import FRAME, add_service_workers

SITE = SOURCE.parent
APP = "app-0123456789abcdef"


def facts(worker: Path) -> dict[str, Any]:
    """Return what the build has put above the service worker's own lines."""
    above = worker.read_text("utf-8").removesuffix(SOURCE.read_text("utf-8"))
    return {name: json.loads(value) for name, value in re.findall(r"^const (\w+) = (.*);$", above, re.M)}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store's folder, made up: pages, this build's files, and those of the build before."""
    names = [
        *(
            "index.html",
            "frame.html",
            "manifest.webmanifest",
            "snapshot-0123456789abcdef.bin",
            "client/masq/channel.py",
        ),
        *(f"{APP}/{name}" for name in ("boot.js", "boot.js.br", "connect.js", "frame.js")),
        "app-fedcba9876543210/boot.js",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    add_service_workers(tmp_path, [APP, "snapshot-0123456789abcdef.bin"])
    return tmp_path


def test_one_build_is_kept(store: Path) -> None:
    """The store's lists one build's files and the pages, each by what it holds, without variants and the client."""
    kept = facts(store / "service-worker.js")
    assert [address for address, _ in kept["files"]] == [
        *(f"{APP}/boot.js", f"{APP}/connect.js", f"{APP}/frame.js"),
        *("frame.html", "./", "index.html", "manifest.webmanifest", "snapshot-0123456789abcdef.bin"),
    ]
    assert kept["changing"] == ["frame.html", "./", "index.html", "manifest.webmanifest"]
    assert {how["integrity"][:7] for _, how in kept["files"]} == {"sha256-"}
    assert kept["name"].startswith(kept["family"])


def test_the_frame_keeps_its_few(store: Path) -> None:
    """The frame's lists the frame and what it loads, and calls its caches otherwise: both may be on one origin."""
    kept = facts(store / "frame-worker.js")
    assert [address for address, _ in kept["files"]] == [f"{APP}/connect.js", f"{APP}/frame.js", "frame.html"]
    assert not facts(store / "service-worker.js")["name"].startswith(kept["family"])


def test_the_frames_scripts_are_all_there() -> None:
    """What is kept for the frame is what frame.html loads and frame.js imports."""
    loaded = re.findall(r'src="{{app}}(/.+?)"', (SITE / "frame.html").read_text("utf-8"))
    for name in loaded:
        loaded += [
            "/" + found for found in re.findall(r'from "\./(.+?)"', (SITE / name[1:]).read_text("utf-8"))
        ]
    assert sorted(loaded) == sorted(FRAME)


def test_it_changes_with_what_it_keeps(tmp_path: Path) -> None:
    """Another file, other contents or another client give another cache; the same build gives the same text."""
    (tmp_path / "index.html").write_text("a")
    (tmp_path / "main.py").write_text("b")
    texts = set()
    for names, client in ((["index.html"], "1"), (["index.html", "main.py"], "1"), (["index.html"], "2")):
        for _ in range(2):
            write_service_worker(
                tmp_path / "worker.js",
                names,
                family="app",
                whole=False,
                elsewhere={"https://a/b.whl": client},
            )
            texts.add((tmp_path / "worker.js").read_text())
    assert len({re.findall(r'name = "(.*?)"', text)[0] for text in texts}) == len(texts) == 3
    (tmp_path / "index.html").write_text("changed")
    write_service_worker(tmp_path / "worker.js", ["index.html"], family="app")
    assert (tmp_path / "worker.js").read_text() not in texts
