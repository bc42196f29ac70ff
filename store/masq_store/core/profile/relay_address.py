"""Validation of a relay's address."""

from __future__ import annotations

import re

from masq.errors import ProtocolError
from masq_store.core.errors import BadRelayAddress
from masq_store.core.profile.claims import check_origin

MAX_RELAY = 512  # characters

_RELAY = re.compile(
    r"(?P<scheme>(?i:wss?))(?P<place>://[^/]*?)(?P<port>:\d+)?(?P<path>/[\w.~!$&'()*+,;=:@%/-]*)?", re.ASCII
)
_STANDARD = {"ws": ":80", "wss": ":443"}


def check_relay_address(address: object) -> str:
    """Return the address as browsers write it: scheme and host in small letters, no port that the scheme implies.

    Raises BadRelayAddress unless it is wss, or ws on this very machine.
    """
    found = _RELAY.fullmatch(address) if isinstance(address, str) and len(address) <= MAX_RELAY else None
    if found is None or not found["place"].isascii():  # lower() makes ASCII letters of some others
        raise BadRelayAddress()
    scheme = found["scheme"].lower()
    port = "" if found["port"] in (None, _STANDARD[scheme]) else found["port"]
    place = found["place"].lower() + port
    try:  # as for an app's origin: encrypted, or on this machine
        check_origin(("https" if scheme == "wss" else "http") + place)
    except ProtocolError:
        raise BadRelayAddress() from None
    return scheme + place + (found["path"] or "")
