"""Every page: escaped, complete, and free of what the content security policy forbids."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ui_rig import (
    ABOUT,
    CLAIMS,
    COPY,
    COUNTER,
    FAR_COPY,
    HERE,
    KEPT,
    LINK,
    OTHER,
    PAIRING,
    PHONE,
    RELAY,
    REMOVED,
    TRASHED,
    Engine,
    a_profile,
    a_relay,
    checked,
)

from masq.errors import to_wire
from masq_store.core.errors import PairingGone
from masq_store.ui.html import render, views
from masq_store.ui.html.views import Edited, Look, Moment, Notice, Panel, Problem
from masq_store.ui.text import sync_status

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&{{ 7*7 }}"
PROFILE = Engine(a_profile("Ann", "right")).overview()["profile"] | {
    "id": "p",
    "locked": False,
    "lock_minutes": 15,
}

ALLOWED = {  # every element and attribute that pages may hold
    "a": {"href", "aria-current"},
    "bdi": set(),
    "button": {"type", "data-action", "data-subject", "aria-disabled", "aria-busy"},
    "dd": set(),
    "div": {"role", "aria-labelledby", "hidden", "tabindex"},
    "dl": set(),
    "dt": set(),
    "fieldset": set(),
    "form": {"data-action", "data-subject", "novalidate"},
    "h1": {"tabindex", "aria-describedby"},
    "h2": set(),
    "h3": {"tabindex"},
    "img": {"src", "alt"},
    "input": {
        "type", "autocomplete", "autocapitalize", "spellcheck", "maxlength", "required", "name", "checked",
        "aria-invalid", "aria-describedby", "value", "inputmode", "readonly", "hidden", "data-first", "data-checked",
    },
    "label": {"for"},
    "legend": set(),
    "li": {"data-origin", "data-profile", "data-device", "data-copy"},
    "meter": {"max", "value", "aria-labelledby"},
    "nav": {"aria-label"},
    "ol": set(),
    "option": {"value", "selected", "lang"},
    "p": {"role"},
    "path": {"d"},
    "progress": {"aria-label", "max", "value"},
    "section": {"data-page", "data-origin", "data-step"},
    "select": {"data-value", "aria-describedby"},
    "span": {"aria-hidden", "role"},
    "strong": set(),
    "svg": {"viewbox", "width", "height", "aria-hidden", "role", "aria-label"},
    "textarea": {
        "rows", "readonly", "autocomplete", "autocapitalize", "spellcheck", "aria-invalid", "aria-describedby",
    },
    "ul": set(),
    "video": {"playsinline", "muted", "aria-label"},
    "wbr": set(),
}  # fmt: skip
EVERYWHERE = {"id", "class", "data-focus", "data-key"}
STYLE = (Path(__file__).parents[3] / "store/site/style.css").read_text()
VOID = {"img", "input", "wbr"}


class Reader(HTMLParser):
    """Collects elements and text, and refuses what is not on the list."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag, attrs):
        """An element begins."""
        assert tag in ALLOWED, tag
        for name, _value in attrs:
            assert name in ALLOWED[tag] | EVERYWHERE, (tag, name)
        given = dict(attrs)
        if tag == "img":
            assert given["src"].startswith("data:image/")
        if tag == "a":
            assert given["href"].startswith(("#/", "#connect="))
        self.elements.append((tag, given))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """An element of SVG that closes itself."""
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        """An element ends."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Text."""
        self.texts.append(data)

    @property
    def text(self):
        """All text in one line."""
        return " ".join("".join(self.texts).split())

    @property
    def ids(self):
        """All ids, each once."""
        found = [given["id"] for _tag, given in self.elements if "id" in given]
        assert len(found) == len(set(found)), found
        return set(found)


def an_app(**fields):
    """An app as the engine describes it."""
    return checked(COUNTER | {"description": "It counts.", "keys": 2, "tabs": 1} | fields, COUNTER)


