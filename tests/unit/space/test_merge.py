"""Replicas of one space: whatever they saw in whatever order, they end alike."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import KEYS, REPLICAS, changes, exchange, histories, live_through, state

from masq_store.core.space.space import Space

A, B, C = REPLICAS


@settings(max_examples=200)
@given(histories, st.randoms(use_true_random=False))
def test_replicas_that_exchange_hold_the_same_bytes(history, order):
    """However changes travelled before, when each has answered each, all are equal and lack nothing."""
    spaces = live_through(history)
    for _ in range(2):
        pairs = [(one, two) for one in spaces for two in spaces if one is not two]
        order.shuffle(pairs)
        for one, two in pairs:
            exchange(one, two)
    assert state(spaces[0]) == state(spaces[1]) == state(spaces[2])
    assert spaces[0].vector == spaces[1].vector == spaces[2].vector
    for space in spaces:
        assert space.changes_since(spaces[0].vector) == []


@settings(max_examples=300)
@given(st.lists(changes, max_size=12), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(seen, order):
    """Any changes, equal stamps of copied profiles included, merge to the same in any order and number."""
    straight = Space(A)
    straight.merge(seen)
    shuffled = seen + order.choices(seen, k=5) if seen else []
    order.shuffle(shuffled)
    other = Space(B)
    for change in shuffled:
        other.merge([change])
    assert state(straight) == state(other)
    assert straight.merge(seen).changes == []


@settings(max_examples=200)
@given(st.lists(changes, max_size=8), st.lists(changes, max_size=8), st.lists(changes, max_size=8))
def test_whole_spaces_merge_by_the_laws(first, second, third):
    """Merging whole spaces is commutative, associative and idempotent."""

    def made(*parts):
        space = Space(A)
        for part in parts:
            source = Space(B)
            source.merge(part)
            space.merge(source.changes_since({}))
        return state(space)

    assert made(first, second) == made(second, first)
    assert made(first, second, second) == made(first, second)
    joined = Space(C)
    joined.merge(first)
    joined.merge(second)
    assert made(joined.changes_since({}), third) == made(first, second, third)


@given(st.lists(changes, max_size=10), st.dictionaries(st.sampled_from(REPLICAS), st.integers(0, 9)))
def test_changes_since_leaves_out_nothing_and_adds_nothing(seen, vector):
    """With and without an index, exactly the numbers above the vector come, each once, in order."""
    space = Space(A)
    space.changes_since({})
    space.merge(seen)
    fresh = Space(A)
    fresh.merge(seen)
    found = space.changes_since(vector)
    assert found == fresh.changes_since(vector)
    assert all(change.number > vector.get(change.replica, 0) for change in found)
    assert len(set(found)) == len(found)
    rest = [change for change in fresh.changes_since({}) if change.number > vector.get(change.replica, 0)]
    assert found == rest


def test_concurrent_increments_all_count():
    """Two devices increment apart: the sum is there on both, and a delete seen first is built upon."""
    one, two = Space(A), Space(B)
    one.write([("n", "10")], 1)
    exchange(one, two)
    for _ in range(3):
        one.increment("n", 1, 2)
        two.increment("n", 5, 2)
    exchange(one, two)
    exchange(two, one)
    assert one.text("n") == two.text("n") == "28"


def test_a_delete_wins_over_what_it_had_seen_and_loses_to_a_later_write():
    """The larger stamp decides, for values and tombstones alike."""
    one, two = Space(A), Space(B)
    one.write([("k", "1")], 10)
    exchange(one, two)
    two.write([("k", None)], 5)
    exchange(two, one)
    assert not one.has("k")
    one.write([("k", "2")], 5)
    exchange(one, two)
    assert two.text("k") == "2"


def test_the_vector_waits_for_gaps():
    """A change that does not follow is merged, and the vector stays until what lies between is known."""
    one, two = Space(A), Space(B)
    made = [one.write([(key, "1")], 1).changes[0] for key in "abc"]
    two.merge([made[0], made[2]])
    assert (two.vector, two.text("c")) == ({A: 1}, "1")
    assert one.changes_since(two.vector) == made[1:]
    two.merge([made[1]], {A: 3})
    assert two.vector == {A: 3}


def test_a_journal_read_again_gives_the_space_back():
    """Merging one's own changes in their order restores rows, vector and clock."""
    space = Space(A)
    made = []
    made += space.write([("a", "1"), ("b", "2")], 50).changes
    made += space.increment("a", 4, 1).changes
    made += space.clear("b", 1).changes
    again = Space(A)
    again.merge(made)
    assert state(again) == state(space)
    assert again.vector == space.vector
    assert again.write([("c", "1")], 0).changes == space.write([("c", "1")], 0).changes


def test_catching_up_costs_what_is_missing():
    """With an index, finding ten changes looks at ten, not at thousands, also after many overwrites."""
    space = Space(A)
    space.write([(f"k{n}", "1") for n in range(5000)], 1)
    space.changes_since({})
    for n in range(20_000):
        space.write([(f"k{n % 50}", "1")], 2)
    assert space._index.size <= 2 * 5000 + 1001
    looked = space.changes_since({A: space.vector[A] - 10})
    assert len(looked) == 10
    assert len(space._index.above({A: space.vector[A] - 10})) == 10


def test_a_random_world_converges():
    """A long history of three replicas with lost and repeated messages ends alike."""
    order = random.Random(5)
    spaces = [Space(replica) for replica in REPLICAS]
    for now_ms in range(600):
        who = order.choice(spaces)
        key = order.choice(KEYS)
        if order.random() < 0.3 and (who.text(key) or "1").isdigit():
            who.increment(key, order.randint(0, 9), now_ms)
        else:
            who.write([(key, order.choice(["1", "22", None]))], now_ms)
        if order.random() < 0.3:
            exchange(*order.sample(spaces, 2))
    for one in spaces:
        for two in spaces:
            exchange(one, two)
    for one in spaces:
        exchange(spaces[2], one)
    assert state(spaces[0]) == state(spaces[1]) == state(spaces[2])
