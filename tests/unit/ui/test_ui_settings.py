"""The settings and the ways between profiles, with an engine and a screen made of Python."""

import asyncio
from types import SimpleNamespace
from unittest import mock

from asynchronous import until
from french import french
from ui_rig import ABOUT, COPY, COUNTER, FAR_COPY, Engine, a_profile, opened, press, settle, type_into

from masq.errors import MasqError
from masq_store.ui import app as ui_app
from masq_store.ui.text import translation

WRONG = "This passphrase does not open your store."


def two(passphrase=""):
    """An engine with Ann, who may have a passphrase, and Bob."""
    ann = a_profile("Ann", passphrase) | {"locked": False}
    return Engine(ann, a_profile("Bob", "", 2))


async def choose(app, screen, field, value):
    """Choose `value` in a list or a box."""
    screen.typed = {field: value}
    app.chose(field)
    await settle(app)


async def test_another_profile_can_be_made_and_switched_to():
    """The new one is active at once; the settings lead back to the first."""
    engine = two()
    app, screen = await opened(engine, "#/new-profile")
    assert screen.has("New profile") and not screen.has("have-backup")
    await type_into(app, screen, "create", profile_name="Cleo", passphrase="")
    assert screen.place == "#/" and screen.has("This is the store of Cleo.") and "Cleo" in screen.top
    screen.go("#/settings")
    await settle(app)
    assert screen.has("Switch to Ann") and screen.has("Switch to Bob") and not screen.has("Switch to Cleo")
    await press(app, "switch-profile", engine.profiles[0]["id"])
    assert screen.place == "#/" and screen.has("This is the store of Ann.")


async def test_a_profile_is_renamed():
    """The form holds the present name; a refused one is said beside it, a good one is everywhere."""
    engine = two()
    app, screen = await opened(engine, "#/settings")
    await press(app, "open-rename")
    assert screen.has('value="Ann"') and screen.focused == "profile-name"
    await type_into(app, screen, "rename", profile_name="bad")
    assert screen.has("nobody is called that") and screen.focused == "profile-name"
    await type_into(app, screen, "rename", profile_name=" Anna ")
    assert engine.active["name"] == "Anna" and screen.focused == "open-rename" and "Anna" in screen.top


async def test_deleting_a_profile_asks_once_by_name():
    """The question names the profile, what is erased, and what may not be; the active one's end leads to the apps."""
    engine = two()
    ann, bob = (profile["id"] for profile in engine.profiles)
    app, screen = await opened(engine, "#/settings")
    await press(app, "open-delete-profile", bob)
    assert screen.has("Delete the profile of Bob?") and screen.focused == "delete-profile-question"
    await press(app, "close")
    assert engine.called("delete_profile") == [] and screen.focused == f"open-delete-profile-{bob}"
    await press(app, "open-delete-profile", ann)
    assert screen.has("Delete the profile of Ann?") and screen.has("the data of 1 app")
    assert not screen.has("copies-go-too")
    engine.copies = [FAR_COPY, COPY]
    app, screen = await opened(engine, "#/settings")
    await press(app, "open-delete-profile", bob)
    assert not screen.has("copies-go-too")
    await press(app, "open-delete-profile", ann)
    assert screen.has("copies-go-too")
    await press(app, "delete-profile", ann)
    assert screen.place == "#/" and "Bob" in screen.top
    assert screen.has("Ann&#39;s profile and its data were deleted from this device.")


