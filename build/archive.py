"""Zip files that come out the same, byte for byte, whenever their contents are the same."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip file can name."""


def write_zip(target: Path, entries: Iterable[tuple[str, bytes]], *, compress: bool = True) -> None:
    """Write `entries`, (name, content) each, sorted by name and without times, owners or modes of this machine."""
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in sorted(entries):
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = method
            info.external_attr = 0o644 << 16
            info.create_system = 3  # Unix, whatever made it
            archive.writestr(info, content)
