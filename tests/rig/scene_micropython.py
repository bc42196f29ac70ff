"""What test_client_micropython.py runs inside MicroPython: the client against a store in memory."""

import asyncio
import json

import js

import masq
from masq import ffi, frame
from masq.channel import Channel
from masq.errors import to_wire

data = {}
watches = {}
texts = []
mute = False


def answer(text):
    """Do the calls of one message."""
    replies = []
    changes = []
    for call in json.loads(text)["calls"]:
        number, method = call[0], call[1]
        result = None
        if method == "get":
            result = [data[call[2]]] if call[2] in data else []
        elif method == "set":
            data[call[2]] = call[3]
            changes += [[watch, [[call[2], "self", call[3]]]] for watch in watches]
        elif method == "items":
            result = [[key, data[key]] for key in sorted(data) if key.startswith(call[2])]
        elif method == "increment":
            result = data[call[2]] = data.get(call[2], 0) + call[3]
            changes += [[watch, [[call[2], "self", result]]] for watch in watches]
        elif method == "delete":
            result = len([data.pop(key) for key in call[2] if key in data])
        elif method == "watch":
            watches[number] = call[2]
        elif method == "unwatch":
            watches.pop(call[2])
        else:
            replies.append([number, None, to_wire(masq.ProtocolError("the method is not known"))])
            continue
        replies.append([number, result])
    channel.receive(json.dumps({"masq": 1, "replies": replies, "changes": changes}))


def post(text):
    """Take a message, and answer in a later turn of the browser's loop."""
    texts.append(text)
    if not mute:
        js.setTimeout(lambda: answer(text), 0)


def say_nothing(yes):
    """Stop answering, or start again."""
    global mute
    mute = yes


channel = Channel(post, js.queueMicrotask, 0.2)
store = masq.Store(channel, {"state": "ready", "profile": "Ann"})


async def refused(kind, call):
    """Return the error that a call must raise."""
    try:
        await call()
    except kind as error:
        return error
    raise AssertionError("not refused")


class Element:
    """A button of the page."""

    textContent = "Connect"
    disabled = False

    def __init__(self):
        self.attributes = {}

    def getAttribute(self, name):
        """As in a browser."""
        return self.attributes.get(name)

    def setAttribute(self, name, value):
        """As in a browser."""
        self.attributes[name] = value


class Listener:
    """A listener whose event a test makes."""

    def __init__(self, target, event, function):
        target.click = function

    def remove(self):
        """Nothing is there to remove."""


class Frame:
    """A frame whose store says that the browser keeps it apart."""

    def __init__(self, url, on_message, on_fault):
        self.later = js.queueMicrotask
        self.popups = 0
        js.setTimeout(lambda: on_message({"masq": 1, "frame": "ready"}), 0)

    def attach(self, details, on_text):
        """The store's first word."""
        self.say = lambda **status: on_text(json.dumps({"masq": 1, "status": status}))
        js.setTimeout(lambda: self.say(state="ready", access="partitioned", sync="off", waiting=0), 0)
        return lambda text: None

    def popup(self):
        """Open nothing."""
        self.popups += 1
        return True

    def look(self):
        """See nothing."""
        return ""

    def close(self):
        """Nothing is there to close."""


async def apart():
    """Where the browser keeps the data apart from the store, the button stays in use."""
    frame.page_origin, ffi.Listener = lambda: "https://app.example", Listener
    element, frames = Element(), []
    frame.Frame = lambda *given: frames.append(Frame(*given)) or frames[-1]
    store = await masq.connect("https://store.example", name="Counter", button=element)
    assert store.status.access == "partitioned" and store.status.waiting == 0
    assert element.textContent == "Sync now" and not element.disabled, element.textContent
    frames[0].say(state="ready", access="partitioned", sync="off", waiting=3)
    assert store.status.waiting == 3 and element.textContent == "Sync now (3)", element.textContent
    element.click(None)
    assert frames[0].popups == 1
    frames[0].say(state="ready", access="partitioned", sync="live", waiting=0)
    assert element.textContent == "Connected" and element.disabled
    await store.close()
    assert element.textContent == "Connect" and element.attributes["data-masq-state"] == "closed"


