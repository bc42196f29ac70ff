"""The engine that the pages' tests pretend (`ui_rig.Engine`) beside the real one: the same calls, the same answers."""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, get_type_hints

import pytest
import ui_rig
from asynchronous import run
from shapes import Shape, differences, merged, never_alike, outside, shape, shape_of_type
from two_engines import NONCE, PASSPHRASE, STORE, Fake, Of, Step, kind_of, the_real

from masq.errors import InvalidValue
from masq_store.core.enrolment.link_machine import Granting
from masq_store.core.pages.schema import OfferedFile
from masq_store.engine.pages.commands import CHANGES
from masq_store.engine.pages.page_session import METHODS
from masq_store.engine.store import device_pairing, profile_sync
from masq_store.ui.app import NOTHING

ROOT = Path(__file__).resolve().parents[2]
UI = ROOT / "store" / "masq_store" / "ui"

REAL: dict[str, Callable[..., Any]] = METHODS


def told_by(method: str) -> Any:
    """Return the type of what a page is answered: what a change returns is the overview as it is after it."""
    return get_type_hints(REAL["overview" if method in CHANGES else method])["return"]


FOR_TESTS = {"call", "called", "pairs"}
"""What of the fake is no page's call: the link, and what tests ask of it and do to it."""

# Calls ------------------------------------------------------------------------------------------------------


def fakes() -> dict[str, Callable[..., Any]]:
    """Return the calls that the fake takes."""
    found = inspect.getmembers(ui_rig.Engine, inspect.isfunction)
    return {name: call for name, call in found if not name.startswith("_") and name not in FOR_TESTS}


@cache
def pages_calls() -> dict[str, list[ast.Call]]:
    """Return every call that the pages make of the engine, by the method's name."""
    found: dict[str, list[ast.Call]] = {}
    for path in sorted(UI.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "call"
            ):
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: which method?"
                found.setdefault(node.args[0].value, []).append(node)
    return found


def parameters(call: Callable[..., Any]) -> list[tuple[str, Any]]:
    """Return what a method is called with: each name, and what stands for it where it is left out."""
    return [(each.name, each.default) for each in list(inspect.signature(call).parameters.values())[1:]]


def test_the_same_calls() -> None:
    """What the pages call, what the engine answers and what the fake answers are the same methods."""
    assert set(fakes()) == set(REAL)
    assert set(pages_calls()) == set(REAL)


@pytest.mark.parametrize("method", sorted(REAL))
def test_the_same_arguments(method: str) -> None:
    """A method's arguments have the same names, order and defaults in both, and the pages give as many."""
    taken = parameters(REAL[method])
    assert parameters(fakes()[method]) == taken
    least = sum(1 for _, default in taken if default is inspect.Parameter.empty)
    for call in pages_calls()[method]:
        given = [each for each in call.args[1:] if not isinstance(each, ast.Starred)]
        assert least <= len(given) <= len(taken) and not call.keywords, ast.unparse(call)


# Answers ----------------------------------------------------------------------------------------------------

ORIGIN = ui_rig.ORIGIN
ELSEWHERE = "https://elsewhere.example"
PROFILE, FIRST, LAST = (
    Of("overview", path) for path in (("profile", "id"), ("profiles", 0, "id"), ("profiles", -1, "id"))
)
HERE, THERE, COPY = (
    Of("overview", path) for path in (("devices", 0, "id"), ("devices", 1, "id"), ("copies", 0, "id"))
)
TRASHED = Of("overview", ("trash", 0, "id"))
MADE, PIECE, SENT = Of("write_backup", ("id",)), Of("backup_piece"), Of("begin_file")
NEW: Step = ("create_profile", "Ann", "", True)
OVERVIEW: Step = ("overview",)
STATE: Step = ("pairing",)
ALLOW: Step = ("answer", NONCE, True, ORIGIN)
LONG = "k" * 600

