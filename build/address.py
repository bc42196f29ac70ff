"""The store's address, as a person types it and as browsers write it. Standard library only."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from build.places import BuildError

STANDARD = {"http": 80, "https": 443}


def store_address(typed: str) -> str:
    """Return the address with scheme and host in small letters, without the standard port and the last slash.

    Raises BuildError where it is none: the demos would be built, and find no store.
    """
    try:
        parts = urlsplit(typed.strip())
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        parts, port, host = urlsplit(""), None, ""
    whole = parts.scheme in STANDARD and re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", host)
    if (
        not whole
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
        or re.search(r"[\s\"'<>\\]", parts.path)
    ):
        raise BuildError(
            f"{typed!r} is no address of a store: it begins with https:// and names a host, such as "
            "https://store.example, or http://store.localhost:8000 on this machine."
        )
    place = f"[{host}]" if ":" in host else host
    shown = "" if port in (None, STANDARD[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{place}{shown}{parts.path.rstrip('/')}"
