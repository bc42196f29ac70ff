"""Bad input: each wrong thing gets its named error, from the client and from the store, and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from browser.steps import connect_test_app, finished, outcome_of, py, start, until
from conftest import Site

KEY = "k" * 512
VALUE_BYTES = 256 * 1024
LONE = "\ud800"

ODD_KEYS = (
    "constructor",
    "__proto__",
    "toString",
    "length",
    " ",
    "\t",
    "😀",
    "a\0b",
    "\0",
    "$bytes",
    "ключ",
    "é" * 256,
)

BAD_CALLS = {
    "key of type int": ("store.set(7, 1)", "InvalidKey"),
    "key of type None": ("store.get(None)", "InvalidKey"),
    "key of type bytes": ("store.has(b'key')", "InvalidKey"),
    "empty key": ("store.set('', 1)", "InvalidKey"),
    "key of 513 bytes": ("store.set('k' * 513, 1)", "InvalidKey"),
    "key of 513 bytes in fewer characters": ("store.set('é' * 256 + 'k', 1)", "InvalidKey"),
    "key with half a surrogate pair": ("store.set('\\ud800', 1)", "InvalidKey"),
    "prefix of type list": ("store.keys(['a'])", "InvalidKey"),
    "a str where keys are wanted": ("store.get_many('keys')", "InvalidKey"),
    "value of type object": ("store.set('x', object())", "InvalidValue"),
    "value of type set": ("store.set('x', {1, 2})", "InvalidValue"),
    "value of type complex": ("store.set('x', 1j)", "InvalidValue"),
    "dict with an int key": ("store.set('x', {1: 2})", "InvalidValue"),
    "NaN": ("store.set('x', float('nan'))", "InvalidValue"),
    "infinity": ("store.set('x', [1, {'a': float('inf')}])", "InvalidValue"),
    "minus infinity": ("store.set('x', float('-inf'))", "InvalidValue"),
    "half a surrogate pair": ("store.set('x', 'a\\udfff')", "InvalidValue"),
    "half a surrogate pair as a dict's key": ("store.set('x', {'\\ud800': 1})", "InvalidValue"),
    "65 deep": ("store.set('x', deep(65))", "InvalidValue"),
    "1,000 deep": ("store.set('x', deep(1_000))", "InvalidValue"),
    "256 KiB and one byte": (f"store.set('x', 'v' * ({VALUE_BYTES} - 1))", "InvalidValue"),
    "bytes too large": (f"store.set('x', bytes({VALUE_BYTES}))", "InvalidValue"),
    "a batch with one bad value": ("store.update({'a': 1, 'x': object(), 'b': 2})", "InvalidValue"),
    "a batch with one bad key": ("store.update({'a': 1, '': 2, 'b': 3})", "InvalidKey"),
    "a replacement with one bad value": ("store.replace({'a': 1, 'x': float('nan')})", "InvalidValue"),
    "an update with no dict": ("store.update(['a', 'b'])", "InvalidValue"),
    "a deletion with one bad key": ("store.delete('kept', 7)", "InvalidKey"),
    "an increment by a float": ("store.increment('kept', 1.5)", "InvalidValue"),
    "an increment by a bool": ("store.increment('kept', True)", "InvalidValue"),
    "an increment of a text": ("store.increment('words')", "InvalidValue"),
}
"""A call of the client, and the error that it must raise."""

PREPARE = """
def deep(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value
globals()['deep'] = deep
await store.replace({'kept': 1, 'words': 'some'})
"""


@pytest.mark.engines("each")
def test_the_client_names_each_error(app: Any) -> None:
    """Every wrong key, value, size and batch raises its own error with a sentence; the space stays as it was."""
    py(app, PREPARE)
    for what, (call, error) in BAD_CALLS.items():
        outcome = outcome_of(app, f"await {call}")
        assert outcome.get("error") == error, (what, outcome)
        assert len(outcome["sentence"]) > 40, what
    assert py(app, "return await store.items()") == {"kept": 1, "words": "some"}


def everything(driver: Any) -> dict[str, Any]:
    """Return all that the app has stored; as text, for the driver itself drops a key like "__proto__"."""
    return dict(json.loads(py(driver, "return json.dumps(await store.items())")))


@pytest.mark.engines("each")
def test_at_the_limit_all_is_well(app: Any) -> None:
    """Keys of 512 bytes, values of 256 KiB and 64 levels, odd keys and big numbers are ordinary."""
    py(app, PREPARE)
    py(app, f"await store.set('k' * 512, 'v' * ({VALUE_BYTES} - 2)); await store.set('deep', deep(64))")
    assert py(app, "return len(await store.get('k' * 512))") == VALUE_BYTES - 2
    assert py(app, "return await store.get('deep') == deep(64)") is True
    py(app, "await store.clear()")
    odd = {key: f"value of {key}" for key in ODD_KEYS}
    py(app, f"await store.update(json.loads({json.dumps(odd)!r}))")
    assert everything(app) == odd
    for key in ODD_KEYS:
        assert py(app, f"return await store.get(json.loads({json.dumps(key)!r}))") == odd[key]
    app.refresh()
    connect_test_app(app, app.current_url)
    assert everything(app) == odd
    assert py(app, f"return await store.delete(*json.loads({json.dumps(ODD_KEYS)!r}))") == len(ODD_KEYS)
    py(app, "await store.set('big', [2**53, -2**70, 10**5000, 1.0, -0.0, b'\\x00\\xff'])")
    assert (
        py(app, "return [2**53, -2**70, 10**5000, 1.0, -0.0, b'\\x00\\xff'] == await store.get('big')")
        is True
    )
    assert py(app, "return str((await store.get('big'))[3:5])") == "[1.0, -0.0]"


def call(*words: Any) -> str:
    """Return a message with one call."""
    return json.dumps({"masq": 1, "calls": [[1, *words]]})


def nested(levels: int) -> str:
    """Return the JSON of lists inside one another."""
    return "[" * levels + "]" * levels


BAD_MESSAGES = {
    "no JSON": ("hello", "ProtocolError"),
    "nothing": ("", "ProtocolError"),
    "half a message": ('{"masq":1,"calls":[[1,"get"', "ProtocolError"),
    "a number": ("7", "ProtocolError"),
    "null": ("null", "ProtocolError"),
    "a list": ("[]", "ProtocolError"),
    "no version": ('{"calls":[[1,"ping"]]}', "ProtocolError"),
    "another version": ('{"masq":2,"calls":[[1,"ping"]]}', "ProtocolError"),
    "a version that is true": ('{"masq":true,"calls":[[1,"paint"]]}', "ProtocolError"),
    "calls that are no list": ('{"masq":1,"calls":{"1":"ping"}}', "ProtocolError"),
    "a call that is no list": ('{"masq":1,"calls":["ping"]}', "ProtocolError"),
    "an empty call": ('{"masq":1,"calls":[[]]}', "ProtocolError"),
    "a call without a method": ('{"masq":1,"calls":[[1]]}', "ProtocolError"),
    "an id that is a text": ('{"masq":1,"calls":[["1","ping"]]}', "ProtocolError"),
    "an id that is true": ('{"masq":1,"calls":[[true,"ping"]]}', "ProtocolError"),
    "an id that is a fraction": ('{"masq":1,"calls":[[1.5,"ping"]]}', "ProtocolError"),
    "a method that is a list": ('{"masq":1,"calls":[[1,["ping"]]]}', "ProtocolError"),
    "NaN in a message": ('{"masq":1,"calls":[[1,"set","x",NaN]]}', "ProtocolError"),
    "a number too large for a float": ('{"masq":1,"calls":[[1,"set","x",1e999]]}', None),
    "a message too deep to read": (nested(100_000), "ProtocolError"),
    "an unknown method": (call("paint", "red"), "ProtocolError"),
    "a method of objects": (call("__init__"), "ProtocolError"),
    "a method of the store's pages": (call("overview"), "ProtocolError"),
    "another method of the store's pages": (call("answer", "0" * 32, True), "ProtocolError"),
    "too few arguments": (call("get"), "ProtocolError"),
    "too many arguments": (call("get", "a", "b"), "ProtocolError"),
    "no arguments for a write": (call("set"), "ProtocolError"),
    "get: a key of type int": (call("get", 7), "InvalidKey"),
    "get: an empty key": (call("get", ""), "InvalidKey"),
    "get_many: no list": (call("get_many", "keys"), "ProtocolError"),
    "get_many: a bad key": (call("get_many", ["a", None]), "InvalidKey"),
    "keys: no text": (call("keys", None), "InvalidKey"),
    "items: a list": (call("items", []), "InvalidKey"),
    "set: a key of 513 bytes": (call("set", "k" * 513, 1), "InvalidKey"),
    "set: a key with half a surrogate pair": (call("set", LONE, 1), None),
    "set: a key that is a dict": (call("set", {}, 1), "InvalidKey"),
    "set: 65 deep": (f'{{"masq":1,"calls":[[1,"set","x",{nested(65)}]]}}', "InvalidValue"),
    "set: 256 KiB and one byte": (call("set", "x", "v" * (VALUE_BYTES - 1)), "InvalidValue"),
    "set: half a surrogate pair": (call("set", "x", ["a" + LONE]), None),
    "set: an unknown tag": (call("set", "x", {"$date": "today"}), "InvalidValue"),
    "set: bytes that are no base64": (call("set", "x", {"$bytes": "%%%"}), "InvalidValue"),
    "set: bytes that are a number": (call("set", "x", {"$bytes": 7}), "InvalidValue"),
    "set: an int in capitals": (call("set", "x", {"$int": "FFFFFFFFFFFFFFFF"}), "InvalidValue"),
    "set: an int that is small": (call("set", "x", {"$int": "ff"}), "InvalidValue"),
    "update: no list": (call("update", {"a": 1}), "ProtocolError"),
    "update: a pair of three": (call("update", [["a", 1], ["b", 2, 3]]), "ProtocolError"),
    "update: one bad value": (call("update", [["a", 1], ["x", {"$int": "z"}], ["b", 2]]), "InvalidValue"),
    "update: one bad key": (call("update", [["a", 1], ["", 2], ["b", 2]]), "InvalidKey"),
    "replace: one bad value": (call("replace", [["a", 1], ["x", {"$bytes": None}]]), "InvalidValue"),
    "replace: null": (call("replace", None), "ProtocolError"),
    "delete: one bad key": (call("delete", ["kept", 7]), "InvalidKey"),
    "delete: a text": (call("delete", "kept"), "ProtocolError"),
    "clear: a number": (call("clear", 0), "InvalidKey"),
    "increment: a text": (call("increment", "kept", "1"), "InvalidValue"),
    "increment: a fraction": (call("increment", "kept", 0.5), "InvalidValue"),
    "increment: true": (call("increment", "kept", True), "InvalidValue"),
    "increment: null": (call("increment", "kept", None), "InvalidValue"),
    "increment: a list": (call("increment", "kept", [1]), "InvalidValue"),
    "increment: of a text": (call("increment", "words", 1), "InvalidValue"),
    "watch: no prefix": (call("watch", None, True), "InvalidKey"),
    "unwatch: a list": (call("unwatch", []), "ProtocolError"),
    "unwatch: a dict": (call("unwatch", {}), "ProtocolError"),
}
"""What a message says, and the code of the one error that answers it (None: any of the three)."""

ANY = ("ProtocolError", "InvalidKey", "InvalidValue")


def open_wire(driver: Any, site: Site, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """Open a connection by hand in the test app's page, as `wire`; returns the store's first message."""
    return dict(
        driver.run(
            "const { Wire } = await import('/wire.js');"
            "window.wire = await Wire.open(args[0], JSON.parse(args[1])); return window.wire.first;",
            site.store,
            json.dumps(details or {}),  # as text, for the driver takes no half of a surrogate pair
        )
    )


def codes_in(messages: list[dict[str, Any]]) -> list[str]:
    """Return the codes of all errors in the store's messages."""
    found = [message["error"][0] for message in messages if "error" in message]
    return found + [
        reply[2][0] for message in messages for reply in message.get("replies", ()) if len(reply) == 3
    ]


@pytest.mark.engines("each")
def test_the_store_answers_whatever_comes(app: Any, app_site: Site) -> None:
    """Behind the client's back, each malformed message or call gets one named error, and nothing is changed."""
    py(app, PREPARE)
    open_wire(app, app_site)
    app.run("return await window.wire.ask(args[0])", '{"masq":1,"calls":[[2,"watch","nothing",false]]}')
    for what, (message, code) in BAD_MESSAGES.items():
        answers = app.run("return await window.wire.ask(args[0])", message)
        codes = codes_in(answers)
        assert len(codes) == 1 and codes[0] in ((code,) if code else ANY), (what, answers)
        for answer in answers:
            if "error" in answer:
                assert answer["masq"] == 1 and len(answer["error"][1]) > 20, what
    assert py(app, "return await store.items()") == {"kept": 1, "words": "some"}


@pytest.mark.engines("each")
def test_good_calls_beside_a_bad_one_are_done(app: Any, app_site: Site) -> None:
    """In one message the calls are apart: a bad one gets its error, the others their results, in order."""
    open_wire(app, app_site)
    calls = [[1, "set", "a", 1], [2, "set", "", 2], [3, "get", "a"], [4, "paint"], [5, "has", "b"]]
    answers = app.run("return await window.wire.ask(JSON.stringify({ masq: 1, calls: args[0] }))", calls)
    replies = {reply[0]: reply[1:] for message in answers for reply in message.get("replies", ())}
    assert replies[3] == [[1]] and replies[5] == [False]
    assert replies[2][1][0] == "InvalidKey" and replies[4][1][0] == "ProtocolError"
    assert py(app, "return await store.items()") == {"a": 1}


@pytest.mark.engines("each")
def test_what_is_no_text_is_answered_too(app: Any, app_site: Site) -> None:
    """A message that is no string gets an error as well, and the connection goes on."""
    open_wire(app, app_site)
    for thing in (
        "7",
        "null",
        "undefined",
        "{masq: 1, calls: [[1, 'ping']]}",
        "new ArrayBuffer(8)",
        "['{}']",
    ):
        assert codes_in(app.run(f"return await window.wire.ask({thing})")) == ["ProtocolError"], thing


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "no name": {"name": ""},
    "a name of what cannot be seen": {"name": "\u200b\u202e"},
    "a name of 65 characters": {"name": "n" * 65},
    "a name that is a number": {"name": 7},
    "a name with half a surrogate pair": {"name": LONE},
    "a description of 201 characters": {"description": "d" * 201},
    "a description that is a list": {"description": []},
    "an icon from the network": {"icon": "https://icons.example/a.png"},
    "an icon that is a page": {"icon": "data:text/html,<b>hello</b>"},
    "an icon over 32 KiB": {"icon": "data:image/png;base64," + "A" * 32768},
    "an icon that is a number": {"icon": 7},
}


