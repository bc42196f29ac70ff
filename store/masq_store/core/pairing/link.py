"""Links with a secret, at which two that cannot reach each other otherwise meet: `https://store/#pair=<secret>&relay=…`.

`pair` brings a new device to an old one; `enrol` an app's page to a window of the store, where the browser lets the two
not speak.

The secret stands in the fragment, which browsers send to no server.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from masq_store.core.crypto.key_schedule import LINK_BYTES
from masq_store.core.errors import BadPairingLink, BadRelayAddress
from masq_store.core.profile.relay_address import check_relay_address

PAIR, ENROL = "pair", "enrol"

MAX_LINK = 2048  # characters; ours have about 100, a relay's address included

_SECRET = re.compile("[A-Za-z0-9_-]{22}")  # 16 bytes in base64url without padding


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link, taken apart: its secret (16 bytes), and the relay's address, None for the store's default one."""

    secret: bytes = field(repr=False)
    relay: str | None = None


def write_link(store: str, invitation: Invitation, purpose: str = PAIR) -> str:
    """Return the link; `store`: the address of the store's page, without a fragment."""
    secret = urlsafe_b64encode(invitation.secret).rstrip(b"=").decode()
    relay = "" if invitation.relay is None else "&relay=" + quote(invitation.relay, safe=":/")
    return f"{store}#{purpose}={secret}{relay}"


def read_link(text: object, purpose: str = PAIR) -> Invitation:
    """Return what a link of that purpose says, given whole or from its fragment on, with or without "#".

    Parts with other names are left for later versions. Raises BadPairingLink for anything else.
    """
    if not isinstance(text, str) or len(text) > MAX_LINK:
        raise BadPairingLink()
    parts: dict[str, str] = {}
    for part in text.strip().rpartition("#")[2].split("&"):
        name, equals, value = part.partition("=")
        if not equals or name in parts:
            raise BadPairingLink()
        parts[name] = value
    secret = _secret(parts.get(purpose, ""))
    return Invitation(secret, _relay(unquote(parts["relay"])) if "relay" in parts else None)


def _secret(text: str) -> bytes:
    if not _SECRET.fullmatch(text):
        raise BadPairingLink()
    secret = urlsafe_b64decode(text + "==")
    if len(secret) != LINK_BYTES or urlsafe_b64encode(secret).rstrip(b"=").decode() != text:
        raise BadPairingLink()  # the last character's spare bits are not zero: it was altered
    return secret


def _relay(address: str) -> str:
    try:
        return check_relay_address(address)
    except BadRelayAddress:
        raise BadPairingLink() from None
