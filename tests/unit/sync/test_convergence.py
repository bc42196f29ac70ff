"""Whatever happens to devices and relay, once it is over all hold the same, and nothing durable is lost."""

import pytest
from sync_history import make_history, run, run_many, shrink
from sync_hostile_world import HostileWorld

from masq.errors import QuotaExceeded

MORE = (range(300, 1150), range(1150, 2000))
WITH_LIES = 200

MUST_BE_MET = (
    "forks by a copy", "forks by going back", "logs that went back", "logs that were lost", "resets",
    "snapshots written", "snapshot parts read", "snapshots read midway", "parts spoiled", "messages in pieces",
    "questions", "answers read", "refusals", "time-outs", "posts lost by the relay", "posts reordered",
    "envelopes hidden from one", "torn", "repeated envelopes", "foreign envelopes", "failed commits",
    "crashes with something pending",
)  # fmt: skip

MET_BESIDE_A_LIAR = (
    "claims not believed", "told something else", "told the same", "ranges that a liar claims", "snapshots of a liar",
    "changes in another's name", "counters that a liar takes", "snapshots that end with junk", "stamps far ahead",
    "changes that cannot be", "envelopes of a later version", "rooms that are full", "posts to a full room",
    "places that are held", "rows of a roster by a liar",
)  # fmt: skip


@pytest.mark.slow("hundreds of histories")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "seeds", [range(300), *(pytest.param(seeds, marks=pytest.mark.whole) for seeds in MORE)]
)
def test_replicas_converge(seeds):
    """After each history all devices and the log hold the join of what was durable; and all kinds of harm occur.

    python3 tests/histories.py runs more of them.
    """
    met = run_many(seeds)
    least = len(seeds) // 150
    assert {what: met[what] for what in MUST_BE_MET if met[what] < least} == {}


@pytest.mark.slow("some two hundred histories")
@pytest.mark.parametrize("seeds", [range(60), pytest.param(range(60, WITH_LIES), marks=pytest.mark.whole)])
def test_replicas_converge_beside_a_liar(seeds):
    """A member that claims, leaves out and replaces: no honest device loses or withholds anything, all can write.

    python3 tests/histories.py --lies runs more of them.
    """
    met = run_many(seeds, lies=True)
    assert {what: met[what] for what in MET_BESIDE_A_LIAR if met[what] < 3} == {}


FOUND = {
    "what stands above a gap is refused": (
        20603,
        [
            ("lie_pieces", 1, 3198, 2156),
            ("talk", 1, 198, 891),
            ("hub_back", 0, 2377, 2027),
            ("lie_full", 1, 2719, 2410),
        ],
    ),
    "what stands above a gap is refused, and the device starts again": (
        20603,
        [
            ("lie_pieces", 1, 3198, 2156),
            ("talk", 1, 198, 891),
            ("hub_back", 0, 2377, 2027),
            ("write", 2, 0, 1),
            ("talk", 2, 127, 1),
            ("lie_full", 1, 2719, 2410),
            ("talk", 1, 0, 1),
            ("place", 1, 0, 0),
            ("crash", 1, 0, 0),
        ],
    ),
    "a digest came before it could be compared": (
        24098,
        [
            ("talk", 2, 3864, 4058),
            ("lie_digest", 0, 1134, 2480),
            ("write", 1, 1672, 1489),
            ("lie_stamp", 1, 61, 1759),
            ("write", 2, 1263, 839),
            ("lie_half_snapshot", 2, 340, 1888),
            ("talk", 1, 1311, 3211),
            ("write", 0, 165, 661),
            ("spoil", 1, 1230, 1374),
            ("talk", 2, 1023, 675),
            ("lie_full", 0, 1179, 3195),
            ("increment", 1, 2245, 2549),
            ("lie_ranges", 2, 1934, 4063),
            ("talk", 1, 2030, 459),
            ("lie_ranges", 0, 255, 353),
            ("talk", 1, 2646, 1885),
            ("lie_full", 2, 792, 2307),
        ],
    ),
    "a full room is said to be trimmed": (103, [("lie_full", 0, 1143, 1588), ("lie_trimmed", 1, 1036, 3748)]),
    "a full room of what a later version sealed": (
        9,
        [("lie_full", 2, 774, 4082), ("lie_newer", 4, 1847, 94)],
    ),
}
"""Histories beside a liar that went wrong once, by seed."""


@pytest.mark.parametrize("what", FOUND)
def test_what_went_wrong_once_goes_well(what):
    """Each short history in which a fault was found ends well."""
    seed, history = FOUND[what]
    run(seed, history, lies=True)


UNTIL_MEMBERS_SIGN = {
    "limits by writer, in bytes": [("lie_size", 0, 0, 0), ("connect", 0, 0, 0), ("talk", 0, 0, 3)],
    "limits by writer, of deleted keys": [
        ("lie_tombstones", 0, 0, 0),
        ("connect", 0, 0, 0),
        ("talk", 0, 0, 3),
    ],
}
"""Histories after which not all can write: nobody can tell yet whose the changes are that a member posts."""


@pytest.mark.parametrize("what", UNTIL_MEMBERS_SIGN)
@pytest.mark.xfail(
    strict=True, raises=QuotaExceeded, reason="a limit by writer needs changes that are signed"
)
def test_a_member_fills_a_space(what):
    """One member may not write so much that the others cannot write any more."""
    run(0, UNTIL_MEMBERS_SIGN[what], lies=True)


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="whose a change is can be told once it is signed"
)
def test_a_member_writes_in_anothers_name():
    """What one member says that another has written is not believed."""
    world = HostileWorld(0)
    for step in [("write", 0, 0, 1), ("talk", 0, 0, 3), ("lie_change", 0, 1, 0), ("talk", 1, 0, 3)]:
        world.take(step)
    victim, reader = world.devices[:2]
    written = [row for row in reader.space.rows() if row[3] == victim.space.replica]
    assert written == victim.space.rows()


def test_a_seed_makes_one_history():
    """A history can be had again by its seed."""
    assert make_history(7) == make_history(7) != make_history(8)


def test_a_failing_history_is_made_short():
    """What has nothing to do with a failure is left out."""

    def fails(history):
        names = [step[0] for step in history]
        return "crash" in names and "write" in names[names.index("crash") :]

    history = next(history for seed in range(99) if fails(history := make_history(seed)))
    assert [step[0] for step in shrink(history, fails)] == ["crash", "write"]
