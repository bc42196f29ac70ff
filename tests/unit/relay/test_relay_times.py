"""The link to a relay: when it is tried again, and how a silent relay is found. No test waits for real seconds."""

from __future__ import annotations

import pytest
from fake_relay import (
    NOW_MS,
    FakeMember,
    FakeNetwork,
    error,
    framed,
    linked,
    make_link,
    now,
    settle,
    settle_for,
    welcome,
)

from masq_relay import frames as relay
from masq_relay.frames import Code
from masq_store.core.errors import RelayUnreachable
from masq_store.engine.relay import connection
from masq_store.engine.relay import link as relay_link

ENVELOPE = bytes(range(48))


def waits(network):
    """Return the seconds between one attempt and the next."""
    return [
        round(later - earlier, 3) for earlier, later in zip(network.opens, network.opens[1:], strict=False)
    ]


@pytest.mark.parametrize("draw", [b"\0\0\0\0", b"\xff\xff\xff\xff"], ids=["least", "most"])
async def test_attempts_grow_rarer(draw):
    """A relay that is not there is tried at once, then more and more rarely, at last every half minute or so."""
    network, member = FakeNetwork(there=False), FakeMember()
    link = make_link(network, draw)
    link.enter(member)
    await settle_for(600)
    found = waits(network)
    assert all(0.2 <= wait <= 30 for wait in found)
    assert found == sorted(found) and found[0] < 0.5 and found[-1] >= 15
    assert 20 < len(found) < 50
    assert (link.state, str(link.problem)) == ("waiting", str(RelayUnreachable()))
    assert member.told == []


async def test_it_is_found_when_it_is_back():
    """A relay that comes back is joined within the half minute, and the problem is gone."""
    network, member, problems = FakeNetwork(there=False), FakeMember(), []
    link = make_link(network)
    link.listeners.append(lambda: problems.append(link.problem))
    link.enter(member)
    await settle_for(600)
    assert all(problem is not None for problem in problems[1:])  # it does not come and go with each attempt
    network.there = True
    await settle_for(31)
    assert (link.state, link.problem) == ("open", None) and member.names() == ["joined", "current"]


async def test_at_once_when_the_network_is_back():
    """`online` ends the waiting, and what failed before counts no more."""
    network, member = FakeNetwork(there=False), FakeMember()
    link = make_link(network)
    link.enter(member)
    await settle_for(600)
    tried = len(network.opens)
    network.online()
    await settle()
    assert len(network.opens) == tried + 1
    await settle_for(1)
    assert len(network.opens) > tried + 1
    network.there = True
    network.online()
    await settle()
    assert link.state == "open"


@pytest.mark.parametrize("reason", ["it ended the connection", "the connection broke"])
async def test_the_end_of_a_good_connection(reason):
    """However a connection ended, after a while that went well the next is made within half a second."""
    member = FakeMember()
    network, link = await linked(member)
    for _ in range(5):
        await settle_for(relay_link.STEADY_SECONDS)
        network.socket.hang_up(reason)
        await settle()
        assert link.problem.fields["reason"] == reason
        await settle_for(0.5)
        assert link.state == "open"
    assert member.of("lost") == [()] * 5


async def test_a_relay_that_ends_every_connection():
    """Connections that end as soon as they stand count as failures, or the relay would be called without end."""
    network, member = FakeNetwork(), FakeMember()
    link = make_link(network)
    link.listeners.append(lambda: link.state == "open" and network.socket.hang_up())
    link.enter(member)
    await settle_for(600)
    assert len(network.opens) < 50 and waits(network)[-1] > 15


@pytest.mark.reports("a network failed")
async def test_a_network_that_fails_oddly():
    """Whatever the network raises is reported and taken for a relay that is not there."""
    network, member = FakeNetwork(), FakeMember()
    network.there, network.failure = False, ZeroDivisionError()
    link = make_link(network)
    link.enter(member)
    await settle()
    assert link.state == "waiting" and isinstance(link.problem, RelayUnreachable)
    network.there = True
    await settle_for(1)
    assert link.state == "open"


SOON, SECONDS, LATE = (0.2, 0.5), (1.5, 4), (15, 31)


@pytest.mark.parametrize(
    ("code", "wait"),
    [
        (Code.BAD_FRAME, SECONDS),
        (Code.VERSION, LATE),
        (Code.FRAME_TOO_LARGE, SECONDS),
        (Code.TOO_MANY_CONNECTIONS, SECONDS),
        (Code.TOO_FAST, SECONDS),
        (Code.TOO_SLOW, SOON),
        (Code.STOPPING, SOON),
        (Code.DISK_FAILED, SECONDS),
        (999, SOON),
    ],
)
@pytest.mark.parametrize("greeted", [True, False])
async def test_errors_about_the_connection(code, wait, greeted):
    """Each ends it from this side too, is said in words and has its own wait, before WELCOME as after."""
    network, member = FakeNetwork(), FakeMember()
    network.answers = greeted
    link = make_link(network)
    link.enter(member)
    await settle()
    network.answers = True
    began = now()
    network.socket.say(error(code))
    network.socket.say(framed(relay.envelope(1, NOW_MS, ENVELOPE), 1))
    await settle()
    assert network.sockets[0].over and link.state == "waiting"
    assert link.problem.fields["reason"] and link.bad_frames == 0
    assert member.names() == (["joined", "current", "lost"] if greeted else [])
    while len(network.opens) == 1:
        await settle_for(0.05)
    assert wait[0] <= now() - began <= wait[1]
    await settle()
    assert link.state == "open"


