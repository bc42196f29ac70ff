"""The store's side of enrolment: partitions at the other ends of ports, and what the person lets them have.

What a partition is granted is one app's space, and never more: the secrets of that space and of its roster.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from masq.errors import MasqError, ProtocolError
from masq.messages import JsonObject
from masq_store.core.enrolment import messages as wire
from masq_store.core.pages.schema import OtherData
from masq_store.core.profile.home_layout import identity_of
from masq_store.core.space.space_ref import SpaceRef
from masq_store.engine.enrolment.port_line import PortLine
from masq_store.engine.ports import Port
from masq_store.engine.profile.profile import Profile
from masq_store.engine.sessions.access_requests import Requests
from masq_store.engine.store.active_profile import ActiveProfile, Follower
from masq_store.engine.store.app_access import AppAccess
from masq_store.engine.store.connected import Page
from masq_store.engine.store.device_list import DeviceList
from masq_store.engine.store.enrolment import Enrolment, PartitionsHere
from masq_store.engine.store.generations import generations
from masq_store.engine.store.link_offer import LinkOffer
from masq_store.engine.store.rosters import Rosters
from masq_store.engine.store.services import Services


class Enrolments(Follower):
    """Takes up partitions, and grants them what the person allows."""

    def __init__(
        self,
        services: Services,
        active: ActiveProfile,
        access: AppAccess,
        devices: DeviceList,
        rosters: Rosters,
        requests: Requests,
        here: PartitionsHere,
    ) -> None:
        self._services = services
        self._active = active
        self._access = access
        self._devices = devices
        self._rosters = rosters
        self._requests = requests
        self._here = here

    def take(self, port: Port, *, asked: bool, page: Page | None = None) -> None:
        """Take up a port that leads to a partition's worker, which will say who it is. `page`: the window's."""
        self._take_line(PortLine(port, first_word=wire.START_SECONDS), asked=asked, page=page)

    async def offer_link(
        self, store: object, nonce: object, origin: object, told: Callable[[], None]
    ) -> LinkOffer:
        """Make a link for the app that opened a window, and take up its line: as `LinkOffer.offer`."""
        services = self._services
        line = await LinkOffer.offer(
            services, self._devices.relay, store=store, nonce=nonce, origin=origin, told=told
        )
        self._take_line(line, asked=True, page=None)
        return line

    def _take_line(self, line: PortLine | LinkOffer, *, asked: bool, page: Page | None) -> None:
        changed = self._access.refresh_statuses
        self._here.all.append(
            Enrolment(line, asked=asked, page=page, said=self._said, gone=self.drop, changed=changed)
        )

    def drop(self, enrolment: Enrolment) -> None:
        """Forget a partition that has gone."""
        enrolment.end()
        if enrolment in self._here.all:
            self._here.all.remove(enrolment)
            if enrolment.asked and enrolment.hello:
                self._requests.put_away(enrolment)
                self._services.connected.tell_pages(["overview"])  # its window asks in vain

    def _said(self, enrolment: Enrolment, message: JsonObject) -> None:
        if "hello" in message and enrolment.hello is None:
            enrolment.hello = hello = wire.read_hello(message["hello"])
            enrolment.origin, enrolment.nonce, enrolment.app = hello.origin, hello.nonce, hello.app
            self._said_hello(enrolment)
        elif "moved" in message and enrolment.identity is not None:
            self._services.tasks.start(self._moved(enrolment))
        elif "damaged" in message:
            enrolment.damaged = True
        elif "heard" in message:
            enrolment.note_heard()

    def _said_hello(self, enrolment: Enrolment) -> None:
        """File its request; or, where nobody asks, let it hand over what it has. Raises ProtocolError."""
        if enrolment.asked:
            self._requests.check(enrolment.nonce, enrolment.origin)
            if enrolment.page is not None and enrolment.page.closed:  # before there was a request to end
                enrolment.deny("closed")
                return
            self._requests.file(enrolment)
            self._services.connected.tell_pages(["overview"])  # its window may have stopped waiting for it
        else:
            self._services.tasks.start(self._take_back(enrolment))

    async def opened(self, profile: Profile) -> None:
        """Take back what partitions have, if this is the profile that they were devices of."""
        self.take_back()

    def take_back(self) -> None:
        """Have the partitions that the open profile may know, and that nobody asks about, hand over what they have."""
        for enrolment in self._here.all:
            if not enrolment.asked and enrolment.hello and enrolment.profile is None:
                self._services.tasks.start(self._take_back(enrolment))

    async def closing(self) -> None:
        """Have all copies locked that may not stay open without the store."""
        for enrolment in self._here.all:
            if enrolment.profile is not None:
                enrolment.let_go()
                enrolment.line.post(denied="locked")

    def end(self) -> None:
        """Let all go: the engine stops."""
        for enrolment in list(self._here.all):
            self.drop(enrolment)

    async def other_data(self, enrolment: Enrolment) -> OtherData | None:
        """Return what a partition has of the app's data that is not the data in use here; None: nothing to ask about.

        `newer`: the store was restored from an older backup. Else it is data that was erased, and that the partition
        says, or cannot rule out, to have changed since. `keys`, `waiting`: how many entries, and how many changes
        that are nowhere else, None where it cannot say; `here`: how many entries the store has.
        """
        profile, hello = self._active.profile, enrolment.hello
        if profile is None or hello is None:
            return None
        after, before = await generations(profile, hello)
        found = after or next((held for held in reversed(before) if held.waiting != 0), None)
        if found is None:
            return None
        here = (await profile.size(hello.origin))["keys"]
        return {"newer": found is after, "keys": found.keys, "waiting": found.waiting, "here": here}

    async def admit(self, enrolment: Enrolment, listed: bool = True, asked: bool = True) -> None:
        """Make a partition a device with its app's space alone. Whoever calls this holds `changing`.

        `listed`: whether it comes on the list, in the place of the one before. `asked`: the person was asked about
        what `other_data` tells; without that nothing goes that is nowhere else.
        A partition with newer data than the store has raises the store to that: what is here goes into the trash.
        Raises Locked, ProtocolError where it has gone, and QuotaExceeded where there is no room to list it.
        """
        crypto, devices, rosters = self._services.crypto, self._devices, self._rosters
        profile, hello = self._active.profile, enrolment.hello
        assert hello is not None and profile is not None
        origin = hello.origin
        after, before = await generations(profile, hello)
        if after is not None:
            await self._access.advance(origin, after.generation)
            before = []  # nobody was asked about these
        generation = profile.generation(origin)
        app = SpaceRef("app", origin, generation)
        secret, name = await profile.ring.secret(app), await profile.ring.enrolment(app)
        enrolment.identity = await identity_of(crypto, bytes.fromhex(hello.known.get(name, hello.public)))
        if listed:
            await devices.enrol(profile, enrolment.identity, origin, hello.app.name)
        await rosters.tell(profile, origin)
        enrolment.let_go()
        data = await profile.space(origin)
        roster = await profile.roster(origin)
        if not enrolment.line.open:  # it was dropped meanwhile, and will not be again
            profile.release(origin)
            raise ProtocolError("the app that asked is no longer open")
        enrolment.profile, enrolment.space = profile, data
        enrolment.generation, enrolment.told = generation, None
        policy = rosters.policy(origin)
        granted = wire.Grant(
            origin=origin,
            generation=generation,
            secret=secret.hex(),
            roster=(await profile.ring.secret(SpaceRef("roster", origin))).hex(),
            profile=profile.name,
            relay=devices.relay,
            stay=policy.stay,
            lock_minutes=policy.minutes,
            sync=policy.sync,
            turn=policy.turn,
        )
        enrolment.line.turn()
        over = [held.name for held in before if asked or held.waiting == 0]
        enrolment.line.post(grant=granted._asdict(), over=over)
        enrolment.line.sync(data, roster, self._services.writer)
        rosters.tell_line(profile, enrolment, roster)
        await self._access.note_used(profile, origin)

    async def _take_back(self, enrolment: Enrolment) -> None:
        """Have a partition hand over what it has: its app reaches the store itself by now, so nobody need be asked."""
        crypto, devices, hello = self._services.crypto, self._devices, enrolment.hello
        assert hello is not None
        async with self._active.changing:
            profile = self._active.profile
            if profile is None or devices.held:
                return
            if profile.app(hello.origin) is None or not enrolment.line.open:
                return
            known = {
                name: (await identity_of(crypto, bytes.fromhex(public))).id
                for name, public in hello.known.items()
            }
            after, _ = await generations(profile, hello)
            generation = after.generation if after else profile.generation(hello.origin)
            name = await profile.ring.enrolment(SpaceRef("app", hello.origin, generation))
            listed = {device.id for device in devices.listed() if device.app == hello.origin}
            # Off the list without having been removed is a copy whose place another one took: a browser may keep
            # several apart, one for each site that shows the app.
            replaced = name in known and not devices.was_removed(known[name])
            is_listed = not listed.isdisjoint(known.values())
            if not replaced and not is_listed:
                return
            with suppress(MasqError):
                await self.admit(enrolment, is_listed, asked=False)
                enrolment.line.post(move=True)

    async def _moved(self, enrolment: Enrolment) -> None:
        """Take a partition off the list: it has handed over all it had, and is gone."""
        async with self._active.changing:
            profile, identity = enrolment.profile, enrolment.identity
            if profile is not None and profile is self._active.profile and identity is not None:
                with suppress(MasqError):
                    await self._devices.forget(profile, identity.id)
        self.drop(enrolment)
