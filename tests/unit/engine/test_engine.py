"""The engine as apps and pages meet it, on CPython."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from engine_rig import APP, OTHER, Peer, Rig, code, with_profile
from port_rig import Port

from masq.errors import QuotaExceeded
from masq_store.core.space import codec
from masq_store.core.space.space import Space
from masq_store.engine import engine
from masq_store.engine.storage import open_space
from masq_store.engine.storage.record_sealer import Sealer

pytestmark = pytest.mark.within(60)


async def test_a_stranger_learns_nothing() -> None:
    """An app that was never approved hears the same with and without a profile, and NotRegistered for all."""
    rig = await Rig().start()
    before = rig.app(OTHER)
    assert await before.status() == {"state": "unregistered"}
    await rig.approved(APP)
    after = rig.app(OTHER)
    assert await after.status() == {"state": "unregistered"}
    for method, *arguments in [
        ("get", "k"),
        ("set", "k", 1),
        ("items", ""),
        ("watch", "", True),
        ("status",),
    ]:
        assert code(await after.call(method, *arguments)) == "NotRegistered"


async def test_what_is_acknowledged_survives_a_kill() -> None:
    """After each acknowledgement the disk alone is enough to bring the value back."""
    rig = await Rig().start()
    tab = await rig.approved()
    await tab.call("set", "text", "hello")
    assert await tab.call("increment", "count", 5) == 5
    await tab.call("delete", ["text"])
    await tab.call("update", [["a", [1, 2]], ["b", {"$bytes": "AAE="}]])
    await rig.restart()
    again = rig.app()
    await again.status(state="ready")
    assert await again.call("items", "") == [["a", [1, 2]], ["b", {"$bytes": "AAE="}], ["count", 5]]


async def test_many_writes_survive_checkpoints() -> None:
    """Writes that go on while checkpoints are made are all there after a kill."""
    rig = await Rig().start()
    tab = await rig.approved()
    for start in range(0, 3000, 10):
        await tab.calls(*[("set", f"k{n}", "x" * 200) for n in range(start, start + 10)])
    await rig.engine.writer.idle()
    await rig.restart()
    again = rig.app()
    await again.status(state="ready")
    assert len(await again.call("keys", "")) == 3000
    records = await rig.backend.scan("space/")
    assert len([key for key, _ in records if "/journal/" in key]) < 300


async def test_apps_cannot_see_each_other() -> None:
    """Two apps that use the same key hold two values."""
    rig = await Rig().start()
    one, two = await rig.approved(APP), await rig.approved(OTHER)
    await one.call("set", "k", "one")
    assert await two.call("get", "k") == []
    await two.call("set", "k", "two")
    assert await one.call("get", "k") == ["one"]


async def test_tabs_of_one_app_see_changes() -> None:
    """A watch hears of its own tab's changes as "self" and of the other's as "tab", deletions included."""
    rig = await Rig().start()
    one, two = await rig.approved(), await rig.approved()
    await two.call("watch", "k", True)
    await one.call("set", "k1", 1)
    await two.call("set", "k2", 2)
    await one.call("delete", ["k1"])
    await one.call("set", "other", 3)
    heard = [
        change
        for message in two.port.heard
        for _, changes in message.get("changes", [])
        for change in changes
    ]
    assert heard == [["k1", "tab", 1], ["k2", "self", 2], ["k1", "tab"]]


async def test_withdrawal_ends_sessions_at_once() -> None:
    """Open tabs are told, their watches end, and what they get next is NotRegistered; data stays."""
    rig = await Rig().start()
    tab = await rig.approved()
    await tab.call("set", "k", 1)
    await tab.call("watch", "", False)
    page = rig.page()
    await page.call("withdraw", APP)
    assert tab.statuses()[-1] == {"state": "unregistered"}
    assert [code(error) for message in tab.port.heard for _, error in message.get("ended", [])] == [
        "NotRegistered"
    ]
    assert code(await tab.call("get", "k")) == "NotRegistered"
    assert code(await page.call("entries", APP, "", "", 10)) == "NotRegistered"
    assert await (await rig.approved()).call("get", "k") == [1]


@pytest.mark.parametrize("allow", [True, False])
async def test_the_persons_answer_reaches_the_app(allow: bool) -> None:
    """Allow makes the session ready, refuse says so, and the request shows origin and name."""
    rig = await Rig().start()
    page = rig.page()
    await page.call("create_profile", "Ann", "", True)
    tab = rig.app(APP, nonce="a" * 32)
    await tab.status(state="unregistered")
    request = await page.call("request", "a" * 32)
    assert (request["origin"], request["name"], request["registered"]) == (APP, "Counter", False)
    await page.call("answer", "a" * 32, allow, APP)
    await tab.status(**({"state": "ready"} if allow else {"denied": "refused"}))


async def test_a_window_may_come_before_its_request() -> None:
    """The store's window learns of a request that is filed after it asked; an ended one is over at once."""
    rig = await Rig().start()
    page = rig.page()
    asking = asyncio.create_task(page.call("request", "c" * 32))
    await asyncio.sleep(0)
    tab = rig.app(APP, nonce="c" * 32)
    assert (await asking)["origin"] == APP
    rig.engine.detach(tab.session)  # type: ignore[attr-defined]
    assert await page.call("request", "c" * 32) is None


