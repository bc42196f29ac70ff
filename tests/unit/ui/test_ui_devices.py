"""The devices of a profile and how one is added, with an engine and a screen made of Python."""

import asyncio

import pytest
from asynchronous import until
from french import french
from ui_rig import (
    ABOUT,
    ADDRESS,
    COPY,
    FAR_COPY,
    HERE,
    LINK,
    PHONE,
    RELAY,
    REMOVED,
    Engine,
    a_profile,
    a_relay,
    opened,
    press,
    settle,
    type_into,
)

from masq.errors import Disconnected, to_wire
from masq_store.core.errors import PairingExpired, PairingGone, PairingRefused, WrongPairingCode


def ann(passphrase=""):
    """An engine with one profile and two devices."""
    engine = Engine(a_profile("Ann", passphrase))
    engine.devices = [HERE, PHONE]
    return engine


async def tell(engine, app, state, **fields):
    """Let the pairing come to another state, and wait until the page shows it."""
    engine.pairs(state, **fields)
    await settle(app)


async def test_a_device_is_added_from_the_link_to_the_list():
    """The link and its code, then the digits, then the other device's yes; at the end its name stands in the list."""
    engine = ann()
    app, screen = await opened(engine, "#/devices")
    await press(app, "invite")
    assert engine.called("invite") == [("https://store.example/", "")]
    assert screen.has(LINK) and screen.has('id="pair-qr"')
    await tell(engine, app, "answered")
    await tell(engine, app, "ask-code")
    assert screen.has('id="pair-code"') and not screen.has(LINK)
    await type_into(app, screen, "confirm-code", pair_code="123 456")
    assert engine.called("confirm_code") == [("123 456",)]
    await tell(engine, app, "given")
    assert screen.has("say yes on the other device")
    engine.devices = [*engine.devices, PHONE | {"id": "cc" * 8, "name": "Tablet"}]
    await tell(engine, app, "done", device="Tablet")
    assert screen.has("Tablet was added.") and screen.has('data-device="cccccccccccccccc"')
    assert engine.called("end_pairing") == [()] and screen.focused == "notice"


async def test_a_store_on_this_machine_alone_gives_no_code():
    """Its link leads any other device to itself: the page says where it opens, and shows nothing to scan."""
    for place in (
        "http://store.localhost:8000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "https://localhost",
    ):
        engine = ann()
        app, screen = await opened(engine, "#/devices")
        await press(app, "invite")
        await tell(engine, app, "waiting", link=f"{place}/#pair=abc")
        assert screen.has('id="link-local"') and screen.has('id="pair-link"')
        assert not screen.has('id="pair-qr"') and not screen.has("scan this code")
    await tell(engine, app, "waiting", link="https://localhost.example/#pair=abc")
    assert screen.has('id="pair-qr"') and not screen.has('id="link-local"')


async def test_what_is_not_six_digits_costs_no_try():
    """It is said beside the field, by the page itself or by the engine, and nothing is confirmed."""
    engine = ann()
    app, screen = await opened(engine, "#/devices")
    await press(app, "invite")
    await tell(engine, app, "ask-code")
    for typed in ("", "12345", "1234567", "abcdef"):
        await type_into(app, screen, "confirm-code", pair_code=typed)
        assert screen.has("Type all six digits") and screen.focused == "pair-code"
    assert engine.called("confirm_code") == []
    await tell(engine, app, "given")
    await tell(engine, app, "ask-code", again=True)
    assert screen.has("Type all six digits")


async def test_a_pairing_that_failed_says_why_and_can_begin_again():
    """The error's sentence is an alert; a new link is one press away, and so is the list."""
    engine = ann()
    app, screen = await opened(engine, "#/devices")
    await press(app, "invite")
    await tell(engine, app, "ended", error=to_wire(WrongPairingCode()))
    assert screen.has('role="alert"') and screen.has("The six digits were not those")
    await press(app, "invite")
    assert screen.has(LINK) and not screen.has("were not those") and len(engine.called("invite")) == 2
    await tell(engine, app, "ended", error=to_wire(PairingRefused()))
    await press(app, "refuse")
    assert screen.has('data-page="devices"') and engine.pair is None


