"""One app's page: its entries, found, changed, taken out; and its withdrawal."""

import asyncio
from typing import Any

from masq.errors import MasqError
from masq_store.core.pages.schema import FoundEntries, ListedApp
from masq_store.ui.html import views
from masq_store.ui.html.views import Edited
from masq_store.ui.pages.remove_copy import remove_copy
from masq_store.ui.pages.visit import Act, Choice, Visit
from masq_store.ui.text import formatting, sync_status
from masq_store.ui.text.error_sentences import code_of
from masq_store.ui.text.formatting import date
from masq_store.ui.text.translation import _
from masq_store.ui.text.value_text import NotAValue, from_text, to_text
from masq_store.ui.window import file_transfer

SEARCH_AFTER = 0.15  # debounce: seconds without a key stroke before the search runs
SHOWN = 50  # entries at first, and added by each "Show more"
BESIDE_KEY = {"InvalidKey": "entry-key", "InvalidValue": "entry-value", "QuotaExceeded": "entry-value"}


class Entries(Visit):
    """The page of one app: its entries, whether it is synced, and its withdrawal."""

    firsts = {"add": "entry-key", "edit": "entry-value"}
    openers = {"withdraw": "withdraw"}

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.origin = self.place.origin
        self.about: ListedApp | None = None
        self.entries: list[tuple[str, Any]] = []
        self.more = False
        self.search = ""
        self.wanted = SHOWN
        self.opened: frozenset[str] = frozenset()
        self.edited: Edited | None = None
        self.deleted: tuple[str, Any] | None = None
        self._searching: asyncio.TimerHandle | None = None

    # ---- what is shown

    async def load(self) -> tuple[ListedApp | None, list[tuple[str, Any]], bool]:
        """Return the app, the entries that are wanted, and whether there are more."""
        try:
            about: ListedApp = await self.shell.link.call("app", self.origin)
        except MasqError as error:
            if code_of(error) == "NotRegistered":
                return None, [], False
            raise
        entries: list[tuple[str, Any]] = []
        more, search, wanted = True, self.search, self.wanted
        while more and len(entries) < wanted:
            after = entries[-1][0] if entries else ""
            try:
                answer: FoundEntries = await self.shell.link.call(
                    "entries", self.origin, search, after, SHOWN, self.profile
                )
            except MasqError as error:
                if code_of(error) != "InvalidKey":
                    raise
                return about, [], False  # no entry can be called that
            more = bool(answer["more"] and answer["entries"])
            entries += [(key, packed) for key, packed in answer["entries"]]
        return about, entries, more

    def take(self, loaded: tuple[ListedApp | None, list[tuple[str, Any]], bool]) -> None:
        """Keep what `load` returned."""
        about, self.entries, self.more = loaded
        self.about = about and {"sync": sync_status.APP_OFF, **about}

    def page(self) -> views.Page:
        """Return the page, or that the app keeps nothing here."""
        if not self.about:
            return views.unknown_app(self.origin)
        panel = self.shell.moment.panel.name
        return views.app(
            self.about,
            self.entries,
            self.shell.moment,
            more=self.more,
            search=self.search,
            opened=self.opened,
            edited=self.edited if panel == "edit" else None,
            relay=self.shell.overview["sync"]["relay"]["url"],
            several=len(self.shell.overview["devices"]) > 1,
            copies=[copy for copy in self.shell.overview["copies"] if copy["app"] == self.origin],
        )

    def acts(self) -> dict[str, Act]:
        """Return the acts: looking further, changing entries, export, withdrawal."""
        return {
            "show-more": self._show_more,
            "show-all": self._show_all,
            "show-less": self._show_less,
            "edit": self._edit,
            "save": self._save,
            "delete": self._delete,
            "undo": self._undo,
            "add": self._add,
            "export": self._export,
            "withdraw-confirm": self._withdraw,
            "remove-copy": lambda copy: remove_copy(self.shell, copy),
        }

    def choices(self) -> dict[str, Choice]:
        """Return the choice whether this device syncs the app."""
        return {"sync-on": self._sync}

    def left(self) -> None:
        """Cancel a search that is to come."""
        if self._searching:
            self._searching.cancel()

    # ---- looking

    def typed(self, field: str) -> None:
        """Search once the reader pauses: debounced by SEARCH_AFTER."""
        if field == "search":
            self.left()
            self._searching = asyncio.get_running_loop().call_later(SEARCH_AFTER, self._search)

    def _search(self) -> None:
        self.search, self.wanted = self.text("search"), SHOWN
        self.shell.start(self.shell.fetch())

    async def _show_more(self, _subject: str) -> None:
        self.wanted += SHOWN
        await self.shell.act("show-more", self.shell.fetch())
        self.shell.draw()

    async def _show_all(self, index: str) -> None:
        self.opened = self.opened | {self._key(index)}
        self.shell.draw()

    async def _show_less(self, index: str) -> None:
        self.opened = self.opened - {self._key(index)}
        self.shell.draw()

    def _key(self, index: str) -> str:
        """Return the key of the entry with that place in the list, as it was drawn."""
        return self.entries[int(index)][0]

    # ---- changing

    async def _edit(self, index: str) -> None:
        key, packed = self.entries[int(index)]
        self.edited = Edited(key, to_text(packed), packed)
        self.shell.open("edit", key, opener=f"edit {formatting.key(key)}")

    def _value(self) -> Any:
        """Return what was typed as a packed value. Raises NotAValue."""
        return from_text(self.text("entry-value"))

    async def _save(self, _subject: str) -> None:
        shell, edited = self.shell, self.edited
        if not edited:
            return
        try:
            packed = self._value()
        except NotAValue as wrong:
            return shell.refuse(wrong.sentence, "entry-value")
        beside = {"InvalidValue": "entry-value", "QuotaExceeded": "entry-value"}
        done, _nothing = await shell.act("save", self._set(edited.key, packed), beside)
        if done:
            await self._settle(_("Saved."))

    async def _add(self, _subject: str) -> None:
        shell, key = self.shell, self.text("entry-key")
        if not key:
            return shell.refuse(_("Type a name for the entry first."), "entry-key")
        try:
            packed = self._value()
        except NotAValue as wrong:
            return shell.refuse(wrong.sentence, "entry-value")
        done, taken = await shell.act("add", self._is_there(key))
        if not done:
            return
        if taken:
            return shell.refuse(
                _("There is an entry of this name already. Find it in the list."), "entry-key"
            )
        done, _nothing = await shell.act("add", self._set(key, packed), BESIDE_KEY)
        if done:
            await self._settle(_("Added."))

    async def _is_there(self, key: str) -> bool:
        answer: FoundEntries = await self.shell.link.call(
            "entries", self.origin, key, key[:-1], file_transfer.ENTRIES
        )
        return any(found == key for found, _packed in answer["entries"])

    async def _set(self, key: str, packed: Any) -> None:
        await self.shell.link.call("set_entry", self.origin, key, packed)

    async def _settle(self, sentence: str, action: str = "") -> None:
        """Fetch what the engine has now, and say what was done."""
        self.edited = None
        await self.shell.fetch()
        self.shell.close(sentence, action)

    async def _delete(self, index: str) -> None:
        key, packed = self.entries[int(index)]
        work = self.shell.link.call("delete_entry", self.origin, key)
        done, _existed = await self.shell.act(f"delete {key}", work)
        if done:
            self.deleted = (key, packed)
            await self._settle(_("“{key}” was deleted.", key=formatting.key(key)), "undo")

    async def _undo(self, _subject: str) -> None:
        if not self.deleted:
            return
        key, packed = self.deleted
        done, _nothing = await self.shell.act("undo", self._set(key, packed))
        if done:
            self.deleted = None
            await self._settle(_("“{key}” is back.", key=formatting.key(key)))
            self.shell.screen.focus(f"edit {formatting.key(key)}")

    # ---- the app as a whole

    async def _sync(self) -> None:
        about, on = self.about, self.ticked("sync-on")
        if not about:
            return
        self.about = {**about, "sync": {**about["sync"], "on": on}}  # as chosen, while the engine works on it
        done, _nothing = await self.shell.act("sync-on", self.shell.link.call("set_sync", self.origin, on))
        problem = self.shell.moment.problem
        await self.shell.fetch()
        if not done:
            self.shell.moment = self.shell.moment._replace(problem=problem)
            self.shell.draw()

    async def _export(self, _subject: str) -> None:
        shell, about = self.shell, self.about
        if not about:
            return
        now = shell.moment.now_ms
        name = file_transfer.file_name(about["name"], date(now), ending="json")
        work = file_transfer.export(shell.link, shell.screen, about, self.current, name, now, shell.progress)
        done, _nothing = await shell.act("export", work)
        if done:
            shell.close(_("{file} is in your downloads.", file=name))
            shell.screen.focus("export")

    async def _withdraw(self, _subject: str) -> None:
        shell, about, erase = self.shell, self.about, self.ticked("withdraw-erase")
        if not about:
            return
        work = shell.link.call("withdraw", about["origin"], erase)
        done, _nothing = await shell.act("withdraw-confirm", work)
        if not done:
            return
        if erase:
            said = _("{name} was withdrawn, and its data erased.", name=about["name"])
        else:
            said = _("{name} was withdrawn. Its data is still here, on this device.", name=about["name"])
        shell.go("#/", said)