def asks(app, **fields):
    """What the popup knows of an app that asks: see `App.request`."""
    return ABOUT | {name: app[name] for name in CLAIMS} | {"framed": False} | fields


def evil_app():
    """An app that tries to get out of its text in every field."""
    return an_app(origin="https://" + EVIL, name=EVIL, description=EVIL, icon="data:image/png," + EVIL)


ENTRIES = [("count", 1), (EVIL, EVIL), ("long", "x" * 5000), ("deep", {EVIL: [{"$bytes": "AAEC"}]})]


LATER = 4_000_000_000_000


def an_overview(profile, *apps, **fields):
    """What the engine tells of everything."""
    other = {"id": "q", "name": profile["name"], "active": False, "passphrase": False}
    mine = {"id": "p", "name": profile["name"], "active": True, "passphrase": profile["passphrase"]}
    known = {"profile": profile, "profiles": [mine, other], "apps": list(apps), "kept": []}
    known |= {"backup": {"due": False, "last_ms": None}, "keeps_keys": "kept", "persistent": False}
    known |= {"sync": sync_status.OFF, "devices": [], "copies": [], "removed": None, "trash": []}
    known |= {"build": 7, "version": "0.1.0"} | fields
    return checked(known, Engine().overview())


def in_step(**fields):
    """What the engine tells of a profile that is in step, or should be."""
    return sync_status.OFF | {"state": "live", "relay": a_relay(RELAY)} | fields


def synced_pages(app, name):
    """Every page about devices, for a profile and devices called `name`."""
    profile = PROFILE | {"name": name}
    devices = [HERE | {"name": name}, PHONE | {"name": name, "clock_off_ms": 400_000}]
    wrong = {"url": name, "default": RELAY, "own": name, "problem": ["Unknown", name, {}]}
    states = [sync_status.OFF, in_step()]
    states += [
        in_step(state=state, relay=wrong, last_ms=5, waiting=2) for state in ("offline", "catching-up")
    ]
    states += [in_step(copying={"done": 1, "of": 0}, refused=2, repeated=1, clock_off_ms=-90_000)]
    for sync in states:
        here = an_overview(profile, app, sync=sync, devices=devices)
        yield "apps", views.apps(here)
        yield "devices", views.devices(here)
        yield "settings", views.settings(here, moment=Moment(problem=Problem(name, "relay-address")))
    yield "app", views.app(app, ENTRIES, Moment(panel=Panel("withdraw")), relay=name, several=True)
    kept = [{key: app[key] for key in KEPT} | {"origin": "https://kept.example"}]
    erasing = Moment(panel=Panel("erase", kept[0]["origin"]))
    yield "apps", views.apps(an_overview(profile, kept=kept, devices=devices), erasing)
    yield "settings", views.settings(here, moment=Moment(panel=Panel("delete-profile", "p")))
    for panel in ("rename-device", "remove-device"):
        moment = Moment(panel=Panel(panel, PHONE["id"]), problem=Problem(name, "device-name"), slow=True)
        yield "devices", views.devices(here, moment)
    yield "apps", views.apps(an_overview(profile, app | {"sync": sync_status.APP_OFF | {"on": False}}))
    copies = [each | {"name": name, "device": name, "app": app["origin"]} for each in (COPY, FAR_COPY)]
    copies += [copies[1] | {"id": "ff" * 8, "device": None}]
    for panel in ("", "remove-copy", "withdraw"):
        moment = Moment(panel=Panel(panel, copies[0]["id"]), problem=Problem(name))
        yield "devices", views.devices(here | {"copies": copies}, moment)
        yield "app", views.app(app, ENTRIES, moment, relay=name, copies=copies)
        yield "app", views.app(app, ENTRIES, moment, copies=copies[1:])
    error = to_wire(PairingGone(True))
    for role, steps in (
        ("old", ("connecting", "waiting", "answered", "ask-code", "given", "ended")),
        ("new", ("connecting", "waiting", "answered", "show-code", "agreed", "copying", "done", "ended")),
    ):
        for step in steps:
            state = PAIRING | {"role": role, "state": step, "link": LINK, "until_ms": 0, "code": "012345"}
            state |= {"profile": name, "device": name, "name": name, "error": error}
            if role == "old":
                yield "invite", views.invite(here, state, Moment(problem=Problem(name, "pair-code")))
            else:
                yield "pair", views.pair(here, state, Moment(notice=Notice(name)), nonce="00")
    yield (
        "take",
        views.take(here, state | {"state": "ask-take"}, Moment(problem=Problem(name, "device-name"))),
    )
    yield "take", views.take(here | {"profile": None}, state | {"state": "ask-take"})
    yield "pair", views.pair(here, None, scans=True)
    yield "pair", views.pair(here | {"profile": None}, None, scans=True, scanning=name, nonce="00")
    yield "pair", views.pair(here, None, Moment(problem=Problem(name, "pair-paste")), link=name)
    trashed = [TRASHED | {"name": name}, TRASHED | {"id": "ab" * 16, "keys": None, "bytes": None}]
    for panel in ("", "erase-trash"):
        for one in trashed:
            moment = Moment(panel=Panel(panel, one["id"]), problem=Problem(name))
            yield "apps", views.apps(an_overview(profile, app, trash=trashed), moment)
    for state, until_ms in (("ask", LATER), ("ask", None), ("erased", None), ("kept", None)):
        removed = {"profile": name, "state": state, "until_ms": until_ms}
        seen = an_overview(profile, app, devices=devices[1:], removed=removed)
        for panel in ("", "erase-removed"):
            yield "removed", views.removed(seen, Moment(panel=Panel(panel), problem=Problem(name)))
        yield "unlock", views.unlock(profile, removed=removed)
        yield "apps", views.apps(seen)
        yield "devices", views.devices(seen)
    yield "removed", views.removed(seen | {"profile": None, "removed": removed | {"state": "erased"}})


