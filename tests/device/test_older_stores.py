"""Stores that an earlier commit has written open with everything, and go on; tests/stores/make.py tells their story."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asynchronous import eventually
from device_rig import Persons, paired
from engine_rig import Peer, Rig
from partition_rig import Apart
from relay_rig import relay

from masq.errors import Locked, NotRegistered
from masq_store.core.errors import WrongPassphrase
from masq_store.native.crypto import NativeCrypto
from masq_store.native.device import Device
from masq_store.native.sqlite import SQLite
from masq_store.native.websocket import NativeNetwork

STORES = sorted((Path(__file__).parents[1] / "stores").glob("*.json"))
RELAY = "wss://relay.example"
COUNTER, TASKS, NOTES = "https://counter.example", "https://tasks.example", "https://notes.example"
VALUES = {"text": "é\x00😀", "list": [1, 2.5, None, True, {"a": []}], "bytes": b"\x00\xff", "big": 2**70}
BEFORE = {**VALUES, **{f"n/{n}": n for n in range(70)}}
EVERYTHING = {**BEFORE, "alone": "laptop", "phone": "alone", "copy": "alone", "count": 11115}
"""What all of them hold once they have met: each has written something that nobody else had yet."""

pytestmark = [pytest.mark.parametrize("written", STORES, ids=lambda path: path.stem), pytest.mark.real_time]


class Network:
    """The way to one relay on loopback, whatever its address was then. `port` 1: there is none."""

    def __init__(self, port: int = 1) -> None:
        self._port = port
        self._native = NativeNetwork()

    async def open(self, url: str, receive: Any, closed: Any) -> Any:
        """Connect to it."""
        assert url.rstrip("/") == RELAY
        return await self._native.open(f"ws://127.0.0.1:{self._port}/", receive, closed)

    def on_online(self, call: Callable[[], None]) -> None:
        """It does not come back by itself."""


def lay_out(written: Path, folder: Path) -> None:
    """Make the folders that the commit had made."""
    for part, left in json.loads(written.read_text("utf-8")).items():
        (folder / part).mkdir(mode=0o700)
        with sqlite3.connect(folder / part / left["file"]) as sql:
            sql.executescript("\n".join(left["sql"]))
            if part == "relay":  # as if it had been yesterday: a relay keeps nothing for ever
                yesterday = time.time_ns() // 1_000_000 - 24 * 3600 * 1000
                sql.execute("UPDATE room SET touched = ?", (yesterday,))
                sql.execute("UPDATE sheet SET time = ?", (yesterday,))
        sql.close()
        for path in (folder / part).iterdir():
            path.chmod(0o600)
        if left["key"]:
            (folder / part / "device.key").write_bytes(bytes.fromhex(left["key"]))
            (folder / part / "device.key").chmod(0o600)


@asynccontextmanager
async def copy_of(folder: Path, network: Network) -> AsyncIterator[tuple[Apart, Peer]]:
    """The partition's copy, with its app open; the store that granted it is not there."""
    apart = Apart(Rig(network=network), await SQLite.open(folder / "copy" / "masq.sqlite3"))  # type: ignore[arg-type]
    apart.crypto = NativeCrypto(folder / "copy" / "device.key")
    apart.partition = apart._partition()
    await apart.start()
    yield apart, apart.app(COUNTER)
    await apart.partition.stop()
    assert apart.failures == []


async def test_a_locked_store_opens_with_everything(written: Path, tmp_path: Path) -> None:
    """Its passphrase opens it, no other one does; profile, devices, apps and each value are as they were left."""
    lay_out(written, tmp_path)
    async with Device(tmp_path / "laptop", relay=RELAY) as laptop:
        assert laptop.locked
        with pytest.raises(Locked):  # an app that it knows hears so; a stranger does not
            await laptop.space(COUNTER)
        with pytest.raises(NotRegistered):
            await laptop.space(TASKS)
        with pytest.raises(WrongPassphrase):
            await laptop.unlock("incorrect horse")
        await laptop.unlock("correct horse")
        page = Peer()
        laptop.engine.page(page.port)
        seen = await page.call("overview")
        assert (seen["profile"]["name"], seen["profile"]["lock_minutes"]) == ("Ann", 5)
        assert [device["name"] for device in seen["devices"]][:2] == ["laptop", "Phone"]
        assert {app["origin"] for app in seen["apps"]} == {COUNTER, NOTES}
        assert {app["origin"] for app in seen["kept"]} == {TASKS}
        async with await laptop.space(COUNTER) as counter, await laptop.space(NOTES) as notes:
            assert await counter.items() == {**BEFORE, "alone": "laptop", "count": 115}
            assert await notes.items() == {}
            assert await counter.increment("count") == 116
        await laptop.approve(TASKS, "Tasks")
        async with await laptop.space(TASKS) as tasks:
            assert await tasks.items() == {"kept": "after a withdrawal"}


@pytest.mark.parametrize("data", ["relay", "empty"], ids=["the relay they left", "a relay that lost the log"])
async def test_what_waited_goes_out(written: Path, tmp_path: Path, data: str) -> None:
    """Two devices and a copy, each with changes of its own: all get all of them, from each other if need be."""
    lay_out(written, tmp_path)
    async with relay(tmp_path / data) as running:
        await all_meet(tmp_path, Network(running.port))


async def test_a_new_device_reads_the_log_that_was_left(written: Path, tmp_path: Path) -> None:
    """Who joins the profile today gets from the relay what the earlier commit had posted there."""
    lay_out(written, tmp_path)
    async with relay(tmp_path / "relay") as running:
        network = Network(running.port)
        phone = Device(tmp_path / "phone", network=network, name="phone", relay=RELAY)
        new = Device(tmp_path / "new", network=network, name="new", relay=RELAY)
        async with new:
            async with phone:
                persons = Persons(agrees=True)
                assert await paired(phone, new, persons) == ["new", "Ann"]
            async with await new.space(COUNTER) as space:
                found = await space.items()
                assert found.items() >= BEFORE.items() and found["count"] >= 15


async def all_meet(folder: Path, network: Network) -> None:
    """Open all three and see that they come to hold everything, and that a new value crosses."""
    laptop = Device(folder / "laptop", network=network, name="laptop", relay=RELAY)
    phone = Device(folder / "phone", network=network, name="phone", relay=RELAY)
    async with laptop, phone, copy_of(folder, network) as (apart, tab):
        await laptop.unlock("correct horse")
        assert phone.profile == "Ann"  # it stays unlocked
        await tab.status(state="ready", access="partitioned")
        async with await laptop.space(COUNTER) as on_laptop, await phone.space(COUNTER) as on_phone:
            for space in (on_laptop, on_phone):
                await eventually(space.items, lambda found: found == EVERYTHING)
            await eventually(lambda: tab.call("get", "count"), lambda found: found == [EVERYTHING["count"]])
            assert len(await tab.call("keys", "")) == len(EVERYTHING)
            await tab.status(sync="live", waiting=0)
            await on_laptop.set("today", True)
            await eventually(lambda: on_phone.get("today"), bool)
            await eventually(lambda: tab.call("get", "today"), lambda found: found == [True])
