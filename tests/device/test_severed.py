"""Apps that cut their windows off, where the browser keeps the store apart: enrolment by a link, over a real relay."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asynchronous import until
from document_rig import rows
from engine_rig import APP, OTHER, Peer, Rig, with_profile
from partition_rig import Apart
from patience import seconds
from relay_rig import Running, relay

from masq_store.core.enrolment.link_machine import NOT_NOW, REPLY_MS, Granting, Requesting
from masq_store.core.pairing import messages as wire
from masq_store.core.pairing.machine import LINK_MS, PERSON_MS
from masq_store.engine.pairing.meeting import CONNECT_MS
from masq_store.engine.partition import pasted_links
from masq_store.native.websocket import NativeNetwork

pytestmark = pytest.mark.real_time

STORE = "http://store.localhost:8000/"


class Page:
    """An app's page whose window cannot reach it: the frame in it, and what that shows."""

    def __init__(self, apart: Apart, origin: str = APP, nonce: str = "") -> None:
        self.apart = apart
        self.tab = apart.app(origin, nonce)
        self.session: Any = self.tab.session  # type: ignore[attr-defined]
        self.strips: list[dict[str, Any] | None] = []
        self.session.on_strip = self.strips.append

    async def shows(self, state: str | None) -> dict[str, Any]:
        """Return what the frame shows once it is that."""
        await until(lambda: bool(self.strips) and (self.strips[-1] or {"state": None})["state"] == state)
        return self.strips[-1] or {}

    async def ends(self) -> str:
        """Return the code of the error that the frame shows at last."""
        code, sentence, _ = (await self.shows("end"))["error"]
        assert sentence[0].isupper() and sentence.endswith(".")
        return str(code)

    async def paste(self, text: object) -> None:
        """Paste a text into the frame."""
        await self.apart.partition.paste(self.session, text)


class Window:
    """The store's window, which the app's page has opened and cannot speak to."""

    def __init__(self, rig: Rig, page: Page, came_from: str = "") -> None:
        self.rig = rig
        self.nonce = str(page.session.nonce)
        self.came_from = came_from or str(page.session.origin)
        self.peer: Peer = rig.page()

    async def link(self) -> str:
        """Make a link, and return it once it can be used."""
        assert await self.peer.call("request", self.nonce, 0.01) is None
        await self.peer.call("offer_link", STORE, self.nonce, self.came_from)
        return str((await self.sees("waiting"))["link"])

    async def sees(self, state: str) -> dict[str, Any]:
        """Return what the window is told once it is in that state."""
        async with asyncio.timeout(seconds(20)):
            while True:
                found = await self.peer.call("pairing")
                if found["state"] == state:
                    return dict(found)
                await asyncio.sleep(0.01)

    async def ends(self) -> str:
        """Return the code of the error with which the link has ended; its sentence must be one."""
        code, sentence, _ = (await self.sees("ended"))["error"]
        assert sentence[0].isupper() and sentence.endswith(".")
        return str(code)

    async def question(self) -> dict[str, Any]:
        """Return what the person is asked."""
        await self.sees("asking")
        return dict(await self.peer.call("request", self.nonce))

    async def answer(self, allow: bool) -> Any:
        """Press one of the two buttons."""
        return await self.peer.call("answer", self.nonce, allow, APP)

    def close(self) -> None:
        """Close it."""
        [session] = [page for page in self.rig.engine.connected.pages if page._port is self.peer.port]
        self.rig.engine.page_gone(session)
        self.rig.engine.commands.popup_gone(self.nonce)


