"""Backup files: written, damaged, read by the command line, and merged into profiles."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine_rig import APP, OTHER, Rig
from memory import MemoryBackend
from patience import seconds

from masq import messages
from masq.errors import InvalidValue, MasqError, NotRegistered, QuotaExceeded
from masq_store.backup.__main__ import main as command
from masq_store.core.backup import container
from masq_store.core.backup import contents as layout
from masq_store.core.backup.contents import Backup, SavedSpace
from masq_store.core.crypto import key_schedule
from masq_store.core.crypto.padding import pad
from masq_store.core.errors import (
    DamagedBackup,
    NewerBackup,
    NotABackup,
    TruncatedBackup,
    WrongBackupPassphrase,
)
from masq_store.core.space.space import Space
from masq_store.engine.profile import backup as backups
from masq_store.native.crypto import NativeCrypto

pytestmark = pytest.mark.within(60)

WORDS = "correct horse"
CHEAP = 10  # iterations: these tests open hundreds of files
ROOT = Path(__file__).parents[3]
VECTOR = json.loads((ROOT / "tests" / "vectors" / "backup.json").read_text("utf-8"))

REFUSALS = (NotABackup, DamagedBackup, TruncatedBackup, NewerBackup, WrongBackupPassphrase)


async def write(rig: Rig, origin: str | None = None) -> bytes:
    """Return a backup of the rig's profile, cheaply wrapped."""
    assert rig.engine.profile is not None
    return await backups.write_backup(
        rig.engine.profile, rig.crypto, WORDS, now_ms=rig.now, origin=origin, iterations=CHEAP
    )


async def read(content: bytes, passphrase: str = WORDS) -> Backup:
    """Open a backup."""
    return await backups.read_backup(NativeCrypto(), content, passphrase)


async def restore(rig: Rig, content: bytes, **more: Any) -> backups.Restored:
    """Restore a backup as the pages do: open it first."""
    return await rig.engine.commands.restore(await rig.engine.commands.read_backup(content, WORDS), **more)


async def filled() -> Rig:
    """Return an engine with two apps that hold something of every kind."""
    rig = await Rig().start()
    tab = await rig.approved(APP)
    await tab.call("update", [[f"key {n}", n] for n in range(300)])
    await tab.call("set", "big", {"$int": "f" * 100})
    await tab.call("set", "bytes", {"$bytes": "AAE="})
    await tab.call("increment", "count", 5)
    await tab.call("delete", ["key 7"])
    other = await rig.approved(OTHER)
    await other.call("set", "\0 é 😀", ["x" * 200_000, {"a": None}])
    await other.call("set", "b", "y" * 100_000)
    return rig


async def digests(rig: Rig) -> dict[str, str]:
    """Return a digest of what each app's readers get, by origin."""
    profile = rig.engine.profile
    assert profile is not None
    found = {}
    for origin in profile.apps():
        space = await profile.space(origin)
        found[origin] = hashlib.sha256(repr(space.core.items()).encode()).hexdigest()
        profile.release(origin)
    return found


async def core(rig: Rig, origin: str = APP) -> Space:
    """Return an app's map."""
    assert rig.engine.profile is not None
    return (await rig.engine.profile.space(origin)).core


def boundaries(content: bytes) -> list[int]:
    """Return where the head and each record of a backup file end."""
    ends = [container.HEAD_BYTES]
    for frame in container.decode_frames(content):
        ends.append(ends[-1] + 5 + len(frame.sealed))
    return ends


# Round trips -----------------------------------------------------------------------------------------------


async def test_a_wiped_device_gets_everything_back() -> None:
    """Into an empty store: the same name, home secret, apps and data, and all of it is on disk."""
    old = await filled()
    await old.engine.commands.withdraw(OTHER)
    before, content = await digests(old), await write(old)
    assert set(before) == {APP, OTHER}
    new = await Rig().start()
    restored = await restore(new, content)
    assert restored == ([APP, OTHER], [], [])
    for _ in range(2):
        assert old.engine.profile is not None and new.engine.profile is not None
        assert await digests(new) == before
        assert new.engine.profile.name == "Ann"
        assert new.engine.profile.home_secret == old.engine.profile.home_secret
        assert new.engine.profile.id != old.engine.profile.id
        assert new.engine.profile.apps() == old.engine.profile.apps()
        assert new.engine.profile.app(OTHER) is None, "withdrawn as it was"
        await new.restart()


