"""Backup, restore and export, with an engine and a screen made of Python."""

import asyncio
import json

from ui_rig import ABOUT, ADDRESS, BACKUP, KEPT, ORIGIN, Engine, a_profile, opened, press, settle, type_into

from masq.errors import MasqError
from masq_store.core.errors import DamagedBackup
from masq_store.ui.window import file_transfer


async def choose_file(app, screen, name="a.masq", content=BACKUP):
    """Choose a file in the field for it."""
    screen.chosen, screen.content = (name, len(content)), content
    app.chose("backup-file")
    await settle(app)


async def test_a_backup_becomes_a_file_in_the_downloads():
    """Its pieces come one by one under a progress bar; the engine may forget it then."""
    engine = Engine(a_profile("Ann Lee"))
    app, screen = await opened(engine, "#/backup")
    await type_into(app, screen, "backup", passphrase="")
    assert screen.focused == "passphrase"
    await type_into(app, screen, "backup", passphrase="one", passphrase_repeat="two")
    assert screen.focused == "passphrase-repeat" and engine.called("write_backup") == []
    await type_into(app, screen, "backup", passphrase="p", passphrase_repeat="p", backup_what="")
    [(name, download)] = screen.downloads.items()
    assert name.startswith("masq-Ann-Lee-20") and name.endswith(".masq") and screen.has(name)
    assert download.finished and download.content == BACKUP
    assert engine.called("write_backup") == [("p", None, "")] and engine.called("drop_file") == [("made",)]
    assert screen.progress == [(1, 3), (2, 3), (3, 3)] and any('max="3"' in p.html for p in screen.pages)


async def test_a_backup_of_one_app():
    """The address chooses the app, and its name is in the file's."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, "#/backup/http%3A%2F%2Fcounter.localhost%3A8000")
    assert screen.has(f'value="{ORIGIN}" selected')
    await type_into(app, screen, "backup", passphrase="p", passphrase_repeat="p", backup_what=ORIGIN)
    assert engine.called("write_backup") == [("p", ORIGIN, "")]
    assert next(iter(screen.downloads)).startswith("masq-Ann-Counter-")


async def test_a_backup_that_fails_says_so_and_saves_nothing():
    """The error is on the page, and no file was finished."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, "#/backup")

    def fail(*_arguments):
        raise MasqError("The disk is gone.")

    engine.backup_piece = fail
    await type_into(app, screen, "backup", passphrase="p", passphrase_repeat="p")
    assert screen.has("The disk is gone.") and not next(iter(screen.downloads.values())).finished
    assert engine.called("drop_file") == [("made",)]


async def test_restoring_shows_what_is_in_the_file_and_asks():
    """File, passphrase, summary, one question, and a sentence about what became of it."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, "#/restore")
    await type_into(app, screen, "look", passphrase="x")
    assert screen.focused == "backup-file"
    await choose_file(app, screen)
    assert screen.has("a.masq, 1.3 MB")
    await type_into(app, screen, "look", passphrase="wrong")
    assert screen.has("does not open the backup") and screen.focused == "passphrase"
    assert engine.files["sent"] == BACKUP and len(engine.called("file_piece")) == -(
        -len(BACKUP) // file_transfer.PIECE
    )
    await type_into(app, screen, "look", passphrase="of the file")
    assert len(engine.called("begin_file")) == 1, "the file is not sent twice"
    assert screen.has("Bring this back into the store of Ann?") and screen.has("2 entries")
    await press(app, "restore")
    assert engine.called("restore") == [("sent", "", True)]
    assert screen.has("The data of 1 app was brought back.") and engine.files == {}


async def test_restoring_where_there_is_nothing_makes_the_profile():
    """From the first page, with a passphrase for this device; back at the question that waits, if one does."""
    engine = Engine(request=ABOUT)
    app, screen = await opened(engine, "#connect=0123")
    assert screen.has("I have a backup")
    screen.go("#/restore")
    await settle(app)
    await choose_file(app, screen)
    await type_into(app, screen, "look", passphrase="of the file")
    assert screen.has("Make the store of Ann on this device?")
    await type_into(app, screen, "restore", passphrase="new", passphrase_repeat="no")
    assert screen.focused == "passphrase-repeat" and engine.called("restore") == []
    await type_into(app, screen, "restore", passphrase="new", passphrase_repeat="new", stay_unlocked=False)
    assert engine.called("restore") == [("sent", "new", False)]
    assert screen.has("Your data is back") and screen.has('href="#connect=0123"') and "Ann" in screen.top


async def test_a_damaged_file_is_said_and_forgotten():
    """The sentence stands beside the file, and another one can be chosen."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, "#/restore")
    await choose_file(app, screen)
    good = engine.read_backup

    def damaged(*_arguments):
        raise DamagedBackup("a record")

    engine.read_backup = damaged
    await type_into(app, screen, "look", passphrase="of the file")
    assert screen.has("Nothing was changed.") and screen.focused == "backup-file" and engine.files == {}
    engine.read_backup = good
    await choose_file(app, screen, "b.masq")
    await type_into(app, screen, "look", passphrase="of the file")
    assert screen.has("Bring this back")


