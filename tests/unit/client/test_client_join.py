"""connect and register, with a fake frame instead of a browser's."""

import asyncio

import pytest
from fake_port import READY, FakeStore

import masq
from masq import button, joining
from masq import frame as window

pytestmark = pytest.mark.within(10)

URL = "https://store.example"
APART = READY | {"access": "partitioned", "waiting": 0}
frames = []


class FakeFrame:
    """Stands for the iframe: a test says what the frame and the store say."""

    def __init__(self, url, on_message, on_fault):
        self.say = lambda **message: on_message({"masq": 1, **message})
        self.fault = on_fault
        self.url = url
        self.later = asyncio.get_running_loop().call_soon
        self.attached = []
        self.popups = 0
        self.blocked = False
        self.closed = False
        self.removed = False
        self.strange = False
        self.seen = ""  # of the store's window
        self.shown = []
        self.store = FakeStore()
        frames.append(self)

    def attach(self, details, on_text):
        """Connect the fake store."""
        self.attached.append(details)
        self.store.send = on_text
        return self.store.post

    def popup(self):
        """Open nothing."""
        self.popups += 1
        return not self.blocked

    def look(self):
        """What the test says."""
        return self.seen

    def show(self, shown):
        """Note it."""
        self.shown.append(shown)

    def close(self):
        """Note it."""
        self.closed = True


class FakeButton:
    """Notes the states that were drawn."""

    last = None

    def __init__(self, element, on_click):
        self.click = on_click
        self.states = []
        self.released = False
        FakeButton.last = self

    def draw(self, state, progress=""):
        """Note it."""
        self.states.append(state + progress)

    def release(self):
        """Note it."""
        self.released = True


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    """No browser: a fake frame, a fake button, an origin."""
    frames.clear()
    monkeypatch.setattr(window, "Frame", FakeFrame)
    monkeypatch.setattr(window, "page_origin", lambda: "https://app.example")
    monkeypatch.setattr(button, "Button", FakeButton)
    yield
    assert joining._pending == []


async def started(**options):
    """Start connect(), and return its task and its frame, once the frame is attached."""
    task = asyncio.create_task(masq.connect(URL, name="Test", **options))
    await asyncio.sleep(0.01)
    frame = frames[-1]
    frame.say(frame="ready")
    return task, frame


async def refused(task, kind):
    """Return the error of a connect() that must fail, having left nothing behind."""
    with pytest.raises(kind) as caught:
        await task
    assert frames[-1].closed
    return caught.value


async def test_a_registered_app_is_connected():
    """An approved app gets its Store, and says who it is."""
    task, frame = await started(description="Counts", icon="data:image/png;base64,AA==", timeout=5)
    frame.store.say(status=READY)
    store = await task
    assert frame.attached == [{"name": "Test", "description": "Counts", "icon": "data:image/png;base64,AA=="}]
    assert store.status.profile == "Ann"
    assert await store.increment("n") == 1
    await store.close()
    assert frame.closed


@pytest.mark.parametrize(("state", "kind"), [("unregistered", masq.NotRegistered), ("locked", masq.Locked)])
async def test_without_a_button_it_raises_at_once(state, kind):
    """Where the user would have to act, and there is no button, connect raises."""
    task, frame = await started()
    frame.store.say(status={"state": state})
    error = await refused(task, kind)
    if kind is masq.NotRegistered:
        assert error.origin == "https://app.example"


async def test_the_button_shows_the_way():
    """Progress, invitation, waiting, connected: the button shows each, and a click opens the window."""
    task, frame = await started(button="#connect")
    frame.say(frame="progress", loaded=25, total=100)
    frame.store.say(status={"state": "unregistered"})
    await asyncio.sleep(0.01)
    assert not task.done()
    FakeButton.last.click()
    assert frame.popups == 1
    await asyncio.sleep(0.01)
    FakeButton.last.click()
    assert frame.popups == 2
    await asyncio.sleep(0.01)
    frame.store.say(status=READY)
    store = await task
    assert FakeButton.last.states == [
        "connecting",
        "connecting 25 %",
        "connect",
        "waiting",
        "waiting",
        "connected",
    ]
    assert FakeButton.last.released
    await store.close()
    assert FakeButton.last.states[-1] == "closed"


