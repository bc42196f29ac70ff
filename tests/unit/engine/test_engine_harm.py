"""What goes wrong around the engine: full and failing disks, hostile apps, lost keys. Nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from engine_rig import APP, OTHER, NativeCrypto, Rig, code, with_profile

from masq.errors import ProtocolError, QuotaExceeded
from masq_store.core.storage.record import decode_record
from masq_store.engine.profile import profile

pytestmark = pytest.mark.within(60)


def changes(peer: Any) -> list[Any]:
    """Return every change that a peer's watches heard of."""
    return [
        change for message in peer.port.heard for _, told in message.get("changes", []) for change in told
    ]


def refuse_checkpoints(rig: Rig) -> list[int]:
    """Let the disk refuse checkpoints as too large; the list counts them."""
    write, refused = rig.backend.write, [0]

    async def narrow(puts: Any, drops: Any = ()) -> None:
        if any("/checkpoint/" in key for key, _ in puts):
            refused[0] += 1
            raise QuotaExceeded("full")
        await write(puts, drops)

    rig.backend.write = narrow  # type: ignore[method-assign]
    return refused


async def test_no_nonce_is_used_twice() -> None:
    """A space that is closed and opened again in one engine never seals under a used run and number."""
    rig = await Rig().start()
    seen: dict[Any, set[bytes]] = {}
    write = rig.backend.write

    async def spy(puts: Any, drops: Any = ()) -> None:
        for key, stored in puts:
            if key.startswith("space/"):
                record = decode_record(stored)
                seen.setdefault((key.split("/")[2], record.run, record.number), set()).add(stored)
        await write(puts, drops)

    rig.backend.write = spy  # type: ignore[method-assign]
    tab = await rig.approved()
    for number in range(3):
        await tab.call("set", "a", number)
        rig.engine.detach(tab.session)
        await rig.engine.writer.idle()
        assert rig.engine.profile is not None
        rig.engine.profile._forget(APP)
        tab = rig.app()
        await tab.status(state="ready")
    assert len(seen) >= 6
    assert [stored for stored in seen.values() if len(stored) > 1] == []


async def test_a_space_is_never_open_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write under way while its tab closes and another opens is there after a kill, and so is the other's."""
    monkeypatch.setattr(profile, "KEEP_SECONDS", 0)
    rig = await Rig().start()
    tab = await rig.approved()
    write, gate, slow = rig.backend.write, asyncio.Event(), asyncio.Event()

    async def wait(puts: Any, drops: Any = ()) -> None:
        slow.set()
        await gate.wait()
        await write(puts, drops)

    rig.backend.write = wait  # type: ignore[method-assign]
    tab.port.say(json.dumps({"masq": 1, "calls": [[77, "set", "k", "mine"]]}))
    await slow.wait()
    rig.engine.detach(tab.session)
    for _ in range(5):
        await asyncio.sleep(0)  # every timer that is due runs
    other = rig.app()
    gate.set()
    await other.status(state="ready")
    await other.call("set", "other", "x")
    await rig.restart()
    again = rig.app()
    await again.status(state="ready")
    assert await again.call("items", "") == [["k", "mine"], ["other", "x"]]


async def test_no_profile_that_cannot_be_opened_again() -> None:
    """Where the browser can keep no key, a profile without a passphrase is refused, and one with it is made."""
    rig = Rig()

    async def none() -> None:
        return None

    rig.crypto.device_key = none  # type: ignore[method-assign,assignment]
    await rig.start()
    page = rig.page()
    assert code(await page.call("create_profile", "Ann", "", True)) == "StorageUnavailable"
    assert (await page.call("overview"))["profile"] is None
    assert "profile" in await page.call("create_profile", "Ann", "secret", True)
    await rig.restart()
    assert (await rig.page().call("unlock", "secret", True))["profile"]["locked"] is False


async def test_a_lost_device_key_leaves_the_passphrase() -> None:
    """When the device's key is gone the profile is locked, and its passphrase opens it."""
    rig = await with_profile("secret", True)
    await (await rig.approved()).call("set", "k", 1)
    rig.crypto = NativeCrypto()
    await rig.restart()
    assert (await rig.page().call("overview"))["profile"]["locked"] is True
    assert (await rig.page().call("unlock", "secret", True))["profile"]["locked"] is False
    tab = rig.app()
    await tab.status(state="ready")
    assert await tab.call("get", "k") == [1]


