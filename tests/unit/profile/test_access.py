"""Who may ask for access, and what an app may say about itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masq.errors import InvalidValue, ProtocolError
from masq_store.core.profile.claims import MAX_ICON, check_app, check_origin, check_profile_name

PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example",
        "https://app.example:8443",
        "https://xn--bcher-kva.example",
        "https://a_b.example",
        "https://192.168.1.4",
        "https://[2001:db8::1]:444",
        "http://localhost:8000",
        "http://counter.localhost:8000",
        "http://127.0.0.1",
        "http://[::1]:1",
    ],
)
def test_origins_that_may_ask(origin):
    """https anywhere, and http on this machine."""
    check_origin(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        None,
        7,
        "http://app.example",
        "http://192.168.1.4",
        "http://localhost.example",
        "http://evil-localhost",
        "http://127.0.0.1.example",
        "https://app.example/",
        "https://app.example/path",
        "https://user@app.example",
        "https://App.example",
        "https://app.example:443",
        "http://localhost:80",
        "https://app.example:0",
        "https://app.example:65536",
        "https://app.example:",
        "https://app.example\n",
        "https://аpp.example",
        "https://",
        "https://-a",
        "file://",
        "ftp://localhost",
        "https://" + "a" * 300,
        "javascript:alert(1)",
        "chrome-extension://abc",
    ],
)
def test_origins_that_may_not(origin):
    """Everything else, opaque origins and anything no browser would name included."""
    with pytest.raises(ProtocolError):
        check_origin(origin)


def test_claims_are_cleaned():
    """Spaces are folded, and what cannot be seen or turns the text around is gone."""
    claims = check_app("  Co\u202eunter\x00 \n\t v\u200b2 ", "a\u2066b\u2028c\x85d", PIXEL)
    assert claims == ("Counter v2", "ab c d", PIXEL)


@pytest.mark.parametrize("name", ["Counter", "x" * 64, "计数器", "حساب", "👨\u200d👩\u200d👧", "na\u0303o"])
def test_ordinary_names(name):
    """Any script and emoji pass as they are."""
    assert check_app(name).name == name
    assert check_profile_name(name) == name


@pytest.mark.parametrize("name", ["", "  ", "\u202e", "x" * 65, "x" * 100_000, "\ud800", None, 3, b"a"])
def test_refused_names(name):
    """Empty, too long, invisible and no text."""
    with pytest.raises(ProtocolError):
        check_app(name)
    with pytest.raises(InvalidValue):
        check_profile_name(name)


def test_bounds_are_exact():
    """200 characters of description and 32 KiB of icon pass, one more does not."""
    check_app("a", "x" * 200)
    with pytest.raises(ProtocolError):
        check_app("a", "x" * 201)
    icon = "data:image/png;base64," + "A" * (MAX_ICON - 22)
    assert check_app("a", icon=icon).icon == icon
    with pytest.raises(ProtocolError):
        check_app("a", icon=icon + "A")


@pytest.mark.parametrize(
    "icon",
    [
        "",
        "https://app.example/icon.png",
        "data:text/html;base64,AAAA",
        "data:image/png,AAAA",
        "data:image/png;base64,AA\nAA",
        'data:image/png;base64,AA"onerror=alert(1)',
        "data:image/svg+xml,<svg\n>",
        "javascript:alert(1)",
        5,
    ],
)
def test_refused_icons(icon):
    """Only small data: images; never a URL that would be fetched."""
    with pytest.raises(ProtocolError):
        check_app("a", icon=icon)


@given(st.text(), st.text(), st.one_of(st.none(), st.text()))
def test_no_claim_raises_anything_else(name, description, icon):
    """Whatever an app says is cleaned or refused, and cleaning twice changes nothing."""
    try:
        claims = check_app(name, description, icon)
    except ProtocolError:
        return
    assert check_app(*claims) == claims
