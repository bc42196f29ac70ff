"""What engines cannot do, by name. A test asks `differs(name)`, and asserts what holds instead where it does.

docs/browsers.md lists them.
"""

from __future__ import annotations

from typing import NamedTuple

from browser.engines import FIREFOX, WEBKIT


class Expectation(NamedTuple):
    """Where something is otherwise than in Chromium, and what holds there instead."""

    where: tuple[str, ...]
    """Engines or surroundings."""
    sentence: str


EXPECTATIONS = {
    "the-worker-ends-with-its-pages": Expectation(
        (FIREFOX, WEBKIT),
        "The store's worker ends with its last page, a reload included. The next page starts another one, and opens "
        "the profile by what the page before it had kept.",
    ),
    "the-partition-ends-with-the-browser": Expectation(
        (WEBKIT,),
        "WebKitGTK keeps the storage of frames of other sites in memory only. After the browser was closed an app asks "
        "for one click on Connect, which brings back all that the store or another device has.",
    ),
    "the-worker-ends-at-once": Expectation(
        (WEBKIT,),
        "The store's worker ends in the moment in which its last window is closed, and has no time left to say so. An "
        "app that was waiting for the person's answer hears that the window is gone after some seconds.",
    ),
    "every-origin-is-apart": Expectation(
        (WEBKIT,),
        "Frames are kept apart by origin, not by site: an app at the store's own host, on another port, has a copy of "
        "its own like any other app.",
    ),
    "a-sandboxed-frame-is-silent": Expectation(
        (WEBKIT,),
        "In a sandboxed page, which has no origin, the browser runs no script of the store's frame. The frame says "
        "nothing, and a client ends by its time-out. The one in Python sees by itself that the page has no origin.",
    ),
    "data-is-kept-without-cookies": Expectation(
        (WEBKIT,),
        "A browser that takes no cookies from any site lets sites keep data all the same, so that apps work.",
    ),
}
