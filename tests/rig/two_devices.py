"""Two devices of one profile: `paired` at a real relay, as persons do it, or `two` without any.

Without a relay `carry` does what the sync would do.
"""

from __future__ import annotations

from typing import Any

from asynchronous import eventually, until
from engine_rig import Peer, Rig

from masq_store.core.profile.home_layout import draw_identity
from masq_store.engine.storage.together import write_together
from masq_store.native.websocket import NativeNetwork


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


async def device(port: int, name: str) -> Rig:
    """Start a device that has a relay."""
    return await Rig(name=name, network=NativeNetwork(), relay=f"ws://127.0.0.1:{port}").start()


async def pair(old: Rig, new: Rig) -> None:
    """Bring the old one's profile to the new one, as two persons would at their pages."""
    giving, taking = old.page(), new.page()

    async def state(page: Peer, wanted: str) -> dict[str, Any]:
        found = await eventually(
            lambda: page.call("pairing"), lambda s: s and s["state"] in (wanted, "ended")
        )
        assert found["state"] == wanted, found
        return found

    await giving.call("invite", "http://store.localhost:8000/")
    await taking.call("join", (await state(giving, "waiting"))["link"])
    code = (await state(taking, "show-code"))["code"]
    await state(giving, "ask-code")
    await giving.call("confirm_code", code)
    await state(taking, "ask-take")
    await taking.call("take", "Telephone", "", True)
    await state(taking, "done")
    await state(giving, "done")


async def paired(port: int) -> tuple[Rig, Peer, Rig]:
    """Return a laptop that has a relay and an approved app, that app's tab, and a telephone that was paired with it."""
    old = await device(port, "Laptop")
    tab = await old.approved()
    new = await device(port, "Telephone")
    await pair(old, new)
    return old, tab, new
