"""Two devices of one profile without a relay between them: `carry` does what the sync would do."""

from __future__ import annotations

from asynchronous import until
from engine_rig import Peer, Rig

from masq_store.core.profile.home_layout import draw_identity
from masq_store.engine.storage.together import write_together


async def carry(source: Rig, target: Rig) -> None:
    """Bring what one device's home space holds to the other's."""
    home, other = target.engine.profile.home, source.engine.profile.home  # type: ignore[union-attr]
    changes, vector = other.core.changes_since({}), dict(other.core.vector)
    await write_together(target.engine.writer, [(home, lambda: home.core.merge(changes, vector))])


async def quiet(rig: Rig) -> None:
    """Return once everything that was begun is done."""
    await until(lambda: not rig.engine.tasks and not rig.engine.writer.busy)


async def two() -> tuple[Rig, Rig, Peer, Peer]:
    """Return two devices of Ann's, with a page each."""
    first, second = await Rig(name="Firefox on Linux").start(), await Rig(name="Chrome on Android").start()
    first_page, second_page = first.page(), second.page()
    await first_page.call("create_profile", "Ann", "", True)
    secret = first.engine.profile.home_secret  # type: ignore[union-attr]
    drawn = await draw_identity(second.crypto)
    await second.engine.parts.change.make(
        "Ann", "", True, home_secret=secret, drawn=drawn, arrival={"name": "Phone", "relay": None}
    )
    second.now += 1000
    await carry(first, second)
    await carry(second, first)
    return first, second, first_page, second_page