class Scene:
    """A relay, a store with Ann's profile, and a partition."""

    def __init__(self, running: Running, rig: Rig, apart: Apart) -> None:
        self.running, self.rig, self.apart = running, rig, apart

    async def severed(self, origin: str = APP) -> tuple[Page, Window]:
        """Click in an app's page: a window opens, and the frame asks for its link."""
        page = Page(self.apart, origin)
        await page.tab.status(state="unregistered")
        assert await page.tab.call("severed") is None
        await page.shows("ask")
        return page, Window(self.rig, page)

    async def asked(self) -> tuple[Page, Window]:
        """Go as far as to the question in the window."""
        page, window = await self.severed()
        await page.paste(await window.link())
        await window.question()
        await page.shows("wait")
        return page, window

    def pass_ms(self, ms: int) -> None:
        """Let the time pass."""
        self.rig.now += ms


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Set the scene."""
    async with relay(folder) as running:
        address = f"ws://127.0.0.1:{running.port}/"
        rig = await with_profile(network=NativeNetwork(), relay=address)
        apart = await Apart(rig).start()
        try:
            yield Scene(running, rig, apart)
        finally:
            await apart.partition.stop()
            await rig.engine.stop()


@pytest.fixture
def s(tmp_path: Path) -> AbstractAsyncContextManager[Scene]:
    """The scene, set when the test begins."""
    return scene(tmp_path)


def nothing_given(s: Scene) -> None:
    """Check that the partition has no copy, and the store lists none."""
    assert s.apart.partition.copies == {}
    assert s.rig.engine.parts.devices.describe_copies() == []


async def test_a_copy_by_a_link(s: Scene) -> None:
    """The link is pasted, the person is asked by origin and allows it, and the copy meets the store at the relay."""
    page, window = await s.severed()
    await page.paste(await window.link())
    question = await window.question()
    assert (question["origin"], question["name"]) == (APP, "Counter")
    assert question["apart"] and question["linked"] and not question["registered"]
    await page.shows("wait")
    assert await window.answer(True) is True
    status = await page.tab.status(state="ready")
    assert (status["access"], status["profile"]) == ("partitioned", "Ann")
    await page.shows(None)
    window.close()
    assert await page.tab.call("increment", "count", 1) == 1
    profile = s.rig.engine.profile
    assert profile is not None
    core = (await profile.space(APP)).core
    await until(lambda: core.text("count") == "1")
    assert [(one["app"], one["here"]) for one in s.rig.engine.parts.devices.describe_copies()] == [
        (APP, True)
    ]
    assert page.tab.statuses()[-1]["state"] == "ready"  # the window that closes ends nothing


async def test_the_relay_sees_nothing_of_it(s: Scene, tmp_path: Path) -> None:
    """Neither origin, names, nonce nor secrets are in what the relay keeps, and the link's secret is not either."""
    page, window = await s.severed()
    link = await window.link()
    await page.paste(link)
    await window.question()
    await window.answer(True)
    await page.tab.status(state="ready")
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    grant = s.apart.partition.copies[APP].secrets.grant
    for word in (APP, "Counter", "Ann", window.nonce, grant.secret, link.split("=")[1].split("&")[0]):
        assert word.encode() not in kept
    assert bytes.fromhex(grant.secret) not in kept and len(kept) > 1000


async def test_an_app_that_is_allowed_already_is_asked_about_all_the_same(s: Scene) -> None:
    """A link gives nothing without a word, whatever was allowed before; afterwards both have the same data."""
    first = await s.rig.approved()
    await first.call("set", "note", "from before")
    page, window = await s.severed()
    await page.paste(await window.link())
    assert (await window.question())["registered"] is False
    assert await window.answer(True) is True
    await page.tab.status(state="ready")
    await until(lambda: s.apart.partition.copies[APP].data.core.has("note"))


async def test_the_profile_may_come_after_the_link(s: Scene) -> None:
    """Without a profile the link works too: one is made once the app asks."""
    rig = await Rig(network=NativeNetwork(), relay=s.rig.relay).start()
    s = Scene(s.running, rig, s.apart)
    page, window = await s.severed()
    await page.paste(await window.link())
    await window.question()
    assert "profile" in await window.peer.call("create_profile", "Bob", "", True)
    assert await window.answer(True) is True
    assert (await page.tab.status(state="ready"))["profile"] == "Bob"
    await rig.engine.stop()


