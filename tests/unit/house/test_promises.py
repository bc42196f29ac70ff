"""What the documents promise, or admit, where a reader once found them wrong: each stands there, and has its test.

The table says which test would fail if the words were false.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from engine_rig import APP, Rig
from partition_rig import Apart

from masq.errors import QuotaExceeded
from masq_store.core.space.clock import Stamp
from masq_store.core.space.register import Change, Register
from masq_store.core.space.space import Space

ROOT = Path(__file__).parents[3]

PROMISES = [
    ("docs/threat-model.md", "can say that other devices are removed. That erases nothing by itself",
     "unit/store/test_devices.py::test_devices_that_are_removed_together_do_not_erase_themselves"),
    ("docs/threat-model.md", "When it hears of it, it locks: no app gets anything there",
     "unit/store/test_devices.py::test_a_removed_device_locks_and_asks"),
    ("docs/threat-model.md", "It cannot take their lock off, move them to another relay, or erase what only they hold",
     "unit/partition/test_rosters.py::test_a_roster_takes_no_lock_off"),
    ("docs/threat-model.md", "of that app's other copies their ids, whether they were removed",
     "unit/partition/test_rosters.py::test_the_threat_model_lists_all_that_a_partition_is_told"),
    ("docs/decisions/0008-a-roster-is-a-space-of-its-own.md", "can make a copy stricter at once, and never looser",
     "unit/partition/test_rosters.py::test_a_roster_says_the_strictest_of_what_is_in_it"),
    ("docs/threat-model.md", "each device is then shown as last seen when it was last heard",
     "device/test_sync_engine.py::test_a_relay_that_keeps_devices_apart_shows_as_their_silence"),
    ("docs/threat-model.md", "noticed by numbers and counters once something later of the same sender comes through",
     "device/test_sync_hostile_relay.py::test_envelopes_are_hidden"),
    ("docs/threat-model.md", "in the log's place, after which the devices post what they hold again",
     "device/test_sync_hostile_relay.py::test_a_forged_snapshot_at_the_relay"),
    ("docs/threat-model.md", "junk, which is passed over, and which the next snapshot of a device takes away",
     "device/test_sync_claims.py::test_a_room_full_of_junk_gets_free"),
    ("docs/threat-model.md", "In clear stand:",
     "unit/profile/test_clear_on_disk.py::test_what_stands_in_clear_is_what_the_document_says"),
    ("docs/threat-model.md", "how many changes wait in a copy, when another device writes, and when its person locks",
     "unit/house/test_promises.py::test_an_approved_app_is_told_no_more_than_the_threat_model_says"),
    ("SECURITY.md", "as soon as its copy hears of it: by the relay, or the store's window",
     "device/test_rosters.py::test_a_withdrawal_is_said_whatever_stands_in_the_roster"),
    ("docs/threat-model.md", "the last 64 sessions of senders since the log was last cut short are dropped",
     "device/test_sync_hostile_relay.py::test_an_envelope_is_repeated"),
    ("docs/protocol.md", "the place in the log stays in front of it, for a later version of the store to read it",
     "device/test_sync_claims.py::test_what_a_later_version_sealed_is_read_again"),
    ("docs/protocol.md", "is not done if another has done it",
     "device/test_space_sync.py::test_each_change_is_posted_once"),
    ("docs/threat-model.md", "for what comes by sync is merged at any size",
     "unit/house/test_promises.py::test_what_comes_by_sync_is_merged_at_any_size"),
    ("docs/threat-model.md", "A stamp more than a century ahead is not believed",
     "device/test_sync_hostile_member.py::test_a_stamp_at_the_end_of_time"),
    ("docs/relay.md", "count peers by the last address of the last X-Forwarded-For",
     "relay/test_relay_command.py::test_the_proxy_names_the_peer"),
    ("docs/threat-model.md", "to add a device or remove one takes the passphrase",
     "unit/store/test_outlives_the_lock.py::test_what_outlives_the_lock_needs_the_passphrase"),
    ("docs/threat-model.md", "all that is here is sealed anew, and what was copied opens nothing of it",
     "unit/store/test_outlives_the_lock.py::test_a_renewed_root_key_leaves_nothing_under_the_old_one"),
    ("docs/threat-model.md", "A ticket that ran out is erased by the next start of the store, before anything else",
     "unit/store/test_outlives_the_lock.py::test_a_ticket_whose_time_is_over_is_erased_by_the_next_start"),
    ("docs/threat-model.md", "the secret that the profile's devices share",
     "unit/profile/test_clear_on_disk.py::test_a_backup_of_the_whole_profile_holds_what_the_document_says"),
    ("SECURITY.md", "an app's data that was erased elsewhere waits on this device for 30 days",
     "unit/store/test_trash.py::test_the_trash_is_emptied_after_30_days"),
]  # fmt: skip
"""Document, words, test."""

SAID = {
    "state": "when its person locks",
    "access": "whether it keeps the app apart from the store",
    "profile": "the profile's name",
    "sync": "whether they are in step",
    "devices": "on how many devices its data is",
    "persistent": "whether the browser promised to keep the storage",
    "waiting": "how many changes wait in a copy",
}
"""What a status tells an app that may work, and the words of the threat model for it."""


def flowing(document: str) -> str:
    """Return a document's words in one line."""
    return " ".join((ROOT / document).read_text("utf-8").split())


@pytest.mark.parametrize(("document", "words", "test"), PROMISES, ids=lambda value: value[-40:])
def test_a_promise_stands_and_is_tested(document: str, words: str, test: str) -> None:
    """The words are in the document, and the test that is named for them is there."""
    assert words in flowing(document)
    file, _, name = test.partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    assert name in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


async def test_an_approved_app_is_told_no_more_than_the_threat_model_says() -> None:
    """A field that a status gains, shared or apart, is named there, or this test fails."""

    async def scene() -> None:
        rig = await Rig().start()
        shared = await rig.approved()
        apart = await Apart(rig).start()
        tab = await apart.connected(APP)
        found = {**await shared.status(state="ready"), **await tab.status(state="ready")}
        assert found.keys() == SAID.keys()
        await apart.partition.stop()
        await rig.engine.stop()

    await scene()
    _, _, section = flowing("docs/threat-model.md").partition("**An approved app.**")
    section = section.partition("**A partition of a browser**")[0]
    assert [words for words in SAID.values() if words not in section] == []


def test_what_comes_by_sync_is_merged_at_any_size() -> None:
    """A space that is full here takes what another device wrote, and nothing more of its own."""
    space = Space("a" * 16, max_bytes=100)
    space.write([("k", '"' + "x" * 90 + '"')], 1)
    text = '"' + "y" * 1000 + '"'
    space.merge([Change("b" * 16, 1, "other", Register(Stamp(1, 0, "b" * 16), 1, text))])
    assert space.text("other") == text and space.bytes > space.max_bytes
    with pytest.raises(QuotaExceeded):
        space.write([("mine", "123456789")], 2)
