"""The browser's window. Only here do the pages touch it, and only inside functions.

(A browser object or proxy made while this is imported would spoil the memory snapshot.)
"""

from typing import Any

from .views import Page

KEPT = "input, textarea, select"


class Window:
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
        self.proxies: list[Any] = []
        mark = js.document.querySelector("a.mark")
        if mark and str(js.location.hash).startswith("#connect="):
            mark.removeAttribute("href")  # one slip must not leave the popup's question

    # ---- drawing

    def show(self, page: Page, arriving: bool, who: str) -> None:
        """Draw `page`; see app.Screen."""
        self.document.title = f"{page.title} – Masq"
        name = self.document.getElementById("who")
        if name and name.textContent != who:
            name.textContent = who
        if page.html == self.shown:
            return
        focused = None if arriving else self._focused()
        kept = self._kept()
        self.main.innerHTML = page.html
        self.shown = page.html
        self.main.removeAttribute("aria-busy")
        self._restore(kept)
        self.reveal()
        if arriving:
            self._arrive()
        elif focused:
            self._focus_again(*focused)

    def _form(self) -> str:
        section = self.main.firstElementChild
        return str(section.getAttribute("data-page") or "") if section else ""

    def _kept(self) -> tuple[str, list[tuple[str, str, bool]]]:
        return self._form(), [
            (e.id, e.value, bool(getattr(e, "checked", False))) for e in self.main.querySelectorAll(KEPT)
        ]

    def _restore(self, kept: tuple[str, list[tuple[str, str, bool]]]) -> None:
        form, fields = kept
        if form != self._form():
            return
        for name, value, checked in fields:
            field = self.document.getElementById(name)
            if not field:
                continue
            field.value = value
            field.checked = checked

    def _focused(self) -> tuple[str, Any, Any] | None:
        active = self.document.activeElement
        if not active or not self.main.contains(active):
            return None
        name = active.id or active.getAttribute("data-focus")
        if not name:
            return None
        return str(name), getattr(active, "selectionStart", None), getattr(active, "selectionEnd", None)

    def _focus_again(self, name: str, begin: Any, end: Any) -> None:
        for element in self.main.querySelectorAll("[id], [data-focus]"):
            if name in (element.id, element.getAttribute("data-focus")):
                element.focus(preventScroll=True)
                if isinstance(begin, int) and isinstance(end, int):
                    element.setSelectionRange(begin, end)
                return

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
        self.document.getElementById("stay-choice").hidden = nothing

    def focus(self, name: str) -> None:
        """Move the focus to the element with that id; see app.Screen."""
        element = self.document.getElementById(name)
        if element:
            element.focus()

    # ---- asking

    def fields(self) -> dict[str, Any]:
        """Return what the fields hold, by id; see app.Screen."""
        return {
            str(e.id): bool(e.checked) if e.type == "checkbox" else str(e.value)
            for e in self.main.querySelectorAll(KEPT)
        }

    def address(self) -> str:
        """Return what stands after the "#"; see app.Screen."""
        return str(self.js.location.hash)

    def go(self, address: str) -> None:
        """Change what stands after the "#"; see app.Screen."""
        self.js.location.hash = address

    def reload(self) -> None:
        """Load the page again; see app.Screen."""
        self.js.location.reload()

    # ---- listening

    def listen(self, app: Any) -> None:
        """Tell `app` what the reader does: acted(action, index), typed(field), moved()."""

        def submitted(event: Any) -> None:
            event.preventDefault()
            action = event.target.getAttribute("data-action")
            if action:
                app.acted(str(action))

        def clicked(event: Any) -> None:
            button = event.target.closest("button[data-action]")
            if button:
                app.acted(
                    str(button.getAttribute("data-action")), int(button.getAttribute("data-index") or -1)
                )

        def typed(event: Any) -> None:
            self.reveal()
            app.typed(str(event.target.id))

        def moved(event: Any) -> None:
            app.moved()

        self._on(self.document, "submit", submitted)
        self._on(self.document, "click", clicked)
        self._on(self.document, "input", typed)
        self._on(self.js.window, "hashchange", moved)

    def listen_for_reload(self) -> None:
        """Only the "Try again" button works: there is no app behind this page."""

        def clicked(event: Any) -> None:
            if event.target.closest('[data-action="reload"]'):
                self.reload()

        self._on(self.document, "click", clicked)

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
