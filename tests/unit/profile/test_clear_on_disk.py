"""What stands in clear on a disk is what docs/threat-model.md says: nothing is forgotten there, and nothing made up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from engine_rig import APP, Rig
from partition_rig import Apart

from masq_store.engine.profile.backup import read_backup
from masq_store.engine.storage import disk_keys

pytestmark = pytest.mark.within(60)

SAID = (Path(__file__).parents[3] / "docs" / "threat-model.md").read_text("utf-8").split("In clear stand:")[1]

CLEAR = {
    "profile/ id": "random ids of profiles and spaces",
    "profile/ name": "each profile's display name",
    "profile/ created_ms": "when it was made",
    "profile/ lock_minutes": "its lock time",
    "profile/ passphrase": "whether it has a passphrase",
    "profile/ passphrase.salt": "whether it has a passphrase",
    "profile/ passphrase.iterations": "600,000 rounds",
    "profile/ device": "whether it stays unlocked",
    "profile/ identity.id": "this device's id",
    "profile/ identity.public": "public key in each profile",
    "profile/ layout": "versions and counts of the storage",
    "ticket/ at_ms": "when the store was last at work",
    "removed": "the names of profiles that another device has removed",
    "active": "which profile is the active one",
    "default-relay": "the relay that the store's host names",
    "schema": "versions and counts of the storage",
    "generation": "versions and counts of the storage",
    "partition": "its name (16 random bytes)",
    "copy/ id": "random ids of profiles and spaces",
    "copy/ layout": "versions and counts of the storage",
    "copy/ app": "a mark made of that name and the app's origin",
    "copy/ roster": "the name of its app's roster",
    "copy/ public": "its public key",
    "copy/ used": "its place in the order of use",
    "copy/ device": "whether it opens by itself",
    "leftovers/": "random ids of profiles and spaces",
}
"""Each thing that is not sealed, by where it stands, and the words that name it in the document."""

SEALED = {"nonce", "sealed"}


def clear(stored: Mapping[str, bytes]) -> Iterator[str]:
    """Yield where anything stands that is not sealed; spaces' records have a test of their own."""
    for key, content in stored.items():
        place, slash, _ = str(key).partition("/")
        place += slash
        if place == "space/":
            continue
        try:
            record = json.loads(content)
        except ValueError:
            yield place
            continue
        if not isinstance(record, dict):
            yield place
            continue
        for name, value in record.items():
            inside = value if isinstance(value, dict) else {}
            if name in SEALED:
                continue
            if set(inside) == SEALED:  # that there is one tells something where it may be absent
                if name == "device":
                    yield f"{place} {name}"
                continue
            if not inside:
                yield f"{place} {name}"
            for part, deeper in inside.items():
                if part not in SEALED and not (isinstance(deeper, dict) and set(deeper) == SEALED):
                    yield f"{place} {name}.{part}"


async def test_what_stands_in_clear_is_what_the_document_says() -> None:
    """In a store and in a partition, with a passphrase and without one, after a removal, with a ticket."""
    rig = await Rig(relay="wss://relay.of.host").start()
    page = rig.page()
    for name, passphrase in (("Ann", "pass"), ("Bob", ""), ("Cid", "pass")):
        await page.call("create_profile", name, passphrase, not passphrase)
    vault = rig.engine.vault
    await page.call("switch_profile", vault.profiles()[0]["id"])
    await vault.delete(vault.profiles()[1]["id"], removed=True)
    await page.call("unlock", "pass", False)
    await rig.approved(APP)
    await rig.backend.write([(disk_keys.DEFAULT_RELAY, b'"wss://relay.of.host"')])
    apart = await Apart(rig).start()
    await apart.connect(apart.app())
    found = {*clear(rig.backend.disk.stored), *clear(apart.backend.disk.stored)}
    assert found <= set(CLEAR), "docs/threat-model.md does not name it"
    assert {"removed", "profile/ identity.public", "ticket/ at_ms", "copy/ app", "partition"} <= found
    await apart.partition.stop()
    await rig.engine.stop()


def test_the_document_names_each() -> None:
    """The words of each are there."""
    said = " ".join(SAID.split())
    assert {place for place, words in CLEAR.items() if words not in said} == set()


async def test_a_backup_of_the_whole_profile_holds_what_the_document_says() -> None:
    """With its passphrase the secret of all devices comes out of it; out of an app's backup that does not."""
    rig = await Rig().start()
    await rig.approved(APP)
    profile = rig.engine.profile
    assert profile is not None
    whole, one = [await rig.engine.commands.write_backup("words", origin) for origin in (None, APP)]
    assert (await read_backup(rig.crypto, whole, "words")).manifest.home_secret == profile.home_secret
    assert (await read_backup(rig.crypto, one, "words")).manifest.home_secret is None
    assert "the secret that the profile's devices share" in " ".join(SAID.split())