async def test_a_pairing_ends_when_it_is_refused_or_the_page_is_left():
    """Both tell the engine, and the list is as it was."""
    engine = ann()
    app, screen = await opened(engine, "#/devices")
    await press(app, "invite")
    await press(app, "refuse")
    assert screen.has("No device was added") and engine.called("end_pairing") == [()]
    await press(app, "invite")
    screen.go("#/")
    await settle(app)
    assert len(engine.called("end_pairing")) == 2 and engine.pair["state"] == "ended"
    screen.go("#/devices")
    await settle(app)
    assert screen.has('data-page="devices"')


async def test_a_no_counts_while_the_engine_still_works_on_the_link():
    """The reader need not wait for a relay that does not answer."""
    engine = ann()
    app, screen = await opened(engine, "#/devices")
    slow = asyncio.Event()
    call = engine.call

    async def held(method, *args):
        answer = await call(method, *args)
        if method == "invite":
            await slow.wait()
        return answer

    engine.call = held
    app.acted("invite")
    await until(lambda: engine.called("invite"))
    engine.pairs("connecting")
    await until(lambda: screen.has('data-step="connecting"'))
    app.acted("refuse")
    await until(lambda: engine.called("end_pairing"))
    slow.set()
    await settle(app)
    assert screen.has('data-page="devices"') and screen.has('id="add-device"')
    assert not screen.has("aria-busy")


async def test_the_link_is_copied_or_said_to_be_copied_by_hand():
    """The clipboard gets it whole; where the browser does not allow that, the page says what to do."""
    engine = ann()
    app, screen = await opened(engine, "#/devices")
    await press(app, "invite")
    await press(app, "copy-link")
    assert screen.copied == LINK and screen.has("The link is copied.")
    screen.copies = False
    await press(app, "copy-link")
    assert screen.has("The browser did not copy it.") and screen.focused == "pair-link"


async def test_without_a_relay_no_device_can_be_added():
    """The page says so and leads to the settings."""
    engine = ann()
    engine.sync = engine.sync | {"relay": a_relay("", ""), "state": "off"}
    _app, screen = await opened(engine, "#/devices")
    assert not screen.has("add-device") and screen.has("none is set") and screen.has('href="#/settings"')


async def test_a_device_gets_another_name():
    """The form holds the present one; a refused one is said beside it."""
    engine = ann()
    app, screen = await opened(engine, "#/devices")
    await press(app, "open-rename-device", PHONE["id"])
    assert screen.has('value="Telephone"') and screen.focused == "device-name"
    for typed, said in (("  ", "Type a name first."), ("bad", "no device is called that")):
        await type_into(app, screen, "rename-device", PHONE["id"], device_name=typed)
        assert screen.has(said) and screen.focused == "device-name"
    await type_into(app, screen, "rename-device", PHONE["id"], device_name=" Mine ")
    assert engine.devices[1]["name"] == "Mine" and screen.has("now called Mine")
    assert screen.focused == f"open-rename-device-{PHONE['id']}"


async def test_removing_a_device_asks_once_by_name_and_promises_no_more_than_it_can():
    """The question says that a device that is off keeps its copy; this device itself cannot be chosen."""
    engine = ann()
    app, screen = await opened(engine, "#/devices")
    assert not screen.has(f"open-remove-device-{HERE['id']}")
    await press(app, "open-remove-device", PHONE["id"])
    assert screen.has("Remove Telephone?") and screen.has("When it next connects")
    assert screen.has("A device that is off, or that does not obey, keeps what it has.")
    await press(app, "close")
    assert engine.called("remove_device") == []
    await press(app, "open-remove-device", PHONE["id"])
    await press(app, "remove-device", PHONE["id"])
    assert engine.called("remove_device") == [(PHONE["id"], "")] and screen.has("Telephone was removed.")
    assert not screen.has(f'data-device="{PHONE["id"]}"')


# ---- copies that browsers keep apart


def ann_apart(relay=RELAY):
    """An engine whose counter has a copy in this browser, one in another's, and one in a browser that is not known."""
    engine = ann()
    engine.copies = [COPY, FAR_COPY, FAR_COPY | {"id": "ff" * 8, "device": None}]
    engine.app_sync |= {"devices": 5}
    engine.sync |= {"relay": a_relay(relay, relay), "state": "live" if relay else "off"}
    return engine