NEEDS_OPEN: list[Step] = [
    ("rename_profile", "Anna"),
    ("change_passphrase", "right", "new"),
    ("set_stay_unlocked", True),
    ("set_lock_minutes", 5),
    ("app", ORIGIN),
    ("entries", ORIGIN, "", "", 50),
    ("set_entry", ORIGIN, "k000", 1),
    ("delete_entry", ORIGIN, "k000"),
    ALLOW,
    ("withdraw", ORIGIN),
    ("erase", ORIGIN),
    ("set_relay", ""),
    ("set_sync", ORIGIN, False),
    ("rename_device", "00" * 8, "Mine"),
    ("remove_device", "00" * 8),
    ("keep_removed",),
    ("put_back", "00" * 16),
    ("erase_trash", "00" * 16),
    ("invite", STORE),
    ("write_backup", PASSPHRASE),
    ("remind_later",),
]
"""What is refused while no profile is open."""

SCENES: dict[str, list[Step]] = {
    "profiles": [
        OVERVIEW,
        ("create_profile", "", "", True),
        NEW,
        ("lock",),
        ("set_stay_unlocked", False),
        ("set_lock_minutes", 15),
        ("set_lock_minutes", -1),
        ("rename_profile", " "),
        ("rename_profile", "Anna"),
        ("told_persistent", True),
        ("used",),
        ("switch_profile", "00" * 16),
        ("delete_profile", "00" * 16),
        ("create_profile", "Bob", "", True),
        ("switch_profile", FIRST),
        ("switch_profile", LAST),
        ("delete_profile", FIRST),
        ("delete_profile", PROFILE),
        ("lock",),
        OVERVIEW,
    ],
    "a passphrase": [
        NEW,
        "an app asks",
        ("change_passphrase", "", "right"),
        ("change_passphrase", "wrong", "new"),
        ("change_passphrase", "right", "right", True),
        ("set_stay_unlocked", False),
        ("set_stay_unlocked", True),
        ("set_lock_minutes", 5),
        ("set_lock_minutes", 15, "wrong"),
        ("set_lock_minutes", 15, "right"),
        ("write_backup", PASSPHRASE),
        ("invite", STORE),
        ("lock",),
        ("lock",),
        OVERVIEW,
        ("request", NONCE),
        *NEEDS_OPEN,
        ("unlock", "wrong", False),
        ("unlock", "right", False),
        ("unlock", "wrong", False),
        ("create_profile", "Bob", "his", False),
        ("lock",),
        ("switch_profile", FIRST),
        ("delete_profile", LAST),
        OVERVIEW,
    ],
    "no profile": [
        "an app asks",
        ("request", NONCE),
        *NEEDS_OPEN,
        ("unlock", "any", True),
        ("answer", NONCE, False, ORIGIN),
        ("seen_removed",),
        OVERVIEW,
    ],
    "a damaged profile": [
        NEW,
        ("create_profile", "Bob", "", True),
        "the profile is damaged",
        OVERVIEW,
        ("switch_profile", FIRST),
        ("delete_profile", LAST),
    ],
    "an app": [
        NEW,
        ALLOW,
        ("app", ORIGIN),
        ("entries", ORIGIN, "", "", 50),
        ("set_entry", ORIGIN, "k000", 1),
        ("delete_entry", ORIGIN, "k000"),
        ("set_sync", ORIGIN, False),
        ("request", NONCE, 0.01),
        "an app asks",
        ("request", NONCE),
        ("answer", NONCE, False, ORIGIN),
        ALLOW,
        ("trace", True),
        "the app saves 120 entries",
        ("trace", True),
        ("trace", False),
        OVERVIEW,
        ("app", ORIGIN),
        ("app", ELSEWHERE),
        ("entries", ORIGIN, "", "", 50),
        ("entries", ORIGIN, "K00", "k005", 50, PROFILE),
        ("entries", ORIGIN, "", "", 50, "00" * 16),
        ("entries", ORIGIN, LONG, "", 50),
        ("entries", ORIGIN, "", "", 0),
        ("entries", ELSEWHERE, "", "", 50),
        ("set_entry", ORIGIN, "k000", "new"),
        ("set_entry", ORIGIN, LONG, 1),
        ("set_entry", ORIGIN, "", 1),
        ("set_entry", ORIGIN, "k000", {"$none": 1}),
        ("set_entry", ELSEWHERE, "k000", 1),
        ("delete_entry", ORIGIN, "k000"),
        ("delete_entry", ORIGIN, "k000"),
        ("delete_entry", ORIGIN, ""),
        ("delete_entry", ELSEWHERE, "k000"),
        ("set_sync", ORIGIN, False),
        ("set_sync", ORIGIN, 1),
        ("set_sync", ELSEWHERE, True),
        ("app", ORIGIN),
        ("set_sync", ORIGIN, True),
        ("request", NONCE),
        ("erase", ORIGIN),
        ("withdraw", ORIGIN),
        OVERVIEW,
        ("app", ORIGIN),
        ("erase", ORIGIN),
        ("erase", ELSEWHERE),
        ("withdraw", ELSEWHERE),
        OVERVIEW,
        ALLOW,
        ("withdraw", ORIGIN, True),
        OVERVIEW,
        "the app is closed",
        ("request", NONCE),
        ALLOW,
    ],
    "a backup": [
        NEW,
        "an app asks",
        ALLOW,
        "the app saves 120 entries",
        ("remind_later",),
        ("write_backup", ""),
        ("write_backup", PASSPHRASE, ELSEWHERE),
        ("write_backup", PASSPHRASE, ORIGIN),
        ("write_backup", PASSPHRASE, None),
        OVERVIEW,
        ("backup_piece", MADE, 0),
        ("backup_piece", MADE, 99),
        ("backup_piece", "none", 0),
        ("begin_file",),
        ("file_piece", "none", PIECE),
        ("file_piece", SENT, "*"),
        ("read_backup", "none", PASSPHRASE),
        ("restore", SENT),
        ("file_piece", SENT, "AAAA"),
        ("read_backup", SENT, PASSPHRASE),
        ("drop_file", SENT),
        ("begin_file",),
        "the whole backup is sent",
        ("read_backup", SENT, "wrong"),
        ("read_backup", SENT, PASSPHRASE),
        ("restore", SENT, "", True),
        ("restore", SENT),
        ("drop_file", MADE),
        ("backup_piece", MADE, 0),
        ("drop_file", MADE),
        ("begin_file",),
        "the whole backup is sent",
        ("read_backup", SENT, PASSPHRASE),
        ("change_passphrase", "", "right"),
        ("lock",),
        ("restore", SENT),
        ("read_backup", SENT, PASSPHRASE),
        ("restore", SENT),
        ("delete_profile", PROFILE),
        ("read_backup", SENT, PASSPHRASE),
        ("restore", SENT, "new", False),
        OVERVIEW,
    ],
    "adding a device": [
        NEW,
        STATE,
        ("end_pairing",),
        ("confirm_code", "123456"),
        ("take", "Mine", "", True),
        ("invite", STORE),
        "the link can be used",
        STATE,
        ("end_pairing",),
        STATE,
        ("end_pairing",),
        STATE,
        ("set_relay", ""),
        ("invite", STORE),
        ("set_relay", None),
        ("invite", STORE),
        "the link can be used",
        ("confirm_code", "123456"),
        ("take", "Mine", "", True),
        "another device uses the link",
        STATE,
        ("confirm_code", "12"),
        STATE,
        ("confirm_code", Of("digits")),
        "the other device asks its person",
        STATE,
        "the other device says yes",
        STATE,
        ("end_pairing",),
        STATE,
        "the relay is reached",
        OVERVIEW,
        ("rename_device", HERE, " "),
        ("rename_device", "00" * 8, "Mine"),
        ("rename_device", THERE, "Mine"),
        OVERVIEW,
        ("remove_device", HERE),
        ("remove_device", "00" * 8),
        ("remove_device", THERE),
        OVERVIEW,
    ],
    "a device that is added": [
        ("join", "https://elsewhere.example/"),
        ("join", "#pair=AAAA"),
        STATE,
        "another device invites",
        ("join", Of("link")),
        "the digits are shown",
        STATE,
        ("confirm_code", "123456"),
        ("take", "Mine", "", True),
        "the digits are typed",
        STATE,
        ("take", " ", "", True),
        "copying will take a while",
        ("take", "Mine", "", True),
        "the profile is being copied",
        STATE,
        OVERVIEW,
        "the profile is here",
        STATE,
        OVERVIEW,
        ("end_pairing",),
        "the other device erases the app",
        OVERVIEW,
        ("put_back", "00" * 16),
        ("put_back", TRASHED),
        ("put_back", TRASHED),
        ("erase_trash", TRASHED),
        OVERVIEW,
        "the other device removes this one",
        OVERVIEW,
        "nobody decides for 30 days",
        OVERVIEW,
        ("keep_removed",),
        ("seen_removed",),
        OVERVIEW,
    ],
    "the relay": [
        NEW,
        "an app asks",
        ALLOW,
        "the relay is reached",
        OVERVIEW,
        ("app", ORIGIN),
        ("set_relay", "http://relay.example"),
        ("set_relay", ""),
        OVERVIEW,
        ("set_relay", None),
        "the relay is reached",
        "the relay goes away",
        OVERVIEW,
    ],
    "an app that is kept apart": [
        NEW,
        "an app asks from apart",
        ("request", NONCE),
        ALLOW,
        OVERVIEW,
        "a browser that is not known has a copy",
        OVERVIEW,
        ("remove_device", COPY),
        OVERVIEW,
    ],
    "an app that cuts its window off": [
        ("request", NONCE, 0.01),
        ("offer_link", STORE, NONCE, ""),
        ("offer_link", STORE, "none", ORIGIN),
        ("offer_link", STORE, NONCE, ORIGIN),
        "the link can be used",
        STATE,
        ("end_pairing",),
        STATE,
        ("end_pairing",),
        NEW,
        ("set_relay", ""),
        ("offer_link", STORE, NONCE, ORIGIN),
        ("set_relay", None),
        ("offer_link", STORE, NONCE, ORIGIN),
        "the link can be used",
        ("confirm_code", "123456"),
        ("take", "Mine", "", True),
        "the apps page uses the link",
        STATE,
        ("request", NONCE),
        ALLOW,
        "the link has done its work",
        STATE,
        ("end_pairing",),
    ],
}


