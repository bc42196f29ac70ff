"""A world in which one member lies: it has the keys, and says what no honest device would say.

It is no device of the person's: what it makes others lose would be lost. What it writes counts like anything written.
"""

from __future__ import annotations

from sync_hub import Kept, Snapshot
from sync_replica import Device, Disk, text
from sync_world import KEYS, YEAR_MS, World, _counted, read_log

from masq_store.core.enrolment import roster
from masq_store.core.enrolment.roster import Policy
from masq_store.core.space.clock import MAX_COUNTER, MAX_MS, ZERO, Stamp
from masq_store.core.space.register import Change, Register, row_change
from masq_store.core.space.space import MOST_ROWS, Space
from masq_store.core.sync.envelope import Header, tag_of
from masq_store.core.sync.member_claims import MOST_AHEAD_MS
from masq_store.core.sync.messages import Changes, Check, Message, State, Trimmed

LIES = {
    "lie_ranges": 4, "lie_snapshot": 2, "lie_half_snapshot": 2, "lie_change": 3, "lie_replicas": 1, "lie_digest": 2,
    "lie_answer": 2, "lie_trimmed": 1, "lie_pieces": 1, "lie_session": 1, "lie_stamp": 2, "lie_count": 1,
    "lie_newer": 1, "lie_full": 2, "lie_hold": 2, "lie_roster": 2,
}  # fmt: skip
"""How often each happens, beside what happens in any world."""

GRANTED = Policy(stay=False, minutes=60, sync=True, turn=1)
"""What each device was granted, for the rows of a roster."""

ROSTER = (
    ("policy/{id}", {"stay": True, "minutes": 0, "sync": True, "turn": 0}),
    ("policy/{id}/a", {"stay": False, "minutes": 1, "sync": False, "turn": 1 << 40}),
    ("policy/{id}", {"stay": 1, "minutes": -1, "sync": True, "turn": 0}),
    ("policy/{id}", None),
    ("app", {"approved": True, "generation": 0, "relay": "wss://relay.example/", "devices": 1}),
    ("app", "nonsense"),
    ("app", None),
    ("removed/{id}", {"ms": "soon"}),
)
"""What a member writes into a roster: looser, stricter, nonsense, nothing."""

WITHDRAWN = {"approved": False, "generation": 0, "relay": "", "devices": 1}

LAST = "f" * 16
"""Of equal stamps that of this replica is the largest."""