async def test_a_no_is_final_until_a_window_asks_again() -> None:
    """The refused window closes by itself, which tells the app nothing; closing the next one undecided does."""
    rig = await Rig().start()
    page = rig.page()
    await page.call("create_profile", "Ann", "", True)
    tab = rig.app(APP, nonce="a" * 32)
    await page.call("request", "a" * 32)
    await page.call("answer", "a" * 32, False, APP)
    await tab.status(denied="refused")
    heard = len(tab.statuses())
    rig.engine.commands.popup_gone("a" * 32)
    assert len(tab.statuses()) == heard
    await page.call("request", "a" * 32)
    rig.engine.commands.popup_gone("a" * 32)
    assert [status["denied"] for status in tab.statuses()[heard:]] == ["closed"]


async def test_a_closed_window_is_an_answer() -> None:
    """Closing the window undecided tells the app; closing it after Allow changes nothing."""
    rig = await Rig().start()
    tab = rig.app(APP, nonce="b" * 32)
    rig.engine.commands.popup_gone("b" * 32)
    assert (await tab.status())["denied"] == "closed"
    ready = await rig.approved()
    rig.engine.commands.popup_gone(ready.session.nonce)  # type: ignore[attr-defined]
    assert ready.statuses()[-1]["state"] == "ready"


async def test_a_locked_profile_tells_only_apps_it_knows() -> None:
    """After a restart with a passphrase: Locked for an approved app, NotRegistered for a stranger."""
    rig = await with_profile("correct horse", False)
    await (await rig.approved()).call("set", "k", 1)
    await rig.restart()
    known, stranger = rig.app(APP), rig.app(OTHER)
    assert await known.status() == {"state": "locked"}
    assert await stranger.status() == {"state": "unregistered"}
    assert code(await known.call("get", "k")) == "Locked"
    page = rig.page()
    assert code(await page.call("unlock", "wrong", False)) == "WrongPassphrase"
    assert (await page.call("unlock", "correct horse", False))["profile"]["locked"] is False
    await known.status(state="ready")
    assert await known.call("get", "k") == [1]


