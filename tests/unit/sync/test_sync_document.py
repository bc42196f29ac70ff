"""docs/protocol.md, "Devices of one space", names what the code has."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

from masq_store.core.crypto import key_schedule
from masq_store.core.space import row_rules
from masq_store.core.space.clock import MAX_COUNTER, MAX_MS
from masq_store.core.sync import envelope, machine, room_log
from masq_store.core.sync import messages as sync_wire
from masq_store.core.sync.envelope import Header, encode_header
from masq_store.core.sync.messages import Changes, Check, Here, State, Trimmed
from masq_store.engine.sync import room_sync, snapshot

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "protocol.md").read_text("utf-8").partition("## Devices of one space")[2]
FLOWING = " ".join(TEXT.split())
LABELS = (
    key_schedule.HOME_SPACE,
    key_schedule.SPACE_SECRET,
    key_schedule.ROOM,
    key_schedule.EPOCH,
    key_schedule.ROOM_TOKEN,
    key_schedule.SENDER,
    key_schedule.ENVELOPE,
)


def rows(first: str) -> list[list[str]]:
    """Return the cells of the table whose first columns are called so."""
    lines = TEXT.splitlines()
    found = []
    for line in lines[lines.index(first) + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_states_are_those_of_the_machine() -> None:
    """Each state stands there with what moves it on, and where to."""
    found = [
        tuple(cell.strip("`") for cell in row[:3]) for row in rows("| state | moved on by | to | meaning |")
    ]
    expected = [
        (state, event, after) for state, moves in machine.MOVES.items() for event, after in moves.items()
    ]
    assert found == expected


def test_the_messages_are_those_of_the_code() -> None:
    """Each kind stands there with its number, the fields of its head, and whether it has a body."""
    examples = {
        "CHANGES": Changes([], [], 0),
        "CHECK": Check({}),
        "STATE": State([], 0, bytes(16), None),
        "TRIMMED": Trimmed(0),
        "HERE": Here("ab" * 8),
    }
    table = rows("| kind | name | head | body |")
    assert [row[1].strip("`") for row in table] == list(examples)
    assert len(table) == len(sync_wire._PARSERS)
    for number, name, head, body in table:
        content = sync_wire.encode(examples[name.strip("`")])
        end = 5 + int.from_bytes(content[1:5], "big")
        assert content[0] == int(number) == getattr(sync_wire, name.strip("`"))
        assert set(json.loads(content[5:end])) == set(head.split(", "))
        assert bool(content[end:]) == bool(body)


def test_the_header_is_that_of_the_code() -> None:
    """The header's fields have the sizes of the table, in its order."""
    table = rows("| field | bytes | what |")
    sizes = {row[0]: int(row[1]) for row in table}
    assert sum(sizes.values()) == envelope.HEADER_BYTES
    header = Header(0x01020304, "a1" * 8, b"s" * 16, 0xC0FFEE)
    values = [envelope.VERSION, envelope.SEALED, header.epoch, 0xA1A1A1A1A1A1A1A1, None, header.counter]
    encoded, at = encode_header(header), 0
    for (name, size), value in zip(sizes.items(), values, strict=True):
        part = encoded[at : at + size]
        assert part == (header.session if value is None else value.to_bytes(size, "big")), name
        at += size
    assert f"version | 1 | {envelope.VERSION} |" in TEXT
    assert f"at least {envelope.MINIMUM} bytes" in FLOWING


def test_the_keys_are_those_of_the_code() -> None:
    """Each derived key stands there with its label and size; no other label of the store is named."""
    table = {row[0]: row[2:] for row in rows("| key | made from | info | bytes |")}
    assert set(re.findall(r"`(masq/v1/[\w-]+)`", TEXT)) == set(LABELS)
    for name, label, size in (
        ("home space's secret", key_schedule.HOME_SPACE, key_schedule.SECRET_BYTES),
        ("app's space's secret", key_schedule.SPACE_SECRET, key_schedule.SECRET_BYTES),
        ("room's id", key_schedule.ROOM, key_schedule.ROOM_BYTES),
        ("epoch secret", key_schedule.EPOCH, key_schedule.SECRET_BYTES),
        ("room's access token", key_schedule.ROOM_TOKEN, key_schedule.TOKEN_BYTES),
        ("sender's key", key_schedule.SENDER, key_schedule.KEY_BYTES),
    ):
        info, bytes_ = table.pop(name)
        assert f"`{label}`" in info and int(bytes_) == size, name
    assert table == {}


def test_the_numbers_are_those_of_the_code() -> None:
    """Bounds, sizes and times of the text are those of the code."""
    assert f"ms above 2^{MAX_MS.bit_length() - 1}" in FLOWING
    assert f"a counter of a stamp above 2^{MAX_COUNTER.bit_length() - 1}" in FLOWING
    assert f"a number above 2^{row_rules.MAX_NUMBER.bit_length() - 1}" in FLOWING
    assert f"last {room_log.SESSIONS} sessions" in FLOWING
    assert f"At most {machine.MOST_IN_FLIGHT} messages" in FLOWING
    assert f"about {machine.PIECE_BYTES:,} bytes" in FLOWING
    assert f"{machine.SNAPSHOT_ENTRIES} envelopes and {machine.SNAPSHOT_BYTES:,} bytes" in FLOWING
    assert f"up to {room_sync.SETTLE_SECONDS:.0f} s" in FLOWING
    assert [int(row[1]) for row in rows("| what | seconds |")] == [
        room_sync.ANSWER_SECONDS,
        room_sync.AGAIN_SECONDS,
        room_sync.TORN_SECONDS,
        room_sync.KEEP_PLACE_SECONDS,
    ]
    assert snapshot.ANSWER_SECONDS == room_sync.ANSWER_SECONDS


def test_the_vectors_are_what_their_maker_writes() -> None:
    """tests/vectors/envelope.json is what the program beside it makes of the document."""
    made = runpy.run_path(str(ROOT / "tests" / "vectors" / "make_envelope.py"))
    kept = json.loads((ROOT / "tests" / "vectors" / "envelope.json").read_text("utf-8"))
    assert json.loads(json.dumps(made["known_messages"]())) == kept["messages"]
    assert (made["refused"](), made["newer"]()) == (kept["refused"], kept["newer"])
    assert "masq_store" not in (ROOT / "tests" / "vectors" / "make_envelope.py").read_text("utf-8")
