"""The pages at work: what the reader does and what the engine tells become the next page.

    await start(link)            # the store's own pages
    await start(link, nonce, done)    # the popup that asks about one app

Everything of the browser is behind `dom.Screen`, so that these flows are tested without one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from masq.errors import MasqError

from . import views
from .routes import Place, read_hash
from .views import Json, Moment, Page, Problem
from .words import _

LOADING_AFTER = 0.4  # seconds before an unanswered page says so
SLOW_AFTER = 1.0  # seconds before a busy button gets a progress bar
SEARCH_AFTER = 0.15  # seconds without a key stroke before the search runs
REFRESH_PAUSE = 0.2  # seconds between two redraws for changes that apps make
ENTRIES = 50  # shown at first, and added by each "Show more"
MAX_NAME = 64  # characters, as masq_store.core.access allows
NOT_HERE = ("NotRegistered",)


class Link(Protocol):
    """The engine as a page reaches it."""

    on_event: Callable[[list[Any]], None]

    def call(self, method: str, *args: Any) -> Awaitable[Any]:
        """Return the engine's answer, or raise a MasqError."""


class Screen(Protocol):
    """The browser's window as the pages use it (see dom.py)."""

    def show(self, page: Page, arriving: bool, who: str) -> None:
        """Draw `page`, keeping what is typed and focused unless the reader is just `arriving`."""

    def fields(self) -> dict[str, Any]:
        """Return what the fields hold, by id: text, or bool for a checkbox."""

    def focus(self, name: str) -> None:
        """Move the focus to the element with that id."""

    def address(self) -> str:
        """Return the address after the page's "#", as it stands there."""

    def go(self, address: str) -> None:
        """Change the address after the "#"; `App.moved` is called if it was another."""

    def reload(self) -> None:
        """Load the whole page again."""


