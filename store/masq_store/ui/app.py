"""The controller of the store's pages: what the reader does and what the engine tells become the next page.

    await start(link)            # the store's own pages
    await start(link, nonce, done)    # the popup that asks about one app

This is the part that all pages share; what each of them knows and does stands in `pages/`. Everything of the
browser is behind `window.screen.Screen`, so that these flows are tested without one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from masq.errors import MasqError
from masq_store.core.pages.schema import AccessRequest, Event, Overview
from masq_store.ui.html import views
from masq_store.ui.html.routes import Place, read_hash
from masq_store.ui.html.views import Moment, Notice, Page, Panel, Problem, Question
from masq_store.ui.pages.router import visit_for
from masq_store.ui.pages.visit import Visit
from masq_store.ui.text import error_sentences, formatting, sync_status
from masq_store.ui.text.error_sentences import code_of
from masq_store.ui.text.translation import _, language
from masq_store.ui.window import preferences
from masq_store.ui.window.screen import Link, Screen
from masq_store.ui.window.settling import DECISIVE

SEVERED_SECONDS = 4  # how long the popup of an app that cuts it off waits for a request in this browser
LOADING_AFTER = 0.4  # seconds before an unanswered page says so
SLOW_AFTER = 1.0  # seconds before a busy button gets a progress bar
TYPING_EVERY = 30  # throttle: seconds between two words to the engine that somebody is typing
REFRESH_PAUSE = 0.2  # throttle: seconds between two redraws for changes that apps make

NOTHING: Overview = {
    "profile": None, "profiles": [], "apps": [], "kept": [], "backup": {"due": False, "last_ms": None},
    "keeps_keys": "kept", "persistent": False, "build": 0, "version": "",
    "sync": sync_status.OFF, "devices": [], "copies": [], "removed": None,
    "trash": [],
}  # fmt: skip
"""What is known before the engine has said anything."""


class App:
    """The controller of one window's pages. `done(allowed)` is called once the popup's question is answered."""

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
        self.overview: Overview = NOTHING
        self.request: Question | None = None  # what the popup's question is about
        self.asked = ""  # nonce of the question that this window has shown
        self.waiting = ""  # nonce of a question that waits in this window while the reader restores a backup
        self.visit: Visit | None = None
        self.moment = Moment()
        self.final: Page | None = None  # stays until the reader goes elsewhere
        self._opener = ""  # where the focus returns to when the panel closes
        self._parting = ""  # a sentence for the next page
        self._turn = 0
        self._stale = False
        self._acting = False
        self._told_persistent = False
        self._told_typing = float(-TYPING_EVERY)  # when the engine last heard that somebody types
        self.tasks: set[asyncio.Task[Any]] = set()
        link.on_event = self.told
        preferences.apply(screen)

    # ---- where we are

    async def arrive(self) -> None:
        """Read the address, fetch what its page needs, and show it."""
        place = read_hash(self.screen.address())
        if self.popup_nonce and place.page == "apps":
            place = Place("connect", nonce=self.popup_nonce)
        self.popup_nonce = None
        if place.page == "connect":
            self.waiting = place.nonce
        self.place = place
        self._leave()
        self.request = self.final = None
        notice, self._parting = Notice(self._parting), ""
        self.moment = Moment(notice=notice)
        later = asyncio.get_running_loop().call_later(LOADING_AFTER, self._still_loading, self._turn + 1)
        try:
            await self.fetch(arriving=True)
        finally:
            later.cancel()

    async def fetch(self, arriving: bool = False, again: bool = True) -> None:
        """Ask the engine for what the present page shows, then draw it.

        `again`: ask once more where the store was locked between two answers.
        """
        self._turn += 1
        turn = self._turn
        try:
            overview: Overview = {**NOTHING, **await self.link.call("overview")}
            request = await self._question() if self.place.page == "connect" else None
            visit = visit_for(self, self.visit, overview, request)
            loaded = await visit.load()
        except MasqError as error:
            if turn == self._turn:
                if again and code_of(error) == "Locked":
                    return await self.fetch(arriving, again=False)
                self.lost(error)
            return
        if turn != self._turn:
            return
        self.overview, self.request = overview, request
        if visit is not self.visit:
            self._leave()
            self.visit, arriving = visit, True
            self.moment = Moment(notice=self.moment.notice)
        visit.take(loaded)
        self.draw(arriving)
        await visit.shown()

    async def _question(self) -> Question | None:
        try:
            wait = (SEVERED_SECONDS,) if self.screen.severed else ()
            request: AccessRequest | None = await self.link.call("request", self.place.nonce, *wait)
            if not request:
                return None
            self.asked = self.place.nonce
            # Whose page is around an app is not known: allowed elsewhere is not allowed there.
            framed = request["apart"] and self.screen.framed
            return {**request, "framed": framed, "registered": request["registered"] and not framed}
        except MasqError as error:
            if code_of(error) == "Locked":
                return None
            raise

    def _leave(self) -> None:
        if self.visit:
            self.visit.left()
        self.visit = None

    def go(self, address: str, parting: str = "") -> None:
        """Go to another page, which begins with the sentence `parting`."""
        self._parting = parting
        self.screen.go(address)

    # ---- what is shown

    def draw(self, arriving: bool = False) -> None:
        """Show the page for what is known now."""
        self.moment = self.moment._replace(now_ms=int(time.time() * 1000))
        page = self.final or (self.visit.page() if self.visit else views.loading())
        self.screen.show(page, arriving, self._top())

    def _top(self) -> str:
        return views.top(self.overview, self.place.page, self.place.page == "connect")

    def _still_loading(self, turn: int) -> None:
        if turn == self._turn:
            self.screen.show(views.loading(), True, "")

    def end(self, page: Page) -> None:
        """Show `page` until the reader goes elsewhere."""
        self.final = page
        self.draw(arriving=True)

    def lost(self, error: Exception) -> None:
        """Say that the engine does not answer, and what to do. Also for whoever holds the link."""
        self._turn += 1
        self.final = trouble(error)
        self.screen.show(self.final, True, "")

    # ---- what happens

    def moved(self) -> None:
        """The address changed."""
        self.start(self.arrive())

    def told(self, event: Event) -> None:
        """Take an event of the engine: something changed, so fetch again, throttled by REFRESH_PAUSE."""
        if self.visit and event and not self.final:
            self.visit.heard(event)
        ours = event and (event[0] == "overview" or event[1:2] == [self.place.origin])
        if not ours or self.final or self._stale:
            return
        self._stale = True
        self.start(self._refresh())

    async def _refresh(self) -> None:
        await asyncio.sleep(REFRESH_PAUSE if self._turn > 1 else 0)
        turn = self._turn
        while self.moment.busy:  # it may fetch at its end, or not
            await asyncio.sleep(REFRESH_PAUSE)
        self._stale = False
        if turn == self._turn and not self.final:
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

    def acted(self, action: str, subject: str = "") -> None:
        """The reader pressed the button or sent the form named `action`, about `subject`."""
        if action == "reload":
            self.screen.reload()
            return
        if action in DECISIVE and not self.screen.steady:
            return
        if self.visit and action in self.visit.urgent:
            self.start(self.visit.acts()[action](subject))
            return
        if self.moment.busy or self._acting or not self.visit:
            return
        if action.startswith("open-"):
            self.open(action.removeprefix("open-"), subject)
        elif action == "close":
            self.close()
        elif doing := {"lock": self._lock, **self.visit.acts()}.get(action):
            self._acting = True  # at once: two presses can come before the first task begins
            self.start(self._alone(doing(subject)))

    async def _alone(self, doing: Awaitable[None]) -> None:
        try:
            await doing
        finally:
            self._acting = False

    def typed(self, field: str) -> None:
        """The reader typed into the field with that id."""
        now = time.monotonic()
        if is_open(self.overview) and now - self._told_typing > TYPING_EVERY:
            self._told_typing = now  # or the store would lock while somebody writes
            self.start(self._say_used())
        if self.visit:
            self.visit.typed(field)

    async def _say_used(self) -> None:
        with suppress(MasqError):  # what is typed is not lost by it, and the next act says what is wrong
            await self.link.call("used")

    def chose(self, field: str) -> None:
        """The reader chose something in the field with that id: from a list, a box to tick, a file."""
        if not self.visit or self.moment.busy or self._acting:
            self.draw()
            return
        doing = self.visit.choices().get(field)
        if doing:
            self._acting = True
            self.start(self._alone(doing()))

    # ---- forms and questions that open on a page

    def open(self, name: str, subject: str = "", first: str = "", opener: str = "") -> None:
        """Open a form or a question; the focus goes to the element `first`, and back to `opener` at its end."""
        openers = self.visit.openers if self.visit else {}
        self._opener = opener or openers.get(name) or f"open-{name}" + (f"-{subject}" if subject else "")
        self.moment = self.moment._replace(panel=Panel(name, subject), problem=None, notice=Notice())
        self.draw()
        self.screen.focus(first or (self.visit.firsts.get(name) if self.visit else "") or f"{name}-question")

    def close(self, notice: str = "", action: str = "") -> None:
        """Close what is open; `notice` says what was done, and `action` can take it back."""
        self.moment = self.moment._replace(panel=Panel(), problem=None, notice=Notice(notice, action))
        self.draw()
        self.screen.focus("undo" if action else self._opener)

    # ---- acts: a call that the reader waits for

    async def act(
        self, button: str, work: Awaitable[Any], fields: dict[str, str] | None = None
    ) -> tuple[bool, Any]:
        """Wait for `work` with `button` busy. Returns (True, its result); else the problem is on the page.

        `fields` says beside which field an error of some code is shown; "" stands for every other code.
        """
        self.moment = self.moment._replace(busy=button, slow=False, problem=None, notice=Notice())
        self.draw()
        later = asyncio.get_running_loop().call_later(SLOW_AFTER, self._slow, button)
        try:
            result = await work
        except MasqError as error:
            self._calm()
            self._say_refused(error, (fields or {}).get(code_of(error), (fields or {}).get("", "")))
            return False, None
        finally:
            later.cancel()
            self._calm()
        return True, result

    def _calm(self) -> None:
        self.moment = self.moment._replace(busy="", slow=False, progress=None)

    def _slow(self, button: str) -> None:
        if self.moment.busy == button:
            self.moment = self.moment._replace(slow=True)
            self.draw()

    def progress(self, done: int, of: int) -> None:
        """Show how much of the act under way is done."""
        known = self.moment.progress is not None
        self.moment = self.moment._replace(progress=(done, of))
        if known:
            self.screen.advance("progress", done, of)
        else:
            self.draw()

    def _say_refused(self, error: MasqError, field: str) -> None:
        said = error_sentences.said_of_name(error) if field == "profile-name" else error_sentences.said(error)
        self.refuse(said, field, float(error.fields.get("wait_seconds") or 0))

    def refuse(self, sentence: str, field: str = "", wait_seconds: float = 0) -> None:
        """Say what is wrong, beside `field`; the reader may try again after `wait_seconds`."""
        until = int((time.time() + wait_seconds) * 1000) if wait_seconds else 0
        problem = Problem(sentence, field, until)
        self.moment = self.moment._replace(problem=problem)
        self.draw()
        if field:
            self.screen.focus(field)
        if until:
            self.start(self._count_down(problem))

    async def _count_down(self, problem: Problem) -> None:
        while self.moment.problem is problem and (left := self.seconds_to_wait()):
            self.screen.write("wait", formatting.try_again(left))
            await asyncio.sleep(min(1.0, (problem.until_ms / 1000 - time.time()) % 1 or 1))
        if self.moment.problem is problem:
            self.draw()  # the button works again

    def seconds_to_wait(self) -> int:
        """Return how long a passphrase may not be tried yet, seconds."""
        return self.moment._replace(now_ms=int(time.time() * 1000)).wait

    async def _lock(self, _subject: str) -> None:
        done, _overview = await self.act("lock", self.link.call("lock"))
        if done:
            await self.fetch(arriving=True)

    # ---- whether the browser keeps what it holds

    async def keep_for_good(self) -> bool:
        """Ask the browser to keep the storage, and tell the engine what it said."""
        persisted = await self.screen.persist()
        self._told_persistent = True
        await self.link.call("told_persistent", persisted)
        return persisted

    async def tell_persistent(self) -> None:
        """Tell the engine whether the browser keeps the storage, if it knows otherwise. Once a window."""
        if self._told_persistent or not is_open(self.overview):
            return
        self._told_persistent = True
        persisted = (await self.screen.room()).persisted
        if persisted != self.overview["persistent"]:
            with suppress(MasqError):  # locked meanwhile, say: the next page tells it
                await self.link.call("told_persistent", persisted)

    async def tell_traced(self) -> None:
        """Have the engine keep a trace, where that was chosen in this browser: it may have begun since."""
        if preferences.traced(self.screen):
            with suppress(MasqError):  # the settings say it again
                await self.link.call("trace", True)


def trouble(error: Exception) -> Page:
    """The page for an engine that failed. Some errors' own sentences are written for programmers."""
    code = code_of(error)
    if code in ("Disconnected", "ConnectionTimeout"):
        return views.unreachable(_("The part of Masq that keeps your data stopped, or is not answering."))
    if code == "ProtocolError":
        detail = str(error) if language() == "en" else ""  # it is written for programmers, in English
        return views.unreachable(_("This page and the part of Masq that keeps your data differ."), detail)
    return views.unreachable(error_sentences.said(error) if isinstance(error, MasqError) else str(error))


def is_open(overview: Overview) -> bool:
    """Say whether there is a profile and it is not locked."""
    profile = overview["profile"]
    return bool(profile and not profile["locked"])


async def start(link: Link, popup_nonce: str | None = None, done: Callable[[bool], Any] | None = None) -> App:
    """Run the store's pages in this window, and return once the first one is shown.

    `popup_nonce` is the request that this popup is about (the address says it too); `done(allowed)` is
    called, and awaited if it can be, after the answer has been delivered and the page says so.
    """
    from masq_store.ui.window.dom import DomScreen

    screen = DomScreen()
    app = App(link, screen, popup_nonce, done)
    screen.listen(app)
    try:
        await app.arrive()
    except Exception as error:
        app.failed(error)
        raise
    app.start(app.tell_persistent())
    app.start(app.tell_traced())
    return app