BAD_CALLS: list[tuple[str, tuple[Any, ...]]] = [
    ("InvalidKey", ("set", "", 1)),
    ("InvalidKey", ("set", 7, 1)),
    ("InvalidKey", ("set", "k" * 513, 1)),
    ("InvalidKey", ("get", "\ud800")),
    ("InvalidValue", ("set", "k", "\ud800")),
    ("InvalidValue", ("set", "k", "x" * (256 * 1024 - 1))),
    ("InvalidValue", ("set", "k", 2**60)),
    ("InvalidValue", ("set", "k", {"$bytes": "?"})),
    ("InvalidValue", ("increment", "k", "1")),
    ("InvalidValue", ("increment", "text", 1)),
    ("InvalidValue", ("update", [["good", 1], ["bad", "\ud800"]])),
    ("InvalidKey", ("update", [["good", 1], ["", 1]])),
    ("InvalidKey", ("replace", [["good", 1], ["", 1]])),
    ("InvalidKey", ("delete", ["text", ""])),
    ("ProtocolError", ("update", "text")),
    ("ProtocolError", ("update", [["good"]])),
    ("ProtocolError", ("set", "k")),
    ("ProtocolError", ("set", "k", 1, 2)),
    ("ProtocolError", ("__init__", "k")),
    ("ProtocolError", ("nothing",)),
]


@pytest.mark.parametrize(("error", "call"), BAD_CALLS)
async def test_bad_calls_change_nothing(error: str, call: tuple[Any, ...]) -> None:
    """Each bad call gets its named error, and the space is as it was."""
    rig = await Rig().start()
    tab = await rig.approved()
    await tab.call("set", "text", "here")
    assert code(await tab.call(*call)) == error
    assert await tab.call("items", "") == [["text", "here"]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        '{"masq":2,"calls":[]}',
        '{"masq":1,"calls":{}}',
        '{"masq":1,"calls":[7]}',
        '{"masq":1,"calls":[[1]]}',
        '{"masq":1,"calls":[["1","get","k"]]}',
        '{"masq":1,"calls":[[true,"get","k"]]}',
        '{"masq":1,"calls":' + "[" * 100_000,
        '{"masq":1,"calls":[[1,"set","k",NaN]]}',
    ],
)
async def test_malformed_messages_get_an_answer(text: str) -> None:
    """A message that cannot be read is answered with a ProtocolError, and the session goes on."""
    rig = await Rig().start()
    tab = await rig.approved()
    tab.port.heard.clear()
    tab.port.say(text)
    assert [code(message["error"]) for message in tab.port.heard] == ["ProtocolError"]
    assert await tab.call("ping") is None


async def test_a_full_disk_fails_only_what_must() -> None:
    """When a batch does not fit, each write is tried alone: large ones fail unchanged, small ones succeed."""
    rig = await Rig().start()
    tab = await rig.approved()
    await tab.call("set", "k", "before")
    used = sum(len(record) for _, record in await rig.backend.scan(""))
    rig.backend.disk.quota = used + 4000
    replies = await tab.calls(("set", "k", "x" * 100_000), ("set", "small", 1), ("increment", "n", 1))
    assert code(replies[0]) == "QuotaExceeded"
    assert replies[1:] == [None, 1]
    assert await tab.call("items", "") == [["k", "before"], ["n", 1], ["small", 1]]
    rig.backend.disk.quota = None
    await rig.restart()
    again = rig.app()
    await again.status(state="ready")
    assert await again.call("items", "") == [["k", "before"], ["n", 1], ["small", 1]]


async def test_an_engine_that_was_superseded_cannot_write() -> None:
    """A frozen engine that wakes up after another has claimed the disk writes nothing and says so."""
    rig = await Rig().start()
    tab = await rig.approved()
    await tab.call("set", "k", "old")
    frozen = rig.engine
    await rig.restart()
    late = await tab.call("set", "k", "late")
    assert isinstance(late, list)
    assert rig.failures and frozen.profile is not None
    again = rig.app()
    await again.status(state="ready")
    assert await again.call("get", "k") == ["old"]


async def test_newer_data_is_left_alone() -> None:
    """A disk written by a later version is refused with a sentence, and not changed."""
    rig = await Rig().start()
    await rig.approved()
    await rig.backend.write([("schema", b"2")])
    before = await rig.backend.scan("")
    with pytest.raises(Exception, match="newer|later"):
        await rig.restart()
    assert await rig.backend.scan("") == before


