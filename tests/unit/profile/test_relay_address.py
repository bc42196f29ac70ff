"""Which addresses of relays are taken."""

import pytest

from masq_store.core.errors import BadRelayAddress
from masq_store.core.profile.relay_address import MAX_RELAY, check_relay_address


@pytest.mark.parametrize(
    "address",
    [
        "wss://relay.example",
        "wss://relay.example/",
        "wss://relay.example:8443/a/b-c_d~e",
        "ws://localhost:8765",
        "ws://relay.localhost:8765/",
        "ws://127.0.0.1:8765/",
        "ws://[::1]:8765/",
        "wss://relay.example/" + "a" * (MAX_RELAY - 20),
    ],
)
def test_addresses(address):
    """Encrypted ones are taken, and plain ones on this very machine, as they are."""
    assert check_relay_address(address) == address


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("wss://relay.example:443", "wss://relay.example"),
        ("wss://relay.example:443/a/B", "wss://relay.example/a/B"),
        ("WSS://Relay.Example", "wss://relay.example"),
        ("Wss://RELAY.example:8443/Path", "wss://relay.example:8443/Path"),
        ("wss://relay.example:80", "wss://relay.example:80"),
        ("ws://LOCALHOST:80/", "ws://localhost/"),
        ("ws://localhost:443", "ws://localhost:443"),
        ("wss://[2001:DB8::443]:443", "wss://[2001:db8::443]"),
        ("wss://[2001:db8::443]", "wss://[2001:db8::443]"),
    ],
)
def test_addresses_as_people_type_them(typed, address):
    """Capitals and the standard port are taken, and all places know the relay by the one address that browsers use."""
    assert check_relay_address(typed) == address
    assert check_relay_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        None,
        5,
        "",
        "wss://",
        "ws://relay.example",
        "https://relay.example",
        "http://localhost:8765",
        "wss://relay.example ",
        "wss://relay.example/\n",
        "wss://relay.example/a b",
        "wss://relay.example?x=1",
        "wss://relay.example/#x",
        "wss://user:word@relay.example",
        "wss://relay.example:99999",
        "wss://rélay.example",
        "wss://relay.\u212aing.example",  # the sign of the kelvin, of which lower() makes a k
        "wss://:443",
        "wss://relay.example:0443",
        "WS://relay.example",
        "wss://relay.example/" + "a" * MAX_RELAY,
    ],
    ids=repr,
)
def test_what_is_no_address(address):
    """Anything else is refused with a sentence that says what an address looks like."""
    with pytest.raises(BadRelayAddress, match="wss://"):
        check_relay_address(address)
