"""Whatever one app sends, or leaves unread, has a bound, and the others' calls go on beside it."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from engine_rig import APP, OTHER, Peer, Rig

from masq.errors import NotRegistered
from masq_store.core.space.space import Space
from masq_store.engine.sessions import app_session, outbox
from masq_store.engine.sessions.answers import MAX_MESSAGE_BYTES
from masq_store.engine.sessions.turns import QUIET_SECONDS, SHORT_SECONDS, Share, Turns
from masq_store.engine.sessions.watches import Watches

NONCE = "ab" * 16


class Ticking:
    """A clock that goes on by a tenth of a millisecond with each look at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time, seconds."""
        self.now += 0.0001
        return self.now


def message(*calls: list[Any]) -> str:
    """Return calls as they travel."""
    return json.dumps({"masq": 1, "calls": calls})


def replies(peer: Peer) -> list[Any]:
    """Return what was replied to an app so far, of long answers the end."""
    return [reply for reply in peer.replies() if reply[2:] != [True]]


def found(peer: Peer, field: str) -> list[Any]:
    """Return what an app has heard under a field so far."""
    return [heard[field] for heard in peer.port.heard if field in heard]


async def two_apps() -> tuple[Rig, Peer, Peer]:
    """Return two approved apps of one engine whose clock goes on when it is looked at."""
    rig = await Rig().start()
    rig.engine.turns.clock = Ticking()
    return rig, await rig.approved(APP), await rig.approved(OTHER)


# What is sent ----------------------------------------------------------------------------------------------------


async def test_a_message_that_is_too_long_ends_its_session() -> None:
    """It is not read; the app hears a named error, and the engine forgets the session. Others go on."""
    rig, tab, other = await two_apps()
    tab.port.say(" " * app_session.MAX_RECEIVED_CHARACTERS + message([1, "set", "k", 1]))
    assert [error[0] for error in found(tab, "closed")] == ["ProtocolError"]
    assert not tab.port.open and rig.engine.connected.apps.tabs(APP) == 0
    tab.port.say(message([2, "get", "k"]))
    assert replies(tab) == []
    assert await other.call("set", "k", 2) is None
    assert await (await rig.approved(APP)).call("get", "k") == []


async def test_the_largest_message_is_taken() -> None:
    """What the protocol allows is carried out."""
    _, tab, _ = await two_apps()
    values = {f"k{n}": "x" * 262_000 for n in range(15)}
    assert await tab.call("update", list(values.items())) is None
    assert len(await tab.call("keys", "")) == 15


async def test_what_waits_for_a_space_has_a_bound_in_bytes() -> None:
    """Before it is known what an app may do it can leave no more than some megabytes."""
    rig = await Rig().start()
    tab = rig.app(APP)
    kept = 0
    while not found(tab, "closed"):
        tab.port.say("x" * 100_000)
        kept += 100_000
    assert kept < 2 * app_session.MAX_WAITING_CHARACTERS
    assert found(tab, "closed")[0][0] == "ProtocolError"


async def test_short_messages_count_too() -> None:
    """An app cannot have the store keep any number of tiny messages either."""
    rig = await Rig().start()
    tab = rig.app(APP)
    sent = 0
    while not found(tab, "closed"):
        tab.port.say("x")
        sent += 1
    assert sent < 50_000


async def test_a_strangers_long_message_is_refused_unread() -> None:
    """One NotRegistered answers it, even where it is no message at all; a short one's calls get one each."""
    rig = await Rig().start()
    tab = rig.app(APP)
    await tab.status(state="unregistered")
    tab.port.say("[" * 5_000)
    assert [error[0] for error in found(tab, "error")] == ["NotRegistered"]
    tab.port.say(message(*[[n, "get", "k"] for n in range(1, 100_000)]))
    assert len(found(tab, "error")) == 2 and replies(tab) == []
    answers = await tab.calls(("get", "a"), ("set", "a", 1))
    assert [answer[0] for answer in answers] == ["NotRegistered"] * 2


