"""What is noted of sync, storage and pairing: enough to find a fault, and nothing of what a person keeps."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest
from device_rig import Persons, opened, paired
from relay_rig import PATIENCE, relay

from masq.errors import QuotaExceeded
from masq_store.engine.trace import LENGTH, OFF, Kind, Trace

pytestmark = pytest.mark.real_time

NAME, PASSPHRASE = "Rosalind Franklin", "photograph fifty-one"
ORIGIN, APP = "https://helix.example", "Double helix"
KEYS, VALUES = ("measure/first", "measure/second"), ("three point four", "ten steps a turn")
DESK, LAP = "Desk at King's", "Laptop in Birkbeck"

LINE = re.compile(r" *\d+\.\d{3} (?P<kind>[a-z]+: [a-z ]+?)(?: [a-z]+=(?:\d{1,15}|[A-Z][A-Za-z]+))*")


def secrets_of(*devices: Any) -> list[str]:
    """Return all that the traces of these devices must not hold."""
    found = [NAME, PASSPHRASE, ORIGIN, "helix", APP, *KEYS, *VALUES, DESK, LAP, "127.0.0.1"]
    for device in devices:
        profile = device.engine.profile
        found += [
            profile.id,
            profile.home_secret.hex(),
            *(each["id"] for each in device.engine.parts.devices.describe()),
        ]
        for sync in device.engine.parts.sync._spaces():
            found += [sync.room.hex(), sync.token.hex(), sync.space.core.replica, *sync.space.core.vector]
    return found


async def test_nothing_of_what_a_person_keeps_is_noted(tmp_path, monkeypatch, caplog):
    """Two devices pair, write, lose the relay, fill the disk: each line is a kind with numbers and kinds of errors."""
    monkeypatch.setattr("masq_store.engine.trace.LENGTH", 10_000)

    async def played():
        async with relay(tmp_path / "relay") as running:
            url = f"ws://127.0.0.1:{running.port}"
            old, new = await opened(tmp_path / "old", url, DESK), await opened(tmp_path / "new", url, LAP)
            try:
                async with asyncio.timeout(3 * PATIENCE):
                    await story(old, new)
                traces = [device.engine.trace.lines() for device in (old, new)]
                return traces, secrets_of(old, new)
            finally:
                await new.close()
                await old.close()

    async def story(old, new):
        await old.create_profile(NAME, PASSPHRASE)
        await old.approve(ORIGIN, APP)
        one = await old.space(ORIGIN)
        await one.set(KEYS[0], VALUES[0])
        persons = Persons()
        giving = old.add_device
        old.add_device = lambda **choice: giving(**choice, passphrase=PASSPHRASE)
        assert await paired(old, new, persons) == [LAP, NAME]
        secrets.extend([persons.link.result(), persons.code.result()])
        two = await new.space(ORIGIN)
        await two.set(KEYS[1], VALUES[1])
        while await one.get(KEYS[1]) != VALUES[1]:
            await asyncio.sleep(0.01)
        for link in new.engine.relays._links.values():
            link._connection.end("a test broke it")
        write = new.engine.backend.write

        async def full(puts):
            raise QuotaExceeded("disk")

        new.engine.backend.write = full
        with pytest.raises(QuotaExceeded):
            await two.set(KEYS[0], VALUES[1])
        new.engine.backend.write = write
        await two.set(KEYS[0], VALUES[1])
        while await one.get(KEYS[0]) != VALUES[1]:
            await asyncio.sleep(0.01)

    secrets: list[str] = []
    seen: dict[str, Any] = {}

    async def scene():
        seen["traces"], found = await played()
        secrets.extend(found)

    with caplog.at_level(logging.DEBUG, "masq.device"):
        await scene()
    first, second = seen["traces"]
    lines = first + second
    assert len(first) > 20 and len(second) > 20 and len(secrets) > 20
    for line in lines:
        match = LINE.fullmatch(line)
        assert match and Kind(match["kind"]), line
    kinds = {LINE.fullmatch(line)["kind"] for line in lines}
    assert kinds >= {
        each.value
        for each in (
            Kind.CONNECTING, Kind.OPEN, Kind.WAITING, Kind.JOINED, Kind.CURRENT, Kind.READ, Kind.POSTED, Kind.WRITTEN,
            Kind.DISK_FAILED, Kind.PAIRING_BEGAN, Kind.PAIRING_HEARD, Kind.PAIRING_SENT, Kind.PAIRING_LEFT,
        )
    }  # fmt: skip
    text = "\n".join(lines)
    assert [secret for secret in secrets if str(secret) in text] == []
    logged = [record.getMessage() for record in caplog.records if record.name == "masq.device"]
    assert set(lines) <= set(logged)


def test_a_text_is_refused():
    """Nobody can note a key or a name by mistake."""
    trace = Trace(lambda: 0)
    trace.switch(True)
    for figure in ("counter", b"key", 1.5, None, ["n"]):
        with pytest.raises(TypeError):
            trace.note(Kind.READ, what=figure)  # type: ignore[arg-type]
    assert trace.lines() == []


def test_it_is_off_until_it_is_wanted():
    """Then it keeps the last events with the seconds since, and forgets them once it is off again."""
    now = [5_000]
    trace = Trace(lambda: now[0])
    trace.note(Kind.OPEN)
    assert not trace.on and trace.lines() == []
    heard: list[str] = []
    trace.switch(True, heard.append)
    now[0] += 1_500
    trace.note(Kind.REFUSED, code=6)
    trace.switch(True)
    assert trace.lines() == heard == ["     1.500 room: refused code=6"]
    for number in range(LENGTH):
        trace.note(Kind.READ, number=number, torn=False)
    assert len(trace.lines()) == LENGTH and trace.lines()[0].endswith("sync: read number=0 torn=0")
    trace.switch(False)
    trace.note(Kind.OPEN)
    assert trace.lines() == [] and len(heard) == LENGTH + 1
    assert not OFF.on