COPIES = ("Counter in this browser", "Counter in Telephone", "Counter in another browser")
WITHOUT = (
    "Without a relay the copy meets the others only while the store&#39;s window is open: click Sync now"
)


async def test_copies_are_listed_by_the_browser_that_keeps_them():
    """Apart from the devices, by app and browser, with the app's origin; they have no name to change."""
    for relay in (RELAY, ""):
        _app, screen = await opened(ann_apart(relay), "#/devices")
        for name in COPIES:
            assert screen.has(f'<bdi class="name">{name}</bdi>')
        assert screen.has("counter.localhost") and screen.has(f'data-copy="{COPY["id"]}"')
        assert not screen.has(f'data-device="{COPY["id"]}"') and screen.page.html.count("Rename…") == 2
        assert screen.has(WITHOUT) == (not relay)
    _app, screen = await opened(ann(), "#/devices")
    assert not screen.has('id="copies"') and not screen.has("keep apart")


async def test_a_copy_that_cannot_be_told_says_so_and_what_to_do():
    """The sentence stands at that copy and at no other, in French too."""
    engine = ann_apart()
    for address in ("#/devices", ADDRESS):
        engine.copies = [COPY, FAR_COPY]
        _app, screen = await opened(engine, address)
        assert not screen.has("cannot hear")
        engine.copies = [COPY, FAR_COPY | {"unheard": True}]
        app, screen = await opened(engine, address)
        _, _, after = screen.page.html.partition(FAR_COPY["id"])
        assert "It cannot hear what you decided last" in after and screen.page.html.count("cannot hear") == 1
        with french():
            app.draw()
            assert screen.has("Elle ne peut pas apprendre ce que vous avez décidé")


async def test_an_apps_page_says_where_its_data_is():
    """How many devices hold it, its copies and no other app's, and what that means without a relay."""
    engine = ann_apart("")
    engine.copies += [COPY | {"id": "99" * 8, "app": "https://notes.example", "name": "Notes"}]
    _app, screen = await opened(engine, ADDRESS)
    assert screen.has("5 devices hold it.") and not screen.has("Notes in")
    assert not screen.has("nothing is passed on"), "it is, while the window is open"
    for name in COPIES:
        assert screen.has(f'<bdi class="name">{name}</bdi>')
    assert screen.has("This browser keeps Counter&#39;s data apart from your store.") and screen.has(WITHOUT)
    assert screen.has("<dd>not known</dd>"), "tabs where the browser keeps the app apart are not counted"
    engine.copies = [FAR_COPY]
    _app, screen = await opened(engine, ADDRESS)
    assert screen.has("<dd>none</dd>")
    assert screen.has("Another browser keeps Counter&#39;s data apart from your store.")
    engine.copies = [COPY | {"app": "https://notes.example"}]
    _app, screen = await opened(engine, ADDRESS)
    assert not screen.has('id="copies"') and not screen.has("apart from your store")


@pytest.mark.parametrize("address", ["#/devices", ADDRESS])
async def test_removing_a_copy_asks_once_by_name(address):
    """The question says what becomes of the copy and of what only it has; the page says that it was removed."""
    engine = ann_apart()
    app, screen = await opened(engine, address)
    await press(app, "open-remove-copy", COPY["id"])
    assert screen.has("Remove Counter in this browser?") and screen.focused == "remove-copy-question"
    assert screen.has("The app loses the copy when that is next in touch") and screen.has(
        "it sends first where it can"
    )
    assert screen.has("The app asks you again")
    await press(app, "close")
    assert engine.called("remove_device") == []
    await press(app, "open-remove-copy", COPY["id"])
    await press(app, "remove-copy", COPY["id"])
    assert engine.called("remove_device") == [(COPY["id"],)] and screen.focused == "notice"
    assert screen.has("Counter in this browser was removed.")
    assert not screen.has(f'data-copy="{COPY["id"]}"') and screen.has(f'data-copy="{FAR_COPY["id"]}"')


async def test_withdrawing_says_what_becomes_of_copies():
    """Only where there are some."""
    for engine, said in ((ann(), False), (ann_apart(), True)):
        app, screen = await opened(engine, ADDRESS)
        await press(app, "open-withdraw")
        assert screen.has("Apps lose the copies that browsers keep apart") == said