async def test_a_file_the_browser_cannot_read_is_said():
    """Moved or deleted since it was chosen: a sentence, nothing sent on."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, "#/restore")
    await choose_file(app, screen)

    async def gone(*_arguments):
        raise OSError("NotReadableError")

    screen.read_file = gone
    await type_into(app, screen, "look", passphrase="p")
    assert screen.has("The file cannot be read.") and engine.called("read_backup") == []


async def test_leaving_lets_the_engine_forget_the_file():
    """A file that was read and not restored does not stay in the engine."""
    engine = Engine(a_profile("Ann"))
    app, screen = await opened(engine, "#/restore")
    await choose_file(app, screen)
    await type_into(app, screen, "look", passphrase="of the file")
    screen.go("#/")
    await settle(app)
    assert engine.files == {}


async def test_the_reminder_comes_and_can_be_put_off():
    """It leads to the backup, and Later takes it away."""
    engine = Engine(a_profile("Ann"))
    engine.due = True
    app, screen = await opened(engine)
    assert screen.has('id="reminder"') and screen.has('href="#/backup"')
    await press(app, "remind-later")
    assert not screen.has('id="reminder"') and screen.has("You will be reminded in a week.")


async def test_what_a_withdrawn_app_left_is_erased_after_a_question():
    """The question names the app and how much there is."""
    engine = Engine(a_profile("Ann") | {"kept": [KEPT]})
    app, screen = await opened(engine)
    await press(app, "open-erase", KEPT["origin"])
    assert screen.has("Erase the data of Notes?") and screen.has("3 entries are gone")
    await press(app, "erase", KEPT["origin"])
    assert engine.called("erase") == [(KEPT["origin"],)]
    assert screen.has("The data of Notes was erased.") and not screen.has('id="kept"')


async def test_an_export_holds_every_entry_as_plain_json():
    """The file is what docs/backup.md calls plain JSON, whatever the entries hold."""
    engine = Engine(a_profile("Ann"))
    engine.stored = {f"k{n:04}": n for n in range(1200)} | {'"}': {"$bytes": "AAEC"}, "ü\n": ["</script>"]}
    app, screen = await opened(engine, ADDRESS)
    await press(app, "export")
    [(name, download)] = screen.downloads.items()
    assert name.startswith("masq-Counter-") and name.endswith(".json") and screen.has(name)
    read = json.loads(download.content)
    assert (read["masq"], read["format"], read["profile"]) == ("export", 1, "Ann")
    assert read["apps"] == {ORIGIN: {"name": "Counter", "approved": True, "entries": engine.stored}}


def test_a_files_name_holds_letters_and_digits_only():
    """Whatever a profile is called, the name is one that every system takes."""
    assert file_transfer.file_name("Ann", "2026-11-22", ending="masq") == "masq-Ann-2026-11-22.masq"
    assert file_transfer.file_name('../<a> "b"\n', ending="masq") == "masq-a-b.masq"
    assert file_transfer.file_name("Zoë", "", ending="json") == "masq-Zoë.json"


async def test_an_export_never_holds_two_profiles():
    """Another window goes to another profile meanwhile: the export ends, and the page is that profile's."""
    engine = Engine(a_profile("Ann"), a_profile("Bob", number=2))
    engine.stored = {f"k{n:04}": n for n in range(1200)}
    app, screen = await opened(engine, ADDRESS)
    engine.wait = 0.3
    app.acted("export")
    await asyncio.sleep(0.1)
    engine.switch_profile(engine.profiles[1]["id"])
    app.told(["overview"])
    await settle(app)
    assert all(not download.finished for download in screen.downloads.values())
    assert app.overview["profile"]["name"] == "Bob" and app.visit.profile == engine.active["id"]


async def test_a_backup_of_a_store_with_a_passphrase_asks_for_that_too():
    """It stands in a field of its own, with the reason; a wrong one is said beside it, and nothing is saved."""
    engine = Engine(a_profile("Ann", "right"))
    engine.active["locked"] = False
    app, screen = await opened(engine, "#/backup")
    assert screen.has('id="store-passphrase"') and screen.has("whether it is you who makes one")
    typed = {"passphrase": "p", "passphrase_repeat": "p"}
    await type_into(app, screen, "backup", **typed, store_passphrase="")
    assert screen.focused == "store-passphrase" and engine.called("write_backup") == []
    await type_into(app, screen, "backup", **typed, store_passphrase="wrong")
    assert screen.focused == "store-passphrase" and screen.has("does not open your store")
    assert not screen.downloads
    await type_into(app, screen, "backup", **typed, store_passphrase="right")
    assert engine.called("write_backup")[-1] == ("p", None, "right") and screen.downloads
