"""The flows of the pages, with an engine and a screen made of Python."""

import asyncio
from functools import wraps

from masq.errors import MasqError, NotRegistered
from masq_store.ui import app as pages
from masq_store.ui.app import App

ORIGIN = "http://counter.localhost:8000"
ABOUT = {"origin": ORIGIN, "name": "Counter", "description": "", "icon": None}
COUNTER = ABOUT | {"approved_ms": 0, "used_ms": 0, "keys": 120, "bytes": 30, "tabs": 0}


class WrongPassphrase(MasqError):
    """Stands for the store's own error: the page only looks at the code."""

    code = "WrongPassphrase"


class Engine:
    """A link to an engine that keeps everything in plain fields and notes its calls."""

    def __init__(self, profile=None, passphrase="", request=None):
        self.profile = profile and {
            "id": "p",
            "name": profile,
            "locked": bool(passphrase),
            "passphrase": True,
        }
        self.passphrase = passphrase
        self.asked = request
        self.apps = [COUNTER] if profile else []
        self.stored = [(f"k{n:03}", n) for n in range(120)]
        self.calls = []
        self.broken = None
        self.wait = 0.0
        self.on_event = None

    async def call(self, method, *args):
        """Answer as the engine would."""
        self.calls.append((method, *args))
        await asyncio.sleep(self.wait)
        if self.broken:
            raise self.broken
        return getattr(self, method)(*args)

    def overview(self):
        """Profile and apps."""
        hidden = not self.profile or self.profile["locked"]
        return {"profile": self.profile and dict(self.profile), "apps": [] if hidden else self.apps}

    def create_profile(self, name, passphrase, stay_unlocked):
        """A new profile, open."""
        self.profile = {"id": "p", "name": name, "locked": False, "passphrase": bool(passphrase)}
        return self.overview()

    def unlock(self, passphrase, stay_unlocked):
        """Open, if it is the passphrase."""
        if passphrase != self.passphrase:
            raise WrongPassphrase("This is not the passphrase.")
        self.profile["locked"] = False
        return self.overview()

    def app(self, origin):
        """One app."""
        if not self.apps or origin != ORIGIN:
            raise NotRegistered(origin)
        return COUNTER

    def entries(self, origin, prefix, after, limit):
        """A page of entries."""
        found = [list(e) for e in self.stored if e[0].startswith(prefix) and e[0] > after]
        return {"entries": found[:limit], "more": len(found) > limit}

    def withdraw(self, origin):
        """Forget the app."""
        self.apps = []

    def request(self, nonce):
        """What the popup is about."""
        return self.asked

    def answer(self, nonce, allow):
        """The answer."""


class Screen:
    """A window that only remembers."""

    def __init__(self, address=""):
        self.place, self.page, self.focused, self.typed, self.pages, self.app = (
            address,
            None,
            "",
            {},
            [],
            None,
        )

    def show(self, page, arriving, who):
        """Remember the page."""
        self.page = page
        self.pages.append(page)

    def fields(self):
        """What a test typed."""
        return self.typed

    def focus(self, name):
        """Remember the focus."""
        self.focused = name

    def address(self):
        """The address."""
        return self.place

    def go(self, address):
        """Go there as a browser would."""
        self.place = address
        self.app.moved()

    def reload(self):
        """Remember."""
        self.focused = "reloaded"

    def has(self, text):
        """Whether the page holds `text`."""
        return text in self.page.html


def run(test):
    """Run an async test to its end."""

    @wraps(test)
    def wrapped():
        asyncio.run(test())

    return wrapped


async def opened(engine, address="", **more):
    """An app that has shown its first page."""
    screen = Screen(address)
    app = screen.app = App(engine, screen, **more)
    await app.arrive()
    return app, screen


async def settle(app):
    """Wait until nothing is being done."""
    while app.tasks:
        await asyncio.sleep(0.01)


async def press(app, action, index=-1):
    """Press a button and wait for what it does."""
    app.acted(action, index)
    await settle(app)


@run
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


@run
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


@run
async def test_a_wrong_passphrase_is_said_and_the_right_one_opens():
    """The page stays, says so at the field, and goes on when the passphrase is right."""
    app, screen = await opened(Engine("Ann", passphrase="right"))
    screen.typed = {"passphrase": "wrong", "stay-unlocked": True}
    await press(app, "unlock")
    assert screen.has("This is not the passphrase.") and screen.focused == "passphrase"
    screen.typed = {"passphrase": "right", "stay-unlocked": True}
    await press(app, "unlock")
    assert screen.has('data-page="apps"') and not screen.has("This is not the passphrase.")


