"""The flows of the pages, with an engine and a screen made of Python."""

import asyncio

import pytest
from ui_rig import (
    ABOUT,
    ADDRESS,
    ORIGIN,
    OTHER,
    RELAY,
    TRASHED,
    Engine,
    a_profile,
    a_relay,
    opened,
    press,
    settle,
    type_into,
)

from masq.errors import MasqError, to_wire
from masq_store.core.errors import DamagedData
from masq_store.ui import app as pages
from masq_store.ui.pages import entries

APART = ABOUT | {"registered": False, "apart": True}
"""A request that comes from where the browser keeps apps apart."""


def ann(passphrase=""):
    """A profile."""
    return a_profile("Ann", passphrase)


def fail_with(error):
    """Return a call that fails."""

    def fail(*_arguments):
        raise error

    return fail


async def test_the_first_page_makes_a_profile():
    """Without a profile the first page makes one, and then shows the apps."""
    engine = Engine()
    app, screen = await opened(engine)
    assert screen.has('data-page="create"')
    screen.typed = {
        "profile-name": " Ann ",
        "passphrase": "",
        "passphrase-repeat": "",
        "stay-unlocked": False,
    }
    await press(app, "create")
    assert ("create_profile", "Ann", "", True) in engine.calls
    assert screen.has('data-page="apps"')


async def test_what_cannot_be_right_is_said_beside_its_field():
    """An empty name, a long name and differing passphrases never reach the engine."""
    engine = Engine()
    app, screen = await opened(engine)
    for typed, field in [
        ({"profile-name": "  "}, "profile-name"),
        ({"profile-name": "x" * 65}, "profile-name"),
        ({"profile-name": "Ann", "passphrase": "one", "passphrase-repeat": "two"}, "passphrase-repeat"),
    ]:
        screen.typed = typed
        await press(app, "create")
        assert screen.focused == field and screen.has('id="error"')
    assert [call[0] for call in engine.calls] == ["overview"]


async def test_a_wrong_passphrase_is_said_and_the_right_one_opens():
    """The page stays, says so at the field, and goes on when the passphrase is right."""
    app, screen = await opened(Engine(ann("right")))
    screen.typed = {"passphrase": "wrong", "stay-unlocked": True}
    await press(app, "unlock")
    assert screen.has("This passphrase does not open your store.") and screen.focused == "passphrase"
    screen.typed = {"passphrase": "right", "stay-unlocked": True}
    await press(app, "unlock")
    assert screen.has('data-page="apps"') and not screen.has("This passphrase does not open your store.")


async def test_the_popup_asks_and_tells_when_it_is_done():
    """The answer goes to the engine, the page says so, and `done` hears it."""
    for action, allowed in (("allow", True), ("deny", False)):
        engine, heard = Engine(ann(), request=ABOUT | {"registered": False}), []
        app, screen = await opened(engine, "#connect=n1", done=heard.append)
        assert screen.has('id="allow"') and screen.has("counter.localhost")
        await press(app, action)
        assert ("answer", "n1", allowed, ORIGIN) in engine.calls
        assert heard == [allowed] and screen.has('data-page="answered"')
        app.told(["overview"])
        await settle(app)
        assert screen.has('data-page="answered"')


async def test_the_popup_makes_a_profile_first():
    """Without a profile the popup makes one, naming the app that waits, and then asks."""
    engine = Engine(request=ABOUT | {"registered": False})
    app, screen = await opened(engine, "", popup_nonce="n1")
    assert screen.has('data-page="create"') and screen.has("counter.localhost")
    screen.typed = {"profile-name": "Ann"}
    await press(app, "create")
    assert screen.has('data-page="connect"')


async def test_unlocking_is_enough_for_an_app_that_was_allowed():
    """A known app is not asked about again once the store is open."""
    engine, heard = Engine(ann("right"), request=ABOUT | {"registered": True}), []
    app, screen = await opened(engine, "#connect=n1", done=heard.append)
    assert screen.has('data-page="unlock"') and heard == []
    screen.typed = {"passphrase": "right"}
    await press(app, "unlock")
    assert heard == [True] and screen.has('data-page="answered"')


async def test_the_popup_says_where_the_browser_keeps_apps_apart():
    """One more sentence; where no relay is set another one, which says when the copy meets the store."""
    asked, apart = ABOUT | {"registered": False}, "the app gets a copy of its own data here"
    for request, relay, said in ((asked, RELAY, 0), (APART, RELAY, 1), (APART, "", 2)):
        engine = Engine(ann(), request=request)
        engine.sync |= {"relay": a_relay(relay, relay)}
        app, screen = await opened(engine, "#connect=n1")
        assert screen.has('id="allow"') and screen.has('id="deny"')
        assert screen.has(apart) == (said > 0)
        assert screen.has("click Sync now in the app") == (said > 1)
        engine.wait = 0.02
        app.acted("allow")
        await asyncio.sleep(0.01)
        assert screen.has("Making the copy…" if said else "Allowing…")
        await settle(app)
        assert screen.has('data-page="answered"')


