"""The sentences of the store's pages in other languages: collected from the sources, kept as .po, compiled to .mo.

python -m build.catalogues     brings the .po files up to date; what is new in them waits to be translated
"""

from __future__ import annotations

import io
from pathlib import Path

from build.places import ROOT

PAGES = ROOT / "store" / "masq_store" / "ui"
LOCALE = PAGES / "locale"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
"""The functions of `ui/text/translation.py` whose arguments are sentences."""

HEAD = """\
msgid ""
msgstr ""
"Project-Id-Version: masq\\n"
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural}\\n"

"""
"""Babel's own would name dates and people, and change with every update."""


def collect():  # type: ignore[no-untyped-def]  # Babel's Catalog; Babel is not there where only serve.py runs
    """Return every sentence of the pages, as a Babel catalogue without translations."""
    from babel.messages.catalog import Catalog
    from babel.messages.extract import extract_from_dir

    catalogue = Catalog(project="masq", charset="utf-8", fuzzy=False)
    options = {"**/templates/**.html": {"trimmed": "false"}}
    found = extract_from_dir(str(PAGES), METHODS, options, KEYWORDS, strip_comment_tags=True)
    for name, _line, message, comments, context in sorted(found, key=lambda each: (each[0], each[1])):
        catalogue.add(message, None, [(name, 0)], auto_comments=comments, context=context)
    return catalogue


def files() -> list[Path]:
    """Return the .po files there are."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/*.po"))


def compiled(path: Path) -> bytes:
    """Return the compiled form (.mo) of a .po file."""
    from babel.messages import mofile, pofile

    with path.open("rb") as file:
        catalogue = pofile.read_po(file)
    target = io.BytesIO()
    mofile.write_mo(target, catalogue)
    return target.getvalue()


def update(path: Path) -> int:
    """Bring a .po file up to date with the sources. Returns how many sentences have no translation."""
    from babel.messages import pofile

    with path.open("rb") as file:
        catalogue = pofile.read_po(file)
    catalogue.update(collect(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    body = io.BytesIO()
    pofile.write_po(body, catalogue, width=100, omit_header=True, include_lineno=False)
    head = HEAD.format(language=path.parents[1].name, plural=catalogue.plural_forms.rstrip(";") + ";")
    path.write_bytes(head.encode() + body.getvalue())
    return sum(not message.string or not all(message.string) for message in catalogue if message.id)


if __name__ == "__main__":
    for each in files():
        print(f"{each.relative_to(ROOT)}: {update(each)} sentences to translate")