async def test_a_restored_replica_has_an_id_of_its_own() -> None:
    """The restoring device takes no replica id from the backup, and no opening of a space takes another's."""
    old = await filled()
    content = await write(old)
    theirs = {replica for space in (await read(content)).spaces.values() for replica in space.vector}
    new = await Rig().start()
    await restore(new, content)
    mine = {(await core(new, origin)).replica for origin in (APP, OTHER)}
    assert len(theirs) == 2 and len(mine) == 2 and not mine & theirs
    await restore(new, content)
    assert mine == {(await core(new, origin)).replica for origin in (APP, OTHER)}, "still open"
    await new.restart()
    assert not mine & {(await core(new, origin)).replica for origin in (APP, OTHER)}


async def test_a_new_profile_is_locked_as_asked() -> None:
    """The profile made anew gets the passphrase given, which is not the backup's."""
    content = await write(await filled())
    new = await Rig().start()
    await restore(new, content, passphrase="another one", stay_unlocked=False)
    await new.restart()
    assert new.engine.profile is None
    with pytest.raises(MasqError):
        await restore(new, content)
    await new.engine.commands.unlock("another one", False)
    assert set(await digests(new)) == {APP, OTHER}


async def test_one_app_alone() -> None:
    """A backup of one app names no other, holds no home secret, and brings that app back."""
    old = await filled()
    before = await digests(old)
    content = await write(old, OTHER)
    backup = await read(content)
    assert backup.manifest.home_secret is None and not backup.manifest.whole
    assert list(backup.spaces) == [OTHER] and len(backup.home.rows) == 1
    new = await Rig().start()
    await new.approved(APP)
    await restore(new, content)
    assert (await digests(new))[OTHER] == before[OTHER]
    assert new.engine.profile and new.engine.profile.app(OTHER)
    with pytest.raises(NotRegistered):
        await write(old, "https://nobody.example")
    with pytest.raises(InvalidValue):
        await old.engine.commands.write_backup("")


# Merging ---------------------------------------------------------------------------------------------------


async def test_an_old_backup_undoes_nothing() -> None:
    """Newer values, deletions and withdrawals stay; what was lost since comes back; a second time changes nothing."""
    rig = await filled()
    content = await write(rig)
    rig.now += 1000
    tab = rig.app(APP)
    await tab.status(state="ready")
    await tab.call("set", "key 1", "newer")
    await tab.call("delete", ["key 2"])
    await tab.call("set", "new", 1)
    await rig.engine.commands.withdraw(OTHER)
    before = await digests(rig)
    for _ in range(2):
        await restore(rig, content)
        assert await digests(rig) == before
        assert rig.engine.profile and rig.engine.profile.app(OTHER) is None
        await rig.restart()
        assert await digests(rig) == before


async def test_data_of_both_sides_is_kept() -> None:
    """Into another person's profile: keys of both, the newer where both have one, and its own name and secret."""
    old = await filled()
    content = await write(old)
    new = Rig()
    new.now += 5000
    await new.start()
    tab = await new.approved(APP)
    await tab.call("update", [["key 1", "newer"], ["mine", True]])
    assert new.engine.profile is not None
    secret = new.engine.profile.home_secret
    assert (await restore(new, content)).merged == [APP, OTHER]
    assert await tab.call("get_many", ["key 1", "mine", "key 3"]) == [
        ["key 1", "newer"],
        ["mine", True],
        ["key 3", 3],
    ]
    assert new.engine.profile.home_secret == secret


async def test_counters_merge() -> None:
    """Increments on both sides of a restore all count, and none counts twice."""
    old = await filled()
    first = await write(old)
    tab = old.app(APP)
    await tab.status(state="ready")
    await tab.call("increment", "count", 10)
    second = await write(old)
    new = await Rig().start()
    await restore(new, first)
    again = new.app(APP)
    await again.status(state="ready")
    assert await again.call("increment", "count", 100) == 105
    for content in (second, first, second):
        await restore(new, content)
        assert await again.call("get", "count") == [115]
    await restore(old, await write(new))
    assert await tab.call("get", "count") == [115]


