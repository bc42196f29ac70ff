"""Every sentence people read goes through here, in the reader's language.

English is written in the source; the others are gettext catalogues in `locale/`, compiled by the build and
read when this is imported, so that the memory snapshot holds them. `build/catalogues.py` collects the
sentences: pass literals.
"""

import gettext
import pkgutil
from typing import BinaryIO

LANGUAGES = {"en": "English", "fr": "Français"}
SEPARATORS = {"en": (",", "."), "fr": ("\u202f", ",")}  # between thousands, before decimals


class _Spoken:
    """The language in force, and the catalogues there are."""

    language = "en"
    catalogues: dict[str, gettext.NullTranslations] = {"en": gettext.NullTranslations()}


def add(language: str, compiled: BinaryIO) -> None:
    """Take in the compiled catalogue (a .mo file) of `language`."""
    _Spoken.catalogues[language] = gettext.GNUTranslations(compiled)


def use(language: str) -> None:
    """Speak `language` from now on, or English where there is no catalogue for it."""
    _Spoken.language = language if language in _Spoken.catalogues else "en"


def language() -> str:
    """Return the code of the language in force."""
    return _Spoken.language


def best(wanted: list[str]) -> str:
    """Return the language that suits the browser's list of `wanted` ones, such as ["fr-CA", "en"]."""
    for tag in wanted:
        code = tag.split("-")[0].lower()
        if code in _Spoken.catalogues:
            return code
    return "en"


def _(sentence: str, **fields: object) -> str:
    """Return `sentence` in the reader's language, with its {fields} filled in. The result is plain text."""
    spoken = _Spoken.catalogues[_Spoken.language].gettext(sentence)
    return spoken.format_map(fields) if fields else spoken


def ngettext(one: str, many: str, amount: int, **fields: object) -> str:
    """Return the form that fits `amount`, with {n} filled in, digits grouped."""
    spoken = _Spoken.catalogues[_Spoken.language].ngettext(one, many, amount)
    return spoken.format_map({"n": number(amount), **fields})


def N_(sentence: str) -> str:
    """Mark a sentence to be collected that goes through `_` later."""
    return sentence


def number(amount: float, decimals: int = 0) -> str:
    """Return a number with the digits grouped and the decimal mark as the language has them."""
    thousands, point = SEPARATORS[_Spoken.language]
    return f"{amount:,.{decimals}f}".translate({ord(","): thousands, ord("."): point})


def _load() -> None:
    for code in LANGUAGES:
        try:
            content = pkgutil.get_data("masq_store.ui", f"locale/{code}/LC_MESSAGES/masq.mo")
        except OSError:  # English; and a checkout that was not built
            continue
        if content is not None:
            import io

            add(code, io.BytesIO(content))


_load()
