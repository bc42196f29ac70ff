"""The sources of the client, the store and the relay."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CLIENT, STORE, RELAY, SITE = ROOT / "client", ROOT / "store", ROOT / "relay", ROOT / "store" / "site"


def modules() -> list[tuple[Path, str]]:
    """Return every Python file of the client, the store and the relay with its module name."""
    found = []
    for root, package in ((CLIENT, "masq"), (STORE, "masq_store"), (RELAY, "masq_relay")):
        for path in sorted((root / package).rglob("*.py")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            found.append((path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts)))
    return found
