"""A world of devices and a relay: all that can happen in it, and what must hold once it has calmed down."""

from __future__ import annotations

import random
from collections import Counter, deque

from sync_hub import Hub, Kept
from sync_replica import TIMERS, Device, Disk, Sealer, counted, text

from masq_store.core.space.register import row_change
from masq_store.core.space.space import Space
from masq_store.core.sync.envelope import tag_of
from masq_store.core.sync.machine import Merge, Sync
from masq_store.core.sync.member_claims import changes_that_can_be, state_that_can_be
from masq_store.core.sync.messages import Changes
from masq_store.core.sync.room_log import RoomLog

DEVICES = 10
MOST_DEVICES = 13  # with the copies of others' disks
KEYS = ("a", "b", "c", "ab", "m")
VALUES = (None, 1, "x", 2, "a longer value that makes a message come in pieces " * 3, True)
YEAR_MS = 365 * 86_400_000
MOST_POSTS = 400
"""Envelopes that are posted until all is calm, at most: an endless conversation is a failure too."""

Step = tuple[str, int, int, int]
"""What happens, to which device, and two numbers more; all taken modulo what there is."""


class World:
    """All of it. `seed`: for what is left to chance after the history."""

    most_keys = 100
    most_bytes = 1 << 20
    """What a space may hold, as far as devices write it."""

    def __init__(self, seed: int) -> None:
        self.hub = Hub()
        self.sealer = Sealer()
        self.now_ms = 1_800_000_000_000
        self.met: Counter[str] = Counter()
        self._ids = 0
        self._bits = 0
        self._chance = random.Random(seed)
        self._hub_copies: list[Kept] = [Kept()]
        self._disk_copies: dict[int, Disk] = {}
        self._acknowledged = 0  # counted in posts that were acknowledged, and not lost by the hub since
        self._deceived: set[int] = set()  # devices that were not told something
        self.devices: list[Device] = []
        for _ in range(DEVICES):
            self.devices.append(Device(self, Disk()))

    def new_id(self, size: int) -> bytes:
        """Return bytes that were never given out; which one is larger is left to chance."""
        self._ids += 1
        return bytes(size - 8) + (self._ids * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big")

    def note(self, what: str, happened: int | bool = True) -> None:
        """Count something that histories should meet."""
        if happened:
            self.met[what] += 1

    def acknowledged(self, number: int) -> None:
        """Note that a device heard of its post that it is kept as `number`."""
        kept = self.hub.kept
        if kept.start < number <= kept.head:
            opened = self.sealer.open(kept.envelopes[number - kept.start - 1])
            if isinstance(opened, tuple) and isinstance(opened[1], Changes):
                self._acknowledged |= counted(opened[1].changes)

    # What happens ------------------------------------------------------------------------------------------

    def take(self, step: Step) -> None:
        """Let one thing happen."""
        name, a, b, c = step
        getattr(self, "_" + name)(a % len(self.devices), b, c)

    def _write(self, at: int, b: int, c: int) -> None:
        value = VALUES[c % len(VALUES)]
        key = KEYS[b % len(KEYS)]
        self.devices[at].write([(key, None if value is None else text(value))])

    def _clear(self, at: int, b: int, c: int) -> None:
        self.devices[at].clear("a")

    def _increment(self, at: int, b: int, c: int) -> None:
        self.devices[at].increment("n", 1 << self._bits)
        self._bits += 1

    def _add(self, at: int, b: int, c: int) -> None:
        self.devices[at].increment("m", c % 7 - 3)

    def _commit(self, at: int, b: int, c: int) -> None:
        self.devices[at].commit(1 + b % 3)

    def _fail(self, at: int, b: int, c: int) -> None:
        self.note("failed commits", bool(self.devices[at].pending))
        self.devices[at].fail(bool(c % 2))

    def _checkpoint(self, at: int, b: int, c: int) -> None:
        self.devices[at].checkpoint()

    def _place(self, at: int, b: int, c: int) -> None:
        self.devices[at].keep_place()

    def _tick(self, at: int, b: int, c: int) -> None:
        self.now_ms += (0, 1, 50, 86_400_000)[b % 4]

    def _skew(self, at: int, b: int, c: int) -> None:
        self.devices[at].skew_ms = (0, 0, YEAR_MS, -YEAR_MS, 1, -5000)[b % 6]

    def _connect(self, at: int, b: int, c: int) -> None:
        self.devices[at].connect()

    def _cut(self, at: int, b: int, c: int) -> None:
        """Cut off the device, and some of those beside it."""
        for beside in range(1 + b % 4):
            self.devices[(at + beside) % len(self.devices)].cut()

    def _carry(self, at: int, b: int, c: int) -> None:
        line = self.devices[at].line
        for _ in range(1 + b % 4):
            if line and line.up:
                self.hub.take(line)

    def _hear(self, at: int, b: int, c: int) -> None:
        device = self.devices[at]
        device.hear(1 + b % 6)
        if c % 4:
            device.commit()
        if c % 4 == 3:
            device.keep_place()

    def _act(self, at: int, b: int, c: int) -> None:
        self.devices[at].act({name for bit, name in enumerate(TIMERS) if b >> bit & 1})

    def _talk(self, at: int, b: int, c: int) -> None:
        """A device that is well: it hears all there is, and says what it has to say."""
        device = self.devices[at]
        device.connect()
        self._exchange_and_keep(device)
        device.act({name for bit, name in enumerate(TIMERS) if b >> bit & 1})
        if c % 2:
            self._exchange_and_keep(device)

    def _crash(self, at: int, b: int, c: int) -> None:
        self.note("crashes with something pending", bool(self.devices[at].pending))
        self.devices[at].crash()

    def _copy(self, at: int, b: int, c: int) -> None:
        """A profile's disk is copied, and run twice."""
        if len(self.devices) < MOST_DEVICES:
            self.note("forks by a copy", bool(self.devices[at].disk.journal))
            self.devices.append(Device(self, self.devices[at].disk))

    def _backup(self, at: int, b: int, c: int) -> None:
        self._disk_copies[at] = self.devices[at].disk

    def _restore(self, at: int, b: int, c: int) -> None:
        """A disk goes back to what it was."""
        device = self.devices[at]
        older = self._disk_copies.get(at)
        if older is not None:
            self.note("forks by going back", older != device.disk)
            device.cut()
            device.disk, device.counted = older, _counted(older.open("f" * 16))
            device.start()

    # The relay.

    def _repeat(self, at: int, b: int, c: int) -> None:
        self.hub.repeat(b)

    def _foreign(self, at: int, b: int, c: int) -> None:
        self.hub.say(self.new_id(300))

    def _swallow(self, at: int, b: int, c: int) -> None:
        line = self.devices[at].line
        self.note("posts lost by the relay", line is not None and self.hub.swallow(line, b))

    def _reorder(self, at: int, b: int, c: int) -> None:
        line = self.devices[at].line
        self.note("posts reordered", line is not None and self.hub.reorder(line, b))

    def _hide(self, at: int, b: int, c: int) -> None:
        line = self.devices[at].line
        if line is None:
            return
        self.hub.feed(line)
        if self.hub.hide(line, b):
            self.note("envelopes hidden from one")
            self._deceived.add(at)

    def _spoil(self, at: int, b: int, c: int) -> None:
        """Part of a snapshot reaches one reader altered, one that has lost its place and reads from the beginning."""
        device = self.devices[at]
        device.disk = device.disk._replace(place=None)
        device.crash()
        device.connect()
        line = device.line
        assert line is not None
        self.hub.take(line)
        while len(line.down) < 2 + b % 3 and self.hub.feed(line):
            pass
        for place, frame in enumerate(line.down):
            if frame[0] == "SNAPSHOT":
                self.note("parts spoiled")
                line.down[place] = (*frame[:-1], self.new_id(300))
                return

    def _refuse(self, at: int, b: int, c: int) -> None:
        line = self.devices[at].line
        if line is not None:
            self.hub.refuse(line)

    def _slow(self, at: int, b: int, c: int) -> None:
        line = self.devices[at].line
        if line is not None:
            self.hub.fall_behind(line)

    def _hub_copy(self, at: int, b: int, c: int) -> None:
        self._hub_copies.append(self.hub.kept)

    def _hub_back(self, at: int, b: int, c: int) -> None:
        """The relay goes back to an older copy of its disk, or loses everything."""
        for device in self.devices:
            device.cut()
        before = self.hub.kept
        self.hub.go_back(self._hub_copies[b % len(self._hub_copies)])
        self.note("logs that went back", self.hub.kept not in (before, Kept()))
        self.note("logs that were lost", before != Kept() and self.hub.kept == Kept())
        self._acknowledged &= _counted(read_log(self)[0])

    # Calm --------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Let the world calm down with a relay that is honest from now on, and check what must hold then."""
        for device in self.devices:
            device.commit()
        expected = self._join()
        bits = _counted(expected)
        for at in self._deceived:
            self.devices[at].cut()
        self._calm_down()
        final = self.devices[0].space
        rows = sorted(final.rows())
        for at, device in enumerate(self.devices):
            assert sorted(device.space.rows()) == rows, f"device {at} differs from device 0"
            assert device.space.vector == final.vector, f"device {at} has read other things than device 0"
            assert device.space.items() == final.items()
            assert device.sync.log.vector == final.vector, f"device {at} takes the log for something else"
            assert sorted(device.disk.open("f" * 16).rows()) == rows, "the disk differs from memory"
        log, vector = read_log(self)
        assert sorted(log.rows()) == rows, "the log does not add up to what the devices hold"
        assert vector == log.vector == final.vector, "the log does not say that it is all"
        assert rows == sorted(expected.rows()), "something was lost, or invented"
        assert all(final.vector[who] >= number for who, number in expected.vector.items())
        assert int(final.text("n") or 0) == bits, "something was counted twice, or not at all"
        assert not self._acknowledged & ~bits, "what was acknowledged is gone"
        for at, device in enumerate(self.devices):
            assert not device.counted & ~bits, f"what was on the disk of device {at} is gone"

    def _join(self) -> Space:
        """Return all that stands on any disk, and in the log."""
        space = Space("f" * 16)
        for disk in {device.disk for device in self.devices}:
            _add(space, disk.open("e" * 16))
        _add(space, read_log(self)[0])
        return space

    def _calm_down(self) -> None:
        most = self.hub.posts + MOST_POSTS
        tired: deque[Device] = deque(self.devices)
        quiet = 0
        while quiet < len(tired):
            for device in self.devices:
                device.connect()
            while any([self._exchange(device) for device in self.devices if device.busy]):
                pass
            # One device's time comes first, now and then that of two at once.
            together = 1 if self._chance.random() < 0.8 else 2
            self._chance.shuffle(tired) if not quiet else None
            said = 0
            for _ in range(together):
                said += tired[0].act(set(TIMERS))
                tired.rotate(-1)
            quiet = 0 if said else quiet + together
            assert self.hub.posts < most, "the devices go on and on"

    def _exchange(self, device: Device) -> int:
        """Carry all that is on its way to and from a device. Returns how much that was."""
        carried = 0
        device.commit()
        while (line := device.line) and (line.up or line.down or not line.live):
            while line.up:
                self.hub.take(line)
                carried += 1
            carried += device.hear(8)
            device.commit()
        return carried

    def _exchange_and_keep(self, device: Device) -> None:
        """Do so, and keep the place; once nothing crashes any more, nobody would read it."""
        if self._exchange(device):
            device.keep_place()


def read_log(world: World) -> tuple[Space, dict[str, int]]:
    """Return what the log alone adds up to for somebody new with the slowest clock, and how far it says so."""
    now_ms = min(device.now_ms for device in world.devices)
    space, reader, kept = Space("0" * 16), Sync("0" * 16, bytes(16), RoomLog()), world.hub.kept

    def merge(found: Merge | None) -> None:
        changes, vector, _ = reader.together([found] if found else [], space.vector)
        space.merge(changes, vector)

    reader.join()
    reader.joined(kept.head, False)
    parts = kept.snapshot.parts if kept.snapshot else ()
    for part, envelope in enumerate(parts):
        state = state_that_can_be(world.sealer.open(envelope)[1], space, now_ms)
        merge(reader.part(part, len(parts), state))
    for number, envelope in enumerate(kept.envelopes, kept.start + 1):
        opened = world.sealer.open(envelope)
        if not isinstance(opened, tuple):
            reader.skip(number, tag_of(envelope), len(envelope))
        else:
            header, message = opened
            if isinstance(message, Changes):
                message = changes_that_can_be(message, space, now_ms)
            merge(reader.read(number, tag_of(envelope), len(envelope), header, message))
    return space, reader.log.vector


def _add(space: Space, other: Space) -> None:
    space.merge([row_change(row) for row in other.rows()], other.vector)


def _counted(space: Space) -> int:
    return counted(row_change(row) for row in space.rows())
