"""The view functions, from what is known to HTML: one for each page. Nothing here waits, or knows the browser."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from masq.errors import from_wire
from masq_store.core.pages.schema import (
    AccessRequest,
    CurrentProfile,
    FoundBackup,
    LinkProgress,
    ListedApp,
    ListedCopy,
    ListedProfile,
    Overview,
    PairingProgress,
    RemovedDevice,
    RestoredBackup,
)
from masq_store.core.profile.claims import is_this_machine
from masq_store.ui.html import qr
from masq_store.ui.html.render import render
from masq_store.ui.text import error_sentences
from masq_store.ui.text.translation import _


class Question(AccessRequest):
    """The popup's question. `framed`: the app is shown inside another page, as far as is known."""

    framed: bool


class Problem(NamedTuple):
    """A problem on the page: what went wrong, in a `sentence`, and the id of the `field` beside it ("" for none).

    `until_ms`: when the reader may try again, milliseconds since 1970; 0 for at once.
    """

    sentence: str
    field: str = ""
    until_ms: int = 0


class Panel(NamedTuple):
    """The form or question that is open on a page, by `name`, and what it is about. One at a time."""

    name: str = ""
    subject: str = ""


class Notice(NamedTuple):
    """A notice on the page: what was done, in a `sentence`, and the `action` that takes it back ("" for none)."""

    sentence: str = ""
    action: str = ""


