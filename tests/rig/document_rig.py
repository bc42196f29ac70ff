"""Tables of a document, as tests read them."""

from __future__ import annotations


def rows(text: str, first: str) -> list[list[str]]:
    """Return the cells of the table in `text` whose line of headings is `first`; without code marks around them."""
    lines = text.splitlines()
    found = []
    for line in lines[lines.index(first) + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return found
