"""The rosters of the open profile's apps: what the home space says of an app is told there to its partitions.

A roster is read by whoever holds a copy of the app's data, and a hostile one can write it, too: see
`core/enrolment/roster.py`. What the store has to say goes under another key where its own cannot be written any more,
and where somebody has written something looser since, it is said again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from masq import messages
from masq.errors import Locked, MasqError, QuotaExceeded
from masq_store.core.enrolment import roster
from masq_store.core.enrolment.messages import Told
from masq_store.core.errors import StorageFailed
from masq_store.core.profile import home_layout
from masq_store.engine.profile.profile import Profile
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.together import write_together
from masq_store.engine.store.active_profile import Follower
from masq_store.engine.store.device_list import DeviceList
from masq_store.engine.store.enrolment import Enrolment, PartitionsHere
from masq_store.engine.store.services import Services
from masq_store.engine.throttle import Throttle

AGAIN_SECONDS = 10.0
"""After somebody has written something looser, until it is said again: whoever keeps writing gets no answer a word."""

ASIDE_BYTES = 8
"""Of what stands behind a key, where that itself cannot be written any more."""


class Rosters(Follower):
    """Keeps each roster at what the home space says, whoever changed that."""

    def __init__(self, services: Services, devices: DeviceList, here: PartitionsHere) -> None:
        self._services = services
        self._devices = devices
        self._here = here
        self._profile: Profile | None = None
        self._telling = False
        self._again = False
        self._unsaid: set[str] = set()  # apps in whose rosters there is no room for what is to be said
        self._listening: dict[OpenSpace, partial[None]] = {}
        self._saying_again = Throttle(AGAIN_SECONDS, self.look)

    async def opened(self, profile: Profile) -> None:
        """Take up a profile that was just opened."""
        self._profile = profile
        self._unsaid.clear()  # a write may have ended after `closing`
        profile.home.listeners.append(self._heard)
        self.look()

    async def closing(self) -> None:
        """Let the profile go."""
        if self._profile is not None:
            self._profile.home.listeners.remove(self._heard)
        for space, listener in self._listening.items():
            space.listeners.remove(listener)
        self._listening.clear()
        self._unsaid.clear()
        self._saying_again.cancel()
        self._profile = None

    def origins(self) -> list[str]:
        """Return the apps that have a roster."""
        items = self._profile.home_items(home_layout.ROSTER) if self._profile else []
        return [key[len(home_layout.ROSTER) :] for key, _ in items]

    def look(self) -> None:
        """Bring all rosters up to date, in the background."""
        self._again = True
        if not self._telling and self._profile is not None:
            self._telling = True
            self._services.tasks.start(self._tell_all())

    def unheard(self, copy: str, origin: str) -> bool:
        """Whether a copy cannot have heard what was decided last: no word of that gets into its app's roster."""
        return origin in self._unsaid and copy not in {
            each.identity.id
            for each in (self._here.granted(self._profile, origin) if self._profile else ())
            if each.identity is not None and each.told is not None
        }

    def policy(self, origin: str) -> roster.Policy:
        """Return what the person has decided for the copies of an app's data that this browser keeps apart.

        They lock as the profile does here, and send nothing where this device does not: because its person does not
        want that, or because there is no relay.
        """
        vault, devices = self._services.vault, self._devices
        return roster.Policy(
            stay=vault.stays_unlocked,
            minutes=vault.lock_minutes if vault.has_passphrase else 0,
            sync=devices.syncs(origin) and bool(devices.relay),
            turn=vault.lock_turn,
        )

    async def tell(self, profile: Profile, origin: str) -> None:
        """Tell an app's copies what they must know: by the roster, and by the lines to those that are there.

        Durable on return, as far as it could be written: where it could not, `unheard` says so from now on, and
        nothing else fails because of it. Raises Locked, StorageFailed.
        """
        space: OpenSpace | None = None
        try:
            space = await profile.roster(origin)
            self._listen(profile, origin, space)
            await self._write(profile, origin, space)
            unsaid = False
        except (Locked, StorageFailed):
            raise
        except MasqError:  # no room, or written by a newer version: at the next change, or opening
            unsaid = True
        for enrolment in self._here.granted(profile, origin):
            self.tell_line(profile, enrolment, space)
        if unsaid is not (origin in self._unsaid):
            self._unsaid ^= {origin}
            self._services.connected.tell_pages(["overview"])

    async def tell_copies_here(self) -> bool:
        """Tell the copies that this browser keeps apart what they must know; return whether there are any."""
        here = [origin for origin in self.origins() if any(self._devices.copies(origin).values())]
        for origin in here:
            if self._profile is not None:
                await self.tell(self._profile, origin)
        return bool(here)

    def tell_line(self, profile: Profile, enrolment: Enrolment, space: OpenSpace | None) -> None:
        """Tell a copy that is there what it must know, unless it was told that already. `space`: its roster."""
        origin, identity = enrolment.origin, enrolment.identity
        if identity is None:
            return
        ended = (
            profile.app(origin) is None
            or profile.generation(origin) != enrolment.generation
            or self._devices.was_removed(identity.id)
        )
        wanted, over = self._wanted(profile, origin), {}
        if space is not None:
            for key, text in (
                row for begin in roster.prefixes(identity.id) for row in space.core.items(begin)
            ):
                register = space.core.register(key)
                if register is not None and text != wanted.get(roster.subject_of(key) or ""):
                    over[key] = list(register.stamp)
        told = Told(
            **self.policy(origin)._asdict(),
            profile=profile.name,
            relay=self._devices.relay,
            ended=ended,
            over=over,
        )
        if told != enrolment.told:
            enrolment.told = told
            enrolment.line.post(told=told._asdict())

    def _wanted(self, profile: Profile, origin: str) -> dict[str, str]:
        """Return what the roster of an app is to say, as canonical texts."""
        devices = self._devices
        facts = roster.Facts(
            approved=profile.app(origin) is not None,
            generation=profile.generation(origin),
            relay=devices.relay,
            devices=devices.holding(origin),
        )
        wanted = {roster.APP: messages.encode(facts._asdict())}
        for key, text in profile.home_items(home_layout.REMOVED):
            entry = messages.decode(text)
            if isinstance(entry, dict) and entry.get("app") == origin:
                removed = messages.encode({"ms": roster.read_removed(text) or 0})
                wanted[roster.REMOVED + key[len(home_layout.REMOVED) :]] = removed
        policy = messages.encode(self.policy(origin)._asdict())
        return wanted | {roster.POLICY + id: policy for id, here in devices.copies(origin).items() if here}

    async def _write(self, profile: Profile, origin: str, space: OpenSpace) -> None:
        """Bring a roster to what it is to say. Raises QuotaExceeded."""
        wanted = self._wanted(profile, origin)
        others = {roster.POLICY + id for id in self._devices.copies(origin)}  # of other browsers, too
        present = [(key, text, roster.subject_of(key)) for key, text in space.core.items("")]
        said = {subject for _, text, subject in present if subject and text == wanted.get(subject)}
        entries: list[tuple[str, str | None]] = [each for each in wanted.items() if each[0] not in said]
        for key, text, subject in present:
            if subject in wanted:
                over = key != subject and text != wanted[subject]
            else:
                over = subject is not None and subject not in others
            if over:
                entries.append((key, None))
        if not entries and not space.pending:  # perhaps told a moment ago, and not on the disk yet
            return
        try:
            await self._put(space, entries)
        except QuotaExceeded:
            for key, wanted_text in entries:
                await self._put_alone(space, key, wanted_text)

    async def _put_alone(self, space: OpenSpace, key: str, text: str | None) -> None:
        """Write one entry; where its key cannot be written any more, under another one. Raises QuotaExceeded."""
        try:
            await self._put(space, [(key, text)])
        except QuotaExceeded:
            if text is not None:
                aside = self._services.crypto.random(ASIDE_BYTES).hex()
                await self._put(space, [(f"{key}/{aside}", text)])

    async def _put(self, space: OpenSpace, entries: list[tuple[str, str | None]]) -> None:
        now = self._services.now_ms()
        await write_together(self._services.writer, [(space, lambda: space.core.write(entries, now))])

    async def _tell_all(self) -> None:
        try:
            while self._again and (profile := self._profile):
                self._again = False
                for origin in self.origins():
                    try:
                        await self.tell(profile, origin)
                    except MasqError as error:  # closed meanwhile: at the next opening
                        self._services.writer.heed(error)
        finally:
            self._telling = False

    def _heard(self, keys: Sequence[str], source: object) -> None:
        self.look()

    # What others write into a roster -----------------------------------------------------------------------

    def _listen(self, profile: Profile, origin: str, space: OpenSpace) -> None:
        if self._profile is profile and space not in self._listening:
            listener = self._listening[space] = partial(self._roster_heard, profile, origin, space)
            space.listeners.append(listener)

    def _roster_heard(
        self, profile: Profile, origin: str, space: OpenSpace, keys: Sequence[str], source: object
    ) -> None:
        if not self._saying_again.pending and self._is_looser(profile, origin, space):
            self._saying_again.ask()

    def _is_looser(self, profile: Profile, origin: str, space: OpenSpace) -> bool:
        """Whether a roster lets some copy do what its person does not want.

        Only that is said again: two devices of a profile that do not know the same yet would never come to an end.
        """
        wanted = self._wanted(profile, origin).items()
        ids = {subject.partition("/")[2] for subject, _ in wanted}
        for id in ids:
            want = roster.said(wanted, id)
            said = roster.said(
                (each for prefix in roster.prefixes(id) for each in space.core.items(prefix)), id
            )
            if said.facts is None or (want.removed and not said.removed):
                return True
            assert want.facts is not None
            approved, generation = want.facts.approved, want.facts.generation
            if (said.facts.approved and not approved) or said.facts.generation < generation:
                return True
            if want.policy is not None and (
                said.policy is None or said.policy.with_(want.policy) != said.policy
            ):
                return True
        return False
