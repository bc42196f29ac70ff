"""Sizes, times and values as people read them."""

from datetime import datetime

import pytest

from masq_store.ui.text import formatting

NOW = datetime(2026, 11, 22, 15, 30)


def ms(when):
    """Milliseconds since 1970 of a local time."""
    return int(when.timestamp() * 1000)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (12_300, "12 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (3_400_000, "3.4 MB"),
        (64 * 2**20, "67 MB"),
    ],
)
def test_sizes(amount, said):
    """Sizes have two figures and a unit."""
    assert formatting.size(amount) == said


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (datetime(2026, 11, 22, 15, 29, 30), "just now"),
        (datetime(2026, 11, 22, 15, 30, 20), "just now"),
        (datetime(2026, 11, 22, 15, 28, 30), "1 minute ago"),
        (datetime(2026, 11, 22, 15, 0), "30 minutes ago"),
        (datetime(2026, 11, 22, 9, 5), "today at 09:05"),
        (datetime(2026, 11, 21, 23, 59), "yesterday at 23:59"),
        (datetime(2026, 11, 3, 12, 0), "3 November 2026"),
        (datetime(2026, 12, 24, 12, 0), "24 December 2026"),
    ],
)
def test_moments(when, said):
    """What was a moment ago is told so, what was long ago by its day."""
    assert formatting.moment(ms(when), ms(NOW)) == said


@pytest.mark.parametrize(
    ("packed", "kind", "text"),
    [
        (None, "nothing", "null"),
        (True, "yes or no", "true"),
        (42, "number", "42"),
        (1.0, "number", "1.0"),
        ("hello", "text", "hello"),
        ("", "text", ""),
        ({"$int": "-20000000000000"}, "number", "-9007199254740992"),
        ({"$bytes": ""}, "bytes", "0 bytes"),
        ({"$bytes": "AAEC"}, "bytes", "3 bytes: 00 01 02"),
        ([1, "a", None], "list", '[1, "a", null]'),
        ({"a": {"$bytes": "AAEC"}}, "record", '{"a": "3 bytes: 00 01 02"}'),
        ({"$$bytes": 1}, "record", '{"$bytes": 1}'),
        ({"$bytes": 1}, "record", '{"$bytes": 1}'),
        ({"$other": 1}, "record", '{"$other": 1}'),
    ],
)
def test_values(packed, kind, text):
    """Each kind of value, the tagged ones included, has a readable form; a bad tag is shown as it is."""
    assert formatting.value(packed) == (kind, text, False)


def test_an_enormous_number_is_still_shown():
    """A number past Python's limit of decimal digits is shown in another base, not refused."""
    shown = formatting.value({"$int": "f" * 20_000})
    assert shown.text.startswith("0xffff") and shown.cut


def test_an_enormous_number_inside_a_record_is_still_shown():
    """The same inside other values."""
    assert "0xffff" in formatting.value({"a": [{"$int": "f" * 20_000}]}).text


def test_a_long_text_is_cut_until_asked_for():
    """A long text is cut, and whole when asked for."""
    text = "word " * 1000
    short = formatting.value(text)
    assert short.cut and len(short.text) == formatting.CUT
    assert formatting.value(text, whole=True) == ("text", text, False)


def test_many_lines_are_cut():
    """A text of many short lines is cut by lines."""
    assert formatting.value("a\n" * 50).text.count("\n") == formatting.CUT_LINES - 1


def test_what_cannot_be_seen_is_written_out():
    """Control characters and those that turn the text's direction cannot hide in keys or values."""
    assert formatting.key("a\0b\n\u202ec") == "a\\x00b\\x0a\\u202ec"
    assert formatting.value("a\0b\n\u202ec").text == "a\\x00b\n\\u202ec"
