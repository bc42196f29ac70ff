"""Values that stand in no row of the home space that this version writes."""

from __future__ import annotations

from typing import Any

from engine_rig import APP

REGISTERED = {
    "name": "X", "description": "", "icon": None, "approved": True, "approved_ms": 1, "used_ms": 1, "generation": 0,
}  # fmt: skip

VALUES: dict[str, Any] = {
    "null": None,
    "a bool": True,
    "a number": 5,
    "a number below zero": -1,
    "a large number": 2**70,
    "a float": 1.5,
    "text": "x",
    "bytes": b"\x00" * 40,
    "a list": [],
    "a list of lists": [[1], {"url": 1}],
    "nothing": {},
    "other fields": {
        "url": "wss://evil.example:99999/",
        "ms": "x",
        "before": [1],
        "in": [1],
        "made_ms": [],
        "app": 1,
    },
    "a device": {"name": "x", "identity": 5, "added_ms": 2**70, "app": APP, "in": [1], "before": [1, "zz"]},
    "a generation below zero": {**REGISTERED, "generation": -1},
    "a generation beyond eight bytes": {**REGISTERED, "generation": 2**53},
    "a registration without a name": {**REGISTERED, "name": ""},
    "a registration in other types": {**REGISTERED, "name": 1, "approved": 1, "used_ms": "x"},
    "a registration with a time of later": {**REGISTERED, "approved_ms": 2**60, "generation": True},
}
