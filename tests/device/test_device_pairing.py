"""Two devices of one person pair at a real relay: the good way, and each way in which it ends.

Whatever happens, both sides come to an end with a sentence, nothing of a profile stays where it was not taken, and
neither waits for ever. The engines' clocks stand still until a test moves them; the relay's time is the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asynchronous import until
from engine_rig import APP, Rig
from patience import seconds
from relay_rig import Running, relay

from masq.errors import QuotaExceeded
from masq_store.core.pairing.link import read_link
from masq_store.core.pairing.machine import GONE_MS, LINK_MS, PERSON_MS, meet
from masq_store.core.profile.home_layout import REMOVED_MS
from masq_store.engine.pairing import meeting as encounter
from masq_store.native.crypto import NativeCrypto
from masq_store.native.websocket import NativeNetwork

pytestmark = pytest.mark.real_time

STORE = "http://store.localhost:8000/"


class Person:
    """Somebody at a page of one device's store."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.page = rig.page()

    async def call(self, *call: Any) -> Any:
        """Call the page's method; the result, or the error as [code, sentence, fields]."""
        return await asyncio.wait_for(self.page.call(*call), seconds(20))

    async def sees(self, state: str) -> dict[str, Any]:
        """Return the pairing once it is in that state (within 20 s); a page hears of each change."""
        async with asyncio.timeout(seconds(20)):
            while True:
                told = len(self.page.port.heard)
                found = await self.page.call("pairing")
                if found and found["state"] == state:
                    return found
                assert not found or found["state"] not in ("done", "ended"), found
                while not any(["pairing"] in m.get("events", []) for m in self.page.port.heard[told:]):
                    await self.page.port.news()

    async def error(self) -> str:
        """Return the code of the error with which the pairing has ended; its sentence must be one."""
        found = await self.sees("ended")
        code, sentence, _ = found["error"]
        assert sentence[0].isupper() and sentence.endswith(".")
        assert found["link"] is None and found["code"] is None
        return code

    async def profiles(self) -> list[str]:
        """Return the names of the profiles on the device."""
        return [profile["name"] for profile in (await self.call("overview"))["profiles"]]

    async def devices(self) -> list[str]:
        """Return the names of the profile's devices, this one first."""
        return [device["name"] for device in (await self.call("overview"))["devices"]]

    async def lists(self, *names: str) -> None:
        """Return once these are the profile's devices, this one first (within 20 s): the sync brings the others."""
        async with asyncio.timeout(seconds(20)):
            while await self.devices() != list(names):
                await asyncio.sleep(0.01)


class Scene:
    """A relay, an old device with Ann's profile, and a new one without any."""

    def __init__(self, running: Running, old: Person, new: Person) -> None:
        self.running, self.old, self.new = running, old, new

    def pass_ms(self, ms: int) -> None:
        """Let the time pass on both devices."""
        self.old.rig.now += ms
        self.new.rig.now += ms

    async def invited(self) -> str:
        """Return a link that the old device shows."""
        assert (await self.old.call("invite", STORE))["state"] in ("connecting", "waiting")
        return (await self.old.sees("waiting"))["link"]

    async def met(self) -> str:
        """Go as far as to the digits, and return them."""
        assert (await self.new.call("join", await self.invited()))["role"] == "new"
        await self.old.sees("ask-code")
        return (await self.new.sees("show-code"))["code"]

    async def offered(self) -> None:
        """Go as far as to the question whether to take the profile."""
        await self.old.call("confirm_code", await self.met())
        assert (await self.new.sees("ask-take"))["profile"] == "Ann"
        await self.old.sees("given")

    async def nothing_came(self) -> None:
        """Check that the new device has nothing, and the old one lists nobody else."""
        assert await self.new.profiles() == []
        stored = self.new.rig.backend.disk.stored
        assert [key for key in stored if key not in ("schema", "generation")] == []
        assert await self.old.devices() == ["Firefox on Linux"]


