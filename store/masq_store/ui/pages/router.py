"""The router: which page the reader sees, by the address and by what is known."""

from masq_store.core.pages.schema import CurrentProfile, Overview
from masq_store.ui.html.views import Question
from masq_store.ui.pages.app_link import AppLink
from masq_store.ui.pages.apps import Apps
from masq_store.ui.pages.backup import Backup
from masq_store.ui.pages.connect import Connect
from masq_store.ui.pages.devices import Devices
from masq_store.ui.pages.entries import Entries
from masq_store.ui.pages.join_device import JoinDevice
from masq_store.ui.pages.removed import Removed, asks
from masq_store.ui.pages.restore import Restore
from masq_store.ui.pages.settings import Settings
from masq_store.ui.pages.shell import Shell
from masq_store.ui.pages.static import Nowhere, Over
from masq_store.ui.pages.unlock import Create, Failed, Unlock
from masq_store.ui.pages.visit import Visit

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


def visit_for(shell: Shell, present: Visit | None, overview: Overview, request: Question | None) -> Visit:
    """Return the visit for where `shell` is and what is known: the `present` one where that has not changed."""
    kind = Removed if asks(overview) else _kind(shell, overview["profile"], request)
    profile = overview["profile"]["id"] if overview["profile"] else ""
    same = present and type(present) is kind and present.place == shell.place
    if present and same and (present.stays or present.profile == profile):
        return present
    return kind(shell, shell.place, profile)


def _kind(shell: Shell, profile: CurrentProfile | None, request: Question | None) -> type[Visit]:
    page = shell.place.page
    locked = bool(profile and profile["locked"])
    if page == "nowhere":
        return Nowhere
    if page == "pair":  # it brings a profile: whatever is here stays as it is
        return JoinDevice
    if page == "connect" and not request and not locked:
        # Asked here before, its page has gone since: that it cannot be reached has no other reason.
        cut_off = shell.screen.severed and shell.asked != shell.place.nonce
        return AppLink if cut_off and shell.screen.came_from() else Over
    if not profile:
        return Restore if page == "restore" else Create
    if profile["failed"]:
        return Create if page == "new-profile" else Failed
    if locked:
        return Unlock
    return KINDS[page]