async def test_a_copy_that_was_allowed_is_brought_up_to_date_without_a_question():
    """The window says what it does, and closes once both have the same."""
    engine, heard = Engine(ann(), request=APART | {"registered": True}), []
    engine.wait = 0.02
    app, screen = await opened(engine, "#connect=n1", done=heard.append)
    pages = [page.html for page in screen.pages if 'data-page="connect"' in page.html]
    assert pages and all(
        "Bringing Counter up to date…" in page and "May this app" not in page for page in pages
    )
    assert heard == [True] and engine.called("answer") == [("n1", True, ORIGIN)]


async def test_a_copy_that_does_not_come_up_to_date_is_said():
    """The window stays, says so, and says what to do; it does not close as if all were well."""
    for registered in (False, True):
        engine, heard = Engine(ann(), request=APART | {"registered": registered}), []
        engine.met = False
        app, screen = await opened(engine, "#connect=n1", done=heard.append)
        if not registered:
            await press(app, "allow")
        assert heard == [] and screen.has('data-page="behind"') and screen.has("press the app&#39;s button")


async def test_what_keeps_a_copy_from_coming_up_to_date_is_said_once():
    """The sentence is an alert, news does not make the window try by itself, and one press does."""
    engine, heard = Engine(ann(), request=APART | {"registered": True}), []
    app, screen = await opened(engine, done=heard.append)
    engine.answer = fail_with(MasqError("There is no room."))
    screen.go("#connect=n1")
    await settle(app)
    assert screen.has("There is no room.") and screen.has('role="alert"') and not screen.has('id="deny"')
    app.told(["overview"])
    await settle(app)
    assert len(engine.called("answer")) == 1 and screen.has("There is no room.")
    engine.answer = lambda nonce, allow, origin: True
    await press(app, "allow")
    assert heard == [True]


async def test_an_app_inside_another_page_is_asked_about_each_time():
    """A known app that stands in another page, and is kept apart there, is connected by a word, never by itself."""
    for framed, apart, asked in ((True, True, True), (True, False, False), (False, True, False)):
        engine, heard = Engine(ann(), request=ABOUT | {"registered": True, "apart": apart}), []
        app, screen = await opened(engine, "#connect=n1", framed, done=heard.append)
        assert (screen.has('id="framed"'), heard) == (asked, [] if asked else [True])
        if asked:
            await press(app, "allow")
            assert heard == [True]


async def test_a_question_nobody_waits_for_says_so():
    """An unknown nonce is not a dead end."""
    _app, screen = await opened(Engine(ann(), request=None), "#connect=gone")
    assert screen.has('data-page="over"') and screen.has('href="#/"')


async def test_entries_come_in_pages_and_by_any_part_of_their_name():
    """Show more adds a page, the search narrows, and what changes is fetched again."""
    engine = Engine(ann())
    app, screen = await opened(engine, ADDRESS)
    assert screen.page.html.count('data-focus="edit ') == entries.SHOWN
    await press(app, "show-more")
    await press(app, "show-more")
    assert screen.page.html.count('data-focus="edit ') == 120 and not screen.has('id="show-more"')
    screen.typed = {"search": "K00"}
    app.typed("search")
    await asyncio.sleep(entries.SEARCH_AFTER * 2)
    await settle(app)
    assert screen.page.html.count('data-focus="edit ') == 10
    engine.stored["k000"] = "changed"
    app.told(["data", ORIGIN])
    app.told(["data", ORIGIN])
    await settle(app)
    assert screen.has("changed") and engine.calls[-1][:3] == ("entries", ORIGIN, "K00")


async def test_withdrawing_asks_once_by_name():
    """The first press asks, the second withdraws, with the data or without, and returns with a sentence."""
    for erase in (False, True):
        engine = Engine(ann())
        app, screen = await opened(engine, ADDRESS)
        await press(app, "open-withdraw")
        assert screen.has("Withdraw Counter?") and screen.focused == "withdraw-question"
        await press(app, "close")
        assert not screen.has("Withdraw Counter?") and screen.focused == "withdraw"
        await press(app, "open-withdraw")
        await type_into(app, screen, "withdraw-confirm", withdraw_erase=erase)
        assert engine.called("withdraw") == [(ORIGIN, erase)]
        assert screen.has('data-page="apps"') and screen.has("Counter was withdrawn")
        assert screen.has("its data erased") == erase


async def test_an_unknown_app_and_an_unknown_page_lead_back():
    """Both say what they are and where to go."""
    _app, screen = await opened(Engine(ann()), "#/app/https%3A%2F%2Felsewhere.example")
    assert screen.has('data-page="unknown-app"') and screen.has('href="#/"')
    _app, screen = await opened(Engine(ann()), "#/no/such")
    assert screen.has('data-page="nowhere"') and screen.has('href="#/"')