async def test_a_locked_store_gives_nothing(s: Scene) -> None:
    """The store locks before the answer: it is an error, and after unlocking the answer still counts."""
    page, window = await s.asked()
    await window.peer.call("change_passphrase", "", "correct horse")
    await window.peer.call("lock")
    assert (await window.answer(True))[0] == "Locked"
    nothing_given(s)
    await window.peer.call("unlock", "correct horse", False)
    assert await window.answer(True) is True
    await page.tab.status(state="ready")


@pytest.mark.parametrize("what", ["", "hello", "#pair", "pair", "short", "no relay", "bad relay"])
async def test_what_is_no_link(s: Scene, what: str) -> None:
    """Anything but the window's link is refused at once, and the link itself still works after it."""
    page, window = await s.severed()
    link = await window.link()
    texts = {
        "pair": link.replace("#enrol=", "#pair="),
        "short": link.partition("&")[0][:-1] + "&" + link.partition("&")[2],
        "no relay": link.partition("&")[0],
        "bad relay": link.partition("&relay=")[0] + "&relay=http://x",
    }
    await page.paste(texts.get(what, what))
    assert await page.ends() == "BadPairingLink"
    await page.paste(f"  {link}\n")
    await window.question()
    assert await window.answer(True) is True
    await page.tab.status(state="ready")


async def test_a_link_works_once(s: Scene) -> None:
    """Pasted twice in one page it does no harm; once it was used it does nothing more, not even for that page."""
    page, window = await s.severed()
    link = await window.link()
    await page.paste(link)
    await page.paste(link)
    await window.question()
    await page.paste(link)
    assert await window.answer(True) is True
    await page.tab.status(state="ready")
    other = await Apart(s.rig).start()
    again = Page(other, nonce=window.nonce)
    await again.tab.status(state="unregistered")
    assert await again.tab.call("severed") is None
    await again.paste(link)
    assert await again.ends() == "PairingUsedTwice"
    assert other.partition.copies == {}
    await other.partition.stop()


async def test_somebody_else_uses_the_link_too(s: Scene) -> None:
    """Somebody with the link and the nonce, before the person has answered, ends it for both: nothing is given."""
    page, window = await s.severed()
    link = await window.link()
    await page.paste(link)
    await window.question()
    await page.shows("wait")
    other = await Apart(s.rig).start()
    thief = Page(other, nonce=window.nonce)
    await thief.tab.status(state="unregistered")
    assert await thief.tab.call("severed") is None
    await thief.paste(link)
    assert await thief.ends() == "PairingUsedTwice"
    assert await window.ends() == "PairingUsedTwice"
    assert await page.ends() == "PairingUsedTwice"
    assert (await window.answer(True))[0] == "ProtocolError"
    nothing_given(s)
    await other.partition.stop()


async def test_the_link_alone_is_worth_nothing(s: Scene) -> None:
    """Who has seen the link and is another page does not even find the window, and disturbs nothing."""
    page, window = await s.severed()
    thief, _ = await s.severed(OTHER)
    link = await window.link()
    await thief.paste(link)
    await thief.shows("look")
    await page.paste(link)
    await window.question()
    assert await window.answer(True) is True
    await page.tab.status(state="ready")
    s.pass_ms(REPLY_MS)
    assert await thief.ends() == "PairingGone"
    assert thief.tab.statuses()[-1] == {"state": "unregistered"}
    assert list(s.apart.partition.copies) == [APP]


async def test_a_page_that_claims_to_be_another_app(s: Scene) -> None:
    """The app's own page, given the link, asks for another app's data: the browser has told who opened the window."""
    await s.rig.approved(OTHER)
    page, _ = await s.severed(OTHER)
    window = Window(s.rig, page, came_from=APP)
    await page.paste(await window.link())
    assert await window.ends() == "OtherPage"
    assert OTHER in (await window.sees("ended"))["error"][1]
    assert (await window.answer(True))[0] == "ProtocolError"
    assert (await page.tab.status(denied="refused"))["state"] == "unregistered"
    nothing_given(s)