@pytest.mark.engines("each")
def test_an_app_that_describes_itself_badly(app: Any, app_site: Site) -> None:
    """Name, description and icon out of bounds: the store answers the attempt with ProtocolError, and only that."""
    for what, claims in BAD_CLAIMS.items():
        first = open_wire(app, app_site, claims)
        assert "status" not in first and first["error"][0] == "ProtocolError", (what, first)
    for what, claims in BAD_CLAIMS.items():
        words = {"name": "Test app", **claims}
        outcome = outcome_of(
            app, f"await masq.connect(STORE, timeout=20, **json.loads({json.dumps(words)!r}))"
        )
        assert outcome.get("error") in ("InvalidValue", "ProtocolError"), (what, outcome)
        assert app.run("return document.querySelectorAll('iframe').length") == 1 + len(BAD_CLAIMS), what


@pytest.fixture
def other_app(browser: Callable[..., Any], site: Site) -> Any:
    """A browser in which the test app is open, and connected to nothing."""
    driver = browser()
    driver.get(site.url("pyodide"))
    return driver


@pytest.mark.parametrize("python", ["pyodide", "micropython"])
def test_an_address_that_is_none(browser: Callable[..., Any], site: Site, python: str) -> None:
    """A store's address that cannot be one raises ProtocolError at once and leaves nothing in the page."""
    driver = browser()
    driver.get(site.url("pyodide" if python == "pyodide" else "app"))
    for address in ("ftp://store.example", "store.example", "", None, 7, "http://", "https://:80"):
        outcome = outcome_of(driver, f"await masq.connect({address!r}, name='App', timeout=20)")
        assert outcome.get("error") == "ProtocolError", (address, outcome)
    assert driver.run("return document.querySelectorAll('iframe').length") == 0


