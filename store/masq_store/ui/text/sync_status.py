"""The state of sync in sentences: whether a profile is in step with its other devices."""

from masq.errors import from_wire
from masq_store.core.pages.schema import AppSyncStatus, CopyRecord, RelayInUse, SyncStatus
from masq_store.ui.text import error_sentences, formatting
from masq_store.ui.text.translation import _, ngettext

CLOCK_MATTERS_MS = 60_000
"""A clock that is off by more than this is named: the later change is told by the clocks."""

OFF: SyncStatus = {
    "state": "off", "relay": {"url": "", "default": "", "own": None, "problem": None}, "last_ms": None,
    "waiting": 0, "refused": 0, "repeated": 0, "differed": 0, "copying": None, "clock_off_ms": None,
}  # fmt: skip
"""What is known of a profile before the engine has said anything."""

APP_OFF: AppSyncStatus = {"on": True, "state": "off", "waiting": 0, "last_ms": None, "devices": 1}
"""The same of one app."""


def state(sync: SyncStatus, devices: int) -> str:
    """Return how things stand between this device, one of so many `devices`, and the relay."""
    if sync["copying"]:
        return _("Your data is being copied onto this device.")
    if not sync["relay"]["url"]:
        if devices > 1:
            return _("No relay is set, so your devices are not in step.")
        return _("Only this device has your data.")
    match sync["state"]:
        case "off":
            return _("This device is not in step with your others.")
        case "offline":
            first = (
                _("The relay is not connected.")
                if sync["relay"]["problem"]
                else _("Connecting to the relay…")
            )
            return _joined(first, waiting(sync["waiting"]))
        case "catching-up":
            return _("Fetching what is new…")
    if sync["waiting"]:
        return waiting(sync["waiting"])
    if devices > 1:
        return _("Everything here is on the relay.")
    return _("Everything here is on the relay. No other device has it.")


def app_state(sync: AppSyncStatus, relay: str, now_ms: int) -> str:
    """Return how things stand for one app; `relay` is the address in use, "" for none."""
    if not sync["on"]:
        return _("What this app saves here stays on this device.")
    if not relay:
        return _("No relay is set, so nothing is passed on.")
    match sync["state"]:
        case "off":
            return _("Not in step yet.")
        case "offline":
            said = _("The relay is not connected.")
        case "catching-up":
            said = _("Fetching what is new…")
        case _other:
            said = "" if sync["waiting"] else _("Everything here is on the relay.")
    when = "" if sync["state"] == "live" else last(sync["last_ms"], now_ms)
    return _joined(said, waiting(sync["waiting"]), when)


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def last(last_ms: int | None, now_ms: int) -> str:
    """Return when this device last had everything that the relay has; "" if it never had."""
    if last_ms is None:
        return ""
    return _("Last up to date: {when}.", when=formatting.moment(last_ms, now_ms))


def waiting(amount: int) -> str:
    """Return how many changes made here are not on the relay yet; "" for none."""
    if not amount:
        return ""
    return ngettext("{n} change made here is waiting.", "{n} changes made here are waiting.", amount)


def holders(devices: int) -> str:
    """Return how many devices hold something, this one among them."""
    if devices < 2:
        return _("No other device has it.")
    return ngettext("{n} device holds it.", "{n} devices hold it.", devices)


def copy_name(copy: CopyRecord) -> str:
    """Return what a copy of one app's data is called, by the browser that keeps it apart from the store."""
    if copy["here"]:
        return _("{app} in this browser", app=copy["name"])
    if copy["device"]:
        return _("{app} in {device}", app=copy["name"], device=copy["device"])
    return _("{app} in another browser", app=copy["name"])


def copies_meet(relay: str) -> str:
    """Return when copies meet the store; `relay` is the address in use, "" for none."""
    if relay:
        return _("A copy meets the others through the relay, and while the store's window is open.")
    return _(
        "Without a relay the copy meets the others only while the store's window is open: click Sync now in "
        "the app."
    )


def problem(relay: RelayInUse) -> str:
    """Return why the relay is not connected, in the reader's language; "" if nothing is wrong."""
    return error_sentences.said(from_wire(relay["problem"])) if relay["problem"] else ""


def dropped(sync: SyncStatus) -> list[str]:
    """Return what was wrong with what arrived, a sentence for each kind."""
    said = []
    if sync["refused"]:
        said.append(
            ngettext(
                "{n} message was dropped because it did not come from your devices, or was damaged on its way.",
                "{n} messages were dropped because they did not come from your devices, or were damaged on "
                "their way.",
                sync["refused"],
            )
        )
    if sync["repeated"]:
        said.append(
            ngettext(
                "{n} message came a second time and was dropped.",
                "{n} messages came a second time and were dropped.",
                sync["repeated"],
            )
        )
    if sync["differed"]:
        said.append(
            ngettext(
                "{n} time another device held something else than this one. All that is here was sent again.",
                "{n} times another device held something else than this one. All that is here was sent again.",
                sync["differed"],
            )
        )
    return said


def clock(off_ms: int | None) -> str:
    """Return by how much the clock of this device is wrong, and what to do; "" if it is right or not known."""
    if not off_ms or abs(off_ms) <= CLOCK_MATTERS_MS:
        return ""
    span = formatting.span(abs(off_ms))
    if off_ms > 0:
        said = _("The clock of this device is {span} ahead.", span=span)
    else:
        said = _("The clock of this device is {span} behind.", span=span)
    return _joined(
        said, _("Set it right: of two changes to the same thing, the one that is later by the clocks wins.")
    )


def other_clock(off_ms: int | None) -> str:
    """The same for another device, in a few words."""
    if not off_ms or abs(off_ms) <= CLOCK_MATTERS_MS:
        return ""
    span = formatting.span(abs(off_ms))
    return (
        _("its clock is {span} ahead", span=span)
        if off_ms > 0
        else _("its clock is {span} behind", span=span)
    )
