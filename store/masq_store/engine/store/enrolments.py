"""The store's side of enrolment: partitions at the other ends of ports, and what the person lets them have.

A partition asks like an app: its request is filed under the nonce of the window that is open about it. What it is
granted is one app's space, and never more: the secrets of that space and of its roster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from masq.errors import MasqError, ProtocolError
from masq_store.core.crypto import key_schedule as keys
from masq_store.core.enrolment import messages as wire
from masq_store.core.profile.home_layout import Identity, identity_of
from masq_store.engine.enrolment.port_line import PortLine
from masq_store.engine.ports import Port
from masq_store.engine.profile.profile import Profile
from masq_store.engine.store.generations import enrolment_in, generations
from masq_store.engine.store.link_offer import LinkOffer

if TYPE_CHECKING:
    from masq_store.engine.engine import Engine
    from masq_store.engine.pages.page_session import PageSession

HEAR_SECONDS = 2.0
"""How long a window stays open for a partition that does not say whether it has heard a no."""


class Enrolment:
    """One partition. `asked`: by a window that the person has opened; else its app reaches the store itself by now."""

    def __init__(
        self,
        engine: Engine,
        enrolments: Enrolments,
        line: PortLine | LinkOffer,
        *,
        asked: bool,
        page: PageSession | None,
    ) -> None:
        self.origin = self.nonce = ""
        self.app: dict[str, Any] = {}
        self.hello: wire.Hello | None = None
        self.asked = asked
        self.page = page
        """The window that has brought the port, where it was a port."""
        self.space: object = None
        """The app's space while the partition may have it; as for an app's session."""
        self.profile: Profile | None = None
        self.generation = 0
        """Which of the app's spaces it was granted."""
        self.told: wire.Told | None = None
        """What it was told last since then."""
        self.identity: Identity | None = None
        self.damaged = False
        """Whether the copy that was there could not be read, or not all of it."""
        self._engine, self._enrolments = engine, enrolments
        self._heard = asyncio.Event()
        self.line = line
        line.attach(said=self._said, gone=self._gone, changed=self._changed)

    def deny(self, how: str) -> None:
        """Tell the partition that the person has said no, or nothing."""
        self.line.post(denied=how)

    @property
    def linked(self) -> bool:
        """Whether a link brought it: a person must say yes to that each time."""
        return isinstance(self.line, LinkOffer)

    async def met(self) -> bool:
        """Return once both ends have the same on their disks, or it goes on no more.

        False: the partition is there, and has not got everything, or not passed on everything. Raises what keeps
        this end from taking what the partition has: QuotaExceeded, say; or a partition from getting what it was given.
        """
        return await self.line.met()

    async def heard(self) -> None:
        """Return once the partition has heard a no, or has had the time to: the window's end may be this worker's."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEAR_SECONDS):
                await self._heard.wait()

    def leave_data(self) -> None:
        """Let the app's data go."""
        if self.space is not None and self.profile is not None:
            self.line.leave_data()
            self.profile.release(self.origin)
            self.space = None

    def let_go(self) -> None:
        """Let all of the profile go."""
        self.leave_data()
        self.line.leave_spaces()
        self.profile = None

    def end(self) -> None:
        """Forget the partition; while it has a port here it will find this end silent."""
        self.let_go()
        self.line.close()

    def _said(self, message: dict[str, Any]) -> None:
        if "hello" in message and self.hello is None:
            self.hello = wire.read_hello(message["hello"])
            self.origin, self.nonce, self.app = self.hello.origin, self.hello.nonce, self.hello.app
            self._enrolments.said_hello(self)
        elif "moved" in message and self.identity is not None:
            self._engine.soon(self._enrolments.moved(self))
        elif "damaged" in message:
            self.damaged = True
        elif "heard" in message:
            self._heard.set()

    def _gone(self) -> None:
        self._enrolments.drop(self)

    def _changed(self) -> None:
        self._engine.refresh_statuses()


