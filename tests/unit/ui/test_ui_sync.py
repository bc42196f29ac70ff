"""What the pages say about being in step, and the relay's settings."""

import pytest
from french import french
from ui_rig import ADDRESS, HERE, ORIGIN, PHONE, RELAY, Engine, a_profile, a_relay, opened, press, settle
from ui_rig import type_into as type_in

from masq.errors import InvalidValue
from masq_store.ui.text import formatting, sync_status

DOWN = {"state": "offline", "relay": a_relay(RELAY, problem=["X", "It does not answer.", {}])}
LIVE = sync_status.OFF | {"state": "live", "relay": a_relay(RELAY)}


@pytest.mark.parametrize(
    ("fields", "devices", "said"),
    [
        ({}, 2, "Everything here is on the relay."),
        ({}, 1, "Everything here is on the relay. No other device has it."),
        ({"waiting": 1}, 2, "1 change made here is waiting."),
        (DOWN | {"waiting": 3}, 2, "The relay is not connected. 3 changes made here are waiting."),
        (DOWN, 2, "The relay is not connected."),
        ({"state": "offline"}, 2, "Connecting to the relay…"),
        ({"state": "catching-up"}, 2, "Fetching what is new…"),
        ({"state": "off"}, 2, "This device is not in step with your others."),
        ({"relay": a_relay(""), "state": "off"}, 1, "Only this device has your data."),
        ({"relay": a_relay(""), "state": "off"}, 2, "No relay is set, so your devices are not in step."),
        (
            {"copying": {"done": 0, "of": 1}, "state": "catching-up"},
            2,
            "Your data is being copied onto this device.",
        ),
    ],
)
def test_one_line_says_how_things_stand(fields, devices, said):
    """Never more than is known: on the relay is not on another device."""
    assert sync_status.state(LIVE | fields, devices) == said


@pytest.mark.parametrize(
    ("fields", "relay", "said"),
    [
        ({"state": "live"}, RELAY, "Everything here is on the relay."),
        ({"state": "live", "waiting": 2}, RELAY, "2 changes made here are waiting."),
        ({"state": "offline", "last_ms": 0}, RELAY, "The relay is not connected. Last up to date: just now."),
        ({"state": "catching-up"}, RELAY, "Fetching what is new…"),
        ({"state": "off"}, RELAY, "Not in step yet."),
        ({"state": "live"}, "", "No relay is set, so nothing is passed on."),
        ({"on": False, "state": "off"}, RELAY, "What this app saves here stays on this device."),
    ],
)
def test_an_app_has_a_line_of_its_own(fields, relay, said):
    """Also where its switch is off."""
    assert sync_status.app_state(sync_status.APP_OFF | fields, relay, 0) == said


@pytest.mark.parametrize(
    ("off_ms", "said"),
    [(None, ""), (60_000, ""), (-60_000, ""), (61_000, "1 minute ahead"), (-7_200_000, "2 hours behind")],
)
def test_a_clock_that_is_off_by_more_than_a_minute_is_named(off_ms, said):
    """Of this device and of others; one that is right, or not known, is not."""
    for told in (sync_status.clock(off_ms), sync_status.other_clock(off_ms)):
        assert said in told and bool(told) == bool(said)


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (1, "1 minute"),
        (59 * 60_000, "59 minutes"),
        (3_600_000, "1 hour"),
        (47 * 3_600_000, "47 hours"),
        (72 * 3_600_000, "3 days"),
    ],
)
def test_lengths_of_time(ms, said):
    """The largest unit that says it."""
    assert formatting.span(ms) == said


def test_what_was_wrong_is_counted():
    """What was not genuine, what came again, and who held something else are told apart; none is no sentence."""
    assert sync_status.dropped(LIVE) == []
    said = sync_status.dropped(LIVE | {"refused": 1, "repeated": 20, "differed": 3})
    assert [each.split()[0] for each in said] == ["1", "20", "3"]


def test_the_states_are_said_in_french():
    """As are the relay's errors."""
    with french():
        assert sync_status.state(LIVE, 2) == "Tout ce qui est ici est sur le relais."
        assert "relais" in sync_status.state(LIVE | DOWN, 2)


def ann():
    """An engine with one profile and two devices."""
    engine = Engine(a_profile("Ann"))
    engine.devices = [HERE, PHONE]
    return engine


async def test_the_devices_page_tells_all_that_is_known():
    """Relay, what is wrong with it, when it was last up to date, clocks, and what was dropped."""
    engine = ann()
    engine.devices = [HERE, PHONE | {"clock_off_ms": 300_000}]
    engine.sync = LIVE | {
        "state": "offline",
        "relay": a_relay(RELAY, problem=["X", "It does not answer.", {}]),
        "clock_off_ms": -120_000,
        "refused": 2,
        "last_ms": 0,
    }
    _app, screen = await opened(engine, "#/devices")
    for said in (
        RELAY,
        "It does not answer.",
        "Last up to date: 1 January 1970.",
        "The clock of this device is 2 minutes behind.",
        "its clock is 5 minutes ahead",
        "2 messages were dropped",
    ):
        assert screen.has(said), said


async def test_the_apps_page_follows_the_state():
    """One line, drawn again when the engine says so, with the progress of the first copy."""
    engine = ann()
    app, screen = await opened(engine)
    assert screen.has("Everything here is on the relay.")
    engine.sync = LIVE | {"state": "catching-up", "copying": {"done": 2, "of": 8}}
    app.told(["overview"])
    await settle(app)
    assert screen.has("being copied onto this device") and screen.has('max="8" value="2"')


async def test_an_app_is_switched_off_and_on():
    """The choice counts at once; one that is refused goes back, and says why."""
    engine = ann()
    app, screen = await opened(engine, ADDRESS)
    assert screen.has('data-checked="yes"')
    screen.typed = {"sync-on": False}
    app.chose("sync-on")
    await settle(app)
    assert engine.called("set_sync") == [(ORIGIN, False)] and screen.has('data-checked="no"')
    assert screen.has("stays on this device")

    def refuse(origin, on):
        raise InvalidValue("not now")

    engine.set_sync = refuse
    screen.typed = {"sync-on": True}
    app.chose("sync-on")
    await settle(app)
    assert screen.has('data-checked="no"') and screen.has("not now")


async def test_a_relay_is_chosen_dropped_and_put_back():
    """An address that cannot be right is said beside its field; the page says what is in use."""
    engine = ann()
    app, screen = await opened(engine, "#/settings")
    assert screen.has("which comes with this store") and not screen.has('id="default-relay"')
    for typed in (" ", "http://a"):
        await type_in(app, screen, "save-relay", relay_address=typed)
        assert screen.focused == "relay-address" and screen.has('id="error"')
    await type_in(app, screen, "save-relay", relay_address=" wss://mine.example ")
    assert engine.called("set_relay")[-1] == ("wss://mine.example",) and screen.has(
        "meet at wss://mine.example"
    )
    await press(app, "no-relay")
    assert engine.called("set_relay")[-1] == ("",) and screen.has("uses no relay now")
    assert not screen.has('id="no-relay"')
    await press(app, "default-relay")
    assert engine.called("set_relay")[-1] == (None,) and screen.has("which comes with this store")
