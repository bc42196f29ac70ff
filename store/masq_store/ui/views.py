"""From what is known to HTML: one function for each page. Nothing here waits, or knows the browser."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .render import render
from .words import _

Json = dict[str, Any]


class Problem(NamedTuple):
    """What went wrong, in a `sentence`, and the id of the `field` it stands beside ("" for none)."""

    sentence: str
    field: str = ""


class Moment(NamedTuple):
    """What the page is in the middle of.

    `busy` is the id of the button at work ("" for none), `slow` tells that it takes over a second,
    `now_ms` is the clock in milliseconds since 1970.
    """

    now_ms: int = 0
    busy: str = ""
    slow: bool = False
    problem: Problem | None = None
    notice: str = ""


class Page(NamedTuple):
    """A page ready to be shown: its `title` for the tab, and its `html`."""

    title: str
    html: str


CALM = Moment()


def _page(template: str, title: str, moment: Moment, **model: Any) -> Page:
    return Page(title, render(template, **moment._asdict(), **model))


def create(moment: Moment = CALM, request: Json | None = None) -> Page:
    """The first page of all: make a profile, in the popup on behalf of a `request`."""
    return _page("create.html", _("Make your store"), moment, request=request)


def unlock(profile: Json, moment: Moment = CALM, request: Json | None = None) -> Page:
    """The profile is locked: ask for the passphrase."""
    return _page("unlock.html", _("Locked"), moment, profile=profile, request=request)


def apps(overview: Json, moment: Moment = CALM) -> Page:
    """All apps of the profile, in the order given."""
    return _page("apps.html", _("Your apps"), moment, apps=overview["apps"])


def app(
    about: Json,
    entries: Sequence[tuple[str, Any]],
    moment: Moment = CALM,
    *,
    more: bool = False,
    prefix: str = "",
    opened: frozenset[str] = frozenset(),
    confirming: bool = False,
) -> Page:
    """One app: what is known about it, its entries, and its withdrawal.

    `entries` are (key, packed value); `opened` are the keys whose long values are shown whole.
    """
    model = {"app": about, "entries": entries, "more": more, "prefix": prefix}
    return _page("app.html", about["name"], moment, opened=opened, confirming=confirming, **model)


def connect(request: Json, profile: Json, moment: Moment = CALM) -> Page:
    """The question of the popup: may this app keep its data here?"""
    return _page("connect.html", request["origin"], moment, request=request, profile=profile)


def message(
    page: str, title: str, *sentences: str, retry: bool = False, home: str = "", moment: Moment = CALM
) -> Page:
    """A title, some sentences, and a way on. `page` names it for styles and tests."""
    model = {"page": page, "sentences": sentences, "retry": retry, "home": home}
    return Page(title, render("message.html", title=title, **moment._asdict(), **model))


def answered(name: str, allowed: bool) -> Page:
    """The popup after its question was answered."""
    if allowed:
        said = _("{name} may now keep its data in your store.", name=name)
    else:
        said = _("{name} was told no. It keeps nothing here and has learnt nothing about you.", name=name)
    title = _("Allowed") if allowed else _("Not allowed")
    return message("answered", title, said, _("You can close this window."))


def over(profile: Json | None = None) -> Page:
    """The popup's question is unknown, or the app no longer waits for its answer."""
    return message(
        "over",
        _("This question is over"),
        _("The app that asked is no longer waiting: its page was closed or reloaded, or it has its answer."),
        _("To ask again, go back to the app and press its Connect button."),
        home=_("Go to your store"),
    )


def nowhere() -> Page:
    """An address that names nothing."""
    return message(
        "nowhere",
        _("There is no such page"),
        _("The address may have been cut short, or come from another version of Masq."),
        home=_("Go to your apps"),
    )


def unknown_app(origin: str) -> Page:
    """An app's page for an origin that the profile does not know."""
    return message(
        "unknown-app",
        _("This app keeps nothing here"),
        _("{origin} has not been allowed, or was withdrawn.", origin=origin),
        _("To allow it, open the app itself and press its Connect button."),
        home=_("Go to your apps"),
    )


def loading() -> Page:
    """The store has been asked and has not answered yet."""
    return message("loading", _("One moment"), moment=Moment(slow=True))


def unreachable(sentence: str, detail: str = "") -> Page:
    """The engine does not answer, or cannot open its storage; `sentence` says why, `detail` more."""
    return message(
        "unreachable",
        _("Your store does not answer"),
        _("Nothing was deleted. Try again."),
        _("If that changes nothing, close all pages of Masq and of apps that use it, and open them again."),
        *([_("What was reported: {detail}", detail=detail)] if detail else []),
        retry=True,
        moment=Moment(problem=Problem(sentence)),
    )
