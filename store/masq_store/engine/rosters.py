"""The rosters of the open profile's apps: what the home space says of an app is told there to its partitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from masq import messages
from masq.errors import MasqError
from masq_store.core import devices as layout
from masq_store.core import roster
from masq_store.engine.profile import Profile
from masq_store.engine.together import write_together

if TYPE_CHECKING:
    from masq_store.engine.engine import Engine


class Rosters:
    """Keeps each roster at what the home space says, whoever changed that."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._profile: Profile | None = None
        self._telling = False
        self._again = False

    def begin(self, profile: Profile) -> None:
        """Take up a profile that was just opened."""
        self.end()
        self._profile = profile
        profile.home.listeners.append(self._heard)
        self.look()

    def end(self) -> None:
        """Let the profile go."""
        if self._profile is not None:
            self._profile.home.listeners.remove(self._heard)
        self._profile = None

    def origins(self) -> list[str]:
        """Return the apps that have a roster."""
        items = self._profile.home_items(layout.ROSTER) if self._profile else []
        return [key[len(layout.ROSTER) :] for key, _ in items]

    def look(self) -> None:
        """Bring all rosters up to date, in the background."""
        self._again = True
        if not self._telling and self._profile is not None:
            self._telling = True
            self._engine.soon(self._tell_all())

    async def tell(self, profile: Profile, origin: str) -> None:
        """Bring one app's roster up to date; durable on return."""
        space = await profile.roster(origin)
        wanted = {roster.APP: messages.encode(self._facts(profile, origin))}
        for key, text in profile.home_items(layout.REMOVED):
            entry = messages.decode(text)
            if isinstance(entry, dict) and entry.get("app") == origin:
                wanted[roster.REMOVED + key[len(layout.REMOVED) :]] = messages.encode({"ms": entry.get("ms")})
        copies = self._engine.devices.copies(origin)
        for id, here in copies.items():
            if here:
                wanted[roster.LOCKS + id] = messages.encode(self._engine.vault.copies_lock._asdict())
        present: dict[str, str] = dict(space.core.items(""))
        entries: list[tuple[str, str | None]] = [
            (key, text) for key, text in wanted.items() if present.get(key) != text
        ]
        entries += [(key, None) for key in present if key.startswith(roster.REMOVED) and key not in wanted]
        locks = (key for key in present if key.startswith(roster.LOCKS))
        entries += [(key, None) for key in locks if key[len(roster.LOCKS) :] not in copies]
        if entries or space.pending:  # perhaps told a moment ago, and not on the disk yet
            now = self._engine.now_ms()
            await write_together(self._engine.writer, [(space, lambda: space.core.write(entries, now))])

    def _facts(self, profile: Profile, origin: str) -> dict[str, Any]:
        devices = self._engine.devices
        return roster.Facts(
            approved=profile.app(origin) is not None,
            generation=profile.generation(origin),
            relay=devices.relay,
            devices=devices.holding(origin),
        )._asdict()

    async def _tell_all(self) -> None:
        try:
            while self._again and (profile := self._profile):
                self._again = False
                for origin in self.origins():
                    try:
                        await self.tell(profile, origin)
                    except MasqError as error:  # closed meanwhile, or no room: at the next change, or opening
                        self._engine.heed(error)
        finally:
            self._telling = False

    def _heard(self, keys: Sequence[str], source: object) -> None:
        self.look()