async def test_increments_of_one_tick_each_return_their_own() -> None:
    """Increments that share a transaction return the number that each of them made."""
    tab = await (await Rig().start()).approved()
    assert await tab.calls(*[("increment", "n", 1)] * 3) == [1, 2, 3]
    assert await tab.calls(("increment", "m", 1), ("delete", ["m"])) == [1, 1]


async def test_a_session_that_fails_harms_nobody_else() -> None:
    """A tab whose port fails while it is told of a change undoes nothing and ends no engine."""
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # expected: not in the log
    rig = await Rig().start()
    one, two = await rig.approved(), await rig.approved()
    await two.call("watch", "", False)

    def fail(text: str) -> None:
        raise MemoryError("too large")

    two.port.post = fail  # type: ignore[method-assign]
    assert await one.call("set", "k", 1) is None
    assert await one.call("get", "k") == [1]
    assert rig.failures == []


async def test_a_disk_that_fails_while_writes_are_tried_again() -> None:
    """Every write of the batch is answered, memory holds what the disk holds, and the failure is reported."""
    rig = await Rig().start()
    tab = await rig.approved()
    rig.backend.fail_next(QuotaExceeded("full"))
    rig.backend.fail_next(RuntimeError("odd"))
    replies = await tab.calls(("set", "p", 1), ("set", "q", 2))
    assert [code(reply) for reply in replies] == ["Disconnected", "Disconnected"]
    assert await tab.call("keys", "") == []
    assert len(rig.failures) == 1


async def test_watchers_end_with_the_true_value() -> None:
    """Who was told of a value that could not be kept is told the one that is there."""
    rig = await Rig().start()
    one, two = await rig.approved(), await rig.approved()
    await two.call("watch", "", False)
    write, gate = rig.backend.write, asyncio.Event()

    async def once(puts: Any, drops: Any = ()) -> None:
        await gate.wait()
        await write(puts, drops)
        rig.backend.disk.quota = 1  # and no more

    rig.backend.write = once  # type: ignore[method-assign]
    first = asyncio.create_task(one.call("set", "k", "one"))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(one.call("set", "k", "two"))
    await asyncio.sleep(0)
    gate.set()
    assert await first is None
    assert code(await second) == "QuotaExceeded"
    await one.call("ping")
    assert changes(two)[-1] == ["k", "tab", "one"] == ["k", "tab", (await two.call("get", "k"))[0]]


async def test_a_profile_whose_first_space_does_not_fit_is_not_made() -> None:
    """With a full disk, making a profile fails with a sentence and can be tried again."""
    rig = await Rig().start()
    write = rig.backend.write
    refuse_checkpoints(rig)
    page = rig.page()
    assert code(await page.call("create_profile", "Ann", "", True)) == "QuotaExceeded"
    assert (await page.call("overview"))["profile"] is None
    rig.backend.write = write  # type: ignore[method-assign]
    assert (await page.call("create_profile", "Ann", "", True))["profile"]["name"] == "Ann"


async def test_a_full_disk_at_the_first_opening_is_told() -> None:
    """An app whose space cannot be made hears QuotaExceeded, and its calls are answered with it."""
    rig = await with_profile()
    tab = rig.app()
    await tab.status(state="unregistered")
    refuse_checkpoints(rig)
    await rig.page().call("answer", tab.session.nonce, True, APP)  # type: ignore[attr-defined]
    late = rig.app()
    assert code(await late.call("get", "k")) == "QuotaExceeded"
    assert [code(message["error"]) for message in late.port.heard if "error" in message] == ["QuotaExceeded"]


async def test_a_disk_too_full_for_checkpoints_is_not_kept_busy() -> None:
    """After a checkpoint that did not fit, the next is tried only once the tail has grown a good deal."""
    rig = await Rig().start()
    tab = await rig.approved()
    refused = refuse_checkpoints(rig)
    for number in range(150):
        await tab.call("set", f"k{number}", "x" * 900)
        await rig.engine.writer.idle()
    assert 0 < refused[0] < 10


