"""docs/protocol.md names what the code has."""

import json
import re
from pathlib import Path

import pytest
from engine_rig import Rig
from fake_port import READY, FakeStore, opened

import masq
from masq import channel, joining, messages
from masq.status import Status
from masq_store.engine.sessions import answers, app_session, calls, outbox

TEXT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")


def table(heading, first):
    """Return the rows of the table in a section whose first column is called `first`."""
    section = re.split(r"^## ", TEXT, flags=re.M)[1:]
    (section,) = [part for part in section if part.startswith(heading)]
    lines = section.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def names(cells):
    """Return what stands between backquotes."""
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def test_the_error_table_is_complete():
    """Each error code of the protocol is in the table, with its fields."""
    kinds = [getattr(masq, name) for name in masq.__all__]
    kinds = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, masq.MasqError)]
    public = {kind.code: kind for kind in kinds if kind is not masq.MasqError}
    rows = {names([row[0]])[0]: names([row[1]]) for row in table("6.", "code")}
    assert {code: list(kind.names) for code, kind in public.items()} == rows


@pytest.mark.within(10)
async def test_the_method_table_is_complete():
    """The client calls exactly the methods of the table, but for `status` and `ping`, which it may, and `severed`."""
    rows = names([row[0] for row in table("3.", "method")])

    async def scene():
        store, fake = opened()
        for call in (
            lambda: store.get("a"),
            lambda: store.get_many(["a"]),
            lambda: store.has("a"),
            lambda: store.keys(),
            lambda: store.items(),
            lambda: store.set("a", 1),
            lambda: store.update({"a": 1}),
            lambda: store.replace({"a": 1}),
            lambda: store.delete("a"),
            lambda: store.clear(),
            lambda: store.increment("a"),
            lambda: store.flush(),
        ):
            await call()
        await store.watch().aclose()
        await store.get("a")
        return [call[1] for call in fake.calls()]

    called = [
        name for number, name in enumerate(await scene()) if number < 12 or name in ("watch", "unwatch")
    ]
    assert [*called, "status", "ping", "severed"] == rows
    assert set(channel.READS) < set(rows)


def test_the_fake_store_of_these_tests_knows_the_methods():
    """The tests' store has every method of the table."""
    rows = names([row[0] for row in table("3.", "method")])
    known = {name[3:] for name in dir(FakeStore) if name.startswith("do_")}
    assert known == set(rows) - {"status", "ping", "severed"}


def test_the_status_table_is_complete():
    """The fields of `status` are those that Status reads."""
    rows = names([row[0] for row in table("4.", "field")])
    assert [name for name in rows if name != "denied"] == list(vars(Status(READY)))


def test_the_numbers_are_those_of_the_code():
    """Version, limits and time-outs in the text are those of the code."""
    assert f"version {messages.PROTOCOL}" in TEXT.splitlines()[0]
    assert f"1 to {messages.MAX_KEY_BYTES} bytes" in TEXT
    assert f"{messages.MAX_VALUE_BYTES:,} bytes" in TEXT
    assert f"nested {messages.MAX_DEPTH} deep" in TEXT
    assert f"nested {messages.MAX_MESSAGE_DEPTH} deep" in TEXT
    assert f"at most {app_session.MAX_RECEIVED_CHARACTERS:,} characters" in TEXT
    assert f"more than {app_session.MAX_WAITING_CHARACTERS:,} that wait" in TEXT
    assert f"more than {channel.MAX_MESSAGE_CHARACTERS:,} characters" in TEXT
    assert f"at most {answers.MAX_MESSAGE_BYTES:,} bytes" in TEXT
    assert f"counts for {calls.MESSAGE_COST:,} more" in TEXT
    assert f"read {outbox.MAX_UNREAD_CHARACTERS:,} characters" in TEXT
    assert f"of at most {app_session.MAX_READ_CHARACTERS} characters" in TEXT
    assert f"of more than {calls.MAX_STRANGER_CHARACTERS:,} characters" in TEXT
    assert channel.MAX_CALL_CHARACTERS + len(channel.HEAD) + 32 < app_session.MAX_RECEIVED_CHARACTERS
    assert joining.connect.__kwdefaults__["timeout"] == 30
    assert TEXT.count("30 seconds") == 2


def test_the_reads_that_are_sent_again_are_named():
    """Section 5 lists exactly the methods that the client sends again."""
    section = TEXT[TEXT.index("## 5.") :]
    assert (
        tuple(names([section[section.index("reads (") : section.index(") are sent again")]])) == channel.READS
    )


def test_the_example_is_json():
    """Every line of the example is a message."""
    example = TEXT[TEXT.index("## 7.") :]
    lines = re.findall(r"→ \w+\s+(\{.*\})$", example, flags=re.M)
    assert len(lines) == 6
    assert all(json.loads(line)["masq"] == messages.PROTOCOL for line in lines)


async def test_the_store_says_what_the_example_says():
    """The engine, told the example's app lines, answers with its store lines; sentences aside."""
    rig = await Rig().start()
    tab = await rig.approved()
    tab.port.heard.clear()
    expected = []
    for who, line in re.findall(r"^(\w+) +→ \w+\s+(\{.*\})$", TEXT[TEXT.index("## 7.") :], flags=re.M):
        if who == "app":
            tab.port.say(line)
            await rig.engine.writer.idle()
        else:
            expected.append(json.loads(line))
    heard = tab.port.heard
    for message in heard:
        for reply in message.get("replies", []):
            if len(reply) == 3:
                reply[2][1] = "…"
    assert heard == expected