def pages(app, name):
    """Every page there is, for `app` and a profile called `name`."""
    profile = PROFILE | {"name": name}
    bare = profile | {"passphrase": False, "stays_unlocked": True}
    here = an_overview(profile, app)
    problem = Moment(
        busy="unlock", slow=True, problem=Problem(name, "passphrase", LATER), notice=Notice(name)
    )
    kept = {key: app[key] for key in KEPT} | {"origin": "https://kept.example"}
    asked, apart = asks(app), asks(app, apart=True)
    yield "create", views.create()
    yield "create", views.create(Moment(problem=Problem(name, "profile-name")), asked)
    yield "create", views.create(another=True)
    yield "unlock", views.unlock(profile)
    yield "unlock", views.unlock(profile, problem, asked, here["profiles"])
    yield "apps", views.apps(an_overview(profile), problem)
    yield "apps", views.apps(an_overview(profile, app, app | {"origin": "http://b", "tabs": 0}))
    due = {"due": True, "last_ms": 5}
    yield (
        "apps",
        views.apps(an_overview(profile, app, kept=[kept], backup=due), Moment(problem=Problem(name))),
    )
    erasing = Moment(panel=Panel("erase", kept["origin"]), busy="erase")
    yield (
        "apps",
        views.apps(an_overview(profile, kept=[kept], backup={"due": True, "last_ms": None}), erasing),
    )
    yield "app", views.app(app, [])
    yield "app", views.app(app, ENTRIES, problem, more=True, search=name, opened=frozenset(["long", EVIL]))
    yield "app", views.app(app, ENTRIES, Moment(problem=Problem(name), panel=Panel("withdraw")))
    yield "app", views.app(app, ENTRIES, Moment(problem=Problem(name, "entry-key"), panel=Panel("add")))
    edit = Moment(
        problem=Problem(name, "entry-value"), panel=Panel("edit", EVIL), notice=Notice(name, "undo")
    )
    yield "app", views.app(app, ENTRIES, edit, edited=Edited(EVIL, "\n" + EVIL, 1))
    yield "app", views.app(app, ENTRIES, edit, edited=Edited("gone", EVIL, 1))
    yield "app", views.app(app, ENTRIES, Moment(busy="export", progress=(1, 2)))
    yield "connect", views.connect(asked, profile)
    yield "connect", views.connect(asked, profile, Moment(problem=Problem(name), slow=True, busy="allow"))
    yield "connect", views.connect(apart, profile)
    yield "connect", views.connect(apart, profile, Moment(busy="allow", slow=True), relay=False)
    for newer, keys in ((True, 5), (False, 5), (True, None), (False, None)):
        yield "connect", views.connect(apart | {"other": OTHER | {"newer": newer, "keys": keys}}, profile)
    for each in (asked, apart):
        for moment in (Moment(busy="allow", slow=True), Moment(problem=Problem(name))):
            yield "connect", views.connect(each | {"registered": True}, profile, moment)
    yield "settings", views.settings(here, Look("fr", "dark", 10, 100, True), problem)
    yield "settings", views.settings(an_overview(bare, keeps_keys="plain"))
    yield (
        "settings",
        views.settings(an_overview(bare, keeps_keys="none"), moment=Moment(problem=Problem(name))),
    )
    for panel in ("rename", "add-passphrase", "change-passphrase", "remove-passphrase"):
        for wrong in ("passphrase", "passphrase-new", "passphrase-repeat", "profile-name"):
            moment = Moment(panel=Panel(panel), problem=Problem(name, wrong, LATER))
            yield "settings", views.settings(here, moment=moment)
    for subject in ("p", "q"):
        yield "settings", views.settings(here, moment=Moment(panel=Panel("delete-profile", subject)))
    yield "backup", views.backup(here)
    yield "backup", views.backup(here, Moment(busy="backup", progress=(1, 3)), origin=app["origin"])
    yield "backup", views.backup(here, Moment(problem=Problem(name, "passphrase-repeat")))
    yield "backup", views.backup(here, saved=name)
    nobody = here | {"profile": None}
    found = {"name": name, "made_ms": 0, "whole": False, "same": False}
    found["apps"] = [{"origin": app["origin"], "name": app["name"], "keys": 2}]
    yield "restore", views.restore(here)
    yield "restore", views.restore(nobody, nonce="00")
    for wrong in ("passphrase", "backup-file", ""):
        yield "restore", views.restore(here, Moment(problem=Problem(name, wrong)), file=(name, 10))
    for overview in (here, nobody):
        for same in (True, False):
            yield "restore", views.restore(overview, found=found | {"same": same})
    yield "restore", views.restore(here, found=found | {"apps": []})
    result = {"merged": [app["origin"]], "skipped": [name], "moved": [name]}
    yield "restore", views.restore(here, result=result, names={app["origin"]: app["name"]}, nonce="00")
    yield "restore", views.restore(here, result={"merged": [], "skipped": [], "moved": []})
    yield from synced_pages(app, name)
    yield "answered", views.answered(name, True)
    yield "answered", views.answered(name, False)
    yield "behind", views.behind(name)
    yield "damaged", views.damaged(name)
    yield "over", views.over()
    yield "nowhere", views.nowhere()
    yield "unknown-app", views.unknown_app(name)
    yield "loading", views.loading()
    yield "unreachable", views.unreachable(name)