async def test_watchers_hear_of_it() -> None:
    """An app that is open hears of what a restore changed, and a stranger that became known may work at once."""
    content = await write(await filled())
    rig = Rig()
    rig.now -= 5000
    await rig.start()
    tab, stranger = await rig.approved(APP), rig.app(OTHER)
    await stranger.status(state="unregistered")
    await tab.call("watch", "key 29", False)
    await restore(rig, content)
    heard = await tab.port.until(lambda message: message.get("changes"))
    assert sorted(change[0] for change in heard[0][1]) == ["key 29", *(f"key 29{n}" for n in range(10))]
    await stranger.status(state="ready")
    assert await stranger.call("has", "b") is True


async def erase(rig: Rig, origin: str) -> None:
    """Begin the next generation of an app's data, as erasing does."""
    profile = rig.engine.profile
    assert profile is not None
    app = profile.apps()[origin]
    rig.now += 1000
    begun = {**app, "generation": app["generation"] + 1, "approved_ms": rig.now}
    await profile.write_home([("app/" + origin, begun)], rig.now)


async def test_what_was_erased_stays_erased() -> None:
    """A backup from before an app's data was erased brings it back only when that is asked for."""
    rig = await filled()
    before, content = await digests(rig), await write(rig)
    await erase(rig, APP)
    assert (await restore(rig, content)).skipped == [APP]
    assert len((await core(rig)).rows()) == 0
    assert (await restore(rig, content, erased=True)).merged == [APP, OTHER]
    assert await digests(rig) == before


async def test_another_profile_erases_nothing_here() -> None:
    """Another profile's erasures count for nothing: its data joins what the app has here."""
    other = await filled()
    await erase(other, APP)
    tab = other.app(APP)
    await tab.status(state="ready")
    await tab.call("set", "theirs", 1)
    content = await write(other)
    rig = await Rig().start()
    tab = await rig.approved(APP)
    await tab.call("set", "mine", 1)
    assert (await restore(rig, content)).moved == []
    await rig.restart()
    assert [key for key, _ in (await core(rig)).items()] == ["mine", "theirs"]
    assert len((await core(other)).rows()) == 1


async def test_a_newer_erasure_of_the_same_profile_counts() -> None:
    """Where the backup is the newer one, its erasure holds, and an open app moves to the data since."""
    rig = await filled()
    old = await write(rig)
    await erase(rig, APP)
    tab = rig.app(APP)
    await tab.status(state="ready")
    await tab.call("set", "since", 1)
    content = await write(rig)
    behind = await Rig().start()
    await restore(behind, old)
    tab = behind.app(APP)
    await tab.status(state="ready")
    assert (await restore(behind, content)).moved == [APP]
    await tab.status(state="ready")
    assert await tab.call("keys", "") == ["since"]
    await tab.call("set", "more", 1)
    await behind.restart()
    assert (await core(behind)).keys() == ["more", "since"]


# Full disks ------------------------------------------------------------------------------------------------


async def test_a_full_disk_makes_no_profile() -> None:
    """Where a backup does not fit into an empty store, the store is as empty as before, and can be used."""
    content = await write(await filled())
    rig = await Rig(MemoryBackend(quota=100_000)).start()
    before = dict(rig.backend.disk.stored)
    with pytest.raises(QuotaExceeded):
        await restore(rig, content)
    assert rig.backend.disk.stored == before and rig.engine.profile is None
    await (await rig.approved()).call("set", "key", 1)


async def test_a_full_disk_takes_all_or_nothing() -> None:
    """Where not everything fits, nothing is restored, the app's own writes go on, and the error says so."""
    content = await write(await filled())
    rig = await Rig(MemoryBackend(quota=100_000)).start()
    tab = await rig.approved(APP)
    await tab.call("set", "key 1", "mine")
    before = await digests(rig)
    with pytest.raises(QuotaExceeded):
        await restore(rig, content)
    assert await digests(rig) == before
    assert await tab.call("set", "key 1", "still") is None
    await rig.restart()
    assert list(await digests(rig)) == [APP]
    assert (await core(rig)).items() == [("key 1", '"still"')]


