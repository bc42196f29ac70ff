"""The base class of all pages."""

from collections.abc import Awaitable, Callable
from typing import Any

from masq_store.core.pages.schema import CurrentProfile, Event
from masq_store.ui.html.routes import Place
from masq_store.ui.html.views import Page
from masq_store.ui.pages.shell import Shell
from masq_store.ui.text.translation import _

Act = Callable[[str], Awaitable[None]]
"""What a button does, given what it is about."""

Choice = Callable[[], Awaitable[None]]
"""What happens once something is chosen in a list, a box or a file field."""


class Visit:
    """A page's state during one visit: what it knows, shows, and can do. It ends when the reader goes elsewhere.

    `profile` is the id of the profile that it is about. `stays`: another profile does not end it.
    `urgent` names acts that wait for no other one.
    `firsts` names the element that gets the focus when a panel opens, where that is not its question, and
    `openers` the one that opens it, where that is not called open-<panel>.
    """

    stays = False
    urgent: frozenset[str] = frozenset()
    firsts: dict[str, str] = {}
    openers: dict[str, str] = {}

    def __init__(self, shell: Shell, place: Place, profile: str) -> None:
        self.shell = shell
        self.place = place
        self.profile = profile

    async def load(self) -> Any:
        """Return what the page shows beyond the overview, by the engine. May come to nothing: see `take`."""
        return None

    def take(self, loaded: Any) -> None:
        """Keep what `load` returned: it is the newest."""

    def page(self) -> Page:
        """Return the page for what is known now."""
        raise NotImplementedError

    async def shown(self) -> None:
        """Do what is due once the page has been drawn with what was fetched."""

    def acts(self) -> dict[str, Act]:
        """Return what the page's buttons and forms do, by name."""
        return {}

    def choices(self) -> dict[str, Choice]:
        """Return what happens when something is chosen, by the field's id."""
        return {}

    def typed(self, field: str) -> None:
        """Take that the reader typed into the field with that id."""

    def heard(self, event: Event) -> None:
        """Take an event of the engine that is not about the overview or an app's data."""

    def left(self) -> None:
        """Release what the visit holds: the reader goes elsewhere."""

    # ---- for all

    @property
    def current(self) -> CurrentProfile:
        """The profile in use, for the pages that are shown only where there is one: see router.py."""
        profile = self.shell.overview["profile"]
        assert profile is not None
        return profile

    def text(self, field: str) -> str:
        """Return what the field with that id holds, "" where there is none."""
        return str(self.shell.screen.fields().get(field, ""))

    def proof(self, field: str = "passphrase") -> str | None:
        """Return the store's passphrase as it was typed into a field, for what outlives the lock.

        "" where the store has none. None where it is missing, or may not be tried yet: the page says so.
        """
        shell, typed = self.shell, self.text(field)
        if not self.current["passphrase"]:
            return ""
        if shell.seconds_to_wait():
            return None
        if not typed:
            shell.refuse(_("Type your store's passphrase first."), field)
            return None
        return typed

    def ticked(self, field: str) -> bool:
        """Say whether the box with that id is ticked."""
        return bool(self.shell.screen.fields().get(field, False))