class Played:
    """What every scene brings in both; each is played once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[list[Shape], list[Shape]]] = {}
        self.real_events: set[tuple[str, int]] = set()
        self.fake_events: set[tuple[str, int]] = set()

    def __getitem__(self, name: str) -> tuple[list[Shape], list[Shape]]:
        if name not in self._known:
            run(self._play(name))
        return self._known[name]

    async def _play(self, name: str) -> None:
        folder, fake = Path(mkdtemp(dir=self._folder)), Fake()
        async with the_real(folder) as real:
            self._known[name] = await real.play(SCENES[name]), await fake.play(SCENES[name])
            self.real_events |= {(event[0], len(event)) for event in real.events()}
            self.fake_events |= {(event[0], len(event)) for event in fake.events()}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Return what the scenes bring."""
    return Played(tmp_path_factory.mktemp("relays"))


def calls(scene: list[Step]) -> list[tuple[Any, ...]]:
    """Return the calls among a scene's steps."""
    return [step for step in scene if not isinstance(step, str)]


def unlike(name: str, real: list[Shape], fake: list[Shape]) -> list[str]:
    """Return a sentence for whatever is not alike in the answers of a scene."""
    return [
        f"{number}. {call}: {sentence}"
        for number, (call, one, other) in enumerate(zip(calls(SCENES[name]), real, fake, strict=True), 1)
        for sentence in differences(one, other)
    ]


