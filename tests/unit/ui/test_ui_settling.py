"""What decides something waits until the window has stood still."""

import re
from pathlib import Path

from ui_rig import ABOUT, KEPT, Engine, a_profile, opened, press

from masq_store.ui.window.settling import DECISIVE, SETTLE_SECONDS, Settling

TEMPLATES = Path(__file__).parents[3] / "store" / "masq_store" / "ui" / "templates"


def ann():
    """A profile that has withdrawn an app."""
    return a_profile("Ann") | {"kept": [KEPT]}


def test_a_window_settles_half_a_second_after_it_moved_last():
    """Each move begins the time anew."""
    now = [10.0]
    settling = Settling(lambda: now[0])
    assert settling.left == SETTLE_SECONDS
    now[0] += 0.4
    settling.stir()
    now[0] += 0.4
    assert 0.09 < settling.left < 0.11
    now[0] += 0.11
    assert settling.left == 0


def test_a_window_that_is_seen_elsewhere_has_moved():
    """Moved or made larger or smaller, it has to stand still anew; one that stands where it stood does not."""
    now = [10.0]
    settling = Settling(lambda: now[0])
    place = (100, 50, 480, 720)
    settling.see(place)
    now[0] += SETTLE_SECONDS
    settling.see(place)
    assert settling.left == 0
    for moved in ((101, 50, 480, 720), (101, 49, 480, 720), (101, 49, 481, 720), (101, 49, 481, 719)):
        settling.see(moved)
        assert settling.left == SETTLE_SECONDS
        now[0] += SETTLE_SECONDS
        settling.see(moved)  # moved long ago: a press counts
        assert settling.left == 0


async def test_allow_waits_for_the_window():
    """A press in a window that has just come forward, or moved, does nothing; a later one allows."""
    engine = Engine(ann(), request=ABOUT)
    app, screen = await opened(engine, "#connect=n1")
    screen.steady = False
    await press(app, "allow")
    assert not engine.called("answer") and screen.has('data-page="connect"')
    await press(app, "deny")
    assert [call[1] for call in engine.called("answer")] == [False]
    app, screen = await opened(engine, "#connect=n1")
    await press(app, "allow")
    assert [call[1] for call in engine.called("answer")] == [False, True]


async def test_erasing_waits_for_the_window():
    """The question opens at once; the button in it waits."""
    engine = Engine(ann())
    app, screen = await opened(engine, "#/")
    screen.steady = False
    await press(app, "open-erase", KEPT["origin"])
    await press(app, "erase", KEPT["origin"])
    assert not engine.called("erase")
    screen.steady = True
    await press(app, "erase", KEPT["origin"])
    assert engine.called("erase") == [(KEPT["origin"],)]


def test_every_button_that_destroys_is_among_them():
    """Whatever the templates draw as dangerous and final waits for the window."""
    drawn = "".join(path.read_text("utf-8") for path in sorted(TEMPLATES.glob("*.html")))
    questions = re.findall(r'call parts\.question\("([^"]+)".*?(?:action="([^"]+)")?\) %}', drawn)
    final = {action or name for name, action in questions}
    assert len(final) > 5 and final <= DECISIVE
    buttons = re.findall(r'button\("([^"]+)"[^\n]*"primary dangerous"', drawn)  # that send a form
    assert buttons and set(buttons) <= DECISIVE
