"""Write down a store, its copy in a partition and a relay's log as the checkout at hand writes them.

    git archive COMMIT | tar x -C FOLDER
    cd FOLDER && …/.venv/bin/python …/tests/stores/make.py > …/tests/stores/COMMIT.json

Run in a folder with the commit's own files: all of the store, the relay and the tests' rigs is taken from there, not
from beside this file. A file is made once, for a commit whose forms on disk or on the wire the next one changes, and
never again: `test_older_stores.py` opens it from then on. What it holds is the story below. Its passphrases
protect nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [
    str(Path.cwd() / part) for part in ("client", "store", "relay", "tests", "tests/rig", "tests/unit")
]

from engine_rig import Rig  # noqa: E402
from partition_rig import Apart  # noqa: E402
from relay_rig import relay, until  # noqa: E402

from masq_store.core.profile.home_layout import draw_identity  # noqa: E402
from masq_store.native.crypto import NativeCrypto  # noqa: E402
from masq_store.native.sqlite import SQLite  # noqa: E402
from masq_store.native.websocket import NativeNetwork  # noqa: E402

RELAY = "wss://relay.example"
COUNTER, TASKS, NOTES = "https://counter.example", "https://tasks.example", "https://notes.example"
VALUES = {
    "text": "é\x00😀",
    "list": [1, 2.5, None, True, {"a": []}],
    "bytes": {"$bytes": "AP8="},
    "big": {"$int": f"{2**70:x}"},
}
"""As they stand on an app's port."""


class Elsewhere:
    """The way to one relay, whichever is asked for. `port`: 0 while there is no network."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._native = NativeNetwork()
        self._online: list[Callable[[], None]] = []

    async def open(self, url: str, receive: Any, closed: Any) -> Any:
        """Connect to the relay, whatever `url` says; port 1 has none."""
        return await self._native.open(f"ws://127.0.0.1:{self.port or 1}/", receive, closed)

    def on_online(self, call: Callable[[], None]) -> None:
        """The network never comes back by itself."""


async def device(folder: Path, name: str, network: Elsewhere) -> Rig:
    """Return a device over a folder, as `native.device` lays it out."""
    rig = Rig(await SQLite.open(folder / name / "masq.sqlite3"), name=name, network=network, relay=RELAY)  # type: ignore[arg-type]
    rig.crypto = NativeCrypto(folder / name / "device.key")
    rig.engine = rig._engine()
    return await rig.start()


async def ask(peer: Any, *call: Any) -> None:
    """Make a call that must not fail."""
    found = await peer.call(*call)
    failed = isinstance(found, list) and len(found) == 3 and isinstance(found[2], dict)
    assert not failed, found


async def in_step(*rigs: Rig) -> None:
    """Return once no device has anything left to post, or to read."""

    def settled() -> bool:
        apps = [rig.engine.parts.sync.describe_app(origin) for rig in rigs for origin in (COUNTER, NOTES)]
        return all(app and app["state"] == "live" and not app["waiting"] for app in apps)

    for _ in range(3):
        await until(settled)
        await asyncio.sleep(1.5)


async def story(folder: Path) -> None:
    """Two devices and a copy are in step; then each writes alone."""
    network = Elsewhere()
    async with relay(folder / "relay") as running:
        laptop, phone = [await device(folder, name, network) for name in ("laptop", "phone")]
        page = laptop.page()
        await ask(page, "create_profile", "Ann", "correct horse", False)
        await ask(page, "set_lock_minutes", 5)
        counter, tasks, notes = [await laptop.approved(origin) for origin in (COUNTER, TASKS, NOTES)]
        for n in range(70):  # more than a journal's tail is: a checkpoint is written
            await ask(counter, "set", f"n/{n}", n)
        await ask(counter, "update", list(VALUES.items()))
        await ask(counter, "increment", "count", 5)
        await ask(counter, "set", "gone", 1)
        await ask(counter, "delete", ["gone"])
        await ask(tasks, "set", "kept", "after a withdrawal")
        await ask(page, "withdraw", TASKS)
        await ask(notes, "set", "old", 1)
        await ask(page, "withdraw", NOTES)
        await ask(page, "erase", NOTES)  # the next generation
        await laptop.approved(NOTES)
        network.port = running.port  # only now, so that few envelopes carry it all

        secret = laptop.engine.profile.home_secret  # type: ignore[union-attr]
        drawn = await draw_identity(phone.crypto)
        await phone.engine.parts.change.make(
            "Ann", "", True, home_secret=secret, drawn=drawn, arrival={"name": "Phone", "relay": None}
        )
        remote = phone.app(COUNTER)
        await remote.status(state="ready")
        async with asyncio.timeout(60):
            while await remote.call("get", "count") != [5]:
                await asyncio.sleep(0.05)
        apart = Apart(phone, await SQLite.open(folder / "copy" / "masq.sqlite3"))  # type: ignore[arg-type]
        apart.crypto = NativeCrypto(folder / "copy" / "device.key")
        apart.partition = apart._partition()
        await apart.start()
        tab = apart.app(COUNTER)
        await apart.connect(tab)
        await ask(tab, "increment", "count", 10)
        await tab.status(waiting=0)
        await in_step(laptop, phone)
        apart.cut()
        network.port = 0
    # No relay any more: what is written now waits.
    await ask(counter, "increment", "count", 100)
    await ask(counter, "set", "alone", "laptop")
    await ask(remote, "increment", "count", 1000)
    await ask(remote, "set", "phone", "alone")
    await ask(tab, "increment", "count", 10000)
    await ask(tab, "set", "copy", "alone")
    await apart.partition.stop()
    for rig in (laptop, phone):
        await rig.engine.stop()


def written(folder: Path) -> dict[str, Any]:
    """Return a folder's database as SQL, and its device key."""
    (file,) = folder.glob("*.sqlite3")
    with sqlite3.connect(file) as sql:
        marks = [
            f"PRAGMA {name} = {sql.execute(f'PRAGMA {name}').fetchone()[0]}"
            for name in ("application_id", "user_version")
        ]
        statements = [*sql.iterdump(), *(f"{mark};" for mark in marks)]
    key = folder / "device.key"
    return {"file": file.name, "sql": statements, "key": key.read_bytes().hex() if key.exists() else ""}


def main() -> None:
    """Tell the story and print what is left of it."""
    os.umask(0o077)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(story(folder))
        print(
            json.dumps(
                {part: written(folder / part) for part in ("laptop", "phone", "copy", "relay")}, indent=0
            )
        )


main()