async def test_copies_have_french_names():
    """The words around the app's and the browser's names are translated."""
    app, screen = await opened(ann_apart(""), ADDRESS)
    with french():
        app.draw()
        assert screen.has("Counter dans ce navigateur") and screen.has("Counter dans Telephone")
        assert screen.has("Ce navigateur tient les données de Counter à l’écart de votre coffre.")
        assert screen.has("5 appareils l’ont.") and screen.has(
            "Sans relais, la copie ne rencontre les autres que tant que la fenêtre du coffre est ouverte\xa0: "
            "cliquez sur «\xa0Sync now\xa0» dans l’application."
        )
        await press(app, "open-remove-copy", COPY["id"])
        assert screen.has("Retirer Counter dans ce navigateur\u202f?")
        assert screen.has("L’application perdra la copie au prochain contact")
        await press(app, "remove-copy", COPY["id"])
        assert screen.has("Counter dans ce navigateur\xa0: copie retirée.")


async def test_the_question_for_a_copy_is_french_too():
    """What the window asks, and what it says of a copy where no relay is set."""
    engine = Engine(a_profile("Ann", ""), request=ABOUT | {"registered": False, "apart": True})
    engine.sync |= {"relay": a_relay("", "")}
    app, screen = await opened(engine, "#connect=n1")
    with french():
        app.draw()
        assert screen.has("Cette application peut-elle garder ses données dans votre coffre\u202f?")
        assert screen.has("cliquez sur «\xa0Sync now\xa0» dans l’application.")


# ---- on the new device


async def test_a_link_brings_a_profile_to_a_device_that_has_none():
    """Opened by its address: it is used at once and leaves the address; digits, one question, and the profile."""
    engine = Engine()
    app, screen = await opened(engine, "#pair=AAAAAAAAAAAAAAAAAAAAAA&relay=wss://other.example")
    await settle(app)
    assert engine.called("join") == [("pair=AAAAAAAAAAAAAAAAAAAAAA&relay=wss://other.example",)]
    assert screen.place == "#/pair"
    await tell(engine, app, "show-code", code="012345")
    assert screen.has('<p id="pair-code" class="code">012 345</p>')
    await tell(engine, app, "ask-take", profile="Ann")
    assert screen.has("Take the profile of Ann onto this device?") and screen.has('value="Chromium on Linux"')
    assert screen.has("only if your other device has said that the digits are right")
    await type_into(app, screen, "take", device_name=" Mine ", passphrase="", stay_unlocked=False)
    assert engine.called("take") == [("Mine", "", True)] and screen.has('data-step="agreed"')
    engine.create_profile("Ann", "", True)
    engine.sync = engine.sync | {"copying": {"done": 3, "of": 9}}
    await tell(engine, app, "copying")
    assert screen.has('max="9" value="3"') and app.visit.step == "copying"
    engine.sync = engine.sync | {"copying": None}
    await tell(engine, app, "done")
    assert screen.has("It now holds the profile of Ann.") and screen.has('href="#/"') and "Ann" in screen.top


async def test_what_cannot_be_right_is_said_beside_its_field():
    """A link that is none, an empty name, differing passphrases, and a name that the engine refuses."""
    engine = Engine()
    app, screen = await opened(engine, "#/pair")
    await type_into(app, screen, "join", pair_paste=" ")
    assert screen.focused == "pair-paste" and engine.called("join") == []
    await type_into(app, screen, "join", pair_paste="https://elsewhere.example/")
    assert screen.has("This is not a link that adds a device") and screen.focused == "pair-paste"
    assert screen.has("https://elsewhere.example/"), "what was pasted stays"
    await type_into(app, screen, "join", pair_paste=LINK)
    await tell(engine, app, "ask-take", profile="Ann")
    for typed, field in (
        ({"device_name": " "}, "device-name"),
        ({"device_name": "Mine", "passphrase": "one", "passphrase_repeat": "two"}, "passphrase-repeat"),
        ({"device_name": "bad"}, "device-name"),
    ):
        await type_into(app, screen, "take", **typed)
        assert screen.focused == field and screen.has('id="error"')
    assert engine.called("take") == [("bad", "", True)]
    await type_into(
        app,
        screen,
        "take",
        device_name="Mine",
        passphrase="p",
        passphrase_repeat="p",
        stay_unlocked=False,
    )
    assert engine.called("take")[-1] == ("Mine", "p", False)