@pytest.mark.parametrize("sync", ["off", "offline"])
async def test_a_copy_that_is_out_of_touch_offers_to_sync_now(sync):
    """The button says how many changes wait there, and stays in use: each click opens the store's window."""
    task, frame = await started(button="#connect")
    frame.store.say(status=APART | {"sync": sync, "waiting": 2})
    store = await task
    drawn = FakeButton.last
    assert drawn.states[-1] == "apart (2)" and store.status.waiting == 2
    frame.store.say(status=APART | {"sync": sync, "waiting": 3})
    assert drawn.states[-1] == "apart (3)"
    drawn.click()
    frame.blocked = True
    drawn.click()
    assert frame.popups == 2 and drawn.states[-1] == "apart (3)" and not drawn.released
    frame.store.say(status=APART | {"sync": "live"})
    assert drawn.states[-1] == "connected"
    frame.store.say(status=APART | {"sync": sync})
    assert drawn.states[-1] == ("apart" if sync == "off" else "connected")
    assert await store.increment("n") == 1
    await store.close()
    assert drawn.states[-1] == "closed" and drawn.released


async def test_a_copy_that_the_store_locks_or_takes_back_can_be_asked_for():
    """Its button says so, and a click opens the store's window; allowed or unlocked there, it goes on."""
    task, frame = await started(button="#connect")
    frame.store.say(status=APART | {"sync": "live"})
    store = await task
    drawn = FakeButton.last
    assert drawn.states[-1] == "connected"
    for state, shown in (("locked", "locked"), ("unregistered", "connect")):
        frame.store.say(status={"state": state})
        assert drawn.states[-1] == shown
        drawn.click()
        frame.store.say(status=APART)
        assert drawn.states[-1] == "apart" and await store.get("n", 7) == 7
    assert frame.popups == 2
    await store.close()
    assert drawn.states[-1] == "closed"


async def test_what_waits_is_told_to_the_app():
    """A number of waiting changes is a new status, and 0 where the store itself has the data."""
    task, frame = await started()
    frame.store.say(status=APART)
    store = await task
    statuses = store.watch_status()
    seen = [(await anext(statuses)).waiting]
    for waiting in (1, 2):
        frame.store.say(status=APART | {"waiting": waiting})
        seen.append((await anext(statuses)).waiting)
    frame.store.say(status=READY)
    seen.append((await anext(statuses)).waiting)
    assert seen == [0, 1, 2, 0]
    await store.close()


async def test_in_the_store_itself_a_connected_button_is_left_alone():
    """Whatever the sync does, nothing is drawn any more: the app may use the element for something else."""
    task, frame = await started(button="#connect")
    frame.store.say(status=READY | {"sync": "off"})
    store = await task
    drawn = len(FakeButton.last.states)
    for sync in ("offline", "live", "off"):
        frame.store.say(status=READY | {"sync": sync})
    assert len(FakeButton.last.states) == drawn and FakeButton.last.released
    await store.close()


@pytest.mark.parametrize("reason", ["refused", "closed"])
async def test_a_no_is_an_answer(reason):
    """Refused and closed windows raise AccessDenied with the reason, within a moment."""
    task, frame = await started(button="#connect")
    frame.store.say(status={"state": "unregistered"})
    await asyncio.sleep(0.01)
    FakeButton.last.click()
    frame.store.say(status={"state": "unregistered", "denied": reason})
    error = await refused(task, masq.AccessDenied)
    assert error.reason == reason
    assert FakeButton.last.states[-1] == "denied"


async def told_of(frame, calls):
    """Wait until the store has heard just these calls, and for a moment, in which no more of them come."""
    for _ in range(1000):
        if [call[1] for call in frame.store.calls()] == calls:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.03)
    assert [call[1] for call in frame.store.calls()] == calls


async def test_a_window_that_was_in_reach_and_closed_is_told_as_that(monkeypatch):
    """The store hears that it has closed, so nothing else is offered."""
    monkeypatch.setattr(joining, "WINDOW_SECONDS", 0.005)
    task, frame = await started(button="#connect")
    frame.store.say(status={"state": "unregistered"})
    FakeButton.last.click()
    await told_of(frame, [])
    frame.seen = "closed"
    await told_of(frame, ["severed"])
    assert frame.store.calls()[-1][1:] == ["severed", True]
    frame.store.say(status={"state": "unregistered", "denied": "closed"})
    assert (await refused(task, masq.AccessDenied)).reason == "closed"