async def test_what_a_stranger_says_is_kept_away_from_the_engine() -> None:
    """Its frame is told to refuse for the engine, also what came before; once allowed, or locked, calls come here."""
    rig = await Rig().start()
    tab = rig.app(APP)
    told: list[Any] = []
    tab.session.on_refused = told.append  # type: ignore[attr-defined]
    for number in range(1, 100):
        tab.port.say(message([number, "get", "k"]))
    await tab.status(state="unregistered")
    assert [error[0] for error in found(tab, "error")] == ["NotRegistered"] and replies(tab) == []
    assert [error and error[0] for error in told] == ["NotRegistered"]
    page = rig.page()
    await page.call("create_profile", "Ann", "a long passphrase", False)
    await rig.engine.commands.answer(tab.session.nonce, True)  # type: ignore[attr-defined]
    await tab.status(state="ready")
    assert told[-1] is None
    await page.call("lock")
    await tab.status(state="locked")
    assert told[-1] is None
    assert (await tab.call("get", "k"))[0] == "Locked"


# Turns -----------------------------------------------------------------------------------------------------------


async def test_a_long_message_lets_others_in_and_keeps_its_order() -> None:
    """Another app's call is answered while most of the calls of a long message still wait; those go on in order."""
    _, tab, other = await two_apps()
    tab.port.say(
        message(*[[n, "set", f"k{n}", n] if n % 2 else [n, "get", f"k{n - 1}"] for n in range(1, 4001)])
    )
    assert await other.call("get", "k") == []
    assert len(replies(tab)) < 1000
    await tab.reply(4000)
    reads = [reply for reply in replies(tab) if reply[0] % 2 == 0]
    assert reads == [[n, [n - 1]] for n in range(2, 4001, 2)]


async def test_many_messages_let_others_in() -> None:
    """It is all the same whether an app sends its calls in one message or in many."""
    _, tab, other = await two_apps()
    await other.call("get", "k")
    for n in range(1, 4001):
        tab.port.say(message([n, "get", "k"]))
    assert await other.call("get", "k") == []
    assert len(replies(tab)) < 1000
    await tab.reply(4000)
    assert [reply[0] for reply in replies(tab)] == list(range(1, 4001))


async def test_a_call_sees_the_writes_before_it_across_turns() -> None:
    """A message that comes while a longer one waits is carried out after it."""
    _, tab, _ = await two_apps()
    tab.port.say(message(*[[n, "set", "k", n] for n in range(1, 2001)]))
    tab.port.say(message([2001, "get", "k"]))
    assert await tab.reply(2001) == [2000]


async def test_one_long_call_lets_others_in() -> None:
    """An `update`, `items`, `get_many` or `delete` of many keys stops for others; it is all or nothing all the same."""
    rig, tab, other = await two_apps()
    keys = [f"k{n:05}" for n in range(5_000)]
    calls = [["update", [[key, 1] for key in keys]], ["items", ""], ["get_many", keys], ["delete", keys]]
    before, after = {0}, {5_000}
    for number, call in enumerate(calls, 1):
        tab.port.say(message([number, *call], [number + 100, "keys", ""]))
        turns = 0
        space = tab.session.space.core  # type: ignore[attr-defined]
        while not any(reply[0] == number for reply in replies(tab)):
            assert await other.call("get", "k") == []
            assert space.live in before | after
            turns += 1
        assert turns > 5, call[0]
        await tab.reply(number + 100)
        before, after = (after, {0}) if call[0] == "get_many" else (after, after)
    found_keys = {reply[0]: reply[1] for reply in replies(tab)}
    assert found_keys[2] == found_keys[3] == [[key, 1] for key in keys]
    assert found_keys[101] == found_keys[103] == keys and found_keys[104] == []
    tab.port.say(message([200, "update", [["a", 1]] * 5_000 + [["", 1]]], [201, "has", "a"]))
    assert await tab.reply(201) is False
    assert (await tab.reply(200))[0] == "InvalidKey"