class Moment(NamedTuple):
    """The page's transient state: what it is in the middle of.

    `busy` is the id of the button at work ("" for none), `slow` tells that it takes over a second,
    `progress` is how much of it is done and of how much (None: not known),
    `now_ms` is the clock in milliseconds since 1970.
    """

    now_ms: int = 0
    busy: str = ""
    slow: bool = False
    problem: Problem | None = None
    notice: Notice = Notice()
    panel: Panel = Panel()
    progress: tuple[int, int] | None = None

    @property
    def wait(self) -> int:
        """Seconds, rounded up, until the reader may try again."""
        until = self.problem.until_ms if self.problem else 0
        return max(0, -(-(until - self.now_ms) // 1000))


class Page(NamedTuple):
    """A page ready to be shown: its `title` for the tab, and its `html`."""

    title: str
    html: str


class Look(NamedTuple):
    """The settings page's state beside the overview: see preferences.py and screen.Room, in ui/window."""

    language: str = "en"
    theme: str = ""
    used: int = 0
    quota: int = 0
    persisted: bool = False
    traced: bool = False
    trace: Sequence[str] = ()


CALM = Moment()


def _page(template: str, title: str, moment: Moment, **model: Any) -> Page:
    return Page(title, render(template, title=title, **moment._asdict(), wait=moment.wait, **model))


def top(overview: Overview, place: str = "", waiting: bool = False) -> str:
    """The header: whose store this is, and the ways from here. In the popup (`waiting`) there are none."""
    return render("top.html", profile=overview["profile"], place=place, waiting=waiting)


def create(moment: Moment = CALM, request: Question | None = None, *, another: bool = False) -> Page:
    """Make a profile: the first page of all, in the popup on behalf of a `request`, or `another` one."""
    title = _("New profile") if another else _("Make your store")
    return _page("create.html", title, moment, request=request, another=another)


def unlock(
    profile: CurrentProfile,
    moment: Moment = CALM,
    request: Question | None = None,
    profiles: Sequence[ListedProfile] = (),
    removed: RemovedDevice | None = None,
) -> Page:
    """The profile is locked: ask for the passphrase, or for another of the `profiles`.

    `removed`: what is known of another device having removed this one.
    """
    others = [other for other in profiles if other["id"] != profile["id"]]
    model = {"profile": profile, "request": request, "others": others, "removed": removed}
    return _page("unlock.html", _("Locked"), moment, **model)


def failed(
    profile: CurrentProfile, why: str, moment: Moment = CALM, profiles: Sequence[ListedProfile] = ()
) -> Page:
    """The profile cannot be opened; `why`, in a sentence. The others of `profiles` can be gone to."""
    others = [other for other in profiles if other["id"] != profile["id"]]
    title = _("This profile cannot be opened")
    return _page("failed.html", title, moment, profile=profile, why=why, others=others)


def apps(overview: Overview, moment: Moment = CALM) -> Page:
    """All apps of the profile, in the order given, and what withdrawn ones left."""
    model = {"apps": overview["apps"], "kept": overview["kept"], "backup": overview["backup"]}
    return _page("apps.html", _("Your apps"), moment, overview=overview, **model)


class Edited(NamedTuple):
    """The entry that is being edited: its `key`, its `text` as it was then, and what its value `was`."""

    key: str
    text: str
    was: Any = None


def app(
    about: ListedApp,
    entries: Sequence[tuple[str, Any]],
    moment: Moment = CALM,
    *,
    more: bool = False,
    search: str = "",
    opened: frozenset[str] = frozenset(),
    edited: Edited | None = None,
    relay: str = "",
    several: bool = False,
    copies: Sequence[ListedCopy] = (),
) -> Page:
    """One app: what is known about it, its entries, and its withdrawal.

    `entries` are (key, packed value); `opened` are the keys whose long values are shown whole; `relay` is
    the address of the relay in use, "" for none; `several`: the profile is on other devices too; `copies`
    are those that browsers keep of its data.
    """
    model = {"app": about, "entries": entries, "more": more, "search": search, "edited": edited}
    model |= {"relay": relay, "several": several, "copies": copies}
    return _page("app.html", about["name"], moment, opened=opened, **model)


def connect(request: Question, profile: CurrentProfile, moment: Moment = CALM, relay: bool = True) -> Page:
    """The question of the popup: may this app keep its data here? `relay`: copies meet there."""
    return _page("connect.html", request["origin"], moment, request=request, profile=profile, relay=relay)


def settings(overview: Overview, look: Look = Look(), moment: Moment = CALM) -> Page:  # noqa: B008 (a constant)
    """Profiles, passphrase, backup, relay, storage, language, theme and version."""
    return _page("settings.html", _("Settings"), moment, overview=overview, look=look)


def devices(overview: Overview, moment: Moment = CALM) -> Page:
    """The devices that hold the profile, and how they stay in step."""
    return _page("devices.html", _("Your devices"), moment, overview=overview, copies=overview["copies"])


def invite(overview: Overview, state: PairingProgress, moment: Moment = CALM) -> Page:
    """Adding a device, on the one that has the profile; `state` is how far it is."""
    titles = {
        "ask-code": _("Type the six digits"),
        "given": _("The digits are right. Now say yes on the other device"),
        "ended": _("No device was added"),
    }
    title = titles.get(state["state"]) or _("Add a device")
    link = state["link"]
    local = link is not None and is_this_machine(link)  # a code would lead a telephone to itself
    code = qr.code(link) if link and not local else None
    model = {"overview": overview, "state": state, "code": code, "local": local, "why": _why(state)}
    return _page("invite.html", title, moment, **model)


def pair(
    overview: Overview,
    state: PairingProgress | None,
    moment: Moment = CALM,
    *,
    scans: bool = False,
    scanning: str = "",
    link: str = "",
    nonce: str = "",
) -> Page:
    """Bringing a profile here, on the new device; `state` is how far it is, None before a link is there.

    `scans`: the browser can find the link with a camera; `scanning`: it does, with what to do in a sentence;
    `link`: the one that was tried; `nonce`: the question that waits in this window.
    """
    step = state["state"] if state else ""
    titles = {
        "show-code": _("Type these digits on the other device"),
        "agreed": _("Copying the profile"),
        "copying": _("Copying the profile"),
        "done": _("This device is ready"),
        "ended": _("Nothing was taken"),
    }
    title = titles.get(step) or (_("One moment") if step else _("Bring a profile here"))
    model = {"overview": overview, "state": state, "scans": scans, "scanning": scanning}
    model |= {"link": link, "nonce": nonce}
    return _page("pair.html", title, moment, why=_why(state), **model)


def take(overview: Overview, state: PairingProgress, moment: Moment = CALM) -> Page:
    """The new device's question: shall it take the profile?"""
    title = _("Take the profile of {name} onto this device?", name=state["profile"])
    return _page("take.html", title, moment, overview=overview, state=state)


def _why(state: PairingProgress | None) -> str:
    return error_sentences.said(from_wire(state["error"])) if state and state["error"] else ""


def severed(state: LinkProgress | None, why: str = "", moment: Moment = CALM) -> Page:
    """The popup of an app whose page it cannot reach; `state`: of the link, `why` there is none."""
    ended = error_sentences.said_of_link(from_wire(state["error"])) if state and state["error"] else ""
    title = _("No link was made") if why else _("One more step")
    return _page("severed.html", title, moment, state=state, why=why or ended)


def removed(overview: Overview, moment: Moment = CALM) -> Page:
    """Another device has removed this one from a profile: it is erased by now, or the person is asked."""
    profile, apps = overview["profile"], [*overview["apps"], *overview["kept"]]
    others = [other for other in overview["profiles"] if not profile or other["id"] != profile["id"]]
    model = {"removed": overview["removed"], "others": others, "apps": len(apps)}
    model |= {"entries": sum(app["keys"] for app in apps), "bytes": sum(app["bytes"] for app in apps)}
    return _page("removed.html", _("This device was removed"), moment, **model)


def backup(overview: Overview, moment: Moment = CALM, *, origin: str = "", saved: str = "") -> Page:
    """Make a backup of everything, or of the app at `origin`. `saved`: the name of the file that was made."""
    return _page("backup.html", _("Backup"), moment, overview=overview, origin=origin, saved=saved)


def restore(
    overview: Overview,
    moment: Moment = CALM,
    *,
    file: tuple[str, int] | None = None,
    found: FoundBackup | None = None,
    names: Mapping[str, str] | None = None,
    result: RestoredBackup | None = None,
    nonce: str = "",
) -> Page:
    """Bring a backup back: choose a `file`, see what was `found` in it, and what became of it.

    `names` are the apps' names by origin; `nonce` is the question that waits in this window.
    """
    model = {"file": file, "found": found, "names": names or {}, "result": result, "nonce": nonce}
    return _page("restore.html", _("Restore a backup"), moment, profile=overview["profile"], **model)


def message(
    page: str, title: str, *sentences: str, retry: bool = False, home: str = "", moment: Moment = CALM
) -> Page:
    """A title, some sentences, and a way on. `page` names it for styles and tests."""
    model = {"page": page, "sentences": sentences, "retry": retry, "home": home}
    return _page("message.html", title, moment, **model)


def answered(name: str, allowed: bool) -> Page:
    """The popup after its question was answered."""
    if allowed:
        said = _("{name} may now keep its data in your store.", name=name)
    else:
        said = _("{name} was told no. It keeps nothing here and has learnt nothing about you.", name=name)
    title = _("Allowed") if allowed else _("Not allowed")
    return message("answered", title, said, _("You can close this window."))


def behind(name: str) -> Page:
    """The popup where the copy that the browser keeps apart did not come up to date."""
    return message(
        "behind",
        _("Not up to date yet"),
        _(
            "{name} may keep its data in your store, but its copy in this browser has not got everything, or has "
            "not passed on everything.",
            name=name,
        ),
        _("It goes on while this window is open. To try again, close it and press the app's button."),
    )


def damaged(name: str) -> Page:
    """The popup where the copy that the browser keeps apart was damaged, and another one stands in its place."""
    return message(
        "damaged",
        _("The copy was damaged"),
        _(
            "Part of the copy that this browser had of the data of {name} could not be read. What could be read of it "
            "is in the app again, and so is all that your store has.",
            name=name,
        ),
        _(
            "What was in the damaged part and reached nobody is missing. Look whether anything is, and bring it back "
            "from a backup if you have one. The app's page in your store saves what there is as a file."
        ),
        _("You can close this window."),
        home=_("Go to your store"),
    )


def over(severed: bool = False) -> Page:
    """The popup's question is unknown, or the app no longer waits for its answer. `severed`: or it was cut off."""
    hides = _(
        "If you did that just now, the app hides its address from other sites, and your store cannot tell to whom it "
        "would give access. Whoever makes the app can change that (its Referrer-Policy)."
    )
    return message(
        "over",
        _("This question is over"),
        _("The app that asked is no longer waiting: its page was closed or reloaded, or it has its answer."),
        _("To ask again, go back to the app and press its Connect button."),
        *([hides] if severed else []),
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
