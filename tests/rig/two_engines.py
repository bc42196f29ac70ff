"""The engine and the one that the pages' tests pretend, each with what happens around it, for `test_ui_engine_fake`.

A scene is a list of steps, which are played in both. A tuple is a page's call; a sentence is what happens meanwhile,
and names a method here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import ui_rig
from engine_rig import Peer, Rig
from partition_rig import Apart
from patience import seconds
from relay_rig import relay
from shapes import Shape, shape, shape_of_error

from masq.errors import MasqError, from_wire, to_wire
from masq_store.core.errors import DamagedData, RelayUnreachable
from masq_store.core.profile.home_layout import DEVICE, REMOVED_MS, draw_identity, partition_value
from masq_store.core.relay.frames import Joined, Others
from masq_store.engine.relay.link import Lost, RoomEvent
from masq_store.engine.sync.room_sync import SpaceSync
from masq_store.native.websocket import NativeNetwork

NONCE = "ab" * 16
STORE = "https://store.example/"
PASSPHRASE = "of the file"
OVERVIEWS = (
    "overview", "create_profile", "switch_profile", "rename_profile", "delete_profile", "lock", "unlock",
    "change_passphrase", "set_stay_unlocked", "set_lock_minutes", "remind_later",
)  # fmt: skip
"""Calls that all return the same."""

PAIRINGS = ("pairing", "invite", "join", "confirm_code", "take", "end_pairing", "offer_link")
"""Likewise."""

Step = tuple[Any, ...] | str


@dataclass(frozen=True)
class Of:
    """Stands in a call for what the last answer of that kind had at `path`: a profile's id, say."""

    kind: str
    path: tuple[str | int, ...] = ()


def kind_of(method: str) -> str:
    """Return the name that a call's answers share with those of others."""
    return "overview" if method in OVERVIEWS else "pairing" if method in PAIRINGS else method


class World:
    """What both have in common: calls, and answers."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}  # the latest of each kind, and what else a later step needs

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return the answer, as it travels, or raise a MasqError."""
        raise NotImplementedError

    def events(self) -> list[list[Any]]:
        """Return what the page was told, without a question."""
        raise NotImplementedError

    async def answer(self, method: str, *arguments: Any) -> Shape:
        """Return the shape of what a call brings; each `Of` among the arguments is looked up first."""
        given = [self._found(each) if isinstance(each, Of) else each for each in arguments]
        try:
            found = await self.call(method, *given)
        except MasqError as error:
            return shape_of_error(error)
        self.answers[kind_of(method)] = found
        return shape(found)

    async def play(self, scene: list[Step]) -> list[Shape]:
        """Play a scene, and return the shape of each call's answer."""
        found = []
        for step in scene:
            if isinstance(step, str):
                await getattr(self, step.replace(" ", "_"))()
            else:
                found.append(await self.answer(*step))
        return found

    def _found(self, wanted: Of) -> Any:
        found = self.answers[wanted.kind]
        for step in wanted.path:
            found = found[step]
        return found


class Page(Peer):
    """A page of the store that tells errors from answers."""

    async def reply(self, number: int) -> Any:
        """Return the answer to call `number`. Raises its error."""

        def find(message: dict[str, Any]) -> Any:
            return next((reply for reply in message.get("replies", ()) if reply[0] == number), None)

        reply = await self.port.until(find)
        if len(reply) == 3:
            raise from_wire(reply[2])
        return reply[1]


