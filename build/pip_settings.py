"""What of pip's configuration counts here: where packages come from, and not where they go. Standard library only.

People name an index, a proxy or a certificate there, without which nothing could be fetched. Others have pip put
packages into their home, or into a folder; the environment would then stay empty.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping

ELSEWHERE = {
    *("user", "target", "prefix", "root", "python"),  # into another place
    *("dry-run", "no-deps", "no-dependencies", "only-deps"),  # not all of it, or nothing
    *("requirement", "requirements-from-script", "editable", "group"),  # more than was asked for
    "config-file",  # all of this once more
    *("platform", "python-version", "implementation", "abi"),  # for another machine
}
"""Settings that would put something else than what the checkout names into its environment, or that elsewhere."""

_LINE = re.compile(r"(global|install|:env:)\.([\w-]+)=(.*)")
_ORDER = ("global", "install", ":env:")
"""The later one wins, as in pip."""


def neutral(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a Python that sees none of the person's settings of pip, and no PYTHONPATH."""
    kept = {name: value for name, value in environment.items() if not _reaches_in(name)}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PYTHONIOENCODING": "utf-8"}


def asking(environment: Mapping[str, str], python: str) -> dict[str, str]:
    """Return the environment in which pip can be asked for all of its settings, under this Python."""
    kept = {name: value for name, value in environment.items() if name.upper() != "PYTHONPATH"}
    # Without these two, settings of their names would have it print nothing, or start another Python first.
    return {**kept, "PIP_QUIET": "0", "PIP_PYTHON": python, "PYTHONIOENCODING": "utf-8"}


def _reaches_in(name: str) -> bool:
    return name.upper().startswith("PIP_") or name.upper() == "PYTHONPATH"


def counting(listed: str) -> dict[str, str]:
    """Return as environment variables what counts of the settings that `pip config list` has printed."""
    found: dict[tuple[int, str], str] = {}
    for line in listed.splitlines():
        if match := _LINE.fullmatch(line):
            value = ast.literal_eval(match[3])
            found[_ORDER.index(match[1]), match[2].lower().replace("_", "-")] = value
    settings = {name: value for (_, name), value in sorted(found.items()) if value}
    return {
        "PIP_" + name.upper().replace("-", "_"): value
        for name, value in settings.items()
        if name not in ELSEWHERE
    }