async def test_an_engine_that_does_not_answer_is_said():
    """The page says so, and its button loads it again."""
    engine = Engine(ann())
    engine.broken = MasqError("The worker stopped.")
    app, screen = await opened(engine)
    assert screen.has('data-page="unreachable"') and screen.has("The worker stopped.")
    app.acted("reload")
    assert screen.focused == "reloaded"


async def test_an_answer_that_fails_leaves_the_question():
    """The error is on the page, and the buttons work again."""
    engine = Engine(ann(), request=ABOUT | {"registered": False})
    app, screen = await opened(engine, "#connect=n1")
    engine.broken = MasqError("The disk is full.")
    await press(app, "allow")
    assert screen.has("The disk is full.") and screen.has('id="allow"') and not screen.has("aria-busy")
    engine.broken = None
    await press(app, "allow")
    assert screen.has('data-page="answered"')


async def test_slow_work_shows_progress_and_one_press_counts_once():
    """After a moment a busy button gets a progress bar; pressing it again changes nothing."""
    pages.SLOW_AFTER, before = 0.02, pages.SLOW_AFTER
    try:
        engine = Engine(ann(), request=ABOUT | {"registered": False})
        app, screen = await opened(engine, "#connect=n1")
        engine.wait = 0.1
        app.acted("allow")
        app.acted("deny")
        await asyncio.sleep(0.06)
        assert screen.has("<progress") and screen.has('aria-busy="true"')
        app.acted("allow")
        await settle(app)
        assert [call[0] for call in engine.calls].count("answer") == 1
    finally:
        pages.SLOW_AFTER = before


async def test_a_store_locked_in_between_is_shown_locked():
    """Between two answers another page can lock the store: then the page is the one that unlocks it."""
    from masq.errors import Locked

    engine = Engine(ann("right") | {"locked": False})

    def locked(_origin):
        engine.lock()
        raise Locked()

    engine.app = locked
    _app, screen = await opened(engine, ADDRESS)
    assert screen.has('data-page="unlock"')


async def test_a_profile_that_cannot_be_opened_is_no_dead_end():
    """The page says what is the matter, and leads to the other profiles and to a new one."""
    engine = Engine(ann(), a_profile("Bob", number=2))
    engine.active |= {"locked": True, "failed": to_wire(DamagedData("the home space"))}
    app, screen = await opened(engine)
    assert screen.has('data-page="failed"') and screen.has("Damaged") and screen.has("Switch to Bob")
    screen.go("#/new-profile")
    await settle(app)
    assert screen.has('data-page="create"')
    screen.go("#/")
    await settle(app)
    await press(app, "switch-profile", engine.profiles[1]["id"])
    assert screen.has('data-page="apps"')


async def test_what_is_in_the_trash_is_put_back_or_erased_by_its_person():
    """What, how much and until when is said; putting back asks nothing, erasing asks once with how much goes."""
    engine = Engine(a_profile("Ann"))
    engine.trash = [TRASHED, TRASHED | {"id": "ab" * 16, "name": "Notes", "keys": 12}]
    app, screen = await opened(engine)
    assert screen.has("In the trash") and screen.has("12 entries") and screen.has("here until")
    await press(app, "open-erase-trash", "ab" * 16)
    assert screen.focused == "erase-trash-question" and screen.has("Erase this of Notes now?")
    await press(app, "erase-trash", "ab" * 16)
    assert engine.called("erase_trash") == [("ab" * 16,)] and screen.has("The data of Notes was erased.")
    assert screen.focused == "notice"
    await press(app, "put-back", TRASHED["id"])
    assert engine.called("put_back") == [(TRASHED["id"],)] and screen.has("Counter has it back.")
    assert not screen.has("In the trash")


@pytest.mark.parametrize("newer", [True, False])
async def test_a_copy_of_other_data_is_asked_about_with_how_much_goes(newer):
    """Although the app is allowed already: nothing is answered before its person has read what becomes of what."""
    request = ABOUT | {"apart": True, "other": OTHER | {"newer": newer}}
    engine = Engine(a_profile("Ann"), request=request)
    app, screen = await opened(engine, "#connect=n1")
    assert engine.called("answer") == []
    assert screen.has("the copy holds 5 entries;") and screen.has("2 changes of it are nowhere else;")
    assert screen.has("your store has 1 entry of the app.")
    assert screen.has("waits in the trash for 30 days" if newer else "the copy is erased for good")
    await press(app, "allow")
    assert engine.called("answer") == [("n1", True, ORIGIN)]


async def test_a_copy_that_was_damaged_is_told_of():
    """The window does not close by itself: it says what became of the copy, and what to do."""
    engine = Engine(a_profile("Ann"), request=ABOUT | {"apart": True, "registered": True})
    engine.met = None
    _app, screen = await opened(engine, "#connect=n1")
    assert engine.called("answer") == [("n1", True, ORIGIN)]
    assert screen.has('data-page="damaged"') and screen.has("from a backup if you have one")
