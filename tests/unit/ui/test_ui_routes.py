"""The pages' addresses."""

import pytest

from masq_store.ui.html.routes import Place, app_address, read_hash, split_origin

ORIGINS = [
    "http://counter.localhost:8000",
    "https://example.org",
    "https://xn--bcher-kva.example",
    "http://[::1]:8000",
    "http://127.0.0.1",
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_origin_survives_the_address(origin):
    """An app's address leads back to the same origin."""
    assert read_hash(app_address(origin)) == Place("app", origin=origin)


def test_an_origin_is_written_as_the_browser_would():
    """The address equals what encodeURIComponent makes."""
    assert app_address("http://a.localhost:8000") == "#/app/http%3A%2F%2Fa.localhost%3A8000"
    assert app_address("!'()*-._~&=#% é") == "#/app/!'()*-._~%26%3D%23%25%20%C3%A9"


@pytest.mark.parametrize("origin", [*ORIGINS, "odd", "https://:80:80", "://", ""])
def test_the_parts_of_an_origin_are_the_origin(origin):
    """What is shown in three parts is, joined, the origin in full."""
    assert "".join(split_origin(origin)) == origin


def test_an_origin_is_split_at_its_port():
    """Scheme, host and port are told apart, also for IPv6."""
    assert split_origin("http://[::1]:8000") == ("http://", "[::1]", ":8000")
    assert split_origin("https://example.org") == ("https://", "example.org", "")


@pytest.mark.parametrize(
    ("fragment", "place"),
    [
        ("", Place("apps")),
        ("#", Place("apps")),
        ("#/", Place("apps")),
        ("#connect=0123abcd", Place("connect", nonce="0123abcd")),
        ("#connect=", Place("connect")),
        ("#/app/", Place("nowhere")),
        ("#/app/%ff", Place("nowhere")),
        ("#/settings", Place("settings")),
        ("#/backup", Place("backup")),
        ("#/backup/http%3A%2F%2Fa", Place("backup", origin="http://a")),
        ("#/restore", Place("restore")),
        ("#/new-profile", Place("new-profile")),
        ("#/settings/", Place("nowhere")),
        ("#settings", Place("nowhere")),
        ("#/devices", Place("devices")),
        ("#/pair", Place("pair")),
        ("#pair=AA&relay=wss://a", Place("pair", link="pair=AA&relay=wss://a")),
        ("#/devices/", Place("nowhere")),
        ("#x", Place("nowhere")),
    ],
)
def test_each_address_names_one_place(fragment, place):
    """Known addresses lead to their pages, all others nowhere."""
    assert read_hash(fragment) == place