def ever(name: str, answers: list[Shape]) -> dict[str, Shape]:
    """Return what stands at each place in any answer of a kind, among those of a scene."""
    found: dict[str, Shape] = {}
    for call, answer in zip(calls(SCENES[name]), answers, strict=True):
        found[kind_of(call[0])] = merged(found.get(kind_of(call[0]), {}), answer)
    return found


@pytest.mark.parametrize("name", SCENES)
def test_the_same_answers(name: str, played: Played) -> None:
    """Each call of a scene brings the same keys with values of the same types, or the same error."""
    assert unlike(name, *played[name]) == []


@pytest.mark.parametrize("kind", sorted({kind_of(method) for method in REAL}))
def test_nothing_that_is_only_in_one(kind: str, played: Played) -> None:
    """Over all scenes, each place in an answer holds the same kinds of values in both: what may be null, too."""
    real, fake = (
        merged(*(ever(name, played[name][which]).get(kind, {}) for name in SCENES)) for which in (0, 1)
    )
    assert real and never_alike(real, fake) == []


def test_every_call_is_played() -> None:
    """No method is left out of the scenes."""
    assert {call[0] for scene in SCENES.values() for call in calls(scene)} == set(REAL)


@pytest.mark.parametrize("name", SCENES)
def test_the_declared_answers(name: str, played: Played) -> None:
    """What the engine answers has the keys and kinds that core/pages/schema.py says, and no others."""
    for (method, *_), answer in zip(calls(SCENES[name]), played[name][0], strict=True):
        if not any(kind.startswith("refused") for kind in answer[""]):
            assert outside(answer, shape_of_type(told_by(method))) == [], method


