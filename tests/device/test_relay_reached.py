"""Devices and a real relay: the link over CPython's WebSocket, with what the relay keeps, refuses and forgets."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager

import pytest
import relay_rig
from asynchronous import until
from fake_relay import FakeMember

from masq_relay.frames import Code
from masq_store.core.relay import frames
from masq_store.engine.relay.link import RelayLink
from masq_store.native.websocket import NativeNetwork

pytestmark = pytest.mark.real_time


class Devices:
    """Links that end with the test."""

    def __init__(self):
        self.links = []

    def link(self, port):
        """Return a new device's link to the relay at `port`."""
        url = f"ws://127.0.0.1:{port}/"
        made = RelayLink(
            NativeNetwork(), url, now_ms=lambda: relay_rig.Clock().ms, random=lambda size: bytes(size)
        )
        self.links.append(made)
        return made

    async def member(self, port, number=1):
        """Return a member that has read its room, and its link."""
        link, member = self.link(port), FakeMember(number)
        link.enter(member)
        await until(lambda: member.of("current"))
        return link, member


@pytest.fixture
@asynccontextmanager
async def devices():
    """Devices that end with the test."""
    found = Devices()
    try:
        yield found
    finally:
        for link in found.links:
            link.close()


def sealed(size=64):
    """Return something like an envelope."""
    return os.urandom(size)


async def test_two_devices_meet(devices, tmp_path):
    """What one posts is stored and numbered, and reaches the other; a third reads it later; casts are not kept."""
    async with relay_rig.relay(tmp_path, relay_rig.Clock()) as running:
        link, one = await devices.member(running.port)
        _, two = await devices.member(running.port)
        await until(lambda: one.of("others") == [(1,)])
        sent = [sealed() for _ in range(200)]
        for ref, envelope in enumerate(sent, 1):
            assert link.post(one, ref, envelope)
        assert link.cast(one, sealed())
        await until(lambda: two.of("cast"))
        assert one.of("stored") == [(ref, ref) for ref in range(1, 201)]
        assert [(number, envelope) for number, _, envelope in two.of("envelope")] == list(enumerate(sent, 1))
        _, three = await devices.member(running.port)
        assert three.of("joined") == [(200, 2, False)]
        assert [told[2] for told in three.of("envelope")] == sent and not three.of("cast")
        assert link.offset_ms == 0 and link.max_frame == running.relay.limits.frame


async def test_many_rooms_on_one_connection(devices, tmp_path):
    """Five hundred rooms share one socket; what is posted in each reaches that room alone."""
    async with relay_rig.relay(tmp_path) as running:
        mine, yours = devices.link(running.port), devices.link(running.port)
        members = []
        for number in range(500):
            pair = FakeMember(), FakeMember()
            for member, link in zip(pair, (mine, yours), strict=True):
                member.room = number.to_bytes(16, "big")
                link.enter(member)
            members.append(pair)
        await until(lambda: all(each.of("current") for pair in members for each in pair))
        sent = [sealed() for _ in members]
        for (one, _), envelope in zip(members, sent, strict=True):
            assert mine.post(one, 1, envelope)
        await until(lambda: all(other.of("envelope") for _, other in members))
        assert [[told[2] for told in other.of("envelope")] for _, other in members] == [
            [envelope] for envelope in sent
        ]
        assert len(running.relay.connections) == 2


async def test_a_relay_that_is_started_again(devices, tmp_path):
    """When the relay stops members hear of it; when it is back they go on from where they were, by themselves."""
    async with relay_rig.relay(tmp_path) as running:
        port = running.port
        link, one = await devices.member(port)
        _, two = await devices.member(port)
        link.post(one, 1, sealed())
        await until(lambda: two.of("envelope") and one.of("stored"))
        one.at = (1, two.at[1])
    await until(lambda: one.of("lost") and two.of("lost"))
    assert link.problem is not None and not link.post(one, 2, sealed())
    async with relay_rig.relay(tmp_path, port=port):
        await until(lambda: len(one.of("current")) == len(two.of("current")) == 2)
        assert [told[0] for told in one.of("joined") + two.of("joined")] == [0, 1, 0, 1]
        assert not any(reset for _, _, reset in one.of("joined") + two.of("joined"))
        link.post(one, 2, sealed())
        await until(lambda: len(two.of("envelope")) == 2 and len(one.of("stored")) == 2)


async def test_another_token(devices, tmp_path):
    """A room that was made with another token is refused; the other rooms of the link are not concerned."""
    async with relay_rig.relay(tmp_path) as running:
        await devices.member(running.port, 1)
        link, two = await devices.member(running.port, 2)
        one = FakeMember(1)
        one.token = bytes(32)
        link.enter(one)
        await until(lambda: one.of("refused"))
        assert [told[:2] for told in one.of("refused")] == [(0, Code.WRONG_TOKEN)]
        assert link.post(two, 1, sealed())
        await until(lambda: two.of("stored"))


