"""Every error that Masq raises, split by whose turn it is.

    MasqError
    ├── the person      NotRegistered  AccessDenied  Locked
    ├── the browser     PopupBlocked  StorageUnavailable  ConnectionTimeout  Disconnected
    ├── the app         InvalidKey  InvalidValue  QuotaExceeded
    └── either program  ProtocolError

Each error says in one or two sentences what happened, what it means and what to do, and keeps what it knows
in attributes. `to_wire` and `from_wire` are the form in which errors travel between app and store.

This file also runs under MicroPython, so it keeps to that subset of Python.
"""

import sys

if sys.implementation.name != "micropython":  # it has no typing, and does not evaluate annotations
    from typing import Any

LONGEST_FIELD = 200  # characters of a field that travel; errors quote what was wrong, they do not carry it


class MasqError(Exception):
    """The base class of all errors of Masq.

    `sentence` is for people, `code` (the class's name) for programs; `fields` become attributes.
    """

    code = "MasqError"
    names: tuple[str, ...] = ()  # the fields of this class: no others are taken from the wire

    def __init__(self, sentence: str = "", **fields: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.fields = fields
        for name in fields:
            setattr(self, name, fields[name])

    def __str__(self) -> str:
        return self.sentence


class NotRegistered(MasqError):
    """The user has not approved this app, or has withdrawn it. `origin`: the app's, where known."""

    code = "NotRegistered"
    names = ("origin",)

    def __init__(self, origin: str = "") -> None:
        who = "The app at " + quoted(origin) if origin else "This app"
        super().__init__(
            who + " is not approved in your store, so it can neither read nor write there. "
            "Connect it, and allow it in the store's window.",
            origin=origin,
        )


class AccessDenied(MasqError):
    """The user said no. `reason`: "refused" (pressed Refuse) or "closed" (closed the window)."""

    code = "AccessDenied"
    names = ("reason",)

    def __init__(self, reason: str = "refused") -> None:
        if reason == "closed":
            what = "The store's window was closed before you decided"
        else:
            what = "You refused this app access to your store"
        super().__init__(
            what + ". Nothing was shared. To allow it after all, connect it again.", reason=reason
        )


class PopupBlocked(MasqError):
    """The browser did not open the store's window: it does so straight from a click alone, before any `await`."""

    code = "PopupBlocked"

    def __init__(self) -> None:
        super().__init__(
            "The browser blocked the store's window, so you could not be asked. "
            "Let this page open pop-up windows, then connect it again."
        )


class Locked(MasqError):
    """The user's profile is locked."""

    code = "Locked"

    def __init__(self) -> None:
        super().__init__(
            "Your store is locked, so nothing can be read or written. "
            "Unlock it: connect this app again, or open the store."
        )


class ConnectionTimeout(MasqError):
    """Nothing was heard for too long. `seconds` waited, and `waiting_for` what."""

    code = "ConnectionTimeout"
    names = ("seconds", "waiting_for")

    def __init__(self, seconds: float = 0, waiting_for: str = "the store") -> None:
        super().__init__(
            "Waited " + str(seconds) + " s for " + waiting_for + " and heard nothing. "
            "Whether the call was carried out is not known. "
            "Check the store's address and the network, then try again.",
            seconds=seconds,
            waiting_for=waiting_for,
        )


class Disconnected(MasqError):
    """The connection ended while a call was under way. `reason`: why, in words."""

    code = "Disconnected"
    names = ("reason",)

    def __init__(self, reason: str = "the connection ended") -> None:
        super().__init__(
            "The connection to the store ended: " + reason + ". What was being saved then may be there or "
            "not: look before you save it again.",
            reason=reason,
        )


class InvalidKey(MasqError):
    """A key cannot be used. `reason`: why; `key`: the key as given."""

    code = "InvalidKey"
    names = ("reason", "key")

    def __init__(self, reason: str = "it is not a valid key", key: Any = "") -> None:
        super().__init__(
            "The key " + quoted(key) + " cannot be used: " + reason + ". Nothing was changed. "
            "A key is a non-empty str of at most 512 bytes in UTF-8.",
            reason=reason,
            key=key,
        )


class InvalidValue(MasqError):
    """A value cannot be stored. `reason`: why; `path`: where in the value, such as `["a"][3]`, or ""."""

    code = "InvalidValue"
    names = ("reason", "path")

    def __init__(self, reason: str = "it is not a valid value", path: str = "") -> None:
        where = " (at " + path + ")" if path else ""
        super().__init__(
            "The value cannot be stored: " + reason + where + ". Nothing was changed.",
            reason=reason,
            path=path,
        )


ROOM = {
    "keys": "Delete some entries of this app first.",
    "bytes": "Delete something of this app first.",
    "deleted": "Deleting more does not help. Names that were in use once can be used again; else erase this app's "
    "data in the store, and begin anew.",
    "device": "Free some room on this device, then try again.",
}
"""What helps where there is no room, by `QuotaExceeded.kind`."""


class QuotaExceeded(MasqError):
    """There is no room. `what` is full, in words; `limit`: how much of it there is, 0 where not known.

    `kind`: which limit it is: "keys" (of the app, those that exist), "bytes" (of the app), "deleted" (keys of the app
    that were deleted and must be remembered), "device" (its storage), or "" for any other.
    """

    code = "QuotaExceeded"
    names = ("what", "limit", "kind")

    def __init__(self, what: str = "storage", limit: int = 0, kind: str = "") -> None:
        size = " (at most " + str(limit) + ")" if limit else ""
        super().__init__(
            (
                "There is no room for this: " + what + size + ". Nothing was changed. " + ROOM.get(kind, "")
            ).strip(),
            what=what,
            limit=limit,
            kind=kind,
        )


class StorageUnavailable(MasqError):
    """The browser gives no storage here. `reason`: why; `setting`: what the user can change, or ""."""

    code = "StorageUnavailable"
    names = ("reason", "setting")

    def __init__(self, reason: str = "the browser refuses it", setting: str = "") -> None:
        advice = "To change that: " + setting + "." if setting else "Another browser may allow it."
        super().__init__(
            "The store cannot reach your data here: " + reason + ". " + advice,
            reason=reason,
            setting=setting,
        )


class ProtocolError(MasqError):
    """A message is malformed: one side did not understand the other. `reason`: what was wrong, in words."""

    code = "ProtocolError"
    names = ("reason",)

    def __init__(self, reason: str = "the message is malformed") -> None:
        super().__init__(
            "App and store did not understand each other: " + reason + ". "
            "Check the store's address, and that both use a version of Masq that fits.",
            reason=reason,
        )


KNOWN: dict[str, Any] = {}
"""The class for each code that may arrive; `known` adds to it."""


def known(kind: Any) -> Any:
    """Let `from_wire` build this class of error too (the store's pages know some more). Returns `kind`."""
    KNOWN[kind.code] = kind
    return kind


for _kind in (
    NotRegistered,
    AccessDenied,
    PopupBlocked,
    Locked,
    ConnectionTimeout,
    Disconnected,
    InvalidKey,
    InvalidValue,
    QuotaExceeded,
    StorageUnavailable,
    ProtocolError,
):
    known(_kind)


def to_wire(error: MasqError) -> list[Any]:
    """Return `[code, sentence, fields]`, ready for JSON whatever the fields hold."""
    fields = {}
    for name in error.fields:
        fields[name] = _plain(error.fields[name])
    return [error.code, _clean(error.sentence), fields]


def from_wire(wire: Any) -> MasqError:
    """Return the error that `to_wire` described, with its sentence as it was sent.

    A code that is not known here becomes a ProtocolError with the sender's sentence, and anything malformed
    becomes a ProtocolError too: this never raises.
    """
    if not isinstance(wire, list) or len(wire) != 3:
        return ProtocolError("an error arrived in an unknown form")
    code, sentence, fields = wire
    if not isinstance(code, str) or not isinstance(sentence, str) or not isinstance(fields, dict):
        return ProtocolError("an error arrived in an unknown form")
    kind = KNOWN.get(code)
    if kind is None:
        error: MasqError = ProtocolError(sentence)
    else:
        taken = kind().fields
        for name in kind.names:
            if name in fields and _fits(taken[name], fields[name]):
                taken[name] = fields[name]
        error = kind(**taken)
    if sentence:
        error.sentence = sentence
    return error


def quoted(text: Any) -> str:
    """Return what was given in quotes, cut to a readable length and safe to print."""
    if not isinstance(text, str):
        return "of type " + type(text).__name__
    shown = _clean(text)
    return '"' + (shown if len(shown) <= 80 else shown[:79] + "…") + '"'


def _fits(default: Any, field: Any) -> bool:
    """Say whether a field from the wire has the type of its default: a str, or a number."""
    return isinstance(field, str if isinstance(default, str) else (int, float))


def _plain(field: Any) -> Any:
    """Return a field as something JSON can carry: numbers as they are, anything else as short text."""
    if field is None or (isinstance(field, (int, float)) and abs(field) < 2**53):
        return field
    shown = _clean(field if isinstance(field, str) else "of type " + type(field).__name__)
    return shown if len(shown) <= LONGEST_FIELD else shown[: LONGEST_FIELD - 1] + "…"


def _clean(text: str) -> str:
    """Return the text without lone surrogates: they cannot travel as UTF-8."""
    for character in text:
        if 0xD800 <= ord(character) <= 0xDFFF:
            return "".join(["?" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text])
    return text