class HostileWorld(World):
    """A world with a member that lies."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._liar = self.new_id(8).hex()
        self._session = self.new_id(16)
        self._counter = 0
        self._number = 0

    def take(self, step: tuple[str, int, int, int]) -> None:
        """Let one thing happen."""
        super().take(step)
        if step[0] in ("restore", "hub_back") or step[0].endswith("snapshot"):
            self._acknowledged &= _counted(self._join())  # the log was all that had the rest

    def _say(self, message: Message) -> None:
        """Post something that is sealed as a member seals it."""
        self.hub.say(self._seal(message))

    def _seal(self, message: Message) -> bytes:
        header = Header(0, self._liar, self._session, self._counter)
        self._counter += 1
        return self.sealer.seal(header, message)

    def _victim(self, at: int) -> Device:
        return self.devices[at]

    def _lie_ranges(self, at: int, b: int, c: int) -> None:
        """Claim, of a device's replica, what it has not posted; of an earlier opening of it, or of this one."""
        space = self._victim(at).space
        who = sorted({space.replica, *space.vector})[
            b % (len(space.vector) + (space.replica not in space.vector))
        ]
        start = read_log(self)[1].get(who, 0)
        self.note("ranges that a liar claims")
        self._say(Changes([], [(who, start, start + 1 + c % 4)], self._counter))

    def _lie_snapshot(self, at: int, b: int, c: int) -> None:
        """Put a snapshot without anything in the log's place, with the true vector."""
        self._replace_log([], c)

    def _lie_half_snapshot(self, at: int, b: int, c: int) -> None:
        """Put a snapshot in the log's place that lacks some rows."""
        rows = sorted(read_log(self)[0].rows())
        self._replace_log([row for place, row in enumerate(rows) if b >> place % 12 & 1], c)

    def _replace_log(self, rows: list, c: int) -> None:
        kept = self.hub.kept
        if not kept.envelopes:
            return
        self.note("snapshots of a liar")
        vector = read_log(self)[1]
        tag = tag_of(kept.envelopes[-1])
        part = self._seal(State(rows, kept.head, tag, vector))
        self.hub.kept = Kept((), Snapshot(kept.head, tag, (part,)))
        self.hub._incoming = None

    def _lie_change(self, at: int, b: int, c: int) -> None:
        """Write in the name of a device: under a number that it has used, or will use."""
        space = self._victim(at).space
        number = max(1, space.vector.get(space.replica, 0) + b % 3 - 1)
        register = Register(Stamp(self.now_ms - c, 0, space.replica), number, text("a lie"))
        self.note("changes in another's name")
        self._say(Changes([Change(space.replica, number, "lie", register)], [], self._counter))

    def _lie_replicas(self, at: int, b: int, c: int) -> None:
        """Claim ranges of replicas that never were."""
        self._say(Changes([], [(self.new_id(8).hex(), 0, 1 + n) for n in range(20)], self._counter))

    def _lie_digest(self, at: int, b: int, c: int) -> None:
        """Say that it holds something else."""
        self._say(Check(read_log(self)[1], self.new_id(32)))

    def _lie_answer(self, at: int, b: int, c: int) -> None:
        """Answer what nobody asked, with ranges and without changes."""
        vector = self._victim(at).space.vector
        ranges = [(who, 0, end + c % 3) for who, end in vector.items() if end]
        self._say(Changes([], ranges, self._counter, {} if b % 2 else dict(vector)))

    def _lie_trimmed(self, at: int, b: int, c: int) -> None:
        self._say(Trimmed(b))

    def _lie_pieces(self, at: int, b: int, c: int) -> None:
        """Begin a message that never ends."""
        self._number += 2
        register = Register(Stamp(self.now_ms, 0, self._liar), self._number, text(b))
        self._say(Changes([Change(self._liar, self._number, "lie", register)], [], self._counter, more=True))

    def _lie_stamp(self, at: int, b: int, c: int) -> None:
        """Write with a clock at the end of time, half a century ahead, or as far ahead as is believed."""
        ahead = (MAX_MS, self.now_ms + MOST_AHEAD_MS // 2, self.now_ms + MOST_AHEAD_MS)[b % 3]
        self._number += 1
        register = Register(Stamp(ahead, MAX_COUNTER, LAST), self._number, text(b) if c % 2 else None)
        key = (*KEYS, f"after {at}")[c % (len(KEYS) + 1)]
        self.note("stamps far ahead")
        self._say(Changes([Change(LAST, self._number, key, register)], [], self._counter))

    def _lie_count(self, at: int, b: int, c: int) -> None:
        """Add a number with very many digits to what others count on."""
        self._number += 1
        part = (self._liar, self._number, (-1) ** c << b)
        self._say(
            Changes(
                [Change(self._liar, self._number, "m", Register(ZERO, 0, None, (part,)))], [], self._counter
            )
        )

    def _lie_newer(self, at: int, b: int, c: int) -> None:
        """Say what only a later version can read, sealed, or in clear."""
        later = self.sealer.seal_later()
        self.hub.say(later if c % 4 else b"\xff" + later[1:])

    def _lie_full(self, at: int, b: int, c: int) -> None:
        """Fill the room with what nobody can read."""
        for _ in range(1 + c % 3):
            self.hub.say(self.new_id(300))
        self.note("rooms that are full")
        self.hub.fill()

    def _lie_hold(self, at: int, b: int, c: int) -> None:
        """Hold the place for a snapshot."""
        self.note("places that are held")
        self.hub.hold(self.new_id(8))

    def _lie_roster(self, at: int, b: int, c: int) -> None:
        """Write into a roster what would make a copy looser, or unable to hear what the person decides."""
        key, row = ROSTER[b % len(ROSTER)]
        self._number += 1
        ms = self.now_ms + (0, MOST_AHEAD_MS)[c % 2]
        register = Register(
            Stamp(ms, MAX_COUNTER, self._liar), self._number, None if row is None else text(row)
        )
        self.note("rows of a roster by a liar")
        self._say(
            Changes([Change(self._liar, self._number, key.format(id=_id(at)), register)], [], self._counter)
        )

    def _lie_size(self, at: int, b: int, c: int) -> None:
        """Write more than a device may."""
        self._write_much(text("x" * (self.most_bytes // 8)), 9)

    def _lie_tombstones(self, at: int, b: int, c: int) -> None:
        """Delete more keys than a device may have deleted."""
        self._write_much(None, MOST_ROWS * self.most_keys)

    def _write_much(self, value: str | None, count: int) -> None:
        changes = []
        for _ in range(count):
            self._number += 1
            register = Register(Stamp(self.now_ms, 0, self._liar), self._number, value)
            changes.append(Change(self._liar, self._number, f"much {self._number}", register))
        self._say(Changes(changes, [], self._counter))

    def _lie_session(self, at: int, b: int, c: int) -> None:
        """Take the next counter of a device's session."""
        sync = self._victim(at).sync
        header = Header(0, self._victim(at).space.replica, sync._session, sync._counter)
        if not self.sealer.used(header):
            self.note("counters that a liar takes")
            self.hub.say(self.sealer.seal(header, Changes([], [], 0), again=True))

    def end(self) -> None:
        """Let the world calm down, and check that no honest device lost anything, or is held up."""
        for device in self.devices:
            device.commit()
        expected = self._join()
        for device in self.devices:
            device.skew_ms = 0
        self.now_ms += 2 * YEAR_MS  # what lay at the edge of what is believed lies within it
        for at in self._deceived:
            self.devices[at].cut()
        self.devices.append(Device(self, Disk()))  # somebody new, who believes what the log says
        self._calm_down()
        self._check(expected.rows())
        for at, device in enumerate(self.devices):
            said = roster.said(device.space.items(), _id(at))
            here = GRANTED.with_(said.policy) if said.policy else GRANTED
            assert _allows_no_more(here, GRANTED), f"the roster made {at} looser"
            assert not said.removed, f"{at} was removed by nobody"
        self.devices[-1].write([(f"app/{self._number}", text(WITHDRAWN))])
        for at, device in enumerate(self.devices):
            device.write([(f"after {at}", text(at))])
            expected.merge([row_change(row) for row in device.space.rows()])
        self._calm_down()
        self._check(expected.rows())
        for at, device in enumerate(self.devices):
            facts = roster.said(device.space.items(), _id(at)).facts
            assert facts and not facts.approved, f"device {at} has not heard of the withdrawal"

    def _check(self, expected: list) -> None:
        joined = Space("f" * 16)
        for held in (
            expected,
            self.devices[0].space.rows(),
        ):  # and what was on its way when the log was replaced
            joined.merge([row_change(row) for row in held])
        rows, bits = sorted(joined.rows()), _counted(joined)
        for at, device in enumerate(self.devices):
            held = sorted(device.space.rows())
            assert held == rows, f"device {at} lacks or has more: {set(map(str, held)) ^ set(map(str, rows))}"
            assert not device.sync.behind(device.space.vector), f"device {at} has not posted all"
            assert not device.counted & ~bits, f"what was on the disk of device {at} is gone"
        assert sorted(read_log(self)[0].rows()) == rows, "the log does not add up to what the devices hold"
        assert not self._acknowledged & ~bits, "what was acknowledged is gone"


def _id(at: int) -> str:
    return f"{at:016x}"


def _allows_no_more(here: Policy, granted: Policy) -> bool:
    """Say whether `here` allows nothing that `granted` does not."""
    return (
        (granted.stay or not here.stay)
        and (not granted.minutes or 0 < here.minutes <= granted.minutes)
        and (granted.sync or not here.sync)
        and here.turn >= granted.turn
    )