class SlowBackend(MemoryBackend):
    """A disk that lets others run while it writes, as disks do."""

    async def write(self, *batch: Any) -> None:
        """Write after a few trips of the event loop."""
        for _ in range(5):
            await asyncio.sleep(0)
        await super().write(*batch)


async def test_a_restore_waits_while_the_writer_is_careful() -> None:
    """While other writes are tried one by one after a full disk, a restore waits, and then is whole."""
    content = await write(await filled())
    rig = await Rig(SlowBackend()).start()
    tab = await rig.approved(APP)
    rig.backend.fail_next(QuotaExceeded("disk"))
    writes = [asyncio.ensure_future(tab.call("set", f"mine {n}", n)) for n in range(3)]
    backup = await read(content)
    while not rig.engine.writer._careful:
        await asyncio.sleep(0)
    await rig.engine.commands.restore(backup)
    assert await asyncio.gather(*writes) == [None] * 3
    assert (await core(rig)).has("mine 2") and (await core(rig)).has("key 1")


# Files that are refused ------------------------------------------------------------------------------------


async def refused(rig: Rig, content: bytes, passphrase: str = WORDS) -> MasqError:
    """Return the error that the pages get for a file; nothing may have changed on disk or in memory."""
    stored, known = dict(rig.backend.disk.stored), await digests(rig)
    with pytest.raises(REFUSALS) as caught:
        await rig.engine.commands.restore(await rig.engine.commands.read_backup(content, passphrase))
    assert rig.backend.disk.stored == stored
    assert await digests(rig) == known
    assert "Nothing was changed" in caught.value.sentence
    return caught.value


async def test_random_damage_is_refused() -> None:
    """Of 200 files with one to four bytes altered, or a stretch cut out, doubled or zeroed, none is taken."""
    rig = await filled()
    content = await write(rig)
    dice = random.Random(3)
    seen = set()
    for turn in range(200):
        spoilt = bytearray(content)
        at = dice.randrange(len(content)) if turn % 2 else dice.randrange(100)
        some = dice.randrange(1, 400)
        if turn % 5 == 0:
            del spoilt[at : at + some]
        elif turn % 5 == 1:
            spoilt[at:at] = content[at : at + some]
        elif turn % 5 == 2:
            spoilt[at : at + some] = bytes(len(spoilt[at : at + some]))
        else:
            for _ in range(dice.randrange(1, 5)):
                spoilt[dice.randrange(len(content))] ^= dice.randrange(1, 256)
        if spoilt != content:
            seen.add(type(await refused(rig, bytes(spoilt))))
    assert {DamagedBackup, NotABackup, TruncatedBackup} <= seen


async def test_each_byte_of_the_head_counts() -> None:
    """A change of any byte before the first record is refused, and never blamed on the passphrase."""
    rig = await Rig().start()
    await rig.approved()
    content = await write(rig)
    for at in range(container.HEAD_BYTES + 6):
        spoilt = bytearray(content)
        spoilt[at] ^= 1
        error = await refused(rig, bytes(spoilt))
        assert not isinstance(error, WrongBackupPassphrase)
        assert isinstance(error, NotABackup) == (at < 8)


async def test_a_file_that_is_cut_off() -> None:
    """Cut at each record's end, and before and after it: TruncatedBackup, which needs no passphrase to tell."""
    rig = await filled()
    content = await write(rig)
    ends = boundaries(content)
    assert ends[-1] == len(content) and len(ends) > 6
    cuts = {cut + by for cut in ends[:-1] for by in (-1, 0, 1, 5, 6)} | {9, 40, len(content) - 1}
    for cut in sorted(cuts):
        assert isinstance(await refused(rig, content[:cut], "whatever"), TruncatedBackup), cut


