"""The popup of an app that cuts it off: the link, what ends it, the question after it; and the app page's strip."""

from html.parser import HTMLParser

import pytest
from french import french
from ui_rig import ABOUT, APP_LINK, ORIGIN, Engine, a_profile, opened, press, settle

from masq.errors import MasqError
from masq_store.core.enrolment.link_machine import NOT_NOW
from masq_store.core.errors import (
    BadPairingLink,
    BadRelayAddress,
    NoRelay,
    OtherPage,
    PairingBroken,
    PairingExpired,
    PairingGone,
    PairingNotServed,
    PairingOffline,
    PairingRefused,
    PairingUsedTwice,
)
from masq_store.ui.html import paste_strip
from masq_store.ui.text.error_sentences import LINKED

NONCE = "ab" * 16
ADDRESS = "#connect=" + NONCE
CUT_OFF = {"severed": True, "opener": ORIGIN}


async def test_the_link_is_made_at_once_and_can_be_copied():
    """The window asks for a link for the page that has opened it, shows it, and copies it on a press."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, ADDRESS, **CUT_OFF)
    await settle(app)
    assert ("request", NONCE, 4) in engine.calls
    assert ("offer_link", "https://store.example/", NONCE, ORIGIN) in engine.calls
    assert screen.has('data-page="severed"') and screen.has("#enrol=")
    await press(app, "copy-link")
    assert screen.copied == APP_LINK and screen.has("The link is copied")
    screen.copies = False
    await press(app, "copy-link")
    assert screen.has("copy it by hand")


async def test_the_question_follows_and_the_link_is_not_ended_by_it():
    """Once the app's page has used the link its question is shown; an answer closes the window."""
    engine, answers = Engine(a_profile("Ann")), []
    app, screen = await opened(engine, ADDRESS, done=answers.append, **CUT_OFF)
    await settle(app)
    engine.pairs("answered", link=None)
    await settle(app)
    assert screen.has("has opened the link")
    engine.asked = ABOUT | {"apart": True, "registered": False, "linked": True}
    engine.pairs("asking")
    await settle(app)
    assert screen.has('data-page="connect"') and screen.has('id="allow"')
    assert screen.has("only if you pasted the link yourself")
    assert not engine.called("end_pairing")
    await press(app, "allow")
    assert answers == [True]


async def test_news_that_comes_twice_is_one_new_page():
    """Told twice in a row that the link was used, the window is drawn anew once: what has the focus keeps it."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, ADDRESS, **CUT_OFF)
    await settle(app)
    before = screen.arrivals
    engine.pairs("answered", link=None)
    engine.pairs("answered", link=None)
    await settle(app)
    assert screen.has("has opened the link") and screen.arrivals == before + 1


async def test_without_a_profile_and_locked():
    """The link comes before a profile is made; a locked store is unlocked first."""
    app, screen = await opened(Engine(), ADDRESS, **CUT_OFF)
    await settle(app)
    assert screen.has("#enrol=")
    engine = Engine(a_profile("Ann", "correct horse"))
    app, screen = await opened(engine, ADDRESS, **CUT_OFF)
    await settle(app)
    assert screen.has('id="unlock"') and not engine.called("offer_link")


async def test_no_relay_says_what_to_do():
    """Without a relay the window says so, and names both ways out; a press tries again."""
    engine = Engine(a_profile("Ann"))
    engine.refused = NoRelay()
    app, screen = await opened(engine, ADDRESS, **CUT_OFF)
    await settle(app)
    assert screen.has("none is set") and screen.has("third-party cookies") and screen.has('href="#/settings"')
    engine.refused = None
    await press(app, "make-link")
    assert screen.has("#enrol=") and not screen.has("none is set")


@pytest.mark.parametrize("kind", [PairingExpired, PairingUsedTwice, PairingOffline, OtherPage])
async def test_an_end_has_a_sentence_and_a_way_on(kind):
    """However the link ends, the window says why, and makes another one on a press."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, ADDRESS, **CUT_OFF)
    await settle(app)
    error = kind()
    engine.pairs("ended", link=None, error=[error.code, error.sentence, error.fields])
    await settle(app)
    assert screen.has('role="alert"') and screen.has("Nothing was given")
    await press(app, "make-link")
    assert screen.has("#enrol=")


