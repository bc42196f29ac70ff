"""The pages' sentences in other languages."""

import re
from pathlib import Path
from string import Formatter

import pytest
from babel.messages import pofile
from error_examples import EXAMPLES
from french import french

from build import catalogues
from masq.errors import InvalidValue, MasqError, QuotaExceeded, StorageUnavailable
from masq_store.core.errors import NewerBackup, NotABackup, WrongPassphrase
from masq_store.ui.html import views
from masq_store.ui.text import error_sentences, formatting, translation

FILES = catalogues.files()
SOURCE = {message.id: message for message in catalogues.collect() if message.id}


def read(path):
    """The messages of a .po file."""
    with path.open("rb") as file:
        return [message for message in pofile.read_po(file) if message.id]


def fields(text):
    """The names in {braces} of a sentence, sorted."""
    return sorted({name for _text, name, _spec, _conversion in Formatter().parse(text) if name is not None})


def forms(text):
    """The forms of a sentence: one, or one for each number."""
    return [text] if isinstance(text, str) else list(text)


def test_there_is_french():
    """The original had two languages, and so has this."""
    assert [path.parts[-3] for path in FILES] == ["fr"]
    assert set(translation.LANGUAGES) == {"en", "fr"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parts[-3])
def test_every_sentence_is_translated(path):
    """The catalogue holds what the sources say, nothing else, and leaves nothing empty."""
    found = {message.id: message for message in read(path)}
    assert set(found) == set(SOURCE), "run python -m build.catalogues"
    assert [message.id for message in found.values() if not all(forms(message.string)) or message.fuzzy] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parts[-3])
def test_every_translation_has_the_same_fields(path):
    """What is filled into the English sentence is filled into the other one."""
    for message in read(path):
        wanted = fields(forms(message.id)[-1])
        for form in forms(message.string):
            assert fields(form) == wanted, message.id


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parts[-3])
def test_marks_do_not_begin_a_line(path):
    """French puts a space before : ; ? ! and inside « »; it must not break there. Apostrophes are curved."""
    wrong = re.compile(r" [:;?!»]|« |\w'\w")
    assert [m.string for m in read(path) if any(wrong.search(form) for form in forms(m.string))] == []


def test_pages_speak_french():
    """A page is in French from title to button, and English again afterwards."""
    with french():
        page = views.create()
        assert page.title == "Créez votre coffre" and "Créer mon coffre" in page.html
        assert "lang" not in page.html
    assert "Make my store" in views.create().html


def test_numbers_sizes_and_days_are_in_the_readers_language():
    """Groups of digits, decimal marks, units, months and plurals follow the language."""
    assert translation.number(1234567) == "1,234,567"
    with french():
        assert translation.number(1234567) == "1\u202f234\u202f567"
        assert formatting.size(3_400_000) == "3,4\u00a0Mo"
        assert formatting.size(0) == "0\u00a0octet" and formatting.size(2) == "2\u00a0octets"
        assert formatting.day(1_762_171_200_000) == "3 novembre 2025"
        assert formatting.day(1_761_998_400_000) == "1er novembre 2025"
        assert translation.ngettext("{n} entry", "{n} entries", 1) == "1 entrée"
        assert translation.ngettext("{n} entry", "{n} entries", 1200) == "1\u202f200 entrées"


def test_the_browsers_languages_choose():
    """The first language that there is wins; English where there is none."""
    with french():
        assert translation.best(["de", "fr-CA", "en"]) == "fr"
        assert translation.best(["", "en-GB", "fr"]) == "en"
        assert translation.best(["de"]) == "en" == translation.best([])


def test_an_unknown_language_is_english():
    """What was remembered by another version does no harm."""
    translation.use("xx")
    assert translation.language() == "en"


def test_errors_are_said_in_the_readers_language():
    """By code, with their fields; the engine's own sentence where the code is not known, and in English."""
    assert error_sentences.said(QuotaExceeded("the disk")) == str(QuotaExceeded("the disk"))
    with french():
        assert error_sentences.said(QuotaExceeded("the disk")).startswith("Il n’y a pas assez de place.")
        assert "(format 9 ; celle-ci lit jusqu’au 1)".replace(" ;", "\u202f;") in error_sentences.said(
            NewerBackup(9, 1)
        )
        assert "n’est pas une sauvegarde" in error_sentences.said(NotABackup())
        assert "n’ouvre pas votre coffre" in error_sentences.said(WrongPassphrase(3))
        assert (
            error_sentences.said_of_name(InvalidValue("too odd"))
            == "Ce nom ne convient pas. Choisissez-en un autre."
        )
        assert error_sentences.said(MasqError("Something new.")) == "Something new."