def test_a_frame_that_never_answers(other_app: Any, site: Site) -> None:
    """A page at the store's address that says nothing: ConnectionTimeout after `timeout`, and no frame is left."""
    address = site.url("hostile") + "/silent"
    outcome = outcome_of(
        other_app,
        "began = time.monotonic()\ntry:\n"
        f"    await masq.connect({address!r}, name='App', timeout=0.8, button='#connect')\n"
        "finally:\n    globals()['took'] = time.monotonic() - began",
    )
    assert (outcome["error"], outcome["fields"]["seconds"]) == ("ConnectionTimeout", 0.8)
    assert "frame" in outcome["sentence"]
    assert 0.5 < py(other_app, "return took") < 20
    assert other_app.run("return document.querySelectorAll('iframe').length") == 0
    state = other_app.find_element("css selector", "#connect").get_dom_attribute("data-masq-state")
    assert state == "failed" and other_app.find_element("css selector", "#connect").is_enabled()


def test_an_address_without_a_store(other_app: Any, site: Site) -> None:
    """Where nothing is served at the address: ConnectionTimeout too."""
    outcome = outcome_of(
        other_app, f"await masq.connect({site.url('hostile') + '/nothing'!r}, name='App', timeout=0.8)"
    )
    assert outcome["error"] == "ConnectionTimeout"


