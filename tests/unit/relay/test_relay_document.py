"""docs/protocol.md names what the relay speaks."""

import re
from pathlib import Path

from masq_relay import frames
from masq_relay.frames import Code, Kind

TEXT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
SPELLED = {Kind.SNAPSHOT_PART: "SNAPSHOT", Kind.CASTED: "CAST"}


def rows(section):
    """Return the cells of the table in a section of the relay's protocol."""
    (found,) = [part for part in re.split(r"^## ", TEXT, flags=re.M) if part.startswith(section)]
    lines = [line for line in found.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_kind_is_in_the_tables():
    """Each frame stands in its table, with its byte and its name."""
    documented = {int(row[0], 16): row[1].strip("`") for row in rows("R2.") + rows("R3.")}
    assert documented == {int(kind): SPELLED.get(kind, kind.name) for kind in Kind}


def test_sizes_are_those_of_the_code():
    """A client's frames have the sizes of the table, header and smallest envelope."""
    shapes = {1: frames._HELLO, 2: frames._JOIN, 3: frames._LEAVE, 4: frames._POST, 5: frames._SNAPSHOT}
    shapes |= {6: frames._CAST, 7: frames._PING}
    assert {int(row[0], 16): int(row[3].split()[0]) for row in rows("R2.")} == {
        kind: shape.size for kind, shape in shapes.items()
    }
    sizes = {int(row[0], 16): int(row[3].split()[0]) for row in rows("R3.")}
    channel = frames.CHANNEL.pack(1)
    for kind, frame in {
        Kind.WELCOME: frames.welcome(1, 1, 1, 1),
        Kind.JOINED: frames.joined(1, 1, 1, True),
        Kind.CURRENT: frames.current(1, 1),
        Kind.OTHERS: frames.others(1, 1),
        Kind.PONG: frames.pong(1),
        Kind.ERROR: frames.error(Code.VERSION, ""),
        Kind.STORED: frames.whole([frames.stored(1, 1)], channel)[2:],
        Kind.ENVELOPE: frames.whole([frames.envelope(1, 1, b"")], channel)[2:],
        Kind.SNAPSHOT_PART: frames.whole([frames.snapshot_part(1, 1, 1, b"")], channel)[2:],
        Kind.CASTED: frames.whole([frames.casted(b"")], channel)[2:],
    }.items():
        assert frame[0] == kind
        assert len(frame) == sizes[kind]


def test_every_code_is_in_the_table():
    """Each error code stands in its table, with its name."""
    assert {int(row[0]): row[1].strip("`") for row in rows("R4.")} == {int(code): code.name for code in Code}