async def test_a_room_twice_on_one_link(devices, tmp_path):
    """A second member of the same room on the same link is refused; the first stays."""
    async with relay_rig.relay(tmp_path) as running:
        link, one = await devices.member(running.port, 1)
        again = FakeMember(1)
        link.enter(again)
        await until(lambda: again.of("refused"))
        assert again.of("refused")[0][:2] == (0, Code.BAD_FRAME)
        assert link.post(one, 1, sealed()) and not link.post(again, 1, sealed())
        await until(lambda: one.of("stored"))
        assert link.state == "open"


async def test_a_snapshot(devices, tmp_path):
    """A snapshot in two parts takes the place of the log; who comes later is given it, and what came after."""
    async with relay_rig.relay(tmp_path) as running:
        link, one = await devices.member(running.port)
        log = [sealed() for _ in range(3)]
        for ref, envelope in enumerate(log, 1):
            link.post(one, ref, envelope)
        await until(lambda: len(one.of("stored")) == 3)
        parts = [sealed(), sealed()]
        for part, envelope in enumerate(parts):
            assert link.snapshot(one, 10 + part, b"snapshot", part, 2, 3, log[2][-16:], envelope)
        await until(lambda: len(one.of("stored")) == 5)
        assert one.of("stored")[3:] == [(10, 3), (11, 3)]
        last = sealed()
        link.post(one, 4, last)
        await until(lambda: len(one.of("stored")) == 6)
        _, two = await devices.member(running.port)
        assert two.of("snapshot") == [(0, 2, 3, parts[0]), (1, 2, 3, parts[1])]
        assert [(told[0], told[2]) for told in two.of("envelope")] == [(4, last)]
        assert not link.snapshot(two, 1, bytes(8), 0, 1, 1, bytes(16), last)  # not a member of this link
        assert link.snapshot(one, 12, b"another!", 1, 2, 4, last[-16:], last)
        await until(lambda: one.of("refused"))
        assert one.of("refused")[0][:2] == (12, Code.SNAPSHOT_REFUSED)


async def test_a_cursor_that_is_gone(devices, tmp_path):
    """A cursor that the log does not hold is answered with a reset and all of the log."""
    async with relay_rig.relay(tmp_path) as running:
        link, one = await devices.member(running.port)
        link.post(one, 1, sealed())
        await until(lambda: one.of("stored"))
        other, two = devices.link(running.port), FakeMember()
        two.at = (1, bytes(16))
        other.enter(two)
        await until(lambda: two.of("current"))
        assert two.of("joined") == [(1, 1, True)] and len(two.of("envelope")) == 1


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"peer_rooms": 1}, Code.TOO_MANY_ROOMS), ({"members": 1}, Code.TOO_MANY_CONNECTIONS)],
)
async def test_a_relay_with_no_room_left(devices, tmp_path, limits, code):
    """A room that the relay has no place for is refused, and joined by itself once there is one."""
    async with relay_rig.relay(tmp_path, **limits) as running:
        link, one = await devices.member(running.port, 1)
        number = 1 if "members" in limits else 2
        other, two = devices.link(running.port), FakeMember(number)
        other.enter(two)
        await until(lambda: two.of("refused"))
        assert two.of("refused")[0][:2] == (0, code)
        link.leave(one)
        await until(lambda: two.of("current"))
        assert other.post(two, 1, sealed())


async def test_the_largest_envelope(devices, tmp_path):
    """An envelope of just the largest frame is kept; one byte more is refused here, and costs nobody the connection."""
    async with relay_rig.relay(tmp_path, frame=8192) as running:
        link, one = await devices.member(running.port)
        most = link.max_frame - frames.POST_HEADER
        link.post(one, 1, sealed(most))
        link.post(one, 2, sealed(most + 1))
        await until(lambda: one.of("stored") and one.of("refused"))
        assert one.of("refused")[0][:2] == (2, Code.FRAME_TOO_LARGE)
        _, two = await devices.member(running.port)
        assert len(two.of("envelope")[0][2]) == most and not one.of("lost")


async def test_a_full_room(devices, tmp_path):
    """What a full room does not take is refused by its ref, and all else goes on."""
    async with relay_rig.relay(tmp_path, room=20_000, frame=8192) as running:
        link, one = await devices.member(running.port)
        for ref in range(1, 4):
            link.post(one, ref, sealed(8000))
        await until(lambda: one.of("refused"))
        assert one.of("refused")[0][:2] == (3, Code.ROOM_FULL)
        await until(lambda: one.of("stored") == [(1, 1), (2, 2)])
        assert link.max_room == 20_000 and link.state == "open"


async def test_the_link_ends_with_its_last_member(devices, tmp_path):
    """After close the relay has no connection left."""
    async with relay_rig.relay(tmp_path) as running:
        link, _ = await devices.member(running.port)
        assert len(running.relay.connections) == 1
        link.close()
        await until(lambda: not running.relay.connections)
