"""The page of settings: profiles, passphrase, relay, storage, language and theme."""

from collections.abc import Awaitable, Callable
from typing import Any

from masq.errors import MasqError
from masq_store.core.pages.schema import CurrentProfile, Event
from masq_store.core.profile.claims import is_longer
from masq_store.ui.html import views
from masq_store.ui.pages.unlock import differ, switch, wrong_name
from masq_store.ui.pages.visit import Act, Choice, Visit
from masq_store.ui.text.translation import LANGUAGES, _, language
from masq_store.ui.window import preferences
from masq_store.ui.window.screen import Room


class Settings(Visit):
    """The page of settings: everything that is not about one app."""

    firsts = {
        "rename": "profile-name",
        "add-passphrase": "passphrase-new",
        "change-passphrase": "passphrase",
        "remove-passphrase": "passphrase",
        "stay-longer": "passphrase",
        "lock-later": "passphrase",
    }
    openers = {"stay-longer": "stay-unlocked", "lock-later": "lock-minutes"}

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.room = Room()
        self.trace: list[str] = []

    async def load(self) -> tuple[Room, list[str]]:
        """Return how much room the browser says there is, and the engine's trace, if it keeps one."""
        trace = await self.shell.link.call("trace", preferences.traced(self.shell.screen))
        return await self.shell.screen.room(), trace

    def take(self, loaded: tuple[Room, list[str]]) -> None:
        """Keep what `load` returned."""
        self.room, self.trace = loaded

    def page(self) -> views.Page:
        """Return the page."""
        screen = self.shell.screen
        traced = preferences.traced(screen)
        look = views.Look(language(), preferences.theme(screen), *self.room, traced=traced, trace=self.trace)
        return views.settings(self.shell.overview, look, self.shell.moment)

    def acts(self) -> dict[str, Act]:
        """Return what the buttons and forms do, by name."""
        return {
            "switch-profile": lambda profile: switch(self.shell, profile),
            "rename": self._rename,
            "delete-profile": self._delete,
            "add-passphrase": self._change_passphrase,
            "change-passphrase": self._change_passphrase,
            "remove-passphrase": self._remove_passphrase,
            "stay-longer": self._stay_longer,
            "lock-later": self._lock_later,
            "save-relay": self._save_relay,
            "no-relay": lambda _: self._set_relay("no-relay", ""),
            "default-relay": lambda _: self._set_relay("default-relay", None),
            "persist": self._persist,
            "copy-trace": self._copy_trace,
        }

    def choices(self) -> dict[str, Choice]:
        """Return what lists and boxes do, by the field's id."""
        return {
            "stay-unlocked": self._stay,
            "lock-minutes": self._lock_minutes,
            "language": self._language,
            "theme": self._theme,
            "trace": self._trace,
        }

    # ---- profiles

    async def _rename(self, _subject: str) -> None:
        shell, name = self.shell, self.text("profile-name").strip()
        if wrong := wrong_name(name):
            return shell.refuse(wrong, "profile-name")
        work = shell.link.call("rename_profile", name)
        if await self._done("save-name", work, {"InvalidValue": "profile-name"}):
            shell.close(_("This profile is now called {name}.", name=name))

    async def _delete(self, profile: str) -> None:
        shell = self.shell
        name = next((one["name"] for one in shell.overview["profiles"] if one["id"] == profile), "")
        active = self.current["id"] == profile
        done, _overview = await shell.act("delete-profile", shell.link.call("delete_profile", profile))
        if not done:
            return
        said = _("{name}'s profile and its data were deleted from this device.", name=name)
        if active:
            shell.go("#/", said)
        else:
            await shell.fetch()
            shell.close(said)
            shell.screen.focus("notice")

    # ---- passphrase

    async def _change_passphrase(self, _subject: str) -> None:
        shell, new = self.shell, self.text("passphrase-new")
        present = self.text("passphrase") if self.current["passphrase"] else ""
        if shell.seconds_to_wait():
            return
        if self.current["passphrase"] and not present:
            return shell.refuse(_("Type your present passphrase first."), "passphrase")
        if not new:
            return shell.refuse(_("Type the new passphrase first."), "passphrase-new")
        if self.text("passphrase-repeat") != new:
            return shell.refuse(differ(), "passphrase-repeat")
        said = _("The passphrase was changed.") if present else _("Your store has a passphrase now.")
        if self.ticked("renew-root"):
            said = _("The passphrase was changed, and everything here was sealed anew.")
        await self._rewrap(present, new, said, self.ticked("renew-root"))

    async def _remove_passphrase(self, _subject: str) -> None:
        shell, present = self.shell, self.text("passphrase")
        if shell.seconds_to_wait():
            return
        if not present:
            return shell.refuse(_("Type your present passphrase first."), "passphrase")
        await self._rewrap(present, "", _("Your store has no passphrase any more."))

    def heard(self, event: Event) -> None:
        """Show how much is sealed anew."""
        if event[0] == "renewing" and self.shell.moment.busy == "save-passphrase":
            self.shell.progress(int(event[1]), int(event[2]))

    async def _rewrap(self, present: str, new: str, said: str, renew: bool = False) -> None:
        work = self.shell.link.call("change_passphrase", present, new, renew)
        beside = {"WrongPassphrase": "passphrase", "InvalidValue": "passphrase-new"}
        if await self._done("save-passphrase", work, beside):
            self.shell.close(said)
            self.shell.screen.focus("notice")  # the button that opened the form may be another one now

    async def _stay(self) -> None:
        shell, stay = self.shell, self.ticked("stay-unlocked")
        if stay and not self.current["stays_unlocked"]:  # it outlives the lock
            return shell.open("stay-longer")
        self._expect({**self.current, "stays_unlocked": stay})
        await self._done("stay-unlocked", shell.link.call("set_stay_unlocked", stay))

    async def _stay_longer(self, _subject: str) -> None:
        await self._prove(
            lambda passphrase: self.shell.link.call("set_stay_unlocked", True, passphrase),
            _("Your store stays unlocked on this device."),
        )

    async def _lock_minutes(self) -> None:
        shell, minutes = self.shell, int(self.text("lock-minutes") or 0)
        if is_longer(minutes, self.current["lock_minutes"]):
            return shell.open("lock-later", str(minutes))
        self._expect({**self.current, "lock_minutes": minutes})
        await self._done("lock-minutes", shell.link.call("set_lock_minutes", minutes))

    async def _lock_later(self, minutes: str) -> None:
        await self._prove(
            lambda passphrase: self.shell.link.call("set_lock_minutes", int(minutes), passphrase),
            _("Your store locks later now.")
            if int(minutes)
            else _("Your store does not lock by itself now."),
        )

    async def _prove(self, call: Callable[[str], Awaitable[Any]], said: str) -> None:
        """Make a choice that outlives the lock, with the passphrase that was typed for it."""
        passphrase = self.proof()
        if passphrase is not None and await self._done(
            "prove", call(passphrase), {"WrongPassphrase": "passphrase"}
        ):
            self.shell.close(said)

    def _expect(self, profile: CurrentProfile) -> None:
        """Show the choice as made while the engine works on it."""
        self.shell.overview = {**self.shell.overview, "profile": profile}
        self.shell.moment = self.shell.moment._replace(panel=views.Panel())

    async def _done(self, button: str, work: Any, beside: dict[str, str] | None = None) -> bool:
        """Wait for a call that returns the overview; say whether it went well."""
        done, overview = await self.shell.act(button, work, beside)
        if done:
            self.shell.overview = {**self.shell.overview, **overview}
            self.shell.draw()
            return True
        problem = self.shell.moment.problem
        if not (beside and problem and problem.field):  # a choice that was not taken goes back
            self.shell.overview = {**self.shell.overview, **await self.shell.link.call("overview")}
            self.shell.draw()
        return False

    # ---- the relay

    async def _save_relay(self, _subject: str) -> None:
        url = self.text("relay-address").strip()
        if not url:
            return self.shell.refuse(_("Type the relay's address first."), "relay-address")
        await self._set_relay("save-relay", url)

    async def _set_relay(self, button: str, url: str | None) -> None:
        shell = self.shell
        done, _nothing = await shell.act(button, shell.link.call("set_relay", url), {"": "relay-address"})
        if not done:
            return
        await shell.fetch()
        if shell.overview["sync"]["relay"]["url"]:
            shell.close(_("Your devices now meet at {relay}.", relay=shell.overview["sync"]["relay"]["url"]))
        else:
            shell.close(_("This store uses no relay now. What you change stays on this device."))
        shell.screen.focus("notice")

    # ---- the browser

    async def _persist(self, _subject: str) -> None:
        shell = self.shell
        done, persisted = await shell.act("persist", self._ask())
        if not done:
            return
        await shell.fetch()
        if persisted:
            shell.close(_("The browser will keep your data until you delete it."))
        else:
            shell.close(
                _(
                    "The browser did not agree. It often does once a site has been used for a while, or installed."
                )
            )
        shell.screen.focus("notice")

    async def _ask(self) -> bool:
        try:
            return await self.shell.keep_for_good()
        except MasqError:
            raise
        except Exception as error:  # the browser's own failure
            raise MasqError(str(error)) from error

    async def _language(self) -> None:
        chosen = self.text("language")
        if chosen in LANGUAGES:
            preferences.choose_language(self.shell.screen, chosen)
        self.shell.draw()

    async def _theme(self) -> None:
        preferences.choose_theme(self.shell.screen, self.text("theme"))
        self.shell.draw()

    async def _trace(self) -> None:
        preferences.choose_traced(self.shell.screen, self.ticked("trace"))
        await self.shell.fetch()

    async def _copy_trace(self, _subject: str) -> None:
        copied = await self.shell.screen.copy("\n".join(self.trace))
        # Not `close`: a form of this page that somebody fills in stays open.
        said = _("What happened lately is copied.")
        if not copied:
            said = _("The browser did not copy it. Select the text and copy it by hand.")
        self.shell.moment = self.shell.moment._replace(problem=None, notice=views.Notice(said))
        self.shell.draw()
        self.shell.screen.focus("notice")
