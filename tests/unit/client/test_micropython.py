"""The client keeps to what PyScript's MicroPython runs."""

from __future__ import annotations

from pathlib import Path

from build.node import install_packages, run_node

ROOT = Path(__file__).resolve().parents[3]
NEEDS_A_PAGE = {"window", "ffi"}
"""Modules that import what only a page has."""


def test_the_client_imports_under_micropython() -> None:
    """Every module of the client that needs no page imports under the MicroPython that apps run."""
    install_packages()
    names = sorted(path.stem for path in (ROOT / "client" / "masq").glob("*.py"))
    modules = [f"masq.{name}" for name in names if name not in NEEDS_A_PAGE and name != "__init__"]
    assert {"masq.errors", "masq.messages"} <= set(modules)
    printed = run_node(ROOT / "tests" / "rig" / "mpy_import.mjs", str(ROOT / "client"), *modules)
    assert printed.strip().endswith(" ".join(modules))
