"""What each page knows and does. `visit_for` says which one the reader sees."""

from typing import TYPE_CHECKING, Any

from masq_store.ui.pages.app_link import Severed
from masq_store.ui.pages.join_device import Pair
from masq_store.ui.pages.static import Nowhere, Over
from masq_store.ui.pages.unlock import Create, Failed, Unlock

from .apps import Apps
from .backup import Backup
from .connect import Connect
from .devices import Devices
from .entries import Entries
from .removed import Removed, asks
from .restore import Restore
from .settings import Settings
from .visit import Visit

if TYPE_CHECKING:
    from ..app import App

KINDS: dict[str, type[Visit]] = {
    "apps": Apps,
    "app": Entries,
    "settings": Settings,
    "devices": Devices,
    "backup": Backup,
    "restore": Restore,
    "new-profile": Create,
    "connect": Connect,
}


def visit_for(app: "App", overview: dict[str, Any], request: dict[str, Any] | None) -> Visit:
    """Return the visit for where `app` is and what is known: the present one where that has not changed."""
    kind = Removed if asks(overview) else _kind(app, overview["profile"], request)
    profile = overview["profile"]["id"] if overview["profile"] else ""
    present = app.visit
    same = present and type(present) is kind and present.place == app.place
    if present and same and (present.stays or present.profile == profile):
        return present
    return kind(app, app.place, profile)


def _kind(app: "App", profile: dict[str, Any] | None, request: dict[str, Any] | None) -> type[Visit]:
    page = app.place.page
    locked = bool(profile and profile["locked"])
    if page == "nowhere":
        return Nowhere
    if page == "pair":  # it brings a profile: whatever is here stays as it is
        return Pair
    if page == "connect" and not request and not locked:
        # Asked here before, its page has gone since: that it cannot be reached has no other reason.
        cut_off = app.screen.severed and app.asked != app.place.nonce
        return Severed if cut_off and app.screen.came_from() else Over
    if not profile:
        return Restore if page == "restore" else Create
    if profile.get("failed"):
        return Create if page == "new-profile" else Failed
    if locked:
        return Unlock
    return KINDS[page]