async def test_a_change_in_the_middle_of_a_long_answer_comes_behind_it() -> None:
    """What an answer holds is older than every change that is told after it began: whoever takes both ends up right."""
    rig, tab, _ = await two_apps()
    await tab.call("update", [[f"k{n:04}", 0] for n in range(5000)])
    await tab.call("watch", "", False)
    tab.port.say(message([10, "items", ""]))
    assert tab.session._long  # type: ignore[attr-defined]
    for listener in tab.session.space.listeners:  # type: ignore[attr-defined]
        listener(["k0000"], None)  # as when another tab's write is on the disk
    await tab.port.until(lambda heard: heard.get("changes"))
    order = [
        "changes" if "changes" in heard else "answer"
        for heard in tab.port.heard
        if "changes" in heard or any(reply[0] == 10 for reply in heard.get("replies", ()))
    ]
    assert order[-1] == "changes" and order.count("changes") >= 1 and "answer" in order
    assert "changes" not in order[order.index("answer") : -1]


async def test_what_was_answered_comes_before_the_error() -> None:
    """Where a long message cannot be read on, the calls before that place have their answers first."""
    _, tab, _ = await two_apps()
    good = ",".join(f'[{n},"get","k"]' for n in range(1, 1000))
    tab.port.say('{"masq":1,"calls":[' + good + ",7]}")
    await tab.port.until(lambda heard: heard.get("error"))
    assert [reply[0] for reply in replies(tab)] == list(range(1, 1000))
    assert "error" in tab.port.heard[-1]


async def test_a_long_call_meets_the_space_that_is_there_at_its_end() -> None:
    """A call whose profile closes in its middle shows nothing of it: it is done in the next, or refused as all are."""
    _, tab, _ = await two_apps()
    await tab.call("update", [[f"k{n}", "mine"] for n in range(5000)])
    tab.port.say(message([10, "items", ""]))
    assert tab.session._long  # type: ignore[attr-defined]
    tab.session.leave()  # type: ignore[attr-defined]
    tab.session.refuse(NotRegistered(APP), {"state": "unregistered"})  # type: ignore[attr-defined]
    assert (await tab.reply(10))[0] == "NotRegistered"


async def test_a_long_call_is_handed_over_whole() -> None:
    """An engine that steps down in the middle of a long call leaves it to the next one, with what is behind it."""
    rig, tab, _ = await two_apps()
    long = [[f"k{n}", n] for n in range(5000)]
    tab.port.say(
        message(
            [1, "get", "k"], [2, "update", long], [3, "get", "k4999"], *[[n, "ping"] for n in range(4, 3000)]
        )
    )
    while not tab.session._long:  # type: ignore[attr-defined]
        await asyncio.sleep(0)
    await rig.engine.stop()
    [(_, port, state)] = [found for found in rig.engine.hand_over() if found[0].origin == APP]
    assert {reply[0] for reply in replies(tab)} == {1}
    await rig.restart()
    app = {name: state["app"][name] for name in ("name", "description", "icon")}
    session = rig.engine.attach(port, APP, state["app"]["nonce"], app)
    session.resume([], state["seen"], json.loads(json.dumps(state["early"])), state["shown"])
    assert await tab.reply(3) == [4999]
    await tab.reply(2)  # behind those that need no disk
    await tab.reply(2999)
    assert sorted(reply[0] for reply in replies(tab)) == list(range(1, 3000))


class Busy:
    """Somebody who always has more to do, and takes a millisecond for each bit."""

    more = True

    def __init__(self, share: Share, clock: Any, log: list[str], name: str) -> None:
        self.share, self._clock, self._log, self._name = share, clock, log, name

    def take_turn(self, until: float) -> None:
        """Work on."""
        self._log.append(self._name)
        self._clock.now = until


async def test_tabs_of_one_app_have_one_share() -> None:
    """Thirty tabs of one app get no more turns than the one tab of another."""
    clock, log = Ticking(), []
    turns = Turns(clock)
    many, one = turns.share("many"), turns.share("one")
    assert turns.share("many") is many
    for _ in range(30):
        turns.take(Busy(many, clock, log, "many"))
    turns.take(Busy(one, clock, log, "one"))
    while len(log) < 200:
        await asyncio.sleep(0)
    assert abs(log.count("many") - log.count("one")) < 40