@asynccontextmanager
async def scene(folder: Path, **limits: Any) -> AsyncIterator[Scene]:
    """Set the scene."""
    async with relay(folder, **limits) as running:
        address = f"ws://127.0.0.1:{running.port}/"
        rigs = [
            await Rig(name=name, network=NativeNetwork(), relay=address).start()
            for name in ("Firefox on Linux", "Chrome on Android")
        ]
        old, new = (Person(rig) for rig in rigs)
        assert "profile" in await old.call("create_profile", "Ann", "", True)
        try:
            yield Scene(running, old, new)
        finally:
            for rig in rigs:
                await rig.engine.stop()


def kept(person: Person) -> set[str]:
    """Return the ids of the profiles of which the disk holds anything."""
    return {key.split("/")[1] for key in person.rig.backend.disk.stored if "/" in key}


@pytest.fixture
def s(tmp_path: Path) -> AbstractAsyncContextManager[Scene]:
    """The scene, set when the test begins."""
    return scene(tmp_path)


# The good way


async def test_a_device_is_added(s: Scene) -> None:
    """Link, six digits, yes: the new device holds the profile and its secret, and the old one lists it by its name."""
    await s.offered()
    assert (await s.new.call("pairing"))["name"] == "Chrome on Android"
    await s.new.call("take", " My  phone ", "", True)
    assert (await s.new.sees("done"))["error"] is None
    assert (await s.old.sees("done"))["device"] == "My phone"
    assert await s.old.devices() == ["Firefox on Linux", "My phone"]
    await s.new.lists("My phone", "Firefox on Linux")
    mine, theirs = (person.rig.engine.profile for person in (s.old, s.new))
    assert mine is not None and theirs is not None
    assert (theirs.name, theirs.home_secret) == ("Ann", mine.home_secret)
    assert theirs.root != mine.root and theirs.id != mine.id
    listed = mine.home_value(f"device/{theirs.secrets.identity.id}")  # type: ignore[union-attr]
    assert listed["identity"] == theirs.secrets.identity.public.hex()  # type: ignore[union-attr]
    assert await s.new.call("end_pairing") is None
    assert await s.old.call("end_pairing") is None


async def test_the_new_device_sets_its_own_passphrase(s: Scene) -> None:
    """What opens the profile there is chosen there; a profile that was open there stays beside it."""
    await s.new.call("create_profile", "Work", "", True)
    await s.offered()
    await s.new.call("take", "Phone", "correct horse", False)
    await s.new.sees("done")
    seen = await s.new.call("lock")
    assert seen["profile"]["name"] == "Ann" and seen["profile"]["locked"]
    assert (await s.new.call("unlock", "wrong", False))[0] == "WrongPassphrase"
    assert (await s.new.call("unlock", "correct horse", False))["profile"]["locked"] is False
    assert await s.new.profiles() == ["Work", "Ann"]


async def test_the_link_names_a_relay_that_is_not_the_stores_own(s: Scene) -> None:
    """The new device meets the old one there, and its profile goes on with that relay."""
    address = s.old.rig.engine.parts.devices.default_relay
    s.old.rig.engine.parts.devices.default_relay = s.new.rig.engine.parts.devices.default_relay = (
        "ws://127.0.0.1:1/"
    )
    await s.old.call("set_relay", address)
    await s.offered()
    await s.new.call("take", "Phone", "", True)
    await s.new.sees("done")
    seen = (await s.new.call("overview"))["sync"]["relay"]
    assert (seen["url"], seen["own"]) == (address, address)


async def test_the_store_own_relay_is_not_named(s: Scene) -> None:
    """A link is as short as can be, has no other fragment, and says until when it is good."""
    await s.old.call("invite", STORE + "#/devices")
    found = await s.old.sees("waiting")
    assert found["link"].startswith(STORE + "#pair=") and len(found["link"]) == len(STORE) + 6 + 22
    assert found["until_ms"] == s.old.rig.now + LINK_MS
    assert read_link(found["link"]).relay is None


