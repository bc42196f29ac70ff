"""The browser's window. Only here do the pages touch it, and only inside functions.

(A browser object or proxy made while this is imported would spoil the memory snapshot.)
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from masq_store.ui.html.views import Page
from masq_store.ui.window import camera
from masq_store.ui.window.morph import morph
from masq_store.ui.window.screen import Room
from masq_store.ui.window.settling import DECISIVE, LOOK_SECONDS, Settling

FIELDS = "input, textarea, select"
DECIDES = ", ".join(
    f'button[data-action="{action}"], form[data-action="{action}"] button[type=submit]'
    for action in sorted(DECISIVE)
)
FORGET_AFTER_MS = 60_000  # the browser has begun to save a download by then


class DomScreen:
    """Draws pages into #page and says what the reader does. Lives as long as the browser's page."""

    def __init__(self) -> None:
        import js

        self.js = js
        self.document = js.document
        self.main = js.document.getElementById("page")
        if not self.main:
            self.main = js.document.createElement("main")
            self.main.id = "page"
            js.document.body.appendChild(self.main)
        self.shown = ""
        self.question = ""  # what the buttons that decide something are about
        self.settling = Settling(time.monotonic)
        self.settling.see(self._place())
        self.looking = False  # whether the window stands still
        self.proxies: list[Any] = []
        mark = js.document.querySelector("a.mark")
        if mark and str(js.location.hash).startswith("#connect="):
            mark.removeAttribute("href")  # one slip must not leave the popup's question

    # ---- drawing

    def show(self, page: Page, arriving: bool, top: str) -> None:
        """Draw `page`; see screen.Screen."""
        self.document.title = f"{page.title} – Masq"
        header = self.document.getElementById("top")
        if header:
            morph(header, self._like(header, top))
        if page.html != self.shown or arriving:
            self._draw(page.html, arriving)
        self._see_question(arriving)
        self._set_choices()  # also where nothing is drawn: one that was not taken goes back
        if arriving:
            self._arrive()

    def _like(self, element: Any, html: str) -> Any:
        """Return an element like `element` but with the content `html`."""
        fresh = element.cloneNode(False)
        fresh.innerHTML = html
        return fresh

    def _draw(self, html: str, arriving: bool) -> None:
        focused = None if arriving else self._focused()
        fresh = self._like(self.main, html)
        if arriving:
            self.main.replaceChildren(*list(fresh.childNodes))
        else:
            morph(self.main, fresh)
        self.shown = html
        self.main.removeAttribute("aria-busy")
        self.reveal()
        if focused:
            self._focus_again(focused)

    def _see_question(self, arriving: bool) -> None:
        """Hold the buttons that decide something while what they are about is new."""
        buttons = self.main.querySelectorAll(DECIDES)
        question = "".join(
            str(button.closest("[role=group], form, section").textContent) for button in buttons
        )
        if question and (arriving or question != self.question):
            self.settling.stir()
        self.question = question
        self._look()

    def _stirred(self, _event: Any = None) -> None:
        self.settling.stir()
        self._hold()

    def _hold(self) -> None:
        """Show whether the buttons that decide something can be pressed."""
        left = self.settling.left
        for button in self.main.querySelectorAll(DECIDES):
            if left and not button.hasAttribute("aria-disabled"):
                button.setAttribute("aria-disabled", "true")
                button.setAttribute("data-held", "")
            elif not left and button.hasAttribute("data-held"):
                button.removeAttribute("aria-disabled")
                button.removeAttribute("data-held")

    def _look(self) -> None:
        """See whether the window moves, as long as it has something to decide."""
        self.settling.see(self._place())
        self._hold()
        if self.question and not self.looking:
            self.looking = True
            after = min(LOOK_SECONDS, self.settling.left or LOOK_SECONDS)
            asyncio.get_running_loop().call_later(after, self._look_again)

    def _look_again(self) -> None:
        self.looking = False
        if self.proxies:  # else nobody can press anything any more
            self._look()

    def _place(self) -> tuple[int, ...]:
        window = self.js.window
        return tuple(int(n) for n in (window.screenX, window.screenY, window.innerWidth, window.innerHeight))

    @property
    def steady(self) -> bool:
        """Say whether window and question have stood still; see screen.Screen."""
        self.settling.see(self._place())  # now, for it may have moved since it was looked at last
        self._hold()
        return not self.settling.left

    def _set_choices(self) -> None:
        """Show the choices that are not part of a form as the page says they are, not as they were clicked."""
        for element in self.main.querySelectorAll("select[data-value]"):
            element.value = element.getAttribute("data-value")
        for element in self.main.querySelectorAll("input[data-checked]"):
            element.checked = element.getAttribute("data-checked") == "yes"

    def _focused(self) -> str:
        active = self.document.activeElement
        if not active or not self.main.contains(active):
            return ""
        return str(active.id or active.getAttribute("data-focus") or "")

    def _focus_again(self, name: str) -> None:
        if not self.main.contains(self.document.activeElement):
            self.focus(name)

    def _arrive(self) -> None:
        """A new page begins at its top, with the focus on the field it is all about, or on its heading."""
        self.js.window.scrollTo(0, 0)
        first = self.main.querySelector("[data-first]") or self.main.querySelector("h1")
        if first:
            first.focus(preventScroll=True)

    def reveal(self) -> None:
        """Show what only matters once a new passphrase is being typed."""
        repeat = self.document.getElementById("repeat-field")
        if not repeat:
            return
        nothing = not self.document.getElementById("passphrase").value
        repeat.hidden = nothing
        stay = self.document.getElementById("stay-choice")
        if stay:
            stay.hidden = nothing

    def focus(self, name: str) -> None:
        """Move the focus; see screen.Screen."""
        element = self.document.getElementById(name)
        if element:
            element.focus()
            return
        for element in self.main.querySelectorAll("[data-focus]"):
            if element.getAttribute("data-focus") == name:
                element.focus()
                return

    def write(self, name: str, text: str) -> None:
        """Change a text; see screen.Screen."""
        element = self.document.getElementById(name)
        if element:
            element.textContent = text

    def advance(self, name: str, done: int, of: int) -> None:
        """Move a progress bar; see screen.Screen."""
        bar = self.document.getElementById(name)
        if bar:
            bar.max, bar.value = of, done

    # ---- asking

    def fields(self) -> dict[str, str | bool]:
        """Return what the fields hold, by id; see screen.Screen."""
        return {
            str(e.id): bool(e.checked) if e.type in ("checkbox", "radio") else str(e.value)
            for e in self.main.querySelectorAll(FIELDS)
        }

    def address(self) -> str:
        """Return what stands after the "#"; see screen.Screen."""
        return str(self.js.location.hash)

    def go(self, address: str) -> None:
        """Change what stands after the "#"; see screen.Screen."""
        self.js.location.hash = address

    def replace(self, address: str) -> None:
        """Change what stands after the "#", here and in the history; see screen.Screen."""
        self.js.history.replaceState(None, "", address)

    def location(self) -> str:
        """Return the address without what stands after the "#"; see screen.Screen."""
        return str(self.js.location.href).partition("#")[0]

    @property
    def severed(self) -> bool:
        """Say whether no page can be reached that has opened this window; see screen.Screen."""
        return not hasattr(self.js.window.opener, "postMessage")

    def came_from(self) -> str:
        """Return the origin of the page that has opened this window; see screen.Screen."""
        referrer = str(self.js.document.referrer)
        return str(self.js.URL.new(referrer).origin) if referrer else ""

    def reload(self) -> None:
        """Load the page again; see screen.Screen."""
        self.js.location.reload()

    # ---- files

    def file(self, field: str) -> tuple[str, int] | None:
        """Return the chosen file's name and size; see screen.Screen."""
        chosen = self._file(field)
        return (str(chosen.name), int(chosen.size)) if chosen else None

    async def read_file(self, field: str, start: int, end: int) -> bytes:
        """Return a part of the chosen file; see screen.Screen."""
        content: bytes = (await self._file(field).slice(start, end).arrayBuffer()).to_bytes()
        return content

    def _file(self, field: str) -> Any:
        element = self.document.getElementById(field)
        files = element.files if element else None
        return files.item(0) if files and files.length else None

    def download(self, name: str) -> "Saved":
        """Begin a download; see screen.Screen."""
        return Saved(self.js, name)

    # ---- the browser

    async def room(self) -> Room:
        """Return what the browser says about its storage; see screen.Screen."""
        storage = getattr(self.js.navigator, "storage", None)
        if not storage or not getattr(storage, "estimate", None):
            return Room()
        estimate = await storage.estimate()
        persisted = bool(await storage.persisted())
        return Room(
            int(getattr(estimate, "usage", 0) or 0), int(getattr(estimate, "quota", 0) or 0), persisted
        )

    @property
    def persist_asks(self) -> bool:
        """Firefox asks its person; the others decide by themselves, at once."""
        return "Firefox/" in str(self.js.navigator.userAgent)

    @property
    def framed(self) -> bool:
        """The one thing that browsers tell of an opener of another origin. An opener that was cut off: False."""
        opener = self.js.window.opener
        return hasattr(opener, "parent") and opener.parent != opener

    async def persist(self) -> bool:
        """Ask the browser to keep the storage; see screen.Screen."""
        storage = getattr(self.js.navigator, "storage", None)
        return bool(storage and getattr(storage, "persist", None) and await storage.persist())

    def remembered(self, name: str) -> str:
        """Return what was remembered; see screen.Screen."""
        try:
            return str(self.js.localStorage.getItem(name) or "")
        except Exception:  # localStorage is switched off: then nothing is remembered
            return ""

    def remember(self, name: str, value: str) -> None:
        """Remember; see screen.Screen."""
        try:
            if value:
                self.js.localStorage.setItem(name, value)
            else:
                self.js.localStorage.removeItem(name)
        except Exception:  # as above: the choice holds until the page is left
            return

    async def copy(self, text: str) -> bool:
        """Copy; see screen.Screen."""
        try:
            await self.js.navigator.clipboard.writeText(text)
        except Exception:  # not allowed, or not there: the reader is told
            return False
        return True

    async def can_scan(self) -> bool:
        """Say whether QR codes can be read; see screen.Screen."""
        return await camera.can_scan(self.js)

    async def scan(self, video: str, found: Callable[[str], None]) -> Callable[[], None]:
        """Look for QR codes; see screen.Screen."""
        return await camera.scan(self.js, self.document.getElementById(video), found)

    def languages(self) -> list[str]:
        """Return the browser's languages; see screen.Screen."""
        return [str(tag) for tag in self.js.navigator.languages]

    def look(self, language: str, theme: str) -> None:
        """Say language and theme; see screen.Screen."""
        root = self.document.documentElement
        root.lang = language
        if theme:
            root.setAttribute("data-theme", theme)
        else:
            root.removeAttribute("data-theme")

    # ---- listening

    def listen(self, app: Any) -> None:
        """Tell `app` what the reader does: acted(action, subject), typed(field), chose(field), moved()."""

        def submitted(event: Any) -> None:
            event.preventDefault()
            act(event.target)

        def clicked(event: Any) -> None:
            button = event.target.closest("button[data-action]")
            if button:
                act(button)

        def act(element: Any) -> None:
            action = element.getAttribute("data-action")
            if action:
                app.acted(str(action), str(element.getAttribute("data-subject") or ""))

        def typed(event: Any) -> None:
            self.reveal()
            app.typed(str(event.target.id))

        def chose(event: Any) -> None:
            if event.target.matches("select, input[type=checkbox], input[type=file]"):
                app.chose(str(event.target.id))

        def moved(event: Any) -> None:
            app.moved()

        self._on(self.document, "submit", submitted)
        self._on(self.document, "click", clicked)
        self._on(self.document, "input", typed)
        self._on(self.document, "change", chose)
        self._on(self.js.window, "hashchange", moved)
        for event in ("focus", "resize"):
            self._on(self.js.window, event, self._stirred)
        self._on(self.document, "visibilitychange", self._stirred)

    def _on(self, target: Any, name: str, listener: Any) -> None:
        from pyodide.ffi import create_proxy

        proxy = create_proxy(listener)
        self.proxies.append((target, name, proxy))
        target.addEventListener(name, proxy)

    def close(self) -> None:
        """Stop listening and let the proxies go."""
        for target, name, proxy in self.proxies:
            target.removeEventListener(name, proxy)
            proxy.destroy()
        self.proxies.clear()


class Saved:
    """A file that is handed to the browser's downloads; its pieces wait outside Python's memory."""

    def __init__(self, js: Any, name: str) -> None:
        self.js = js
        self.name = name
        self.pieces = js.Array.new()

    def add(self, content: bytes) -> None:
        """Append; see screen.Download."""
        from pyodide.ffi import to_js

        self.pieces.push(self.js.Blob.new(self.js.Array.of(to_js(content))))

    def finish(self) -> None:
        """Save; see screen.Download."""
        from pyodide.ffi import create_once_callable

        url = self.js.URL.createObjectURL(self.js.Blob.new(self.pieces))
        link = self.js.document.createElement("a")
        link.href, link.download = url, self.name
        link.click()
        self.js.setTimeout(create_once_callable(lambda: self.js.URL.revokeObjectURL(url)), FORGET_AFTER_MS)