async def test_a_passphrase_is_added_changed_and_removed():
    """Each way has its form; what cannot be right never reaches the engine."""
    engine = two()
    app, screen = await opened(engine, "#/settings")
    assert not screen.has("lock-now") and 'id="lock"' not in screen.top
    await press(app, "open-add-passphrase")
    assert screen.focused == "passphrase-new" and not screen.has('id="passphrase"')
    await type_into(app, screen, "add-passphrase", passphrase_new="one", passphrase_repeat="two")
    assert screen.focused == "passphrase-repeat" and engine.called("change_passphrase") == []
    await type_into(app, screen, "add-passphrase", passphrase_new="one", passphrase_repeat="one")
    assert engine.called("change_passphrase") == [("", "one", False)]
    assert screen.has("Your store has a passphrase now.") and 'id="lock"' in screen.top
    await press(app, "open-change-passphrase")
    await type_into(
        app, screen, "change-passphrase", passphrase="no", passphrase_new="x", passphrase_repeat="x"
    )
    assert screen.has(WRONG) and screen.focused == "passphrase"
    await type_into(
        app, screen, "change-passphrase", passphrase="one", passphrase_new="x", passphrase_repeat="x"
    )
    assert engine.active["word"] == "x" and screen.has("The passphrase was changed.")
    await press(app, "open-remove-passphrase")
    await type_into(app, screen, "remove-passphrase", passphrase="")
    assert screen.focused == "passphrase"
    await type_into(app, screen, "remove-passphrase", passphrase="x")
    assert engine.active["word"] == "" and screen.has("Your store has no passphrase any more.")


async def test_lock_now_leads_to_unlocking_and_offers_the_others():
    """From any page; the unlock page names the other profiles."""
    engine = two("right")
    app, screen = await opened(engine, "#/settings")
    await press(app, "lock")
    assert screen.has('data-page="unlock"') and screen.has("Switch to Bob") and 'id="lock"' not in screen.top
    await press(app, "switch-profile", engine.profiles[1]["id"])
    assert screen.has('data-page="apps"') and "Bob" in screen.top


async def test_a_wait_is_counted_down_and_no_try_is_made_in_it():
    """The seconds are shown and go down; the button takes no press until they are over."""
    engine = Engine(a_profile("Ann", "right"))
    engine.wait_seconds = 1.2
    loop = asyncio.get_running_loop()

    def clock():
        return round(loop.time(), 3)  # in whole milliseconds, as the pages count

    with mock.patch.object(ui_app, "time", SimpleNamespace(time=clock, monotonic=clock)):
        await wait_is_counted_down(engine)


async def wait_is_counted_down(engine):
    """Give a wrong passphrase, wait as told, and give the right one."""
    app, screen = await opened(engine)
    screen.typed = {"passphrase": "wrong"}
    app.acted("unlock")
    await until(lambda: screen.has("You can try again in 2 seconds."))
    assert screen.has(WRONG) and screen.has('aria-disabled="true"')
    await until(lambda: not app._acting)
    app.acted("unlock")
    await until(lambda: ("wait", "You can try again in 1 second.") in screen.written)
    assert len(engine.called("unlock")) == 1
    await settle(app)
    assert not screen.has('aria-disabled="true"') and not screen.has("You can try again")
    screen.typed = {"passphrase": "right"}
    await press(app, "unlock")
    assert screen.has('data-page="apps"')


async def test_choices_count_at_once_and_go_back_when_refused():
    """What makes the lock stricter reaches the engine; what it refuses is shown as it was."""
    engine = two("right")
    engine.active |= {"stays_unlocked": True}
    app, screen = await opened(engine, "#/settings")
    await choose(app, screen, "stay-unlocked", False)
    assert engine.called("set_stay_unlocked") == [(False,)] and screen.has('data-checked="no"')
    engine.active |= {"stays_unlocked": True}
    app, screen = await opened(engine, "#/settings")
    await choose(app, screen, "lock-minutes", "15")
    assert engine.called("set_lock_minutes") == [(15,)] and screen.has('data-value="15"')

    def refuse(stay):
        from masq.errors import InvalidValue

        raise InvalidValue("it has no passphrase")

    engine.set_stay_unlocked = refuse
    await choose(app, screen, "stay-unlocked", False)
    assert screen.has("it has no passphrase") and screen.has('data-checked="yes"')


