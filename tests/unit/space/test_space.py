"""A space on one replica: reading, writing, limits, and taking back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import KEYS, REPLICAS, histories, live_through, state, steps, take

from masq.errors import InvalidValue, QuotaExceeded
from masq.messages import decode
from masq_store.core.space.register import PART_BYTES
from masq_store.core.space.space import Space

A = REPLICAS[0]


def full(space):
    """Everything that revert must bring back."""
    return state(space), dict(space.vector), len(space.rows()), space.keys("x")


@settings(max_examples=300)
@given(histories, st.lists(st.tuples(steps, st.integers(1, 9)), min_size=1, max_size=6), st.booleans())
def test_revert_is_the_exact_inverse(history, later, indexed):
    """Taken back in reverse order, calls leave a space as it was, whatever was derived from it meanwhile."""
    spaces = live_through(history)
    space = spaces[0]
    if indexed:
        space.keys()
        space.changes_since({})
    before, changes_before = full(space), space.changes_since({})
    done = [take(space, step, now_ms) for step, now_ms in later]
    done.append(space.merge(spaces[1].changes_since({}), spaces[1].vector))
    for applied in reversed(done):
        if applied is not None:
            space.revert(applied)
    assert full(space) == before
    assert space.changes_since({}) == changes_before


@settings(max_examples=200)
@given(histories)
def test_reads_agree_with_a_dict(history):
    """After any history text, has, keys and items tell the same, and prefixes select by beginning."""
    for space in live_through(history):
        known = {key: space.text(key) for key in KEYS if space.has(key)}
        assert None not in known.values()
        for prefix in ("", "x", "x\U0010ffff", "\U0010ffff", "\x00", "é", "zz"):
            expected = sorted(key for key in known if key.startswith(prefix))
            assert space.keys(prefix) == expected
            assert space.items(prefix) == [(key, known[key]) for key in expected]
        assert space.live == len(known)


@settings(max_examples=200)
@given(histories, st.lists(st.tuples(steps, st.integers(1, 9)), max_size=6))
def test_touched_is_what_changed(history, later):
    """`touched` names exactly the keys that read otherwise than before, with what they read before."""
    space = live_through(history)[0]
    for step, now_ms in later:
        before = dict(space.items())
        applied = take(space, step, now_ms)
        after = dict(space.items())
        changed = {key: before.get(key) for key in before | after if before.get(key) != after.get(key)}
        assert (applied.touched if applied else {}) == changed


@settings(max_examples=200)
@given(histories)
def test_bytes_is_the_size_of_what_is_held(history):
    """The running size equals the size counted anew."""
    for space in live_through(history):
        size = sum(
            len(row[0].encode()) + len((row[5] or "").encode()) + PART_BYTES * len(row[6])
            for row in space.rows()
        )
        assert space.bytes == size


@settings(max_examples=200)
@given(histories)
def test_rows_round_trip(history):
    """A space made from the rows of another is the same, and goes on with later stamps and numbers."""
    for space in live_through(history):
        copy = Space.from_rows(space.replica, space.rows(), space.vector)
        assert full(copy) == full(space)
        assert copy.changes_since({}) == space.changes_since({})
        made = copy.write([(key, "1") for key in ("new", *KEYS)], 0).changes
        assert made[0].number == space.vector.get(space.replica, 0) + 1
        before = {key: space.register(key) for key in KEYS}
        assert all(each.register.stamp > before[each.key].stamp for each in made if before.get(each.key))


@settings(max_examples=200)
@given(histories, st.integers(0, 20))
def test_rows_are_taken_in_part_by_part(history, at):
    """A space read in parts is the one read at once, also where a key comes twice: the last row counts."""
    spaces = live_through(history)
    rows = [row for space in spaces for row in space.rows()]
    whole = Space.from_rows(A, rows, spaces[0].vector)
    parts = Space.from_rows(A, rows[:at], spaces[0].vector)
    parts.load(rows[at:])
    assert full(parts) == full(whole)
    assert parts.bytes == whole.bytes


def test_a_batch_is_numbered_in_order_under_one_stamp():
    """Each key of a batch gets the next number; a key given twice gets its last text and one number."""
    space = Space(A)
    applied = space.write([("b", "1"), ("a", "2"), ("b", "3")], 7)
    assert [(change.number, change.key, change.register.text) for change in applied.changes] == [
        (1, "b", "3"),
        (2, "a", "2"),
    ]
    assert len({change.register.stamp for change in applied.changes}) == 1
    assert space.vector == {A: 2} == applied.vector


def test_deleting_what_is_not_there_changes_nothing():
    """No tombstone, no number, no stamp for a key that does not exist or was deleted before."""
    space = Space(A)
    space.write([("a", "1")], 1)
    space.write([("a", None)], 2)
    applied = space.write([("a", None), ("never", None)], 3)
    assert applied.changes == []
    assert space.vector == {A: 2}
    assert len(space.rows()) == 1


def test_delete_tells_how_many_existed():
    """`touched` has the old text of each key that existed."""
    space = Space(A)
    space.write([("a", "1"), ("b", "2")], 1)
    applied = space.write([("a", None), ("c", None)], 2)
    assert applied.touched == {"a": "1"}


def test_replace_leaves_exactly_the_mapping():
    """Keys that are not named are deleted, and the named ones written even if they are equal."""
    space = Space(A)
    space.write([("a", "1"), ("b", "2"), ("c", "3")], 1)
    applied = space.replace([("b", "2"), ("d", "4")], 2)
    assert space.items() == [("b", "2"), ("d", "4")]
    assert applied.touched == {"a": "1", "c": "3", "d": None}
    assert {change.key for change in applied.changes} == {"a", "b", "c", "d"}


def test_increment_builds_on_what_is_there():
    """An absent key, a deleted one and an int can be incremented, and the stamp stays."""
    space = Space(A)
    space.increment("n", 5, 1)
    assert space.text("n") == "5"
    space.write([("n", None)], 2)
    stamp = space.register("n").stamp
    space.increment("n", -2, 3)
    assert space.text("n") == "-2"
    assert space.register("n").stamp == stamp
    space.write([("n", "10")], 4)
    space.increment("n", 2**60, 5)
    space.increment("n", 1, 5)
    assert decode(space.text("n")) == 2**60 + 11


@pytest.mark.parametrize("text", ['"5"', "1.0", "true", "null", "[]"])
def test_only_an_int_can_be_incremented(text):
    """Anything else raises InvalidValue and stays as it is."""
    space = Space(A)
    space.write([("n", text)], 1)
    before = full(space)
    with pytest.raises(InvalidValue):
        space.increment("n", 1, 2)
    assert full(space) == before


@pytest.mark.parametrize("by", [True, 1.0, "1", None, pytest.param(2 ** (4 * 2**18), id="too long")])
def test_an_increment_is_an_int_that_fits(by):
    """`by` must be an int, no bool, and the result short enough to be a value."""
    space = Space(A)
    with pytest.raises(InvalidValue):
        space.increment("n", by, 1)
    assert full(space) == full(Space(A))


def test_limits_are_exact_and_nothing_changes_beyond_them():
    """At a limit a write passes, one over it raises QuotaExceeded with nothing of the batch applied."""
    space = Space(A, max_keys=2, max_bytes=10)
    space.write([("a", "123"), ("b", '"é"')], 1)
    assert space.bytes == 9
    space.write([("a", "1234")], 1)
    before = full(space)
    for kind, entries in (
        ("bytes", [("a", "12345")]),
        ("keys", [("a", "1"), ("c", "1")]),
        ("bytes", [("a", "1"), ("b", "123456789")]),
    ):
        with pytest.raises(QuotaExceeded) as caught:
            space.write(entries, 2)
        assert caught.value.kind == kind
        assert full(space) == before
    with pytest.raises(QuotaExceeded):
        space.increment("c", 1, 2)
    with pytest.raises(QuotaExceeded):
        space.increment("a", 1, 2)
    assert full(space) == before


def test_what_is_deleted_makes_room():
    """A space at or over its limits can be emptied, and written again with other keys: what counts is what exists."""
    grown = Space(A)
    grown.write([("a", '"long"'), ("b", '"long"')], 1)
    space = Space.from_rows(A, grown.rows(), grown.vector, max_keys=1, max_bytes=12)
    with pytest.raises(QuotaExceeded):
        space.write([("c", "1")], 2)
    space.write([("a", None), ("b", None)], 2)
    for n in range(3):
        space.write([(f"k{n}", "1")], 3)
        space.write([(f"k{n}", None)], 3)
    space.write([("n", "1")], 4)
    assert space.items() == [("n", "1")]


def test_tombstones_have_a_limit_of_their_own():
    """Nine deleted keys are noted beside each that may exist; then keys that are noted can be used, and no new ones."""
    space = Space(A, max_keys=1)
    for n in range(10):
        space.write([(f"k{n}", "1")], 1)
        space.write([(f"k{n}", None)], 1)
    for write in (lambda: space.write([("new", "1")], 2), lambda: space.increment("new", 1, 2)):
        with pytest.raises(QuotaExceeded) as caught:
            write()
        assert (caught.value.kind, caught.value.limit) == ("deleted", 10)
    space.write([("k3", "1")], 3)
    assert space.items() == [("k3", "1")]


def test_a_part_of_a_counter_counts_by_its_length():
    """Totals as long as values count as such, where they are written, merged and read from the disk."""
    space = Space(A, max_bytes=3000)
    space.increment("n", 16**1000, 1)
    assert 500 < space.bytes < 600
    other = Space("b" * 16)
    other.increment("n", -(16**1000), 1)
    space.merge(other.changes_since({}), other.vector)
    assert space.bytes > 1000 and space.text("n") == "0"
    assert Space.from_rows(A, space.rows(), space.vector).bytes == space.bytes
    with pytest.raises(QuotaExceeded):
        space.increment("m", 16**4000, 1)


def test_many_new_keys_stay_sorted():
    """Keys are in order after large and small batches alike."""
    space = Space(A)
    space.keys()
    for batch in ([f"k{n}" for n in range(200)], ["k5a", "a"], [f"m{n}" for n in range(65)]):
        space.write([(key, "1") for key in batch], 1)
        assert space.keys() == sorted(space.keys())
    space.write([("k7", None)], 2)
    assert "k7" not in space.keys("k") and len(space.keys()) == 266
