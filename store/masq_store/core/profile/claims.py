"""Validation of what an app says about itself: who may ask for access, and in what words.

An app's origin is its identity. All else is what it claims, shown second, bounded, and with nothing in it
that would make it read otherwise than it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from masq.errors import InvalidValue, MasqError, ProtocolError

MAX_NAME = 64  # characters
MAX_DESCRIPTION = 200  # characters
MAX_ICON = 32 * 1024  # characters of the data: URL
MAX_LOCK_MINUTES = 24 * 60
MAX_ORIGIN = 300  # characters; a host name has at most 253

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[1-9]\d{0,4}))?",
    re.ASCII,
)
_NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_CONNECT = re.compile(r"#connect=([0-9a-f]{32})", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_LOOPBACK = re.compile(r"localhost|[a-z0-9_.-]+\.localhost|127\.0\.0\.1|\[::1\]", re.ASCII)

_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # control characters that are no space
    "\xad\u061c\u180e\u200b\u200e\u200f"  # soft hyphen, marks of direction, zero-width space
    "\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # overrides and isolates, joiners without use in names
    "\U000e0000-\U000e0fff]"  # tags
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_ICON = re.compile(
    r"data:image/(?:png|jpeg|webp|gif|svg\+xml);base64,[A-Za-z0-9+/]+={0,2}"
    r"|data:image/svg\+xml(?:;charset=utf-8|;utf8)?,[\x20-\x7e]+",
    re.ASCII | re.IGNORECASE,
)


class AppClaims(NamedTuple):
    """What an app says about itself, cleaned. `icon`: a data: URL of an image, or None."""

    name: str
    description: str
    icon: str | None


def is_longer(minutes: int, before: int) -> bool:
    """Say whether a lock time leaves a store open for longer than the one before; 0 minutes: for ever."""
    return before != 0 and (minutes == 0 or minutes > before)


def check_origin(origin: object) -> None:
    """Raise ProtocolError unless an app of this origin may ask for access.

    `origin` as browsers write it: https, or http on the machine itself; lower case, no path, no default port.
    The opaque origin "null" is refused: it is nobody's identity.
    """
    if origin == "null":
        raise ProtocolError("this page has no origin of its own (a sandboxed frame, or a file)")
    if not isinstance(origin, str) or len(origin) > MAX_ORIGIN:
        raise ProtocolError("the app's origin is not one")
    found = _ORIGIN.fullmatch(origin)
    if found is None or found["port"] == _DEFAULT_PORTS[found["scheme"]] or int(found["port"] or 0) > 65535:
        raise ProtocolError("the app's origin is not one that a browser would name")
    if found["scheme"] == "http" and not _LOOPBACK.fullmatch(found["host"]):
        raise ProtocolError("an app must be served by https; only on this machine itself http will do")


def is_this_machine(address: str) -> bool:
    """Say whether the address of a page names the machine that opens it, whichever that is."""
    found = _ORIGIN.match(address)
    return found is not None and _LOOPBACK.fullmatch(found["host"]) is not None


def check_nonce(nonce: object) -> None:
    """Raise ProtocolError unless `nonce` is 32 lower-case hexadecimal characters."""
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise ProtocolError("the app's nonce must be 32 hexadecimal characters")


def nonce_in(fragment: object) -> str:
    """Return the nonce of the request that a window was opened for, "" if for none; `fragment`: of its address."""
    found = _CONNECT.fullmatch(fragment) if isinstance(fragment, str) else None
    return found[1] if found else ""


def check_app(name: object, description: object = "", icon: object = None) -> AppClaims:
    """Return what an app says about itself without what cannot be seen, and with single spaces.

    Raises ProtocolError where the name is empty or anything is not of its type or over its bound: a name
    has 1 to 64 characters, a description at most 200, an icon is None or a data: URL of a PNG, JPEG, WebP,
    GIF or SVG of at most 32 KiB.
    """
    cleaned = _clean("app's name", name, MAX_NAME)
    if not cleaned:
        raise ProtocolError("the app's name is empty")
    return AppClaims(cleaned, _clean("app's description", description, MAX_DESCRIPTION), _check_icon(icon))


def check_profile_name(name: object) -> str:
    """Return a profile's name, cleaned like an app's. Raises InvalidValue if not 1 to 64 long."""
    cleaned = _clean("profile's name", name, MAX_NAME, InvalidValue)
    if not cleaned:
        raise InvalidValue("a profile needs a name")
    return cleaned


def check_device_name(name: object) -> str:
    """Return a device's name, cleaned like an app's. Raises InvalidValue if not 1 to 64 long."""
    cleaned = _clean("device's name", name, MAX_NAME, InvalidValue)
    if not cleaned:
        raise InvalidValue("a device needs a name")
    return cleaned


def _clean(what: str, text: object, longest: int, error: Callable[[str], MasqError] = ProtocolError) -> str:
    if not isinstance(text, str):
        raise error(f"the {what} must be a str, not {type(text).__name__}")
    if len(text) > 20 * longest or _SURROGATE.search(text):  # 20: far beyond what cleaning takes away
        raise error(f"the {what} is too long or not text")
    cleaned = " ".join(_INVISIBLE.sub("", text).split())
    if len(cleaned) > longest:
        raise error(f"the {what} has {len(cleaned)} characters, {longest} are allowed")
    return cleaned


def _check_icon(icon: object) -> str | None:
    if icon is None:
        return None
    if not isinstance(icon, str) or len(icon) > MAX_ICON or not _ICON.fullmatch(icon):
        raise ProtocolError(
            "the icon must be a data: URL of a PNG, JPEG, WebP, GIF or SVG image, "
            f"{MAX_ICON} characters at most"
        )
    return icon