PLAIN = list(pages(an_app(), "Ann"))
HOSTILE = list(pages(evil_app(), EVIL))


@pytest.mark.parametrize(
    ("name", "page"), PLAIN + HOSTILE, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_page_holds_only_listed_elements_and_attributes(name, page):
    """No page has a script, a style attribute, an inline handler or a foreign address, whatever apps say."""
    reader = Reader(page.html)
    assert ("section", name) == (reader.elements[0][0], reader.elements[0][1]["data-page"])
    assert [tag for tag, _given in reader.elements].count("h1") == 1
    for _tag, given in reader.elements:
        for described in (given.get("aria-describedby") or "").split():
            assert described in reader.ids
        assert given.get("for", None) is None or given["for"] in reader.ids


def test_what_an_app_says_of_itself_stays_text():
    """A hostile name, origin, description, key and value appear letter by letter."""
    reader = Reader(views.app(evil_app(), ENTRIES).html)
    assert reader.text.count(EVIL) >= 4


def test_the_header_leads_to_the_settings_and_locks():
    """An open store with a passphrase has both; in the popup there is no way that leaves the question."""
    overview = an_overview(PROFILE | {"name": EVIL})
    assert Reader(views.top(overview)).ids == {"who", "lock", "to-devices", "to-settings"}
    assert Reader(views.top(overview, waiting=True)).ids == {"who"}
    assert Reader(views.top(an_overview(PROFILE | {"locked": True}))).ids == {"who"}
    assert views.top({"profile": None}).strip() == ""


@pytest.mark.parametrize(
    ("page", "ids"),
    [
        (
            views.create(),
            {"profile-name", "passphrase", "passphrase-repeat", "stay-unlocked", "create-profile"},
        ),
        (views.unlock(PROFILE), {"passphrase", "stay-unlocked", "unlock"}),
        (views.apps(an_overview(PROFILE, an_app())), {"apps"}),
        (views.app(an_app(), ENTRIES), {"app-origin", "withdraw", "search", "entries", "sync-on"}),
        (
            views.app(an_app(), ENTRIES, Moment(panel=Panel("withdraw"))),
            {"withdraw-confirm", "withdraw-erase", "close"},
        ),
        (views.connect(asks(an_app()), PROFILE), {"app-origin", "allow", "deny"}),
        (
            views.settings(an_overview(PROFILE)),
            {
                "profiles",
                "switch-profile",
                "new-profile",
                "lock-now",
                "stay-unlocked",
                "lock-minutes",
                "relay-address",
                "save-relay",
                "to-backup",
                "to-restore",
                "storage",
                "persistent",
                "language",
                "theme",
                "version",
            },
        ),
        (views.backup(an_overview(PROFILE)), {"backup-what", "passphrase", "passphrase-repeat", "backup"}),
        (views.restore(an_overview(PROFILE)), {"backup-file", "passphrase", "look"}),
        (
            views.settings(an_overview(PROFILE, sync=in_step(relay=a_relay(RELAY, RELAY)))),
            {"no-relay", "default-relay"},
        ),
        (views.devices(an_overview(PROFILE, sync=in_step(), devices=[HERE])), {"devices", "add-device"}),
        (views.devices(an_overview(PROFILE)), {"devices", "to-relay", "have-link"}),
        (
            views.invite(an_overview(PROFILE), PAIRING | {"state": "waiting", "link": LINK}),
            {"pair-link", "pair-qr", "copy-link", "pair-refuse"},
        ),
        (
            views.invite(an_overview(PROFILE), PAIRING | {"state": "ask-code"}),
            {"pair-code", "pair-confirm", "pair-refuse"},
        ),
        (views.pair(an_overview(PROFILE), None), {"pair-paste", "pair-join"}),
        (
            views.pair(an_overview(PROFILE), PAIRING | {"state": "show-code", "code": "012345"}),
            {"pair-code", "pair-refuse"},
        ),
        (
            views.take(an_overview(PROFILE), PAIRING | {"state": "ask-take", "profile": "Ann"}),
            {"device-name", "passphrase", "stay-unlocked", "pair-confirm", "pair-refuse"},
        ),
        (
            views.devices(an_overview(PROFILE, devices=[HERE], copies=[COPY])),
            {"devices", "copies", f"open-remove-copy-{COPY['id']}"},
        ),
        (
            views.removed(an_overview(PROFILE, removed=REMOVED | {"state": "erased"})),
            {"removed", "seen-removed"},
        ),
        (
            views.removed(an_overview(PROFILE, removed=REMOVED)),
            {"removed", "removed-until", "keep-removed", "open-erase-removed", "switch-profile"},
        ),
        (
            views.removed(an_overview(PROFILE, removed=REMOVED), Moment(panel=Panel("erase-removed"))),
            {"erase-removed-question", "erase-removed", "close"},
        ),
        (views.unlock(PROFILE, removed=REMOVED), {"removed", "unlock"}),
        (
            views.apps(an_overview(PROFILE, trash=[TRASHED])),
            {"trash", f"put-back-{TRASHED['id']}", f"open-erase-trash-{TRASHED['id']}"},
        ),
        (
            views.apps(an_overview(PROFILE, removed=REMOVED | {"state": "kept"})),
            {"kept-removed", "to-backup", "to-new-profile"},
        ),
        (views.unreachable("It is gone."), {"error", "try-again"}),
    ],
)
def test_the_promised_ids_are_there(page, ids):
    """Tests and users' own scripts find what the pages promise."""
    assert Reader(page.html).ids >= ids


def test_the_apps_carry_their_origins():
    """Each app of the list has its origin on its element, in its link, and in full as text."""
    reader = Reader(views.apps(an_overview(PROFILE, an_app())).html)
    [item] = [given for tag, given in reader.elements if tag == "li"]
    assert item["data-origin"] == "http://counter.localhost:8000"
    assert "#/app/http%3A%2F%2Fcounter.localhost%3A8000" in [g.get("href") for _t, g in reader.elements]
    assert "http://counter.localhost:8000" in reader.text


def test_the_question_names_the_origin_first():
    """In the popup the origin stands before what the app calls itself."""
    text = Reader(views.connect(asks(an_app()), PROFILE).html).text
    assert -1 < text.index("http://counter.localhost:8000") < text.index("Counter")


def test_a_problem_stands_beside_its_field():
    """The sentence is an alert, and the field names it as its description."""
    moment = Moment(problem=Problem("The two passphrases differ.", "passphrase-repeat"))
    reader = Reader(views.create(moment).html)
    [field] = [given for _tag, given in reader.elements if given.get("id") == "passphrase-repeat"]
    [error] = [given for _tag, given in reader.elements if given.get("id") == "error"]
    assert field["aria-invalid"] == "true" and field["aria-describedby"] == "error"
    assert error["role"] == "alert" and "The two passphrases differ." in reader.text


def test_an_icon_that_is_no_image_is_not_shown():
    """Only a data: image becomes an image; any other address becomes the app's letter."""
    reader = Reader(views.connect(asks(an_app(icon="https://track.example/x.png")), PROFILE).html)
    assert "img" not in [tag for tag, _given in reader.elements]


def test_a_busy_button_says_so():
    """The button at work says what it does and does not take a second press."""
    reader = Reader(views.unlock(PROFILE, Moment(busy="unlock")).html)
    [button] = [given for _tag, given in reader.elements if given.get("id") == "unlock"]
    assert button["aria-busy"] == button["aria-disabled"] == "true" and "Unlocking…" in reader.text


def test_every_template_is_compiled_at_import():
    """The list of templates is what the folder holds, so that the memory snapshot misses none."""
    folder = Path(render.__file__).parents[1] / "templates"
    assert {path.name for path in folder.iterdir()} == set(render.NAMES)


def test_the_style_sheet_loads_nothing():
    """The one style sheet has no address in it."""
    assert "url(" not in STYLE and "@import" not in STYLE


def test_every_class_has_a_style():
    """No page uses a class that the style sheet does not know."""
    known = set(re.findall(r"\.([a-z][a-z-]*)", STYLE)) | {"page", "field", "text"}
    for _name, page in PLAIN:
        for _tag, given in Reader(page.html).elements:
            assert set((given.get("class") or "").split()) <= known
