"""A copy whose roster others write, and what a person can set that a copy must hear."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from asynchronous import until
from engine_rig import APP, Peer, Rig
from partition_rig import Apart, kept_apart
from relay_rig import relay

from masq.messages import encode
from masq_store.core.space.clock import MAX_COUNTER, MAX_MS, Stamp
from masq_store.core.space.register import Change, Register
from masq_store.engine.enrolment.port_line import PortLine
from masq_store.engine.partition.app_copy import AppCopy
from masq_store.engine.storage.open_space import OpenSpace
from masq_store.engine.storage.together import write_together
from masq_store.engine.storage.writer import Writer
from masq_store.native.websocket import NativeNetwork

PASSPHRASE = "correct horse"

LOOSE = {"stay": True, "minutes": 0, "sync": True, "turn": 0}

FACTS = {"approved": True, "generation": 0, "relay": "", "devices": 2}


async def connected(
    passphrase: str = PASSPHRASE, stay: bool = False, **options: Any
) -> tuple[Rig, Apart, Peer, AppCopy]:
    """Return a store, a browser that keeps an app apart from it, a tab of that app, and its copy, all in step."""
    rig, apart, tab = await kept_apart(passphrase, stay, **options)
    copy = apart.partition.copies[APP]
    await until(lambda: copy.line and copy.line.together)
    return rig, apart, tab, copy


async def closed(apart: Apart, copy: AppCopy) -> None:
    """Close the store's window; the partition knows at once, and not after a silence."""
    apart.cut()
    for asked in list(apart.partition._requests._here.values()):
        assert isinstance(asked.line, PortLine)
        asked.line._end()
    await until(lambda: copy.line is None)


async def write(
    writer: Writer, space: OpenSpace, rows: dict[str, Any], stamp: tuple[int, int] | None = None
) -> None:
    """Have a roster read what another copy wrote. `stamp`: milliseconds and counter, by default later than all."""
    who = os.urandom(8).hex()
    here = [register.stamp for key in space.core.keys("") if (register := space.core.register(key))]
    ms, counter = stamp or (1 + max((each.ms for each in here), default=0), 0)
    changes = [
        Change(who, n, key, Register(Stamp(ms, counter, who), n, encode(value)))
        for n, (key, value) in enumerate(rows.items(), 1)
    ]
    await write_together(writer, [(space, lambda: space.core.merge(changes, {who: len(changes)}))])


async def hostile(apart: Apart, copy: AppCopy, rows: dict[str, Any]) -> None:
    """Another copy of the app writes into the roster, and this one hears it."""
    await write(apart.partition.writer, copy.roster, rows)
    await asyncio.sleep(0.2)  # no time, but as many turns of the loop as it may take


async def in_the_store(rig: Rig) -> OpenSpace:
    """Return the roster as the store has it."""
    assert rig.engine.profile is not None
    return await rig.engine.profile.roster(APP)


def opens_by_itself(apart: Apart) -> bool:
    """Whether the device's key opens a copy on that browser's disk."""
    records = [
        json.loads(text) for key, text in apart.backend.disk.stored.items() if str(key).startswith("copy/")
    ]
    return any(record["device"] for record in records)


LAST = (MAX_MS, MAX_COUNTER)
"""The last stamp there is: nothing can be written over it."""


async def poisoned(rig: Rig, apart: Apart, copy: AppCopy, rows: dict[str, Any]) -> None:
    """Another copy has written the last word under these keys, for the store and the copy alike."""
    await write(rig.engine.writer, await in_the_store(rig), rows, LAST)
    if copy.line is None or not copy.line.open:
        await write(apart.partition.writer, copy.roster, rows, LAST)
    await asyncio.sleep(0.2)


def running_url(running: Any) -> str:
    """Return the address of a relay."""
    return f"ws://127.0.0.1:{running.port}"


@asynccontextmanager
async def by_relay(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[Rig, Apart, Peer, AppCopy, Any]]:
    """A copy that no window of the store is open for: it hears by a relay."""
    async with relay(tmp_path) as running:
        rig, apart, tab, copy = await connected(
            network=NativeNetwork(), relay=running_url(running), **options
        )
        await closed(apart, copy)
        await until(lambda: copy.state == "live" and rig.engine.parts.sync.state(APP) == "live")
        yield rig, apart, tab, copy, running
        await rig.engine.stop()
        await apart.partition.stop()


Reached = Callable[[Rig, Apart, AppCopy], bool]

SETTINGS: dict[str, tuple[list[Any], Reached]] = {
    "change_passphrase": (["", PASSPHRASE], lambda rig, apart, copy: copy.policy.minutes == 5),
    "set_stay_unlocked": (
        [False],
        lambda rig, apart, copy: not copy.policy.stay and not opens_by_itself(apart),
    ),
    "set_lock_minutes": ([5], lambda rig, apart, copy: copy.policy.minutes == 5),
    "set_sync": ([APP, False], lambda rig, apart, copy: not copy.policy.sync),
    "lock": ([], lambda rig, apart, copy: APP in apart.partition._copies._locked),
    "withdraw": ([APP, False], lambda rig, apart, copy: copy.ended),
    "remove_device": (["copy"], lambda rig, apart, copy: copy.ended),
    "delete_profile": (["profile"], lambda rig, apart, copy: copy.ended or not apart.partition.copies),
    "set_relay": ([""], lambda rig, apart, copy: not copy.policy.sync),
}
"""What a person can set and a copy must hear, with or without a window: the call's arguments, and what it has then."""
