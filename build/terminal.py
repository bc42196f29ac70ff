"""What is printed to a terminal, or a file, that cannot hold all characters. Standard library only."""

from __future__ import annotations

import codecs
import sys

PLAIN = {
    "…": "...", "–": "-", "“": '"', "”": '"', "→": "->", "≤": "<=", "≥": ">=", "×": "x", "·": "-",
}  # fmt: skip
"""What stands for the characters of the project's own sentences; all others are written as escapes."""


def make_steady() -> None:
    """Have what this program prints in plainer characters where its output cannot hold it, instead of an error."""
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # None where there is no output at all
            stream.reconfigure(errors="plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(
        PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode() for each in text
    ), error.end