async def test_digits_as_people_type_them(s: Scene) -> None:
    """Spaces do no harm, what are not six digits costs no try and is said, and a second click neither."""
    code = await s.met()
    assert (await s.old.call("confirm_code", "12"))["again"] is True
    assert (await s.old.call("confirm_code", 12))[0] == "InvalidValue"
    await s.old.page.calls(("confirm_code", f" {code[:3]} {code[3:]} "), ("confirm_code", code))
    await s.new.sees("ask-take")


# Every other end


async def test_a_wrong_code(s: Scene) -> None:
    """One wrong try ends it on both devices."""
    code = await s.met()
    await s.old.call("confirm_code", f"{(int(code) + 1) % 10**6:06}")
    assert (await s.old.error(), await s.new.error()) == ("WrongPairingCode", "WrongPairingCode")
    await s.nothing_came()


@pytest.mark.parametrize("who", ["old", "new"])
@pytest.mark.parametrize("when", ["met", "offered"])
@pytest.mark.parametrize("how", ["refused", "closed"])
async def test_a_refusal_on_either_device(s: Scene, who: str, when: str, how: str) -> None:
    """No, or the page closed, on one device: both end, and each says where."""
    await (s.met() if when == "met" else s.offered())
    one, other = (s.old, s.new) if who == "old" else (s.new, s.old)
    if how == "refused":
        await one.call("end_pairing")
        assert await one.error() == "PairingRefused"
        assert (await one.call("pairing"))["error"][2] == {"where": "here"}
    else:
        (session,) = one.rig.engine.connected.pages
        one.rig.engine.page_gone(session)
    assert await other.error() == "PairingRefused"
    assert (await other.call("pairing"))["error"][2] == {"where": "there"}
    one.page = one.rig.page()
    await s.nothing_came()


async def test_a_link_that_nobody_uses(s: Scene) -> None:
    """After ten minutes it is over, and who comes then hears why."""
    link = await s.invited()
    s.pass_ms(LINK_MS)
    assert await s.old.error() == "PairingExpired"
    await s.new.call("join", link)
    assert await s.new.error() == "PairingExpired"
    await s.nothing_came()


@pytest.mark.parametrize("when", ["met", "offered"])
async def test_somebody_takes_too_long(s: Scene, when: str) -> None:
    """The digits are not typed, or the question is not answered, for ten minutes: both end."""
    await (s.met() if when == "met" else s.offered())
    s.pass_ms(PERSON_MS)
    assert (await s.old.error(), await s.new.error()) == ("PairingExpired", "PairingExpired")
    await s.nothing_came()


@pytest.mark.parametrize("when", ["met", "offered"])
async def test_a_link_that_a_second_device_uses(s: Scene, when: str) -> None:
    """All three end: somebody else has the link."""
    link = await s.invited()
    await s.new.call("join", link)
    await s.old.sees("ask-code")
    if when == "offered":
        await s.old.call("confirm_code", (await s.new.sees("show-code"))["code"])
        await s.new.sees("ask-take")
    rig = await Rig(network=NativeNetwork(), relay=s.new.rig.relay).start()
    third = Person(rig)
    await third.call("join", link)
    assert await third.error() == "PairingUsedTwice"
    assert (await s.old.error(), await s.new.error()) == ("PairingUsedTwice", "PairingUsedTwice")
    await s.nothing_came()
    assert await third.profiles() == []
    await rig.engine.stop()


async def test_a_link_that_was_used_before(s: Scene) -> None:
    """It has served its purpose: whoever opens it later gets nothing, and the two devices keep what they have."""
    link = await s.invited()
    await s.new.call("join", link)
    await s.old.sees("ask-code")
    await s.old.call("confirm_code", (await s.new.sees("show-code"))["code"])
    await s.new.sees("ask-take")
    await s.new.call("take", "Phone", "", True)
    await s.new.sees("done")
    await s.old.sees("done")
    rig = await Rig(network=NativeNetwork(), relay=s.new.rig.relay).start()
    third = Person(rig)
    await third.call("join", link)
    assert await third.error() == "PairingUsedTwice"
    assert await s.old.devices() == ["Firefox on Linux", "Phone"]
    assert (await s.old.call("pairing"))["state"] == "done"
    await rig.engine.stop()


