"""What the build does with what it finds in `dist/`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from build import whole


def lay_out(folder: Path, *names: str) -> Path:
    """Make a folder as the build leaves it, with a file in each of its own folders."""
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "made").write_text(folder.name)
    (folder.parent / "cache").mkdir(exist_ok=True)
    (folder / whole.STAMP).write_text(json.dumps({"made": list(names)}))
    return folder


def test_what_somebody_put_into_dist_outlives_the_next_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes along, and the build says so; what an earlier build made and this one does not goes."""
    monkeypatch.setattr(whole, "CACHE", tmp_path / "cache")
    dist = lay_out(tmp_path / "dist", "store", "removed")
    (dist / "mine").mkdir()
    (dist / "mine" / "index.html").write_text("mine")
    for _ in range(2):
        new = lay_out(tmp_path / "new", "store", "counter")
        whole._take_place(new, dist)
        assert sorted(path.name for path in dist.iterdir()) == [whole.STAMP, "counter", "mine", "store"]
        assert (dist / "mine" / "index.html").read_text() == "mine"
        assert (dist / "store" / "made").read_text() == "new"
        assert "mine, which the build has not made" in capsys.readouterr().out


def test_a_folder_that_the_build_makes_now_takes_the_place_of_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not without a word."""
    monkeypatch.setattr(whole, "CACHE", tmp_path / "cache")
    dist = lay_out(tmp_path / "dist", "store")
    (dist / "notes").mkdir()
    whole._take_place(lay_out(tmp_path / "new", "store", "notes"), dist)
    assert (dist / "notes" / "made").read_text() == "new"
    assert "notes was not made by the build, and is replaced" in capsys.readouterr().out
