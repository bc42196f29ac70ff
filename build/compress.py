"""Brotli and gzip variants beside each large file, kept in the cache by content so that nothing is compressed twice."""

from __future__ import annotations

import gzip
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from build.inputs import hash_bytes
from build.places import CACHE

SMALLEST = 4096
"""Bytes. Below this a variant saves less than a network packet."""

COMPRESSIBLE = {".js", ".mjs", ".css", ".html", ".json", ".svg", ".wasm", ".zip", ".bin", ".py", ".toml"}


def link(source: Path, target: Path) -> None:
    """Put `source` at `target` without copying its bytes where the disk allows that."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        target.write_bytes(source.read_bytes())


def _variant(content: bytes, suffix: str, quality: int) -> Path | None:
    """Return the packed form of `content` in the cache, or None where packing saves too little."""
    kept = CACHE / "compressed" / f"{hash_bytes(content)}-{quality}{suffix}"
    if not kept.is_file():
        import brotli

        if suffix == ".br":
            packed = brotli.compress(content, quality=quality, lgwin=24)
        else:
            packed = gzip.compress(content, compresslevel=9 if quality == 11 else 6, mtime=0)
        kept.parent.mkdir(parents=True, exist_ok=True)
        half = kept.with_name(f"{kept.name}.half-{os.getpid()}")
        half.write_bytes(packed)
        half.replace(kept)
    os.utime(kept)  # used just now
    return kept if kept.stat().st_size < len(content) * 0.95 else None


def compress_tree(folder: Path, *, release: bool) -> None:
    """Write `.br` and `.gz` beside each large file of `folder`, at Brotli's quality 11 for a release, 5 otherwise.

    Quality 11 takes about a minute for the snapshot and the WebAssembly; 5 takes a second and is a fifth larger.
    """
    quality = 11 if release else 5
    same: dict[bytes, list[Path]] = {}  # the demos hold many files twice
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in COMPRESSIBLE and path.stat().st_size >= SMALLEST:
            same.setdefault(path.read_bytes(), []).append(path)
    # Both compressors let go of the interpreter's lock while they work.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        jobs = [
            (pool.submit(_variant, content, suffix, quality), suffix, same[content])
            for content in sorted(same, key=len, reverse=True)
            for suffix in (".br", ".gz")
        ]
        for job, suffix, paths in jobs:
            kept = job.result()
            for path in paths if kept else ():
                link(kept, path.with_name(path.name + suffix))


def forget_old_variants(keep: int = 400) -> None:
    """Drop the cache's least recently used variants beyond `keep` files."""
    files = sorted((CACHE / "compressed").glob("*"), key=lambda path: path.stat().st_mtime)
    for old in files[:-keep]:
        old.unlink(missing_ok=True)