def test_a_call_that_is_never_answered(other_app: Any, site: Site) -> None:
    """A store that lets an app in and then says nothing: the call raises ConnectionTimeout after `timeout`."""
    url = site.url("hostile") + "/mute"
    py(other_app, f"global store\nstore = await masq.connect({url!r}, name='App', timeout=15)")
    outcomes = py(
        other_app,
        "calls = store.get('key'), store.set('key', 1), store.increment('n'), store.delete('key')\n"
        "ends = await asyncio.gather(*calls, return_exceptions=True)\n"
        "return [[type(end).__name__, end.seconds] for end in ends]",
    )
    assert outcomes == [["ConnectionTimeout", 15]] * 4
    py(other_app, "store.close()")


def test_a_store_that_talks_nonsense(other_app: Any, site: Site) -> None:
    """A store whose message cannot be read ends the session with ProtocolError."""
    outcome = outcome_of(
        other_app,
        f"store = await masq.connect({site.url('hostile') + '/nonsense'!r}, name='App', timeout=20)\n"
        "await store.get('key')",
    )
    assert outcome["error"] == "ProtocolError"


def test_a_second_connect_while_one_is_pending(other_app: Any, site: Site) -> None:
    """While the page is connecting, a second connect() raises ProtocolError and leaves the first alone."""
    start(
        other_app,
        "first",
        "global store\nstore = await masq.connect(STORE, name='Test app', button='#connect')",
    )
    button = "return document.querySelector('#connect').dataset.masqState"
    until(lambda: other_app.execute_script(button) == "connect", "the button")
    assert outcome_of(other_app, "await masq.connect(STORE, name='Test app')")["error"] == "ProtocolError"
    assert (
        outcome_of(other_app, "await masq.connect(STORE + '/', name='Test app')")["error"] == "ProtocolError"
    )
    assert other_app.execute_script(button) == "connect"
    assert other_app.run("return document.querySelectorAll('iframe').length") == 1
    from browser.steps import allow

    allow(other_app)
    assert "error" not in finished(other_app, "first")
    assert (
        py(other_app, "again = await masq.connect(STORE, name='Test app')\nreturn await again.increment('n')")
        == 1
    )