async def test_language_and_theme_are_remembered_and_said():
    """Both are kept in the browser under the names that the boot script knows, and hold at once."""
    with french():
        translation.use("en")
        app, screen = await opened(two(), "#/settings")
        await choose(app, screen, "language", "fr")
        assert screen.has("Réglages") and screen.kept["masq/language"] == "fr"
        await choose(app, screen, "theme", "dark")
        assert screen.kept["masq/theme"] == "dark" and screen.looks[-1] == ("fr", "dark")
        await choose(app, screen, "theme", "")
        assert screen.kept["masq/theme"] == "" and screen.looks[-1] == ("fr", "")


async def test_what_happened_lately_is_shown_and_copied_where_it_is_noted():
    """A box of this browser switches it on; before anything has happened the page says so."""
    with french():
        translation.use("en")
        engine = two()
        app, screen = await opened(engine, "#/settings")
        assert screen.has("What happened lately") and not screen.has("trace-lines")
        assert engine.called("trace") == [(False,)]
        engine.happened = []
        await choose(app, screen, "trace", True)
        assert screen.kept["masq/trace"] == "on" and engine.called("trace")[-1] == (True,)
        assert (
            screen.has("Nothing yet.")
            and screen.has('id="trace" type="checkbox"')
            and not screen.has("copy-trace")
        )
        engine.happened = ["     0.000 relay: open failures=0", "     1.500 room: refused code=6"]
        await app.fetch()
        assert screen.has("room: refused code=6") and not screen.has("Nothing yet.")
        await press(app, "open-change-passphrase")
        await press(app, "copy-trace")
        assert screen.copied == "\n".join(engine.happened) and screen.has("What happened lately is copied.")
        assert screen.focused == "notice"  # it stands at the top of a long page
        screen.copies = False
        await press(app, "copy-trace")
        assert screen.has("Select the text") and screen.focused == "notice"
        assert app.moment.panel.name == "change-passphrase"  # the form that was open still is
        await choose(app, screen, "language", "fr")
        assert screen.has("Ce qui s’est passé récemment") and screen.has("Noter ce qui se passe")
        await choose(app, screen, "trace", False)
        assert screen.kept["masq/trace"] == "" and engine.called("trace")[-1] == (False,)
        assert not screen.has("trace-lines")


async def test_a_window_says_that_a_trace_is_wanted():
    """The engine may have begun since it was switched on, and the settings need not be open."""
    engine = two()
    app, screen = await opened(engine)
    await app.tell_traced()
    assert not engine.called("trace")
    screen.kept["masq/trace"] = "on"
    await app.tell_traced()
    assert engine.called("trace") == [(True,)]
    engine.broken = MasqError("gone")
    await app.tell_traced()


async def test_the_browser_is_asked_to_keep_the_data():
    """The button asks, the engine is told, and the page says what became of it."""
    engine = two()
    app, screen = await opened(engine, "#/settings")
    assert screen.has("The browser may delete your data") and screen.has("1.0 MB of the 2.0 GB")
    await press(app, "persist")
    assert engine.persistent and screen.has("The browser has promised to keep your data")


async def test_the_first_app_that_is_allowed_asks_for_persistent_storage():
    """Once there is something to lose; not again for the second app, nor where the browser would ask its person."""
    for apps, person, asked in (([], False, 1), ([COUNTER], False, 0), ([], True, 0)):
        engine = two()
        engine.active["apps"] = apps
        engine.asked = ABOUT
        app, screen = await opened(engine, "#connect=n1")
        screen.persist_asks = person
        await press(app, "allow")
        assert screen.asked_to_persist == asked and engine.persistent == bool(asked)


async def test_how_keys_are_kept_is_said_in_a_sentence():
    """Where the browser keeps keys in a weaker way, or not at all, the settings say so; else nothing."""
    for how, said in (("kept", ""), ("plain", "plain form"), ("none", "cannot keep the key")):
        engine = two("right")
        engine.keeps_keys = how
        _app, screen = await opened(engine, "#/settings")
        assert screen.has("keeps-keys") == bool(said) and screen.has(said)