def test_a_wrong_passphrase_says_the_same_whatever_the_wait():
    """The page counts the time down, so the sentence does not name it."""
    assert error_sentences.said(WrongPassphrase(9)) == error_sentences.said(WrongPassphrase(0))


# Nothing in English on a French page ------------------------------------------------------------------------

ENGLISH = re.compile(
    r"\b(the|this|that|was|were|not|your|you|and|with|of|it|is|no|from|what)\b", re.IGNORECASE
)
CLIENTS = {"AccessDenied", "PopupBlocked"}
"""Errors that are made in the app's own page, and never reach one of the store's."""


@pytest.mark.parametrize(
    "error", [each for each in EXAMPLES if each.code not in CLIENTS], ids=lambda error: error.code
)
def test_every_error_is_said_in_french(error):
    """Whatever the engine raises: no sentence of its own, which are English, and no part of one."""
    with french():
        for said in (error_sentences.said(error), error_sentences.said_of_link(error)):
            if error.code == "OtherPage":
                said = error_sentences.said_of_link(error)
            for value in (str(field) for field in error.fields.values()):
                said = said.replace(value, "")
            assert not ENGLISH.search(said), said


@pytest.mark.parametrize("reason", sorted(error_sentences.ADVICE))
def test_what_can_be_done_about_refused_storage_is_said_in_french(reason):
    """The setting that the engine names, or what it needs, is not left out."""
    with french():
        for error in (StorageUnavailable(reason), StorageUnavailable("it opens nothing", reason)):
            assert translation._(error_sentences.ADVICE[reason]) in error_sentences.said(error)
            assert not ENGLISH.search(error_sentences.said(error))


def test_advice_is_about_what_is_raised():
    """Each setting and reason that has a French sentence is one that the store's code gives."""
    code = "".join(path.read_text("utf-8") for path in (catalogues.PAGES.parent).rglob("*.py"))
    told = code.replace(Path(error_sentences.__file__).read_text("utf-8"), "")
    assert [reason for reason in error_sentences.ADVICE if f'"{reason}"' not in told] == []


@pytest.mark.parametrize(
    "path", sorted(catalogues.PAGES.glob("templates/*.html")), ids=lambda path: path.stem
)
def test_a_template_holds_no_words_of_its_own(path):
    """All that a reader sees or hears goes through the catalogue."""
    text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", path.read_text("utf-8"), flags=re.DOTALL)
    attributes = re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', text)
    visible = re.sub(r'<[^>]*>|[\w-]+="[^"]*"', " ", text)  # a macro may stand for attributes
    assert [
        word for word in re.findall(r"[^\W\d_]{2,}", " ".join([visible, *attributes])) if word != "Masq"
    ] == []


def test_what_is_said_before_python_is_up_is_said_in_both():
    """Each sentence of the store's page, whatever keeps it from opening, has a French one beside it."""
    page = (catalogues.PAGES.parents[1] / "site" / "index.html").read_text("utf-8")
    body = page.split("<body>")[1]
    spoken = re.findall(r'<(?:span|p)[^>]* lang="(en|fr)">([^<]+)<', body)
    assert [language for language, _ in spoken] == ["en", "fr"] * (len(spoken) // 2) and len(spoken) >= 14
    assert not [said for language, said in spoken if language == "fr" and ENGLISH.search(said)]
    rest = re.sub(r'<(span|p)[^>]* lang="(en|fr)">[^<]+<', "<", body)
    assert re.findall(r"[^\W\d_]{2,}", re.sub(r"<[^>]*>", " ", rest)) == ["Masq"]
    boot = (catalogues.PAGES.parents[1] / "site" / "boot.js").read_text("utf-8")
    whys = {*re.findall(r'throw "(\w+)"', boot), *re.findall(r'reject\("(\w+)"\)', boot), "failed"}
    assert set(re.findall(r'id="why-(\w+)"', body)) == whys
