"""Which addresses of relays there are."""

from __future__ import annotations

import re

from masq.errors import ProtocolError
from masq_store.core.access import check_origin
from masq_store.core.errors import BadRelayAddress

MAX_RELAY = 512  # characters

_RELAY = re.compile(r"(?P<scheme>wss?)(?P<place>://[^/]*)(?P<path>/[\w.~!$&'()*+,;=:@%/-]*)?", re.ASCII)


def check_relay_address(address: object) -> str:
    """Return the address. Raises BadRelayAddress unless it is wss, or ws on this very machine."""
    found = _RELAY.fullmatch(address) if isinstance(address, str) and len(address) <= MAX_RELAY else None
    if found is None:
        raise BadRelayAddress()
    try:  # as for an app's origin: encrypted, or on this machine
        check_origin(("https" if found["scheme"] == "wss" else "http") + found["place"])
    except ProtocolError:
        raise BadRelayAddress() from None
    return found[0]
