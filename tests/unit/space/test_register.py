"""The merge laws of one register."""

from hypothesis import given
from hypothesis import strategies as st
from spaces import registers

from masq.messages import decode
from masq_store.core.space.clock import Stamp
from masq_store.core.space.register import Register, effective_text, integer, merge_registers


def fixed(first, second):
    """Give two registers of the same stamp and number the same base, as one replica's history does."""
    return first, second._replace(stamp=first.stamp, number=first.number, text=first.text)


@given(registers, registers)
def test_merge_is_commutative(one, other):
    """Who merges whom does not matter, equal stamps with different values included."""
    assert merge_registers(one, other) == merge_registers(other, one)


@given(registers, registers, registers)
def test_merge_is_associative(one, two, three):
    """The order of merging does not matter."""
    left = merge_registers(merge_registers(one, two), three)
    assert left == merge_registers(one, merge_registers(two, three))


@given(registers, registers)
def test_merge_is_idempotent(one, other):
    """Merging the same thing again changes nothing."""
    merged = merge_registers(one, other)
    assert merge_registers(merged, one) == merged
    assert merge_registers(one, one) == one


@given(registers, registers)
def test_parts_of_one_base_all_count(one, other):
    """On the same base, the later part of each replica is in the result, and no other."""
    one, other = fixed(one, other)
    later = dict.fromkeys([])
    for part in (*one.parts, *other.parts):
        later[part[0]] = max(part, later.get(part[0], part))
    assert merge_registers(one, other).parts == tuple(sorted(later.values()))


def test_a_newer_base_wins_whole():
    """A set leaves nothing of the increments on the base that it replaces."""
    counted = Register(Stamp(1, 0, "a"), 1, "5", (("b", 9, 100),))
    newer = Register(Stamp(1, 0, "b"), 1, "2")
    assert merge_registers(counted, newer) == newer


def test_equal_stamps_fall_to_the_larger_register():
    """A copied profile's two writes under one stamp end the same everywhere: number first, then text."""
    stamp = Stamp(5, 0, "a")
    assert merge_registers(Register(stamp, 1, '"z"'), Register(stamp, 2, '"a"')).text == '"a"'
    assert merge_registers(Register(stamp, 2, '"z"'), Register(stamp, 2, '"a"')).text == '"z"'
    assert merge_registers(Register(stamp, 2, None), Register(stamp, 2, '""')).text == '""'


@given(st.integers(), st.lists(st.integers(), min_size=1, max_size=4))
def test_a_counter_reads_as_the_sum(base, totals):
    """A counter's value is its base and all parts, at any size."""
    parts = tuple((str(at), 1, total) for at, total in enumerate(totals))
    assert decode(effective_text(str(base) if abs(base) < 2**53 else None, parts)) == sum(totals) + (
        base if abs(base) < 2**53 else 0
    )


def test_integer_knows_ints_only():
    """Only the canonical text of an int is one; hostile text is none, and raises nothing."""
    assert integer("-12") == -12
    assert integer('{"$int":"20000000000000"}') == 2**53
    for text in (
        None,
        "",
        "1.5",
        "1e5",
        "true",
        "null",
        '"5"',
        "[]",
        '{"$int":"5"}',
        '{"$$int":"5"}',
        "9" * 9000,
    ):
        assert integer(text) is None
