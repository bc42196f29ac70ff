"""One hash over files, to know whether something must be made again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from build.places import ROOT

BUILD_INPUTS = ("client", "store", "demo", "build", "build.py", "package-lock.json", "pyproject.toml")
"""What `dist/` is made of, relative to the checkout."""


def files_under(path: Path) -> list[Path]:
    """Return every source file at or below `path`, sorted, without what Python, editors and systems leave behind."""
    if path.is_file():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.is_file()
        and file.suffix != ".pyc"
        and not file.name.startswith(".")
        and not file.name.endswith("~")
    )


def hash_files(paths: Iterable[Path], *extra: str) -> str:
    """Return 16 hex characters that change with the name or the content of any file, or with an `extra`."""
    digest = hashlib.sha256()
    for text in extra:
        digest.update(f"{len(text)}:{text}".encode())
    for path in paths:
        for file in files_under(path):
            content = file.read_bytes()
            digest.update(f"{file.relative_to(ROOT).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:16]


def hash_bytes(content: bytes) -> str:
    """Return 16 hex characters that name `content`."""
    return hashlib.sha256(content).hexdigest()[:16]


def build_inputs() -> str:
    """Return the hash of everything `dist/` is made of."""
    return hash_files(ROOT / name for name in BUILD_INPUTS)
