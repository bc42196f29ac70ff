"""A device's default name, made of what its browser says of itself: "Firefox on Windows"."""

from __future__ import annotations

from collections.abc import Sequence

UNKNOWN = "This device"

_BRANDS = {
    "Chromium": "Chromium",
    "Google Chrome": "Chrome",
    "Microsoft Edge": "Edge",
    "Opera": "Opera",
    "Brave": "Brave",
    "Vivaldi": "Vivaldi",
    "Samsung Internet": "Samsung Internet",
}
"""Names that browsers give themselves, the most general first."""

_BROWSERS = (
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("CriOS/", "Chrome"),
    ("Epiphany/", "Web"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Words of a user agent: nearly all claim to be Safari, and many Chrome, so those come last."""

_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Mac OS X", "Mac"),
    ("macOS", "Mac"),
    ("Chrome OS", "ChromeOS"),
    ("Chromium OS", "ChromeOS"),
    ("Linux", "Linux"),
    ("X11", "Linux"),
)
"""Android's claims to be Linux, and an iPhone's to be a Mac, so those come first."""


def device_name(user_agent: str, brands: Sequence[str] = (), platform: str = "") -> str:
    """Return a name from what a browser says of itself, short enough to be a device's.

    `brands` and `platform`: of `navigator.userAgentData`, where there is one.
    """
    browser = _of_brands(brands) or _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, platform) or _first(_SYSTEMS, user_agent)
    if not browser:
        return UNKNOWN if not system else f"Browser on {system}"
    return f"{browser} on {system}" if system else browser


def _of_brands(brands: Sequence[str]) -> str:
    known = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    others = [brand for brand in known if brand != "Chromium"]
    return (others or known or [""])[0]


def _first(words: Sequence[tuple[str, str]], text: str) -> str:
    return next((name for word, name in words if word in text), "")