class App:
    """The pages of one window. `done(allowed)` is called once the popup's question is answered."""

    def __init__(
        self,
        link: Link,
        screen: Screen,
        popup_nonce: str | None = None,
        done: Callable[[bool], Any] | None = None,
    ) -> None:
        self.link = link
        self.screen = screen
        self.popup_nonce = popup_nonce
        self.done = done
        self.place = Place("apps")
        self.overview: Json = {"profile": None, "apps": []}
        self.request: Json | None = None
        self.about: Json | None = None
        self.entries: list[tuple[str, Any]] = []
        self.more = False
        self.prefix = ""
        self.wanted = ENTRIES
        self.opened: frozenset[str] = frozenset()
        self.confirming = False
        self.moment = Moment()
        self.final: Page | None = None  # stays until the reader goes elsewhere
        self.turn = 0
        self.stale = False
        self.acting = False
        self.tasks: set[asyncio.Task[Any]] = set()
        self.searching: asyncio.TimerHandle | None = None
        link.on_event = self.told

    # ---- where we are

    async def arrive(self) -> None:
        """Read the address, fetch what its page needs, and show it."""
        place = read_hash(self.screen.address())
        if self.popup_nonce and place.page == "apps":
            place = Place("connect", nonce=self.popup_nonce)
        self.popup_nonce = None
        self.place = place
        self.request = self.about = self.final = None
        self.entries, self.more, self.prefix, self.wanted = [], False, "", ENTRIES
        self.opened, self.confirming = frozenset(), False
        self.moment = self.moment._replace(problem=None)
        later = asyncio.get_running_loop().call_later(LOADING_AFTER, self._still_loading, self.turn + 1)
        try:
            await self.fetch(arriving=True)
        finally:
            later.cancel()
        self.moment = self.moment._replace(notice="")

    async def fetch(self, arriving: bool = False) -> None:
        """Ask the engine for what the present page shows, then draw it."""
        self.turn += 1
        turn = self.turn
        try:
            overview = await self.link.call("overview")
            request = about = None
            entries: list[tuple[str, Any]] = []
            more = False
            if self.place.page == "connect":
                request = await self._question()
            elif self.place.page == "app" and _is_open(overview):
                about = await self._about()
                if about:
                    entries, more = await self._entries()
        except MasqError as error:
            if turn == self.turn:
                self.lost(error)
            return
        if turn != self.turn:
            return
        self.overview, self.request = overview, request
        self.about, self.entries, self.more = about, entries, more
        self.draw(arriving)
        if request and request["registered"] and _is_open(overview) and not self.moment.busy:
            await self._answer(True)  # allowed before: unlocking was all that was needed

    async def _question(self) -> Json | None:
        try:
            request: Json | None = await self.link.call("request", self.place.nonce)
            return request
        except MasqError as error:
            if _code(error) == "Locked":
                return None
            raise

    async def _about(self) -> Json | None:
        try:
            about: Json = await self.link.call("app", self.place.origin)
            return about
        except MasqError as error:
            if _code(error) in NOT_HERE:
                return None
            raise

    async def _entries(self) -> tuple[list[tuple[str, Any]], bool]:
        entries: list[tuple[str, Any]] = []
        more = True
        while more and len(entries) < self.wanted:
            after = entries[-1][0] if entries else ""
            answer = await self.link.call("entries", self.place.origin, self.prefix, after, ENTRIES)
            more = bool(answer["more"] and answer["entries"])
            entries += [(key, packed) for key, packed in answer["entries"]]
        return entries, more

    # ---- what is shown

    def page(self) -> Page:
        """Return the page for what is known now."""
        profile = self.overview["profile"]
        if self.final:
            return self.final
        if self.place.page == "nowhere":
            return views.nowhere()
        if self.place.page == "connect" and not self.request and not (profile and profile["locked"]):
            return views.over()
        if not profile:
            return views.create(self.moment, self.request)
        if profile["locked"]:
            return views.unlock(profile, self.moment, self.request)
        if self.place.page == "connect":
            assert self.request is not None
            return views.connect(self.request, profile, self.moment)
        if self.place.page == "app":
            return self._app_page()
        return views.apps(self.overview, self.moment)

    def _app_page(self) -> Page:
        if not self.about:
            return views.unknown_app(self.place.origin)
        return views.app(
            self.about,
            self.entries,
            self.moment,
            more=self.more,
            prefix=self.prefix,
            opened=self.opened,
            confirming=self.confirming,
        )

    def draw(self, arriving: bool = False) -> None:
        """Show the page for what is known now."""
        self.moment = self.moment._replace(now_ms=int(time.time() * 1000))
        profile = self.overview["profile"]
        self.screen.show(self.page(), arriving, profile["name"] if profile else "")

    def _still_loading(self, turn: int) -> None:
        if turn == self.turn:
            self.screen.show(views.loading(), True, "")

    def lost(self, error: Exception) -> None:
        """Say that the engine does not answer, and what to do. Also for whoever holds the link."""
        self.turn += 1
        self.final = _trouble(error)
        self.screen.show(self.final, True, "")

    # ---- what happens

    def moved(self) -> None:
        """The address changed."""
        self.start(self.arrive())

    def told(self, event: list[Any]) -> None:
        """The engine says that something changed: fetch again, but not for each change of many."""
        ours = event and (event[0] == "overview" or event[1:2] == [self.place.origin])
        if not ours or self.final:
            return
        if self.stale:
            return
        self.stale = True
        self.start(self._refresh())

    async def _refresh(self) -> None:
        await asyncio.sleep(REFRESH_PAUSE if self.turn > 1 else 0)
        self.stale = False
        if not self.moment.busy and not self.final:  # an act under way fetches at its end
            await self.fetch()

    def start(self, work: Any) -> None:
        """Run a coroutine, and show its failure instead of losing it."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        self.failed(error)
        raise error  # type: ignore[misc]  # into the console, with its traceback

    def failed(self, error: BaseException | None) -> None:
        """Say that these pages themselves have a fault."""
        self.lost(MasqError(_("Something in this page failed: {error}", error=repr(error))))

    def acted(self, action: str, index: int = -1) -> None:
        """The reader pressed the button or sent the form named `action`."""
        if action == "reload":
            self.screen.reload()
            return
        if self.moment.busy or self.acting:
            return
        doing = {
            "create": self._create,
            "unlock": self._unlock,
            "allow": lambda: self._answer(True),
            "deny": lambda: self._answer(False),
            "show-more": self._show_more,
            "withdraw-confirm": self._withdraw,
        }.get(action)
        if doing:
            self.acting = True  # at once: two presses can come before the first task begins
            self.start(self._alone(doing()))
        elif action in ("show-all", "show-less") and 0 <= index < len(self.entries):
            key = self.entries[index][0]
            self.opened = self.opened | {key} if action == "show-all" else self.opened - {key}
            self.draw()
        elif action in ("withdraw", "withdraw-cancel"):
            self.confirming = action == "withdraw"
            self.draw()
            self.screen.focus("withdraw-question" if self.confirming else "withdraw")

    async def _alone(self, doing: Awaitable[None]) -> None:
        try:
            await doing
        finally:
            self.acting = False

    def typed(self, field: str) -> None:
        """The reader typed into the field with that id."""
        if field != "search":
            return
        if self.searching:
            self.searching.cancel()
        self.searching = asyncio.get_running_loop().call_later(SEARCH_AFTER, self._search)

    def _search(self) -> None:
        self.prefix, self.wanted = str(self.screen.fields().get("search", "")), ENTRIES
        self.start(self.fetch())

    # ---- acts: a call that the reader waits for

    async def _act(self, button: str, work: Awaitable[Any], fields: dict[str, str] | None = None) -> bool:
        """Wait for `work` with `button` busy. True if it went well; else the problem is on the page.

        `fields` says beside which field an error of some code is shown; "" stands for every other code.
        """
        self.moment = self.moment._replace(busy=button, slow=False, problem=None)
        self.draw()
        later = asyncio.get_running_loop().call_later(SLOW_AFTER, self._slow, button)
        try:
            await work
        except MasqError as error:
            at = (fields or {}).get(_code(error), "")
            said = str(error)
            if at == "profile-name":
                said = _("This name cannot be used: {reason}.", reason=getattr(error, "reason", said))
            self.moment = self.moment._replace(busy="", slow=False)
            self._refuse(said, at)
            return False
        finally:
            later.cancel()
            self.moment = self.moment._replace(busy="", slow=False)
        return True

    def _slow(self, button: str) -> None:
        if self.moment.busy == button:
            self.moment = self.moment._replace(slow=True)
            self.draw()

    def _refuse(self, sentence: str, field: str = "") -> None:
        self.moment = self.moment._replace(problem=Problem(sentence, field))
        self.draw()
        if field:
            self.screen.focus(field)

    async def _create(self) -> None:
        fields = self.screen.fields()
        name = str(fields.get("profile-name", "")).strip()
        passphrase = str(fields.get("passphrase", ""))
        if not name:
            return self._refuse(_("Type a name first. Any name will do."), "profile-name")
        if len(name) > MAX_NAME:
            said = _("This name is {n} characters long. The most is {most}.", n=len(name), most=MAX_NAME)
            return self._refuse(said, "profile-name")
        if passphrase and fields.get("passphrase-repeat", "") != passphrase:
            said = _("The two passphrases differ. Type the same one twice.")
            return self._refuse(said, "passphrase-repeat")
        stay = bool(fields.get("stay-unlocked")) or not passphrase
        work = self.link.call("create_profile", name, passphrase, stay)
        beside = {"InvalidValue": "profile-name", "InvalidKey": "profile-name"}
        if await self._act("create-profile", work, beside):
            await self.fetch(arriving=True)

    async def _unlock(self) -> None:
        fields = self.screen.fields()
        passphrase = str(fields.get("passphrase", ""))
        if not passphrase:
            return self._refuse(_("Type your passphrase first."), "passphrase")
        work = self.link.call("unlock", passphrase, bool(fields.get("stay-unlocked")))
        if await self._act("unlock", work, {"WrongPassphrase": "passphrase"}):
            await self.fetch(arriving=True)

    async def _answer(self, allowed: bool) -> None:
        request = self.request
        if not request:
            return
        button = "allow" if allowed else "deny"
        if not await self._act(button, self.link.call("answer", self.place.nonce, allowed)):
            return
        self.final = views.answered(request["name"], allowed)
        self.draw(arriving=True)
        if self.done:
            result = self.done(allowed)
            if result is not None and hasattr(result, "__await__"):
                await result

    async def _show_more(self) -> None:
        self.wanted += ENTRIES
        await self._act("show-more", self.fetch())
        self.draw()

    async def _withdraw(self) -> None:
        about = self.about
        if not about or not await self._act("withdraw-confirm", self.link.call("withdraw", about["origin"])):
            return
        notice = _("{name} was withdrawn. Its data is still here, on this device.", name=about["name"])
        self.moment = self.moment._replace(notice=notice)
        self.screen.go("#/")


def _code(error: MasqError) -> str:
    return str(getattr(error, "code", type(error).__name__))


def _trouble(error: Exception) -> Page:
    """The page for an engine that failed. Some errors' own sentences are written for programmers."""
    code = getattr(error, "code", "")
    if code in ("Disconnected", "ConnectionTimeout"):
        return views.unreachable(_("The part of Masq that keeps your data stopped, or is not answering."))
    if code == "ProtocolError":
        return views.unreachable(_("This page and the part of Masq that keeps your data differ."), str(error))
    return views.unreachable(str(error))


def _is_open(overview: Json) -> bool:
    profile = overview["profile"]
    return bool(profile and not profile["locked"])


async def start(link: Link, popup_nonce: str | None = None, done: Callable[[bool], Any] | None = None) -> App:
    """Run the store's pages in this window, and return once the first one is shown.

    `popup_nonce` is the request that this popup is about (the address says it too); `done(allowed)` is
    called, and awaited if it can be, after the answer has been delivered and the page says so.
    """
    from .dom import Window

    screen = Window()
    app = App(link, screen, popup_nonce, done)
    screen.listen(app)
    try:
        await app.arrive()
    except Exception as error:
        app.failed(error)
        raise
    return app


def show_trouble(error: Exception) -> None:
    """Say in this window that the store cannot be reached. For when there is no link to start with."""
    from .dom import Window

    screen = Window()
    screen.listen_for_reload()
    screen.show(_trouble(error), True, "")