async def main():
    """Use the client as an app does."""
    value = {"a": [1, 2.5, None, True, "é😀\x00z", b"\x00\xff", 2**70, -5], "$x": 1, "": {}}
    await store.set("é😀", value)
    assert await store.get("é😀") == value
    assert await store.get("none", 7) == 7
    assert await store.items() == {"é😀": value}
    assert await store.increment("n") == 1
    assert await store.increment("n", -3) == -2
    assert await store.delete("é😀", "none") == 1
    assert store.status.state == "ready" and store.status.profile == "Ann"

    for key in ("", 5, None, "k" * 513):
        await refused(masq.InvalidKey, lambda key=key: store.get(key))
    for bad in (float("nan"), {1: 2}, object(), "x" * (256 * 1024)):
        await refused(masq.InvalidValue, lambda bad=bad: store.set("a", bad))
    await refused(masq.InvalidValue, lambda: store.increment("n", True))
    seen, told = js.console.error, []
    js.console.error = told.append
    masq.reply_micropython.UNSEEN_SECONDS = 0.01
    store.set("", 1)
    await refused(masq.InvalidKey, lambda: store.set(" " * 600, 1))
    await asyncio.sleep(0.05)
    js.console.error = seen
    assert len(told) == 1 and "nobody awaited it" in told[0] and "must not be empty" in told[0], told

    error = await refused(masq.ProtocolError, lambda: store.has("a"))
    assert "method is not known" in str(error), str(error)

    texts.clear()
    assert await asyncio.gather(*[store.get("n") for _ in range(200)]) == [-2] * 200
    assert len(texts) == 1, len(texts)

    async def one(number):
        """Write and read one key."""
        await store.set("k" + str(number), number)
        return await store.get("k" + str(number))

    texts.clear()
    assert await asyncio.gather(*[one(number) for number in range(50)]) == list(range(50))
    assert len(texts) <= 6, len(texts)
    assert await asyncio.create_task(store.get("n")) == -2
    assert await asyncio.create_task(asyncio.wait_for(store.get("n"), 1)) == -2

    got = []

    async def read():
        """Read a watch to its last key."""
        async with store.watch("w") as watch:
            async for change in watch:
                got.append((change.key, change.value, change.deleted, change.source))
                if change.key == "wend":
                    return

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.01)
    for number in range(100):
        store.set("w1", number)
    await store.set("wend", 1)
    await reader
    assert got == [("w1", 99, False, "self"), ("wend", 1, False, "self")], got
    await asyncio.sleep(0.01)
    assert watches == {}

    heard = []

    async def clicked():
        """Do what a click does: the browser calls it, so it is no task."""
        heard.append(await store.increment("clicks"))

    watch = store.watch("clicks")
    for number in (1, 2, 3):
        js.setTimeout(clicked, 1)
        change = await watch.__anext__()
        assert change.value == number, change
    assert await store.get("clicks") == 3
    assert heard == [1, 2, 3], heard
    await watch.aclose()

    states = []

    async def read_status():
        """Read every status."""
        async for status in store.watch_status():
            states.append(status.state)

    reader = asyncio.create_task(read_status())
    await asyncio.sleep(0.01)
    say_nothing(True)
    await refused(masq.ConnectionTimeout, lambda: store.get("n"))

    pending = store.get("n")
    write = store.set("n", 1)
    watch = store.watch("late")
    await asyncio.sleep(0.01)
    say_nothing(False)
    store.reopen(post)
    assert await pending == -2
    await refused(masq.Disconnected, lambda: write)
    store.set("late", 1)
    assert (await watch.__anext__()).value == 1  # its call had no answer when the store was lost
    await watch.aclose()

    task = asyncio.create_task(store.get("n"))
    await asyncio.sleep(0)
    task.cancel()
    await refused(asyncio.CancelledError, lambda: task)

    say_nothing(True)
    write = store.set("n", 1)
    await asyncio.create_task(asyncio.wait_for(store.close(), 5))  # the last answer never comes
    await refused(masq.ConnectionTimeout, lambda: write)
    await reader
    assert states == ["ready", "closed"], states
    await refused(masq.Disconnected, lambda: store.get("n"))
    await refused(masq.StorageUnavailable, lambda: masq.connect("http://store.localhost", name="x"))
    await apart()
    print("ALL WELL")
