"""What the relay gets to see: rooms, sizes and times, and nothing of what people and apps write."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest
from asynchronous import eventually, until
from relay_rig import relay
from space_sync_rig import SECRET, Device, keys_of_the_room, stop, together, url
from sync_between import ENVELOPE, POST, POST_FRONT, Between
from two_devices import device, pair
from wire_tap import found_in, kept_by, tap

from masq_store.core.crypto import key_schedule
from masq_store.native.crypto import NativeCrypto

pytestmark = pytest.mark.real_time

KEYS = ["shopping/milk and bread", "Zoë's diary", "🦊 of the woods"]
VALUES = ["three litres of milk", "nobody may ever read this", "größer als alles"]
SHORT = 6  # bytes; a text that is shorter may stand anywhere by chance


@pytest.mark.parametrize("text", ["nobody may ever read this", "Zoë 🦊 and others"])
def test_the_search_finds_what_is_there(text: str) -> None:
    """The search for known texts finds them in each encoding and at each place."""
    raw, wide = text.encode(), text.encode("utf-16-le")
    for before in range(5):
        around = os.urandom(before), os.urandom(7)
        assert found_in(around[0] + raw + around[1], text) == ["bytes"]
        assert found_in(wide.join(around), text) == ["UTF-16"]
        assert "hex" in found_in(around[0] + raw.hex().encode() + around[1], text)
        assert found_in(b64encode(raw.join(around)), text) == ["base64"]
        assert found_in(b64encode(wide.join(around)), text) == ["base64 of UTF-16"]
    assert found_in(os.urandom(10_000), text) == []


async def test_the_relay_sees_nothing_of_a_space(tmp_path: Path) -> None:
    """Of keys, values, secrets and numbers of a space at work nothing reaches the relay, snapshots included."""
    async with relay(tmp_path) as running, tap(running.port) as seen:
        one, two = await Device(url(seen)).start(), await Device(url(seen)).start()
        for key, value in zip(KEYS, VALUES, strict=True):
            await one.set(key, value)
            await two.set(key + " too", [value, {key: value}])
        await one.increment("steps walked", 987_654_321_012)
        await one.set(KEYS[0], VALUES[0].encode())
        await one.delete(KEYS[1])
        await together(one, two)
        one.sync._write_snapshot()
        await until(lambda: one.sync._snapshot is None and one.sync._sync.log.entries < 3, "the snapshot")
        await one.set("after it", "all of it is new")
        three = await Device(url(seen)).start()
        await together(one, two, three)
        texts = [*KEYS, *VALUES, "steps walked", "987654321012", "after it", "all of it is new", "vector"]
        received, kept = seen.plain(), kept_by(tmp_path)
        secret = await NativeCrypto().hkdf(SECRET, key_schedule.epoch_info(0), 32)
        for content in (received, kept, b"".join(map(bytes, seen.connections))):
            for text in [*texts, SECRET, secret]:
                assert found_in(content, text) == [], text
        room_keys = await keys_of_the_room()
        # So the tap hears, and the files are the right ones: what the relay must know is there.
        assert found_in(received, room_keys.room) and found_in(kept, room_keys.room)
        assert found_in(received, room_keys.token) and not found_in(kept, room_keys.token)
        await stop([one, two, three])


async def test_the_relay_sees_nothing_of_people_and_apps(tmp_path: Path) -> None:
    """Pairing and work of two devices: no app's origin, no name, no key, no value, no secret reaches the relay."""
    async with relay(tmp_path) as running, tap(running.port) as seen:
        old = await device(seen.port, "Laptop of Zoë")
        tab = await old.approved()
        for key, value in zip(KEYS, VALUES, strict=True):
            await tab.call("set", key, value)
        new = await device(seen.port, "Telephone of Zoë")
        await pair(old, new)
        other = new.app()
        await other.status(state="ready")
        await eventually(lambda: other.call("get", KEYS[2]), lambda found: found == [VALUES[2]])
        await other.call("set", "from the telephone", "a text from there")
        await eventually(lambda: tab.call("get", "from the telephone"), bool)
        overview = await old.page().call("overview")
        origin = overview["apps"][0]["origin"]
        names = [
            overview["profile"]["name"],
            "Laptop of Zoë",
            "Telephone",
            "from the telephone",
            "a text from there",
        ]
        texts = [*KEYS, *VALUES, *names, origin, origin.partition("//")[2], "device/", "app/"]
        received, kept = seen.plain(), kept_by(tmp_path)
        assert len(received) > 5000 and len(kept) > 5000
        for content in (received, kept):
            for text in texts:
                if len(text.encode()) >= SHORT:
                    assert found_in(content, text) == [], text
        await old.engine.stop()
        await new.engine.stop()


async def test_short_values_are_all_of_one_size(tmp_path: Path) -> None:
    """A change of a value of 1 to 200 bytes, a deletion, an increment: each is an envelope of the same size."""
    async with relay(tmp_path) as running:
        between = Between()
        one = await Device(url(running), network=between).start()
        await until(lambda: one.synced)
        for size in range(1, 201):
            await one.set("a key of some length", "x" * size)
            await until(lambda: one.synced)
        await one.increment("count", 5)
        await until(lambda: one.synced)
        await one.delete("count")
        await until(lambda: one.synced)
        sizes = [len(frame) - POST_FRONT for frame in between.kinds(between.sent, POST)]
        assert len(sizes) == 202 and len(set(sizes)) == 1, sorted(set(sizes))
        await one.stop()


async def test_longer_values_fall_into_few_classes(tmp_path: Path) -> None:
    """Of values up to 20,000 bytes the relay learns the size to about a tenth; no two envelopes are alike."""
    async with relay(tmp_path) as running:
        between, reader = Between(), Between()
        one = await Device(url(running), network=between).start()
        two = await Device(url(running), network=reader).start()
        await until(lambda: one.synced and two.synced)
        for size in range(10_000, 20_000, 50):
            await one.set("k", "x" * size)
            await until(lambda: one.synced)
        await together(one, two)
        envelopes = [frame[POST_FRONT:] for frame in between.kinds(between.sent, POST)]
        assert len(envelopes) == 200
        assert len({len(envelope) for envelope in envelopes}) < 35
        assert len(set(envelopes)) == 200
        assert len(between.kinds(reader.heard, ENVELOPE)) == 200
        await stop([one, two])