async def test_the_link_is_good_for_ten_minutes(s: Scene) -> None:
    """After that the window says so, and the frame too when it is pasted."""
    page, window = await s.severed()
    link = await window.link()
    s.pass_ms(LINK_MS)
    assert await window.ends() == "PairingExpired"
    await page.paste(link)
    assert await page.ends() == "PairingExpired"
    assert await window.link() != link  # another one is made
    nothing_given(s)


async def test_the_answer_takes_too_long(s: Scene) -> None:
    """Ten minutes without an answer end both, with a sentence, and what is pressed then is an error."""
    page, window = await s.asked()
    s.pass_ms(PERSON_MS)
    assert await page.ends() == "PairingExpired"
    assert await window.ends() == "PairingExpired"
    assert (await window.answer(True))[0] == "ProtocolError"
    nothing_given(s)


@pytest.mark.parametrize("state", ["ask", "look", "wait", "end"])
async def test_not_now(s: Scene, state: str) -> None:
    """Whatever the strip shows, it can be put off: the app hears that the window closed, and a link ends."""
    page, window = await s.asked() if state == "wait" else await s.severed()
    if state == "look":
        link = await window.link()
        await s.running.relay.stop()
        await page.paste(link)
    elif state == "end":
        await page.paste("nonsense")
    await page.shows(state)
    await page.paste(NOT_NOW)
    assert (await page.tab.status(denied="closed"))["state"] == "unregistered"
    await page.shows(None)
    if state == "wait":
        assert await window.ends() == "PairingExpired"
    for _ in range(100):  # turns of the event loop, in which nothing else comes
        await asyncio.sleep(0)
    assert page.strips[-1] is None and page.tab.statuses()[-1]["denied"] == "closed"
    nothing_given(s)
    assert await page.tab.call("severed") is None  # the next window
    await page.shows("ask")


async def test_a_window_that_closes_before_it_has_knocked(s: Scene) -> None:
    """The page cannot tell whether it is cut off, so the strip asks; put off, it ends the wait as the window did."""
    page = Page(s.apart)
    await page.tab.status(state="unregistered")
    window = Window(s.rig, page)
    assert await window.peer.call("request", window.nonce, 0.01) is None
    window.close()
    assert await page.tab.call("severed") is None
    await page.shows("ask")
    await page.paste(NOT_NOW)
    await page.tab.status(denied="closed")
    await page.shows(None)


