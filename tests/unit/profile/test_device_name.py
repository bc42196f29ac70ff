"""What a device is called before anybody gives it a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masq_store.core.profile.claims import check_device_name
from masq_store.core.profile.device_name import device_name

MOZILLA = "Mozilla/5.0 "
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) "


@pytest.mark.parametrize(
    ("agent", "brands", "platform", "name"),
    [
        (
            f"{MOZILLA}(X11; Linux x86_64) {WEBKIT}Chrome/150.0.0.0 Safari/537.36",
            ["Not.A/Brand", "Chromium"],
            "Linux",
            "Chromium on Linux",
        ),
        (
            f"{MOZILLA}(Windows NT 10.0; Win64; x64) {WEBKIT}Chrome/150.0.0.0 Safari/537.36 Edg/150.0",
            ["Chromium", "Microsoft Edge", "Not?A_Brand"],
            "Windows",
            "Edge on Windows",
        ),
        (
            f"{MOZILLA}(Linux; Android 10; K) {WEBKIT}Chrome/150.0.0.0 Mobile Safari/537.36",
            ["Google Chrome", "Chromium"],
            "Android",
            "Chrome on Android",
        ),
        (
            f"{MOZILLA}(Linux; Android 10; K) {WEBKIT}Chrome/150.0.0.0 Safari/537.36",
            [],
            "",
            "Chrome on Android",
        ),
        (f"{MOZILLA}(X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0", [], "", "Firefox on Linux"),
        (f"{MOZILLA}(Android 15; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0", [], "", "Firefox on Android"),
        (
            f"{MOZILLA}(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15",
            [],
            "",
            "Safari on Mac",
        ),
        (
            f"{MOZILLA}(iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/26.0 Mobile Safari/604.1",
            [],
            "",
            "Safari on iPhone",
        ),
        (
            f"{MOZILLA}(iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 CriOS/150.0 Mobile Safari/604.1",
            [],
            "",
            "Chrome on iPhone",
        ),
        (
            f"{MOZILLA}(X11; CrOS x86_64 14541.0.0) {WEBKIT}Chrome/150.0 Safari/537",
            [],
            "",
            "Chrome on ChromeOS",
        ),
        ("Something/1.0 (Linux)", [], "", "Browser on Linux"),
        ("", [], "", "This device"),
    ],
)
def test_a_browser_gives_its_device_a_name(agent: str, brands: list[str], platform: str, name: str) -> None:
    """Browser and system, as people call them."""
    assert device_name(agent, brands, platform) == name


@given(st.text(), st.lists(st.text()), st.text())
def test_every_name_can_be_a_devices(agent: str, brands: list[str], platform: str) -> None:
    """Whatever a browser says of itself, the name is one that a device may have."""
    name = device_name(agent, brands, platform)
    assert check_device_name(name) == name