async def test_leaving_ends_the_link():
    """Who goes elsewhere in the window ends the link."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, ADDRESS, **CUT_OFF)
    await settle(app)
    screen.go("#/")
    await settle(app)
    assert engine.called("end_pairing")


async def test_a_window_that_is_not_cut_off_makes_no_link():
    """With an opener, or where the browser does not say who opened it, the question is over; the latter says why."""
    for more in ({}, {"severed": True}):
        engine = Engine(a_profile("Ann"))
        app, screen = await opened(engine, ADDRESS, **more)
        await settle(app)
        assert screen.has('data-page="over"') and not engine.called("offer_link")
        assert screen.has("hides its address") == bool(more)


def test_the_strip():
    """The frame asks, waits and tells in the person's language, and shows a field only where it can be used."""
    asks = paste_strip.draw("ask", None, "https://store.example/style.css", ["en"])
    assert (
        "Paste the link" in asks
        and 'name="link"' in asks
        and 'href="https://store.example/style.css"' in asks
    )
    for state in ("look", "wait"):
        assert 'type="text"' not in paste_strip.draw(state, None, "", ["en"])
    ended = paste_strip.draw("end", PairingGone(), "", ["en"])
    assert 'lang="en"' in ended and 'role="alert"' in ended and "<input" in ended


class Forms(HTMLParser):
    """What each form sends as `link`: the text field's is "typed"; and the buttons that send it, by their words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.buttons: dict[str, str] = {}
        self._form = self._of = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element."""
        has = dict(attrs)
        if tag == "form":
            self._form = has.get("id") or "first"
        elif tag == "input":
            assert has["name"] == "link" and self._form not in self.links
            self.links[self._form] = (has["value"] or "") if has["type"] == "hidden" else "typed"
        elif tag == "button":
            assert has.get("type", "submit") == "submit"
            self._of = has.get("form") or self._form

    def handle_data(self, data: str) -> None:
        """Take a button's words."""
        if self._of:
            self.buttons[data.strip()] = self._of
            self._of = ""


@pytest.mark.parametrize("state", ["ask", "look", "wait", "end"])
def test_the_strip_can_be_put_off(state):
    """In every state "Not now" sends what no link is, by a form of its own: the frame passes on nothing else."""
    forms = Forms(paste_strip.draw(state, PairingGone() if state == "end" else None, "", ["en"]))
    said = {words: forms.links[form] for words, form in forms.buttons.items()}
    assert said == {"Not now": NOT_NOW} | ({"Connect": "typed"} if state in ("ask", "end") else {})
    with french():
        assert "Pas maintenant" in paste_strip.draw(state, None, "", ["fr"])


@pytest.mark.parametrize("kind", [
    BadPairingLink, NoRelay, OtherPage, PairingBroken, PairingExpired, PairingGone, PairingNotServed, PairingOffline,
    PairingRefused, PairingUsedTwice,
])  # fmt: skip
def test_every_end_has_words_of_its_own(kind):
    """No sentence about devices is shown to somebody who connects an app; what is unknown is said all the same."""
    assert kind.code in LINKED
    said = paste_strip.draw("end", kind(), "", ["en"])
    assert "device" not in said and "Add a device" not in said
    assert "address of a relay" in paste_strip.draw("end", BadRelayAddress(), "", ["en"])
    assert "It is odd." in paste_strip.draw("end", MasqError("It is odd."), "", ["en"])


def test_french():
    """The strip's sentences are there in French, too."""
    with french():
        drawn = paste_strip.draw("ask", None, "", ["fr-CA", "en"])
    assert "bandeau" in drawn and 'lang="fr"' in drawn


async def test_a_page_that_goes_while_its_window_asks_does_not_turn_the_question_into_a_link():
    """The window says that the question is over: its page was there, so it is out of reach because it has gone."""
    engine = Engine(a_profile("Ann"))
    engine.asked = ABOUT
    app, screen = await opened(engine, ADDRESS)
    assert screen.has('data-page="connect"')
    screen.severed, screen.opener, engine.asked = True, ORIGIN, None
    app.told(["overview"])
    await settle(app)
    assert screen.has('data-page="over"') and not screen.has("Referrer-Policy")
    assert engine.called("offer_link") == []