async def test_records_keep_their_places() -> None:
    """Records left out, swapped, repeated, added, from another file, or marked as the last: DamagedBackup."""
    rig = await filled()
    content, other = await write(rig), await write(rig)
    ends, others = boundaries(content), boundaries(other)
    head, *pieces = [content[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    foreign = other[others[1] : others[2]]
    for spoilt in (
        [*pieces[:2], *pieces[3:]],
        [pieces[1], pieces[0], *pieces[2:]],
        [*pieces[:2], pieces[1], *pieces[2:]],
        [pieces[0], foreign, *pieces[2:]],
        [*pieces, pieces[-1]],
        [*pieces, b"x"],
        [*pieces[:2], b"\1" + pieces[2][1:]],
        [*pieces[:-1], b"\0" + pieces[-1][1:], pieces[-1]],
    ):
        assert isinstance(await refused(rig, head + b"".join(spoilt)), DamagedBackup)


async def test_foreign_and_newer_files_and_passphrases() -> None:
    """Each says what it is: no backup, a newer version's, or the wrong passphrase."""
    rig = await filled()
    content = await write(rig)
    newer = bytearray(content)
    newer[8] = 2
    for foreign in (
        b"",
        b"PK\3\4" + bytes(500),
        b"\x89PNG\r\n\x1a\n" + bytes(500),
        content[1:],
        b'{"masq":1}',
    ):
        assert isinstance(await refused(rig, foreign), NotABackup)
    error = await refused(rig, bytes(newer))
    assert isinstance(error, NewerBackup) and (error.fields["found"], error.fields["known"]) == (2, 1)
    assert isinstance(await refused(rig, content, "wrong"), WrongBackupPassphrase)
    assert isinstance(await refused(rig, content, ""), WrongBackupPassphrase)


async def test_absurd_iterations_are_refused_before_any_work() -> None:
    """A head that asks for no iterations, or for hours of them, is damage."""
    for iterations in (0, container.MAX_ITERATIONS + 1, 2**32 - 1):
        head = container.encode_head(container.Head(iterations, bytes(16), bytes(48)))
        with pytest.raises(DamagedBackup):
            await read(head + b"\1\0\0\1\x10" + bytes(272))


async def sealed(contents: list[bytes]) -> bytes:
    """Return a file of these contents, well sealed: what somebody who means harm can make."""
    file = await backups._File.begin(NativeCrypto(), WORDS, CHEAP)
    for content in contents[:-1]:
        await file.add(content)
    await file.add(contents[-1], last=True)
    return file.content()


async def test_a_well_sealed_file_is_not_believed() -> None:
    """Contents that no store would have written are refused, however well they are sealed."""
    rig = await filled()
    good = await read(await write(rig))
    await refused(rig, await sealed([b"\1{}"]))

    def contents(home: SavedSpace, *spaces: SavedSpace, **more: Any) -> list[bytes]:
        found = [layout.encode_manifest(good.manifest._replace(**more)), *layout.encode_space(home)]
        for space in spaces:
            found += layout.encode_space(space)
        return [*found, layout.encode_end(1 + len(spaces))]

    home, (app, other) = good.home, good.spaces.values()
    assert (await read(await sealed(contents(home, app, other)))) == good

    def row(text: str | None, key: str = "k") -> SavedSpace:
        return app._replace(rows=[(key, 1, 0, "ab" * 8, 1, text, ())])

    def registered(**more: Any) -> SavedSpace:
        rows = [(*r[:5], messages.encode({**messages.decode(r[5] or ""), **more}), *r[6:]) for r in home.rows]
        return home._replace(rows=rows)

    spoilt = [
        contents(home, app),
        contents(home, other, app, app),
        contents(app, app, other),
        contents(home, row("1],[2"), other),
        contents(home, row('{"b":1, "a":2}'), other),
        contents(home, row('{"$bytes":"?"}'), other),
        contents(home, row("NaN"), other),
        contents(home, row('"' + "x" * 300_000 + '"'), other),
        contents(home, row("1", "k" * 513), other),
        contents(home, app._replace(rows=app.rows + app.rows[:1]), other),
        contents(home, app._replace(rows=[("k", 1, 0, "ab" * 8, 1, '"a"', (("ab" * 8, 2, 1),))]), other),
        contents(home, app._replace(rows=[("k", 0, 0, "", 0, None, ())]), other),
        contents(home, app._replace(vector={"x": 1}), other),
        contents(home, app._replace(generation=1), other),
        contents(home, app._replace(origin="http://evil.example"), other),
        contents(registered(name="\u202enoitacilppa"), app, other),
        contents(registered(approved="yes"), app, other),
        contents(registered(generation=-1), app._replace(generation=-1), other._replace(generation=-1)),
        contents(home, app, other, name=" "),
        contents(home, app, other, home_secret=None),
        contents(home, app, other, home_secret=b"short"),
        contents(home, app, other, mark="zz"),
        contents(home, app, other)[:-1],
        contents(home, app, other)[1:],
    ]
    for found in spoilt:
        assert isinstance(await refused(rig, await sealed(found)), DamagedBackup)
    newer = contents(home, app, other)
    newer[0] = newer[0].replace(b'"format":1', b'"format":9')
    assert isinstance(await refused(rig, await sealed(newer)), NewerBackup)


def test_sizes_are_padded() -> None:
    """Every record is sealed at a padded size, so that the file tells of its contents only roughly."""
    for frame in container.decode_frames(bytes.fromhex(VECTOR["file"])):
        size = len(frame.sealed) - key_schedule.TAG_BYTES
        assert len(pad(bytes(size - 4))) == size


# The known answer, and the command line --------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Return the known file, its passphrase in a file, and a place for an export."""
    places = {name: tmp_path / name for name in ("backup", "words", "out", "wrong")}
    places["backup"].write_bytes(bytes.fromhex(VECTOR["file"]))
    places["words"].write_text(VECTOR["passphrase"] + "\n", "utf-8")
    places["wrong"].write_text("wrong\n", "utf-8")
    return places


def test_the_command_line_reads_the_same_file(files: dict[str, Path], capsys: Any) -> None:
    """It lists the profile, the apps, their keys and sizes, and exports exactly what was saved."""
    opened = [str(files["backup"]), "--passphrase-file", str(files["words"])]
    assert command(opened) == 0
    listed = capsys.readouterr().out
    for origin, app in VECTOR["plain"]["apps"].items():
        assert origin in listed and app["name"] in listed
        assert command([*opened, "--app", origin]) == 0
        assert len(capsys.readouterr().out.splitlines()) == len(app["entries"])
    assert command([*opened, "--json", str(files["out"])]) == 0
    assert json.loads(files["out"].read_text("utf-8")) == VECTOR["plain"]
    assert files["out"].stat().st_mode & 0o077 == 0
    one = next(iter(VECTOR["plain"]["apps"]))
    capsys.readouterr()
    assert command([*opened, "--app", one, "--json", "-"]) == 0
    assert list(json.loads(capsys.readouterr().out)["apps"]) == [one]


def test_the_command_line_says_what_is_wrong(files: dict[str, Path], capsys: Any, tmp_path: Path) -> None:
    """Each fault has its exit code and a sentence, never a traceback; nothing is overwritten."""
    words = ["--passphrase-file", str(files["words"])]
    backup = str(files["backup"])
    cut = tmp_path / "cut"
    cut.write_bytes(files["backup"].read_bytes()[:-1])
    files["out"].write_text("kept")
    for code, says, arguments in (
        (1, "not a backup", [str(files["words"])]),
        (1, "cut off", [str(cut)]),
        (2, "No such file", [str(tmp_path / "none"), *words]),
        (2, "not in this backup", [backup, *words, "--app", "https://nobody.example"]),
        (2, "exists already", [backup, *words, "--json", str(files["out"])]),
        (3, "does not open the backup", [backup, "--passphrase-file", str(files["wrong"])]),
    ):
        assert command(arguments) == code
        assert says in capsys.readouterr().err
    assert files["out"].read_text() == "kept"


def test_the_command_runs_by_itself(files: dict[str, Path]) -> None:
    """`python -m masq_store.backup` works from the sources alone."""
    path = f"{ROOT / 'client'}:{ROOT / 'store'}"
    done = subprocess.run(
        [sys.executable, "-m", "masq_store.backup", str(files["backup"])]
        + ["--passphrase-file", str(files["words"])],
        env={"PYTHONPATH": path, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=seconds(60),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert VECTOR["plain"]["profile"] in done.stdout


def test_the_document_tells_the_numbers() -> None:
    """docs/backup.md names every label, the magic bytes, and the head's size as the code has them."""
    text = (ROOT / "docs" / "backup.md").read_text("utf-8")
    labels = [label for label in key_schedule.LABELS if label.startswith(key_schedule.BACKUP)]
    assert len(labels) == 4
    for said in (*labels, container.MAGIC.hex(" "), f"{container.HEAD_BYTES} bytes", "10,000,000"):
        assert said in text, said
