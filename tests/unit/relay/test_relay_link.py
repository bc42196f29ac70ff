"""The link to a relay: rooms on one connection, what the relay refuses, and members that fail."""

from __future__ import annotations

import asyncio
import os

import pytest
from fake_relay import (
    MEMBER_FAILED,
    NOW_MS,
    FakeMember,
    FakeNetwork,
    error,
    framed,
    linked,
    make_link,
    now,
    raising,
    settle,
    settle_for,
    welcome,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from masq_relay import frames as relay
from masq_relay.frames import Code
from masq_store.core.errors import BadRelayAddress, RelayUnreachable
from masq_store.engine.relay import link as relay_link
from masq_store.engine.relay.link import RelayLink
from masq_store.engine.relay.relays import Relays

ENVELOPE = bytes(range(48))


def channel_of(network, member):
    """Return the channel on which the device joined this member's room last."""
    return [join.channel for join in network.socket.of(relay.Join) if join.room == member.room][-1]


async def test_it_connects_once_somebody_enters():
    """Nobody is connected to without need; then the room is joined with its token and from its cursor."""
    network, member = FakeNetwork(), FakeMember()
    link, states = make_link(network), []
    link.listeners.append(lambda: states.append(link.state))
    await settle()
    assert (link.state, network.opens) == ("closed", [])
    member.at = (7, bytes(range(16)))
    link.enter(member)
    link.enter(member)
    await settle()
    assert states == ["connecting", "open"] and link.problem is None
    (join,) = network.socket.of(relay.Join)
    assert join[1:] == (member.room, member.token, 7, bytes(range(16)))
    assert member.names() == ["joined", "current"]


async def test_what_the_relay_sends_reaches_its_member():
    """Each frame about a room goes to the member of that room and to no other, with all of its fields."""
    one, two = FakeMember(1), FakeMember(2)
    network, link = await linked(one, two)
    at = channel_of(network, one)
    before = len(two.told)
    for piece in (
        relay.snapshot_part(0, 1, 4, ENVELOPE),
        relay.envelope(5, NOW_MS, ENVELOPE),
        relay.stored(9, 6),
        relay.casted(ENVELOPE),
        relay.refused(Code.ROOM_FULL, "It is full.", 3),
    ):
        network.socket.say(framed(piece, at))
    network.socket.say(relay.others(at, 2))
    assert one.told[-6:] == [
        ("snapshot", 0, 1, 4, ENVELOPE),
        ("envelope", 5, NOW_MS, ENVELOPE),
        ("stored", 9, 6),
        ("cast", ENVELOPE),
        ("refused", 3, Code.ROOM_FULL, "It is full."),
        ("others", 2),
    ]
    assert len(two.told) == before
    assert link.state == "open"


async def test_what_a_member_sends():
    """Posts, casts and parts of snapshots go out on the room's channel."""
    one, two = FakeMember(1), FakeMember(2)
    network, link = await linked(one, two)
    assert link.post(two, 4, ENVELOPE)
    assert link.cast(two, ENVELOPE)
    assert link.snapshot(two, 5, b"snapshot", 1, 3, 9, bytes(16), ENVELOPE)
    at = channel_of(network, two)
    assert network.socket.said[-3:] == [
        relay.Post(at, 4, ENVELOPE),
        relay.Cast(at, ENVELOPE),
        relay.Snapshot(at, 5, b"snapshot", 1, 3, 9, bytes(16), ENVELOPE),
    ]


async def test_what_waits_for_the_network():
    """A link tells how much of what was sent is still waiting; without a connection nothing is."""
    network, link = await linked(FakeMember())
    network.socket.waiting = 70_000
    assert link.waiting == 70_000
    network.socket.hang_up()
    await settle()
    assert link.waiting == 0


async def test_nothing_is_sent_before_joined():
    """Until the relay has said JOINED, and after the room was left, posting says that it did nothing."""
    network, member = FakeNetwork(), FakeMember()
    network.answers = False
    link = make_link(network)

    def tried():
        return [
            link.post(member, 1, ENVELOPE),
            link.cast(member, ENVELOPE),
            link.snapshot(member, 1, bytes(8), 0, 1, 1, bytes(16), ENVELOPE),
        ]

    assert not any(tried())
    link.enter(member)
    assert not any(tried())
    await settle()
    assert not any(tried())
    network.socket.say(welcome())
    assert not any(tried())
    at = channel_of(network, member)
    network.socket.say(relay.joined(at, 0, 0, False))
    assert all(tried())
    link.leave(member)
    assert not any(tried())
    assert network.socket.said[-1] == relay.Leave(at)
    assert len(network.socket.said) == 6


async def test_a_member_that_left_is_told_nothing():
    """What is still on the way for a room that was left goes nowhere, and its channel is not used for the next."""
    one, two = FakeMember(1), FakeMember(2)
    network, link = await linked(one)
    at = channel_of(network, one)
    link.leave(one)
    link.leave(one)
    link.enter(two)
    assert channel_of(network, two) != at
    told = len(one.told)
    network.socket.say(framed(relay.envelope(1, NOW_MS, ENVELOPE), at))
    network.socket.say(error(Code.NOT_JOINED, at))
    await settle()
    network.socket.hang_up()
    await settle()
    assert len(one.told) == told
    assert two.names() == ["joined", "current", "lost"]


async def test_all_rooms_are_joined_again():
    """After a loss members hear of it, and their rooms are joined again from where they are by then."""
    one, two = FakeMember(1), FakeMember(2)
    network, link = await linked(one, two)
    network.socket.say(framed(relay.envelope(1, NOW_MS, ENVELOPE), channel_of(network, one)))
    network.socket.hang_up()
    await settle()
    assert one.names()[-1] == two.names()[-1] == "lost"
    assert not link.post(one, 1, ENVELOPE)
    while link.state != "open":
        await settle_for(0.1)
    assert [join[1:] for join in network.socket.of(relay.Join)] == [
        (one.room, one.token, 1, ENVELOPE[-16:]),
        (two.room, two.token, 0, bytes(16)),
    ]
    await settle()
    assert one.names()[-3:] == ["lost", "joined", "current"]


async def test_the_relays_clock():
    """How far the relay's clock is ahead is measured at each WELCOME, with what the relay takes."""
    network, member = FakeNetwork(), FakeMember()
    network.answers = False
    link = make_link(network)
    assert (link.offset_ms, link.max_frame, link.max_room) == (None, 0, 0)
    link.enter(member)
    await settle()
    network.socket.say(welcome(65_536, NOW_MS - 90_000))
    assert (link.offset_ms, link.max_frame, link.max_room) == (-90_000, 65_536, 1 << 28)
    network.socket.hang_up()
    await settle()
    assert link.offset_ms == -90_000


async def test_what_is_too_large_is_not_sent():
    """An envelope that does not fit into a frame is refused here; the connection stays."""
    network, member = FakeNetwork(), FakeMember()
    network.answers = False
    link = make_link(network)
    link.enter(member)
    await settle()
    network.socket.say(welcome(4096))
    network.socket.say(relay.joined(channel_of(network, member), 0, 0, False))
    sent = len(network.socket.said)
    assert link.post(member, 1, bytes(4096 - 7))
    assert link.post(member, 2, bytes(4096 - 6))
    assert link.snapshot(member, 3, bytes(8), 0, 1, 1, bytes(16), bytes(4096 - 42))
    assert len(network.socket.said) == sent + 1
    assert member.of("refused") == []  # not from within post()
    await settle()
    assert [told[:2] for told in member.of("refused")] == [
        (2, Code.FRAME_TOO_LARGE),
        (3, Code.FRAME_TOO_LARGE),
    ]
    assert link.post(member, 4, bytes(5000))
    link.leave(member)
    await settle()
    assert len(member.of("refused")) == 2


# What the relay refuses.


@pytest.mark.parametrize("code", [Code.ROOM_FULL, Code.TOO_FAST, Code.DISK_FAILED, Code.SNAPSHOT_REFUSED])
async def test_a_post_that_is_refused(code):
    """The member hears which one and why; it stays in the room."""
    member = FakeMember()
    network, link = await linked(member)
    network.socket.say(error(code, channel_of(network, member), 12))
    assert member.of("refused") == [(12, code, "As the test says.")]
    assert link.post(member, 13, ENVELOPE) and len(network.sockets) == 1


async def test_unknown_codes_about_a_post():
    """A code of a later version, about one frame, is taken for DISK_FAILED: try again later."""
    member = FakeMember()
    network, link = await linked(member)
    network.socket.say(error(999, channel_of(network, member), 12))
    assert member.of("refused") == [(12, Code.DISK_FAILED, "As the test says.")]
    assert link.state == "open"


@pytest.mark.parametrize("code", [Code.WRONG_TOKEN, Code.BAD_FRAME])
async def test_a_room_that_is_closed_to_us(code):
    """A refusal that trying again does not change is told; the room is asked for again on the next connection."""
    one, two = FakeMember(1), FakeMember(2)
    network, link = await linked(two)
    network.socket.answers = False
    link.enter(one)
    network.socket.say(error(code, channel_of(network, one)))
    assert one.of("refused") == [(0, code, "As the test says.")]
    assert not link.post(one, 1, ENVELOPE) and link.post(two, 1, ENVELOPE)
    network.socket.answers = True
    await settle_for(3600)
    assert one.names() == ["refused"] and link.state == "open"
    network.socket.hang_up()
    await settle_for(1)
    assert one.names() == ["refused", "joined", "current"]


@pytest.mark.parametrize(
    "code", [Code.TOO_MANY_ROOMS, Code.TOO_MANY_CONNECTIONS, Code.DISK_FAILED], ids=lambda code: code.name
)
async def test_a_room_that_is_closed_for_now(code):
    """A refusal that may pass is told, and the room asked for again after seconds, less and less often."""
    one, two = FakeMember(1), FakeMember(2)
    network, link = await linked(two)
    network.socket.answers = False
    link.enter(one)
    asked = [now()]
    for _ in range(8):
        network.socket.say(error(code, channel_of(network, one)))
        network.socket.said.clear()
        while not network.socket.of(relay.Join):
            network.socket.say(relay.pong(1))  # or it would count as silent
            await settle_for(1)
        asked.append(now())
    waits = [later - earlier for earlier, later in zip(asked, asked[1:], strict=False)]
    assert all(1 <= wait <= 32 for wait in waits) and waits[0] < 5 and waits[-1] > 15
    assert [told[:2] for told in one.of("refused")] == [(0, code)] * 8
    at = channel_of(network, one)
    network.socket.say(relay.joined(at, 0, 0, False))
    network.socket.say(relay.current(at, 0))
    assert one.names()[-2:] == ["joined", "current"]
    assert "lost" not in two.names() and len(network.sockets) == 1


async def test_leaving_ends_the_trying():
    """A member that left while its room was closed is not brought in later."""
    one, two = FakeMember(1), FakeMember(2)
    network, link = await linked(two)
    network.socket.answers = False
    link.enter(one)
    network.socket.say(error(Code.TOO_MANY_ROOMS, channel_of(network, one)))
    link.leave(one)
    network.socket.answers = True
    await settle_for(120)
    assert len([join for join in network.socket.of(relay.Join) if join.room == one.room]) == 1


# Members that fail.

SAID = {
    "joined": None,
    "current": None,
    "envelope": relay.envelope(1, NOW_MS, ENVELOPE),
    "snapshot": relay.snapshot_part(0, 1, 4, ENVELOPE),
    "stored": relay.stored(1, 1),
    "cast": relay.casted(ENVELOPE),
}


@pytest.mark.parametrize("name", SAID)
@pytest.mark.reports(MEMBER_FAILED)
async def test_a_member_that_fails_is_alone(name):
    """What it raises is reported; others go on; it leaves, and is given what it missed from its cursor on."""
    bad, good = FakeMember(1), FakeMember(2)
    bad.then[name] = raising
    network, link = await linked(bad, good)
    if SAID[name] is not None:
        network.socket.say(framed(SAID[name], channel_of(network, bad)))
    assert bad.names()[-1] == "lost" and not link.post(bad, 1, ENVELOPE)
    at = channel_of(network, good)
    network.socket.say(framed(relay.envelope(1, NOW_MS, ENVELOPE), at))
    assert good.of("envelope") == [(1, NOW_MS, ENVELOPE)]
    del bad.then[name]
    await settle_for(10)
    assert bad.names()[-2:] == ["joined", "current"] and link.post(bad, 1, ENVELOPE)
    leaves, joins = network.socket.of(relay.Leave), network.socket.of(relay.Join)
    assert len(leaves) == 1 and [join.number for join in joins if join.room == bad.room] == [0, 0]
    assert "lost" not in good.names() and len(network.sockets) == 1


@pytest.mark.parametrize("name", ["cursor", "refused", "lost"])
@pytest.mark.reports(MEMBER_FAILED)
async def test_a_member_that_fails_elsewhere(name):
    """The same where it is asked for its cursor, refused or told of a loss: others hear what they must."""
    bad, good = FakeMember(1), FakeMember(2)
    bad.then[name] = raising
    network, link = await linked(bad, good)
    if name == "refused":
        network.socket.say(error(Code.ROOM_FULL, channel_of(network, bad), 1))
    network.socket.hang_up()
    await settle_for(1)
    assert good.names() == ["joined", "current", "lost", "joined", "current"]
    bad.then.clear()
    await settle_for(20)
    assert bad.names()[-2:] == ["joined", "current"]


@pytest.mark.reports(MEMBER_FAILED)
async def test_a_member_that_never_stops_failing():
    """It is tried less and less often, and for ever."""
    bad = FakeMember()
    bad.then["current"] = raising
    network, link = await linked(bad)
    await settle_for(3600)
    assert 100 < len(network.socket.of(relay.Join)) < 200
    assert len(network.sockets) == 1


@pytest.mark.reports(MEMBER_FAILED)
async def test_what_went_wrong_long_ago():
    """A member that has read its room since is tried again within seconds when it fails once more."""
    member = FakeMember()
    member.then["current"] = raising
    network, link = await linked(member)
    await settle_for(600)
    member.then.clear()
    await settle_for(60)
    member.then["cast"] = raising
    network.socket.say(framed(relay.casted(ENVELOPE), channel_of(network, member)))
    assert not link.post(member, 1, ENVELOPE)
    await settle_for(4)
    assert link.post(member, 1, ENVELOPE)


@pytest.mark.reports(MEMBER_FAILED)
async def test_a_listener_that_fails():
    """What a listener raises keeps nobody from hearing the news."""
    network, member, states = FakeNetwork(), FakeMember(), []
    link = make_link(network)
    link.listeners += [raising, lambda: states.append(link.state)]
    link.enter(member)
    await settle()
    assert states == ["connecting", "open"]


async def test_members_come_and_go_from_within():
    """Whatever a member is told, it may leave, come again, bring another in or close the link from there."""
    one, two, three = FakeMember(1), FakeMember(2), FakeMember(3)
    network = FakeNetwork()
    link = make_link(network)

    def once(member, name, *calls):
        def call():
            del member.then[name]
            for each, whom in calls:
                each(whom)

        member.then[name] = call

    once(one, "joined", (link.leave, two), (link.enter, three))
    once(one, "current", (link.leave, one), (link.enter, one))
    once(three, "joined", (link.leave, three))
    link.enter(one)
    link.enter(two)
    await settle()
    assert one.names() == ["joined", "current", "joined", "current"]
    assert (two.names(), three.names()) == ([], ["joined"])
    assert [link.post(each, 1, ENVELOPE) for each in (one, two, three)] == [True, False, False]

    once(one, "lost", (link.leave, one), (link.enter, one), (link.enter, two))
    once(two, "cursor", (link.leave, two))
    network.socket.hang_up()
    await settle_for(1)
    assert [link.post(each, 1, ENVELOPE) for each in (one, two)] == [True, False]

    link.enter(two)
    await settle()
    one.then = {"cursor": link.close}
    network.socket.hang_up()
    await settle_for(1)
    assert link.state == "closed" and network.socket.over
    assert two.names() == ["joined", "current", "lost"]


# The end.


async def test_an_empty_link_ends_after_a_while():
    """Without a member the connection is kept for some seconds, then ended; the next one opens it again."""
    one, two = FakeMember(1), FakeMember(2)
    network, link = await linked(one)
    link.leave(one)
    await settle_for(relay_link.IDLE_SECONDS - 1)
    link.enter(two)
    await settle_for(60)
    assert len(network.sockets) == 1 and two.names() == ["joined", "current"]
    link.leave(two)
    await settle_for(relay_link.IDLE_SECONDS + 1)
    assert (link.state, network.socket.over) == ("closed", True)
    await settle_for(600)
    assert len(network.opens) == 1
    link.enter(one)
    await settle()
    assert (link.state, len(network.sockets)) == ("open", 2)
    assert one.names()[-2:] == ["joined", "current"]


@pytest.mark.parametrize("there", [True, False])
async def test_close_is_the_end(there):
    """A closed link lets its members know, tries nothing any more, and takes nobody in."""
    network, member = FakeNetwork(), FakeMember()
    network.there = there
    link = make_link(network)
    link.enter(member)
    await settle()
    link.close()
    link.close()
    opens = len(network.opens)
    link.enter(FakeMember(2))
    network.online()
    await settle_for(3600)
    assert (link.state, link.problem, len(network.opens)) == ("closed", None, opens)
    assert member.names() == (["joined", "current", "lost"] if there else [])
    assert all(socket.over for socket in network.sockets)


async def test_close_while_it_connects():
    """A connection that comes to stand after the end is ended too."""
    network, member = FakeNetwork(), FakeMember()
    link = make_link(network)
    link.enter(member)
    while not network.opens:
        await asyncio.sleep(0)
    link.close()
    await settle_for(60)
    assert all(socket.over for socket in network.sockets)
    assert member.names() == []


async def test_one_link_for_each_address():
    """Who asks for the same relay gets the same link; all end together."""
    network, member = FakeNetwork(), FakeMember()
    relays = Relays(network, now_ms=lambda: NOW_MS, random=os.urandom)
    link = relays.get("wss://relay.test/")
    assert relays.get("wss://relay.test/") is link
    assert relays.get("wss://other.test/") is not link
    link.enter(member)
    await settle()
    relays.close()
    assert link.state == "closed"
    with pytest.raises(BadRelayAddress):
        relays.get("ws://relay.test/")


# A relay that misbehaves.

ODD = {
    "no frame": b"",
    "an unknown kind": b"\x20abc",
    "a device's frame": b"\x04\0\1" + bytes(40),
    "a cut frame": relay.current(1, 5)[:-1],
    "WELCOME twice": welcome(),
    "JOINED twice": relay.joined(1, 0, 0, False),
}


@pytest.mark.parametrize("frame", ODD.values(), ids=ODD)
async def test_what_a_relay_may_not_send(frame):
    """It ends the connection and is counted; members hear of a loss and nothing else; it is tried again later."""
    member = FakeMember()
    network, link = await linked(member)
    assert channel_of(network, member) == 1
    network.socket.say(frame)
    network.socket.say(framed(relay.envelope(1, NOW_MS, ENVELOPE), 1))
    assert member.names() == ["joined", "current", "lost"]
    await settle()
    assert (link.state, link.bad_frames) == ("waiting", 1) and network.sockets[0].over
    assert isinstance(link.problem, RelayUnreachable)
    assert "does not understand" in link.problem.fields["reason"]
    await settle_for(1)
    assert len(network.opens) == 1
    await settle_for(5)
    assert link.state == "open" and member.names()[-1] == "current"


@pytest.mark.parametrize(
    "frame",
    [relay.joined(1, 0, 0, False), relay.pong(1), framed(relay.casted(ENVELOPE), 1), b"\x81"],
    ids=["JOINED", "PONG", "CAST", "cut WELCOME"],
)
async def test_before_welcome(frame):
    """Nothing comes before WELCOME."""
    network, member = FakeNetwork(), FakeMember()
    network.answers = False
    link = make_link(network)
    link.enter(member)
    await settle()
    network.socket.say(frame)
    network.socket.say(welcome())
    await settle()
    assert (link.state, link.bad_frames, member.told) == ("waiting", 1, [])
    assert network.socket.over


@pytest.mark.parametrize("kind", ["envelope", "stored", "cast", "others", "current", "snapshot"])
async def test_before_joined(kind):
    """Nothing about a room comes before its JOINED."""
    one, two = FakeMember(1), FakeMember(2)
    network, link = await linked(one)
    network.socket.answers = False
    link.enter(two)
    at = channel_of(network, two)
    pieces = {name: framed(piece, at) for name, piece in SAID.items() if isinstance(piece, tuple)} | {
        "others": relay.others(at, 1),
        "current": relay.current(at, 0),
    }
    network.socket.say(pieces[kind])
    assert (two.names(), one.names()[-1], link.bad_frames) == ([], "lost", 0)
    await settle()
    assert (link.state, link.bad_frames) == ("waiting", 1)


async def test_a_relay_that_forgets_who_is_there():
    """NOT_JOINED for a room that is joined begins a new connection: the two sides do not agree any more."""
    member = FakeMember()
    network, link = await linked(member)
    network.socket.say(error(Code.NOT_JOINED, channel_of(network, member), 4))
    await settle()
    assert (link.state, link.bad_frames, member.names()[-1]) == ("waiting", 1, "lost")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=4), st.integers(0x81, 0x8F), st.binary(max_size=120))
async def test_any_bytes_do_no_harm(frames, kind, rest):
    """Whatever a relay sends, nothing is raised, and in the end all members are in their rooms again."""
    one, two = FakeMember(1), FakeMember(2)
    network, link = await linked(one, two)
    for frame in (*frames, bytes([kind]) + rest, bytes([kind, 0, 1]) + rest):
        network.socket.say(frame)
    await settle_for(60)
    network.online()
    await settle_for(60)
    assert link.state == "open"
    network.socket.hang_up()
    await settle_for(60)
    assert link.post(one, 1, ENVELOPE) and link.post(two, 1, ENVELOPE)


async def test_an_address_that_is_none():
    """A link to what is no relay's address cannot be made."""
    with pytest.raises(BadRelayAddress):
        RelayLink(FakeNetwork(), "https://relay.test", now_ms=lambda: 0, random=os.urandom)