@pytest.mark.parametrize("state", ["show-code", "ask-take"])
async def test_a_no_takes_nothing(state):
    """The engine is told, and the page is the one that asks for a link, with a sentence about it."""
    engine = ann()
    app, screen = await opened(engine, "#/pair")
    await type_into(app, screen, "join", pair_paste=LINK)
    await tell(engine, app, state, profile="Bob", code="012345")
    await press(app, "refuse")
    assert engine.called("end_pairing") == [()] and engine.called("take") == []
    assert screen.has("Nothing was taken") and screen.has('id="pair-paste"') and not screen.has(LINK)


async def test_a_link_that_failed_leads_to_another_one():
    """The sentence says why, also that the other device may list this one."""
    engine = ann()
    app, screen = await opened(engine, "#/pair")
    await type_into(app, screen, "join", pair_paste=LINK)
    await tell(engine, app, "ended", error=to_wire(PairingGone(True)))
    assert screen.has("remove it there") and screen.has('role="alert"')
    await press(app, "refuse")
    assert screen.has('id="pair-paste"') and not screen.has('role="alert"')


async def test_a_locked_store_can_take_another_profile():
    """A link works whatever profile is here, and the page says that it stays."""
    engine = ann("right")
    app, screen = await opened(engine, "#pair=AAAAAAAAAAAAAAAAAAAAAA")
    await settle(app)
    assert len(engine.called("join")) == 1 and screen.has('data-page="pair"')
    await tell(engine, app, "ask-take", profile="Bob")
    assert screen.has("The profile of Ann stays as it is")


async def test_leaving_ends_the_pairing_and_the_next_link_begins_another():
    """Each address is a pairing of its own, also where it is the same one."""
    engine = Engine()
    app, screen = await opened(engine, "#pair=AAAAAAAAAAAAAAAAAAAAAA")
    await settle(app)
    screen.go("#pair=AAAAAAAAAAAAAAAAAAAAAA")
    await settle(app)
    methods = [call[0] for call in engine.calls if call[0] in ("join", "end_pairing")]
    assert methods == ["join", "end_pairing", "join"]


async def test_the_first_page_offers_the_link_and_the_popups_question_waits():
    """From the popup the way leads through the pairing and back to the app that asks."""
    engine = Engine(request=ABOUT | {"origin": "https://a", "name": "A"})
    app, screen = await opened(engine, "#connect=0123")
    assert screen.has('href="#/pair"')
    screen.go("#/pair")
    await settle(app)
    await type_into(app, screen, "join", pair_paste=LINK)
    engine.create_profile("Ann", "", True)
    await tell(engine, app, "done", profile="Ann")
    assert screen.has('href="#connect=0123"')


async def test_the_camera_finds_the_link():
    """Other codes are passed over with a sentence; the right one ends the camera and is used."""
    engine = Engine()
    app, screen = await opened(engine, "#/pair")
    assert not screen.has('data-action="scan"')
    screen.camera = "ready"
    screen.go("#/")
    await settle(app)
    screen.go("#/pair")
    await settle(app)
    await press(app, "scan")
    assert screen.has("<video") and screen.focused == "scan-end"
    screen.camera("https://elsewhere.example/")
    assert screen.has("This is another code.") and engine.called("join") == []
    screen.camera(LINK)
    await settle(app)
    assert screen.camera == "dark" and engine.called("join") == [(LINK,)] and not screen.has("<video")


async def test_a_camera_that_is_refused_is_said():
    """The page says so, and the link can still be pasted."""
    from masq.errors import MasqError

    app, screen = await opened(Engine(), "#/pair")
    screen.camera = MasqError("The camera cannot be used.")
    app.visit.scans = True
    await press(app, "scan")
    assert screen.has("The camera cannot be used.") and not screen.has("<video")
    assert screen.has('data-action="scan"')


async def test_leaving_switches_the_camera_off():
    """No camera looks on once the reader is elsewhere."""
    screen_of = await opened(Engine(), "#/pair")
    app, screen = screen_of
    screen.camera = "ready"
    app.visit.scans = True
    await press(app, "scan")
    screen.go("#/")
    await settle(app)
    assert screen.camera == "dark"


