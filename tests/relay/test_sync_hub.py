"""The convergence test's relay in memory says what the real one says."""

import random

import pytest
from relay_rig import BEGINNING, relay, sealed, tag
from sync_hub import Hub, Line

pytestmark = pytest.mark.real_time

MEMBERS = 3
STEPS = 120


class InMemory:
    """Members of the room in memory; what each heard."""

    def __init__(self):
        self.hub = Hub()
        self.lines = [Line() for _ in range(MEMBERS)]

    def say(self, who, frames):
        """Say this, and return what each member hears because of it."""
        line = self.lines[who]
        line.up.extend(frames)
        while line.up:
            self.hub.take(line)
        heard = []
        for each in self.lines:
            while self.hub.feed(each):
                pass
            heard.append(list(each.down))
            each.down.clear()
        return heard


class OverSockets:
    """Members of the real relay's room."""

    def __init__(self, clients):
        self.clients = clients

    async def say(self, who, frames, expected):
        """Say this, and return what each member hears, which should be `expected`."""
        client = self.clients[who]
        for name, *fields in frames:
            if name == "JOIN":
                client.ask(cursor=fields)
            elif name == "LEAVE":
                client.leave()
            elif name == "POST":
                client.post(fields[1], fields[0])
            else:
                ref, set_, part, of, number, end, envelope = fields
                client.part(envelope, number, end, part, of, ref, name=set_)
        heard = []
        for each, frames_expected in zip(self.clients, expected, strict=True):
            heard.append([_plain(await each.next()) for _ in frames_expected])
        for each in self.clients:
            await each.silence()
        return heard


def _plain(frame):
    """Return a frame as the hub writes it: without channel, time and sentence."""
    name, _, *fields = frame
    if name == "ENVELOPE":
        fields = [fields[0], fields[2]]
    return (name, *(fields[:2] if name == "ERROR" else fields))


class Script:
    """Draws what a member might say next."""

    def __init__(self, seed, hub):
        self.chance = random.Random(seed)
        self.hub = hub
        self.joined = set()
        self.ref = 0
        self.cursors = [BEGINNING, (3, bytes(16)), (10**6, bytes(16))]  # also such as are in no log
        self.writing = [(b"no parts", 0, 1, *BEGINNING)] * MEMBERS

    def next(self):
        """Return (member, frames)."""
        chance = self.chance
        who = chance.randrange(MEMBERS)
        self.ref += 10
        if who not in self.joined:
            self.joined.add(who)
            return who, [("JOIN", *chance.choice(self.cursors))]
        what = chance.choices(("post", "leave", "begin", "go on"), (8, 3, 3, 6))[0]
        if what == "leave":
            self.joined.remove(who)
            return who, [("LEAVE",)]
        if what == "post":
            frames = [("POST", self.ref + n, sealed()) for n in range(chance.randrange(1, 4))]
            head = self.hub.kept.head
            self.cursors += [(head + n, tag(frame[2])) for n, frame in enumerate(frames, 1)]
            return who, frames
        if what == "begin":
            name = chance.randbytes(8)
            self.writing[who] = (name, 0, chance.randrange(1, 4), *chance.choice(self.cursors))
        name, part, of, number, end = self.writing[who]
        if chance.random() < 0.1:
            part = (part + 1) % of  # not the one that comes next, perhaps
        self.writing[who] = (name, min(part + 1, of - 1), of, number, end)
        return who, [("SNAPSHOT", self.ref, name, part, of, number, end, sealed())]


@pytest.mark.parametrize("seed", range(6))
async def test_the_hub_says_what_the_relay_says(seed, tmp_path):
    """One script of joins at all kinds of places, posts, leaves and snapshots: frame for frame the same."""
    met = set()

    async def scene():
        async with relay(tmp_path) as real:
            hub = InMemory()
            over = OverSockets([await real.client() for _ in range(MEMBERS)])
            script = Script(seed, hub.hub)
            for _ in range(STEPS):
                who, frames = script.next()
                expected = hub.say(who, frames)
                assert await over.say(who, frames, expected) == expected
                met.update(frame[0] for heard in expected for frame in heard)

    await scene()
    assert met >= {"JOINED", "CURRENT", "ENVELOPE", "STORED", "SNAPSHOT", "ERROR", "OTHERS"}


def test_a_slow_reader_gets_everything_once():
    """Who falls behind gets what is on the disk, a newer snapshot midway included, and CURRENT once more."""
    hub = Hub()
    reader, writer = Line(), Line()
    for line in (reader, writer):
        line.up.append(("JOIN", *BEGINNING))
        hub.take(line)
        while hub.feed(line):
            pass
    reader.down.clear()
    envelopes = [sealed() for _ in range(4)]
    hub.fall_behind(reader)
    for number, envelope in enumerate(envelopes, 1):
        hub.say(envelope)
        assert writer.down.pop() == ("ENVELOPE", number, envelope)
    hub.feed(reader)
    parts = [sealed(), sealed()]
    for part, envelope in enumerate(parts):
        writer.up.append(("SNAPSHOT", part, b"snapshot", part, 2, 3, tag(envelopes[2]), envelope))
        hub.take(writer)
    while hub.feed(reader):
        pass
    assert list(reader.down) == [
        ("ENVELOPE", 1, envelopes[0]),
        ("SNAPSHOT", 0, 2, 3, parts[0]),
        ("SNAPSHOT", 1, 2, 3, parts[1]),
        ("ENVELOPE", 4, envelopes[3]),
        ("CURRENT", 4),
    ]