class Enrolments:
    """All partitions that have a port here just now."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._here: list[Enrolment] = []

    def take(self, port: Port, *, asked: bool, page: PageSession | None = None) -> None:
        """Take up a port that leads to a partition's worker, which will say who it is. `page`: the window's."""
        line = PortLine(port, first_word=wire.START_SECONDS)
        self._here.append(Enrolment(self._engine, self, line, asked=asked, page=page))

    async def offer_link(
        self, store: object, nonce: object, origin: object, told: Callable[[], None]
    ) -> LinkOffer:
        """Make a link for the app that opened a window, and take up its line: as `LinkOffer.offer`."""
        engine = self._engine
        relay = engine.devices.relay
        line = await LinkOffer.offer(
            engine.crypto, engine.relays, relay, engine.now_ms, engine.soon,
            store=store, nonce=nonce, origin=origin, told=told,
        )  # fmt: skip
        self._here.append(Enrolment(engine, self, line, asked=True, page=None))
        return line

    def drop(self, enrolment: Enrolment) -> None:
        """Forget a partition that has gone."""
        enrolment.end()
        if enrolment in self._here:
            self._here.remove(enrolment)
            if enrolment.asked and enrolment.hello:
                self._engine.requests.put_away(enrolment)
                self._engine.tell_pages(["overview"])  # its window asks in vain

    def said_hello(self, enrolment: Enrolment) -> None:
        """File its request; or, where nobody asks, let it hand over what it has. Raises ProtocolError."""
        if enrolment.asked:
            self._engine.requests.check(enrolment.nonce, enrolment.origin)
            if enrolment.page is not None and enrolment.page.closed:  # before there was a request to end
                enrolment.deny("closed")
                return
            self._engine.requests.file(enrolment)
            self._engine.tell_pages(["overview"])  # its window may have stopped waiting for it
        else:
            self._engine.soon(self._take_back(enrolment))

    def profile_opened(self) -> None:
        """A profile was opened: perhaps it is the one that a partition was a device of."""
        for enrolment in self._here:
            if not enrolment.asked and enrolment.hello and enrolment.profile is None:
                self._engine.soon(self._take_back(enrolment))

    def profile_closes(self) -> None:
        """Have all copies locked that may not stay open without the store."""
        for enrolment in self._here:
            if enrolment.profile is not None:
                enrolment.let_go()
                enrolment.line.post(denied="locked")

    def granted(self, profile: Profile, origin: str) -> list[Enrolment]:
        """Return the partitions that are there and were granted an app's data of a profile."""
        return [each for each in self._here if each.profile is profile and each.origin == origin]

    def end_app(self, origin: str) -> None:
        """Take an app's space out of all partitions' hands."""
        for enrolment in self._here:
            if enrolment.origin == origin:
                enrolment.leave_data()

    def end(self) -> None:
        """Let all go: the engine stops."""
        for enrolment in list(self._here):
            self.drop(enrolment)

    async def other_data(self, enrolment: Enrolment) -> dict[str, Any] | None:
        """Return what a partition has of the app's data that is not the data in use here; None: nothing to ask about.

        `newer`: the store was restored from an older backup. Else it is data that was erased, and that the partition
        says, or cannot rule out, to have changed since. `keys`, `waiting`: how many entries, and how many changes
        that are nowhere else, None where it cannot say; `here`: how many entries the store has.
        """
        profile, hello = self._engine.profile, enrolment.hello
        if profile is None or hello is None:
            return None
        after, before = await generations(self._engine.crypto, profile, hello)
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
        engine, hello = self._engine, enrolment.hello
        profile = engine.profile
        assert hello is not None and profile is not None
        origin = hello.origin
        after, before = await generations(engine.crypto, profile, hello)
        if after is not None:
            await engine.advance(origin, after.generation)
            before = []  # nobody was asked about these
        generation = profile.generation(origin)
        secret, name = await enrolment_in(engine.crypto, profile, origin, generation)
        public = bytes.fromhex(hello.known.get(name, hello.public))
        enrolment.identity = await identity_of(engine.crypto, public)
        if listed:
            await engine.devices.enrol(profile, enrolment.identity, origin, hello.app["name"])
        await engine.rosters.tell(profile, origin)
        enrolment.let_go()
        data = await profile.space(origin)
        roster = await profile.roster(origin)
        if not enrolment.line.open:  # it was dropped meanwhile, and will not be again
            profile.release(origin)
            raise ProtocolError("the app that asked is no longer open")
        enrolment.profile, enrolment.space = profile, data
        enrolment.generation, enrolment.told = generation, None
        policy = engine.rosters.policy(origin)
        granted = wire.Grant(
            origin=origin,
            generation=generation,
            secret=secret.hex(),
            roster=(await engine.crypto.hkdf(profile.home_secret, keys.roster_info(origin))).hex(),
            profile=profile.name,
            relay=engine.devices.relay,
            stay=policy.stay,
            lock_minutes=policy.minutes,
            sync=policy.sync,
            turn=policy.turn,
        )
        enrolment.line.turn()
        over = [held.name for held in before if asked or held.waiting == 0]
        enrolment.line.post(grant=granted._asdict(), over=over)
        enrolment.line.sync(data, roster, engine.writer)
        engine.rosters.tell_line(profile, enrolment, roster)
        await engine.note_used(profile, origin)

    async def _take_back(self, enrolment: Enrolment) -> None:
        """Have a partition hand over what it has: its app reaches the store itself by now, so nobody need be asked."""
        engine, hello = self._engine, enrolment.hello
        assert hello is not None
        async with engine.changing:
            profile = engine.profile
            if profile is None or engine.devices.held:
                return
            if profile.app(hello.origin) is None or not enrolment.line.open:
                return
            known = {
                name: (await identity_of(engine.crypto, bytes.fromhex(public))).id
                for name, public in hello.known.items()
            }
            after, _ = await generations(engine.crypto, profile, hello)
            generation = after.generation if after else profile.generation(hello.origin)
            _, name = await enrolment_in(engine.crypto, profile, hello.origin, generation)
            listed = {device.id for device in engine.devices.listed() if device.app == hello.origin}
            # Off the list without having been removed is a copy whose place another one took: a browser may keep
            # several apart, one for each site that shows the app.
            replaced = name in known and not engine.devices.was_removed(known[name])
            is_listed = not listed.isdisjoint(known.values())
            if not replaced and not is_listed:
                return
            with suppress(MasqError):
                await self.admit(enrolment, is_listed, asked=False)
                enrolment.line.post(move=True)

    async def moved(self, enrolment: Enrolment) -> None:
        """Take a partition off the list: it has handed over all it had, and is gone."""
        async with self._engine.changing:
            profile, identity = enrolment.profile, enrolment.identity
            if profile is not None and profile is self._engine.profile and identity is not None:
                with suppress(MasqError):
                    await self._engine.devices.forget(profile, identity.id)
        self.drop(enrolment)