class Real(World):
    """The engine, on CPython; with a relay and a second device where the scene has them."""

    def __init__(self, address: str, stop_relay: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
        super().__init__()
        self._address = address
        self._stop_relay = stop_relay
        self.rig = self._device("Firefox on Linux")
        self._other: Rig | None = None
        self._apart: Apart | None = None
        self._pages: list[Page] = []
        self._held: list[tuple[SpaceSync, RoomEvent]] = []  # what a relay has said, and is heard later
        self._holding = ExitStack()

    async def begin(self) -> None:
        """Start the engine and open a page."""
        await self.rig.start()
        self._turn_page()

    async def end(self) -> None:
        """Stop everything."""
        self._holding.close()
        if self._apart:
            await self._apart.partition.stop()
        for rig in (self._other, self.rig):
            if rig:
                await rig.engine.stop()
                assert rig.failures == []

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return the answer, as it travels, or raise a MasqError."""
        async with asyncio.timeout(seconds(20)):
            return await self._page.call(method, *arguments)

    def events(self) -> list[list[Any]]:
        """Return what the pages were told, without a question."""
        heard = [message for page in self._pages for message in page.port.heard]
        return [event for message in heard for event in message.get("events", ())]

    def _device(self, name: str) -> Rig:
        network = NativeNetwork() if self._address else None
        return Rig(name=name, network=network, relay=self._address)

    def _turn_page(self) -> None:
        self._page = Page()
        self._pages.append(self._page)
        self.rig.engine.page(self._page.port)

    async def _until(self, method: str, holds: Callable[[Any], Any], page: Any = None) -> Any:
        """Return a call's answer once `holds` of it (within 20 s)."""
        async with asyncio.timeout(seconds(20)):
            while True:
                found = await (page or self._page).call(method)
                if holds(found):
                    return found
                await asyncio.sleep(0.01)

    async def _is(self, state: str, page: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = await self._until(
            "pairing", lambda found: found and found["state"] == state, page
        )
        return found

    # What happens meanwhile --------------------------------------------------------------------------------

    async def an_app_asks(self) -> None:
        """An app that has opened this window asks for access."""
        self._tab = self.rig.app(ui_rig.ORIGIN, NONCE)

    async def the_app_saves_120_entries(self) -> None:
        """It does."""
        await self._tab.status(state="ready")
        await self._tab.call("update", [[f"k{n:03}", n] for n in range(120)])

    async def the_app_is_closed(self) -> None:
        """Nobody asks any more."""
        self.rig.engine.detach(self._tab.session)  # type: ignore[attr-defined]

    async def an_app_asks_from_apart(self) -> None:
        """The browser keeps the app apart from the store."""
        self._apart = await Apart(self.rig).start()
        self._tab = self._apart.app(ui_rig.ORIGIN, NONCE)
        self._apart.click(self._tab)

    async def the_profile_is_damaged(self) -> None:
        """What the active profile has on disk is, and the store starts again."""
        start = f"space/{self.answers['overview']['profile']['id']}/"
        stored = self.rig.backend.disk.stored
        for key in [key for key in stored if key.startswith(start)]:
            stored[key] = stored[key][:-1] + bytes([stored[key][-1] ^ 1])
        await self.rig.engine.stop()
        await self.rig.restart()
        self._turn_page()

    async def the_relay_is_reached(self) -> None:
        """All is on the relay, and it has told the time."""

        def live(seen: Any) -> bool:
            noted = all(device["seen_ms"] and device["clock_off_ms"] for device in seen["devices"])
            apps = all(app["sync"]["state"] == "live" for app in seen["apps"])
            return bool(seen["sync"]["last_ms"] and seen["sync"]["state"] == "live" and noted and apps)

        await self._until("overview", live)

    async def the_relay_goes_away(self) -> None:
        """It stops."""
        assert self._stop_relay
        await self._stop_relay()
        await self._until("overview", lambda seen: seen["sync"]["relay"]["problem"])

    async def the_link_can_be_used(self) -> None:
        """The room is joined."""
        self.answers["link"] = (await self._is("waiting"))["link"]

    async def the_whole_backup_is_sent(self) -> None:
        """Piece by piece, under the name that `begin_file` gave."""
        await self.call("file_piece", self.answers["begin_file"], self.answers["backup_piece"])

    async def another_device_uses_the_link(self) -> None:
        """It shows six digits."""
        self._other = await self._device("Telephone").start()
        self._there = self._other.page()
        await self._there.call("join", self.answers["link"])
        self.answers["digits"] = (await self._is("show-code", self._there))["code"]
        await self._is("ask-code")

    async def the_other_device_asks_its_person(self) -> None:
        """The digits were right."""
        await self._is("ask-take", self._there)
        await self._is("given")

    async def the_other_device_says_yes(self) -> None:
        """It is added."""
        await self._there.call("take", "Telephone", "", True)
        await self._is("done")

    async def another_device_invites(self) -> None:
        """It holds Ann's profile with an app, and shows a link."""
        self._other = await self._device("Telephone").start()
        tab = await self._other.approved(ui_rig.ORIGIN)
        await tab.call("set", "k000", 0)
        self._there = self._other.page()
        await self._there.call("invite", STORE)
        self.answers["link"] = (await self._is("waiting", self._there))["link"]

    async def the_digits_are_shown(self) -> None:
        """Here."""
        await self._is("show-code")
        await self._is("ask-code", self._there)

    async def the_digits_are_typed(self) -> None:
        """On the other device."""
        await self._there.call("confirm_code", self.answers["pairing"]["code"])
        await self._is("ask-take")

    async def copying_will_take_a_while(self) -> None:
        """What the relay says of apps is heard late."""
        engine, hear = self.rig.engine, SpaceSync.hear

        def hold(sync: SpaceSync, event: RoomEvent) -> None:
            profile = engine.profile if sync._writer is engine.writer else None
            if profile and sync.space is not profile.home and not isinstance(event, Joined | Others | Lost):
                self._held.append((sync, event))
            else:
                hear(sync, event)

        self._holding.enter_context(patch.object(SpaceSync, "hear", hold))

    async def the_profile_is_being_copied(self) -> None:
        """As far as it gets."""
        await self._is("copying")
        await self._until("overview", lambda seen: seen["sync"]["copying"])

    async def the_profile_is_here(self) -> None:
        """The copy is complete."""
        self._holding.close()
        for sync, event in self._held:
            sync.hear(event)
        await self._is("done")
        await self._until("overview", lambda seen: len(seen["devices"]) == 2)

    async def the_other_device_removes_this_one(self) -> None:
        """So it asks."""
        own = self.rig.engine.parts.devices.own
        assert own is not None
        await self._until(
            "overview", lambda seen: own.id in [device["id"] for device in seen["devices"]], self._there
        )
        assert await self._there.call("remove_device", own.id) is None
        await self._until("overview", lambda seen: seen["removed"] and not seen["profile"]["locked"])

    async def the_other_device_erases_the_app(self) -> None:
        """Here it goes into the trash."""
        assert await self._there.call("withdraw", ui_rig.ORIGIN, True) is None
        await self._until("overview", lambda seen: seen["trash"])

    async def nobody_decides_for_30_days(self) -> None:
        """So the profile goes."""
        self.rig.now += REMOVED_MS
        await self.rig.engine.parts.expiry.look()

    async def a_browser_that_is_not_known_has_a_copy(self) -> None:
        """Its device has left the list."""
        profile = self.rig.engine.profile
        assert profile is not None
        identity, _private = await draw_identity(self.rig.crypto)
        value = partition_value("Counter", identity, self.rig.now, ui_rig.ORIGIN, "00" * 8)
        await profile.write_home([(DEVICE + identity.id, value)], self.rig.now)

    async def the_apps_page_uses_the_link(self) -> None:
        """It is one whose window cannot reach it."""
        self._apart = await Apart(self.rig).start()
        self._tab = self._apart.app(ui_rig.ORIGIN, NONCE)
        await self._tab.call("severed")
        await self._apart.partition.paste(self._tab.session, self.answers["link"])  # type: ignore[attr-defined]
        await self._is("asking")

    async def the_link_has_done_its_work(self) -> None:
        """The page has its copy."""
        await self._tab.status(state="ready")


class Fake(World):
    """The engine that the pages' tests pretend."""

    def __init__(self, engine: Any = None) -> None:
        super().__init__()
        self.engine = engine or ui_rig.Engine()
        self._told: list[list[Any]] = []
        self.engine.on_event = self._told.append

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return the answer, as it would travel, or raise a MasqError."""
        return json.loads(json.dumps(await self.engine.call(method, *arguments)))

    def events(self) -> list[list[Any]]:
        """Return what the page was told, without a question."""
        return self._told

    # What happens meanwhile --------------------------------------------------------------------------------

    async def an_app_asks(self) -> None:
        """An app that has opened this window asks for access."""
        self.engine.asked = ui_rig.ABOUT

    async def the_app_saves_120_entries(self) -> None:
        """They are there from the beginning."""

    async def the_app_is_closed(self) -> None:
        """Nobody asks any more."""
        self.engine.asked = None

    async def an_app_asks_from_apart(self) -> None:
        """The browser keeps the app apart from the store."""
        self.engine.asked = ui_rig.ABOUT | {"apart": True}
        self.engine.copies = [ui_rig.COPY]

    async def the_profile_is_damaged(self) -> None:
        """What the active profile has on disk is, and the store starts again."""
        self.engine.active |= {"locked": True, "failed": to_wire(DamagedData("the home space"))}

    async def the_relay_is_reached(self) -> None:
        """All is on the relay, and it has told the time."""
        self.engine.sync |= {"last_ms": 1, "clock_off_ms": 1}
        self.engine.app_sync |= {"last_ms": 1}
        self.engine.devices = [one | {"seen_ms": 1, "clock_off_ms": 1} for one in self.engine.devices]

    async def the_relay_goes_away(self) -> None:
        """It stops."""
        problem = to_wire(RelayUnreachable())
        self.engine.sync |= {"state": "offline", "relay": ui_rig.a_relay(ui_rig.RELAY, problem=problem)}

    async def the_link_can_be_used(self) -> None:
        """The fake's can at once."""

    async def the_whole_backup_is_sent(self) -> None:
        """Piece by piece, under the name that `begin_file` gave."""
        self.engine.files["sent"] = ui_rig.BACKUP

    async def another_device_uses_the_link(self) -> None:
        """It shows six digits."""
        self.engine.pairs("ask-code")
        self.answers["digits"] = "123456"

    async def the_other_device_asks_its_person(self) -> None:
        """The digits were right."""
        self.engine.pairs("given")

    async def the_other_device_says_yes(self) -> None:
        """It is added."""
        self.engine.devices = [*self.engine.devices, ui_rig.PHONE]
        self.engine.pairs("done", device="Telephone")

    async def another_device_invites(self) -> None:
        """It holds Ann's profile with an app, and shows a link."""
        self.answers["link"] = ui_rig.LINK

    async def the_digits_are_shown(self) -> None:
        """Here."""
        self.engine.pairs("show-code", code="123456")

    async def the_digits_are_typed(self) -> None:
        """On the other device."""
        self.engine.pairs("ask-take", profile="Ann")

    async def copying_will_take_a_while(self) -> None:
        """It does so in any case."""

    async def the_profile_is_being_copied(self) -> None:
        """As far as it gets."""
        self.engine.create_profile("Ann", "", True)
        self.engine.active["apps"] = [ui_rig.COUNTER]
        self.engine.sync |= {"copying": {"done": 1, "of": 2}}
        self.engine.pairs("copying")

    async def the_profile_is_here(self) -> None:
        """The copy is complete."""
        self.engine.sync |= {"copying": None}
        self.engine.devices = [ui_rig.HERE, ui_rig.PHONE]
        self.engine.pairs("done")

    async def the_other_device_removes_this_one(self) -> None:
        """So it asks."""
        self.engine.devices, self.engine.sync = [ui_rig.PHONE], ui_rig.sync_status.OFF
        self.engine.sync |= {"relay": ui_rig.a_relay(ui_rig.RELAY)}
        self.engine.app_sync = ui_rig.sync_status.APP_OFF
        self.engine.removed = ui_rig.REMOVED

    async def the_other_device_erases_the_app(self) -> None:
        """Here it goes into the trash."""
        self.engine.active["apps"] = []
        self.engine.trash = [ui_rig.TRASHED]

    async def nobody_decides_for_30_days(self) -> None:
        """So the profile goes."""
        self.engine.delete_profile(self.engine.active["id"])
        self.engine.removed = ui_rig.REMOVED | {"state": "erased", "until_ms": None}

    async def a_browser_that_is_not_known_has_a_copy(self) -> None:
        """Its device has left the list."""
        self.engine.copies = [*self.engine.copies, ui_rig.FAR_COPY | {"device": None}]

    async def the_apps_page_uses_the_link(self) -> None:
        """It is one whose window cannot reach it."""
        self.engine.asked = ui_rig.ABOUT | {"apart": True, "linked": True}
        self.engine.copies = [ui_rig.COPY]
        self.engine.pairs("asking")

    async def the_link_has_done_its_work(self) -> None:
        """The page has its copy."""
        self.engine.pairs("done")


@asynccontextmanager
async def the_real(folder: Path) -> AsyncIterator[Real]:
    """Return the engine, with a relay that it may use."""
    async with relay(folder) as running:
        real = Real(f"ws://127.0.0.1:{running.port}/", running.relay.stop)
        await real.begin()
        try:
            yield real
        finally:
            await real.end()
