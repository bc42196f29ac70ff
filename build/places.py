"""Where things are in the checkout, and what the project is called."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
CACHE = ROOT / ".cache"
VENV = ROOT / os.environ.get("MASQ_VENV", ".venv")
NODE_MODULES = ROOT / "node_modules"

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
VERSION: str = PROJECT["version"]

DEFAULT_PORT = 8000
DEFAULT_STORE = f"http://store.localhost:{DEFAULT_PORT}"
"""The store's address as the demos' sources spell it."""


class BuildError(Exception):
    """Something the person at the keyboard can do something about: one sentence, shown without a traceback."""