async def test_a_window_that_was_in_reach_and_closed_is_an_answer(
    s: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page knows that it is not cut off: no link is asked for, and the app hears that the window closed."""
    monkeypatch.setattr(pasted_links, "CLOSED_SECONDS", 0.01)
    page = Page(s.apart)
    await page.tab.status(state="unregistered")
    assert await page.tab.call("severed", True) is None
    await page.tab.status(denied="closed")
    page, _ = await s.severed()  # a strip of the window before goes, too
    assert await page.tab.call("severed", True) is None
    await page.shows(None)
    await page.tab.status(denied="closed")
    s.apart.click(page.tab)  # one that comes just after that is heard all the same
    assert await page.tab.call("severed", True) is None
    assert await s.rig.engine.commands.request(page.session.nonce) is not None
    assert await s.rig.engine.commands.answer(page.session.nonce, True) is True
    assert "denied" not in await page.tab.status(state="ready")
    nothing = await page.tab.call("severed", "yes")
    assert nothing[0] == "ProtocolError"


async def test_a_strip_that_nobody_answers_is_put_off(s: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once no link could be used any more it asks for none, and the app hears that the window closed."""
    monkeypatch.setattr(pasted_links, "STRIP_SECONDS", 0.2)
    page, _ = await s.severed()
    await page.tab.status(denied="closed")
    await page.shows(None)
    monkeypatch.setattr(
        pasted_links, "STRIP_SECONDS", seconds(0.8)
    )  # time enough to make a link and paste it
    page, window = await s.asked()  # a link in use has times of its own
    await asyncio.sleep(pasted_links.STRIP_SECONDS)
    assert await window.answer(True) is True
    await page.tab.status(state="ready")


async def test_not_now_takes_nothing_from_a_copy(s: Scene) -> None:
    """An app that has its data loses only the strip, also one that was shown by the worker before."""
    page, window = await s.asked()
    assert await window.answer(True) is True
    await page.tab.status(state="ready")
    page.strips.clear()
    await page.paste(NOT_NOW)
    assert page.strips == [None] and "denied" not in page.tab.statuses()[-1]
    assert await page.tab.call("increment", "count", 1) == 1


@pytest.mark.parametrize("of", ["a window", "a link"])
async def test_two_tabs_are_served_each(s: Scene, of: str) -> None:
    """While one tab's window asks, another tab's strip asks for its own link, and stays when the first clicks again."""
    if of == "a window":
        first = Page(s.apart)
        assert await s.rig.engine.commands.request(s.apart.click(first.tab))
    else:
        first, _ = await s.asked()
    second, window = await s.severed()
    if of == "a window":
        assert await s.rig.engine.commands.request(s.apart.click(first.tab))
        assert second.strips[-1] == {"state": "ask"}
    await second.paste(await window.link())
    await window.question()
    if of == "a window":
        await first.tab.status(denied="closed")
    else:
        assert await first.ends() == "PairingExpired"
    assert await window.answer(True) is True
    await second.tab.status(state="ready")
    await first.tab.status(state="ready")


@pytest.mark.parametrize("how", ["refused", "closed"])
async def test_a_no(s: Scene, how: str) -> None:
    """The person says no, or closes the window: the app hears which, as without a link."""
    page, window = await s.asked()
    if how == "refused":
        assert await window.answer(False) is True
    else:
        window.close()
    await until(lambda: page.tab.statuses()[-1].get("denied") == how)
    assert page.tab.statuses()[-1]["state"] == "unregistered"
    nothing_given(s)


async def test_the_window_closes_before_the_link_is_used(s: Scene) -> None:
    """The frame says that the link is over, and takes the next window's."""
    page, window = await s.severed()
    link = await window.link()
    window.close()
    await until(lambda: not s.rig.engine.enrolments._here.all)
    await page.paste(link)
    assert await page.ends() == "PairingExpired"
    window = Window(s.rig, page)
    await page.paste(await window.link())
    await window.question()
    assert await window.answer(True) is True
    await page.tab.status(state="ready")


async def test_the_page_goes_before_the_answer(s: Scene) -> None:
    """The app's page is closed while the person thinks: what is pressed then is an error, and nothing is given."""
    page, window = await s.asked()
    s.apart.partition.detach(page.session)
    assert await window.ends() == "PairingExpired"
    assert (await window.answer(True))[0] == "ProtocolError"
    nothing_given(s)


async def test_no_relay() -> None:
    """Without a relay the window is told so at once, and makes no link."""
    rig = await Rig(network=NativeNetwork()).start()
    apart = await Apart(rig).start()
    page = Page(apart)
    await page.tab.status(state="unregistered")
    window = Window(rig, page)
    code, sentence, _ = await window.peer.call("offer_link", STORE, window.nonce, APP)
    assert code == "NoRelay" and sentence.endswith(".")
    assert await window.peer.call("pairing") is None


async def test_a_relay_that_is_away(s: Scene) -> None:
    """A relay that cannot be reached ends the window's part and the frame's part, each with a sentence."""
    page, window = await s.severed()
    link = await window.link()
    await s.running.relay.stop()
    await page.paste(link)
    await page.shows("look")
    s.pass_ms(CONNECT_MS)
    assert await page.ends() == "PairingOffline"
    other = Window(s.rig, page)
    await other.peer.call("offer_link", STORE, other.nonce, APP)
    s.pass_ms(CONNECT_MS)
    assert await other.ends() == "PairingOffline"
    nothing_given(s)


async def test_the_window_reaches_the_page_after_all(s: Scene) -> None:
    """A frame that asks for a link stops asking once a window knocks; one that has its data never asks."""
    page, _ = await s.severed()
    nonce = s.apart.click(page.tab)
    await page.shows(None)
    await s.rig.engine.commands.request(nonce)
    await s.rig.engine.commands.answer(nonce, True)
    await page.tab.status(state="ready")
    asked = len(page.strips)
    assert await page.tab.call("severed") is None
    await page.paste("#enrol=x")
    assert len(page.strips) == asked


@pytest.mark.parametrize("how", ["locked", "unregistered"])
async def test_a_copy_that_ends_while_its_page_is_open(s: Scene, how: str) -> None:
    """Locked or removed, it is asked for by the next window's link, and the page goes on with it."""
    page, window = await s.asked()
    assert await window.answer(True) is True
    await page.tab.status(state="ready")
    await page.shows(None)
    if how == "locked":
        await s.apart.partition._copies.lock(APP)
    else:
        [copy] = s.rig.engine.parts.devices.describe_copies()
        await s.rig.engine.device_commands.remove(copy["id"])
    await page.tab.status(state=how)
    assert await page.tab.call("severed") is None
    await page.shows("ask")
    again = Window(s.rig, page)
    await page.paste(await again.link())
    await again.question()
    assert await again.answer(True) is True
    await page.tab.status(state="ready")
    await page.shows(None)


async def test_a_strip_of_the_worker_before_takes_the_link(s: Scene) -> None:
    """The strip outlives the worker that has shown it: the next one takes what is pasted into it."""
    page = Page(s.apart)
    await page.tab.status(state="unregistered")
    window = Window(s.rig, page)
    await page.paste(await window.link())
    await window.question()
    await page.shows("wait")


@pytest.mark.parametrize("state", ["look", "wait"])
async def test_a_strip_whose_worker_ends_takes_another_link(s: Scene, state: str) -> None:
    """A link in use ends with the worker, for a newer build say: the strip tells, and asks for the next one."""
    page, window = await s.asked() if state == "wait" else await s.severed()
    if state == "look":
        link = await window.link()
        await s.running.relay.stop()
        await page.paste(link)
        await page.shows("look")
    await s.apart.partition.stop()
    assert (page.strips[-1] or {})["state"] == "end"


@pytest.mark.parametrize("locked", [False, True])
async def test_a_copy_out_of_touch_asks_for_a_link(s: Scene, tmp_path: Path, locked: bool) -> None:
    """While it is in step a copy never asks; once its relay was left for another one, a link brings it there."""
    page, window = await s.asked()
    assert await window.answer(True) is True
    await page.tab.status(sync="live")
    asked = len(page.strips)
    assert await page.tab.call("severed") is None
    assert len(page.strips) == asked
    await s.running.relay.stop()
    await page.tab.status(sync="offline")
    async with relay(tmp_path / "other") as other:
        await window.peer.call("set_relay", f"ws://127.0.0.1:{other.port}/")
        assert await page.tab.call("increment", "count", 1) == 1
        if locked:
            await s.apart.partition._copies.lock(APP)
            await page.tab.status(state="locked")
        assert await page.tab.call("severed") is None
        await page.shows("ask")
        again = Window(s.rig, page)
        await page.paste(await again.link())
        await again.question()
        assert await again.answer(True) is True
        await page.shows(None)
        await page.tab.status(sync="live")
        profile = s.rig.engine.profile
        assert profile is not None
        core = (await profile.space(APP)).core
        await until(lambda: core.text("count") == "1")


async def test_a_window_that_closes_after_it_was_reached_is_no_reason_to_ask(s: Scene) -> None:
    """A window that reached the page closes by itself once all is in step: no link is asked for then."""
    rig = await with_profile(network=NativeNetwork())  # without a relay the copy is out of touch again
    apart = await Apart(rig).start()
    page = Page(apart)
    await page.tab.status(state="unregistered")
    await apart.connect(page.tab)
    apart.cut()
    await page.tab.status(sync="off")
    assert await page.tab.call("severed") is None
    assert page.strips == []
    await apart.partition.stop()
    await rig.engine.stop()


async def test_in_shared_mode_nothing_changes(s: Scene) -> None:
    """An app that reaches the store itself may say that its window is cut off: its request is met as ever."""
    tab = s.rig.app()
    await tab.status(state="unregistered")
    assert await tab.call("severed") is None
    session: Any = tab.session  # type: ignore[attr-defined]
    assert (await s.rig.engine.commands.request(session.nonce))["origin"] == APP
    await s.rig.engine.commands.answer(session.nonce, True)
    assert (await tab.status(state="ready"))["access"] == "shared"
    assert await tab.call("severed") is None
    assert await tab.call("increment", "n", 1) == 1


@pytest.mark.parametrize(
    "how", [(5, "0" * 32, APP), (STORE, "x", APP), (STORE, "0" * 32, "null"), (STORE, "0" * 32, "")]
)
async def test_what_a_page_must_say(s: Scene, how: tuple[Any, ...]) -> None:
    """No link is made without the store's address, a nonce, and an origin that may ask."""
    assert (await s.rig.page().call("offer_link", *how))[0] in ("InvalidValue", "ProtocolError")


async def test_a_page_makes_one_link_at_a_time(s: Scene) -> None:
    """A new link ends the one before it."""
    page, window = await s.severed()
    first = await window.link()
    second = await window.link()
    assert first != second
    await page.paste(first)
    assert await page.ends() == "PairingExpired"
    await page.paste(second)
    await window.question()
    assert secrets.compare_digest(first.partition("#")[0], second.partition("#")[0])


async def test_a_newer_window_goes_on_with_the_question(s: Scene) -> None:
    """A second click opens another window, and closes the first: the question that was asked is shown there."""
    page, first = await s.asked()
    second = Window(s.rig, page)
    [session] = [one for one in s.rig.engine.connected.pages if one._port is first.peer.port]
    s.rig.engine.page_gone(session)  # and not the last window about this request
    assert (await second.peer.call("request", second.nonce))["origin"] == APP
    assert await second.answer(True) is True
    await page.tab.status(state="ready")


# The document

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")


def test_the_documents_states_are_those_of_the_machines() -> None:
    """docs/protocol.md lists each state with what moves it on and how long it may last, as the code has it."""
    expected = []
    for side, name in ((Granting, "window"), (Requesting, "page")):
        for state, moves in side.moves.items():
            lasts_ms, error = side.limits[state]
            [(event, after)] = moves.items()
            expected.append([name, state, event, after, f"{lasts_ms // 1000} s", error().code])
    assert rows(TEXT, "| end | state | moved on by | to | lasts | then |") == expected


def test_the_documents_messages_are_those_of_the_code() -> None:
    """The table of messages has each kind's number, sender and size."""
    at = TEXT.index("## Enrolling a copy by a link")
    found = re.findall(
        r"^\| (\d) \| (\w+) \| (\w+) \|", TEXT[at : TEXT.index("## Devices of one space")], re.MULTILINE
    )
    assert found == [(str(wire.REQUEST), "REQUEST", "page"), (str(wire.GRANT), "GRANT", "window")]
    assert wire._SHAPES[wire.REQUEST] == ((wire.NEW,), wire.MINIMUM + 16, 65_536 + 16)
    assert wire._SHAPES[wire.GRANT][0] == (wire.OLD,)