async def test_turns_are_longer_while_nobody_asks_for_anything() -> None:
    """They double up to a bound, and begin short again for each who asks."""
    clock, lengths = Ticking(), []
    turns = Turns(clock)

    class Measured(Busy):
        def take_turn(self, until: float) -> None:
            lengths.append(round(until - clock.now, 4))
            super().take_turn(until)

    async def flooded() -> list[float]:
        while len(lengths) < 6:
            await asyncio.sleep(0)
        return lengths[:6]

    def asks() -> None:
        assert turns.begin(one) is not None
        turns.end(one)

    one = turns.share("one")
    asks()
    turns.take(Measured(turns.share("many"), clock, [], "many"))
    grown = await flooded()
    assert grown[0] == SHORT_SECONDS and grown[-2:] == [QUIET_SECONDS] * 2 and grown == sorted(grown)
    asks()
    lengths.clear()
    assert await flooded() == grown


async def test_a_turn_that_fails_does_not_end_the_others() -> None:
    """A defect in one session's turn is the event loop's to tell of; the next in line is served."""
    clock, log, failures = Ticking(), [], []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    turns = Turns(clock)

    class Broken(Busy):
        def take_turn(self, until: float) -> None:
            super().take_turn(until)
            if len(log) > 3:
                self.more = False
                raise ZeroDivisionError

    turns.take(Broken(turns.share("broken"), clock, log, "broken"))
    turns.take(Busy(turns.share("other"), clock, log, "other"))
    while log.count("other") < 10:
        await asyncio.sleep(0)
    assert failures


async def test_what_waits_for_its_turn_is_handed_over() -> None:
    """An engine that steps down in the middle of a message gives the rest of it to the next one."""
    rig, tab, _ = await two_apps()
    tab.port.say(message(*[[n, "set", f"k{n}", n] for n in range(1, 2001)]))
    await asyncio.sleep(0)
    await rig.engine.stop()
    [(_, port, state)] = [found for found in rig.engine.hand_over() if found[0].origin == APP]
    assert 0 < len(replies(tab)) < 2000
    await rig.restart()
    state = json.loads(json.dumps(state))
    app = {name: state["app"][name] for name in ("name", "description", "icon")}
    session = rig.engine.attach(port, APP, state["app"]["nonce"], app)
    session.resume(state["watches"], state["seen"], state["early"], state["shown"])
    await tab.reply(2000)
    assert sorted(reply[0] for reply in replies(tab)) == list(range(1, 2001))
    tab.number = 2000
    assert await tab.call("get", "k1999") == [1999]


# Watches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_each_watch_is_told_what_begins_with_its_prefix(seed: int) -> None:
    """Whatever prefixes are watched, each watch hears each of its keys, once, in order."""
    chance = random.Random(seed)
    texts = ["".join(chance.choices("ab", k=chance.randrange(5))) for _ in range(60)]
    watches = Watches((number, chance.choice(texts)) for number in range(1, 30))
    prefixes = dict(watches.items())
    for number in chance.sample(sorted(prefixes), 10):
        watches.drop(number)
        del prefixes[number]
    space = Space("a" * 16)
    keys = list(dict.fromkeys(text + "x" for text in texts))
    space.write([(key, '"v"') for key in keys[::2]], 1)
    watches.note(keys, "tab")
    heard: dict[int, list[Any]] = {number: [] for number in prefixes}
    while watches.behind:
        for ids, changes in json.loads(f"[{watches.piece(space, Ticking(), 0.0005)}]"):
            for number in ids if isinstance(ids, list) else [ids]:
                heard[number] += changes
    there = [[key, "tab", "v"] if n % 2 == 0 else [key, "tab"] for n, key in enumerate(keys)]
    assert heard == {
        number: [change for change in there if change[0].startswith(prefix)]
        for number, prefix in prefixes.items()
    }