async def test_short_messages_do_not_make_huge_ones() -> None:
    """A thousand reads or watches of a large value are answered in pieces."""
    tab = await (await Rig().start()).approved()
    await tab.call("set", "k", "x" * 200_000)
    sizes: list[int] = []
    settled = asyncio.Event()

    def post(text: str) -> None:
        sizes.append(len(text))
        if '"mark"' in text[:20]:
            asyncio.get_running_loop().call_soon(tab.port.say, text.replace("mark", "read"))
        if text.startswith('{"masq":1,"replies":[[9000'):
            settled.set()

    tab.port.post = post  # type: ignore[method-assign]
    tab.port.say(json.dumps({"masq": 1, "calls": [[1000 + n, "get", "k"] for n in range(100)]}))
    for number in range(100):
        tab.port.say(json.dumps({"masq": 1, "calls": [[2000 + number, "watch", "", False]]}))
    tab.port.say(json.dumps({"masq": 1, "calls": [[9000, "set", "k", "y" * 200_000]]}))
    await settled.wait()
    assert sum(sizes) > 20_000_000
    assert max(sizes) < 2_000_000


async def test_one_nonce_is_for_one_origin() -> None:
    """A second origin cannot take the place of the one whose question the person is reading."""
    rig = await Rig().start()
    rig.app(APP, "a" * 32)
    with pytest.raises(ProtocolError):
        rig.app("http://evil.localhost", "a" * 32)
    request = await rig.page().call("request", "a" * 32)
    assert request["origin"] == APP


@pytest.mark.reports("the store's engine failed")
async def test_a_page_that_calls_wrongly_gets_an_answer() -> None:
    """A page's call with wrong arguments is answered with a ProtocolError."""
    rig = await Rig().start()
    assert code(await rig.page().call("overview", 1, 2)) == "ProtocolError"


async def test_one_damaged_app_leaves_the_others() -> None:
    """The list of apps shows all of them, though the data of one cannot be read."""
    rig = await Rig().start()
    one = await rig.approved(APP)
    await one.call("set", "a", 1)
    await (await rig.approved(OTHER)).call("set", "a", 1)
    space = one.session.space._checkpoint  # type: ignore[attr-defined]
    for key, stored in await rig.backend.scan(space):
        await rig.backend.write([(key, stored[:-1] + bytes([stored[-1] ^ 1]))])
    await rig.restart()
    assert len((await rig.page().call("overview"))["apps"]) == 2
    assert code(await rig.app(APP).call("get", "a")) in ("DamagedData", "StorageUnavailable")


async def test_withdrawing_one_app_leaves_views_of_others_live() -> None:
    """A page that looks at another app's data goes on hearing of its changes."""
    rig = await Rig().start()
    await rig.approved(APP)
    other = await rig.approved(OTHER)
    page = rig.page()
    await page.call("entries", OTHER, "", "", 10)
    await rig.page().call("withdraw", APP)
    page.port.heard.clear()
    await other.call("set", "z", 1)
    assert [message["events"] for message in page.port.heard if "events" in message] == [[["data", OTHER]]]


async def test_hand_over_ends_while_an_app_writes() -> None:
    """An engine steps down in bounded time though messages keep coming, and hands the unread ones on."""
    rig = await Rig().start()
    tab = await rig.approved()
    tab.port.say('{"masq":1,"calls":[[100,"set","a",1]]}')
    stopping = asyncio.create_task(rig.engine.stop())
    number = 101
    while not stopping.done():
        tab.port.say(json.dumps({"masq": 1, "calls": [[number, "increment", "n", 1]]}))
        number += 1
        await asyncio.sleep(0)
    ((_, port, state),) = rig.engine.hand_over()
    await rig.restart()
    nonce = state["app"].pop("nonce")
    session = rig.engine.attach(port, state["origin"], nonce, state["app"])
    session.resume([], state["seen"], state["early"])
    assert [await tab.reply(n) for n in range(101, number)] == list(range(1, number - 100))


async def test_a_watch_misses_nothing_at_a_hand_over() -> None:
    """What another tab wrote under the next engine, before this one had come along, reaches its watch."""
    rig = await Rig().start()
    one, two = await rig.approved(), await rig.approved()
    await one.call("set", "x", 1)
    await one.call("watch", "", False)
    await rig.engine.stop()
    handed = {session: (port, state) for session, port, state in rig.engine.hand_over()}
    await rig.restart()

    def take_along(peer: Any) -> None:
        port, state = handed[peer.session]
        nonce = state["app"].pop("nonce")
        peer.port.heard.clear()
        peer.session = rig.engine.attach(port, state["origin"], nonce, state["app"])
        peer.session.resume(state["watches"], state["seen"], state["early"])

    take_along(two)
    await two.calls(("set", "x", 2), ("set", "y", 3), ("delete", ["x"]))
    take_along(one)
    await one.status(state="ready")
    assert sorted(changes(one)) == [["x", "tab"], ["y", "tab", 3]]