def test_an_answer_that_is_not_declared_is_found() -> None:
    """A key too many, one too few and another kind of value are outside of what a type allows."""
    allowed = shape_of_type(OfferedFile)
    made: dict[str, Any] = {"id": "1", "size": 2, "pieces": 3}
    assert outside(shape(made), allowed) == []
    assert outside(shape(made | {"more": 1}), allowed) == [
        "the answer: dict of id, more, pieces, size",
        ".more: int",
    ]
    assert outside(shape({"id": "1", "size": 2}), allowed) == ["the answer: dict of id, size"]
    assert outside(shape(made | {"size": "2"}), allowed) == [".size: str"]


# Events -----------------------------------------------------------------------------------------------------

BUSY = ("busy", 1)
"""Sent by the engine while a call takes long: it keeps the link from giving up, and pages pass it over."""


def told_by_tests() -> set[tuple[str, int]]:
    """Return the events that the pages' tests pretend: the first word of each, and how many words it has."""
    found = set()
    for path in sorted((ROOT / "tests").rglob("test_ui_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                told = node.args[0] if node.func.attr in ("told", "on_event") else None
                if isinstance(told, ast.List) and isinstance(told.elts[0], ast.Constant):
                    found.add((str(told.elts[0].value), len(told.elts)))
    return found


def test_the_same_events(played: Played) -> None:
    """What the pages are told without a question, by the fake or by their tests, is what the engine tells them."""
    for name in SCENES:
        assert played[name]
    assert played.fake_events | told_by_tests() == played.real_events - {BUSY}


def test_the_same_states() -> None:
    """The states in which tests of pages put a pairing or the sync are those that the engine names."""
    named = {state for states in device_pairing._STATES.values() for state in states.values()}
    offered = {state.replace("agreed", "answered") for state in Granting.moves}
    assert named | offered | {"connecting", "done", "ended"} == ui_rig.PAIRING_STATES
    assert ui_rig.SYNC_STATES == profile_sync.RANKS


def test_before_the_engine_has_answered() -> None:
    """What pages take for known until then has the same form as the engine's own overview."""
    assert differences(shape(ui_rig.Engine().overview()), shape(NOTHING)) == []


# These tests can fail ---------------------------------------------------------------------------------------


class Broken(ui_rig.Engine):
    """A fake that a test breaks: `spoil` gets each answer."""

    def __init__(self, method: str, spoil: Callable[[Any], Any]) -> None:
        super().__init__()
        self._method, self._spoil = method, spoil

    async def call(self, method: str, *args: Any) -> Any:
        """Answer wrongly."""
        found = await super().call(method, *args)
        return self._spoil(found) if method == self._method else found


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what takes a key out of an answer."""
    return lambda answer: {key: value for key, value in answer.items() if key != name}


SPOILT: dict[str, tuple[str, str, Callable[[Any], Any], str]] = {
    "a key is gone": ("profiles", "overview", without("copies"), "the answer: dict of"),
    "a key deep inside is gone": (
        "an app",
        "overview",
        lambda answer: answer | {"apps": [without("tabs")(app) for app in answer["apps"]]},
        ".apps[]: dict of",
    ),
    "a key too many": ("an app", "app", lambda answer: answer | {"apart": False}, "the answer: dict of"),
    "a number that is text": (
        "an app",
        "app",
        lambda answer: answer | {"keys": str(answer["keys"])},
        ".keys: int, the fake says str",
    ),
    "a number for yes": (
        "profiles",
        "rename_profile",
        lambda answer: answer | {"persistent": 1},
        ".persistent: bool, the fake says int",
    ),
    "an answer where there is none": (
        "profiles",
        "used",
        lambda answer: True,
        "NoneType, the fake says bool",
    ),
    "no answer where there is one": (
        "an app",
        "delete_entry",
        lambda answer: None,
        "bool, the fake says NoneType",
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_wrong_answer_is_found(what: str, played: Played) -> None:
    """A fake that answers one call otherwise differs, and it is said where."""
    name, method, spoil, said = SPOILT[what]
    fake = Fake(Broken(method, spoil))
    spoilt = asyncio.run(fake.play(SCENES[name]))
    found = unlike(name, played[name][0], spoilt)
    assert found and all(f"{method!r}" in each for each in found)
    assert any(said in each for each in found), found


@pytest.mark.parametrize("wrong", [None, InvalidValue()])
def test_another_error_is_found(wrong: InvalidValue | None, played: Played) -> None:
    """A fake that refuses with another error, or does not refuse at all, differs."""

    def answer() -> None:
        if wrong:
            raise wrong

    name, fake = "a passphrase", Fake()
    fake.engine.remind_later = answer  # type: ignore[method-assign]
    found = unlike(name, played[name][0], asyncio.run(fake.play(SCENES[name])))
    assert "remind_later" in found[0] and "refused: Locked, the fake says" in found[0]


def test_what_is_never_null_in_one_is_found(played: Played) -> None:
    """A fake that never says when an app was last up to date differs over all, if not in any one answer."""
    name = "the relay"
    fake = Fake(Broken("app", lambda answer: answer | {"sync": answer["sync"] | {"last_ms": None}}))
    real, spoilt = played[name][0], asyncio.run(fake.play(SCENES[name]))
    assert unlike(name, real, spoilt) == []
    assert never_alike(ever(name, real)["app"], ever(name, spoilt)["app"]) == [
        ".sync.last_ms: int, the fake says NoneType"
    ]


def test_a_call_that_is_renamed_is_found() -> None:
    """A fake without a call that the pages make, or with one that the engine does not know, is no fake of it."""
    renamed = fakes() | {"erase_all": fakes()["erase"]}
    del renamed["erase"]
    assert set(renamed) ^ set(REAL) == {"erase", "erase_all"} and "erase" in pages_calls()