async def test_a_profile_switched_elsewhere_ends_what_was_open_here():
    """Another page's switch shows the other profile here, without the form that was open."""
    engine = two()
    app, screen = await opened(engine, "#/settings")
    await press(app, "open-rename")
    engine.switch_profile(engine.profiles[1]["id"])
    app.told(["overview"])
    await settle(app)
    assert "Bob" in screen.top and not screen.has('data-action="rename"')


async def test_the_popup_has_no_way_that_leaves_its_question():
    """The header shows whose store it is, and no links."""
    engine = two("right")
    engine.asked = ABOUT
    _app, screen = await opened(engine, "#connect=n1")
    assert "Ann" in screen.top and "href" not in screen.top and "button" not in screen.top
    await asyncio.sleep(0)


async def test_the_popup_ends_even_if_the_browser_fails_to_keep_the_data():
    """The answer has been given: what the browser says to persistent storage does not hold it up."""
    engine, heard = two(), []
    engine.active["apps"] = []
    engine.asked = ABOUT
    app, screen = await opened(engine, "#connect=n1", done=heard.append)

    async def fail():
        raise RuntimeError("the browser's own error")

    screen.persist = fail
    await press(app, "allow")
    assert heard == [True] and screen.has('data-page="answered"')


async def test_what_outlives_the_lock_asks_for_the_passphrase_in_place():
    """Staying unlocked and a longer lock time open a form that says why; a wrong one is said beside its field."""
    engine = two("right")
    engine.active |= {"lock_minutes": 15}
    app, screen = await opened(engine, "#/settings")
    await choose(app, screen, "stay-unlocked", True)
    assert screen.focused == "passphrase" and screen.has('data-checked="yes"')
    assert screen.has("without its passphrase") and engine.called("set_stay_unlocked") == []
    await type_into(app, screen, "stay-longer", passphrase="")
    assert engine.called("set_stay_unlocked") == [] and screen.has("Type your store&#39;s passphrase first.")
    await type_into(app, screen, "stay-longer", passphrase="wrong")
    assert screen.has(WRONG) and screen.focused == "passphrase"
    await type_into(app, screen, "stay-longer", passphrase="right")
    assert engine.active["stays_unlocked"] and screen.has("Your store stays unlocked on this device.")
    assert screen.focused == "stay-unlocked"
    await choose(app, screen, "lock-minutes", "60")
    assert screen.has('data-value="60"') and engine.called("set_lock_minutes") == []
    await press(app, "close")
    assert screen.has('data-value="15"') and screen.focused == "lock-minutes"
    await choose(app, screen, "lock-minutes", "0")
    await type_into(app, screen, "lock-later", "0", passphrase="right")
    assert engine.called("set_lock_minutes") == [(0, "right")] and engine.active["lock_minutes"] == 0
    await choose(app, screen, "lock-minutes", "5")  # a shorter one asks for nothing
    assert engine.active["lock_minutes"] == 5


async def test_a_passphrase_change_can_renew_the_root_and_shows_how_much_is_done():
    """The box goes with the change; while everything is sealed anew a bar says how far that is."""
    engine = two("right")
    app, screen = await opened(engine, "#/settings")
    await press(app, "open-change-passphrase")
    seen = []

    def change(present, new, renew=False):
        engine.on_event(["renewing", "1", "3"])
        seen.append(screen.has('<progress id="progress" max="3" value="1"'))
        return Engine.change_passphrase(engine, present, new, renew)

    engine.change_passphrase = change
    typed = {"passphrase": "right", "passphrase_new": "x", "passphrase_repeat": "x"}
    await type_into(app, screen, "change-passphrase", **typed, renew_root=True)
    assert seen == [True] and screen.has("everything here was sealed anew")
