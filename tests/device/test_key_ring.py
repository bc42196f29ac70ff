"""The key ring: what it answers for each space and epoch, and that nothing else derives the keys of spaces."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path

import pytest
from asynchronous import until
from relay_rig import BEGINNING, connect, relay
from space_sync_rig import SECRET, Device, alike, keys_of_the_room, stop, together, url

from masq_store.core.crypto.key_ring import GrantedKeys, ProfileKeys, RoomSecrets
from masq_store.core.space.space_ref import HOME, SpaceRef
from masq_store.core.sync.envelope import Header, parse_envelope
from masq_store.core.sync.messages import Check, Here
from masq_store.engine.sync.room_keys import RoomKeys
from masq_store.native.crypto import NativeCrypto

TESTS = Path(__file__).resolve().parents[1]
STORE = TESTS.parent / "store" / "masq_store"

THE_RINGS = {
    "home_space_info", "space_secret_info", "roster_info", "room_info", "epoch_info", "room_token_info",
    "enrolment_info", "partition_info", "backup_profile_info",
}  # fmt: skip
"""Each says what a key of a space, or of its room, is derived by."""

APP, OTHER = "https://app.example", "https://other.example"
SPACES = [
    HOME,
    SpaceRef("app", APP),
    SpaceRef("app", APP, 1),
    SpaceRef("app", OTHER),
    SpaceRef("roster", APP),
    SpaceRef("roster", OTHER),
]


def whole() -> ProfileKeys:
    """Return the ring of a profile."""
    return ProfileKeys(NativeCrypto(), b"h" * 32)


async def later(epoch: int) -> RoomKeys:
    """Return the keys of the rig's room, as if that were the room of a later epoch."""
    first = await GrantedKeys(NativeCrypto(), {HOME: SECRET}).room(HOME, 0)
    return RoomKeys(NativeCrypto(), dataclasses.replace(first, epoch=epoch))


def asked_for(source: str) -> set[str]:
    """Return which of THE_RINGS a module names."""
    names = {
        name
        for node in ast.walk(ast.parse(source))
        for name in (
            getattr(node, "attr", ""),  # keys.room_info
            getattr(node, "id", ""),  # room_info
            *(alias.name for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias)),
        )
    }
    return names & THE_RINGS