@pytest.mark.parametrize("when", ["met", "offered", "agreed"])
async def test_the_relay_goes_midway(s: Scene, when: str) -> None:
    """Gone for a minute, it ends both; the new device says so where the old one may list it already."""
    await (s.met() if when == "met" else s.offered())
    await s.running.relay.stop()
    links = [rig.engine.relays._links.values() for rig in (s.old.rig, s.new.rig)]  # type: ignore[union-attr]
    await until(lambda: not [x for each in links for x in each if x.state == "open"], "the relay is missed")
    if when == "agreed":
        await s.new.call("take", "Phone", "", True)
        await s.new.sees("agreed")
    s.pass_ms(GONE_MS)
    assert (await s.old.error(), await s.new.error()) == ("PairingOffline", "PairingOffline")
    assert (await s.new.call("pairing"))["error"][2] == {"maybe_listed": when == "agreed"}
    await s.nothing_came()


@pytest.mark.parametrize(
    "when", ["before the link is used", "before the code", "after the code", "after the yes"]
)
async def test_the_relay_is_away_for_a_moment(s: Scene, when: str) -> None:
    """Every connection breaks, and whatever was said meanwhile is said again: the pairing goes its way."""

    def break_all(now: str) -> None:
        for rig in (s.old.rig, s.new.rig) if now == when else ():
            for link in rig.engine.relays._links.values():  # type: ignore[union-attr]
                link._connection.end("a test broke it")  # type: ignore[union-attr]

    link = await s.invited()
    break_all("before the link is used")
    await s.new.call("join", link)
    await s.old.sees("ask-code")
    code = (await s.new.sees("show-code"))["code"]
    break_all("before the code")
    await s.old.call("confirm_code", code)
    break_all("after the code")
    await s.new.sees("ask-take")
    await s.new.call("take", "Phone", "", True)
    break_all("after the yes")
    await s.new.sees("done")
    await s.old.sees("done")
    assert await s.old.devices() == ["Firefox on Linux", "Phone"]