async def test_an_engine_that_stops_in_a_pairing_is_said():
    """The page does not stay as if it went on."""
    engine = ann()
    app, screen = await opened(engine, "#/devices")
    await press(app, "invite")
    engine.broken = Disconnected()
    engine.on_event(["pairing"])
    await settle(app)
    assert screen.has('data-page="unreachable"')


# ---- removed by another device


async def test_a_device_that_was_removed_says_so_once():
    """Before anything else, naming the profile; going on leads to what is here."""
    engine = Engine()
    app, screen = await opened(engine)
    engine.removed = REMOVED | {"state": "erased", "until_ms": None}
    app.told(["overview"])
    await settle(app)
    assert screen.has('data-page="removed"') and screen.has("from the profile of Ann")
    await press(app, "seen-removed")
    assert engine.called("seen_removed") == [()] and screen.has('data-page="create"')


async def test_a_device_that_was_removed_asks_before_anything_is_erased():
    """Where the profile is open it comes before all else: until when, how much; erasing asks once more, by name."""
    engine = ann()
    engine.removed = REMOVED
    app, screen = await opened(engine, "#/settings")
    assert screen.has('data-page="removed"') and screen.has("it is erased here on")
    await press(app, "open-erase-removed")
    assert screen.focused == "erase-removed-question" and screen.has("Erase the profile of Ann here?")
    assert screen.has("120 entries") and engine.called("delete_profile") == []
    await press(app, "close")
    assert screen.focused == "open-erase-removed"
    await press(app, "open-erase-removed")
    engine.removed = None
    await press(app, "erase-removed")
    assert len(engine.called("delete_profile")) == 1 and screen.has('data-page="create"')


@pytest.mark.parametrize("address", ["", "#/devices"])
async def test_a_device_that_keeps_what_it_was_removed_from_says_what_to_do(address):
    """It stays here by itself: the pages say so from then on, and lead to a backup and a new profile."""
    engine = ann()
    engine.removed = REMOVED | {"until_ms": None}
    app, screen = await opened(engine, address)
    assert screen.has("If you decide nothing, it stays here.")
    await press(app, "keep-removed")
    assert engine.called("keep_removed") == [()] and engine.called("delete_profile") == []
    assert screen.has('id="kept-removed"') and screen.has('href="#/backup"')
    assert screen.has('href="#/new-profile"') and not screen.has('id="add-device"')


async def test_a_locked_profile_that_was_removed_is_unlocked_first():
    """The page says why it is locked and until when; the question comes once it is open."""
    engine = ann("right")
    engine.removed = REMOVED
    app, screen = await opened(engine)
    assert screen.has('data-page="unlock"') and screen.has("it is erased here on")
    await type_into(app, screen, "unlock", passphrase="right")
    assert screen.has('data-page="removed"')


async def test_adding_and_removing_a_device_ask_for_the_passphrase_in_place():
    """Where the store has a passphrase both say why they want it, and a wrong one is said beside its field."""
    engine = ann()
    engine.active |= {"word": "right"}
    app, screen = await opened(engine, "#/devices")
    await press(app, "invite")
    assert screen.focused == "passphrase" and screen.has("whether it is you who adds it")
    await type_into(app, screen, "invite", passphrase="wrong")
    assert screen.focused == "passphrase" and screen.has("does not open your store")
    await type_into(app, screen, "invite", passphrase="right")
    assert screen.has(LINK)
    engine.pairs("ended", error=to_wire(PairingExpired()))
    await settle(app)
    await press(app, "invite")  # another link asks again
    assert screen.focused == "passphrase" and screen.has('data-page="devices"')
    await press(app, "close")
    assert screen.focused == "add-device"
    await press(app, "open-remove-device", PHONE["id"])
    assert screen.has("whether it is you who removes it")
    await type_into(app, screen, "remove-device", PHONE["id"], passphrase="")
    assert engine.called("remove_device") == [] and screen.focused == "passphrase"
    await type_into(app, screen, "remove-device", PHONE["id"], passphrase="right")
    assert engine.called("remove_device") == [(PHONE["id"], "right")]
