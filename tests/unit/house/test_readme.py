"""README says what is: its counter is the demo's, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from masq.button import LABELS

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return README's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_counter_is_the_demos() -> None:
    """README's Python is demo/counter/main.py, and its HTML stands in demo/counter/index.html."""
    assert blocks("python") == [(ROOT / "demo" / "counter" / "main.py").read_text("utf-8")]
    page = (ROOT / "demo" / "counter" / "index.html").read_text("utf-8")
    assert len(blocks("html")) == 2
    assert [block for block in blocks("html") if block.strip() not in page] == []


def test_links_and_commands_lead_somewhere() -> None:
    """Every file that README and the documents link to or tell to run is there."""
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        text = document.read_text("utf-8")
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
        assert [link for link in links if not (document.parent / link).exists()] == [], document.name
        commands = re.findall(r"python3 ([a-z/]+\.py)", text)
        assert [command for command in commands if not (ROOT / command).is_file()] == [], document.name


def test_every_call_is_in_the_table() -> None:
    """The table of what a Store can do names every public method of it."""
    source = (ROOT / "client" / "masq" / "store.py").read_text("utf-8")
    body = source[source.index("class Store") :]
    methods = set(re.findall(r"^    (?:async )?def ([a-z]\w*)", body, re.MULTILINE))
    missing = {name for name in methods if f"`{name}" not in README and f" {name}(" not in README}
    assert methods and missing <= {"end", "reopen"}, missing


def test_every_state_of_the_button_is_in_the_document() -> None:
    """docs/apps.md tells each value of `data-masq-state`, with the text that the button shows then."""
    text = (ROOT / "docs" / "apps.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z]+)` \| ([^|,]+?)(?:, [^|]*)? \|", text, re.MULTILINE))
    assert rows == {state: label or "the app's own" for state, label in LABELS.items()}
