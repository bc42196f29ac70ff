"""An app's entries: edited, added, deleted, brought back."""

import asyncio

import pytest
from french import french
from ui_rig import ADDRESS, ORIGIN, Engine, a_profile, opened, press, settle, type_into

from masq import messages
from masq.errors import QuotaExceeded
from masq_store.ui.text import value_text
from masq_store.ui.text.value_text import NotAValue, from_text, to_text


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("é", '"é"'),
        ({"$bytes": "AAEC"}, '{"$bytes": "AAEC"}'),
        ({"$int": "-20000000000000"}, "-9007199254740992"),
        ([{"$int": "20000000000000"}], "[9007199254740992]"),
        ({"$$int": "1"}, '{"$$int": "1"}'),
        ({"a": [1, {"b": None}]}, '{"a": [1, {"b": null}]}'),
    ],
)
def test_a_value_survives_the_text(packed, text):
    """What is shown to be edited means the same value when it comes back unchanged."""
    assert to_text(packed) == text and from_text(text) == packed


def test_an_enormous_number_keeps_its_tag():
    """Python writes no more than 4,300 digits, so such a number stays hexadecimal."""
    packed = {"$int": "f" * 20_000}
    assert from_text(to_text(packed)) == packed


def test_a_long_record_is_written_over_several_lines():
    """So that a person can read it."""
    assert to_text({"name": "x" * 40, "other": "y" * 40}).count("\n") == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Type a value first."),
        ("hello", "Line 1, column 1: A value is missing here."),
        ('{"a": 1,\n b: 2}', "Line 2, column 2: A name in double quotes is missing here."),
        ("[1 2]", "A comma, or the closing bracket, is missing here."),
        ('"abc', "The text that begins here has no closing double quote."),
        ("1 2", "The value is complete before this"),
        ("NaN", "NaN and Infinity cannot be kept."),
        ("1e999", "finite"),
        ("9" * 5000, "too many digits"),
        ("[" * 200, "Too many brackets"),
        ("[" * 70 + "]" * 70, "nested"),
        ('{"$other": 1}', "tag"),
        ('"' + "x" * 300_000 + '"', "bytes"),
    ],
)
def test_what_is_no_value_is_said(text, said):
    """Each mistake has a sentence that says where it is and what is missing."""
    with pytest.raises(NotAValue) as caught:
        from_text(text)
    assert said in caught.value.sentence


def test_mistakes_are_said_in_french():
    """The same for readers of French, without an English word from below."""
    with french():
        for text in ("x", "1e999", '{"a": {"$other": 1}}', '"' + "x" * 300_000 + '"', "[" * 200):
            with pytest.raises(NotAValue) as caught:
                from_text(text)
            assert not {"the", "is", "a", "it", "not"} & set(caught.value.sentence.lower().split())


def test_every_reason_of_the_parser_is_known():
    """The table holds the words that this Python's JSON parser uses."""
    for text in ("x", "{1}", '{"a" 1}', "[1 2]", '"a', '"\t"', "1 2"):
        with pytest.raises(NotAValue) as caught:
            from_text(text)
        assert value_text.UNKNOWN not in caught.value.sentence


async def test_an_entry_is_edited():
    """The value is there to change; what is wrong is said beside it; what is right reaches the engine."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, ADDRESS)
    await press(app, "edit", "3")
    assert screen.has("Edit “k003”") and screen.focused == "entry-value"
    await type_into(app, screen, "save", entry_value="{")
    assert screen.has('id="error"') and screen.focused == "entry-value" and engine.called("set_entry") == []
    await type_into(app, screen, "save", entry_value='{"big": 9007199254740992}')
    assert engine.stored["k003"] == {"big": {"$int": "20000000000000"}}
    assert screen.has("Saved.") and screen.focused == "edit k003"


async def test_a_change_meanwhile_is_named_and_the_form_stays():
    """Whether the app changes the value or deletes the entry, what is being typed stays on the page."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, ADDRESS)
    await press(app, "edit", "3")
    engine.stored["k003"] = "other"
    app.told(["data", ORIGIN])
    await settle(app)
    assert screen.has("Meanwhile the value has become other.") and screen.has("\n3</textarea>")
    del engine.stored["k003"]
    app.told(["data", ORIGIN])
    await settle(app)
    assert screen.has('id="entry-value"') and screen.has("Edit “k003”")


async def test_no_room_for_a_value_is_said_beside_it():
    """The error stands at the field, and the form stays open."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, ADDRESS)
    await press(app, "edit", "0")

    def full(*_arguments):
        raise QuotaExceeded("the disk is full")

    engine.set_entry = full
    await type_into(app, screen, "save", entry_value="1")
    assert screen.has("There is no room") and screen.focused == "entry-value"


async def test_deleting_can_be_undone():
    """The notice has the button, and the entry comes back as it was."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, ADDRESS)
    await press(app, "delete", "2")
    assert "k002" not in engine.stored and screen.has("“k002” was deleted.") and screen.focused == "undo"
    await press(app, "undo")
    assert engine.stored["k002"] == 2 and screen.has("“k002” is back.") and screen.focused == "edit k002"


async def test_an_entry_is_added_and_never_replaces_another():
    """A name that is taken is refused beside its field."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, ADDRESS)
    await press(app, "open-add")
    assert screen.focused == "entry-key"
    await type_into(app, screen, "add", entry_key="", entry_value="1")
    assert screen.focused == "entry-key"
    await type_into(app, screen, "add", entry_key="k005", entry_value='"x"')
    assert screen.has("There is an entry of this name already.") and engine.stored["k005"] == 5
    await type_into(app, screen, "add", entry_key="new", entry_value='"x"')
    assert engine.stored["new"] == "x" and screen.has("Added.") and screen.focused == "open-add"


async def test_a_search_too_long_finds_nothing():
    """What is longer than any name may be is no reason to lose the page."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, ADDRESS)
    find = engine.entries

    def entries(origin, search, *more):
        messages.check_prefix(search)
        return find(origin, search, *more)

    engine.entries = entries
    screen.typed = {"search": "x" * 600}
    app.typed("search")
    await asyncio.sleep(0.3)
    await settle(app)
    assert screen.has('data-page="app"') and screen.has("No entry has that in its name.")
