"""What is printed to a terminal without all characters, or to a reader that has gone. Standard library only."""

from __future__ import annotations

import codecs
import os
import sys
from types import TracebackType

PLAIN = {
    "…": "...", "–": "-", "“": '"', "”": '"', "→": "->", "≤": "<=", "≥": ">=", "×": "x", "·": "-",
}  # fmt: skip
"""What stands for the characters of the project's own sentences; all others are written as escapes."""


def make_steady() -> None:
    """Have this program print plainer characters where its output lacks some, and end where nobody reads it."""
    sys.excepthook = _end
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


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, BrokenPipeError):
        sys.__excepthook__(kind, error, trace)
        return
    # What is still to be written goes nowhere, too: else Python would tell of it as it ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