async def test_a_window_that_cannot_be_reached_is_told_once(monkeypatch):
    """Opened and out of reach: the store hears of it once for each window, and the frame is shown while it asks."""
    monkeypatch.setattr(joining, "WINDOW_SECONDS", 0.005)
    task, frame = await started(button="#connect")
    frame.store.say(status={"state": "unregistered"})
    await asyncio.sleep(0.03)
    frame.seen = "severed"
    await told_of(frame, [])  # no window was opened
    for clicks in (1, 2):
        FakeButton.last.click()
        await told_of(frame, ["severed"] * clicks)
    frame.say(frame="strip", shown=True)
    frame.say(frame="strip", shown=False)
    assert frame.shown == [True, False]
    frame.store.say(status=READY)
    store = await task
    FakeButton.last.click()
    await told_of(frame, ["severed"] * 2)
    await store.close()


async def test_a_connected_button_tells_of_a_window_that_cannot_be_reached(monkeypatch):
    """Locked, taken back or out of touch: each window that its click opens is told of once, and none afterwards."""
    monkeypatch.setattr(joining, "WINDOW_SECONDS", 0.005)
    task, frame = await started(button="#connect")
    frame.store.say(status=APART | {"sync": "live"})
    store = await task
    frame.seen = "severed"
    await asyncio.sleep(0.03)
    told = []
    for status in ({"state": "locked"}, {"state": "locked"}, {"state": "unregistered"}, APART):
        frame.store.say(status=status)
        await told_of(frame, told)  # no window was opened
        frame.blocked = True
        FakeButton.last.click()
        await told_of(frame, told)
        frame.blocked = False
        FakeButton.last.click()
        told.append("severed")
        await told_of(frame, told)
    frame.seen = ""
    FakeButton.last.click()
    await store.close()
    frame.seen = "severed"
    await told_of(frame, told)


async def test_a_blocked_window_is_an_answer():
    """A browser that opens no window: PopupBlocked."""
    task, frame = await started(button="#connect")
    frame.blocked = True
    frame.store.say(status={"state": "locked"})
    await asyncio.sleep(0.01)
    FakeButton.last.click()
    await refused(task, masq.PopupBlocked)
    assert "locked" in FakeButton.last.states
    assert FakeButton.last.states[-1] == "blocked"


async def test_silence_is_a_connection_timeout():
    """A frame that never speaks, and one whose store never does, end after `timeout` seconds."""
    task = asyncio.create_task(masq.connect(URL, name="Test", timeout=0.1))
    await asyncio.sleep(0)
    error = await refused(task, masq.ConnectionTimeout)
    assert error.waiting_for == "the store's frame"
    task, frame = await started(timeout=0.1)
    error = await refused(task, masq.ConnectionTimeout)
    assert error.waiting_for != "the store's frame"


async def test_progress_puts_the_timeout_off():
    """While the frame loads, however slowly, nothing runs out; waiting for the person does not either."""
    task, frame = await started(timeout=0.1, button="#connect")
    for loaded in range(6):
        await asyncio.sleep(0.04)
        frame.say(frame="progress", loaded=loaded, total=10)
    frame.store.say(status={"state": "unregistered"})
    await asyncio.sleep(0.3)
    assert not task.done()
    frame.store.say(status=READY)
    await (await task).close()


async def test_a_frame_that_the_page_removes_is_not_waited_for(monkeypatch):
    """Taken out while the person is asked: connect and register raise Disconnected, and can be called again."""
    monkeypatch.setattr(joining, "WINDOW_SECONDS", 0.005)
    for begin in (
        lambda: masq.connect(URL, name="Test", button="#connect"),
        lambda: masq.register(URL, name="Test"),
    ):
        task = asyncio.create_task(begin())
        await asyncio.sleep(0.01)
        frames[-1].say(frame="ready")
        frames[-1].store.say(status={"state": "unregistered"})
        await asyncio.sleep(0.03)
        assert not task.done()
        frames[-1].removed = True
        await refused(asyncio.wait_for(task, 1), masq.Disconnected)


async def test_the_frame_can_say_no():
    """No storage, another version: each has its error."""
    task, frame = await started()
    frame.say(frame="unavailable", reason="no storage", setting="allow cookies")
    error = await refused(task, masq.StorageUnavailable)
    assert (error.reason, error.setting) == ("no storage", "allow cookies")
    task, frame = await started()
    frame.say(masq=2, frame="ready")
    assert "version 2" in str(await refused(task, masq.ProtocolError))
    task, frame = await started()
    frame.fault(masq.ProtocolError("the frame shows another page"))
    await refused(task, masq.ProtocolError)