async def test_a_device_whose_worker_is_killed(s: Scene) -> None:
    """Its connection ends without a word: the other device says after a minute that it is gone."""
    await s.offered()
    s.new.rig.engine.relays.close()  # type: ignore[union-attr]
    async with asyncio.timeout(seconds(20)):
        while (await s.old.call("pairing"))["state"] != "ended":
            s.pass_ms(GONE_MS // 4)
            await asyncio.sleep(0.3)
    assert await s.old.error() == "PairingGone"
    await s.new.rig.restart()
    s.new.page = s.new.rig.page()
    assert await s.new.call("pairing") is None
    await s.nothing_came()


@pytest.mark.parametrize("kill", range(1, 9))
async def test_a_device_that_is_killed_while_it_takes_the_profile(s: Scene, kill: int) -> None:
    """Whenever it dies, it has the whole profile afterwards, listed and with its own identity, or none of it."""
    await s.offered()
    rig = s.new.rig
    real, writes = rig.backend.write, 0

    async def write(puts: Any, drops: Any = ()) -> None:
        nonlocal writes
        writes += 1
        if writes >= kill:
            await asyncio.Event().wait()  # for ever: the process is gone
        await real(puts, drops)

    rig.backend.write = write  # type: ignore[method-assign]
    await s.new.call("take", "Phone", "", True)
    assert (await s.old.sees("done"))["device"] == "Phone"
    async with asyncio.timeout(seconds(20)):
        while writes < kill and (await s.new.call("pairing"))["state"] != "done":
            await asyncio.sleep(0.01)
    rig.engine.relays.close()  # type: ignore[union-attr]
    await rig.restart()
    s.new.page = rig.page()
    if kill == 1:
        assert await s.new.profiles() == []
        stored = rig.backend.disk.stored
        assert [key for key in stored if key not in ("schema", "generation")] == []
    else:
        await s.new.lists("Phone", "Firefox on Linux")
        mine, theirs = s.old.rig.engine.profile, rig.engine.profile
        assert mine is not None and theirs is not None and theirs.home_secret == mine.home_secret
        listed = [d["id"] for d in (await s.old.call("overview"))["devices"]]
        assert (await s.new.call("overview"))["devices"][0]["id"] in listed


async def test_no_room_on_the_new_device(s: Scene) -> None:
    """The profile does not fit: nothing of it stays, the one before is open, and the sentence says what is listed."""
    await s.new.call("create_profile", "Work", "", True)
    before = kept(s.new)
    await s.offered()
    real = s.new.rig.backend.write

    async def write(puts: Any, drops: Any = ()) -> None:
        if any("/checkpoint/" in key for key, _ in puts):  # the record went through, the home space does not
            raise QuotaExceeded("this device's storage is full", 1)
        await real(puts, drops)

    s.new.rig.backend.write = write  # type: ignore[method-assign]
    await s.new.call("take", "Phone", "", True)
    assert await s.new.error() == "ProfileNotKept"
    sentence = (await s.new.call("pairing"))["error"][1]
    assert "storage is full" in sentence and "remove it there" in sentence
    assert await s.new.profiles() == ["Work"]
    assert kept(s.new) == before
    assert (await s.new.call("overview"))["profile"]["locked"] is False


async def test_a_browser_that_keeps_no_key_asks_for_a_passphrase_first(s: Scene) -> None:
    """Before the old device hears of the yes; with a passphrase it goes on. A name that cannot be one likewise."""
    await s.offered()

    async def none() -> None:
        return None

    s.new.rig.crypto.device_key = none  # type: ignore[method-assign]
    assert (await s.new.call("take", "Phone", "", True))[0] == "StorageUnavailable"
    assert (await s.new.call("take", " ", "secret", False))[0] == "InvalidValue"
    assert (await s.new.call("take", "Phone", None, False))[0] == "InvalidValue"
    assert (await s.new.call("pairing"))["state"] == "ask-take"
    await s.new.call("take", "Phone", "secret", True)
    await s.new.sees("done")


async def test_a_second_click_on_yes(s: Scene) -> None:
    """It changes nothing: the device is listed once, under the identity that it keeps."""
    await s.offered()
    quick = s.new.rig.crypto.x25519_public

    async def slow(private: bytes) -> bytes:
        await asyncio.sleep(0.01)  # as in a browser, where both clicks are at work at once
        return await quick(private)

    s.new.rig.crypto.x25519_public = slow  # type: ignore[method-assign]
    await s.new.page.calls(*2 * [("take", "Phone", "", True)])
    await s.new.sees("done")
    await s.old.sees("done")
    own = (await s.new.call("overview"))["devices"][0]["id"]
    assert own == (await s.old.call("overview"))["devices"][1]["id"]


async def test_a_no_without_the_relay(s: Scene) -> None:
    """The device that said no has ended at once, and the other one hears of it when both have the relay again."""
    await s.offered()
    (link,) = s.old.rig.engine.relays._links.values()  # type: ignore[union-attr]
    link._connection.end("a test broke it")  # type: ignore[union-attr]
    await s.old.call("end_pairing")
    assert await s.old.error() == "PairingRefused"
    assert await s.new.error() == "PairingRefused"


async def test_a_page_that_closes_after_the_yes(s: Scene) -> None:
    """The person has agreed on both devices: it comes to its end without the page."""
    await s.offered()
    (session,) = s.new.rig.engine.connected.pages
    await s.new.call("take", "Phone", "", True)
    s.new.rig.engine.page_gone(session)
    await s.old.sees("done")
    s.new.page = s.new.rig.page()
    async with asyncio.timeout(seconds(20)):
        while await s.new.profiles() != ["Ann"]:
            await asyncio.sleep(0.01)
    await s.new.lists("Phone", "Firefox on Linux")


async def test_two_links_at_once(s: Scene) -> None:
    """Two pages of one store add two devices side by side; each gets what is its own."""
    rig = await Rig(name="Safari on Mac", network=NativeNetwork(), relay=s.new.rig.relay).start()
    second_page, third = Person(s.old.rig), Person(rig)
    first_link = await s.invited()
    await second_page.call("invite", STORE)
    second_link = (await second_page.sees("waiting"))["link"]
    assert first_link != second_link
    await s.new.call("join", second_link)
    await third.call("join", first_link)
    await second_page.sees("ask-code")
    await s.old.sees("ask-code")
    await second_page.call("confirm_code", (await s.new.sees("show-code"))["code"])
    await s.old.call("confirm_code", (await third.sees("show-code"))["code"])
    for person, name in ((s.new, "Phone"), (third, "Mac")):
        await person.sees("ask-take")
        await person.call("take", name, "", True)
        await person.sees("done")
    assert (await s.old.sees("done"))["device"] == "Mac"
    assert (await second_page.sees("done"))["device"] == "Phone"
    assert sorted(await s.old.devices()) == ["Firefox on Linux", "Mac", "Phone"]
    await rig.engine.stop()


async def test_a_new_link_ends_the_one_before(s: Scene) -> None:
    """One page has one pairing: who holds the old link is told, and the new one works."""
    await s.met()
    link = await s.invited()
    assert await s.new.error() == "PairingRefused"
    await s.new.call("join", link)
    await s.new.sees("show-code")
    await s.old.sees("ask-code")


async def test_a_link_opened_on_the_device_that_made_it(s: Scene) -> None:
    """It is refused with what to do instead, and stays good; likewise in a second page of the new device."""
    link = await s.invited()
    code, _, fields = await Person(s.old.rig).call("join", link)
    assert (code, fields) == ("PairingHere", {"role": "old"})
    await s.new.call("join", link)
    await s.new.sees("show-code")
    code, _, fields = await Person(s.new.rig).call("join", link)
    assert (code, fields) == ("PairingHere", {"role": "new"})
    assert (await s.new.call("pairing"))["state"] == "show-code"
    await s.old.sees("ask-code")


async def test_a_profile_that_the_device_has_already(s: Scene) -> None:
    """It is not brought a second time; both devices are told."""
    await s.offered()
    await s.new.call("take", "Phone", "", True)
    await s.new.sees("done")
    await s.old.sees("done")
    await s.old.call("confirm_code", await s.met())
    assert await s.new.error() == "ProfileHere"
    assert await s.old.error() == "PairingRefused"
    assert await s.new.profiles() == ["Ann"]


async def test_a_profile_that_closes_ends_its_links(s: Scene) -> None:
    """Locked or left for another one, it is not given away any more."""
    await s.met()
    await s.old.call("create_profile", "Bob", "", True)
    assert (await s.old.error(), await s.new.error()) == ("PairingRefused", "PairingRefused")
    assert await s.new.profiles() == []


async def test_no_relay(s: Scene) -> None:
    """Without one, with one that does not answer, or without a network: each says so within its time."""
    link = await s.invited()
    await s.old.call("end_pairing")
    await s.old.call("set_relay", "")
    assert (await s.old.call("invite", STORE))[0] == "NoRelay"
    await s.old.call("set_relay", "ws://127.0.0.1:1/")
    assert (await s.old.call("invite", STORE))["state"] == "connecting"
    s.pass_ms(encounter.CONNECT_MS)
    assert await s.old.error() == "PairingOffline"
    bare = await Rig().start()
    assert (await bare.page().call("join", link))[0] == "NoRelay"


async def test_what_is_no_link(s: Scene) -> None:
    """It is refused at once, and whatever a page calls out of turn too."""
    for link in (
        "",
        "hello",
        STORE,
        STORE + "#pair=abc",
        None,
        STORE + "#pair=" + "A" * 22 + "&relay=http://x",
    ):
        assert (await s.new.call("join", link))[0] == "BadPairingLink"
    for store in (None, 5, "x" * 5000):
        assert (await s.old.call("invite", store))[0] == "InvalidValue"
    assert await s.new.call("pairing") is None and await s.new.call("end_pairing") is None
    assert (await s.new.call("take", "Phone", "", True))[0] == "ProtocolError"
    assert (await s.old.call("confirm_code", "123456"))[0] == "ProtocolError"
    await s.invited()
    assert (await s.old.call("confirm_code", "123456"))[0] == "ProtocolError"
    assert (await s.old.call("take", "Phone", "", True))[0] == "ProtocolError"


async def test_a_relay_that_refuses(tmp_path: Path) -> None:
    """It has as many in this room as it takes: the pairing ends with the relay's own words."""
    async with scene(tmp_path, members=2) as s:
        link = await s.invited()
        secret = read_link(link).secret
        meeting = await meet(NativeCrypto(), secret)
        stranger = await s.running.client()
        code = await stranger.join(room=meeting.room, token=meeting.token)
        assert code[0] == "JOINED"
        await s.new.call("join", link)
        assert await s.new.error() == "PairingNotServed"


async def test_what_somebody_else_says_in_the_room(s: Scene) -> None:
    """Whoever posts there without the link's secret ends the pairing, and gets nothing."""
    link = await s.invited()
    meeting = await meet(NativeCrypto(), read_link(link).secret)
    stranger = await s.running.client()
    await stranger.join(room=meeting.room, token=meeting.token)
    stranger.post(bytes(64))
    assert await s.old.error() == "PairingBroken"
    await s.new.call("join", link)
    assert await s.new.error() in ("PairingBroken", "PairingUsedTwice")
    await s.nothing_came()


async def test_nothing_of_a_pairing_goes_on_after_its_end(s: Scene) -> None:
    """Once both have ended, neither is in the room, and no work is left behind."""
    await s.met()
    await s.new.call("end_pairing")
    await s.old.error()
    for rig in (s.old.rig, s.new.rig):
        await until(lambda rig=rig: not rig.engine.parts.pairings._running, "the pairing is left")  # noqa: B023
        await until(lambda rig=rig: not rig.engine.tasks, "no work is left")  # noqa: B023
    assert (await s.old.rig.approved(APP)).port is not None


# And afterwards


async def test_what_one_device_decides_the_other_hears(s: Scene) -> None:
    """Paired, both follow: an app approved on one is ready on the other, a new name is seen, a removal asks."""
    await s.offered()
    await s.new.call("take", "Phone", "", True)
    await s.new.sees("done")
    await s.new.lists("Phone", "Firefox on Linux")
    tab = s.new.rig.app(APP)
    first = await s.old.rig.approved(APP)
    assert await first.call("set", "k", "hello") is None
    await tab.status(state="ready", devices=2)
    async with asyncio.timeout(seconds(20)):
        while await tab.call("get", "k") != ["hello"]:
            await asyncio.sleep(0.01)
    phone = (await s.new.call("overview"))["devices"][0]["id"]
    await s.old.call("rename_device", phone, "Old phone")
    await s.new.lists("Old phone", "Firefox on Linux")
    await s.old.call("remove_device", phone)
    await tab.status(state="locked")
    removed = {"profile": "Ann", "state": "ask", "until_ms": s.new.rig.now + REMOVED_MS}
    assert (await s.new.call("overview"))["removed"] == removed
    assert (await s.new.profiles()) != []
    mine = (await s.new.call("overview"))["profile"]["id"]
    await s.new.call("delete_profile", mine)
    assert [key for key in s.new.rig.backend.disk.stored if "/" in key] == []
    assert await s.old.devices() == ["Firefox on Linux"]
    await first.status(devices=1)
    assert await first.call("get", "k") == ["hello"]