async def test_a_damaged_record_is_noticed() -> None:
    """A flipped bit, a missing record in the middle and a swapped one are each found when the space opens."""

    async def damage(how: str) -> None:
        rig = await Rig().start()
        tab = await rig.approved()
        for n in range(4):
            await tab.call("set", f"k{n}", n)
        space = tab.session.space._journal  # type: ignore[attr-defined]
        records = await rig.backend.scan(space)
        assert len(records) == 4
        if how == "flip":
            key, record = records[1]
            await rig.backend.write([(key, record[:-1] + bytes([record[-1] ^ 1]))])
        elif how == "missing":
            await rig.backend.write([], [(records[1][0], records[2][0])])
        else:
            await rig.backend.write([(records[1][0], records[2][1]), (records[2][0], records[1][1])])
        await rig.restart()
        again = rig.app()
        assert (await again.status())["state"] != "ready"
        assert code(await again.call("get", "k0")) == "StorageUnavailable"

    for how in ("flip", "missing", "swap"):
        await damage(how)


async def test_nothing_readable_is_on_the_disk() -> None:
    """No key, value or origin of an app stands in clear on the disk."""
    rig = await Rig().start()
    tab = await rig.approved()
    await tab.calls(*[("set", f"secret-key-{n}", f"secret-value-{n}") for n in range(500)])
    await rig.engine.writer.idle()
    disk = b"".join(key.encode() + record for key, record in await rig.backend.scan(""))
    for clear in (b"secret-key", b"secret-value", b"counter.localhost"):
        assert clear not in disk
    assert rig.engine.profile is not None
    assert rig.engine.profile.root not in disk


async def test_hand_over_keeps_session_and_watches() -> None:
    """A session handed to the next engine goes on with its watches, and nothing acknowledged is lost."""
    rig = await Rig().start()
    tab = await rig.approved()
    await tab.call("watch", "k", False)
    waiting = asyncio.create_task(tab.call("set", "k", 1))
    await asyncio.sleep(0)
    await rig.engine.stop()
    ((_, port, state),) = rig.engine.hand_over()
    assert await waiting is None
    await rig.restart()
    nonce = state["app"].pop("nonce")
    session = rig.engine.attach(port, state["origin"], nonce, state["app"])
    session.resume([tuple(watch) for watch in json.loads(json.dumps(state["watches"]))])
    tab.port.heard.clear()
    assert await tab.call("get", "k") == [1]
    await tab.call("set", "k", 2)
    assert [m["changes"] for m in tab.port.heard if "changes" in m] == [[[1, [["k", "self", 2]]]]]


async def test_a_full_space_says_so() -> None:
    """The key after the last allowed one is refused, a batch as a whole."""
    rig = await Rig().start()
    tab = await rig.approved()
    tab.session.space.core.max_keys = 3  # type: ignore[attr-defined]
    assert await tab.call("update", [["a", 1], ["b", 2]]) is None
    assert code(await tab.call("update", [["c", 1], ["d", 2]])) == "QuotaExceeded"
    assert await tab.call("keys", "") == ["a", "b"]
    assert code(await tab.call("replace", [["w", 1], ["x", 1], ["y", 1], ["z", 1]])) == QuotaExceeded.code
    assert await tab.call("keys", "") == ["a", "b"]