async def test_a_second_connect_while_one_is_pending_is_refused():
    """The second raises ProtocolError at once; after the first has returned another is fine."""
    task, frame = await started()
    with pytest.raises(masq.ProtocolError, match="already connecting"):
        await masq.connect(URL + "/", name="Test")
    assert len(frames) == 1
    frame.store.say(status=READY)
    first = await task
    task, frame = await started()
    frame.store.say(status=READY)
    await (await task).close()
    await first.close()


async def test_cancelling_removes_everything():
    """A cancelled connect leaves no frame, and the button as it was."""
    task, frame = await started(button="#connect")
    task.cancel()
    await refused(task, asyncio.CancelledError)
    assert FakeButton.last.released
    assert FakeButton.last.states[-1] == "closed"


async def test_register_opens_the_window_before_anything_is_awaited():
    """The window opens in the call itself, as browsers demand, and the answer decides."""
    coroutine = masq.register(URL, name="Test")
    assert frames[-1].popups == 1
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0.01)
    frame = frames[-1]
    frame.say(frame="ready")
    frame.store.say(status={"state": "unregistered"})
    await asyncio.sleep(0.01)
    frame.store.say(status=READY)
    await (await task).close()
    task = asyncio.create_task(masq.register(URL, name="Test"))
    await asyncio.sleep(0.01)
    frames[-1].say(frame="ready")
    frames[-1].store.say(status={"state": "unregistered", "denied": "closed"})
    await refused(task, masq.AccessDenied)


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": 5},
        {"name": "x", "timeout": 0},
        {"name": "x", "icon": 3},
        {"name": "x", "timeout": "1"},
    ],
)
async def test_wrong_arguments_make_no_frame(options):
    """Wrong arguments raise InvalidValue, and nothing is put into the page."""
    with pytest.raises(masq.InvalidValue):
        await masq.connect(URL, **options)
    assert frames == []


async def test_calls_of_the_first_moment_after_back_wait_for_the_store():
    """What is called before the page's frame is there again is carried out there, once; what was sent before is not."""
    task, frame = await started()
    frame.store.say(status=READY)
    store = await task
    await store.set("a", 1)
    frame.store.mute = True
    before = store.increment("a")
    await asyncio.sleep(0)
    sent = len(frame.store.messages)
    frame.on_reload()  # the browser shows the page again
    calls = [store.increment("b"), store.get("a"), store.set("c", 3), store.watch("d")]
    await asyncio.sleep(0.05)
    assert len(frame.store.messages) == sent
    frame.store.mute = False
    frame.say(frame="ready")
    frame.store.say(status=READY)
    assert await calls[0] == 1
    assert await calls[1] == 1
    await calls[2]
    with pytest.raises(masq.Disconnected):
        await before
    await store.set("d", 1)
    assert (await anext(calls[3])).key == "d"
    assert frame.store.data["b"] == 1 and frame.store.data["c"] == 3
    await store.close()


async def test_calls_that_wait_for_a_store_that_does_not_come_end():
    """They raise Disconnected after the time-out, as the session does."""
    task, frame = await started(timeout=0.2)
    frame.store.say(status=READY)
    store = await task
    frame.on_reload()
    with pytest.raises(masq.Disconnected, match="did not come back"):
        await store.set("a", 1)
    assert frame.closed


async def test_a_lost_store_is_attached_again():
    """After "lost" a new port goes to the same frame, and the session goes on."""
    task, frame = await started()
    frame.store.say(status=READY)
    store = await task
    frame.say(frame="lost")
    assert len(frame.attached) == 2
    frame.store.say(status=READY)
    assert await store.increment("n") == 1
    await store.close()


async def test_a_store_that_stays_lost_ends_the_session():
    """After `timeout` seconds without a word, watches and calls raise Disconnected."""
    task, frame = await started(timeout=0.1)
    frame.store.say(status=READY)
    store = await task
    watch = store.watch()
    await store.get("a")
    frame.store.mute = True
    frame.say(frame="lost")
    with pytest.raises((masq.Disconnected, masq.ConnectionTimeout)):
        await watch.__anext__()
    await asyncio.sleep(0.05)
    with pytest.raises(masq.Disconnected):
        await store.get("a")
    assert frame.closed
