"""The pages' addresses: what stands after the # and the place it names."""

from typing import NamedTuple
from urllib.parse import quote, unquote

PLAIN = ("settings", "devices", "pair", "backup", "restore", "new-profile")


class Place(NamedTuple):
    """The reader's place, a parsed address. `page` is "apps", "app", "connect", "nowhere", or one of PLAIN.

    `link`: what another device's link says after its "#", where the reader came by one.
    """

    page: str
    origin: str = ""
    nonce: str = ""
    link: str = ""


def read_hash(fragment: str) -> Place:
    """Return the place that `fragment` names (with or without its leading "#")."""
    text = fragment.removeprefix("#")
    if text in ("", "/"):
        return Place("apps")
    if text.startswith("connect="):
        return Place("connect", nonce=text[len("connect=") :])
    if text.startswith("pair="):
        return Place("pair", link=text)
    page, slash, origin = text.removeprefix("/").partition("/")
    if text.startswith("/") and page in PLAIN and not slash:
        return Place(page)
    if text.startswith("/") and page in ("app", "backup") and origin:
        try:
            return Place(page, origin=unquote(origin, errors="strict"))
        except UnicodeDecodeError:
            return Place("nowhere")
    return Place("nowhere")


def app_address(origin: str, page: str = "app") -> str:
    """Return the address of an app's page, the origin written as encodeURIComponent writes it."""
    return f"#/{page}/" + quote(origin, safe="!'()*-._~")


def split_origin(origin: str) -> tuple[str, str, str]:
    """Return (scheme with "://", host, ":port" or ""), which joined are `origin` again."""
    scheme, mark, rest = origin.partition("://")
    if not mark:
        return "", origin, ""
    host, colon, port = rest.rpartition(":")
    if colon and port.isdigit():
        return scheme + mark, host, colon + port
    return scheme + mark, rest, ""