async def test_watches_of_one_prefix_share_one_list() -> None:
    """What changed is sent once, however many watches of the session hear of it."""
    _, tab, other = await two_apps()
    opened = list(range(1, 1001))
    await tab.calls(*[("watch", "a", False) for _ in opened])
    tab.port.heard.clear()
    await tab.call("update", [[f"a{n}", "x" * 1000] for n in range(1000)])
    assert await other.call("set", "k", 1) is None
    await tab.port.until(
        lambda heard: "changes" in heard and heard["changes"][-1][1][-1][0] == "a999" or None
    )
    changes = [entry for told in found(tab, "changes") for entry in told]
    assert all(ids == opened for ids, _ in changes)
    assert [change[0] for _, told in changes for change in told] == [f"a{n}" for n in range(1000)]


async def test_a_watch_begins_with_what_is_there_in_pieces() -> None:
    """However much there is, all of it comes, in messages of a bounded size, and before later calls' answers."""
    _, tab, _ = await two_apps()
    for n in range(4):
        await tab.call("update", [[f"k{n}{m:02}", "x" * 200_000] for m in range(10)])
    sizes: list[int] = []
    post = tab.port.post
    tab.port.post = lambda text: (sizes.append(len(text)), post(text))[1]  # type: ignore[method-assign]
    tab.port.heard.clear()
    await tab.calls(("watch", "k", True), ("get", "k000"))
    changes = [entry for told in found(tab, "changes") for entry in told]
    there = [f"k{n}{m:02}" for n in range(4) for m in range(10)]
    assert [change[0] for _, told in changes for change in told] == there
    assert max(sizes) <= MAX_MESSAGE_BYTES
    assert replies(tab)[-1][0] == tab.number


# What is not read ------------------------------------------------------------------------------------------------


class Silent:
    """An app's port whose app reads nothing until it is told to."""

    def __init__(self, peer: Peer) -> None:
        self.size = 0
        self.kept: list[str] = []
        self._post = peer.port.post
        peer.port.post = self.post  # type: ignore[method-assign]
        self._peer = peer

    def post(self, text: str) -> None:
        """Keep it."""
        self.size += len(text)
        self.kept.append(text)

    def read(self) -> None:
        """Read it, and whatever comes from now on."""
        self._peer.port.post = self._post  # type: ignore[method-assign]
        for text in self.kept:
            self._post(text)


async def test_replies_that_nobody_reads_have_a_bound() -> None:
    """An app that asks for gigabytes in one short message gets some of it, and the rest as it reads."""
    _, tab, other = await two_apps()
    for n in range(10):
        await tab.call("set", f"k{n}", "x" * 250_000)
    silent = Silent(tab)
    first = tab.number + 1
    tab.port.say(message(*[[first + n, "items", ""] for n in range(100)]))
    for _ in range(100):
        assert await other.call("get", "k") == []
    assert silent.size < outbox.MAX_UNREAD_CHARACTERS + 3 * 2_500_000
    silent.read()
    await tab.reply(first + 99)
    assert [reply[0] for reply in replies(tab)][-100:] == [first + n for n in range(100)]


async def test_changes_that_nobody_reads_are_kept_by_key() -> None:
    """An app that does not read hears the newest state of each key when it does, whatever was written meanwhile."""
    _, tab, _ = await two_apps()
    writer = await _another_tab(tab)
    await tab.call("watch", "", False)
    silent = Silent(tab)
    for turn in range(30):
        await writer.call("update", [[f"k{n}", f"{turn} " + "x" * 100_000] for n in range(10)])
    await writer.call("delete", ["k3"])
    assert silent.size < outbox.MAX_UNREAD_CHARACTERS + 2_000_000
    silent.read()
    newest: dict[str, Any] = {}

    def last(heard: dict[str, Any]) -> Any:
        for _, told in heard.get("changes", ()):
            for change in told:
                newest[change[0]] = change[2][:2] if len(change) > 2 else None
        return (
            newest.get("k3", "") is None
            and all(newest.get(f"k{n}") == "29" for n in range(10) if n != 3)
            or None
        )

    assert await tab.port.until(last)


async def _another_tab(tab: Peer) -> Peer:
    rig = tab.session._engine  # type: ignore[attr-defined]
    other = Peer()
    app = {"name": "Counter", "description": "", "icon": None}
    rig.attach(other.port, APP, "cd" * 16, app)
    await other.status(state="ready")
    return other