async def test_a_window_that_closed_before_it_came_here_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app whose page cannot reach its window hears "closed" where none comes; one that is there decides itself."""
    monkeypatch.setattr(engine, "WINDOW_SECONDS", 0.01)
    rig = await Rig().start()
    closed, cut_off = rig.app(APP), rig.app(OTHER)
    rig.engine.page(Port()).nonce = cut_off.session.nonce
    for tab in (cut_off, closed):
        await tab.status(state="unregistered")
        await tab.call("severed")
    await closed.status(denied="closed")
    assert not any("denied" in status for status in cut_off.statuses())


async def test_who_waits_for_a_large_space_hears_that_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its app does, and approved ones that wait behind it, so that none takes it for a hang; a stranger does not."""
    monkeypatch.setattr(open_space, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(open_space, "CHUNK_ROWS", 10)
    rig = await Rig().start()
    large = await rig.approved(APP)
    await rig.approved(OTHER)
    await large.call("update", [[f"key/{number}", 1] for number in range(100)])
    space = large.session.space  # type: ignore[attr-defined]
    await space.checkpoint(space.freeze())
    await rig.restart()
    heard = []
    tabs = [rig.app(origin) for origin in (APP, OTHER, "https://stranger.example")]
    for tab in tabs:
        tab.session.on_reading = lambda tab=tab: heard.append(tab)  # type: ignore[attr-defined]
    for tab in tabs:
        await tab.status()
    assert tabs[0] in heard and tabs[1] in heard and tabs[2] not in heard
    assert heard.count(tabs[0]) >= 10  # one for each part


@pytest.mark.parametrize("where", ["checkpoint", "tail"])
async def test_no_part_of_a_space_is_read_at_the_cost_of_the_others(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a space is made of, others have their turn while it is read, and nobody sees it before it is whole."""
    monkeypatch.setattr(open_space, "CHUNK_ROWS", 10)
    monkeypatch.setattr(open_space, "BATCH_COST", 3 * open_space.RECORD_COST)
    keys = [f"key/{number}" for number in range(100)]

    def slow(place: object, name: str, cost: Any) -> None:
        """Have each call take `cost(*arguments)` seconds of the loop's clock."""
        real = getattr(place, name)

        def slowly(*arguments: Any) -> Any:
            asyncio.get_running_loop().skip(cost(*arguments))  # type: ignore[attr-defined]
            return real(*arguments)

        monkeypatch.setattr(place, name, slowly)

    rig = await Rig().start()
    tab = await rig.approved(APP)
    for key in keys:  # a record each
        await tab.call("set", key, 1)
    if where == "checkpoint":
        space = tab.session.space  # type: ignore[attr-defined]
        await space.checkpoint(space.freeze())
    await rig.restart()
    slow(Sealer, "open", lambda sealer, kind, records, previous: 0.01 * len(records))
    slow(codec, "decode_checkpoint", lambda content: 0.01)
    slow(codec, "decode_changes", lambda content: 0.01)
    slow(Space, "load", lambda space, rows: 0.001 * len(rows))
    loop, heard, stretches = asyncio.get_running_loop(), [], []
    watched = rig.app(APP)
    session = watched.session  # type: ignore[attr-defined]
    session.on_reading = lambda: heard.append(loop.time())

    async def others() -> None:
        since = loop.time()
        while not session.space:
            await asyncio.sleep(0)
            stretches.append(loop.time() - since)
            since = loop.time()

    turns = asyncio.ensure_future(others())
    assert (await watched.status())["state"] == "ready"
    await turns
    assert max(stretches) < open_space.PAUSE_SECONDS + 0.04  # what one step costs more, at most
    assert len(heard) > (5 if where == "checkpoint" else 40)
    assert await watched.call("keys", "") == sorted(keys)


async def test_a_session_that_cannot_be_told_of_the_reading_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others hear it all the same, the space is opened for all, and the defect is seen."""
    monkeypatch.setattr(open_space, "PAUSE_SECONDS", 0)
    rig = await Rig().start()
    await rig.approved(APP)
    await rig.restart()
    seen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context["exception"]))
    heard: list[Peer] = []
    tabs = [rig.app(APP) for _ in range(3)]
    for tab in tabs:
        tab.session.on_reading = lambda tab=tab: heard.append(tab)  # type: ignore[attr-defined]

    def gone() -> None:
        raise LookupError("its port has gone")

    tabs[1].session.on_reading = gone  # type: ignore[attr-defined]
    for tab in tabs:
        assert (await tab.status())["state"] == "ready"
    assert tabs[0] in heard and tabs[2] in heard
    assert seen and all(isinstance(error, LookupError) for error in seen)