@run
async def test_the_popup_asks_and_tells_when_it_is_done():
    """The answer goes to the engine, the page says so, and `done` hears it."""
    for action, allowed in (("allow", True), ("deny", False)):
        engine, heard = Engine("Ann", request=ABOUT | {"registered": False}), []
        app, screen = await opened(engine, "#connect=n1", done=heard.append)
        assert screen.has('id="allow"') and screen.has("counter.localhost")
        await press(app, action)
        assert ("answer", "n1", allowed) in engine.calls
        assert heard == [allowed] and screen.has('data-page="answered"')
        app.told(["overview"])
        await settle(app)
        assert screen.has('data-page="answered"')


@run
async def test_the_popup_makes_a_profile_first():
    """Without a profile the popup makes one, naming the app that waits, and then asks."""
    engine = Engine(request=ABOUT | {"registered": False})
    app, screen = await opened(engine, "", popup_nonce="n1")
    assert screen.has('data-page="create"') and screen.has("counter.localhost")
    screen.typed = {"profile-name": "Ann"}
    await press(app, "create")
    assert screen.has('data-page="connect"')


@run
async def test_unlocking_is_enough_for_an_app_that_was_allowed():
    """A known app is not asked about again once the store is open."""
    engine, heard = Engine("Ann", "right", ABOUT | {"registered": True}), []
    app, screen = await opened(engine, "#connect=n1", done=heard.append)
    assert screen.has('data-page="unlock"') and heard == []
    screen.typed = {"passphrase": "right"}
    await press(app, "unlock")
    assert heard == [True] and screen.has('data-page="answered"')


@run
async def test_a_question_nobody_waits_for_says_so():
    """An unknown nonce is not a dead end."""
    _app, screen = await opened(Engine("Ann", request=None), "#connect=gone")
    assert screen.has('data-page="over"') and screen.has('href="#/"')


@run
async def test_entries_come_in_pages_and_by_prefix():
    """Show more adds a page, the search narrows, and what changes is fetched again."""
    engine = Engine("Ann")
    app, screen = await opened(engine, "#/app/http%3A%2F%2Fcounter.localhost%3A8000")
    assert len(app.entries) == pages.ENTRIES and app.more
    await press(app, "show-more")
    await press(app, "show-more")
    assert len(app.entries) == 120 and not app.more and not screen.has('id="show-more"')
    screen.typed = {"search": "k00"}
    app.typed("search")
    await asyncio.sleep(pages.SEARCH_AFTER * 2)
    await settle(app)
    assert len(app.entries) == 10
    engine.stored[0] = ("k000", "changed")
    app.told(["data", ORIGIN])
    app.told(["data", ORIGIN])
    await settle(app)
    assert screen.has("changed") and engine.calls[-1][:3] == ("entries", ORIGIN, "k00")


@run
async def test_withdrawing_asks_once_by_name():
    """The first press asks, the second withdraws and returns to the apps with a sentence."""
    engine = Engine("Ann")
    app, screen = await opened(engine, "#/app/http%3A%2F%2Fcounter.localhost%3A8000")
    await press(app, "withdraw")
    assert screen.has("Withdraw Counter?") and screen.focused == "withdraw-question"
    await press(app, "withdraw-cancel")
    assert not screen.has("Withdraw Counter?") and screen.focused == "withdraw"
    await press(app, "withdraw")
    await press(app, "withdraw-confirm")
    await settle(app)
    assert ("withdraw", ORIGIN) in engine.calls
    assert screen.has('data-page="apps"') and screen.has("Counter was withdrawn.")


@run
async def test_an_unknown_app_and_an_unknown_page_lead_back():
    """Both say what they are and where to go."""
    _app, screen = await opened(Engine("Ann"), "#/app/https%3A%2F%2Felsewhere.example")
    assert screen.has('data-page="unknown-app"') and screen.has('href="#/"')
    _app, screen = await opened(Engine("Ann"), "#/no/such")
    assert screen.has('data-page="nowhere"') and screen.has('href="#/"')


@run
async def test_an_engine_that_does_not_answer_is_said():
    """The page says so, and its button loads it again."""
    engine = Engine("Ann")
    engine.broken = MasqError("The worker stopped.")
    app, screen = await opened(engine)
    assert screen.has('data-page="unreachable"') and screen.has("The worker stopped.")
    app.acted("reload")
    assert screen.focused == "reloaded"


@run
async def test_an_answer_that_fails_leaves_the_question():
    """The error is on the page, and the buttons work again."""
    engine = Engine("Ann", request=ABOUT | {"registered": False})
    app, screen = await opened(engine, "#connect=n1")
    engine.broken = MasqError("The disk is full.")
    await press(app, "allow")
    assert screen.has("The disk is full.") and screen.has('id="allow"') and not screen.has("aria-busy")
    engine.broken = None
    await press(app, "allow")
    assert screen.has('data-page="answered"')


@run
async def test_slow_work_shows_progress_and_one_press_counts_once():
    """After a moment a busy button gets a progress bar; pressing it again changes nothing."""
    pages.SLOW_AFTER, before = 0.02, pages.SLOW_AFTER
    try:
        engine = Engine("Ann", request=ABOUT | {"registered": False})
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