def test_nothing_else_derives_the_keys_of_spaces() -> None:
    """In the store only the ring asks how the keys of a space are derived, and it asks for each of them."""
    found = {str(path.relative_to(STORE)): asked_for(path.read_text("utf-8")) for path in STORE.rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == {"core/crypto/key_ring.py": THE_RINGS}


@pytest.mark.parametrize(
    "source",
    [
        "from masq_store.core.crypto import key_schedule as keys\nkeys.room_info()",
        "from masq_store.core.crypto.key_schedule import room_info",
        "from masq_store.core.crypto.key_schedule import room_info as other",
        "f(masq_store.core.crypto.key_schedule.room_info)",
    ],
)
def test_who_derives_one_is_found(source: str) -> None:
    """The rule can fail, however the function is named."""
    assert asked_for(source) == {"room_info"}


async def test_the_known_room() -> None:
    """A profile's ring answers the known secrets, and the known room of an app's space."""
    case = json.loads((TESTS / "vectors" / "envelope.json").read_text("utf-8"))
    ring = ProfileKeys(NativeCrypto(), bytes.fromhex(case["home_secret"]))
    space = SpaceRef("app", case["origin"], case["generation"])
    assert (await ring.secret(HOME)).hex() == case["home_space_secret"]
    assert (await ring.secret(space)).hex() == case["space_secret"]
    room = await ring.room(space, ring.newest(space))
    assert (room.epoch, room.room.hex(), room.token.hex()) == (0, case["room"], case["token"])


async def test_each_space_has_keys_of_its_own() -> None:
    """No two spaces of a profile share a secret, a room, a token, a name in a partition or a copy's root key."""
    ring, seen = whole(), set[bytes | str]()
    for space in SPACES:
        room = await ring.room(space, ring.newest(space))
        seen |= {await ring.secret(space), room.room, room.token, room.secret}
        seen |= {await ring.enrolment(space), await ring.copy_root(space, b"p" * 16)}
    assert len(seen) == 6 * len(SPACES)
    assert await ring.copy_root(HOME, b"p" * 16) != await ring.copy_root(HOME, b"q" * 16)


@pytest.mark.parametrize("space", SPACES, ids=str)
async def test_what_was_granted_is_the_same(space: SpaceRef) -> None:
    """Who was granted a space's secret gets the same answers for it as the profile, and none for another space."""
    ring = whole()
    granted = GrantedKeys(NativeCrypto(), {space: await ring.secret(space)})
    assert await granted.secret(space) == await ring.secret(space)
    assert granted.newest(space) == ring.newest(space)
    assert await granted.room(space, 0) == await ring.room(space, 0)
    assert await granted.enrolment(space) == await ring.enrolment(space)
    assert await granted.copy_root(space, b"p") == await ring.copy_root(space, b"p")
    for other in set(SPACES) - {space}:
        with pytest.raises(KeyError):
            await granted.room(other, 0)


async def test_an_epoch_that_is_not_there() -> None:
    """Nobody gets a room of an epoch that has not begun."""
    ring = whole()
    with pytest.raises(KeyError):
        await ring.room(HOME, ring.newest(HOME) + 1)


async def test_backups_of_a_profile_have_one_mark() -> None:
    """The mark is the same for one home secret, and another for each other one."""
    other = ProfileKeys(NativeCrypto(), b"o" * 32)
    assert await whole().backup_mark() == await whole().backup_mark() != await other.backup_mark()


def test_nothing_secret_is_shown() -> None:
    """What is printed of a room's secrets, in an error say, lets nobody in."""
    shown = repr(RoomSecrets(0, b"the room", b"the token", b"the secret"))
    assert "the room" in shown and "the token" not in shown and "the secret" not in shown


async def test_keys_open_their_own_epoch_alone() -> None:
    """What names another epoch is no member's word, whichever of the two is the newer one."""
    first, third = await keys_of_the_room(), await later(3)
    sealed = [
        await keys.seal(Header(keys.epoch, "ab" * 8, bytes(16), number), Check({}))
        for number, keys in enumerate((first, third))
    ]
    assert [opened is not None for opened in await first.open(sealed)] == [True, False]
    assert [opened is not None for opened in await third.open(sealed)] == [False, True]


@pytest.mark.real_time
async def test_devices_meet_in_the_epoch_of_their_keys(tmp_path: Path) -> None:
    """All that devices seal names the epoch of their room: what is kept, snapshots, and what nobody keeps."""
    async with relay(tmp_path) as running:
        one = await Device(url(running), keys=await later(3)).start()
        two = await Device(url(running), keys=await later(3)).start()
        await one.set("a", 1)
        await together(one, two)
        one.sync._write_snapshot()
        await until(lambda: running.relay.metrics.counts["snapshots_total"] == 1 and one.synced)
        await two.set("b", 2)
        await until(lambda: alike(one, two))
        watching = await connect(running.port)
        await watching.join(room=one.sync.room, token=one.sync.token, cursor=BEGINNING)
        heard = await watching.take("CURRENT")
        one.sync.say(Here("cd" * 8))
        heard += await watching.take("CAST")
        sealed = [(each[0], each[-1]) for each in heard if each[0] in ("SNAPSHOT", "ENVELOPE", "CAST")]
        assert {kind for kind, _ in sealed} == {"SNAPSHOT", "ENVELOPE", "CAST"}
        assert {parse_envelope(envelope)[0].epoch for _, envelope in sealed} == {3}
        await watching.close()
        await stop([one, two])
