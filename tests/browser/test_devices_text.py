"""Whatever an app keeps comes to the other device byte for byte, and nothing of it shows at the relay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from browser.devices import arrive, pair
from browser.meeting import Meeting
from browser.steps import connect_test_app, py, until
from wire_tap import found_in, kept_by

DIGEST = """
import hashlib
from masq.messages import encode
items = sorted((await store.items(PREFIX)).items())
told = "\\n".join(encode(key) + " " + encode(value) for key, value in items)
return [len(items), hashlib.sha256(told.encode()).hexdigest()]
"""

TEXTS = r"""
planes = [chr(code) for plane in range(17) for code in range(plane << 16, (plane + 1) << 16, 997)
          if not 0xD800 <= code <= 0xDFFF]
entries = {f"from {who}/planes/{n}": {char: "a" + char + "b"} for n, char in enumerate(planes)}
entries |= {f"from {who}/key {char}": char for char in planes if char not in "\0"}
entries |= {f"from {who}/{n}": value for n, value in enumerate([
    "e\u0301 \u1100\u1161\u11a8 \u0915\u094d\u0937", "\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c \u0627\u0644",
    "nul\0in\0it", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\ufeffbom\u2028\u2029", '"\\/\b\f\n\r\t',
    2**200, -(2**63), 2**53, -(2**53) - 1, 0, -0.0, 1e300, 5e-324, True, None, [], {},
    bytes(range(256)) * 8, b"", {"$bytes": "x"}, {"$": {"$int": 1}}, [[[[1, {"a": [2.5]}]]]],
    "x" * 262_142, "\u00e9" * 131_071,
])}
await store.update(entries)
return len(entries)
"""


def all_of(driver: Any, prefix: str) -> Any:
    """Return how many entries there are under a prefix, and a digest of them made in the app."""
    return py(driver, f"PREFIX = {prefix!r}" + DIGEST)


@pytest.mark.slow("two devices, and a Python in the app")
def test_every_text_arrives(browser: Callable[..., Any], meeting: Meeting) -> None:
    """All planes, combining and right-to-left text, NUL, 256 KiB, big integers and bytes: alike on both, both ways."""
    one, two = browser(), browser()
    pair(one, two, meeting.store)
    connect_test_app(one, meeting.url("pyodide"))
    arrive(two, meeting.store, meeting.url("pyodide"))
    for source, target, who in ((one, two, "one"), (two, one, "two")):
        count = py(source, f"who = {who!r}" + TEXTS)
        assert count > 2000
        mine = all_of(source, f"from {who}/")
        until(lambda: all_of(target, f"from {who}/") == mine, f"all of {who}'s entries")  # noqa: B023
        assert mine[0] == count
    assert all_of(one, "") == all_of(two, "")


@pytest.mark.slow("two devices, and a Python in the app")
def test_the_relay_sees_none_of_it(own_browser: Callable[..., Any], meeting: Meeting) -> None:
    """Known texts are in nothing that the relay receives or keeps, and short values are all of one size there."""
    texts = [
        "shopping list of Zoë",
        "nobody may ever read this",
        "Zoë Example",
        "Telephone of Zoë",
        "steps walked",
    ]
    listed, value, person, telephone, counter = texts
    one, two = own_browser(), own_browser()
    pair(one, two, meeting.store, profile=person, name=telephone)
    connect_test_app(one, meeting.url("pyodide"), "An app of secrets")
    arrive(two, meeting.store, meeting.url("pyodide"))
    py(one, f"await store.set({listed!r}, {value!r})\nawait store.increment({counter!r}, 987654321012)")
    until(lambda: py(two, f"return await store.get({listed!r})") == value, "the value")
    py(two, f"await store.set({listed + ' too'!r}, [{value!r}, {{{listed!r}: 1}}])")
    until(lambda: py(one, f"return await store.has({listed + ' too'!r})"), "the other value")
    sizes = Counter()
    for length in (1, 20, 100, 200, 2000):
        before = len(meeting.tap.posts())
        py(one, f"await store.set('padding', 'p' * {length})")
        until(lambda: py(two, "return len(await store.get('padding', ''))") == length, "it")  # noqa: B023
        sent = {len(envelope) for envelope in meeting.tap.posts()[before:]}
        print(f"a value of {length} characters: envelopes of {sorted(sent)} bytes")
        if length <= 200:
            sizes.update(sent)
    assert len(sizes) == 1, sizes
    one.quit()
    two.quit()
    meeting.stop_relay()
    received, kept = b"".join(meeting.tap.sent), kept_by(meeting.kept)
    app = meeting.url("pyodide").partition("//")[2]
    assert len(meeting.tap.posts()) > 10 and len(kept) > 4096
    assert any(envelope[-64:] in kept for envelope in meeting.tap.posts()), "so these are the relay's files"
    for text in [*texts, "An app of secrets", app, "987654321012", "padding", "registered", "approved"]:
        assert found_in(received, text) == [] == found_in(kept, text), text
        assert all(found_in(head, text) == [] for head in meeting.tap.heads), text