@pytest.mark.parametrize("code", [Code.TOO_FAST, Code.TOO_SLOW, Code.STOPPING, Code.VERSION, 999])
async def test_errors_without_a_frame(code):
    """Those about no one frame end the connection on a room's channel too, codes of later versions included."""
    member = FakeMember()
    network, link = await linked(member)
    network.socket.say(error(code, 1))
    await settle()
    assert (link.state, member.names()[-1]) == ("waiting", "lost")


async def test_a_relay_of_another_version():
    """WELCOME of another version is no welcome: it is said, and tried again rarely."""
    network, member = FakeNetwork(), FakeMember()
    network.answers = False
    link = make_link(network)
    link.enter(member)
    await settle()
    network.socket.say(b"\x81\x02 and more")
    await settle()
    assert "version" in link.problem.fields["reason"] and network.socket.over
    await settle_for(15)
    assert len(network.opens) == 1 and member.told == []


# Silence.


async def test_no_welcome():
    """A relay that takes the connection and says nothing is given up after ten seconds."""
    network, member = FakeNetwork(), FakeMember()
    network.answers = False
    link = make_link(network)
    link.enter(member)
    await settle_for(connection.WELCOME_SECONDS - 0.5)
    assert link.state == "connecting" and not network.socket.over
    await settle_for(0.6)
    assert network.sockets[0].over
    assert link.problem.fields["reason"] == "it does not answer"


async def test_a_quiet_relay_is_asked():
    """After twenty seconds without a word the relay is asked; as long as it answers, the connection stays for days."""
    member = FakeMember()
    network, link = await linked(member)
    began = now()
    await settle_for(connection.SILENCE_SECONDS - 0.5)
    assert network.socket.of(relay.Ping) == []
    await settle_for(1)
    assert len(network.socket.of(relay.Ping)) == 1
    await settle_for(3600)
    pings = network.socket.of(relay.Ping)
    assert len(pings) == len(set(pings)) == (now() - began) // connection.SILENCE_SECONDS
    assert link.state == "open" and len(network.sockets) == 1


async def test_a_silent_relay_is_found():
    """A relay that does not answer for twenty seconds more is dropped; members hear of it, and all begins again."""
    member = FakeMember()
    network, link = await linked(member)
    network.socket.answers = False
    await settle_for(39.5)
    assert link.state == "open"
    await settle_for(1)
    assert network.sockets[0].over
    assert member.names() == ["joined", "current", "lost", "joined", "current"]


async def test_any_word_is_an_answer():
    """A relay that goes on sending is there, whether it answers or not."""
    member = FakeMember()
    network, link = await linked(member)
    network.socket.answers = False
    for number in range(1, 20):
        network.socket.say(framed(relay.envelope(number, NOW_MS, ENVELOPE), 1))
        await settle_for(35)
    assert link.state == "open" and len(network.sockets) == 1
    assert len(network.socket.of(relay.Ping)) == 19


async def test_a_slow_way_out_is_no_silence():
    """While what was sent is still getting through, the answer cannot have come; when nothing moves, it is silence."""
    member = FakeMember()
    network, link = await linked(member)
    network.socket.answers = False
    for left in range(60, 0, -1):
        network.socket.waiting = left * 10_000
        await settle_for(10)
    assert link.state == "open" and len(network.sockets) == 1
    await settle_for(60)
    assert network.sockets[0].over


async def test_a_way_out_that_was_stuck():
    """The same where the relay was asked while nothing moved, and then it moves again."""
    member = FakeMember()
    network, link = await linked(member)
    network.socket.answers = False
    network.socket.waiting = 1_000_000
    await settle_for(25)
    assert len(network.socket.of(relay.Ping)) == 1
    for _ in range(10):
        network.socket.waiting -= 10_000
        await settle_for(19)
    assert link.state == "open" and len(network.sockets) == 1


async def test_another_network_is_noticed_soon():
    """After `online` an open connection has five seconds to show that it has survived."""
    member = FakeMember()
    network, link = await linked(member)
    await settle_for(5)
    network.online()
    await settle_for(60)
    assert link.state == "open" and len(network.sockets) == 1
    network.socket.answers = False
    network.online()
    await settle_for(connection.QUICK_ANSWER_SECONDS + 1)
    assert network.sockets[0].over and link.state == "open"


async def test_a_machine_that_slept():
    """Timers that come hours late ask first: a relay that answers then has not been silent."""
    member = FakeMember()
    network, link = await linked(member)
    await settle_for(10)
    network.skip(8 * 3600)
    await settle_for(30)
    assert link.state == "open" and len(network.sockets) == 1


async def test_welcome_may_come_late():
    """A relay that needs nine seconds for its first word is a relay."""
    network, member = FakeNetwork(), FakeMember()
    network.answers = False
    link = make_link(network)
    link.enter(member)
    await settle_for(9)
    network.socket.say(welcome())
    assert link.state == "open"
    await settle_for(15)
    assert link.state == "open"
